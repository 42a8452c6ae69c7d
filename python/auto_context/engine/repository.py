"""One repository's index: the sidecar, the two derived indexes, and the documents they speak of.

A document is one content at one path. Documents get a number in memory; chunk ids in both indexes are made of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from auto_context.engine.views import View, Worktree
from auto_context.errors import AutoContextError
from auto_context.paths import private_dir
from auto_context.store.lexical import LexicalChunk, LexicalIndex, chunk_id, split_id
from auto_context.store.records import Blob, Entry, blob_summary, document_id, unpack_blob
from auto_context.store.sidecar import Sidecar
from auto_context.store.vectors import VectorIndex, combine

if TYPE_CHECKING:
    from numpy.typing import NDArray

PATH_WEIGHT = 0.4
"""How far a chunk's vector moves towards its path's."""
_ROWS_PER_READ = 2_000


class Document(NamedTuple):
    """One content at one path."""

    path: str
    key: bytes
    id: int


class Repository:
    """Everything kept of one repository. Thread-safe; ``lock`` guards what is in memory and is held briefly.

    Raises:
        AutoContextError: ``store_newer``, ``store_damaged``, ``unsafe_directory``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = private_dir(folder)
        self.lock = threading.RLock()
        self.full_update, self.save_update = threading.Lock(), threading.Lock()
        self.sidecar = Sidecar(folder / "sidecar")
        self.lexical = LexicalIndex(folder / "lexical", str(self.sidecar.meta.get("lexical", "")))
        self.documents: list[Document] = []
        self._numbers: dict[tuple[str, bytes], int] = {}
        self._by_id: dict[int, int] = {}
        self._worktrees: dict[str, Worktree] = {}
        self.blobs = {key[1:] for key in self.sidecar.keys(b"b")}
        self.lexed = {int.from_bytes(key[1:], "big") for key in self.sidecar.keys(b"x")}
        self.model = ""
        self.vectors: VectorIndex | None = None
        self.embedded: set[bytes] = set()
        self.embedded_paths: set[str] = set()
        self._with_vectors: set[int] = set()
        self.blob = lru_cache(maxsize=1024)(self._read_blob)
        if self.lexical.rebuilt:
            self._requeue_lexical()

    def close(self) -> None:
        """Close files and connections. What was committed stays."""
        self.lexical.close()
        self.sidecar.close()

    def _requeue_lexical(self) -> None:
        """The lexical index is empty: everything it held waits for it again."""
        with self.sidecar.transaction():
            for key in self.sidecar.keys(b"x"):
                self.sidecar.delete(key)
            self.sidecar.meta["lexical"] = self.lexical.generation
            self.sidecar.save_meta()
        self.lexed.clear()

    # Views and documents

    def worktree(self, top: str) -> Worktree:
        """The worktree at ``top``, read from disk the first time."""
        with self.lock:
            found = self._worktrees.get(top)
            if found is None:
                found = self._worktrees[top] = Worktree.load(self.sidecar, top)
                self.attach(found.view, found.view.entries.keys())
            return found

    def attach(self, view: View, paths: Iterable[str]) -> None:
        """Number the documents of some paths of a view, and take those of vanished paths out."""
        with self.lock:
            for path in paths:
                entry = view.entries.get(path)
                if entry is None or not entry.key:
                    view.documents.pop(path, None)
                else:
                    view.documents[path] = self._number(path, entry.key)
            view.changed()

    def _number(self, path: str, key: bytes) -> int:
        number = self._numbers.get((path, key))
        if number is None:
            number = self._numbers[path, key] = len(self.documents)
            document = Document(path, key, document_id(path, key))
            self.documents.append(document)
            self._by_id[document.id] = number
        return number

    def number_of(self, document: int) -> int | None:
        """The number in memory of a document's stable id."""
        return self._by_id.get(document)

    def _read_blob(self, key: bytes) -> Blob:
        data = self.sidecar.get(b"b" + key)
        if data is None:
            raise AutoContextError("store_damaged", f"content {key.hex()} is missing from {self.folder}")
        return unpack_blob(data)

    def chunk(self, chunk: int) -> tuple[Document, Blob, int] | None:
        """What a chunk's id stands for: document, content and position; None when there is no such chunk."""
        number, position = split_id(chunk)
        document = self.documents[number]
        blob = self.blob(document.key)
        return (document, blob, position) if position < len(blob.chunks) else None

    def summary(self, key: bytes) -> tuple[int, str]:
        """Number of chunks of a stored content, and why it was cut by line windows, if it was."""
        data = self.sidecar.get(b"b" + key)
        return blob_summary(data) if data is not None else (0, "")

    # What is written

    def commit(
        self,
        worktree: Worktree,
        put: dict[str, Entry],
        gone: Iterable[str] = (),
        blobs: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """Store contents and change the current view, in one transaction."""
        with self.lock, self.sidecar.transaction():
            for key, packed in blobs:
                self.sidecar.set(b"b" + key, packed)
            gone = list(gone)
            worktree.change(self.sidecar, put, gone)
            self.blobs.update(key for key, _ in blobs)
            self.attach(worktree.view, [*put, *gone])

    def switch(self, worktree: Worktree, ref: str, entries: dict[str, Entry]) -> None:
        """Make ``entries`` the worktree's view under ``ref``."""
        with self.lock:
            worktree.switch(self.sidecar, ref, entries)
            worktree.view.documents.clear()
            self.attach(worktree.view, entries)

    def unlexed(self, view: View) -> list[Document]:
        """Documents of a view that the lexical index lacks."""
        with self.lock:
            documents = (self.documents[number] for number in view.documents.values())
            return [document for document in documents if document.id not in self.lexed]

    def add_words(self, documents: Sequence[Document], words: Sequence[tuple[str, list[tuple[str, str, str]]]]) -> None:
        """Put documents into the lexical index, then note that they are there: a crash between repeats the first."""
        self.lexical.add(
            (document.id, path, [LexicalChunk(*chunk) for chunk in chunks])
            for document, (path, chunks) in zip(documents, words, strict=True)
        )
        self.sidecar.set_many((b"x" + document.id.to_bytes(8, "big"), b"") for document in documents)
        with self.lock:
            self.lexed.update(document.id for document in documents)

    # Vectors

    def use_model(self, fingerprint: str, dim: int) -> None:
        """Search with this model's vectors from now on; those of another model stay on disk, apart."""
        with self.lock:
            if self.model == fingerprint:
                return
            self.model, self.vectors = fingerprint, VectorIndex(dim)
            prefix = self._model_key()
            self.embedded = {key[9:] for key in self.sidecar.keys(b"e" + prefix)}
            self.embedded_paths = {_decode(key[9:]) for key in self.sidecar.keys(b"p" + prefix)}
            self._with_vectors = set()
        if self.sidecar.meta.get("model") != [fingerprint, dim]:
            self.sidecar.meta["model"] = [fingerprint, dim]
            self.sidecar.save_meta()

    def use_last_model(self) -> None:
        """Load the vectors of the model used last, so that a search need not wait to be told which that is."""
        if not self.model and "model" in self.sidecar.meta:
            self.use_model(*self.sidecar.meta["model"])

    def _model_key(self) -> bytes:
        return bytes.fromhex(self.model)[:8]

    def without_vectors(self, view: View) -> list[int]:
        """Numbers of the view's documents that have no rows in the vector index."""
        with self.lock:
            return [number for number in view.documents.values() if number not in self._with_vectors]

    def store_vectors(self, model: str, bodies: dict[bytes, bytes], paths: dict[str, bytes]) -> None:
        """Keep new vectors, fp16 bytes: of whole contents, and of paths. Another model's are dropped."""
        if model != self.model:
            return
        prefix = self._model_key()
        items = [(b"e" + prefix + key, data) for key, data in bodies.items()]
        items += [(b"p" + prefix + _encode(path), data) for path, data in paths.items()]
        self.sidecar.set_many(items)
        with self.lock:
            self.embedded.update(bodies)
            self.embedded_paths.update(paths)

    def body_vectors(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float16]]:
        """Stored vectors of contents, fp16 [chunks, dim]."""
        if self.vectors is None:
            return {}
        prefix = b"e" + self._model_key()
        found = self.sidecar.get_many([prefix + key for key in keys])
        dim = self.vectors.dim
        return {key[9:]: np.frombuffer(data, "<f2").reshape(-1, dim) for key, data in found.items()}

    def load_rows(self, view: View) -> None:
        """Give rows to every document of a view whose vectors are stored."""
        with self.lock:
            index = self.vectors
            if index is None:
                return
            key = (self.model, len(self.embedded), len(self.embedded_paths), len(self._with_vectors))
            ready = view.derived("ready", key, lambda: self._ready(view))
            for at in range(0, len(ready), _ROWS_PER_READ):
                self._add_rows(index, ready[at : at + _ROWS_PER_READ])

    def _ready(self, view: View) -> list[int]:
        """Documents whose vectors are stored and that have no rows yet."""
        return [
            number
            for number in self.without_vectors(view)
            if self.documents[number].key in self.embedded and self.documents[number].path in self.embedded_paths
        ]

    def _add_rows(self, index: VectorIndex, numbers: Sequence[int]) -> None:
        documents = [self.documents[number] for number in numbers]
        bodies = self.body_vectors([document.key for document in documents])
        prefix = b"p" + self._model_key()
        paths = self.sidecar.get_many([prefix + _encode(document.path) for document in documents])
        ids: list[NDArray[np.int64]] = []
        rows: list[NDArray[np.float32]] = []
        for number, document in zip(numbers, documents, strict=True):
            body = bodies.get(document.key)
            path = paths.get(prefix + _encode(document.path))
            if body is None or path is None:
                continue
            rows.append(combine(body.astype(np.float32), np.frombuffer(path, "<f2").astype(np.float32), PATH_WEIGHT))
            ids.append(chunk_id(number, 0) + np.arange(len(body), dtype=np.int64))
            self._with_vectors.add(number)
        if ids:
            index.add(np.concatenate(ids), np.concatenate(rows))

    def vector_count(self, view: View) -> int:
        """How many chunks of a view have a row."""
        with self.lock:
            known, entries = self._with_vectors, view.entries
            return view.derived(
                "vectors",
                (self.model, len(known)),
                lambda: sum(entries[path].chunks for path, number in view.documents.items() if number in known),
            )

    def bytes_on_disk(self) -> int:
        """Size of the store, in bytes."""
        return self.sidecar.bytes_on_disk() + self.lexical.bytes_on_disk()


