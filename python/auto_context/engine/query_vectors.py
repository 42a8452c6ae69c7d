"""Embeddings of queries, asked of the worker once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from auto_context.engine.work import QUERY, Result, Worker

_KEPT = 64

T = TypeVar("T")


class QueryVectors:
    """The embeddings of the last 64 queries, and those on their way."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._futures: OrderedDict[str, Future[Result]] = OrderedDict()
        self._threads = ThreadPoolExecutor(2, "auto-context-vectors")
        self.hits = self.misses = 0
        """Queries that were embedded already, and those that were not."""
        self.answered = False
        """Whether the model has embedded anything since it was last down."""

    def ask(self, query: str) -> Future[Result]:
        """The embedding of a query, asked for once; a failed one is asked for again."""
        with self._lock:
            future = self._futures.pop(query, None)
            if future is None or (future.done() and future.exception() is not None):
                self.misses += 1
                future = self._worker.submit("query", {"text": query}, QUERY)
                future.add_done_callback(self._note)
            else:
                self.hits += 1
            self._futures[query] = future
            while len(self._futures) > _KEPT:
                _, oldest = self._futures.popitem(last=False)
                oldest.cancel()
            return future

    def _note(self, future: Future[Result]) -> None:
        self.answered = not future.cancelled() and future.exception() is None

    def then(self, pending: Future[Result], work: Callable[[Result], T]) -> Future[T]:
        """What some work makes of an embedding, in another thread from the moment it is there.

        Args:
            pending: the embedding.
            work: native for the most part, so that it runs beside the caller's own.
        """
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work(pending.result()))
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
                done.set_exception(error)

        def begin(_: Future[Result]) -> None:
            try:
                self._threads.submit(run)
            except RuntimeError as error:  # closed meanwhile
                done.set_exception(error)

        pending.add_done_callback(begin)
        return done

    def forget(self) -> None:
        """The model changed."""
        with self._lock:
            self._futures.clear()

    def close(self) -> None:
        """End the threads; what they have begun is finished."""
        self._threads.shutdown()
