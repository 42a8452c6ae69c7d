"""The service while it is measured: folders of its own, its jobs followed, the memory of all its processes watched."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import psutil

from auto_context.service.client import ServiceClient
from report import Figure, table
from sandbox import sandboxed
from trees import commit_all

COMMAND = [sys.executable, "-m", "auto_context"]
_SAMPLE_S = 0.2
ALIVE = ("queued", "running")


def steps(calls: Iterable[Callable[[], list[Figure]]]) -> list[Figure]:
    """What some measurements give, one after the other, each shown as it ends: a run takes minutes."""
    figures: list[Figure] = []
    for call in calls:
        began = time.perf_counter()
        made = call()
        figures += made
        print(f"\n[{time.perf_counter() - began:.0f} s]\n{table(made)}", flush=True)
    return figures


class Running(NamedTuple):
    """A running service and the folder that everything of it is in."""

    client: ServiceClient
    folder: Path


@contextlib.contextmanager
def fresh_service() -> Iterator[Running]:
    """A service with an empty store. The caches of models are kept between runs, as on a user's machine."""
    with tempfile.TemporaryDirectory(prefix="auto-context-bench-") as folder, sandboxed(Path(folder)):
        client = ServiceClient()
        client.request("GET", "/version")
        yield Running(client, Path(folder))


def ready_models() -> None:
    """Have everything that is made once per machine and model made: nothing of it is part of a figure."""
    with fresh_service() as running:
        start_workers(running)


def start_workers(running: Running) -> None:
    """Have every process of a service started, by indexing a tree of one file completely."""
    folder = running.folder / "tiny"
    folder.mkdir()
    (folder / "tiny.py").write_text("def tiny():\n    return 1\n")
    commit_all(folder)
    index(running.client, folder)


def timed(call: Callable[[], Any]) -> float:
    """Milliseconds that one call takes."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def queries(count: int) -> list[str]:
    """Queries in words that were never asked before in this process: each must be embedded."""
    numbers = itertools.islice(_asked, count)
    return [f"where is the {_NOUNS[at % 17]} {_VERBS[at // 17 % 13]} by number {at}" for at in numbers]


_asked = itertools.count()
_NOUNS = (
    "request", "file", "token", "error", "configuration", "tensor", "user", "cache", "matrix", "parser", "message",
    "version", "path", "thread", "buffer", "symbol", "graph",
)  # fmt: skip
_VERBS = (
    "read", "written", "checked", "parsed", "sent again", "compared", "closed", "merged", "sorted", "printed", "found",
    "copied", "removed",
)  # fmt: skip


def search(client: ServiceClient, root: Path, query: str, wait_ms: int = 10_000) -> dict[str, Any]:
    """One search."""
    return client.request("GET", "/search", params={"query": query, "root": str(root), "wait_ms": wait_ms})


def start_index(client: ServiceClient, root: Path) -> str:
    """Ask for a whole update; returns the job."""
    job: str = client.request("POST", "/index/update", body={"root": str(root), "confirmed": True})["job"]
    return job


def follow(client: ServiceClient, job: str, until: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
    """Wait for a job's end, or until its state satisfies ``until``; returns the state.

    Raises:
        SystemExit: the job failed.
    """
    while True:
        body = client.request("GET", f"/jobs/{job}", params={"wait_ms": 2000})
        if body["state"] not in ALIVE or (until and until(body)):
            if body["error"] and body["error"]["code"] != "cancelled":
                raise SystemExit(f"bench: the index failed: {body['error']}")
            return body


def index(client: ServiceClient, root: Path) -> dict[str, Any]:
    """Index completely; returns the report."""
    report: dict[str, Any] = follow(client, start_index(client, root))["report"]
    return report


def cancel(client: ServiceClient, root: Path) -> None:
    """End whatever is being done for a folder."""
    job = client.request("GET", "/status", params={"root": str(root)})["job"]
    if job:
        client.request("DELETE", f"/jobs/{job['id']}")
        follow(client, job["id"])


class Searchable(NamedTuple):
    """How long until everything is searchable by words and, where there is such a tier, static vectors."""

    seconds: float
    how: str


@cache
def has_static_tier() -> bool:
    """Whether ``index`` can return before the transformer tier is complete."""
    out = subprocess.run([*COMMAND, "index", "--help"], capture_output=True, text=True, check=False).stdout
    return "--tier" in out


def until_searchable(client: ServiceClient, root: Path) -> Searchable:
    """A first index of ``root``; the transformer tier goes on behind it, see ``cancel``."""
    began = time.perf_counter()
    if has_static_tier():
        done = subprocess.run(
            [*COMMAND, "index", "--tier", "static", "--yes", "--json", str(root)], capture_output=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"bench: index failed: {done.stderr.decode()[-500:]}")
        return Searchable(time.perf_counter() - began, "wall time of `auto-context index --tier static`")
    job = start_index(client, root)
    follow(client, job, lambda body: body["progress"]["phase"] in ("embed", "done"))
    return Searchable(time.perf_counter() - began, "words only: this version has no static tier")


class Memory:
    """The highest memory of the service and everything below it while inside, sampled five times a second.

    ``pss`` counts a page shared by n processes as 1/n in each, so that their sum is what the machine holds; ``rss``
    counts it n times and is the conservative figure.
    """

    def __init__(self, client: ServiceClient) -> None:
        self.peak: dict[str, float] = {}
        """MiB by role: all_pss, all_rss, service, worker (the embedder)."""
        self._service = psutil.Process(int(client.request("GET", "/version")["pid"]))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_S):
            with contextlib.suppress(psutil.Error):
                self._sample()

    def _sample(self) -> None:
        pss = rss = 0.0
        for process in [self._service, *self._service.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                info = process.memory_full_info()
                pss, rss = pss + getattr(info, "pss", info.rss), rss + info.rss
                self._note(self._role(process), info.rss)
        self._note("all_pss", pss)
        self._note("all_rss", rss)

    def _role(self, process: psutil.Process) -> str:
        if process.pid == self._service.pid:
            return "service"
        return "worker" if "auto_context.service.worker" in process.cmdline() else "pool"

    def _note(self, role: str, size: float) -> None:
        self.peak[role] = max(self.peak.get(role, 0.0), size / 2**20)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
