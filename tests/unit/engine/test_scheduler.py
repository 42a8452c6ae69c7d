"""The worker's scheduler: the more urgent runs between the steps of the less."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auto_context.config import Settings
from auto_context.engine.work import BULK, QUERY, SAVE, Scheduler, Steps
from auto_context.errors import AutoContextError
from support import wait_until


class Probe:
    """Stands for the operations: notes who ran when, at steps the test lets pass."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.started = threading.Event()
        self.go = threading.Event()

    def start(self, op: str, params: dict[str, Any]) -> Steps:
        return self.fail() if op == "fail" else self.steps(op, **params)

    def fail(self) -> Steps:
        yield
        raise ValueError("wrong")

    def steps(self, name: str, count: int = 1) -> Steps:
        for number in range(count):
            self.ran.append(f"{name}{number}")
            self.started.set()
            assert self.go.wait(30)
            yield
        return {"name": name}


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
def scheduler(tmp_path: Path, probe: Probe) -> Iterator[Scheduler]:
    scheduler = Scheduler(Settings(), tmp_path)
    scheduler._ops = probe
    yield scheduler
    probe.go.set()
    scheduler.close()


def test_a_save_runs_between_steps_and_a_query_beside_them(scheduler: Scheduler, probe: Probe) -> None:
    bulk = scheduler.submit("bulk", {"count": 3}, BULK)
    assert probe.started.wait(30)
    later = scheduler.submit("later", {}, BULK)
    save = scheduler.submit("save", {"count": 2}, SAVE)
    query = scheduler.submit("query", {}, QUERY)
    wait_until(lambda: "query0" in probe.ran)
    assert not bulk.done()
    probe.go.set()
    for future in (bulk, later, save, query):
        future.result(30)
    assert probe.ran == ["bulk0", "query0", "save0", "save1", "bulk1", "bulk2", "later0"]


def test_a_fault_reaches_its_caller_and_nobody_else(scheduler: Scheduler, probe: Probe) -> None:
    probe.go.set()
    failed = scheduler.submit("fail", {}, BULK)
    with pytest.raises(AutoContextError) as caught:
        failed.result(30)
    assert caught.value.code == "internal"
    assert scheduler.submit("after", {}, BULK).result(30) == {"name": "after"}


def test_a_cancelled_operation_never_runs(scheduler: Scheduler, probe: Probe) -> None:
    running = scheduler.submit("running", {}, BULK)
    assert probe.started.wait(30)
    waiting = scheduler.submit("waiting", {}, BULK)
    assert waiting.cancel()
    probe.go.set()
    running.result(30)
    scheduler.submit("last", {}, BULK).result(30)
    assert probe.ran == ["running0", "last0"]


def test_closing_fails_what_waits(scheduler: Scheduler, probe: Probe) -> None:
    probe.go.set()
    scheduler.submit("one", {}, BULK).result(30)
    scheduler.close()
    with pytest.raises(AutoContextError) as caught:
        scheduler.submit("late", {}, BULK).result(30)
    assert caught.value.code == "worker_down"


def test_an_operation_that_nobody_waits_for_ends_at_its_next_step(scheduler: Scheduler, probe: Probe) -> None:
    given_up = scheduler.submit("given_up", {"count": 1000}, BULK)
    assert probe.started.wait(30)
    assert given_up.cancel()
    probe.go.set()
    assert scheduler.submit("after", {}, BULK).result(30) == {"name": "after"}
    assert probe.ran == ["given_up0", "after0"]
