"""The figures that need a large tree: 30,000 files, growth towards them, 100,000 and 500,000 chunks."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import editor
import indexing
import searching
import synthetic
from auto_context import paths
from auto_context.service.client import ServiceClient
from quick import memory_figures, on_disk
from report import Figure
from running import Memory, Running, cancel, fresh_service, ready_models, search, start_workers, until_searchable
from trees import GROWTH, LARGE, composed, source_bytes

CHUNKS = {"100k chunks": 14_000, "500k chunks": 71_000}
"""Files of the composed tree that has about so many chunks."""
_BARS = {"100k chunks": {"p50": 15.0, "p95": 30.0}, "500k chunks": {"p50": 45.0, "p95": 80.0}}
_SMALL, _AGAIN = 3_000, 4
PARTS = ("growth", *CHUNKS)


def run(parts: tuple[str, ...] = PARTS) -> list[Figure]:
    """The parts asked for."""
    ready_models()
    figures = growth() if "growth" in parts else []
    for name in CHUNKS:
        if name in parts:
            figures += store_of(name)
    return figures


def growth() -> list[Figure]:
    """First index, save and memory at each size; at the largest also an update of nothing and a branch switch."""
    figures: list[Figure] = []
    per_mb: dict[int, float] = {}
    saved: dict[int, float] = {}
    for count in GROWTH:
        print(f"bench: {count:,} files", flush=True)
        name = f"{count // 1000}k files"
        with fresh_service() as running:
            root = running.folder / "tree"
            shutil.copytree(composed(count), root)
            size = source_bytes(root) / 1e6
            start_workers(running)  # else their start would be most of the smallest tree's time
            with Memory(running.client) as memory:
                taken = until_searchable(running.client, root)
            bar = 120.0 if count == LARGE else None
            times = [taken.seconds, *_again(running.client, root, _AGAIN if count <= _SMALL else 0)]
            seconds = statistics.median(times)
            note = f"{size:.1f} MB; {taken.how}" + (f"; median of {len(times)}" if len(times) > 1 else "")
            figures.append(Figure(f"{name}: first index to searchable", seconds, "s", bar, note=note))
            per_mb[count] = seconds / size
            if count == LARGE:
                figures += memory_figures(memory.peak, f"{name}, first index to searchable")
            client = filled(running, root)
            at_size = indexing.saves(client, root, name, 300 if count == LARGE else None)
            # The whole of a save. Until a search finds it takes a search as well, which may grow.
            saved[count] = next(item.value or 0.0 for item in at_size if item.name.endswith("by every leg, p95"))
            figures += at_size
            if count == LARGE:
                figures += indexing.nothing_changed(client, root, name, 1.0)
                figures += indexing.branch_switch(client, root, name)
            client.stop()
    return [*figures, *flatness(per_mb, saved)]


def _again(client: ServiceClient, root: Path, times: int) -> Iterator[float]:
    """First indexes of copies of a small tree, in seconds: a second of something else would be most of its time."""
    for at in range(times):
        cancel(client, root)  # the transformer's part would go on beside it
        root = Path(shutil.copytree(root, root.with_name(f"copy{at}")))
        yield until_searchable(client, root).seconds


def flatness(per_mb: dict[int, float], saved: dict[int, float]) -> list[Figure]:
    """How constant the costs are over the sizes: the largest against the middle one, and a save's against the first."""
    middle = statistics.median(per_mb.values())
    worst = 100 * max(abs(value / middle - 1) for value in per_mb.values())
    each = ", ".join(f"{count // 1000}k {value:.3f}" for count, value in per_mb.items())
    first, last = min(saved), max(saved)
    return [
        Figure("growth: index time per MB, farthest from the median", worst, "%", 15, note=f"s/MB: {each}"),
        Figure(
            "growth: save by every leg p95, largest / smallest tree", saved[last] / max(saved[first], 1e-9), "x", 1.5
        ),
    ]


def filled(running: Running, root: Path) -> ServiceClient:
    """The service, started again over its store in which every chunk has a transformer vector now."""
    cancel(running.client, root)
    running.client.stop()
    synthetic.fill(paths.data_dir(), root)
    client = ServiceClient()
    search(client, root, "warm up", 60_000)
    return client


def store_of(name: str) -> list[Figure]:
    """A synthetic store of many chunks: searching, opening, memory, disk, and rows in the editor."""
    print(f"bench: a store of {name}", flush=True)
    root = composed(CHUNKS[name])
    bars, small = _BARS[name], name == "100k chunks"
    with fresh_service() as running:
        began = time.perf_counter()
        until_searchable(running.client, root)
        client = filled(running, root)
        made = time.perf_counter() - began
        status = client.request("GET", "/status", params={"root": str(root)})["repository"]
        note = f"{status['chunks']:,} chunks; random transformer vectors"
        figures = [Figure(f"{name}: store made", made, "s", note=note)]
        with Memory(client) as memory:
            figures += searching.warm(client, root, name, bars)
            if small:
                figures += editor.key_to_rows(root, name, 50)
                figures += searching.fresh_worker(client, root, name)
        figures += memory_figures(memory.peak, name) if small else memory_figures(memory.peak, name)[2:]
        client.stop()
        figures += on_disk(status, root, name)
        figures += searching.opening(paths.data_dir(), root, name, 400 if small else None)
    return figures
