"""Who does the heavy work: the worker protocol, and the scheduler that runs operations one at a time.

An operation is a generator: it yields between short steps and returns its result. A save runs between the steps of
an index. Queries have a thread of their own, so that they wait for no step at all: native code lets it run beside one.

The service runs the scheduler in child processes; an Engine without a service runs it in its own.
"""

from __future__ import annotations

import contextlib
import sys
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

_NICE = 15
_LOWEST_IO = 7
"""Of the class that shares the disk by need ("best effort"); the idle class would starve beside a busy program."""

WorkerState = Literal["idle", "starting", "ready", "down"]
Result = dict[str, Any]
Steps = Generator[None, None, Result]


class Worker(Protocol):
    """Runs operations of ``engine.ops`` somewhere."""

    def submit(self, op: str, params: dict[str, Any], priority: int = BULK) -> Future[Result]:
        """Queue an operation. The future fails with an ``AutoContextError``, ``worker_down`` when nobody can run it."""

    def depth(self, op: str) -> int:
        """How many operations of a kind to keep under way so that nobody waits for the next."""

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
    """Two threads that run operations: one for queries, one for the rest, the more urgent between steps of the less.

    Args:
        settings: the user's.
        cache_dir: where facts about models are kept; the user's cache folder by default.
        on_step: called after every step, in the thread that took it.
        low_priority: the thread that is not for queries gives way to other programs.
    """

    def __init__(
        self,
        settings: Settings,
        cache_dir: Path | None = None,
        on_step: Callable[[], None] = lambda: None,
        *,
        low_priority: bool = False,
    ) -> None:
        self._settings = settings
        self._cache_dir = cache_dir or paths.cache_dir() / "models"
        self._on_step = on_step
        self._wake = threading.Condition()
        self._queues: tuple[deque[_Job], ...] = (deque(), deque(), deque())
        self._closed = False
        self._ops: Any = None
        self._making = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(QUERY, QUERY, False), name="auto-context-query", daemon=True),
            threading.Thread(
                target=self._run, args=(SAVE, BULK, low_priority), name="auto-context-worker", daemon=True
            ),
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, op: str, params: dict[str, Any], priority: int = BULK) -> Future[Result]:
        """Queue an operation by its name in ``engine.ops``. A cancelled future ends it at its next step."""
        job = _Job(priority, op, params, Future())
        with self._wake:
            if self._closed:
                job.future.set_exception(AutoContextError("worker_down", "the worker is closed"))
                return job.future
            self._queues[priority].append(job)
            self._wake.notify_all()
        return job.future

    def close(self) -> None:
        """Stop after the current step; what has not run fails."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join(timeout=10)
        for queue in self._queues:
            while queue:
                queue.popleft().future.set_exception(AutoContextError("worker_down", "the worker was closed"))

    def _run(self, first: int, last: int, low_priority: bool) -> None:
        if low_priority:
            give_way()
        mine = self._queues[first : last + 1]
        while True:
            with self._wake:
                while not self._closed and not any(mine):
                    self._wake.wait()
                if self._closed:
                    return
            self._run_above(last + 1, first)

    def _run_above(self, priority: int, first: int = SAVE) -> None:
        """Run what is more urgent than ``priority``, the most urgent first."""
        while True:
            waiting = next((queue for queue in self._queues[first:priority] if queue), None)
            if waiting is None or self._closed:
                return
            self._execute(waiting.popleft())

    def _execute(self, job: _Job) -> None:
        if job.future.cancelled():
            return
        try:
            steps: Steps = self._operations().start(job.op, job.params)
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    _settle(job.future, end.value, None)
                    return
                self._on_step()
                if job.future.cancelled():
                    steps.close()
                    return
                if self._closed:
                    raise AutoContextError("worker_down", "the worker was closed")  # noqa: TRY301 - one way out
                self._run_above(job.priority)
        except BaseException as error:  # noqa: BLE001 - whatever an operation raises belongs to its caller
            _settle(job.future, None, AutoContextError.wrap(error))

    def _operations(self) -> Any:
        with self._making:
            if self._ops is not None:
                return self._ops
            # Imported on the worker's own thread: the service that holds only a protocol never loads this.
            from auto_context.engine.ops import Operations  # noqa: PLC0415

            self._ops = Operations(self._settings, self._cache_dir)
        return self._ops


def _settle(future: Future[Result], result: Result | None, error: AutoContextError | None) -> None:
    """End a future that somebody may cancel this moment."""
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result or {})


def give_way() -> None:
    """Lower the calling thread's priority for processor and disk, where the system has one for each thread."""
    if sys.platform != "linux":
        return
    import psutil  # noqa: PLC0415 - not for a process that only asks a worker

    with contextlib.suppress(psutil.Error, OSError):
        # To Linux a thread is a process of its own id here, in both calls.
        thread = psutil.Process(threading.get_native_id())
        thread.nice(_NICE)
        thread.ionice(psutil.IOPRIO_CLASS_BE, _LOWEST_IO)


class LocalWorker:
    """A worker in this process, for scripts and tests."""

    def __init__(self, settings: Settings, cache_dir: Path | None = None) -> None:
        self._scheduler = Scheduler(settings, cache_dir)

    def submit(self, op: str, params: dict[str, Any], priority: int = BULK) -> Future[Result]:
        """See ``Worker``."""
        return self._scheduler.submit(op, params, priority)

    def depth(self, op: str) -> int:
        """See ``Worker``."""
        del op
        return 2

    @property
    def state(self) -> WorkerState:
        """Always ready: it lives and dies with this process."""
        return "ready"

    def close(self) -> None:
        """See ``Worker``."""
        self._scheduler.close()
