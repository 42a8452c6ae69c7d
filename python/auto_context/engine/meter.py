"""How far an update is and how long it still takes, told at most ten times a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from auto_context.types import Progress

_INTERVAL_S = 0.1
_READING_SHARE = 10.0
"""Per cent of an update's progress that reading stands for; the transformer is the rest."""
_RATE_AFTER_S = 1.0
_RECENT_S = 60.0
"""Of how long the speed counts: files at the end are not like those at the beginning, nor is the machine."""


@dataclass(slots=True)
class Totals:
    """What the numbers of a progress are of."""

    files: int = 0
    bytes: int = 0
    """Of the files to read."""
    embed_bytes: int = 0
    """Of the files whose vectors the transformer makes."""


class Meter:
    """Counts one update.

    Args:
        tell: gets the news.
        clock: seconds that only go forward.
    """

    def __init__(self, tell: Callable[[Progress], None] | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._told = 0.0
        self._phase: Literal["scan", "chunk", "static", "embed", "done"] = "scan"
        self._marks: list[tuple[float, float]] = []
        self._tokens: list[tuple[float, float]] = []
        self.total = Totals()
        self.files = 0
        self.chunks = 0
        """In the view."""
        self.coverage: dict[str, float] = {}

    def enter(self, phase: Literal["scan", "chunk", "static", "embed", "done"]) -> None:
        """A new phase: its speed is not known yet."""
        self._phase, self._marks, self._tokens = phase, [(self._clock(), 0.0)], [(self._clock(), 0.0)]
        self.report(0.0, at_once=True)

    def report(self, done: float, tokens: int = 0, *, at_once: bool = False) -> None:
        """Tell how far the phase is.

        Args:
            done: bytes.
            tokens: embedded in this phase so far.
            at_once: even if something was told a moment ago.
        """
        now = self._clock()
        self._marks = _noted(self._marks, now, done)
        self._tokens = _noted(self._tokens, now, tokens)
        if self._tell is None or (not at_once and now - self._told < _INTERVAL_S):
            return
        self._told = now
        total = {"chunk": self.total.bytes, "embed": self.total.embed_bytes}.get(self._phase, 0)
        share = min(1.0, done / total) if total else float(self._phase == "done")
        percent = {
            "scan": 0.0,
            "chunk": _READING_SHARE * share,
            "static": _READING_SHARE,
            "embed": _READING_SHARE + (100.0 - _READING_SHARE) * share,
            "done": 100.0,
        }[self._phase]
        rate = _rate(self._marks)
        eta = None if not rate or self._phase not in ("chunk", "embed") else max(0.0, total - done) / rate
        self._tell(
            Progress(
                phase=self._phase,
                files_done=self.files,
                files_total=self.total.files,
                chunks_done=round(self.chunks * self.coverage.get("vector", 0.0)),
                chunks_total=self.chunks,
                percent=round(percent, 1),
                eta_s=0.0 if self._phase == "done" else None if eta is None else round(eta, 1),
                coverage={leg: round(part, 4) for leg, part in self.coverage.items()},
                tokens_per_s=round(_rate(self._tokens)),
            )
        )


def _noted(marks: list[tuple[float, float]], now: float, value: float) -> list[tuple[float, float]]:
    """With one more mark, without those that are too old, at most two a second."""
    if len(marks) > 1 and now - marks[-2][0] < 1 / 2:
        marks = marks[:-1]
    kept = [mark for mark in marks if now - mark[0] <= _RECENT_S]
    return [*kept, (now, value)]


def _rate(marks: list[tuple[float, float]]) -> float:
    """Per second between the oldest mark and the newest, 0.0 while that is too short to tell."""
    (began, before), (now, value) = marks[0], marks[-1]
    return (value - before) / (now - began) if now - began >= _RATE_AFTER_S else 0.0
