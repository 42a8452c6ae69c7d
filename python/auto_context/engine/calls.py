"""The operations of one update at the worker: in order, several under way, given up the moment it is cancelled."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from auto_context.engine.work import Result, Worker
from auto_context.errors import AutoContextError

T = TypeVar("T")

_LOOK_EVERY_S = 0.05


class Calls:
    """Operations of one update.

    Args:
        worker: runs them.
        priority: of all of them.
        check: called before each and while one is waited for; raises to end the update.
    """

    def __init__(self, worker: Worker, priority: int, check: Callable[[], None]) -> None:
        self.worker = worker
        self.priority = priority
        self.check = check

    def submit(self, op: str, params: dict[str, Any]) -> Future[Result]:
        """Begin one operation."""
        self.check()
        return self.worker.submit(op, params, self.priority)

    def wait(self, future: Future[T]) -> T:
        """Its result; when the update ends meanwhile the operation is given up, or ends behind."""
        while True:
            try:
                return future.result(_LOOK_EVERY_S)
            except FutureTimeout:
                if future.done():
                    raise
            try:
                self.check()
            except BaseException:
                future.cancel()
                raise

    def one(self, op: str, params: dict[str, Any]) -> Result:
        """Run one operation and wait for it."""
        return self.wait(self.submit(op, params))

    def pipeline(
        self, op: str, calls: Iterable[dict[str, Any]], rescue: Callable[[dict[str, Any]], Result] | None = None
    ) -> Iterator[Result]:
        """Results in order, with more calls at the worker while one is being stored; no more than it can hold.

        Args:
            op: the operation.
            calls: its parameters.
            rescue: gives the result of a call in which the worker died.
        """
        flight: deque[tuple[dict[str, Any], Future[Result]]] = deque()

        def land() -> Result:
            params, future = flight.popleft()
            try:
                return self.wait(future)
            except AutoContextError as error:
                if rescue is None or error.code != "worker_down":
                    raise
                return rescue(params)

        try:
            for params in calls:
                flight.append((params, self.submit(op, params)))
                if len(flight) >= self.worker.depth(op):
                    yield land()
            while flight:
                yield land()
        finally:
            for _, future in flight:
                future.cancel()
