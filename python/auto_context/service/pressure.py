"""Keeps within the memory and the power a user allows: lets caches go, then holds the transformer."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import NamedTuple, Protocol

import psutil

from auto_context.config import Settings
from auto_context.engine.pace import Pace
from auto_context.service import memory

log = logging.getLogger(__name__)

_SHED_AT, _PAUSE_AT, _RESUME_BELOW = 0.80, 0.95, 0.85
_SHED_AGAIN = 0.02
"""Caches are let go again once this share of the limit was taken since."""
_PAUSE_AT_LEAST_S = 60.0
"""A process that was ended for its memory is not started again at once."""
_POWER_EVERY_S = 10.0


class Relief(NamedTuple):
    """What to do now."""

    shed: bool
    """Let go of what can be made again."""
    pause: bool
    """Hold the transformer: saves and the static tier go on."""


class Pressure:
    """Decides by the memory taken.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._after: int | None = None
        """What was taken soon after caches were let go; None below the threshold."""
        self._paused_at: float | None = None

    def judge(self, taken: int, now: float) -> Relief:
        """What ``taken`` bytes at a time in seconds call for. Call every few seconds."""
        if self._paused_at is None and taken >= _PAUSE_AT * self.limit:
            self._paused_at = now
        elif self._paused_at is not None and now - self._paused_at >= _PAUSE_AT_LEAST_S:
            self._paused_at = self._paused_at if taken >= _RESUME_BELOW * self.limit else None
        return Relief(self._should_shed(taken), self._paused_at is not None)

    def _should_shed(self, taken: int) -> bool:
        if taken < _SHED_AT * self.limit:
            self._after = None
            return False
        if self._after is None or taken >= self._after + _SHED_AGAIN * self.limit:
            self._after = taken
            return True
        self._after = min(self._after, taken)
        return False


class Sheds(Protocol):
    """An engine, as far as it is needed here."""

    def shed(self) -> None:
        """Let go of what can be made again."""


class Processes(Protocol):
    """The workers, as far as they are needed here."""

    @property
    def pids(self) -> list[int]:
        """Of those that run."""

    def relieve(self, *, embedder: bool) -> None:
        """End what is idle."""


class Minder:
    """Looks at memory and power, and does what they call for. Used by one thread.

    Args:
        settings: the limits.
        engine: has caches.
        workers: are processes.
        pace: held while the transformer must wait.
        clock: seconds that only go forward.
    """

    def __init__(
        self, settings: Settings, engine: Sheds, workers: Processes, pace: Pace, clock: Callable[[], float]
    ) -> None:
        self._engine = engine
        self._workers = workers
        self._pace = pace
        self._clock = clock
        self._pressure = Pressure(settings.memory_mb * 1_000_000)
        self._minds_power = settings.pause_on_battery
        self._power_at = float("-inf")
        self._paused = False
        self._mind_power(clock())  # before the first job, not five seconds into it

    @property
    def limit(self) -> int:
        """Bytes."""
        return self._pressure.limit

    def taken(self) -> int:
        """Bytes that the service and its workers take together."""
        return memory.taken([os.getpid(), *self._workers.pids])

    def look(self) -> None:
        """Look once."""
        now = self._clock()
        self._mind_memory(self.taken(), now)
        self._mind_power(now)

    def _mind_power(self, now: float) -> None:
        if self._minds_power and now - self._power_at >= _POWER_EVERY_S:
            self._power_at = now
            self._pace.hold("battery", on=on_battery())

    def _mind_memory(self, taken: int, now: float) -> None:
        relief = self._pressure.judge(taken, now)
        if relief.pause != self._paused:
            log.warning(
                "%s the transformer: %d of %d MB are taken",
                "holding" if relief.pause else "going on with", taken // 1_000_000, self.limit // 1_000_000,
            )  # fmt: skip
            self._paused = relief.pause
        self._pace.hold("memory", on=relief.pause)
        if relief.shed:
            self._engine.shed()
            # An embedder that waits for memory is itself most of what is taken.
            self._workers.relieve(embedder=relief.pause)
            memory.trim()


def on_battery() -> bool:
    """Whether this machine has a battery and runs on it."""
    try:
        state = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError):  # not on every system
        return False
    return state is not None and state.power_plugged is False
