"""From the legs' lists to one list. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from auto_context.rank.candidate import Candidate
from auto_context.rank.intent import Intent

Leg = Sequence[tuple[int, float]]
"""One leg's (chunk id, score), best first."""


_ABSOLUTE = frozenset({"path"})
"""Legs whose scores are of one scale for every query, 0 to 1."""


class Fused(NamedTuple):
    """A chunk id, its score in 0 to 1, and the legs that found it."""

    id: int
    score: float
    legs: tuple[str, ...]


def fuse(
    legs: Mapping[str, Leg], intent: Intent, limit: int, stands_in: Callable[[int], bool] = lambda _: False
) -> list[Fused]:
    """Weighted sum of calibrated scores: the convex combination of Bruch, Gai and Ingber (TOIS 2023).

    BM25 and cosine have no common scale, and their best differs from query to query, so each is taken as a share of
    the best of its leg. Name scores are of one scale already. Against reciprocal rank fusion this keeps how far ahead
    the first is; ``tests/quality/README.md`` has what it is worth.

    Args:
        legs: by name.
        intent: gives the weights.
        limit: how many.
        stands_in: whether the static vector of a chunk counts in place of the transformer's, which it does not have
            yet: so the answer turns from one into the other chunk by chunk while a first index goes on.

    Returns:
        Best first; 1.0 for a chunk that is best in every leg.
    """
    total = sum(intent.weight(leg) for leg in legs) or 1.0
    stand_in = (intent.weight("static") + intent.weight("vector")) / total
    scores: dict[int, float] = {}
    found: dict[int, list[str]] = {}
    for leg, items in legs.items():
        weight = intent.weight(leg) / total
        best = 1.0 if leg in _ABSOLUTE else max((score for _, score in items), default=1.0)
        for chunk, score in items:
            share = max(0.0, score / best) if best > 0 else 0.0
            by = stand_in if leg == "static" and stands_in(chunk) else weight
            if not by:
                continue
            scores[chunk] = scores.get(chunk, 0.0) + by * share
            found.setdefault(chunk, []).append(leg)
    ranked = sorted(scores, key=lambda chunk: (-scores[chunk], chunk))
    return [Fused(chunk, scores[chunk], tuple(found[chunk])) for chunk in ranked[:limit]]


def merge(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Drop a hit that overlaps a better one of the same file, handing over its legs."""
    kept: list[Candidate] = []
    of_file: dict[str, list[int]] = {}
    for item in candidates:
        beside = of_file.setdefault(item.path, [])
        for at in beside:
            other = kept[at]
            if other.start_line <= item.end_line and item.start_line <= other.end_line:
                legs = tuple(dict.fromkeys(other.legs + item.legs))
                kept[at] = other._replace(legs=legs)
                break
        else:
            beside.append(len(kept))
            kept.append(item)
    return kept
