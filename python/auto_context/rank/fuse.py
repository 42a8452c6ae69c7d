"""From the legs' lists to one list, and the ranking steps that follow. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from auto_context.rank.intent import Intent
from auto_context.rank.tokens import query_words

_RRF_K = 20
"""Rank damping of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009; 60 there, smaller here
because lists are short and their heads are good)."""

_TEST_PATH = re.compile(
    r"(^|/)(tests?|specs?|__tests__|testdata|fixtures?)(/|$)|(^|/)(test_[^/]*|[^/]*[._-](test|spec)s?\.[^/]*)$"
)
_VENDORED_PATH = re.compile(
    r"(^|/)(vendor|third_party|node_modules|dist|build|generated|deps)(/|$)|\.(lock|min\.\w+)$|[_.]pb2?\."
)
_DEFINITIONS = frozenset(
    {"function", "class", "method", "struct", "interface", "trait", "enum", "type", "module", "impl"}
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One chunk on its way to being a hit."""

    id: int
    path: str
    start_line: int
    end_line: int
    kind: str
    symbol: str
    score: float = 0.0
    legs: tuple[str, ...] = field(default=())


def fuse(legs: Mapping[str, Sequence[int]], intent: Intent, limit: int) -> list[tuple[int, float, tuple[str, ...]]]:
    """Weighted reciprocal rank fusion.

    Args:
        legs: each leg's chunk ids, best first.
        intent: gives the weights.
        limit: how many.

    Returns:
        (chunk id, score, legs that found it), best first. Scores are 1.0 for a chunk that is first in every leg.
    """
    total = sum(intent.weight(leg) for leg in legs) or 1.0
    scores: dict[int, float] = {}
    found: dict[int, list[str]] = {}
    for leg, ids in legs.items():
        weight = intent.weight(leg) * (_RRF_K + 1) / total
        for rank, chunk in enumerate(ids):
            scores[chunk] = scores.get(chunk, 0.0) + weight / (_RRF_K + 1 + rank)
            found.setdefault(chunk, []).append(leg)
    ranked = sorted(scores, key=lambda chunk: (-scores[chunk], chunk))
    return [(chunk, scores[chunk], tuple(found[chunk])) for chunk in ranked[:limit]]


def rerank(query: str, intent: Intent, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Apply every ranking step, then sort; ties keep a stable order by path and line."""
    wanted = set(query_words(query))
    asks_tests = bool(wanted & {"test", "tests", "testing", "spec", "specs", "fixture"})
    best_of_file: dict[str, float] = {}
    for item in candidates:
        best_of_file[item.path] = max(best_of_file.get(item.path, 0.0), item.score)
    shared = {path: sum(c.score for c in candidates if c.path == path) for path in best_of_file}
    moved = []
    for item in candidates:
        factor = _definition(query, intent, item, wanted)
        if not asks_tests and _TEST_PATH.search(item.path):
            factor *= 0.7
        if _VENDORED_PATH.search(item.path) and intent.kind != "path":
            factor *= 0.5
        # Several hits in one file vouch for each other.
        coherence = 1.0 + 0.1 * min(1.0, (shared[item.path] - item.score) / max(item.score, 1e-9))
        moved.append(replace(item, score=item.score * factor * coherence))
    return sorted(moved, key=lambda item: (-item.score, item.path, item.start_line))


def _definition(query: str, intent: Intent, item: Candidate, wanted: set[str]) -> float:
    """A chunk that defines the name that was asked for outranks those that use it."""
    if not item.symbol or item.kind not in _DEFINITIONS:
        return 1.0
    asked = re.split(r"[^\w$]+", query.strip().lower().removesuffix("()"))
    name = item.symbol.lower().split(".")[-1].split("::")[-1]
    if intent.kind in ("symbol", "mixed") and name in asked:
        return 2.5 if intent.kind == "symbol" else 1.6
    parts = set(query_words(item.symbol))
    share = len(parts & wanted) / max(1, len(parts))
    return 1.0 + 0.3 * share


def merge(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Drop a hit that overlaps a better one of the same file, handing over its legs."""
    kept: list[Candidate] = []
    for item in candidates:
        for at, other in enumerate(kept):
            if other.path == item.path and other.start_line <= item.end_line and item.start_line <= other.end_line:
                legs = tuple(dict.fromkeys(other.legs + item.legs))
                kept[at] = replace(other, legs=legs)
                break
        else:
            kept.append(item)
    return kept
