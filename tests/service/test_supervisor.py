"""The worker behind its breaker, and the idle clock of the service."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from auto_context.engine.work import QUERY
from auto_context.errors import AutoContextError
from auto_context.service.jobs import Job, Jobs
from auto_context.service.supervisor import HUNG_AFTER_S, IDLE_LIMIT_S, Breaker, WorkerProcess
from auto_context.types import UpdateReport
from sandbox import alive
from support import Clock, wait_until


@pytest.fixture
def worker(tmp_path: Path, clock: Clock) -> Iterator[WorkerProcess]:
    process = WorkerProcess(tmp_path / "config", tmp_path / "models", clock)
    yield process
    process.close()


def kill_and_wait(worker: WorkerProcess) -> None:
    pid = worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: worker.pid != pid)


def test_it_starts_on_need_and_answers(worker: WorkerProcess) -> None:
    assert (worker.state, worker.pid) == ("idle", None)
    assert worker.submit("ping", {}, QUERY).result(30) == {}
    assert worker.state == "ready"


def test_all_but_its_queries_give_way_to_other_programs(worker: WorkerProcess) -> None:
    worker.submit("ping", {}).result(30)
    threads = [int(task.name) for task in Path(f"/proc/{worker.pid}/task").iterdir()]
    manners = {(psutil.Process(thread).nice(), tuple(psutil.Process(thread).ionice())) for thread in threads}
    assert manners == {(0, (psutil.IOPRIO_CLASS_NONE, 0)), (15, (psutil.IOPRIO_CLASS_BE, 7))}
    assert psutil.Process(worker.pid).nice() == 0


def test_what_is_given_up_ends_in_the_worker(worker: WorkerProcess, tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / f"{number}.py").write_text("def a():\n    pass\n" * 400)
    paths = [f"{number}.py" for number in range(400)]
    params = {"top": str(tmp_path), "paths": paths, "previous": {}, "plain": False, "static": ""}
    long = worker.submit("chunk", params)
    assert long.cancel()
    worker.submit("ping", {}).result(30)
    assert worker.busy == 0


def test_faults_of_an_operation_come_back_coded(worker: WorkerProcess) -> None:
    with pytest.raises(AutoContextError) as caught:
        worker.submit("no such thing", {}).result(30)
    assert caught.value.code == "bad_request"


def test_death_fails_what_is_pending_and_the_next_operation_works(worker: WorkerProcess) -> None:
    worker.submit("ping", {}).result(30)
    os.kill(worker.pid or 0, signal.SIGSTOP)
    pending = worker.submit("ping", {})
    kill_and_wait(worker)
    with pytest.raises(AutoContextError) as caught:
        pending.result(30)
    assert caught.value.code == "worker_down"
    assert worker.submit("ping", {}).result(30) == {}


def test_three_deaths_open_the_breaker_for_half_a_minute(worker: WorkerProcess, clock: Clock) -> None:
    for _ in range(3):
        worker.submit("ping", {})
        kill_and_wait(worker)
    assert worker.state == "down"
    with pytest.raises(AutoContextError) as caught:
        worker.submit("ping", {}).result(30)
    assert caught.value.code == "worker_down"
    assert worker.pid is None
    clock.now += 30
    assert worker.submit("ping", {}).result(30) == {}


def test_the_breaker_lets_one_attempt_through_when_half_open(clock: Clock) -> None:
    breaker = Breaker(clock)
    for _ in range(3):
        assert not breaker.open
        breaker.attempt()
        breaker.failed()
    assert breaker.open
    clock.now += 30
    assert not breaker.open
    breaker.attempt()
    assert breaker.open
    breaker.failed()
    assert breaker.open
    clock.now += 30
    breaker.attempt()
    breaker.succeeded()
    assert not breaker.open


def test_an_idle_worker_is_ended(worker: WorkerProcess, clock: Clock) -> None:
    worker.submit("ping", {}).result(30)
    pid = worker.pid or 0
    worker.look_after()
    assert worker.pid == pid
    clock.now += IDLE_LIMIT_S
    worker.look_after()
    assert worker.pid is None
    wait_until(lambda: not alive(pid))


def test_a_worker_that_hangs_is_killed(worker: WorkerProcess, clock: Clock) -> None:
    worker.submit("ping", {}).result(30)
    os.kill(worker.pid or 0, signal.SIGSTOP)
    pending = worker.submit("ping", {})
    worker.look_after()
    assert not pending.done()
    clock.now += HUNG_AFTER_S
    worker.look_after()
    with pytest.raises(AutoContextError) as caught:
        pending.result(30)
    assert caught.value.code == "worker_down"
    assert worker.submit("ping", {}).result(30) == {}


REPORT = UpdateReport("r", "main", 0, 0, 0, 0, 0, 0, {}, {}, 0.0)


def test_jobs_of_a_repository_take_turns_and_repeated_wishes_join() -> None:
    running: list[str] = []
    go = threading.Event()

    def run(job: Job) -> UpdateReport:
        running.append(f"{job.kind} {job.root}")
        go.wait(30)
        return REPORT

    jobs = Jobs(run)
    first = jobs.submit("update", "/a", "A", {"force": False})
    wait_until(lambda: first.state == "running")
    assert jobs.submit("update", "/a", "A", {"force": False}) is first
    forced = jobs.submit("update", "/a", "A", {"force": True, "open_paths": ["a.py", "b.py"]})
    assert forced is not first
    assert jobs.submit("update", "/a", "A", {"force": True, "open_paths": ["c.py", "a.py"]}) is forced
    assert forced.options["open_paths"] == ["c.py", "a.py", "b.py"]
    saved = jobs.submit("incremental", "/a", "A", {"paths": ["x"]})
    wait_until(lambda: saved.state == "running")
    queued = jobs.submit("incremental", "/a", "A", {"paths": ["y"]})
    assert jobs.submit("incremental", "/a", "A", {"paths": ["y", "z"]}) is queued
    assert queued.options["paths"] == ["y", "z"]
    assert forced.state == "queued"
    assert jobs.busy
    go.set()
    for job in (first, forced, saved, queued):
        jobs.wait_ended(job, 30)
        assert job.state == "done"
    assert not jobs.busy
    assert running.count("update /a") == 3  # the first once more: files may have changed behind it


def test_a_queued_job_is_cancelled_at_once_and_closing_ends_all() -> None:
    def run(job: Job) -> UpdateReport:
        job.cancel.wait(30)
        raise AutoContextError("cancelled", "stopped")

    jobs = Jobs(run)
    first = jobs.submit("update", "/a", "A", {"force": True})
    wait_until(lambda: first.state == "running")
    second = jobs.submit("update", "/b", "A", {"force": True})
    jobs.cancel(second)
    assert second.state == "cancelled"
    jobs.close(30)
    assert first.state == "cancelled"
    with pytest.raises(AutoContextError):
        jobs.submit("update", "/a", "A", {"force": True})
