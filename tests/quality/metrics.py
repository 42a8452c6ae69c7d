"""Scores of ranked answers: NDCG, MRR and recall, with bootstrap intervals. Pure.

Three ways to count, as in the development sets' protocol:

chunk   items are not collapsed; a target is found by the first item of its path that overlaps its lines, if it has any
file    items collapse to the first of each path; a target is a path
span    a target is a path with lines; an item shows its focus, cut to 25 lines, and finds the path when it overlaps
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CUT = 10
CLIP = 25
_RESAMPLES = 10_000
_SEED = 0

Lines = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Target:
    """Where an answer is. ``lines`` is None when the whole file is meant."""

    path: str
    lines: Lines | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One ranked answer."""

    path: str
    lines: Lines
    focus: Lines


def _overlap(one: Lines, other: Lines) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _same(path: str, wanted: str) -> bool:
    """Equal, or one the end of the other: labels may be relative to another folder than the tree."""
    return path == wanted or path.endswith("/" + wanted) or wanted.endswith("/" + path)


def chunk_ranks(items: Sequence[Item], targets: Sequence[Target]) -> tuple[list[int], int]:
    """Ranks (from 1) of the targets that were found, and how many targets there are."""
    found = []
    for target in targets:
        for rank, item in enumerate(items, 1):
            if _same(item.path, target.path) and (target.lines is None or _overlap(item.lines, target.lines)):
                found.append(rank)
                break
    return found, len(targets)


def file_ranks(items: Sequence[Item], targets: Sequence[Target]) -> tuple[list[int], int]:
    """The same over distinct paths."""
    paths = list(dict.fromkeys(item.path for item in items))
    wanted = list(dict.fromkeys(target.path for target in targets))
    ranks = [next((rank for rank, path in enumerate(paths, 1) if _same(path, want)), 0) for want in wanted]
    return [rank for rank in ranks if rank], len(wanted)


def span_ranks(items: Sequence[Item], targets: Sequence[Target]) -> tuple[list[int], int]:
    """The same over the lines a person would see first."""
    spans: dict[str, list[Lines]] = {}
    for target in targets:
        if target.lines is not None:
            spans.setdefault(target.path, []).append(target.lines)
    found = []
    for path, wanted in spans.items():
        for rank, item in enumerate(items, 1):
            shown = (item.focus[0], min(item.focus[1], item.focus[0] + CLIP - 1))
            if _same(item.path, path) and any(_overlap(shown, lines) for lines in wanted):
                found.append(rank)
                break
    return found, len(spans)


MODES: Mapping[str, Callable[[Sequence[Item], Sequence[Target]], tuple[list[int], int]]] = {
    "chunk": chunk_ranks,
    "file": file_ranks,
    "span": span_ranks,
}


def measures(ranks: Sequence[int], targets: int) -> dict[str, float]:
    """NDCG@10, MRR and recall of one query from the ranks of its targets."""
    kept = {rank for rank in ranks if rank <= CUT}
    gain = sum(1 / math.log2(rank + 1) for rank in kept)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(CUT, targets) + 1))
    return {
        "ndcg10": gain / ideal,
        "mrr": max((1 / rank for rank in ranks), default=0.0),
        "recall1": sum(rank <= 1 for rank in ranks) / targets,
        "recall5": sum(rank <= 5 for rank in ranks) / targets,
        "recall10": sum(rank <= CUT for rank in ranks) / targets,
    }


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and the 95 % percentile bootstrap interval over queries (10,000 resamples, fixed seed)."""
    array: NDArray[np.float64] = np.asarray(values, np.float64)
    if not len(array):
        return 0.0, 0.0, 0.0
    generator = np.random.default_rng(_SEED)
    means = np.concatenate(
        [array[generator.integers(0, len(array), (500, len(array)))].mean(1) for _ in range(_RESAMPLES // 500)]
    )
    low, high = np.percentile(means, [2.5, 97.5])
    return float(array.mean()), float(low), float(high)