def open_repository(stores: Path, identity: str, *, create: bool) -> Repository | None:
    """The repository of an identity (a real path), re-adopted by device and inode when its folder was moved.

    Args:
        stores: the folder of all stores.
        identity: the real path of the git common directory, or of a folder without git.
        create: make it when there is none.
    """
    folder = stores / hashlib.blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()
    info = os.stat(identity)
    if not folder.exists():
        moved = _moved_store(stores, info)
        if moved is not None:
            moved.rename(folder)
        elif not create:
            return None
        else:
            private_dir(stores)
            private_dir(folder)
    mark = folder / "identity.json"
    fresh = {"path": identity, "device": info.st_dev, "inode": info.st_ino}
    if _identity(mark) != fresh:
        temporary = mark.with_suffix(".tmp")
        temporary.write_text(json.dumps(fresh), "utf-8", errors="surrogateescape")
        temporary.replace(mark)
    return Repository(folder)


def _identity(mark: Path) -> dict[str, object]:
    try:
        data = json.loads(mark.read_text("utf-8", errors="surrogateescape"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _moved_store(stores: Path, info: os.stat_result) -> Path | None:
    for mark in stores.glob("*/identity.json"):
        known = _identity(mark)
        same = (known.get("device"), known.get("inode")) == (info.st_dev, info.st_ino)
        if same and not os.path.exists(str(known.get("path", ""))):
            return mark.parent
    return None


def _encode(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _decode(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
