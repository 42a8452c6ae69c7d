"""Embeddings of queries, asked of the worker once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future

from auto_context.engine.work import QUERY, Result, Worker

_KEPT = 64


class QueryVectors:
    """The embeddings of the last 64 queries, and those on their way."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._futures: OrderedDict[str, Future[Result]] = OrderedDict()
        self.answered = False
        """Whether the model has embedded anything since it was last down."""

    def ask(self, query: str) -> Future[Result]:
        """The embedding of a query, asked for once; a failed one is asked for again."""
        with self._lock:
            future = self._futures.pop(query, None)
            if future is None or (future.done() and future.exception() is not None):
                future = self._worker.submit("query", {"text": query}, QUERY)
                future.add_done_callback(self._note)
            self._futures[query] = future
            while len(self._futures) > _KEPT:
                _, oldest = self._futures.popitem(last=False)
                oldest.cancel()
            return future

    def _note(self, future: Future[Result]) -> None:
        self.answered = not future.cancelled() and future.exception() is None

    def forget(self) -> None:
        """The model changed."""
        with self._lock:
            self._futures.clear()
