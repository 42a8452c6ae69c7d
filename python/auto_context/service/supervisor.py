"""The worker seen from the service: started on need, ended when idle, kept behind a circuit breaker."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, BinaryIO

from auto_context.engine.work import BULK, Result, WorkerState
from auto_context.errors import AutoContextError
from auto_context.service.worker import read_frame, write_frame

log = logging.getLogger(__name__)

IDLE_LIMIT_S = 300.0
HUNG_AFTER_S = 60.0
"""No step of an operation takes this long; native code that loops does, and nothing inside can stop it."""

_FAILURES = 3
_OPEN_FOR_S = 30.0
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "true",
}


class Breaker:
    """A circuit breaker: three failures in a row open it; after 30 s one attempt is let through.

    Args:
        clock: seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._opened_at = 0.0
        self._trying = False

    @property
    def open(self) -> bool:
        """Whether attempts are refused now."""
        if self._failures < _FAILURES:
            return False
        return self._trying or self._clock() - self._opened_at < _OPEN_FOR_S

    def attempt(self) -> None:
        """An attempt begins. Half open, it is the only one until it ends."""
        self._trying = self._failures >= _FAILURES

    def succeeded(self) -> None:
        """The worker answered."""
        self._failures, self._trying = 0, False

    def failed(self) -> None:
        """The worker died or could not be started."""
        self._failures += 1
        self._opened_at, self._trying = self._clock(), False


class WorkerProcess:
    """One child process that runs operations. Thread-safe.

    Args:
        config_dir: where the worker reads the user's settings.
        cache_dir: where it keeps facts about models.
        clock: seconds that only go forward; tests pass their own.
        environment: more variables for it.
    """

    def __init__(
        self,
        config_dir: Path,
        cache_dir: Path,
        clock: Callable[[], float] = time.monotonic,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [sys.executable, "-P", "-m", "auto_context.service.worker", str(config_dir), str(cache_dir)]
        self._environment = dict(environment or {})
        self._clock = clock
        self._breaker = Breaker(clock)
        self._lock = threading.RLock()
        self._write_lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._pending: dict[int, Future[Result]] = {}
        self._number = 0
        self._answered = False
        self._used_at = clock()
        self._leaving = False
        self._closed = False

    def submit(self, op: str, params: dict[str, Any], priority: int = BULK) -> Future[Result]:
        """Send an operation; the future fails with ``worker_down`` when the worker is, or dies before it answers."""
        future: Future[Result] = Future()
        with self._lock:
            try:
                child = self._running()
            except AutoContextError as error:
                future.set_exception(error)
                return future
            if not self._pending:
                # What is asked of one that hangs is no sign of life.
                self._used_at = self._clock()
            self._number += 1
            number = self._number
            self._pending[number] = future
        future.add_done_callback(lambda ended: self._give_up(number, child) if ended.cancelled() else None)
        self._write(child, {"id": number, "op": op, "params": params, "priority": priority})
        return future

    def _give_up(self, number: int, child: subprocess.Popen[bytes]) -> None:
        """Nobody waits for an operation any more: it ends at its next step."""
        with self._lock:
            known = self._pending.pop(number, None) is not None
        if known:
            self._write(child, {"cancel": number})

    def _write(self, child: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
        # A broken pipe needs no answer here: the reader sees the end and fails what is pending.
        with contextlib.suppress(BrokenPipeError, ValueError), self._write_lock:
            write_frame(_stream(child.stdin), message)

    @property
    def busy(self) -> int:
        """How many operations are under way."""
        with self._lock:
            return len(self._pending)

    @property
    def state(self) -> WorkerState:
        """See ``engine.work.Worker``."""
        with self._lock:
            if self._child is not None:
                return "ready" if self._answered else "starting"
            return "down" if self._breaker.open else "idle"

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        with self._lock:
            return self._child.pid if self._child is not None else None

    @property
    def leaving(self) -> bool:
        """Whether the child ends when it has answered what was asked."""
        with self._lock:
            return self._leaving

    def leave(self) -> None:
        """End the child as soon as nothing is under way; what is asked later starts another."""
        with self._lock:
            self._leaving = self._child is not None
            self._leave_if_idle()

    def _leave_if_idle(self) -> None:
        if self._leaving and not self._pending:
            log.info("the worker took much memory and ends")
            self._end()

    def rest(self) -> None:
        """End the child if nothing is under way."""
        with self._lock:
            if not self._pending:
                self._end()

    def look_after(self) -> None:
        """End the child when nothing was asked of it for five minutes, kill it when it hangs. Call now and then."""
        with self._lock:
            if self._child is None:
                return
            silent = self._clock() - self._used_at
            self._leave_if_idle()
            if self._child is None:
                return
            if not self._pending and silent >= IDLE_LIMIT_S:
                log.info("the worker is idle and ends")
                self._end()
            elif self._pending and silent >= HUNG_AFTER_S:
                log.warning("the worker hangs and is killed")
                self._child.kill()

    def close(self) -> None:
        """End the child; pending futures fail."""
        with self._lock:
            self._closed = True
            self._end()

    def _end(self) -> None:
        child, self._child, self._leaving = self._child, None, False
        if child is None:
            return
        child.terminate()
        try:
            child.wait(timeout=2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._fail_pending("the worker was ended")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None:
            return self._child
        if self._closed:
            raise AutoContextError("worker_down", "the service is closing")
        if self._breaker.open:
            raise AutoContextError("worker_down", "the worker failed three times; it is tried again in half a minute")
        self._breaker.attempt()
        self._answered = False
        try:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd="/",
                env={**os.environ, **_OFFLINE, **self._environment},
            )
        except OSError as error:
            self._breaker.failed()
            raise AutoContextError("worker_down", f"the worker cannot be started: {error}") from error
        log.info("worker %d started", self._child.pid)
        threading.Thread(target=self._read, args=(self._child,), name="worker-reader", daemon=True).start()
        return self._child

    def _read(self, child: subprocess.Popen[bytes]) -> None:
        stream = _stream(child.stdout)
        while (message := read_frame(stream)) is not None:
            with self._lock:
                self._used_at = self._clock()
                if "alive" in message:
                    continue
                future = self._pending.pop(message["id"], None)
                self._answered = True
                self._breaker.succeeded()
            if future is None or not future.set_running_or_notify_cancel():
                continue
            if "error" in message:
                future.set_exception(AutoContextError.from_dict(message["error"]))
            else:
                future.set_result(message["result"])
            with self._lock:
                if self._child is child:
                    self._leave_if_idle()
        status = child.wait()
        with self._lock:
            if self._child is child:
                log.warning("worker %d ended with status %s", child.pid, status)
                self._child, self._leaving = None, False
                self._breaker.failed()
                self._fail_pending(f"the worker ended with status {status}")

    def _fail_pending(self, why: str) -> None:
        pending, self._pending = self._pending, {}
        for future in pending.values():
            if future.set_running_or_notify_cancel():
                future.set_exception(AutoContextError("worker_down", why))


def _stream(stream: Any) -> BinaryIO:
    """A pipe that is there by construction."""
    result: BinaryIO = stream
    return result
