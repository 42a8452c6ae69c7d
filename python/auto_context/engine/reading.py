"""Reading what an update found: hash what may be known, cut what is new, commit, and index the words."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from auto_context.engine.calls import Calls
from auto_context.engine.repository import Repository
from auto_context.engine.tier import Document
from auto_context.engine.views import Worktree
from auto_context.engine.work import BULK, Result
from auto_context.errors import AutoContextError
from auto_context.store.records import Entry

T = TypeVar("T")

RECORDLESS = frozenset(
    {
        "secret",
        "excluded",
        "unwatched",
        "language",
        "ignored",
        "symlink",
        "symlink_outside",
        "submodule",
        "missing",
        "not_regular",
    }
)
"""Reasons for which not even the name is kept."""

Stat = tuple[int, int, int]
"""Size in bytes, mtime in nanoseconds, inode."""

Words = tuple[Document, str, list[tuple[str, str, str]]]

_HASH_BATCH, _DERIVE_BATCH = 256, 128
_BATCH_FILES, _BATCH_BYTES = 64, 1 << 19
"""One call reads this much at most: small enough to share the work evenly, large enough to commit seldom."""
_LAST_BATCHES, _LEAST_BYTES = 16, 1 << 16
"""A batch is no larger than this part of what is left, unless it is small anyway."""
_FIRST_WORDS, _MOST_WORDS = 64, 2_048
"""Documents of one commit of the lexical index: the first become searchable at once, later ones cost less together."""
_RACY_NS = 50_000_000
"""A file changed this shortly before it was read could change again unseen: git calls it racy. Well above any tick."""


class Reading:
    """Brings files into a worktree's current view, searchable by words and static vectors.

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
        self.selection: dict[str, Any] = {}
        """Which files belong in, of ``Settings.selection``."""
        self._words: list[Words] = []
        self._enough = _FIRST_WORDS
        self._left = 0
        """Files still to read."""
        self._adding: Future[None] | None = None
        """A commit of words that is under way."""
        self.changed: set[str] = set()
        """Paths whose content was new to the view."""
        self.files = 0
        """How many were read."""
        self.bytes = 0
        """Of those."""

    def read(self, paths: Sequence[str]) -> Iterator[None]:
        """Bring files in; a content that is known becomes a member of the view, an unknown one is cut first.

        Yields after every commit.
        """
        began = time.monotonic()
        # In an empty store nothing can be known.
        unknown = paths if not self._repository.blobs else None
        if unknown is None:
            unknown = []
            yield from self._hash(paths, unknown, began)
        self._left = len(unknown)
        calls = (self._chunk_params(batch) for batch in self._batched(unknown))
        for result in self._calls.pipeline("chunk", calls, self._rescue):
            self._left -= len(result["rows"])
            self._take_in(result, began)
            yield
        self._flush_words()
        self._await_words()

    def _hash(self, paths: Sequence[str], unknown: list[str], began: float) -> Iterator[None]:
        where = {"top": self._worktree.top, "selection": self.selection}
        calls = ({**where, "paths": batch} for batch in _batches(paths, _HASH_BATCH))
        for result in self._calls.pipeline("hash", calls):
            put: dict[str, Entry] = {}
            gone: list[str] = []
            known: list[Sequence[Any]] = []
            for path, key, language, *stat, reason, redacted in result["rows"]:
                if key and key not in self._repository.blobs:
                    unknown.append(path)
                elif key:
                    known.append((path, key, language, stat, redacted))
                else:
                    self._leave_out(path, reason, put, gone)
            summaries = self._repository.summaries(key for _, key, *_ in known)
            for path, key, language, stat, redacted in known:
                put[path] = _entry(key, stat, language, *summaries[key], redacted)
            self._commit(put, gone, [], began)
            self.files += len(known)
            yield

    def _batched(self, paths: Sequence[str]) -> Iterator[list[str]]:
        """Batches of about equal work, smaller ones towards the end so that all readers end together."""
        batch: list[str] = []
        size = 0
        left = sum(self._stats.get(path, (0, 0, 0))[0] for path in paths)
        for path in paths:
            batch.append(path)
            size += self._stats.get(path, (0, 0, 0))[0]
            if len(batch) >= _BATCH_FILES or size >= max(_LEAST_BYTES, min(_BATCH_BYTES, left // _LAST_BATCHES)):
                yield batch
                left -= size
                batch, size = [], 0
        if batch:
            yield batch

    def _take_in(self, result: Result, began: float) -> None:
        """Commit one call's files with their static vectors, and keep their words for the next commit of words."""
        put: dict[str, Entry] = {}
        gone: list[str] = []
        items: list[tuple[bytes, bytes]] = []
        words: list[tuple[str, bytes, str, list[tuple[str, str, str]]]] = []
        bodies: dict[bytes, bytes] = {}
        paths: dict[str, bytes] = {}
        for row in result["rows"]:
            path, key, language, *stat, reason, redacted, packed, chunks, fallback, named, lexed, body, name = row
            self.files += 1
            if not key:
                self._leave_out(path, reason, put, gone)
                continue
            self.bytes += stat[0]
            put[path] = _entry(key, stat, language, chunks, fallback, redacted)
            items.append((b"b" + key, packed))
            words.append((path, key, named, lexed))
            bodies[key], paths[path] = body, name
        static = self._repository.static
        items += static.items(result["static"], bodies, paths)
        self._commit(put, gone, items, began)
        static.stored(result["static"], bodies, paths)
        self._keep_words(words)

    def _keep_words(self, words: Iterable[tuple[str, bytes, str, list[tuple[str, str, str]]]]) -> None:
        repository, numbers = self._repository, self._worktree.view.documents
        with repository.lock:
            for path, key, named, chunks in words:
                number = numbers.get(path)
                # A file that was saved meanwhile has another content by now, and its words.
                if number is not None and repository.documents[number].key == key:
                    self._words.append((repository.documents[number], named, chunks))
        # Less towards the end: what is left when the last file was read is waited for.
        if len(self._words) >= min(self._enough, max(_FIRST_WORDS, self._left // 2)):
            self._flush_words()
            self._enough = min(self._enough * 2, _MOST_WORDS)

    def _flush_words(self) -> None:
        words, self._words = self._words, []
        self._add_words(words)
        self._repository.load_rows(self._worktree.view)

    def _add_words(self, words: Sequence[Words]) -> None:
        """One commit of words goes on beside the reading. An update that is cancelled leaves it to end behind."""
        self._await_words()
        self._adding = self._repository.lexed.add(words)

    def _await_words(self) -> None:
        if self._adding is not None:
            self._calls.wait(self._adding)
            self._adding = None

    def _chunk_params(self, paths: Sequence[str], *, plain: bool = False) -> dict[str, Any]:
        entries = self._worktree.view.entries
        previous = {path: entries[path].key for path in paths if path in entries and entries[path].key}
        model = self._repository.static.model
        return {
            "top": self._worktree.top, "paths": list(paths), "selection": self.selection, "previous": previous,
            "plain": plain, "static": model,
        }  # fmt: skip

    def _rescue(self, params: dict[str, Any]) -> Result:
        """A grammar is native code that some file may crash: find that file, and cut it by lines."""
        rows = []
        static = ""
        for path in params["paths"]:
            try:
                result = self._calls.one("chunk", self._chunk_params([path]))
            except AutoContextError as error:
                if error.code != "worker_down":
                    raise
                result = self._calls.one("chunk", self._chunk_params([path], plain=True))
            rows += result["rows"]
            static = result["static"]
        return {"rows": rows, "static": static}

    def _leave_out(self, path: str, reason: str, put: dict[str, Entry], gone: list[str]) -> None:
        if reason not in RECORDLESS:
            put[path] = Entry(b"", *self._stats.get(path, (0, 0, 0)), "", 0, reason)
            return
        gone.append(path)
        if reason == "secret" and path in self._worktree.view.entries:
            self._repository.hide(self._worktree, self._worktree.ref, {path})
        if reason != "missing":
            self._worktree.skipped[reason] = self._worktree.skipped.get(reason, 0) + 1

    def _commit(self, put: dict[str, Entry], gone: list[str], items: list[tuple[bytes, bytes]], began: float) -> None:
        if self._calls.priority == BULK:
            # A path saved meanwhile was read later than this.
            newer = self._worktree.saved_since(began)
            put = {path: entry for path, entry in put.items() if path not in newer}
            gone = [path for path in gone if path not in newer]
        if gone:
            # Files are missing: each of them, or the folder that they were all in?
            self._calls.check()
        entries = self._worktree.view.entries
        self.changed.update(p for p, e in put.items() if p not in entries or entries[p].key != e.key)
        self._repository.commit(self._worktree, put, gone, items)

    def derive(self, paths: Sequence[str] | None = None) -> Iterator[None]:
        """From stored contents make what is missing of words and static vectors.

        Args:
            paths: of these only, else of the whole view.
        """
        repository, view = self._repository, self._worktree.view
        with repository.lock:
            waiting = {document.id: document for document in repository.lexed.missing(view, paths)}
            if repository.static.model:
                lacking = (repository.documents[number] for number in repository.static.waiting(view))
                wanted = None if paths is None else set(paths)
                waiting |= {one.id: one for one in lacking if wanted is None or one.path in wanted}
        batches = list(_batches(list(waiting.values()), _DERIVE_BATCH))
        calls = ({"documents": self._packed(batch), "static": repository.static.model} for batch in batches)
        for batch, result in zip(batches, self._calls.pipeline("derive", calls), strict=True):
            bodies = {document.key: row[2] for document, row in zip(batch, result["rows"], strict=True)}
            names = {document.path: row[3] for document, row in zip(batch, result["rows"], strict=True)}
            repository.store_vectors(repository.static, result["static"], bodies, names)
            self._add_words([(document, *row[:2]) for document, row in zip(batch, result["rows"], strict=True)])
            yield
        self._await_words()
        repository.load_rows(view)

    def _packed(self, batch: Sequence[Document]) -> list[tuple[str, bytes]]:
        found = self._repository.sidecar.get_many([b"b" + document.key for document in batch])
        return [(document.path, found[b"b" + document.key]) for document in batch]


def _entry(key: bytes, stat: Sequence[int], language: str, chunks: int, fallback: str, redacted: int) -> Entry:
    size, mtime_ns, inode = stat
    racy = time.time_ns() - mtime_ns < _RACY_NS
    return Entry(key, size, 0 if racy else mtime_ns, inode, language, chunks, fallback, redacted)


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
