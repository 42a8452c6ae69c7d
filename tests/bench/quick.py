"""The figures of one tree of any size up to some thousand files: a few minutes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import editor
import indexing
import searching
import synthetic
from auto_context import paths
from report import Figure
from running import Memory, cancel, fresh_service, ready_models, steps, until_searchable
from trees import composed, copy_of, name_of, source_bytes

HERE = Path(__file__).resolve().parent
_FASTER = {"torch bf16": 2.0, "openvino bf16": None, "openvino mixed": 3.0}
"""Than stock transformers, at least: of each backend the quickest has the bar, which is what would be chosen."""


def run(repository: Path) -> list[Figure]:
    """Everything on a copy of ``repository``, with a service of its own."""
    name, other, unseen = name_of(repository), composed(1_000), composed(3_000)
    figures = steps([models, lambda: searchable(repository)])
    with fresh_service() as (client, folder):
        root = folder / "tree"
        copy_of(repository, root)
        with Memory(client) as first:
            figures += steps([lambda: indexing.first_index(client, root, name)])
        status = client.request("GET", "/status", params={"root": str(root)})["repository"]
        client.stop()
        # Before anything is changed: later the store holds other versions of files too, for which there is no source.
        figures += steps([lambda: on_disk(status, root, name)])
        client.request("GET", "/version")
        with Memory(client) as later:
            figures += steps(
                [
                    lambda: indexing.nothing_changed(client, root, name, 1.0),
                    lambda: searching.warm(client, root, name, {"p50": 15, "p95": 30}),
                    lambda: indexing.saves(client, root, name, 300),
                    lambda: indexing.branch_switch(client, root, name),
                    lambda: searching.command_line(root, name),
                    lambda: editor.key_to_rows(root, name, 50),
                    lambda: searching.fresh_worker(client, root, name),
                    lambda: searching.during_index(client, root, other, name),
                    lambda: indexing.cancelling(client, unseen, name),
                ]
            )
        client.stop()
        figures += steps(
            [
                lambda: memory_figures(
                    {role: max(first.peak.get(role, 0), later.peak[role]) for role in later.peak}, name
                ),
                lambda: searching.opening(paths.data_dir(), root, name, 400),
                lambda: searching.ranking_cost(paths.data_dir(), root, name),
            ]
        )
    return [*figures, *steps([editor.start, precision])]


def models() -> list[Figure]:
    """What is made once per machine and model, where this run is the first."""
    began = time.perf_counter()
    ready_models()
    return [Figure("models made ready, once per machine", time.perf_counter() - began, "s")]


def searchable(tree: Path) -> list[Figure]:
    """A first index until everything is searchable, alone on a fresh service."""
    name = name_of(tree)
    with fresh_service() as (client, folder):
        root = folder / "tree"
        copy_of(tree, root)
        taken = until_searchable(client, root)
        cancel(client, root)
        megabytes = source_bytes(root) / 1e6
    return [
        Figure(f"{name}: first index to searchable", taken.seconds, "s", note=taken.how),
        Figure(f"{name}: first index to searchable, per MB", taken.seconds / megabytes, "s/MB"),
    ]


def memory_figures(peak: dict[str, float], name: str) -> list[Figure]:
    """Peaks of the service, of the embedder and of all processes together, in MiB."""
    return [
        Figure(f"{name}: peak memory of the service", peak.get("service", 0), "MiB", 600, note="RSS"),
        Figure(f"{name}: peak memory of the embedder", peak.get("worker", 0), "MiB", 700, note="RSS"),
        Figure(f"{name}: peak memory, all processes", peak.get("all_pss", 0), "MiB", 1536, note="sum of PSS"),
        Figure(f"{name}: peak memory, all processes, RSS", peak.get("all_rss", 0), "MiB", note="shared pages repeated"),
    ]


def bytes_closed(store: Path) -> int:
    """The size of a store once whoever had it open has closed it: SQLite's log is empty then, or not there."""
    limit = time.monotonic() + 10
    while any(log.stat().st_size for log in store.rglob("*-wal")) and time.monotonic() < limit:
        time.sleep(0.05)
    return sum(item.stat().st_size for item in store.rglob("*") if item.is_file())


def on_disk(status: dict[str, Any], root: Path, name: str) -> list[Figure]:
    """Bytes of the store against its chunks and its source. The service that had the store open was told to stop."""
    chunks = max(1, int(status["vectors"]))
    store = Path(status["store"])
    ratio = bytes_closed(store) / source_bytes(root)
    transformer = synthetic.vector_bytes(store, synthetic.TRANSFORMER) / 1e3 / chunks
    static = synthetic.vector_bytes(store, synthetic.STATIC) / 1e3 / chunks
    note = "vectors of contents and paths, of every version and branch kept"
    figures = [Figure(f"{name}: transformer vectors on disk, per chunk", transformer, "kB", 1.0, note=note)]
    if static:
        figures.append(Figure(f"{name}: static vectors on disk, per chunk", static, "kB", 0.5, note=note))
    else:
        figures.append(Figure(f"{name}: static vectors on disk, per chunk", None, note="this version has none"))
    return [*figures, Figure(f"{name}: whole store / source", ratio, "x", 2.5)]


def precision() -> list[Figure]:
    """What ``precision.py`` measures, run in a process of its own."""
    done = subprocess.run([sys.executable, str(HERE / "precision.py")], capture_output=True, text=True, check=False)
    if done.returncode:
        return [Figure("transformer: tokens/s", None, note=done.stderr.strip()[-200:])]
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    note = f"{measured['texts']} texts, {measured['tokens']:,} tokens, in turn with stock transformers"
    figures = [Figure("transformer: padding of the batches", 100 * measured["padding"], "%", 5, note=note)]
    for name, found in measured["backends"].items():
        what = f"transformer, {name}"
        figures.append(Figure(f"{what}: tokens/s", found["tokens_per_s"]))
        if name in _FASTER:
            cpu = f"by processor time {found['cpu_ratio']} x"
            figures += [
                Figure(f"{what}: / stock fp32", found["ratio"], "x", _FASTER[name], at_least=True, note=cpu),
                Figure(f"{what}: cosine to fp32, the least", found["cosine_min"], "", 0.999, at_least=True),
            ]
        if "first_query_s" in found:
            bar = 0.5 if name.startswith("openvino") else None
            figures.append(Figure(f"{what}: a new process to its first query", found["first_query_s"], "s", bar))
            figures.append(Figure(f"{what}: a query, warm", found["query_ms"], "ms", 10))
    return figures
