"""How fast it is, on a real repository: ``make bench [REPO=path]``. Prints a table, writes JSON.

Everything runs on a copy of the repository with a service of its own, so nothing of the user's is touched.
Times are of this machine and this run: compare within one run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import psutil

import peers
import report
from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.rank import STEPS
from auto_context.service.client import ServiceClient
from auto_context.types import SearchRequest

HERE = Path(__file__).parent
QUERIES = [
    "where are failed requests tried again",
    "parse the configuration file",
    "how is the version number compared",
    "error handling",
    "Config",
    "main",
    "test_parse",
    "README.md",
    "utils",
    "read a file and return its lines",
]


def percentile(values: list[float], share: float) -> float:
    """A value such that ``share`` of all are not above it."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def summary(values: list[float]) -> dict[str, float]:
    """Median and p95 of some milliseconds."""
    return {"p50_ms": round(statistics.median(values), 2), "p95_ms": round(percentile(values, 0.95), 2)}


def timed(call: Callable[[], Any]) -> float:
    """Milliseconds one call takes."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


class Memory:
    """Highest resident memory of the service and its worker while inside."""

    def __init__(self, pid: int) -> None:
        self.peak: dict[str, float] = {"service": 0.0, "worker": 0.0}
        self._service = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            with contextlib.suppress(psutil.Error):
                self._note("service", self._service)
                for child in self._service.children():
                    self._note("worker", child)

    def _note(self, name: str, process: psutil.Process) -> None:
        self.peak[name] = max(self.peak[name], round(process.memory_info().rss / 2**20, 1))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def search(client: ServiceClient, root: Path, query: str, wait_ms: int) -> dict[str, Any]:
    """One search."""
    return client.request("GET", "/search", params={"query": query, "root": str(root), "wait_ms": wait_ms})


def follow(client: ServiceClient, job: str) -> dict[str, Any]:
    """Wait for a job's end."""
    while True:
        body = client.request("GET", f"/jobs/{job}", params={"wait_ms": 2000})
        if body["state"] not in ("queued", "running"):
            if body["error"]:
                raise SystemExit(f"the index failed: {body['error']}")
            return body


