"""Who does the heavy work: the worker protocol, and the scheduler that runs operations one at a time.

An operation is a generator: it yields between short steps and returns its result. Work of a higher priority runs
between the steps of lower: a query waits for one micro-batch (about 40 ms) of an index at most.

The service runs the scheduler in a child process; an Engine without a service runs it in a thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from auto_context import paths
from auto_context.config import Settings
from auto_context.errors import AutoContextError

QUERY, SAVE, BULK = 0, 1, 2
"""Priorities. Whoever types waits for nobody, a saved file not for a whole index."""

WorkerState = Literal["idle", "starting", "ready", "down"]
Result = dict[str, Any]
Steps = Generator[None, None, Result]


class Worker(Protocol):
    """Runs operations of ``engine.ops`` somewhere."""

    def submit(self, op: str, params: dict[str, Any], priority: int = BULK) -> Future[Result]:
        """Queue an operation. The future fails with an ``AutoContextError``, ``worker_down`` when nobody can run it."""

    @property
    def state(self) -> WorkerState:
        """idle: not running, starts on need. ready: answering. down: failed, tried again later."""

    def close(self) -> None:
        """End it. Pending futures fail."""


class _Job(NamedTuple):
    priority: int
    op: str
    params: dict[str, Any]
    future: Future[Result]


class Scheduler:
    """One thread that runs operations, the more urgent between the steps of the less.

    Args:
        settings: the user's.
        cache_dir: where facts about models are kept; the user's data folder by default.
        on_step: called after every step, in the scheduler's thread.
    """

    def __init__(
        self, settings: Settings, cache_dir: Path | None = None, on_step: Callable[[], None] = lambda: None
    ) -> None:
        self._settings = settings
        self._cache_dir = cache_dir or paths.cache_dir() / "models"
        self._on_step = on_step
        self._wake = threading.Condition()
        self._queues: tuple[deque[_Job], ...] = (deque(), deque(), deque())
        self._closed = False
        self._ops: Any = None
        self._thread = threading.Thread(target=self._run, name="auto-context-worker", daemon=True)
        self._thread.start()

    def submit(self, op: str, params: dict[str, Any], priority: int = BULK) -> Future[Result]:
        """Queue an operation by its name in ``engine.ops``."""
        job = _Job(priority, op, params, Future())
        with self._wake:
            if self._closed:
                job.future.set_exception(AutoContextError("worker_down", "the worker is closed"))
                return job.future
            self._queues[priority].append(job)
            self._wake.notify()
        return job.future

    def close(self) -> None:
        """Stop after the current step; what has not run fails."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join(timeout=10)
        for queue in self._queues:
            while queue:
                queue.popleft().future.set_exception(AutoContextError("worker_down", "the worker was closed"))

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._closed and not any(self._queues):
                    self._wake.wait()
                if self._closed:
                    return
            self._run_above(len(self._queues))

    def _run_above(self, priority: int) -> None:
        """Run what is more urgent than ``priority``, the most urgent first."""
        while True:
            waiting = next((queue for queue in self._queues[:priority] if queue), None)
            if waiting is None or self._closed:
                return
            self._execute(waiting.popleft())

    def _execute(self, job: _Job) -> None:
        if not job.future.set_running_or_notify_cancel():
            return
        try:
            steps: Steps = self._operations().start(job.op, job.params)
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    job.future.set_result(end.value)
                    return
                self._on_step()
                if self._closed:
                    raise AutoContextError("worker_down", "the worker was closed")  # noqa: TRY301 - one way out
                self._run_above(job.priority)
        except BaseException as error:  # noqa: BLE001 - whatever an operation raises belongs to its caller
            job.future.set_exception(AutoContextError.wrap(error))

    def _operations(self) -> Any:
        if self._ops is None:
            # Imported on the worker's own thread: the service that holds only a protocol never loads this.
            from auto_context.engine.ops import Operations  # noqa: PLC0415

            self._ops = Operations(self._settings, self._cache_dir)
        return self._ops


class LocalWorker:
    """A worker in this process, for scripts and tests."""

    def __init__(self, settings: Settings, cache_dir: Path | None = None) -> None:
        self._scheduler = Scheduler(settings, cache_dir)

    def submit(self, op: str, params: dict[str, Any], priority: int = BULK) -> Future[Result]:
        """See ``Worker``."""
        return self._scheduler.submit(op, params, priority)

    @property
    def state(self) -> WorkerState:
        """Always ready: it lives and dies with this process."""
        return "ready"

    def close(self) -> None:
        """See ``Worker``."""
        self._scheduler.close()
