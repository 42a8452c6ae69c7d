"""Reading what an update found: hash, chunk what is new, commit, and index the words."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from auto_context.engine.repository import Document, Repository
from auto_context.engine.views import Worktree
from auto_context.engine.work import BULK, Result, Worker
from auto_context.errors import AutoContextError
from auto_context.store.records import Entry

T = TypeVar("T")

RECORDLESS = frozenset(
    {"secret", "excluded", "ignored", "symlink", "symlink_outside", "submodule", "missing", "not_regular"}
)
"""Reasons for which not even the name is kept."""

Stat = tuple[int, int, int]
"""Size in bytes, mtime in nanoseconds, inode."""

_READ_BATCH = 64
_WORDS_BATCH = 128
_IN_FLIGHT = 2
_RACY_NS = 50_000_000
"""A file changed this shortly before it was read could change again unseen: git calls it racy. Well above any tick."""


class Calls:
    """Operations of one update at the worker.

    Args:
        worker: runs them.
        priority: of all of them.
        check: called before each; raises to end the update.
    """

    def __init__(self, worker: Worker, priority: int, check: Callable[[], None]) -> None:
        self.worker = worker
        self.priority = priority
        self.check = check

    def one(self, op: str, params: dict[str, Any]) -> Result:
        """Run one operation and wait for it."""
        self.check()
        return self.worker.submit(op, params, self.priority).result()

    def pipeline(
        self, op: str, calls: Iterable[dict[str, Any]], rescue: Callable[[dict[str, Any]], Result] | None = None
    ) -> Iterator[Result]:
        """Results in order, with the next call already at the worker while one is being stored.

        Args:
            op: the operation.
            calls: its parameters.
            rescue: gives the result of a call in which the worker died.
        """
        flight: deque[tuple[dict[str, Any], Future[Result]]] = deque()

        def land() -> Result:
            params, future = flight.popleft()
            try:
                return future.result()
            except AutoContextError as error:
                if rescue is None or error.code != "worker_down":
                    raise
                return rescue(params)

        for params in calls:
            self.check()
            flight.append((params, self.worker.submit(op, params, self.priority)))
            if len(flight) >= _IN_FLIGHT:
                yield land()
        while flight:
            yield land()


class Reading:
    """Brings files into a worktree's current view.

    Args:
        repository: where it goes.
        worktree: whose view.
        calls: the worker.
        stats: of the files, as the scan saw them.
    """

    def __init__(self, repository: Repository, worktree: Worktree, calls: Calls, stats: dict[str, Stat]) -> None:
        self._repository = repository
        self._worktree = worktree
        self._calls = calls
        self._stats = stats
        self.changed: set[str] = set()
        """Paths whose content was new to the view."""

    def read(self, paths: Sequence[str]) -> None:
        """Hash files; a content that is known becomes a member of the view, an unknown one is chunked first."""
        began = time.monotonic()
        top = self._worktree.top
        unknown: list[str] = []
        hashes = self._calls.pipeline("hash", ({"top": top, "paths": batch} for batch in _batches(paths)))
        for result in hashes:
            put: dict[str, Entry] = {}
            gone: list[str] = []
            for path, key, language, *stat, reason in result["rows"]:
                if key and key not in self._repository.blobs:
                    unknown.append(path)
                elif key:
                    put[path] = _entry(key, stat, language, *self._repository.summary(key))
                else:
                    self._leave_out(path, reason, put, gone)
            self._commit(put, gone, [], began)
        chunked = self._calls.pipeline(
            "chunk", (self._chunk_params(batch) for batch in _batches(unknown)), self._rescue
        )
        for result in chunked:
            put, gone, blobs = {}, [], []
            for path, key, language, *stat, reason, packed, chunks, fallback in result["rows"]:
                if key:
                    put[path] = _entry(key, stat, language, chunks, fallback)
                    blobs.append((key, packed))
                else:
                    self._leave_out(path, reason, put, gone)
            self._commit(put, gone, blobs, began)

    def _chunk_params(self, paths: Sequence[str], *, plain: bool = False) -> dict[str, Any]:
        entries = self._worktree.view.entries
        previous = {path: entries[path].key for path in paths if path in entries and entries[path].key}
        return {"top": self._worktree.top, "paths": list(paths), "previous": previous, "plain": plain}

    def _rescue(self, params: dict[str, Any]) -> Result:
        """A grammar is native code that some file may crash: find that file, and cut it by lines."""
        rows = []
        for path in params["paths"]:
            try:
                rows += self._calls.one("chunk", self._chunk_params([path]))["rows"]
            except AutoContextError as error:
                if error.code != "worker_down":
                    raise
                rows += self._calls.one("chunk", self._chunk_params([path], plain=True))["rows"]
        return {"rows": rows}

    def _leave_out(self, path: str, reason: str, put: dict[str, Entry], gone: list[str]) -> None:
        if reason not in RECORDLESS:
            put[path] = Entry(b"", *self._stats.get(path, (0, 0, 0)), "", 0, reason)
            return
        gone.append(path)
        if reason != "missing":
            self._worktree.skipped[reason] = self._worktree.skipped.get(reason, 0) + 1

    def _commit(self, put: dict[str, Entry], gone: list[str], blobs: list[tuple[bytes, bytes]], began: float) -> None:
        if self._calls.priority == BULK:
            # A path saved meanwhile was read later than this.
            newer = self._worktree.saved_since(began)
            put = {path: entry for path, entry in put.items() if path not in newer}
            gone = [path for path in gone if path not in newer]
        entries = self._worktree.view.entries
        self.changed.update(p for p, e in put.items() if p not in entries or entries[p].key != e.key)
        self._repository.commit(self._worktree, put, gone, blobs)

    def index_words(self) -> None:
        """Put every document of the view into the lexical index that is not there yet."""
        waiting = self._repository.unlexed(self._worktree.view)
        batches = list(_batches(waiting, _WORDS_BATCH))
        results = self._calls.pipeline("lex", ({"documents": self._packed(batch)} for batch in batches))
        for batch, result in zip(batches, results, strict=True):
            self._repository.add_words(batch, result["documents"])

    def _packed(self, batch: Sequence[Document]) -> list[tuple[str, bytes]]:
        found = self._repository.sidecar.get_many([b"b" + document.key for document in batch])
        return [(document.path, found[b"b" + document.key]) for document in batch]


def _entry(key: bytes, stat: Sequence[int], language: str, chunks: int, fallback: str) -> Entry:
    size, mtime_ns, inode = stat
    racy = time.time_ns() - mtime_ns < _RACY_NS
    return Entry(key, size, 0 if racy else mtime_ns, inode, language, chunks, fallback)


def _batches(items: Sequence[T], size: int = _READ_BATCH) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
