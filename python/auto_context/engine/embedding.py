"""Vectors for what has none yet: bodies once per content, paths once per path, unchanged chunks never again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from auto_context.engine.repository import Repository
from auto_context.engine.views import View
from auto_context.engine.work import Result, Worker
from auto_context.errors import AutoContextError
from auto_context.store.records import blob_hashes

_CHUNKS_PER_CALL = 96
_IN_FLIGHT = 2
_RATE_AFTER_S = 1.0


@dataclass(slots=True)
class _Batch:
    """One call: what is asked of the worker, and what is taken over from earlier contents."""

    ask: list[tuple[bytes, bytes, list[int]]] = field(default_factory=list)
    """(key, packed blob, positions of the chunks to embed)."""
    taken: dict[bytes, np.ndarray[tuple[int, int], np.dtype[np.float16]]] = field(default_factory=dict)
    """Vectors of each asked content, filled where an earlier content has them."""
    paths: list[str] = field(default_factory=list)
    chunks: int = 0
    """Chunks of the documents this batch completes, for the progress."""


class Embedding:
    """One pass over a view. ``chunks`` and ``paths`` count what the model was run on."""

    def __init__(self, repository: Repository, view: View, worker: Worker, priority: int) -> None:
        self._repository = repository
        self._view = view
        self._worker = worker
        self._priority = priority
        self.chunks = 0
        self.paths = 0

    def run(self) -> Iterator[tuple[int, int, float | None]]:
        """Embed until nothing is left, yielding (chunks done, chunks in the view, seconds left or None).

        Raises:
            AutoContextError: ``worker_down`` and faults of the model. What was embedded before is stored.
        """
        repository, began = self._repository, time.monotonic()
        info = self._worker.submit("info", {}, self._priority).result()
        repository.use_model(info["fingerprint"], info["dim"])
        repository.load_rows(self._view)
        total = self._view.chunks
        done = at_start = repository.vector_count(self._view)
        yield done, total, None
        flight: deque[tuple[_Batch, Future[Result] | None]] = deque()
        for batch in self._batches():
            flight.append((batch, self._submit(batch)))
            if len(flight) < _IN_FLIGHT:
                continue
            done += self._store(*flight.popleft())
            yield done, total, _seconds_left(began, done - at_start, total - done)
        while flight:
            done += self._store(*flight.popleft())
            yield done, total, _seconds_left(began, done - at_start, total - done)

    def _batches(self) -> Iterator[_Batch]:
        repository, view = self._repository, self._view
        with repository.lock:
            documents = [repository.documents[number] for number in repository.without_vectors(view)]
            counts = {path: entry.chunks for path, entry in view.entries.items()}
        batch, size = _Batch(), 0
        asked: set[bytes] = set()
        for document in documents:
            if document.path not in repository.embedded_paths:
                batch.paths.append(document.path)
            batch.chunks += counts.get(document.path, 0)
            if document.key not in repository.embedded and document.key not in asked:
                asked.add(document.key)
                size += self._ask(batch, document.key)
            if size + len(batch.paths) // 8 >= _CHUNKS_PER_CALL:
                yield batch
                batch, size = _Batch(), 0
        if batch.chunks or batch.paths or batch.ask:
            yield batch

    def _ask(self, batch: _Batch, key: bytes) -> int:
        """Add a content to a batch; returns how many of its chunks the model must see."""
        repository = self._repository
        packed = repository.sidecar.get(b"b" + key)
        if packed is None:
            return 0
        hashes, previous = blob_hashes(packed)
        vectors = np.zeros((len(hashes), _width(repository)), np.float16)
        known = self._known(previous)
        missing = []
        for at, digest in enumerate(hashes):
            if digest in known:
                vectors[at] = known[digest]
            else:
                missing.append(at)
        batch.taken[key] = vectors
        batch.ask.append((key, packed, missing))
        return len(missing)

    def _known(self, previous: bytes) -> dict[bytes, np.ndarray[tuple[int], np.dtype[np.float16]]]:
        """Vectors of the previous content of a file by the hash of the text they stand for."""
        repository = self._repository
        if not previous or previous not in repository.embedded:
            return {}
        packed = repository.sidecar.get(b"b" + previous)
        vectors = repository.body_vectors([previous]).get(previous)
        if packed is None or vectors is None:
            return {}
        hashes, _ = blob_hashes(packed)
        return dict(zip(hashes, vectors, strict=True))

    def _submit(self, batch: _Batch) -> Future[Result] | None:
        blobs = [(packed, missing) for _, packed, missing in batch.ask if missing]
        if not blobs and not batch.paths:
            return None
        return self._worker.submit("embed", {"blobs": blobs, "paths": batch.paths}, self._priority)

    def _store(self, batch: _Batch, future: Future[Result] | None) -> int:
        repository = self._repository
        paths: dict[str, bytes] = {}
        if future is not None:
            result = future.result()
            if result["fingerprint"] != repository.model:
                raise AutoContextError("worker_down", "the worker's model changed; the next update uses it")
            width = _width(repository)
            fresh = np.frombuffer(result["chunks"], "<f2").reshape(-1, width)
            at = 0
            for key, _, missing in batch.ask:
                batch.taken[key][missing] = fresh[at : at + len(missing)]
                at += len(missing)
            rows = np.frombuffer(result["paths"], "<f2").reshape(-1, width)
            paths = {path: row.tobytes() for path, row in zip(batch.paths, rows, strict=True)}
            self.chunks += at
            self.paths += len(paths)
        bodies = {key: vectors.astype("<f2").tobytes() for key, vectors in batch.taken.items()}
        repository.store_vectors(repository.model, bodies, paths)
        repository.load_rows(self._view)
        return batch.chunks


def _width(repository: Repository) -> int:
    """Length of the current model's vectors."""
    return repository.vectors.dim if repository.vectors is not None else 0


def _seconds_left(began: float, done: int, left: int) -> float | None:
    elapsed = time.monotonic() - began
    if elapsed < _RATE_AFTER_S or done <= 0:
        return None
    return round(left * elapsed / done, 1)
