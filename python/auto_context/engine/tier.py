"""One tier of vectors: everything that one model made of a repository, on disk and as rows to search.

There are two, alike but for the model: ``static`` (token vectors pooled) is there within seconds of a first index,
``vector`` (the transformer) follows behind it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from auto_context.embed.quantise import restore
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
_ROWS_AT_ONCE = 256
"""Made together: what they take on the way stays in the processor's cache, and is no memory asked of the system."""


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
        self._rows, self._kept = Marks(), Marks()
        """Documents that have rows, and those whose vectors are known to be stored."""
        self._changes = 0
        """How often what is stored has changed."""
        self._meta = "model" if name == "vector" else name

    @property
    def dim(self) -> int:
        """Length of the current model's vectors, 0 before there is one."""
        return self.index.dim if self.index is not None else 0

    def use(self, fingerprint: str, dim: int) -> None:
        """Search with this model's vectors from now on."""
        with self._lock:
            if self.model == fingerprint:
                return
            self.model, self.index = fingerprint, VectorIndex(dim)
            prefix = self._prefix()
            self.bodies = {key[9:] for key in self._sidecar.keys(b"e" + prefix)}
            self.paths = {decode_path(key[9:]) for key in self._sidecar.keys(b"p" + prefix)}
            self._rows, self._kept = Marks(), Marks()
            self._changes += 1
        if self._sidecar.meta.get(self._meta) != [fingerprint, dim]:
            self._sidecar.meta[self._meta] = [fingerprint, dim]
            self._sidecar.save_meta()

    def use_last(self) -> None:
        """The model used last, so that a search need not wait to be told which that is."""
        if not self.model and self._meta in self._sidecar.meta:
            self.use(*self._sidecar.meta[self._meta])

    def _prefix(self) -> bytes:
        return prefix_of(self.model)

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
                self._changes += 1

    def body_vectors(self, keys: Sequence[bytes]) -> dict[bytes, Floats]:
        """Stored vectors of contents, float32 [chunks, dim]."""
        return {key: restore(rows) for key, rows in self.body_rows(keys).items()}

    def body_rows(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.int8]]:
        """The same as they are stored, int8 [chunks, dim]."""
        if self.index is None:
            return {}
        prefix = b"e" + self._prefix()
        found = self._sidecar.get_many([prefix + key for key in keys])
        return {key[9:]: self._unpacked(data) for key, data in found.items()}

    def _unpacked(self, data: bytes) -> NDArray[np.int8]:
        return np.frombuffer(data, np.int8).reshape(-1, self.dim)

    # In memory

    def missing(self, view: View) -> list[int]:
        """Numbers of the view's documents that have no rows."""
        with self._lock:
            mask = view.mask()
            numbers: list[int] = np.flatnonzero(mask & ~self._rows.up_to(len(mask))).tolist()
            return numbers

    def waiting(self, view: View) -> list[int]:
        """Numbers of the view's documents of whose content or path no vector is stored."""
        with self._lock:
            mask = view.mask()
            numbers: list[int] = np.flatnonzero(mask & ~self._stored_of(view)).tolist()
            return numbers

    def _stored_of(self, view: View) -> Flags:
        """Which documents have their vectors stored, bool [as ``view.mask()``]: right for those of the view."""
        mask = view.mask()

        def look() -> Flags:
            unknown: list[int] = np.flatnonzero(mask & ~self._kept.up_to(len(mask))).tolist()
            documents, bodies, paths = self._documents, self.bodies, self.paths
            self._kept.set([at for at in unknown if documents[at].key in bodies and documents[at].path in paths])
            return self._kept.up_to(len(mask))

        return view.derived(f"stored {self.name}", self._changes, look)

    def load(self, view: View) -> None:
        """Give rows to every document of a view whose vectors are stored."""
        with self._lock:
            index = self.index
            if index is not None:
                # Every search asks for this: there is something to do only when the view or what is stored has changed.
                view.derived(f"rows {self.name}", self._changes, lambda: self._load(index, view))

    def _load(self, index: VectorIndex, view: View) -> None:
        stored = self._stored_of(view)
        ready: list[int] = np.flatnonzero(view.mask() & stored & ~self._rows.up_to(len(stored))).tolist()
        if ready:
            index.reserve(sum(view.entries[self._documents[number].path].chunks for number in ready))
            self._add_rows(index, ready)

    def _add_rows(self, index: VectorIndex, numbers: Sequence[int]) -> None:
        batch: list[tuple[int, bytes, bytes]] = []
        rows = 0
        for item in self._stored(numbers):
            batch.append(item)
            rows += len(item[1]) // self.dim
            if rows >= _ROWS_AT_ONCE:
                self._add(index, batch)
                batch, rows = [], 0
        if batch:
            self._add(index, batch)

    def _stored(self, numbers: Sequence[int]) -> Iterator[tuple[int, bytes, bytes]]:
        """Number, packed vectors of the content and of the path, of the documents that have both."""
        prefix, documents = self._prefix(), self._documents
        by_key: dict[bytes, list[int]] = {}
        for number in numbers:
            by_key.setdefault(documents[number].key, []).append(number)
        # A whole range of keys is read at twice the speed of single ones.
        whole = len(by_key) * 4 > len(self.bodies)
        if whole:
            paths = {key[9:]: data for key, data in self._sidecar.scan(b"p" + prefix)}
            bodies = self._sidecar.scan(b"e" + prefix)
        else:
            names = {encode_path(documents[number].path) for number in numbers}
            found = self._sidecar.get_many([b"p" + prefix + name for name in names])
            paths = {key[9:]: data for key, data in found.items()}
            bodies = self._sidecar.each(b"e" + prefix + key for key in by_key)
        for key, packed in bodies:
            for number in by_key.get(key[9:], ()):
                named = paths.get(encode_path(documents[number].path))
                if named is not None:
                    yield number, packed, named

    def _add(self, index: VectorIndex, batch: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Give rows to what ``_stored`` read."""
        counts = np.array([len(packed) // self.dim for _, packed, _ in batch])
        numbers = [number for number, _, _ in batch]
        bodies = self._unpacked(b"".join(packed for _, packed, _ in batch))
        names = self._unpacked(b"".join(named for _, _, named in batch))
        begins = np.cumsum(counts) - counts
        ids = np.repeat(np.array(numbers, np.int64) << CHUNK_BITS, counts)
        ids += np.arange(len(bodies)) - np.repeat(begins, counts)
        if len(ids):
            index.add(ids, combine(bodies, names, PATH_WEIGHT, counts))
        self._rows.set(numbers)

    def drop(self, gone: Flags) -> int:
        """Take the rows of some documents out; what is stored stays.

        Args:
            gone: bool [documents of the repository].

        Returns:
            How many rows.
        """
        with self._lock:
            self._rows.unset(gone)
            self._kept.unset(gone)
            self._changes += 1
            return self.index.compact(~gone[self.index.ids >> CHUNK_BITS]) if self.index is not None else 0

    def forget(self, bodies: Iterable[bytes], paths: Iterable[str]) -> None:
        """The vectors of these are about to be removed."""
        with self._lock:
            self.bodies.difference_update(bodies)
            self.paths.difference_update(paths)
            self._kept = Marks()
            self._changes += 1

    def count(self, view: View, chunks: NDArray[np.int32]) -> int:
        """Of how many chunks of a view the vectors are stored: they have a row, or get it when they are searched.

        Args:
            view: whose.
            chunks: of every document of the repository, int32 [documents].
        """

        def add_up() -> int:
            mask = view.mask()
            return int(chunks[: len(mask)][mask & self._stored_of(view)].sum())

        with self._lock:
            return view.derived(f"count {self.name}", self._changes, add_up)

    def has_rows(self, number: int) -> bool:
        """Whether a document has rows."""
        return bool(self._rows.up_to(number + 1)[number])


def prefix_of(model: str) -> bytes:
    """What the keys of a model's vectors have in common. How they are packed is a part of it.

    Args:
        model: its fingerprint.
    """
    return hashlib.blake2b(bytes.fromhex(model), digest_size=8, person=b"int8").digest()


def encode_path(path: str) -> bytes:
    """A path as it stands in a key."""
    return path.encode("utf-8", "surrogateescape")


def decode_path(path: bytes) -> str:
    """The reverse."""
    return path.decode("utf-8", "surrogateescape")
