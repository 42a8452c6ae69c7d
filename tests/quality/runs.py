"""Asking an engine every question of some trees, and keeping what is needed to compare runs."""

from __future__ import annotations

import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.types import SearchReply, SearchRequest
from metrics import CUT, MODES, Item, interval, measures
from questions import Question, Tree

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
RESULTS = HERE / "results"
DEPTH = 50
_WAIT_MS = 60_000

Measured = dict[str, dict[str, float]]
"""Per way to count, the measures of one query."""


@dataclass(frozen=True, slots=True)
class Row:
    """One question's outcome."""

    id: str
    set: str
    repo: str
    language: str
    category: str
    measured: Measured


def index(engine: Engine, trees: Sequence[Tree], say: Callable[[str], None] = print) -> None:
    """Index every tree, or bring its index up to date."""
    for tree in trees:
        report = engine.update(tree.folder, confirmed=True)
        if report.pending_chunks:
            raise SystemExit(f"quality: {tree.repo}: {report.pending_chunks} chunks have no vector")
        if report.embedded_chunks:
            say(f"{tree.set}/{tree.repo}: {report.files} files, {report.chunks} chunks in {report.took_s:.1f} s")


def ask(engine: Engine, tree: Tree, question: Question, off: Iterable[str] = ()) -> SearchReply:
    """One question's reply.

    Raises:
        SystemExit: when a leg that was not switched off did not answer: its figures would be of something else.
    """
    request = SearchRequest(question.text, str(tree.folder), limit=DEPTH, wait_ms=_WAIT_MS, off=tuple(off))
    reply = engine.search(request)
    missing = {leg: state for leg, state in reply.legs.items() if state != "ok" and leg not in request.off}
    if missing:
        raise SystemExit(f"quality: {question.id}: legs missing from the reply: {missing}")
    return reply


def items_of(tree: Tree, reply: SearchReply) -> list[Item]:
    """A reply as ranked items."""
    return [Item(tree.prefix + hit.path, (hit.start_line, hit.end_line), hit.focus) for hit in reply.hits]


def measure(question: Question, items: Sequence[Item]) -> Measured:
    """Every measure that the question's targets allow."""
    out = {}
    for mode, ranks_of in MODES.items():
        ranks, targets = ranks_of(items, question.targets)
        if targets:
            out[mode] = measures(ranks, targets)
    return out


def run(engine: Engine, trees: Sequence[Tree], off: Iterable[str] = ()) -> list[Row]:
    """Ask everything. ``off`` names legs and ranking steps to leave out."""
    return [
        Row(q.id, tree.set, q.repo, q.language, q.category, measure(q, items_of(tree, ask(engine, tree, q, off))))
        for tree in trees
        for q in tree.questions
    ]


# Tables

HEADLINES = {"annotated": ("chunk",), "commits": ("file", "span")}
"""What is said first of each set; of any other set all three."""


def headline(rows: Sequence[Row], name: str, mode: str) -> float:
    """NDCG@10 as the mean of the repositories' means."""
    by_repo = defaultdict(list)
    for row in rows:
        if row.set == name and mode in row.measured:
            by_repo[row.repo].append(row.measured[mode]["ndcg10"])
    return float(np.mean([np.mean(values) for values in by_repo.values()])) if by_repo else 0.0


def modes_of(name: str, rows: Sequence[Row]) -> tuple[str, ...]:
    """The ways to count that a set is reported in."""
    return HEADLINES.get(name, tuple(m for m in MODES if any(m in row.measured for row in rows if row.set == name)))


def print_report(rows: Sequence[Row]) -> None:
    """Every set: measures with intervals, then NDCG@10 by category, language and repository."""
    for name in dict.fromkeys(row.set for row in rows):
        mine = [row for row in rows if row.set == name]
        for mode in modes_of(name, mine):
            print(f"\n{name}, {mode}: NDCG@{CUT} {headline(mine, name, mode):.3f} (mean of repositories' means)")
            for measure_name in ("ndcg10", "mrr", "recall1", "recall5", "recall10"):
                mean, low, high = interval([row.measured[mode][measure_name] for row in mine])
                print(f"  {measure_name:9} {mean:.3f}  [{low:.3f}, {high:.3f}]  n={len(mine)}")
            for field in ("category", "language", "repo"):
                groups = defaultdict(list)
                for row in mine:
                    groups[getattr(row, field)].append(row.measured[mode]["ndcg10"])
                if len(groups) > 1:
                    print("  " + "  ".join(f"{key} {np.mean(v):.3f} ({len(v)})" for key, v in sorted(groups.items())))


def compare(new: Sequence[Row], old: Sequence[Row]) -> None:
    """Paired differences of two runs, query by query, with intervals."""
    before = {(row.set, row.id): row for row in old}
    pairs = [(row, before[row.set, row.id]) for row in new if (row.set, row.id) in before]
    for name in dict.fromkeys(row.set for row, _ in pairs):
        mine = [(a, b) for a, b in pairs if a.set == name]
        for mode in modes_of(name, [a for a, _ in mine]):
            for measure_name in ("ndcg10", "mrr", "recall10"):
                # A file keeps four digits: what it rounds away is no difference.
                differences = [
                    round(a.measured[mode][measure_name], 4) - round(b.measured[mode][measure_name], 4) for a, b in mine
                ]
                mean, low, high = interval(differences)
                sure = "" if low <= 0 <= high else "  *"
                print(f"{name:10} {mode:5} {measure_name:8} {mean:+.4f} [{low:+.4f}, {high:+.4f}] n={len(mine)}{sure}")
    print("* the interval excludes 0")


# Files


def save(rows: Sequence[Row], settings: Settings, name: str, extra: dict[str, Any]) -> Path:
    """Write a run to ``results/``: what it was of, its figures, and every query's."""
    commit = _git("rev-parse", "--short=10", "HEAD")
    changed = bool(_git("status", "--porcelain", "--", "python/auto_context"))
    file = RESULTS / f"{name}-{commit}{'-changed' if changed else ''}.json"
    sets = {}
    for key in dict.fromkeys(row.set for row in rows):
        mine = [row for row in rows if row.set == key]
        sets[key] = {mode: round(headline(mine, key, mode), 4) for mode in modes_of(key, mine)}
    body = {
        "commit": commit,
        "changed": changed,
        "date": time.strftime("%Y-%m-%d"),
        "settings": asdict(settings),
        "ndcg10": sets,
        **extra,
        "queries": [
            {
                **{key: value for key, value in asdict(row).items() if key != "measured"},
                **{
                    f"{mode}": {key: round(value, 4) for key, value in values.items()}
                    for mode, values in row.measured.items()
                },
            }
            for row in rows
        ],
    }
    RESULTS.mkdir(exist_ok=True)
    lines = json.dumps(body, ensure_ascii=False)
    # One query a line: a diff of two runs shows the queries that moved.
    file.write_text(lines.replace('{"id"', '\n{"id"') + "\n", "utf-8")
    return file


def load(file: Path) -> list[Row]:
    """Read a run back."""
    body = json.loads(file.read_text("utf-8"))
    return [
        Row(
            row["id"], row["set"], row["repo"], row["language"], row["category"], {m: row[m] for m in MODES if m in row}
        )
        for row in body["queries"]
    ]


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
