"""The lines of a hit that a person should see first; the first of them is where a jump lands."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence

from auto_context.rank.tokens import likeness, seeds, words

LONGEST = 25
_DEFINITION_BONUS = 2.0
_COMMENT = re.compile(r"\s*(?:#|//|--|/?\*|\"\"\"|'''|;|%|<!--)")


def focus_lines(wanted: Collection[str], lines: Sequence[str], symbol: str, line: int = -1) -> tuple[int, int]:
    """The best window of at most 25 lines inside a hit, begun at a line that matters.

    Args:
        wanted: the words that were asked for.
        lines: the hit's lines.
        symbol: its symbol path; the line that defines it counts for more.
        line: the row that was asked for by its number, if it lies within.

    Returns:
        First and last line of the window, 0-based within ``lines``, both included.
    """
    wanted = set(wanted)
    if 0 <= line < len(lines):
        return line, min(line + LONGEST, len(lines)) - 1
    name = words(symbol.rsplit(".", 1)[-1])[:1]
    definition = _definition(lines, name[0]) if name else None
    weights = _weights(wanted, lines)
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


def _weights(wanted: Collection[str], lines: Sequence[str]) -> list[float]:
    """What each line says of the words asked for; a word that is everywhere in the hit tells its lines apart least."""
    like, some = likeness(wanted), seeds(wanted)
    # Most lines have nothing like any of them: they are not taken apart.
    said = {at: {*filter(like, words(line))} for at, line in enumerate(lines) if _has_any(line.lower(), some)}
    counts = Counter(word for row in said.values() for word in row)
    worth = {word: 1.0 / (1.0 + math.log(count)) for word, count in counts.items()}
    weights = [0.0] * len(lines)
    for at, row in said.items():
        weights[at] = sum(worth[word] for word in row)
    return weights


def _has_any(line: str, some: Collection[str]) -> bool:
    return any(map(line.__contains__, some))


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