def index(client: ServiceClient, root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A first index, searched meanwhile: the report, and the latency of those searches.

    As the picker first asks (it waits for nothing), and as the command line does (it waits for the query's vector).
    """
    job = client.request("POST", "/index/update", body={"root": str(root), "confirmed": True})["job"]
    during: dict[int, list[float]] = {0: [], 10_000: []}
    done = threading.Event()

    def keep_searching() -> None:
        mine = ServiceClient()
        turn = 0
        while not done.wait(0.2):
            turn += 1
            with contextlib.suppress(Exception):  # nothing is indexed in the first moments
                fresh, wait_ms = f"{QUERIES[turn % len(QUERIES)]} {turn}", (0, 10_000)[turn % 2]
                embedding = mine.request("GET", f"/jobs/{job}")["progress"]["chunks_done"] > 0
                if wait_ms and not embedding:
                    continue  # the model is still being loaded
                during[wait_ms].append(timed(lambda: search(mine, root, fresh, wait_ms)))  # noqa: B023 - at once

    searcher = threading.Thread(target=keep_searching)
    searcher.start()
    try:
        body = follow(client, job)
    finally:
        done.set()
        searcher.join()
    named = {"no_wait": during[0], "with_vectors": during[10_000]}
    return body["report"], {name: summary(taken) for name, taken in named.items() if taken}


def save_to_searchable(client: ServiceClient, root: Path, rounds: int = 7) -> dict[str, float]:
    """From the debounced save's request until lexical, path and vector find the new text."""
    taken: list[float] = []
    target = root / "auto_context_bench_probe.py"
    for turn in range(rounds):
        word = f"zanzibar{turn}quokka"
        target.write_text(f"def {word}():\n    '''A marmot whistles at {word}.'''\n    return {turn}\n", "utf-8")
        began = time.perf_counter()
        job = client.request("POST", "/index/incremental", body={"root": str(root), "paths": [str(target)]})["job"]
        follow(client, job)
        hits = search(client, root, word, 5000)["hits"]
        if not hits or hits[0]["path"] != target.name or "vector" not in hits[0]["legs"]:
            raise SystemExit(f"the saved file was not found by {word}: {hits[:1]}")
        taken.append((time.perf_counter() - began) * 1000)
    target.unlink()
    return summary(taken)


def searches(client: ServiceClient, root: Path, rounds: int = 20) -> dict[str, Any]:
    """Warm latency: of queries never seen before (embedded each time), and of repeated ones."""
    for query in QUERIES:
        search(client, root, query, 20_000)
    fresh = [
        timed(lambda query=f"{query} number {turn}": search(client, root, query, 10_000))  # type: ignore[misc]
        for turn in range(rounds)
        for query in QUERIES
    ]
    again = [timed(lambda query=query: search(client, root, query, 10_000)) for _ in range(rounds) for query in QUERIES]  # type: ignore[misc]
    return {"new_query": summary(fresh), "repeated_query": summary(again)}


def command_line(root: Path, rounds: int = 9) -> dict[str, float]:
    """``auto-context search`` as a whole process, service warm."""
    command = [sys.executable, "-m", "auto_context", "search", "error handling", "--root", str(root), "--json"]
    return summary([timed(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(rounds)])


def neovim_start(rounds: int = 11) -> dict[str, float] | None:
    """Milliseconds that sourcing the plugin adds to Neovim's start, as --startuptime counts them."""
    binary = os.environ.get("AUTO_CONTEXT_TEST_NVIM", "nvim").split(":")[-1]
    if not shutil.which(binary):
        return None
    taken: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "startup"
            rtp = str(HERE.parent.parent).replace(" ", r"\ ")
            command = [binary, "--clean", "--headless", "--cmd", f"set rtp^={rtp}", "--startuptime", str(log), "+qa"]
            subprocess.run(command, check=True, capture_output=True)
            lines = [line.split() for line in log.read_text().splitlines() if "plugin/auto_context.lua" in line]
            taken.extend(float(line[1]) for line in lines)
    return summary(taken) if taken else None


def precision() -> dict[str, Any]:
    """Tokens per second of stock fp32 and of what this machine would use, and how far apart their vectors are."""
    command = [sys.executable, str(HERE / "precision.py")]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, Any] = json.loads(out.stdout.splitlines()[-1])
    return measured


def ranking_cost(data: Path, root: Path, rounds: int = 20) -> dict[str, Any]:
    """What the ranking steps add to a search: the same queries with and without them, in turn, in this process."""
    engine = Engine(data, Settings())
    plain: list[float] = []
    bare: list[float] = []
    try:
        for query in QUERIES:
            engine.search(SearchRequest(query, str(root), limit=20, wait_ms=60_000))
        for _ in range(rounds):
            for query in QUERIES:
                for taken, off in ((plain, ()), (bare, ("diversity", *STEPS))):
                    request = SearchRequest(query, str(root), limit=20, wait_ms=60_000, near="src/main.rs", off=off)
                    taken.append(timed(lambda request=request: engine.search(request)))  # type: ignore[misc]
    finally:
        engine.close()
    return {"with_steps": summary(plain), "without": summary(bare)}


@contextlib.contextmanager
def sandbox() -> Iterator[Path]:
    """Folders of its own for the service, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="auto-context-bench-") as folder:
        for name in ("DATA", "CONFIG", "LOG", "RUNTIME"):
            os.environ[f"AUTO_CONTEXT_{name}_DIR"] = str(Path(folder) / name.lower())
        yield Path(folder)


def copy_of(repository: Path, target: Path) -> None:
    """The files git knows, committed in a repository of their own."""
    listed = subprocess.run(
        ["git", "-C", str(repository), "ls-files", "-co", "--exclude-standard", "-z"], check=True, capture_output=True
    ).stdout
    for name in filter(None, listed.decode("utf-8", "surrogateescape").split("\0")):
        source = repository / name
        if source.is_file() and not source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
    git = ["git", "-C", str(target), "-c", "user.name=b", "-c", "user.email=b@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "bench"], check=True)


def run(repository: Path) -> dict[str, Any]:
    """Every measurement."""
    with sandbox() as folder:
        root = folder / "repository"
        copy_of(repository, root)
        source_bytes = sum(
            path.stat().st_size for path in root.rglob("*") if path.is_file() and ".git" not in path.parts
        )
        client = ServiceClient()
        began = time.perf_counter()
        pid = client.request("GET", "/version")["pid"]
        service_start_s = round(time.perf_counter() - began, 2)
        with Memory(pid) as memory:
            report, during = index(client, root)
            began = time.perf_counter()
            second = follow(client, client.request("POST", "/index/update", body={"root": str(root)})["job"])["report"]
            second_s = round(time.perf_counter() - began, 3)
            found = searches(client, root)
            saved = save_to_searchable(client, root)
        status = client.request("GET", "/status", params={"root": str(root)})
        stages = report["stages_s"]
        result = {
            "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
            "files": report["files"],
            "chunks": report["chunks"],
            "source_mib": round(source_bytes / 2**20, 1),
            "service_start_s": service_start_s,
            "index_s": report["took_s"],
            "stages_s": stages,
            "files_per_s_until_words": round(report["files"] / max(1e-9, sum(stages.values()) - stages["embed"]), 1),
            "chunks_embedded_per_s": round(report["embedded_chunks"] / max(1e-9, stages["embed"]), 1),
            "update_without_change_s": second_s,
            "update_without_change_embedded": second["embedded_chunks"] + second["embedded_paths"],
            "search": found,
            "search_during_index": during,
            "save_to_searchable": saved,
            "command_line": command_line(root),
            "neovim_start": neovim_start(),
            "peak_rss_mib": memory.peak,
            "store_mib": round(status["repository"]["store_bytes"] / 2**20, 1),
            "precision": precision(),
        }
        client.stop()
        result["ranking"] = ranking_cost(folder / "data", root)
    result["store_per_source"] = round(result["store_mib"] / max(0.1, result["source_mib"]), 2)
    return result


def rows(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The result as lines of a table."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from rows(item, f"{name}.{key}" if name else key)
    else:
        yield name, value


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", nargs="?", type=Path, default=HERE.parent.parent)
    parser.add_argument("--json", type=Path, default=None, help="write the figures here as well")
    parser.add_argument("--peers", action="store_true", help="other tools on the same tree, in turn with ours")
    options = parser.parse_args()
    if options.peers:
        figures = [*peers.semble(options.repository.resolve()), *peers.vectorcode(options.repository.resolve())]
        print(report.table(figures))
        print(report.save(figures, "peers", {"tree": options.repository.name}))
        return
    result = run(options.repository.resolve())
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    for name, value in rows(result):
        print(f"{name:42} {value}")


if __name__ == "__main__":
    main()
