"""A text as lines: their sizes, and cutting them without knowing what they say. Rows count from 0."""

from __future__ import annotations

from itertools import accumulate

MOST_LINES = 100
"""In a window."""


class Lines:
    """The lines of a text. A line feed at the very end begins no line of its own."""

    def __init__(self, text: str) -> None:
        self.all = text.split("\n")
        if len(self.all) > 1 and not self.all[-1]:
            self.all.pop()
        self.count = len(self.all)
        self._ends = list(accumulate([len(line) + 1 for line in self.all], initial=0))

    def size(self, first: int, last: int) -> int:
        """Characters of the rows ``first`` to ``last``, both included."""
        return self._ends[last + 1] - self._ends[first]

    def blank(self, row: int) -> bool:
        """Whether a row has nothing but white space."""
        return not self.all[row] or self.all[row].isspace()

    def windows(self, first: int, last: int, max_chars: int) -> list[tuple[int, int]]:
        """Cut rows into runs within the budget, at a blank line where one is in the second half of a run."""
        found = []
        while first <= last:
            end = first
            while end < last and end - first + 1 < MOST_LINES and self.size(first, end + 1) <= max_chars:
                end += 1
            if end < last:
                end = self._blank_before(first, end)
            found.append((first, end))
            first = end + 1
        return found

    def _blank_before(self, first: int, end: int) -> int:
        """The last blank row of the second half, else ``end``."""
        for row in range(end, (first + end + 1) // 2, -1):
            if self.blank(row):
                return row
        return end
