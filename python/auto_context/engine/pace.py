"""Whether the transformer may go on with what nobody waits for: the service holds it for want of memory or of power."""

from __future__ import annotations

import threading
from collections.abc import Callable

_LOOK_EVERY_S = 0.05


class Pace:
    """Held for any number of reasons, goes on when none is left. Thread-safe; one for all updates."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._reasons: list[str] = []

    @property
    def held(self) -> str:
        """The reason it waits for, "" while it does not."""
        reasons = self._reasons
        return reasons[0] if reasons else ""

    def hold(self, reason: str, *, on: bool) -> None:
        """Wait, or wait no more, for one reason."""
        with self._changed:
            others = [one for one in self._reasons if one != reason]
            self._reasons = [*others, reason] if on else others
            self._changed.notify_all()

    def wait(self, check: Callable[[], None]) -> None:
        """Return once nothing holds it.

        Args:
            check: called now and then meanwhile; raises to end the wait.
        """
        while self.held:
            check()
            with self._changed:
                self._changed.wait_for(lambda: not self._reasons, _LOOK_EVERY_S)
