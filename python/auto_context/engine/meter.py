"""How far an update is and how long it still takes, told at most ten times a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from auto_context.types import Progress

Phase = Literal["scan", "chunk", "static", "embed", "done"]

_INTERVAL_S = 0.1
_RATE_AFTER_S = 1.0
_RECENT_S = 10.0
"""The speed is that of this long, or of the latter half of a longer phase: its beginning, with a model to load, tells
nothing, and the less is left the more the recent counts."""
_MOST_MARKS = 200


@dataclass(slots=True)
class Totals:
    """What the numbers of a progress are of."""

    files: int = 0
    bytes: int = 0
    """Of the files to read."""
    work: int = 0
    """Of the transformer, in tokens as far as they can be told before."""


class _Speed:
    """How fast a count that only grows does so.

    Args:
        now: the clock, when it is 0.
    """

    def __init__(self, now: float) -> None:
        self._began = now
        self._marks = [(now, 0.0)]

    def note(self, now: float, count: float) -> None:
        """The count as of now."""
        marks, age = self._marks, now - self._began
        if len(marks) > 1 and now - marks[-2][0] < max(1 / 2, age / _MOST_MARKS):
            marks.pop()
        marks.append((now, count))
        oldest = now - max(_RECENT_S, age / 2)
        # The first mark is of when nothing had begun yet: it goes as soon as there are others.
        while len(marks) > 3 and (marks[0][1] == 0.0 or marks[1][0] <= oldest):  # noqa: PLR2004 - two to compare
            marks.pop(0)

    def skip(self, now: float) -> None:
        """Go on from the same count as if it were the first."""
        self._began, self._marks = now, [(now, self._marks[-1][1])]

    def rate(self) -> float:
        """Per second, 0.0 while that is too short to tell."""
        (began, before), (now, count) = self._marks[0], self._marks[-1]
        return (count - before) / (now - began) if now - began >= _RATE_AFTER_S else 0.0

    def since(self, now: float) -> float:
        """Seconds since the count was noted, no more than lay between the last two notes."""
        marks = self._marks
        usual = marks[-1][0] - marks[-2][0] if len(marks) > 1 else 0.0
        return min(now - marks[-1][0], usual)


class Meter:
    """Counts one update.

    Args:
        tell: gets the news.
        clock: seconds that only go forward.
        reading: per cent of the whole that reading is.
    """

    def __init__(
        self,
        tell: Callable[[Progress], None] | None,
        clock: Callable[[], float] = time.monotonic,
        reading: float = 0.0,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._reading = reading
        self._told = 0.0
        self._phase: Phase = "scan"
        self._paused = ""
        self._done = 0.0
        self._speed = _Speed(clock())
        self._tokens = _Speed(clock())
        self._percent = self._began_at = 0.0
        self.total = Totals()
        self.files = 0
        self.chunks = 0
        """In the view."""
        self.coverage: dict[str, float] = {}

    def enter(self, phase: Phase) -> None:
        """A new phase: its speed is not known yet."""
        now = self._clock()
        self._phase, self._paused, self._done = phase, "", 0.0
        self._speed, self._tokens = _Speed(now), _Speed(now)
        self._began_at = self._percent
        self._show(now)

    def report(self, done: float, tokens: int = 0) -> None:
        """Tell how far the phase is.

        Args:
            done: bytes while reading, else work.
            tokens: embedded in this phase so far.
        """
        now = self._clock()
        self._done = done
        self._speed.note(now, done)
        self._tokens.note(now, tokens)
        self.tick()

    def pause(self, reason: str) -> None:
        """Nothing is embedded for a reason, or is again when that is ""."""
        now = self._clock()
        if self._paused and not reason:
            # What was noted before tells nothing of how long the rest takes.
            self._speed.skip(now)
            self._tokens.skip(now)
        self._paused = reason
        self._show(now)

    def tick(self) -> None:
        """Tell the news, when nothing was told a moment ago. Call now and then while waiting."""
        now = self._clock()
        if now - self._told >= _INTERVAL_S:
            self._show(now)

    def _show(self, now: float) -> None:
        if self._tell is None:
            return
        self._told = now
        total = {"chunk": self.total.bytes, "embed": self.total.work}.get(self._phase, 0)
        rate = 0.0 if self._paused else self._speed.rate()
        # Between two reports it goes on as before.
        done = min(float(total), self._done + rate * self._speed.since(now))
        known = bool(rate) and self._phase in ("chunk", "embed")
        self._percent = max(self._percent, self._reached(done / total if total else 0.0))
        self._tell(
            Progress(
                phase=self._phase,
                files_done=self.files,
                files_total=self.total.files,
                chunks_done=round(self.chunks * self.coverage.get("vector", 0.0)),
                chunks_total=self.chunks,
                percent=round(self._percent, 1),
                eta_s=0.0 if self._phase == "done" else round((total - done) / rate, 1) if known else None,
                coverage={leg: round(part, 4) for leg, part in self.coverage.items()},
                tokens_per_s=0 if self._paused else round(self._tokens.rate()),
                paused=self._paused,
            )
        )

    def _reached(self, share: float) -> float:
        """Per cent of the whole at a share of the phase. It never falls, even when an update starts over."""
        match self._phase:
            case "scan":
                return 0.0
            case "chunk":
                return self._reading * share
            case "static":
                return self._reading
            case "embed":
                return self._began_at + (100.0 - self._began_at) * share
            case "done":
                return 100.0
