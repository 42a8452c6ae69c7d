"""Unsaved buffers: texts that stand in place of their files in the searches of one editor. Nothing is stored."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from auto_context.engine.ops import encode_root
from auto_context.engine.tier import PATH_WEIGHT
from auto_context.engine.work import SAVE, Result, Worker
from auto_context.errors import AutoContextError
from auto_context.rank.files import FileNames
from auto_context.source import Root
from auto_context.store.lexical import LexicalIndex, chunk_id
from auto_context.store.records import CHUNK_BITS, Blob, unpack_blob
from auto_context.store.terms import Counted, counted
from auto_context.store.vectors import combine

if TYPE_CHECKING:
    from concurrent.futures import Future

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

FIRST = 1 << 40
"""Numbers of documents from here on are those of an overlay: no repository comes so far."""
_FIRST_CHUNK = FIRST << CHUNK_BITS
_PAUSE_S = 1.0
"""Without a change, until the transformer reads a buffer."""
_MOST_BYTES = 64 << 20
"""Of all texts held, of every client."""


def is_unsaved(chunk: int) -> bool:
    """Whether the id of a chunk is one of an overlay."""
    return chunk >= _FIRST_CHUNK


@dataclass(slots=True)
class Unsaved:
    """One buffer. ``rows`` are of its chunks, float32 [chunks, dim] of unit length, by the model they are of."""

    path: str
    """Relative to the top of the worktree."""
    typed: str
    packed: bytes
    blob: Blob
    counts: list[Counted]
    rows: dict[str, Floats] = field(default_factory=dict)


class Overlay:
    """The buffers of one client in one worktree. Never changed but for the rows; another one takes its place."""

    def __init__(self, files: Iterable[Unsaved]) -> None:
        self.files = {file.path: file for file in files}
        self.numbers = {path: FIRST + at for at, path in enumerate(self.files)}
        self._by_number = list(self.files.values())

    def file(self, number: int) -> Unsaved:
        """The buffer with the number of a document."""
        return self._by_number[number - FIRST]

    def chunk(self, identity: int) -> tuple[Unsaved, int]:
        """The buffer that a chunk is of, and its position there."""
        return self.file(identity >> CHUNK_BITS), identity & ((1 << CHUNK_BITS) - 1)

    def lexical(
        self, index: LexicalIndex, words: Sequence[str], prefix: str, within: set[str]
    ) -> list[tuple[int, float]]:
        """Chunks with some words, scored as if they stood in the index, best first.

        Args:
            index: whose statistics count.
            words: of the query.
            prefix: the start of a word still being typed, or "".
            within: paths of the files that may answer.
        """
        chunks = [
            (chunk_id(self.numbers[path], at), counts)
            for path in within
            for at, counts in enumerate(self.files[path].counts)
        ]
        scores = index.score(words, prefix, [counts for _, counts in chunks])
        found = [(identity, score) for (identity, _), score in zip(chunks, scores, strict=True) if score > 0]
        return sorted(found, key=lambda item: -item[1])

    def nearest(self, model: str, query: Floats, within: set[str]) -> list[tuple[int, float]]:
        """Chunks by cosine to a unit vector, float32 [dim], of those with rows of a model."""
        found = []
        for path in within:
            rows = self.files[path].rows.get(model)
            if rows is not None:
                found += [(chunk_id(self.numbers[path], at), float(score)) for at, score in enumerate(rows @ query)]
        return sorted(found, key=lambda item: -item[1])

    def named(self, text: str, within: set[str], depth: int) -> list[tuple[str, float]]:
        """Files by their names; see ``FileNames``."""
        paths = sorted(within)
        return [(paths[at], score) for at, score in FileNames(paths).match(text, depth)]


class Overlays:
    """The overlays of every client. Thread-safe."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], Overlay] = {}
        self._timers: dict[tuple[str, str], threading.Timer] = {}

    def of(self, client: str, root: Root) -> Overlay | None:
        """What a client has not saved in a worktree, None for nothing."""
        return self._held.get((client, str(root.top))) if client else None

    def hold(
        self, client: str, root: Root, files: Mapping[str, str | None], selection: dict[str, Any], static: str
    ) -> int:
        """Take in what a client typed.

        Args:
            client: whose.
            root: of the worktree.
            files: texts by path relative to its top; None for one that is saved or closed.
            selection: which files are indexed, of ``Settings.selection``.
            static: the static model of the repository's rows, "" for none.

        Returns:
            How many buffers of the client stand in place of their files now.

        Raises:
            AutoContextError: ``worker_down``, ``too_large`` when more is held than there is room for.
        """
        key = (client, str(root.top))
        before = self._held.get(key)
        kept = {path: file for path, file in (before.files if before else {}).items() if path not in files}
        typed = {path: text for path, text in files.items() if text is not None}
        for path, text in list(typed.items()):
            known = before.files.get(path) if before else None
            if known is not None and known.typed == text:
                kept[path] = known
                del typed[path]
        kept |= self._cut(root, typed, selection, static)
        with self._lock:
            others = sum(len(file.typed) for at, one in self._held.items() if at != key for file in one.files.values())
            if others + sum(len(file.typed) for file in kept.values()) > _MOST_BYTES:
                raise AutoContextError("too_large", "more unsaved text than is held in memory", "save some of it")
            if kept:
                self._held[key] = Overlay(kept.values())
            else:
                self._held.pop(key, None)
            self._later(key)
        return len(kept)

    def _cut(self, root: Root, typed: Mapping[str, str], selection: dict[str, Any], static: str) -> dict[str, Unsaved]:
        typed = {path: text for path, text in typed.items() if len(text) <= selection["max_file_bytes"]}
        if not typed:
            return {}
        where = {"root": encode_root(root), "paths": sorted(typed), "selection": selection}
        admitted = self._worker.submit("admitted", where, SAVE).result()["found"]
        documents = [(path, typed[path]) for path in admitted]
        params = {"documents": documents, "selection": selection, "static": static}
        result = self._worker.submit("cut", params, SAVE).result()
        made = {}
        for path, packed, named, words, bodies, name in result["rows"]:
            counts = [counted(named, *chunk) for chunk in words]
            made[path] = Unsaved(path, typed[path], packed, unpack_blob(packed), counts)
            if bodies and result["static"]:
                made[path].rows[result["static"]] = _rows(bodies, name, len(words))
        return made

    # The transformer reads what stands still

    def _later(self, key: tuple[str, str]) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._held:
            timer = self._timers[key] = threading.Timer(_PAUSE_S, self._embed, (key,))
            timer.daemon = True
            timer.start()

    def _embed(self, key: tuple[str, str]) -> None:
        with self._lock:
            overlay = self._held.get(key)
            self._timers.pop(key, None)
        for file in overlay.files.values() if overlay is not None else ():
            if file.blob.chunks and file.packed:
                everything = list(range(len(file.blob.chunks)))
                params = {"blobs": [(file.packed, everything)], "paths": [file.path]}
                self._worker.submit("embed", params, SAVE).add_done_callback(
                    lambda done, file=file: _take(done, file)  # type: ignore[misc]  # bound now, not when it runs
                )

    def drop(self, clients: Iterable[str]) -> None:
        """Some clients are gone."""
        gone = set(clients)
        with self._lock:
            for key in [key for key in self._held if key[0] in gone]:
                del self._held[key]
                self._later(key)

    def clients(self) -> set[str]:
        """Who holds something."""
        return {client for client, _ in list(self._held)}

    def close(self) -> None:
        """End what waits."""
        self.drop(self.clients())


def _take(done: Future[Result], file: Unsaved) -> None:
    """The transformer's vectors, where it could make them: the other legs answer without."""
    if not done.cancelled() and done.exception() is None:
        result = done.result()
        file.rows[result["fingerprint"]] = _rows(result["chunks"], result["paths"], len(file.blob.chunks))
        file.packed = b""  # once


def _rows(bodies: bytes, name: bytes, count: int) -> Floats:
    """Vectors as the index has them: of the chunks, moved towards the path's."""
    if not count:
        return np.zeros((0, 0), np.float32)
    body, path = np.frombuffer(bodies, np.int8), np.frombuffer(name, np.int8)
    return combine(body.reshape(count, -1), path.reshape(1, -1), PATH_WEIGHT, count)


def merged(
    found: Sequence[tuple[int, float]], more: Sequence[tuple[int, float]], depth: int
) -> list[tuple[int, float]]:
    """Two lists of one leg as one, best first."""
    if not more:
        return list(found)
    return sorted(itertools.chain(found, more), key=lambda item: -item[1])[:depth]
