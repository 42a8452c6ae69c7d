"""One repository's index: the sidecar, the two derived indexes, and the documents they speak of.

A document is one content at one path. Documents get a number in memory; chunk ids in both indexes are made of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from auto_context.engine.blobs import Blobs
from auto_context.engine.lexed import Lexed
from auto_context.engine.tier import Document, Tier
from auto_context.engine.views import View, Worktree, known_tops, purge_paths, read_entries, write_entries
from auto_context.errors import AutoContextError
from auto_context.paths import private_dir
from auto_context.source import REDACTION
from auto_context.store.lexical import LexicalIndex, split_id
from auto_context.store.records import Blob, Entry, blob_summary, document_id
from auto_context.store.sidecar import Sidecar

_REST_S = 60.0
"""How long the number of a dropped document is given to no other: no search that began before goes on for longer."""
_MOSTLY = 0.9
"""The share of a view's chunks that the transformer has read, above which its answers seldom need static vectors."""


class BusyError(Exception):
    """An update is under way."""


class Repository:
    """Everything kept of one repository. Thread-safe; ``lock`` guards what is in memory and is held briefly.

    Raises:
        AutoContextError: ``store_newer``, ``store_damaged``, ``unsafe_directory``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = private_dir(folder)
        self.lock = threading.RLock()
        self._writing = threading.Lock()
        self.full_update, self.save_update = threading.Lock(), threading.Lock()
        self.sidecar = Sidecar(folder / "sidecar")
        self.lexical = LexicalIndex(folder / "lexical", str(self.sidecar.meta.get("lexical", "")))
        self.documents: list[Document] = []
        self._numbers: dict[tuple[str, bytes], int] = {}
        self._by_id: dict[int, int] = {}
        self._chunks = np.zeros(1024, np.int32)
        self._free: list[int] = []
        self._resting: list[tuple[float, list[int]]] = []
        """Numbers of dropped documents, and since when."""
        self.watch: Callable[[Mapping[str, Entry]], None] | None = None
        """Told of every entry before it becomes one of a current view."""
        self.static = Tier("static", self.sidecar, self.lock, self.documents)
        self.vector = Tier("vector", self.sidecar, self.lock, self.documents)
        self._worktrees: dict[str, Worktree] = {}
        self.blobs = {key[1:] for key in self.sidecar.keys(b"b")}
        self.lexed = Lexed(self.lexical, self.sidecar, self.lock, self.documents)
        self.blob = Blobs(self.sidecar)
        self.secrets = ""
        """What becomes of secrets, as in the settings, once ``treat_secrets`` said it."""

    def shed(self) -> bool:
        """Let go of what can be made again. Returns whether no update is under way."""
        self.blob.clear()
        idle = not (self.full_update.locked() or self.save_update.locked())
        if idle:
            self.lexical.release()
        return idle

    def close(self) -> None:
        """Close files and connections. What was committed stays."""
        self.lexed.close()
        self.lexical.close()
        self.sidecar.close()

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
            paths = list(paths)
            if view.names is not None:
                view.touched.update(paths)
            for path in paths:
                entry = view.entries.get(path)
                if entry is None or not entry.key:
                    view.documents.pop(path, None)
                else:
                    view.documents[path] = self._number(path, entry)
            view.changed()

    def _number(self, path: str, entry: Entry) -> int:
        number = self._numbers.get((path, entry.key))
        if number is None:
            document = Document(path, entry.key, document_id(path, entry.key))
            if self._free:
                number = self._free.pop()
                self.documents[number] = document
            else:
                number = len(self.documents)
                self.documents.append(document)
            self._numbers[path, entry.key] = number
            self._by_id[document.id] = number
            if number >= len(self._chunks):
                self._chunks = np.concatenate([self._chunks, np.zeros_like(self._chunks)])
            self._chunks[number] = entry.chunks
        return number

    def number_of(self, document: int) -> int | None:
        """The number in memory of a document's stable id."""
        return self._by_id.get(document)

    def chunk(self, chunk: int) -> tuple[Document, Blob, int] | None:
        """What a chunk's id stands for: document, content and position; None when there is no such chunk."""
        number, position = split_id(chunk)
        document = self.documents[number]
        blob = self.content(document.key)
        return (document, blob, position) if blob is not None and position < len(blob.chunks) else None

    def content(self, key: bytes) -> Blob | None:
        """A content, None when it had to go while a search was on its way to it.

        Raises:
            AutoContextError: ``store_damaged`` when it should be there.
        """
        try:
            return self.blob(key)
        except AutoContextError:
            if key in self.blobs:
                raise
            return None

    def summaries(self, keys: Iterable[bytes]) -> dict[bytes, tuple[int, str]]:
        """Number of chunks of stored contents, and why each was cut by line windows, if it was."""
        found = self.sidecar.get_many([b"b" + key for key in set(keys)])
        return {key[1:]: blob_summary(data) for key, data in found.items()}

    # What is written

    def commit(
        self,
        worktree: Worktree,
        put: dict[str, Entry],
        gone: Iterable[str] = (),
        items: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """Store contents and what belongs to them, and change the current view, in one transaction."""
        with self._writing:
            removed = [path for path in gone if path in worktree.view.entries]
            if self.watch is not None:
                self.watch(put)
            with self.sidecar.transaction():
                self.sidecar.set_many(items)
                if put or removed:
                    worktree.write_change(self.sidecar, put, removed)
            with self.lock:
                worktree.apply(put, removed)
                self.blobs.update(key[1:] for key, _ in items if key.startswith(b"b"))
                self.attach(worktree.view, [*put, *removed])

    def fold(self, worktree: Worktree) -> None:
        """The many changes of an update become one record, and the view counts as up to date."""
        with self._writing, self.lock, self.sidecar.transaction():
            worktree.fold(self.sidecar)
            worktree.touch(self.sidecar)

    def switch(self, worktree: Worktree, ref: str, entries: dict[str, Entry]) -> None:
        """Make ``entries`` the worktree's view under ``ref``, without those whose content was collected meanwhile."""
        with self._writing, self.lock:
            self._switch(worktree, ref, entries)

    def follow(self, worktree: Worktree, ref: str, entries: dict[str, Entry]) -> None:
        """``switch``, unless an update has brought the worktree there meanwhile: that has looked at the files."""
        with self._writing, self.lock:
            if worktree.ref != ref:
                self._switch(worktree, ref, entries)

    def _switch(self, worktree: Worktree, ref: str, entries: dict[str, Entry]) -> None:
        entries = {path: entry for path, entry in entries.items() if not entry.key or entry.key in self.blobs}
        if self.watch is not None:
            self.watch(entries)
        worktree.switch(self.sidecar, ref, entries)
        worktree.view.documents.clear()
        worktree.view.names = None
        self.attach(worktree.view, entries)

    # What must not be there any more (engine.purge decides)

    def treat_secrets(self, how: str) -> None:
        """Say what becomes of secrets. What may hold some is shown without them, until it was looked through."""
        self.secrets = how
        self.blob.redacting = how != "keep" and self.sidecar.meta.get("screened") != REDACTION
        self.blob.clear()

    def note_screened(self, version: str) -> None:
        """Note that no content holds what this version of the patterns takes for a secret; "" for none."""
        if self.sidecar.meta.get("screened", "") != version:
            self.sidecar.meta["screened"] = version
            self.sidecar.save_meta()
        self.treat_secrets(self.secrets)

    def hide(self, worktree: Worktree, ref: str, paths: set[str]) -> None:
        """Take paths out of all views of a worktree but that of ``ref``, and have what is in no view removed soon."""
        with self._writing, self.sidecar.transaction():
            purge_paths(self.sidecar, worktree, paths, ref)
            self.owe_purge(owed=True)

    def expel(self, keys: Collection[bytes]) -> None:
        """Take contents out of every view of every worktree, and have them removed soon."""
        with self._writing, self.lock, self.sidecar.transaction():
            for worktree in self.worktrees():
                loaded = worktree.top in self._worktrees
                for ref in worktree.refs:
                    current = loaded and ref == worktree.ref
                    entries = worktree.view.entries if current else read_entries(self.sidecar, worktree.id, ref) or {}
                    gone = [path for path, entry in entries.items() if entry.key in keys]
                    if gone and current:
                        worktree.change(self.sidecar, {}, gone)
                        self.attach(worktree.view, gone)
                    elif gone:
                        left = {path: entry for path, entry in entries.items() if entry.key not in keys}
                        write_entries(self.sidecar, worktree.id, ref, left)
            self.owe_purge(owed=True)

    @property
    def purge_owed(self) -> bool:
        """Whether what is in no view must go at once."""
        return bool(self.sidecar.meta.get("purge"))

    def owe_purge(self, *, owed: bool) -> None:
        """Note it, so that it outlives a kill."""
        if self.purge_owed != owed:
            self.sidecar.meta["purge"] = owed
            self.sidecar.save_meta()

    # What falls out of use (engine.garbage decides)

    @contextmanager
    def alone(self, patience_s: float) -> Iterator[None]:
        """While inside, no update runs and nobody else writes. For short steps.

        Raises:
            BusyError: an update did not end within that time.
        """
        if not self.full_update.acquire(timeout=patience_s):
            raise BusyError
        try:
            if not self.save_update.acquire(timeout=patience_s):
                raise BusyError
            try:
                if not self.lexed.settled(patience_s):
                    raise BusyError
                with self._writing:
                    yield
            finally:
                self.save_update.release()
        finally:
            self.full_update.release()

    def worktrees(self) -> list[Worktree]:
        """Every worktree there is a record of. Those nobody asked for yet have no view."""
        with self.lock:
            tops = known_tops(self.sidecar)
            return [self._worktrees.get(top) or Worktree.load(self.sidecar, top, with_view=False) for top in tops]

    def current_entries(self, worktree: Worktree) -> dict[str, Entry]:
        """A copy of the entries of a worktree's current view."""
        with self.lock:
            loaded = self._worktrees.get(worktree.top)
            if loaded is not None:
                return dict(loaded.view.entries)
        return Worktree.load(self.sidecar, worktree.top).view.entries

    def forget_ref(self, worktree: Worktree, ref: str) -> bool:
        """Forget one remembered ref; False when it is the current one by now. Call ``alone``."""
        with self.lock:
            loaded = self._worktrees.get(worktree.top) or worktree
            if ref == loaded.ref:
                return False
            loaded.forget(self.sidecar, ref)
            return True

    def forget_worktree(self, worktree: Worktree) -> None:
        """Forget a worktree with all its views. Call ``alone``."""
        with self.lock:
            self._worktrees.pop(worktree.top, None)
            worktree.remove(self.sidecar)

    def remove_contents(self, records: Iterable[bytes], keys: Collection[bytes], paths: Collection[str]) -> None:
        """Remove records in one transaction, after forgetting contents and paths that stand in them. Call ``alone``."""
        with self.lock:
            self.blobs.difference_update(keys)
            for tier in self.tiers:
                tier.forget(keys, paths)
        self.sidecar.delete_many(records)

    def drop_unseen(self, now: float, share: float) -> int:
        """Free the memory of documents that no loaded view holds, when they are more than a share of all.

        Args:
            now: seconds since the epoch.
            share: of the documents in memory, 0 to 1.

        Returns:
            How many rows of vectors were dropped.
        """
        with self.lock:
            self._free += (number for when, numbers in self._resting if now - when > _REST_S for number in numbers)
            self._resting = [item for item in self._resting if now - item[0] <= _REST_S]
            unseen = np.zeros(len(self.documents), np.bool_)
            unseen[list(self._numbers.values())] = True
            for worktree in self._worktrees.values():
                mask = worktree.view.mask()
                unseen[: len(mask)] &= ~mask
            numbers: list[int] = np.flatnonzero(unseen).tolist()
            if len(numbers) <= share * len(self._numbers):
                return 0
            for number in numbers:
                # The record itself stays until the number is given again: a search may hold it.
                path, key, document = self.documents[number]
                del self._numbers[path, key]
                self._by_id.pop(document, None)
            self._resting.append((now, numbers))
            self.lexed.drop(unseen)
            return sum(tier.drop(unseen) for tier in self.tiers)

    # Vectors

    @property
    def tiers(self) -> tuple[Tier, Tier]:
        """Both."""
        return self.static, self.vector

    def use_last_models(self) -> None:
        """Search with the models used last."""
        for tier in self.tiers:
            tier.use_last()

    def load_rows(self, view: View) -> None:
        """Give rows to every document of a view whose vectors are stored.

        Static vectors only while they stand in for many of the transformer's: else whoever asks that leg loads them.
        """
        self.vector.load(view)
        if self.coverage(view, self.vector) < _MOSTLY:
            self.static.load(view)

    def store_vectors(self, tier: Tier, model: str, bodies: dict[bytes, bytes], paths: dict[str, bytes]) -> None:
        """Keep new vectors, packed as the tier has them. Another model's are dropped."""
        self.sidecar.set_many(tier.items(model, bodies, paths))
        tier.stored(model, bodies, paths)

    def coverage(self, view: View, tier: Tier) -> float:
        """The share of a view's chunks whose vectors are stored, 0 to 1."""
        with self.lock:
            chunks = view.chunks
            return min(1.0, self.vector_count(view, tier) / chunks) if chunks else 1.0

    def vector_count(self, view: View, tier: Tier) -> int:
        """Of how many chunks of a view the vectors are stored."""
        with self.lock:
            return tier.count(view, self._chunks)

    def bytes_on_disk(self) -> int:
        """Size of the store, in bytes."""
        return self.sidecar.bytes_on_disk() + self.lexical.bytes_on_disk()
