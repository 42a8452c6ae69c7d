"""The lines of a hit that a person should see first."""

from __future__ import annotations

from collections.abc import Sequence

from auto_context.rank.tokens import query_words, words

LONGEST = 25


def focus_lines(query: str, lines: Sequence[str], symbol: str) -> tuple[int, int]:
    """The best window of at most 25 lines inside a hit.

    Args:
        query: what was asked.
        lines: the hit's lines.
        symbol: its symbol path; the line that defines it counts for more.

    Returns:
        First and last line of the window, 0-based within ``lines``, both included.
    """
    if len(lines) <= LONGEST:
        return 0, max(0, len(lines) - 1)
    wanted = set(query_words(query))
    name = symbol.rsplit(".", 1)[-1].lower()
    weights = []
    for line in lines:
        present = set(words(line))
        weight = float(len(wanted & present))
        if name and name in present and name in wanted:
            weight += 2.0
        weights.append(weight)
    best, start = -1.0, 0
    for at in range(len(lines) - LONGEST + 1):
        total = sum(weights[at : at + LONGEST])
        if total > best:
            best, start = total, at
    return start, start + LONGEST - 1
