"""Figures of what the service did: kept as JSON lines in the log folder, told as a whole and to Prometheus.

A line is one update: what it found, read and embedded, and how long that took. The last ones of each root are read back
after a restart, so that an average does not begin anew.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from auto_context.types import UpdateReport

log = logging.getLogger(__name__)

FILE_NAME = "embed_stats.json"
_BYTES = 1_000_000
"""Of the file; when it is larger it becomes ``embed_stats.json.1``, in place of the one before."""
_RECENT = 100
"""Updates of a root, and searches, that averages are of."""


class Statistics:
    """Counts of one service. Thread-safe.

    Args:
        folder: of the log.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE_NAME
        self._lock = threading.Lock()
        self._updates: dict[str, deque[dict[str, Any]]] | None = None
        self._searches: deque[float] = deque(maxlen=_RECENT)
        self._searched = 0

    def updated(self, report: UpdateReport, top: str) -> None:
        """Keep what an update of a worktree did. One that found nothing to do tells nothing and is left out."""
        if not (report.changed or report.removed or report.embedded_chunks):
            return
        line = {"time": round(time.time(), 3)} | report.to_dict() | {"root": top}
        with self._lock:
            self._known().setdefault(top, deque(maxlen=_RECENT)).append(line)
            with contextlib.suppress(OSError):  # a full disk: the figures of this service are still right
                if self._file.exists() and self._file.stat().st_size > _BYTES:
                    self._file.replace(self._file.with_name(f"{FILE_NAME}.1"))
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")

    def searched(self, took_ms: float) -> None:
        """Count a search and how long it took."""
        with self._lock:
            self._searches.append(took_ms)
            self._searched += 1

    def searches(self) -> dict[str, Any]:
        """How many since the service began, and the median and the 95th percentile of the last hundred, in ms."""
        with self._lock:
            taken, count = sorted(self._searches), self._searched
        if not taken:
            return {"count": 0, "p50_ms": None, "p95_ms": None}
        return {"count": count, "p50_ms": _at(taken, 0.5), "p95_ms": _at(taken, 0.95)}

    def embedding(self, top: str) -> dict[str, Any]:
        """Of the last hundred updates of a worktree: chunks and tokens the transformer read, and its average speed."""
        with self._lock:
            lines = list(self._known().get(top, ()))
        chunks = sum(line["embedded_chunks"] for line in lines)
        tokens = sum(line["tokens"] for line in lines)
        seconds = sum(line["stages_s"].get("embed", 0.0) for line in lines if line["embedded_chunks"])
        return {
            "updates": len(lines),
            "chunks": chunks,
            "tokens": tokens,
            "seconds": round(seconds, 3),
            "ms_per_chunk": round(1000 * seconds / chunks, 2) if chunks else None,
            "tokens_per_s": round(tokens / seconds) if seconds else None,
        }

    def _known(self) -> dict[str, deque[dict[str, Any]]]:
        """The last updates by root, read from the file the first time."""
        if self._updates is None:
            self._updates = {}
            for line in _lines(self._file):
                self._updates.setdefault(str(line["root"]), deque(maxlen=_RECENT)).append(line)
        return self._updates


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """What can be read of the file: a line that a kill cut short is left out."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return
    for row in text.splitlines():
        try:
            line = json.loads(row)
            whole = line["root"], line["embedded_chunks"] + line["tokens"], line["stages_s"].get("embed", 0.0) + 0.0
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        if whole:
            yield line


def _at(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2)


# Prometheus' text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_HELP = {
    "files": "Files of the view that are indexed by content.",
    "chunks": "Chunks of the view.",
    "coverage_ratio": "Share of the chunks that a search leg can find.",
    "stale_files": "Files that changed on disk since they were indexed.",
    "skipped_files": "Files not indexed by content.",
    "updated_timestamp_seconds": "When the view was last brought up to date.",
    "store_bytes": "Size of the store.",
    "embed_chunk_seconds": "Average time to embed a chunk, over the last updates.",
    "cache_hits_total": "Answers of a cache.",
    "cache_misses_total": "What a cache did not have.",
    "searches_total": "Searches since the service began.",
    "search_seconds": "Time of the last hundred searches.",
    "memory_bytes": "What the service and its workers take.",
    "memory_limit_bytes": "What they may take.",
    "uptime_seconds": "Since the service began.",
}


def exposition(service: Mapping[str, Any], repositories: Iterable[Mapping[str, Any]]) -> str:
    """The same figures in Prometheus' text format.

    Args:
        service: ``memory_bytes``, ``memory_limit_bytes``, ``uptime_s``, ``caches`` and ``searches``.
        repositories: the ``stats`` of each root.
    """
    samples: dict[str, list[str]] = {name: [] for name in _HELP}

    def add(name: str, value: float | None, **labels: str) -> None:
        if value is not None:
            written = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
            samples[name].append(f"auto_context_{name}{{{written}}} {value:.15g}".replace("{}", ""))

    for item in repositories:
        root = item["root"]
        add("files", item["files"], root=root)
        add("chunks", item["chunks"], root=root)
        for leg, share in item["coverage"].items():
            add("coverage_ratio", share, root=root, leg=leg)
        add("stale_files", item["stale"], root=root)
        for reason, count in item["skipped"].items():
            add("skipped_files", count, root=root, reason=reason)
        add("updated_timestamp_seconds", item["updated_at"], root=root)
        add("store_bytes", item["store_bytes"], root=root)
        each = item["embedding"]["ms_per_chunk"]
        add("embed_chunk_seconds", None if each is None else each / 1000, root=root)
    for cache, counts in service["caches"].items():
        add("cache_hits_total", counts["hits"], cache=cache)
        add("cache_misses_total", counts["misses"], cache=cache)
    searches = service["searches"]
    add("searches_total", searches["count"])
    for quantile, name in (("0.5", "p50_ms"), ("0.95", "p95_ms")):
        taken = searches[name]
        add("search_seconds", None if taken is None else taken / 1000, quantile=quantile)
    add("memory_bytes", service["memory_bytes"])
    add("memory_limit_bytes", service["memory_limit_bytes"])
    add("uptime_seconds", service["uptime_s"])
    lines = []
    for name, rows in samples.items():
        if rows:
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += [f"# HELP auto_context_{name} {_HELP[name]}", f"# TYPE auto_context_{name} {kind}", *rows]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """A label's value. A name that is no UTF-8 is shown with escapes."""
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
