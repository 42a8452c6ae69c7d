"""One tier of vectors: everything that one model made of a repository, on disk and as rows to search.

There are two, alike but for the model and for how a vector is kept: ``static`` (token vectors pooled, int8) is there
within seconds of a first index, ``vector`` (the transformer, fp16) follows behind it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from auto_context.embed.static import restore
from auto_context.store.lexical import chunk_id
from auto_context.store.records import CHUNK_BITS
from auto_context.store.vectors import VectorIndex, combine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from auto_context.engine.views import View
    from auto_context.store.sidecar import Sidecar

    Floats = NDArray[np.float32]
    Flags = NDArray[np.bool_]

PATH_WEIGHT = 0.4
"""How far a chunk's vector moves towards its path's."""
_ROWS_PER_READ = 256
"""Documents whose rows are made at once: what they take on the way fits the processor's cache."""


class Document(NamedTuple):
    """One content at one path."""

    path: str
    key: bytes
    id: int


class Marks:
    """One flag for every document of a repository, by its number."""

    def __init__(self) -> None:
        self._flags: Flags = np.zeros(1024, np.bool_)

    def set(self, numbers: Sequence[int]) -> None:
        """Set the flags of some documents."""
        if len(numbers):
            self.up_to(max(numbers) + 1)
            self._flags[np.asarray(numbers, np.int64)] = True

    def unset(self, mask: Flags) -> None:
        """Clear the flags of some documents, given as bool [documents]."""
        self.up_to(len(mask))[mask] = False

    def up_to(self, count: int) -> Flags:
        """The flags of the first ``count`` documents, bool [count]. Not a copy."""
        if count > len(self._flags):
            self._flags = np.concatenate([self._flags, np.zeros(max(count, len(self._flags)), np.bool_)])
        return self._flags[:count]


