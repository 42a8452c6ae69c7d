"""What of one repository's index nothing uses any more, and its removal in small steps.

In use is what some view holds: the current one of every worktree, and those of its remembered refs that git still has
and that were the current one not long ago. What is in no view is marked with the time since when, and goes once that
is long enough ago, so that an undo, a stash or a rebase costs nothing. Views are looked through once a day: a mark is
that exact. Four kinds of things have marks: contents (``b``), paths (``p``), documents of the lexical index (``x``)
and models (``e``).

Every step is short and commits what it did; a kill between two leaves nothing that names what is gone. What an update
brings into a view meanwhile is in use from that moment on.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from auto_context.engine import views
from auto_context.engine.repository import Repository
from auto_context.engine.tier import decode_path, encode_path, prefix_of
from auto_context.engine.views import Worktree
from auto_context.source import existing_refs, worktree_tops
from auto_context.store.records import Entry, document_id
from auto_context.types import Pruned

T = TypeVar("T")

DAY_S = 86_400.0
GRACE_S = 60.0
"""Even when room is needed, what fell out of use less than this ago stays: a search may be reading it."""

_PER_STEP = 100
_DOCUMENTS_PER_STEP = 400
_DROP_SHARE = 0.05
"""Of the documents in memory: fewer in no view are not worth the moving of all rows."""
_PAUSE_S = 0.001


@dataclass(frozen=True, slots=True)
class Rules:
    """How long what is not in use is kept, in seconds."""

    versions_s: float
    refs_s: float
    half: bool = False
    """Whether the older half of the remembered refs is forgotten as well."""
    models_s: float | None = None
    """Of models, whose vectors took hours; as for versions when None."""


class Live:
    """What is in some view. It only grows. Thread-safe."""

    def __init__(self) -> None:
        self.contents: set[bytes] = set()
        self.paths: set[str] = set()
        self.documents: set[int] = set()
        self._pairs: set[tuple[str, bytes]] = set()
        self._lock = threading.Lock()

    def add(self, entries: Mapping[str, Entry]) -> None:
        """Everything of a view, or of a change to one."""
        with self._lock:
            self.paths.update(entries)
            pairs = {(path, entry.key) for path, entry in entries.items() if entry.key} - self._pairs
            self._pairs |= pairs
            self.contents.update(key for _, key in pairs)
            self.documents.update(document_id(path, key) for path, key in pairs)

    def has(self, thing: bytes) -> bool:
        """Whether something is in use, by its kind and id."""
        kind, name = thing[:1], thing[1:]
        if kind == b"b":
            return name in self.contents
        return decode_path(name) in self.paths if kind == b"p" else int.from_bytes(name, "big") in self.documents


class Collection:
    """One pass over a repository. Use ``run`` once.

    Args:
        repository: which.
        identity: its git folder, or the folder itself without git.
        rules: how long to keep what.
        now: seconds since the epoch.
        patience_s: how long to wait for an update to end, at every step.
        dry_run: find out, remove nothing.
    """

    def __init__(
        self, repository: Repository, identity: str, rules: Rules, now: float, patience_s: float, *, dry_run: bool
    ) -> None:
        self._repository = repository
        self._identity = identity
        self._rules = rules
        self._now = now
        self._patience_s = patience_s
        self._dry_run = dry_run
        self._live = Live()
        self._last: dict[bytes, float] = {}
        """When what only forgotten refs had was used last."""
        self._versions = self._vectors = self._bytes = 0
        self._branches: list[str] = []

    def run(self) -> Generator[None, None, Pruned]:
        """Yields between steps; no lock is held then.

        Raises:
            BusyError: an update is under way.
        """
        repository, rules = self._repository, self._rules
        models_s = rules.versions_s if rules.models_s is None else rules.models_s
        with self._step():
            repository.watch = None if self._dry_run else self._live.add
        try:
            gone, doomed = self._decide()
            yield
            yield from self._look(gone, doomed)
            marks = yield from self._mark()
            yield from self._forget(gone, doomed)
            keep_s = {thing: models_s if thing.startswith(b"e") else rules.versions_s for thing in marks}
            yield from self._remove([thing for thing, when in marks.items() if when <= self._now - keep_s[thing]])
            if not self._dry_run:
                with self._step():
                    repository.drop_unseen(self._now, _DROP_SHARE)
        finally:
            repository.watch = None
        return Pruned(self._identity, self._versions, self._vectors, self._branches, self._bytes)

    def _step(self) -> AbstractContextManager[None]:
        """Alone with the repository, if anything is changed at all."""
        return nullcontext() if self._dry_run else self._repository.alone(self._patience_s)

    # Refs

    def _look(self, gone: set[str], doomed: dict[str, set[str]]) -> Iterator[None]:
        """What views hold is in use, but for those to be forgotten: what these hold was used last when they were."""
        repository, sidecar = self._repository, self._repository.sidecar
        for worktree in repository.worktrees():
            if worktree.top in gone:
                continue
            self._live.add(repository.current_entries(worktree))
            yield
            for ref in set(worktree.refs) - {worktree.ref}:
                entries = views.read_entries(sidecar, worktree.id, ref) or {}
                if ref in doomed.get(worktree.top, ()):
                    self._note_last(entries, worktree.used.get(ref, self._now))
                else:
                    self._live.add(entries)
                yield

    def _forget(self, gone: set[str], doomed: dict[str, set[str]]) -> Iterator[None]:
        """Forget worktrees and refs. What they held is marked by now: a kill before does not make it young."""
        for worktree in self._repository.worktrees():
            if worktree.top in gone:
                self._branches.append(f"{worktree.ref}@{worktree.top}")
                if not self._dry_run:
                    with self._step():
                        self._repository.forget_worktree(worktree)
                yield
            for ref in sorted(doomed.get(worktree.top, ())):
                with self._step():
                    if self._dry_run or self._repository.forget_ref(worktree, ref):
                        self._branches.append(ref)
                yield

    def _decide(self) -> tuple[set[str], dict[str, set[str]]]:
        """Folders of worktrees to forget, and the refs of others to forget, by folder."""
        folder = Path(self._identity)
        tops = worktree_tops(folder)
        gone: set[str] = set()
        doomed: dict[str, set[str]] = {}
        worktrees = [worktree for worktree in self._repository.worktrees() if worktree.ref]
        existing = (
            existing_refs(folder, {ref for worktree in worktrees for ref in worktree.refs}) if worktrees else set()
        )
        for worktree in worktrees:
            if not os.path.isdir(worktree.top) and self._is_gone(worktree, tops):
                gone.add(worktree.top)
                continue
            others = sorted((worktree.used.get(ref, 0.0), ref) for ref in worktree.refs if ref != worktree.ref)
            half = {ref for _, ref in others[: (len(others) + 1) // 2]} if self._rules.half else set()
            oldest = self._now - self._rules.refs_s
            doomed[worktree.top] = {
                ref
                for used, ref in others
                if used <= (self._now - GRACE_S if ref in half else oldest) or ref not in existing
            }
        return gone, doomed

    def _is_gone(self, worktree: Worktree, tops: set[str] | None) -> bool:
        """A folder that is not there may be on a disk that is not: git must have forgotten it, or nobody used it."""
        if tops is not None and worktree.top not in tops:
            return True
        return max(worktree.used.values(), default=0.0) <= self._now - self._rules.refs_s

    def _note_last(self, entries: Mapping[str, Entry], used: float) -> None:
        for path, entry in entries.items():
            things = [b"p" + encode_path(path)]
            if entry.key:
                things += [b"b" + entry.key, _document(document_id(path, entry.key))]
            for thing in things:
                self._last[thing] = max(used, self._last.get(thing, 0.0))

    # Marks

    def _mark(self) -> Generator[None, None, dict[bytes, float]]:
        """Mark what has fallen out of use and unmark what is used again; returns since when everything dead is."""
        sidecar = self._repository.sidecar
        dead = list(self._dead())
        yield
        known = {key[1:]: float(int.from_bytes(value, "big")) for key, value in sidecar.scan(b"g")}
        marks = {thing: known.get(thing, self._last.get(thing, self._now)) for thing in dead}
        yield
        if not self._dry_run:
            stale = [b"g" + thing for thing in known.keys() - marks.keys()]
            fresh = [
                (b"g" + thing, int(when).to_bytes(8, "big")) for thing, when in marks.items() if thing not in known
            ]
            for batch in _batches(fresh, _PER_STEP):
                with self._step():
                    sidecar.set_many(batch)
                yield
            for old in _batches(stale, _PER_STEP):
                with self._step():
                    sidecar.delete_many(old)
                yield
        return marks

    def _dead(self) -> Iterator[bytes]:
        """Everything stored that is not in use, by kind and id."""
        repository, live, sidecar = self._repository, self._live, self._repository.sidecar
        with repository.lock:
            contents, documents = set(repository.blobs), set(repository.lexed.ids)
        yield from (b"b" + key for key in contents - live.contents)
        yield from map(_document, documents - live.documents)
        paths = {key[9:] for key in sidecar.keys(b"p")}
        yield from (b"p" + path for path in paths if decode_path(path) not in live.paths)
        yield from (b"e" + model for model in self._models() - self._models_in_use())

    def _models(self) -> set[bytes]:
        """Of which any vector is stored, eight bytes each."""
        return {key[1:9] for kind in (b"e", b"p") for key in self._repository.sidecar.keys(kind)}

    def _models_in_use(self) -> set[bytes]:
        """The transformer and the static model used last."""
        meta = self._repository.sidecar.meta
        return {prefix_of(meta[name][0]) for name in ("model", "static") if name in meta}

    # Removal

    def _remove(self, expired: Sequence[bytes]) -> Iterator[None]:
        """Words first: documents without their words are noticed, words without their document are not."""
        documents = [thing for thing in expired if thing.startswith(b"x")]
        yield from self._remove_words(documents)
        models = self._models()
        for batch in _batches([thing for thing in expired if thing[:1] in b"bp"], _PER_STEP):
            yield from self._remove_batch(batch, models)
        for thing in expired:
            if thing.startswith(b"e"):
                yield from self._remove_model(thing)

    def _remove_words(self, documents: Sequence[bytes]) -> Iterator[None]:
        repository = self._repository
        if self._dry_run:
            return
        for batch in _batches(documents, _DOCUMENTS_PER_STEP):
            with self._step():
                things = [thing for thing in batch if not self._live.has(thing)]
                if things:
                    repository.lexed.remove([int.from_bytes(thing[1:], "big") for thing in things])
                    repository.sidecar.delete_many([b"g" + thing for thing in things])
            yield
        if repository.lexed.strays:
            with self._step():
                repository.lexed.remove(())

    def _remove_batch(self, batch: Sequence[bytes], models: set[bytes]) -> Iterator[None]:
        """Contents and paths with their vectors of every model, in one transaction."""
        repository = self._repository
        with self._step():
            things = [thing for thing in batch if not self._live.has(thing)]
            keys = [thing[1:] for thing in things if thing.startswith(b"b")]
            paths = [thing[1:] for thing in things if thing.startswith(b"p")]
            contents = [b"b" + key for key in keys]
            vectors = [b"e" + model + key for model in models for key in keys]
            vectors += [b"p" + model + path for model in models for path in paths]
            self._count(contents, vectors)
            if not self._dry_run:
                marks = [b"g" + thing for thing in things]
                repository.remove_contents(contents + vectors + marks, keys, [decode_path(path) for path in paths])
        yield

    def _remove_model(self, thing: bytes) -> Iterator[None]:
        repository, model = self._repository, thing[1:]
        records = [key for kind in (b"e", b"p") for key in repository.sidecar.keys(kind + model)]
        for batch in _batches(records, _PER_STEP):
            with self._step():
                if model in self._models_in_use():
                    return
                self._count((), batch)
                if not self._dry_run:
                    repository.sidecar.delete_many(batch)
            yield
        if not self._dry_run:
            repository.sidecar.delete(b"g" + thing)

    def _count(self, contents: Sequence[bytes], vectors: Sequence[bytes]) -> None:
        sidecar = self._repository.sidecar
        versions, size = sidecar.measure(list(contents))
        packed, more = sidecar.measure(list(vectors))
        self._versions, self._vectors, self._bytes = (
            self._versions + versions, self._vectors + packed, self._bytes + size + more
        )  # fmt: skip


def _document(document: int) -> bytes:
    return b"x" + document.to_bytes(8, "big")


def _batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        # Locks are not fair: whoever waits for one needs a moment in which nobody holds it.
        time.sleep(_PAUSE_S)
        yield batch
