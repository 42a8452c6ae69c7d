"""Figures of searching: warm, during an index, by the command line, with a fresh worker, and what ranking adds."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.rank import STEPS
from auto_context.service.client import ServiceClient
from auto_context.types import SearchRequest
from report import Figure, percentile, spread
from running import ALIVE, COMMAND, queries, search, start_index, timed

_WARM_UP = 20


def warm(client: ServiceClient, root: Path, name: str, bars: dict[str, float], count: int = 200) -> list[Figure]:
    """Searches through the service of queries never asked before, so that each is embedded by every tier."""
    for query in queries(_WARM_UP):
        search(client, root, query)
    replies: list[dict[str, Any]] = []
    taken = [timed(lambda query=query: replies.append(search(client, root, query))) for query in queries(count)]  # type: ignore[misc]
    legs = sorted({leg for reply in replies for leg, state in reply["legs"].items() if state == "ok"})
    missing = sum(any(state != "ok" for state in reply["legs"].values()) for reply in replies)
    note = f"new queries, legs {', '.join(legs)}" + (f"; {missing} replies lacked a leg" if missing else "")
    return spread(f"{name}: warm search", taken, "ms", bars, note)


def during_index(client: ServiceClient, root: Path, other: Path, name: str) -> list[Figure]:
    """New queries while another tree is being indexed for the first time, against the same service when idle."""
    idle = [timed(lambda query=query: search(client, root, query)) for query in queries(100)]  # type: ignore[misc]
    busy: list[float] = []
    job = start_index(client, other)
    while client.request("GET", f"/jobs/{job}")["state"] in ALIVE and len(busy) < 400:
        busy.append(timed(lambda: search(client, root, queries(1)[0])))
        time.sleep(0.05)  # as somebody who types
    client.request("DELETE", f"/jobs/{job}")
    low, high = percentile(idle, 0.95), percentile(busy, 0.95)
    what = f"{name}: search p95"
    return [
        Figure(f"{what}, idle", low, "ms", note=f"n={len(idle)}"),
        Figure(f"{what}, during a full index", high, "ms", note=f"n={len(busy)}"),
        Figure(f"{what}, during / idle", high / low, "x", 2),
    ]


def command_line(root: Path, name: str, rounds: int = 15) -> list[Figure]:
    """``auto-context search`` as a whole process, service and worker warm."""
    command = [*COMMAND, "search", "error handling", "--root", str(root), "--json"]
    taken = [timed(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(rounds)]
    return spread(f"{name}: auto-context search, whole process", taken, "ms", {"p50": 150})


def fresh_worker(client: ServiceClient, root: Path, name: str, rounds: int = 3) -> list[Figure]:
    """The first query after the worker ended, until it is answered with every leg."""
    taken = []
    for _ in range(rounds):
        pid = client.request("GET", "/status")["service"]["worker_pid"]
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            process.terminate()
            process.wait(10)
        limit = time.monotonic() + 10
        while client.request("GET", "/status")["service"]["worker_pid"] and time.monotonic() < limit:
            time.sleep(0.01)
        began = time.perf_counter()
        reply = search(client, root, queries(1)[0], 30_000)
        taken.append(time.perf_counter() - began)
        if any(state != "ok" for state in reply["legs"].values()):
            return [Figure(f"{name}: first query of a fresh worker", None, note=f"legs: {reply['legs']}")]
    note = f"worst of {rounds}; the bar is for a backend that imports no torch"
    return [Figure(f"{name}: first query of a fresh worker", max(taken), "s", 0.5, note=note)]


def opening(data: Path, root: Path, name: str, bar: float | None) -> list[Figure]:
    """A store opened and every row loaded, in a fresh process, imports not counted; median of 5."""
    code = (
        "import sys, time; from pathlib import Path; from auto_context.config import Settings;"
        "from auto_context.engine import Engine;"
        "engine = Engine(Path(sys.argv[1]), Settings()); began = time.perf_counter();"
        "status = engine.status(Path(sys.argv[2])); print(time.perf_counter() - began, status.chunks, status.vectors)"
    )
    taken, held = [], ["0", "0"]
    for _ in range(5):
        command = [sys.executable, "-c", code, str(data), str(root)]
        seconds, *held = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        taken.append(1000 * float(seconds))
    note = f"median of 5; {int(held[0]):,} chunks, {int(held[1]):,} with a vector"
    return [Figure(f"{name}: opening the store", percentile(taken, 0.5), "ms", bar, note=note)]


def ranking_cost(data: Path, root: Path, name: str, rounds: int = 15) -> list[Figure]:
    """What the ranking steps add to a search: the same queries with and without them, in turn, in this process."""
    engine = Engine(data, Settings())
    taken: dict[str, list[float]] = {"with ranking steps": [], "without": []}
    asked = queries(10)
    try:
        for query in asked:
            engine.search(SearchRequest(query, str(root), limit=20, wait_ms=60_000))
        for _ in range(rounds):
            for query in asked:
                for key, off in zip(taken, ((), ("diversity", *STEPS)), strict=True):
                    request = SearchRequest(query, str(root), limit=20, wait_ms=60_000, near="src/main.rs", off=off)
                    taken[key].append(timed(lambda request=request: engine.search(request)))  # type: ignore[misc]
    finally:
        engine.close()
    return [figure for key, values in taken.items() for figure in spread(f"{name}: search {key}", values, "ms", {})]


def neovim_binary() -> Path | None:
    """The newest Neovim that set-up unpacked, or the one named by ``$AUTO_CONTEXT_TEST_NVIM``."""
    named = os.environ.get("AUTO_CONTEXT_TEST_NVIM", "")
    found = [Path(item) for item in named.split(os.pathsep) if item]
    found = found or sorted(Path(__file__).resolve().parents[2].glob(".cache/nvim/*/usr/bin/nvim"), reverse=True)
    return found[0] if found else None
