"""What a figure is, how figures are shown, and the file of one commit's figures."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
RESULTS = HERE / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.

    Attributes:
        name: says what and on what; the key in the file of results.
        value: None when it was not measured, and then ``note`` says why.
        unit: of value and bar.
        bar: what it must not exceed, or must reach when ``at_least``; None for a figure without one.
        note: what is included, where that is not plain.
    """

    name: str
    value: float | None
    unit: str = ""
    bar: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def ok(self) -> bool | None:
        """Whether it keeps its bar; None without a bar or a value."""
        if self.bar is None or self.value is None:
            return None
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def percentile(values: Sequence[float], share: float) -> float:
    """A value such that ``share`` of all are not above it."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(name: str, values: Sequence[float], unit: str, bars: Mapping[str, float], note: str = "") -> list[Figure]:
    """The median and the 95th percentile of some values as two figures.

    Args:
        name: what was measured.
        values: one or more.
        unit: of them.
        bars: of "p50" and "p95", where there is one.
        note: see ``Figure``.
    """
    both = {"p50": statistics.median(values), "p95": percentile(values, 0.95)}
    note = "; ".join(filter(None, [f"n={len(values)}", note]))
    return [Figure(f"{name}, {key}", value, unit, bars.get(key), note=note) for key, value in both.items()]


def table(figures: Iterable[Figure]) -> str:
    """Lines of ``figure | value | bar | ok``, aligned."""
    rows = [("figure", "value", "bar", "ok")]
    for figure in figures:
        value = "not measured" if figure.value is None else f"{number(figure.value)} {figure.unit}".strip()
        bar = "" if figure.bar is None else f"{'>=' if figure.at_least else '<='} {number(figure.bar)} {figure.unit}"
        verdict = {True: "ok", False: "NO", None: "-"}[figure.ok]
        rows.append((figure.name + (f" ({figure.note})" if figure.note else ""), value, bar.strip(), verdict))
    widths = [max(len(row[column]) for row in rows) for column in (1, 2)]
    return "\n".join(f"{value:>{widths[0]}} | {bar:>{widths[1]}} | {ok:2} | {name}" for name, value, bar, ok in rows)


def number(value: float) -> str:
    """A value with three digits that matter."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def save(figures: Iterable[Figure], group: str, facts: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Put figures into the file of the commit, beside those of earlier runs on it; a newer value replaces an older.

    Args:
        figures: measured now.
        group: what was run.
        facts: about the run: trees, machine load.
        folder: of all results.
    """
    commit = _git("rev-parse", "--short=10", "HEAD")
    changed = bool(_git("status", "--porcelain", "--", "python/auto_context"))
    file = folder / f"{commit}{'-changed' if changed else ''}.json"
    body = json.loads(file.read_text("utf-8")) if file.exists() else {"figures": {}, "runs": {}}
    body |= {"commit": commit, "changed": changed, "machine": machine()}
    body["runs"][group] = {"at": time.strftime("%Y-%m-%d %H:%M"), **facts}
    for figure in figures:
        row = {key: value for key, value in asdict(figure).items() if key != "name" and not _empty(value)}
        if figure.value is not None:
            row["value"] = float(f"{figure.value:.4g}")
        body["figures"][figure.name] = {**row, **({} if figure.ok is None else {"ok": figure.ok})}
    folder.mkdir(exist_ok=True)
    file.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return file


def _empty(value: object) -> bool:
    return value is None or value is False or value == ""


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
