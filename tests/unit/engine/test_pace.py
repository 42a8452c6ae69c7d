"""The transformer is held for reasons, and goes on when none is left."""

import threading

import pytest

from auto_context.engine.pace import Pace
from auto_context.errors import AutoContextError
from support import wait_until


def test_it_is_held_while_any_reason_is_left() -> None:
    pace = Pace()
    assert pace.held == ""
    pace.hold("memory", on=True)
    pace.hold("battery", on=True)
    pace.hold("battery", on=True)
    assert pace.held == "memory"
    pace.hold("memory", on=False)
    assert pace.held == "battery"
    pace.hold("battery", on=False)
    assert pace.held == ""


def test_whoever_waits_goes_on_with_the_last_reason_and_checks_meanwhile() -> None:
    pace = Pace()
    pace.hold("battery", on=True)
    checks = threading.Semaphore(0)
    waiting = threading.Thread(target=pace.wait, args=(lambda: checks.release(),))  # noqa: PLW0108 - returns None
    waiting.start()
    assert checks.acquire(timeout=30)
    assert checks.acquire(timeout=30)
    assert waiting.is_alive()
    pace.hold("battery", on=False)
    wait_until(lambda: not waiting.is_alive())


def test_a_check_that_raises_ends_the_wait() -> None:
    pace = Pace()
    pace.hold("memory", on=True)

    def cancelled() -> None:
        raise AutoContextError("cancelled", "by somebody")

    with pytest.raises(AutoContextError):
        pace.wait(cancelled)
