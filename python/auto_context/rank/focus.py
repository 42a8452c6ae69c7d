"""The lines of a hit that a person should see first; the first of them is where a jump lands."""

from __future__ import annotations

import re
from collections.abc import Sequence

from auto_context.rank.tokens import query_words, words

LONGEST = 25
_DEFINITION_BONUS = 2.0
_COMMENT = re.compile(r"\s*(?:#|//|--|/?\*|\"\"\"|'''|;|%|<!--)")


def focus_lines(query: str, lines: Sequence[str], symbol: str) -> tuple[int, int]:
    """The best window of at most 25 lines inside a hit, begun at a line that matters.

    Args:
        query: what was asked.
        lines: the hit's lines.
        symbol: its symbol path; the line that defines it counts for more.

    Returns:
        First and last line of the window, 0-based within ``lines``, both included.
    """
    wanted = set(query_words(query))
    name = words(symbol.rsplit(".", 1)[-1])[:1]
    definition = _definition(lines, name[0]) if name else None
    weights = [float(len(wanted.intersection(words(line)))) for line in lines]
    if definition is not None and name[0] in wanted:
        weights[definition] += _DEFINITION_BONUS
    start = _best_window(weights)
    window = weights[start : start + LONGEST]
    matching = next((at for at, weight in enumerate(window) if weight), None)
    if definition is not None and name[0] in wanted:
        start = definition
    elif matching is not None:
        start += matching
    else:
        start = definition if definition is not None else next((at for at, line in enumerate(lines) if line.strip()), 0)
    return start, max(start, min(start + LONGEST, len(lines)) - 1)


def _best_window(weights: Sequence[float]) -> int:
    """Where the 25 lines with the most weight begin, the first of equals."""
    if len(weights) <= LONGEST:
        return 0
    total = sum(weights[:LONGEST])
    best, start = total, 0
    for at in range(1, len(weights) - LONGEST + 1):
        total += weights[at + LONGEST - 1] - weights[at - 1]
        if total > best:
            best, start = total, at
    return start


def _definition(lines: Sequence[str], name: str) -> int | None:
    """The first line of code with a name in it."""
    for at, line in enumerate(lines):
        if name in line.lower() and name in words(line) and not _COMMENT.match(line):
            return at
    return None
