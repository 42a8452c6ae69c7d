"""What the ranking steps see of a chunk."""

from __future__ import annotations

from typing import NamedTuple


class Candidate(NamedTuple):
    """One chunk on its way to being a hit.

    ``id`` is negative for a file without content, which only its name found.
    """

    id: int
    path: str
    start_line: int
    end_line: int
    kind: str
    symbol: str
    score: float = 0.0
    legs: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    """Qualified names of the definitions that begin in it."""
    verbatim: bool = False
    """Whether it has the very line that was asked for."""
    modified: float = 0.0
    """When its file was changed last, in seconds since the epoch; 0.0 when that does not count."""
    why: tuple[tuple[str, float], ...] = ()
    """What each ranking step multiplied its score by, for those that moved it."""
