"""When the service ends: told to, or because nobody needs it."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auto_context import paths
from auto_context.config import Effective, Settings
from auto_context.engine import Engine
from auto_context.engine.work import LocalWorker
from auto_context.service import process
from auto_context.service.api import PROTOCOL
from auto_context.service.client import ServiceClient
from auto_context.service.server import Service
from auto_context.service.workers import Workers
from auto_context.types import UpdateReport
from sandbox import CACHE, alive, sandboxed
from support import Clock

REPORT = UpdateReport("r", "main", 0, 0, 0, 0, 0, 0, {}, {}, 0.0)


@pytest.fixture
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A service for each test: these end it."""
    with sandboxed(tmp_path_factory.mktemp("home")) as variables:
        yield variables


@pytest.fixture
def service(tmp_path: Path, clock: Clock) -> Iterator[Service]:
    local = LocalWorker(Settings(), CACHE / "models")
    worker = Workers(tmp_path / "config", CACHE / "models", clock)
    made = Service(
        lambda refresh: Engine(tmp_path / "data", Settings(), local, refresh), worker, tmp_path, Effective(), clock
    )
    yield made
    made.close()
    local.close()


def test_time_without_a_request_counts(service: Service, clock: Clock) -> None:
    clock.now += 60
    assert service.idle_for() == 60
    service.used_at = clock()
    assert service.idle_for() == 0


def test_a_lease_keeps_it_until_it_runs_out(service: Service, clock: Clock) -> None:
    service.lease("an editor", 90)
    clock.now += 89
    assert (service.idle_for(), service.leases()) == (0, 1)
    service.lease("an editor", 90)
    clock.now += 89
    assert service.idle_for() == 0
    clock.now += 60
    assert (service.idle_for(), service.leases()) == (60, 0)


def test_a_job_keeps_it(service: Service, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def run(_: object) -> UpdateReport:
        go.wait(30)
        return REPORT

    monkeypatch.setattr(service.jobs, "_run", run)
    job = service.jobs.submit("update", "/a", "A", {"force": False})
    clock.now += 3600
    assert service.idle_for() == 0
    go.set()
    service.jobs.wait_ended(job, 30)
    clock.now += 5
    assert service.idle_for() == 5


def test_the_one_who_looks_after_it_ends_it_after_the_limit(
    service: Service, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_LOOK_EVERY_S", 0.001)
    stopped, ended = threading.Event(), threading.Event()
    looks = threading.Semaphore(0)
    monkeypatch.setattr(service.worker, "look_after", looks.release)
    thread = threading.Thread(target=process._look_after, args=(service, 1800.0, lambda: False, stopped.set, ended))
    thread.start()
    clock.now += 1799
    for _ in range(3):
        assert looks.acquire(timeout=30)
    assert not stopped.is_set()
    clock.now += 1
    assert stopped.wait(30)
    ended.set()
    thread.join(30)


def test_stopping_waits_for_the_end_and_the_next_start_is_another_service() -> None:
    client = ServiceClient()
    assert not client.stop()
    pids = set()
    for _ in range(2):
        pid = client.request("GET", "/version")["pid"]
        pids.add(pid)
        assert client.stop()
    last = client.request("GET", "/version")["pid"]
    assert len(pids | {last}) == 3
    assert alive(last)


def test_a_starter_outlasts_a_service_that_holds_the_lock_and_is_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    stem = paths.runtime_dir() / paths.service_name(paths.data_dir(), PROTOCOL)
    held = process.acquire(stem.with_suffix(".lock"))
    assert held is not None
    starts = threading.Semaphore(0)
    real = subprocess.Popen

    def counted(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        starts.release()
        return real(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", counted)
    answers: list[int] = []
    starter = threading.Thread(target=lambda: answers.append(ServiceClient().request("GET", "/version")["pid"]))
    starter.start()
    for _ in range(2):  # the first found the lock taken and ended
        assert starts.acquire(timeout=30)
    held.close()
    starter.join(30)
    assert len(answers) == 1


def test_changed_settings_end_it_once_no_job_runs(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(process, "_LOOK_BUSY_S", 0.001)
    stopped, ended, goes_on = threading.Event(), threading.Event(), threading.Event()
    looks = threading.Semaphore(0)
    monkeypatch.setattr(service.worker, "look_after", looks.release)
    monkeypatch.setattr(service.jobs, "_run", lambda _: goes_on.wait(30))
    service.jobs.submit("incremental", "/r", "r", {"paths": []})
    thread = threading.Thread(target=process._look_after, args=(service, 1e9, lambda: True, stopped.set, ended))
    thread.start()
    for _ in range(3):
        assert looks.acquire(timeout=30)
    assert not stopped.is_set()
    goes_on.set()
    assert stopped.wait(30)
    ended.set()
    thread.join(30)
