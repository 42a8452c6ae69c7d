"""The transformer's vectors: bodies once per content, paths once per path, unchanged chunks never again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from auto_context.engine.calls import Calls
from auto_context.engine.repository import Repository
from auto_context.engine.work import Result
from auto_context.errors import AutoContextError
from auto_context.store.records import blob_hashes

if TYPE_CHECKING:
    from auto_context.engine.views import View

_CHUNKS_PER_CALL = 96
_IN_FLIGHT = 2
_BYTES_PER_TOKEN = 3.3
"""Of source code, so that a progress can tell beforehand what there is to do."""
_PATH_TOKENS = 10


@dataclass(slots=True)
class _Batch:
    """One call: what is asked of the worker, and what is taken over from earlier contents."""

    ask: list[tuple[bytes, bytes, list[int]]] = field(default_factory=list)
    """(key, packed blob, positions of the chunks to embed)."""
    taken: dict[bytes, np.ndarray[tuple[int, int], np.dtype[np.int8]]] = field(default_factory=dict)
    """Vectors of each asked content, filled where an earlier content has them."""
    paths: list[str] = field(default_factory=list)
    work: int = 0
    """What it was expected to take, in tokens."""


class Embedding:
    """One pass over some documents of a view.

    Args:
        repository: where they are, its vector tier using the worker's model.
        view: whose files they are.
        calls: the worker.
    """

    def __init__(self, repository: Repository, view: View, calls: Calls) -> None:
        self._repository = repository
        self._tier = repository.vector
        self._view = view
        self._calls = calls
        self.chunks = 0
        """How many the model was run on."""
        self.paths = 0
        self.tokens = 0
        self._expected: dict[int, int] = {}

    def expect(self, numbers: Sequence[int], longest: int) -> int:
        """Tokens that some documents will take, as far as their sizes tell: what ``run`` yields, together.

        Args:
            numbers: of the documents.
            longest: most tokens of a chunk that the model reads.
        """
        tier, entries, documents = self._tier, self._view.entries, self._repository.documents
        seen: set[bytes] = set()
        for number in numbers:
            document = documents[number]
            work = 0 if document.path in tier.paths else _PATH_TOKENS
            entry = entries.get(document.path)
            if entry is not None and document.key not in tier.bodies and document.key not in seen:
                seen.add(document.key)
                work += min(round(entry.size / _BYTES_PER_TOKEN), entry.chunks * longest)
            self._expected[number] = work
        return sum(self._expected.values())

    def run(self, numbers: Sequence[int]) -> Iterator[int]:
        """Embed some documents in their order, yielding after every commit what it was expected to take, in tokens.

        Raises:
            AutoContextError: ``worker_down`` and faults of the model. What was embedded before is stored.
        """
        flight: deque[tuple[_Batch, Future[Result] | None]] = deque()
        try:
            for batch in self._batches(numbers):
                flight.append((batch, self._submit(batch)))
                if len(flight) >= _IN_FLIGHT:
                    yield self._store(*flight.popleft())
            while flight:
                yield self._store(*flight.popleft())
        finally:
            for _, future in flight:
                if future is not None:
                    future.cancel()

    def _batches(self, numbers: Sequence[int]) -> Iterator[_Batch]:
        repository, tier = self._repository, self._tier
        batch, size = _Batch(), 0
        asked: set[bytes] = set()
        named: set[str] = set()
        for number in numbers:
            document = repository.documents[number]
            if document.path not in tier.paths and document.path not in named:
                named.add(document.path)
                batch.paths.append(document.path)
            batch.work += self._expected.get(number, 0)
            if document.key not in tier.bodies and document.key not in asked:
                asked.add(document.key)
                size += self._ask(batch, document.key)
            if size + len(batch.paths) // 8 >= _CHUNKS_PER_CALL:
                yield batch
                batch, size = _Batch(), 0
        if batch.work or batch.paths or batch.ask:
            yield batch

    def _ask(self, batch: _Batch, key: bytes) -> int:
        """Add a content to a batch; returns how many of its chunks the model must see."""
        packed = self._repository.sidecar.get(b"b" + key)
        if packed is None:
            return 0
        hashes, previous = blob_hashes(packed)
        rows = np.zeros((len(hashes), self._tier.dim), np.int8)
        known = self._known(previous)
        missing = []
        for at, digest in enumerate(hashes):
            if digest in known:
                rows[at] = known[digest]
            else:
                missing.append(at)
        batch.taken[key] = rows
        batch.ask.append((key, packed, missing))
        return len(missing)

    def _known(self, previous: bytes) -> dict[bytes, np.ndarray[tuple[int], np.dtype[np.int8]]]:
        """Vectors of the previous content of a file by the hash of the text they stand for."""
        if not previous or previous not in self._tier.bodies:
            return {}
        packed = self._repository.sidecar.get(b"b" + previous)
        rows = self._tier.body_rows([previous]).get(previous)
        if packed is None or rows is None:
            return {}
        hashes, _ = blob_hashes(packed)
        return dict(zip(hashes, rows, strict=True))

    def _submit(self, batch: _Batch) -> Future[Result] | None:
        blobs = [(packed, missing) for _, packed, missing in batch.ask if missing]
        if not blobs and not batch.paths:
            return None
        return self._calls.submit("embed", {"blobs": blobs, "paths": batch.paths})

    def _store(self, batch: _Batch, future: Future[Result] | None) -> int:
        tier = self._tier
        paths: dict[str, bytes] = {}
        if future is not None:
            result = self._calls.wait(future)
            if result["fingerprint"] != tier.model:
                raise AutoContextError("worker_down", "the worker's model changed; the next update uses it")
            fresh = np.frombuffer(result["chunks"], np.int8).reshape(-1, tier.dim)
            at = 0
            for key, _, missing in batch.ask:
                batch.taken[key][missing] = fresh[at : at + len(missing)]
                at += len(missing)
            rows = np.frombuffer(result["paths"], np.int8).reshape(-1, tier.dim)
            paths = {path: row.tobytes() for path, row in zip(batch.paths, rows, strict=True)}
            self.chunks += at
            self.paths += len(paths)
            self.tokens += result["tokens"]
        bodies = {key: rows.tobytes() for key, rows in batch.taken.items()}
        self._repository.store_vectors(tier, tier.model, bodies, paths)
        tier.load(self._view)
        return batch.work