class Tier:
    """The vectors of the model in use; those of other models stay on disk, apart. Guarded by the repository's lock.

    Args:
        name: ``static`` or ``vector``, as the search leg is called.
        sidecar: where they are kept.
        lock: the repository's.
        documents: the repository's, by number.
    """

    def __init__(
        self, name: Literal["static", "vector"], sidecar: Sidecar, lock: threading.RLock, documents: Sequence[Document]
    ) -> None:
        self.name = name
        self.model = ""
        self.index: VectorIndex | None = None
        self.bodies: set[bytes] = set()
        """Contents whose vectors are stored."""
        self.paths: set[str] = set()
        """Paths whose vector is stored."""
        self._sidecar = sidecar
        self._lock = lock
        self._documents = documents
        self._rows = Marks()
        self._meta = "model" if name == "vector" else name
        self._int8 = name == "static"

    @property
    def dim(self) -> int:
        """Length of the current model's vectors, 0 before there is one."""
        return self.index.dim if self.index is not None else 0

    @property
    def bytes_per_chunk(self) -> int:
        """What one vector takes on disk."""
        return self.dim * (1 if self._int8 else 2)

    def use(self, fingerprint: str, dim: int) -> None:
        """Search with this model's vectors from now on."""
        with self._lock:
            if self.model == fingerprint:
                return
            self.model, self.index = fingerprint, VectorIndex(dim, "int8" if self._int8 else "fp16")
            prefix = self._prefix()
            self.bodies = {key[9:] for key in self._sidecar.keys(b"e" + prefix)}
            self.paths = {decode_path(key[9:]) for key in self._sidecar.keys(b"p" + prefix)}
            self._rows = Marks()
        if self._sidecar.meta.get(self._meta) != [fingerprint, dim]:
            self._sidecar.meta[self._meta] = [fingerprint, dim]
            self._sidecar.save_meta()

    def use_last(self) -> None:
        """The model used last, so that a search need not wait to be told which that is."""
        if not self.model and self._meta in self._sidecar.meta:
            self.use(*self._sidecar.meta[self._meta])

    def _prefix(self) -> bytes:
        return bytes.fromhex(self.model)[:8]

    # On disk

    def items(self, model: str, bodies: dict[bytes, bytes], paths: dict[str, bytes]) -> list[tuple[bytes, bytes]]:
        """What to store for new vectors: of whole contents, and of paths. Nothing for another model's."""
        if not model or model != self.model:
            return []
        prefix = self._prefix()
        items = [(b"e" + prefix + key, data) for key, data in bodies.items()]
        return items + [(b"p" + prefix + encode_path(path), data) for path, data in paths.items()]

    def stored(self, model: str, bodies: dict[bytes, bytes], paths: dict[str, bytes]) -> None:
        """The items of these are committed."""
        if model and model == self.model:
            with self._lock:
                self.bodies.update(bodies)
                self.paths.update(paths)

    def body_vectors(self, keys: Sequence[bytes]) -> dict[bytes, Floats]:
        """Stored vectors of contents, float32 [chunks, dim]."""
        if self.index is None:
            return {}
        prefix = b"e" + self._prefix()
        found = self._sidecar.get_many([prefix + key for key in keys])
        return {key[9:]: self._unpacked(data) for key, data in found.items()}

    def _unpacked(self, data: bytes) -> Floats:
        """Stored bytes as unit vectors, float32 [n, dim]."""
        if self._int8:
            return restore(np.frombuffer(data, np.int8).reshape(-1, self.dim))
        return np.frombuffer(data, "<f2").reshape(-1, self.dim).astype(np.float32)

    # In memory

    def missing(self, view: View) -> list[int]:
        """Numbers of the view's documents that have no rows."""
        with self._lock:
            mask = view.mask()
            numbers: list[int] = np.flatnonzero(mask & ~self._rows.up_to(len(mask))).tolist()
            return numbers

    def waiting(self, view: View) -> list[int]:
        """Numbers of the view's documents of whose content or path no vector is stored."""
        return [number for number in self.missing(view) if not self._is_stored(self._documents[number])]

    def _is_stored(self, document: Document) -> bool:
        return document.key in self.bodies and document.path in self.paths

    def load(self, view: View) -> None:
        """Give rows to every document of a view whose vectors are stored."""
        with self._lock:
            if self.index is None:
                return
            ready = [number for number in self.missing(view) if self._is_stored(self._documents[number])]
            for at in range(0, len(ready), _ROWS_PER_READ):
                self._add_rows(self.index, ready[at : at + _ROWS_PER_READ])

    def _add_rows(self, index: VectorIndex, numbers: Sequence[int]) -> None:
        documents = [self._documents[number] for number in numbers]
        prefix = self._prefix()
        bodies = self._sidecar.get_many(list({b"e" + prefix + document.key for document in documents}))
        paths = self._sidecar.get_many(list({b"p" + prefix + encode_path(document.path) for document in documents}))
        body, path, ids, done = [], [], [], []
        per_chunk = self.bytes_per_chunk
        for number, document in zip(numbers, documents, strict=True):
            packed = bodies.get(b"e" + prefix + document.key)
            named = paths.get(b"p" + prefix + encode_path(document.path))
            if packed is None or named is None:
                continue
            count = len(packed) // per_chunk
            body.append(packed)
            path.append((named, count))
            ids.append(chunk_id(number, 0) + np.arange(count, dtype=np.int64))
            done.append(number)
        if not done:
            return
        vectors = self._unpacked(b"".join(body))
        if len(vectors):
            names = self._unpacked(b"".join(named for named, _ in path))
            counts = np.array([count for _, count in path])
            index.add(np.concatenate(ids), combine(vectors, np.repeat(names, counts, axis=0), PATH_WEIGHT))
        self._rows.set(done)

    def drop(self, gone: Flags) -> int:
        """Take the rows of some documents out; what is stored stays.

        Args:
            gone: bool [documents of the repository].

        Returns:
            How many rows.
        """
        with self._lock:
            self._rows.unset(gone)
            return self.index.compact(~gone[self.index.ids >> CHUNK_BITS]) if self.index is not None else 0

    def forget(self, bodies: Iterable[bytes], paths: Iterable[str]) -> None:
        """The vectors of these are about to be removed."""
        with self._lock:
            self.bodies.difference_update(bodies)
            self.paths.difference_update(paths)

    def count(self, view: View, chunks: NDArray[np.int32]) -> int:
        """How many chunks of a view have a row.

        Args:
            view: whose.
            chunks: of every document of the repository, int32 [documents].
        """
        with self._lock:
            mask = view.mask()
            return int(chunks[: len(mask)][mask & self._rows.up_to(len(mask))].sum())

    def has_rows(self, number: int) -> bool:
        """Whether a document has rows."""
        return bool(self._rows.up_to(number + 1)[number])


def encode_path(path: str) -> bytes:
    """A path as it stands in a key."""
    return path.encode("utf-8", "surrogateescape")


def decode_path(path: bytes) -> str:
    """The reverse."""
    return path.decode("utf-8", "surrogateescape")
