"""Figures of updates and searches: kept as lines, averaged, and written as Prometheus reads them."""

import json
from pathlib import Path
from typing import Any

import pytest

from auto_context.service.statistics import FILE_NAME, Statistics, exposition
from auto_context.types import UpdateReport


def report(**values: Any) -> UpdateReport:
    usual: dict[str, Any] = {
        "root": "/w/src", "branch": "main", "files": 3, "chunks": 9, "changed": 1, "removed": 0, "embedded_chunks": 4,
        "embedded_paths": 1, "skipped": {"large": 1}, "fallbacks": {}, "took_s": 2.0, "stages_s": {"embed": 0.5},
        "tokens": 1000,
    }  # fmt: skip
    return UpdateReport(**usual | values)


def test_updates_are_kept_as_lines_and_averaged_after_a_restart_too(tmp_path: Path) -> None:
    first = Statistics(tmp_path)
    assert first.embedding("/w") == {
        "updates": 0, "chunks": 0, "tokens": 0, "seconds": 0, "ms_per_chunk": None, "tokens_per_s": None
    }  # fmt: skip
    first.updated(report(), "/w")
    first.updated(report(embedded_chunks=6, stages_s={"embed": 1.5}), "/w")
    first.updated(report(changed=0, embedded_chunks=0), "/w")
    expected = {
        "updates": 2, "chunks": 10, "tokens": 2000, "seconds": 2.0, "ms_per_chunk": 200.0, "tokens_per_s": 1000
    }  # fmt: skip
    assert first.embedding("/w") == expected
    lines = [json.loads(line) for line in (tmp_path / FILE_NAME).read_text().splitlines()]
    assert [(line["root"], line["embedded_chunks"], line["skipped"]) for line in lines] == [
        ("/w", 4, {"large": 1}), ("/w", 6, {"large": 1})
    ]  # fmt: skip
    assert Statistics(tmp_path).embedding("/w") == expected
    assert Statistics(tmp_path).embedding("/other")["updates"] == 0


def test_lines_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    Statistics(tmp_path).updated(report(), "/w")
    file = tmp_path / FILE_NAME
    file.write_text(f'nonsense\n[]\n{{"root": "/w"}}\n{file.read_text()}{{"root": "/w", "embed')
    assert Statistics(tmp_path).embedding("/w")["updates"] == 1
    file.write_bytes(b"\xff\x00")
    assert Statistics(tmp_path).embedding("/w")["updates"] == 0


def test_a_large_file_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auto_context.service.statistics._BYTES", 1_000)
    statistics = Statistics(tmp_path)
    for _ in range(9):
        statistics.updated(report(), "/w")
    assert (tmp_path / FILE_NAME).stat().st_size < 2_000
    assert (tmp_path / f"{FILE_NAME}.1").is_file()
    assert statistics.embedding("/w")["updates"] == 9


def test_a_folder_that_cannot_be_written_loses_no_figure_of_this_service(tmp_path: Path) -> None:
    statistics = Statistics(tmp_path / "missing")
    statistics.updated(report(), "/w")
    assert statistics.embedding("/w")["updates"] == 1


def test_searches() -> None:
    statistics = Statistics(Path("/nowhere"))
    assert statistics.searches() == {"count": 0, "p50_ms": None, "p95_ms": None}
    for took in range(1, 151):
        statistics.searched(float(took))
    assert statistics.searches() == {"count": 150, "p50_ms": 101.0, "p95_ms": 146.0}


def test_prometheus_reads_every_figure_and_any_name() -> None:
    service = {
        "caches": {"queries": {"hits": 3, "misses": 1}}, "memory_bytes": 2_000_000_001, "memory_limit_bytes": 5,
        "uptime_s": 1.5, "searches": {"count": 0, "p50_ms": None, "p95_ms": None},
    }  # fmt: skip
    repository = {
        "root": 'a "b"\\\n\udcff', "files": 1, "chunks": 2, "coverage": {"vector": 0.5}, "stale": 1,
        "skipped": {"large": 4}, "updated_at": 1_795_000_000.25, "store_bytes": 7,
        "embedding": {"ms_per_chunk": 12.5},
    }  # fmt: skip
    text = exposition(service, [repository])
    root = '{root="a \\"b\\"\\\\\\n\\\\xff"'
    for line in (
        f"auto_context_files{root}}} 1",
        f'auto_context_coverage_ratio{root},leg="vector"}} 0.5',
        f'auto_context_skipped_files{root},reason="large"}} 4',
        f"auto_context_updated_timestamp_seconds{root}}} 1795000000.25",
        f"auto_context_embed_chunk_seconds{root}}} 0.0125",
        'auto_context_cache_hits_total{cache="queries"} 3',
        "# TYPE auto_context_cache_hits_total counter",
        "auto_context_memory_bytes 2000000001",
        "auto_context_uptime_seconds 1.5",
    ):
        assert line in text.split("\n")
    assert "search_seconds" not in text
    assert text.endswith("\n")
