"""What is done when memory or power is short."""

from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from auto_context.config import Settings
from auto_context.engine.pace import Pace
from auto_context.service import memory, pressure
from auto_context.service.pressure import Minder, Pressure, Relief
from support import Clock

NOTHING, SHED, HOLD, BOTH = Relief(False, False), Relief(True, False), Relief(False, True), Relief(True, True)


def test_caches_are_let_go_at_four_fifths_and_again_only_when_it_grew() -> None:
    pressure = Pressure(1000)
    assert pressure.judge(799, 0) == NOTHING
    assert pressure.judge(800, 1) == SHED
    assert pressure.judge(800, 2) == NOTHING
    assert pressure.judge(819, 3) == NOTHING
    assert pressure.judge(820, 4) == SHED
    assert pressure.judge(805, 5) == NOTHING
    assert pressure.judge(825, 6) == SHED
    assert pressure.judge(700, 7) == NOTHING
    assert pressure.judge(800, 8) == SHED


def test_the_transformer_is_held_near_the_limit_until_there_is_room_again() -> None:
    pressure = Pressure(1000)
    assert pressure.judge(949, 0) == SHED
    assert not pressure.judge(949, 1).pause
    assert pressure.judge(970, 2) == BOTH
    assert pressure.judge(900, 3) == HOLD
    assert pressure.judge(849, 61) == HOLD  # not started and ended in turns
    assert pressure.judge(850, 62) == HOLD
    assert pressure.judge(849, 63) == NOTHING
    assert pressure.judge(949, 64) == SHED


class Recorded:
    """Stands for the engine and the workers: notes what is let go."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.pids: list[int] = []

    def shed(self) -> None:
        self.done.append("shed")

    def relieve(self, *, embedder: bool) -> None:
        self.done.append("all" if embedder else "readers")


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def minder(recorded: Recorded, pace: Pace, clock: Clock, **settings: Any) -> Minder:
    return Minder(Settings(**settings), recorded, recorded, pace, clock)


def test_it_sheds_then_holds_and_goes_on(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    pace, clock = Pace(), Clock()
    watch = minder(recorded, pace, clock, memory_mb=1000)
    taken = {"now": 0}
    monkeypatch.setattr(memory, "taken", lambda _: taken["now"])
    for megabytes, done, held in (
        (100, [], ""), (800, ["shed", "readers"], ""), (960, ["shed", "all"], "memory"), (700, [], "memory")
    ):  # fmt: skip
        taken["now"] = megabytes * 1_000_000
        watch.look()
        assert (recorded.done, pace.held) == (done, held)
        recorded.done.clear()
    clock.now += 60
    watch.look()
    assert pace.held == ""


def test_the_battery_counts_only_when_asked_and_at_most_every_ten_seconds(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: dict[str, Any] = {"now": SimpleNamespace(power_plugged=False)}
    asked: list[None] = []

    def battery() -> Any:
        asked.append(None)
        return state["now"]

    monkeypatch.setattr(psutil, "sensors_battery", battery)
    clock, pace = Clock(), Pace()
    minder(recorded, pace, clock).look()
    assert (pace.held, asked) == ("", [])
    watch = minder(recorded, pace, clock, pause_on_battery=True)
    assert pace.held == "battery"
    watch.look()
    state["now"] = SimpleNamespace(power_plugged=True)
    clock.now += 9
    watch.look()
    assert (pace.held, len(asked)) == ("battery", 1)
    clock.now += 1
    watch.look()
    assert pace.held == ""


@pytest.mark.parametrize("state", [None, SimpleNamespace(power_plugged=None), SimpleNamespace(power_plugged=True)])
def test_without_a_battery_or_plugged_in_it_is_not_on_battery(state: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "sensors_battery", lambda: state)
    assert not pressure.on_battery()


def test_memory_of_processes_is_measured_and_of_one_that_is_gone_is_none() -> None:
    own = psutil.Process().pid
    before = memory.taken([own])
    ballast = bytearray(64_000_000)
    assert memory.taken([own]) - before > 50_000_000
    assert memory.taken([own, own]) > memory.taken([own])
    del ballast
    memory.trim()
    assert memory.taken([own]) - before < 30_000_000
    assert memory.resident(own) >= memory.taken([own])
    nobody = 2**22 + 1  # above the largest process id of Linux
    assert memory.taken([nobody]) == memory.resident(nobody) == 0
