"""Several worker processes: who gets the work, and what the fault of one means to the others."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from auto_context.service import memory
from auto_context.service.supervisor import HUNG_AFTER_S
from auto_context.service.workers import Workers
from sandbox import alive
from support import Clock, wait_until


@pytest.fixture
def workers(tmp_path: Path, clock: Clock) -> Iterator[Workers]:
    made = Workers(tmp_path / "config", tmp_path / "models", clock, readers=2)
    yield made
    made.close()


def stop(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)


def test_readers_share_the_work_and_the_embedder_is_not_started_for_it(workers: Workers) -> None:
    first = workers.submit("ping", {})
    second = workers.submit("ping", {})
    assert (first.result(30), second.result(30)) == ({}, {})
    assert all(reader.pid for reader in workers.readers)
    assert (workers.embedder.pid, workers.state) == (None, "idle")
    assert len(workers.pids) == 2


def test_one_that_hangs_is_killed_and_the_others_know_nothing_of_it(workers: Workers, clock: Clock) -> None:
    hanging, other = workers.readers
    hanging.submit("ping", {}).result(30)
    other.submit("ping", {}).result(30)
    pid = other.pid
    for attempt in range(3):
        if attempt:
            hanging.submit("ping", {})  # which starts it anew
        stop(hanging.pid)
        hanging.submit("ping", {})
        clock.now += HUNG_AFTER_S / 2
        hanging.submit("ping", {})  # no sign of life
        clock.now += HUNG_AFTER_S / 2
        before = hanging.pid
        workers.look_after()
        wait_until(lambda: hanging.pid != before)  # noqa: B023 - called at once
    assert hanging.state == "down"
    assert (other.pid, other.state) == (pid, "ready")
    # Nothing is sent to where it would fail, however busy the other is.
    for pending in [workers.submit("ping", {}) for _ in range(10)]:
        assert pending.result(30) == {}


def test_a_reader_that_grew_leaves_when_it_has_answered_and_the_others_take_its_work(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown, other = workers.readers
    for reader in workers.readers:
        reader.submit("ping", {}).result(30)
    large = grown.pid
    monkeypatch.setattr(memory, "taken", lambda pids: 10**9 if large in pids else 0)
    stop(large)
    pending = grown.submit("ping", {})
    workers.look_after()
    assert (grown.leaving, grown.pid) == (True, large)
    busy = [workers.submit("ping", {}) for _ in range(5)]
    assert (grown.busy, [one.result(30) for one in busy]) == (1, [{}] * 5)
    os.kill(large or 0, signal.SIGCONT)
    assert pending.result(30) == {}
    wait_until(lambda: grown.pid is None and not alive(large or 0))
    assert (grown.leaving, grown.state) == (False, "idle")
    assert grown.submit("ping", {}).result(30) == {}
    assert other.pid is not None


def test_only_one_reader_leaves_at_a_time(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    for reader in workers.readers:
        reader.submit("ping", {}).result(30)
        stop(reader.pid)
        reader.submit("ping", {})
    monkeypatch.setattr(memory, "taken", lambda _: 10**9)
    workers.look_after()
    workers.look_after()
    assert [reader.leaving for reader in workers.readers] == [True, False]
    for reader in workers.readers:
        os.kill(reader.pid or 0, signal.SIGCONT)


def test_relief_ends_what_is_idle_and_nothing_else(workers: Workers) -> None:
    idle, busy = workers.readers
    idle.submit("ping", {}).result(30)
    busy.submit("ping", {}).result(30)
    workers.embedder.submit("ping", {}).result(30)
    stop(busy.pid)
    pending = busy.submit("ping", {})
    workers.relieve(embedder=False)
    assert (idle.pid, workers.embedder.pid is None) == (None, False)
    workers.relieve(embedder=True)
    assert workers.embedder.pid is None
    os.kill(busy.pid or 0, signal.SIGCONT)
    assert pending.result(30) == {}
