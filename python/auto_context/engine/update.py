"""Bringing one worktree's view up to date: scan, read what moved, chunk, index the words, embed what is new.

Every step commits what it did, so that a kill at any instant loses no more than the step, and the next run goes on.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from auto_context.chunk import CHUNKER_VERSION
from auto_context.config import Effective, Settings, narrowed
from auto_context.engine.calls import Calls
from auto_context.engine.embedding import Embedding
from auto_context.engine.history import follow_head, most_useful_first
from auto_context.engine.membership import Scan, reconcile
from auto_context.engine.meter import Meter
from auto_context.engine.ops import encode_root
from auto_context.engine.pace import Pace
from auto_context.engine.purge import screen
from auto_context.engine.reading import RECORDLESS, Reading, Stat
from auto_context.engine.repository import Repository
from auto_context.engine.work import BULK, SAVE, Worker
from auto_context.errors import AutoContextError
from auto_context.source import REDACTION, Root, current_ref, operation_in_progress
from auto_context.store.records import Entry
from auto_context.types import Progress, UpdateReport

_LOOK_EVERY_S = 0.05
_READING_SHARE = {"all": 3.0, "static": 90.0}
"""Per cent of an update of each tier that reading takes, on a first index."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to update."""

    cancel: threading.Event | None = None
    """Checked between steps, and while one is waited for."""
    progress: Callable[[Progress], None] | None = None
    """Told at most ten times a second."""
    tier: Literal["all", "static"] = "all"
    """``static``: return when everything is searchable by words, names and static vectors."""
    open_paths: Sequence[str] = ()
    """Relative to the top: their vectors come first."""
    pace: Pace | None = None
    """May hold the transformer, but for a saved file."""


class _BranchMovedError(Exception):
    """Another branch was checked out in the middle of an update."""


class Update:
    """One run. Use ``full`` or ``some`` once.

    Args:
        repository: where it goes.
        root: which worktree.
        worker: does the reading, chunking and embedding.
        settings: the user's.
        options: how.
        purge: removes what the repository owes to be removed, while this update holds no lock.
    """

    def __init__(
        self,
        repository: Repository,
        root: Root,
        worker: Worker,
        settings: Settings,
        options: Options = Options(),
        purge: Callable[[], None] = lambda: None,
    ) -> None:
        self.repository = repository
        self._purge = purge
        self.root = root
        self.worktree = repository.worktree(root.worktree_identity)
        self._settings = settings
        self._options = options
        self._cancel = options.cancel or threading.Event()
        self._pace = options.pace or Pace()
        self._meter = Meter(options.progress, reading=_READING_SHARE[options.tier])
        self._started = time.monotonic()
        self._calls = Calls(worker, BULK, self._check_interrupt)
        self._stats: dict[str, Stat] = {}
        self._reading = Reading(repository, self.worktree, self._calls, self._stats)
        self._chosen: Effective
        """The settings as the repository narrows them, read anew at every scan."""
        self._rules: str
        self._embedding = Embedding(repository, self.worktree.view, self._calls)
        self._longest = 0
        """Most tokens of a text that the transformer reads."""
        self._removed = 0
        self._stages: Counter[str] = Counter()
        self._target: str | None = None
        """The ref a full update works for, once it knows it."""
        self._static: list[Any] | None = None
        """Fingerprint and width of the static model's vectors, None until it is distilled."""
        self._waits = True
        """Whether it waits while the transformer is held, or leaves the rest to the next update."""
        self._failure: AutoContextError | None = None
        """Why vectors are missing; words and names are indexed all the same, then the person must hear it."""

    # The two kinds of run

    def full(self, *, force: bool) -> UpdateReport:
        """Reconcile the whole worktree with its files.

        Args:
            force: read every file again instead of trusting its stat.

        Raises:
            AutoContextError: ``cancelled``, ``git_busy``, ``path_missing``, and whatever the scan met.
        """
        while True:
            try:
                with self._gone_is_said():
                    with self._turn(self.repository.full_update):
                        scanned_at = self._bring_in(force=force)
                    # Vectors may take hours: what must go does not wait for them, and a second time not for those left.
                    self._purge()
                    more = self._options.tier == "all"
                    while more:
                        with self._turn(self.repository.full_update):
                            more = self._bring_vectors()
                        self._purge()
                    report = self._finish()
            except _BranchMovedError:
                # The files under our hands are another branch's now: look again.
                continue
            self.worktree.forget_saved(scanned_at)
            return report

    def _bring_in(self, *, force: bool) -> float:
        """Make everything searchable by words, names and static vectors. Returns when the files were looked at."""
        self._target = None
        ref = self._ref()
        self._choose()
        self._meter.enter("scan")
        with self._stage("scan"):
            scanned_at = time.monotonic()
            found = self._calls.one("scan", self._where())["found"]
        self._target = ref
        self._check_interrupt()
        with self._stage("screen"):
            screen(self.repository, self._calls, self._settings)
        with self._stage("reconcile"):
            members = reconcile(
                self.repository, self.worktree, Scan(self.root, ref, self._rules, found, scanned_at), self._calls,
                force=force,
            )  # fmt: skip
            self._stats.update(members.stats)
            self._removed = members.removed
        self._ask_models()
        self._read(members.to_read, None)
        with self._stage("static"):
            self._make_static()
        self.repository.fold(self.worktree)
        return scanned_at

    def _bring_vectors(self) -> bool:
        """Run the transformer over what lacks vectors. Returns whether it made way for a purge before the end."""
        owed = self.repository.purge_owed
        # From here on everything is searchable; the history of a large repository takes seconds.
        self._measure()
        self._meter.enter("embed")
        with self._stage("history"):
            follow_head(self.worktree, self.repository.sidecar, self.root, self._calls)
        return not self._embed(self.repository.vector.missing(self.worktree.view), until_owed=not owed)

    def some(self, paths: Sequence[str]) -> UpdateReport:
        """Bring single paths up to date, given relative to the top of the worktree.

        Raises:
            AutoContextError: ``cancelled``, ``git_busy``, ``outside_root``.
        """
        self._calls.priority = SAVE
        with self._turn(self.repository.save_update), self._gone_is_said():
            self._choose()
            # Other rules are about other files as well.
            if self._ref() != self.worktree.ref or self._rules != self.worktree.rules:
                self._calls.priority = BULK
                self._waits = False
                return self.full(force=False)
            with self._stage("scan"):
                found = self._calls.one("probe", {**self._where(), "paths": list(paths)})["found"]
            put, gone, to_read = {}, [], []
            for path, size, mtime_ns, inode, skip in found:
                if skip in RECORDLESS:
                    gone.append(path)
                elif skip:
                    put[path] = Entry(b"", size, mtime_ns, inode, "", 0, skip)
                else:
                    to_read.append(path)
                    self._stats[path] = (size, mtime_ns, inode)
            self.worktree.note_saved(row[0] for row in found)
            mine = {path for path in gone if path in self.worktree.view.entries}
            self._removed = len(mine)
            hidden = {path for path, *_, skip in found if path in mine and skip != "missing"}
            self._check_interrupt()
            if hidden:
                self.repository.hide(self.worktree, self.worktree.ref, hidden)
            self.repository.commit(self.worktree, put, gone)
            self._ask_models()
            self._read(to_read, to_read)
            with self.repository.lock:
                self.worktree.touch(self.repository.sidecar)
                numbers = self.worktree.view.documents
                read = {numbers[path] for path in to_read if path in numbers}
            self._embed([number for number in self.repository.vector.missing(self.worktree.view) if number in read])
            return self._finish()

    def index_words(self) -> None:
        """Bring back the words that the view lacks, and nothing else."""
        for _ in self._reading.derive():
            self._check_interrupt()

    def _ref(self) -> str:
        ref = current_ref(self.root)
        busy = operation_in_progress(self.root)
        if busy and self.worktree.updated_at:
            raise AutoContextError("git_busy", f"a {busy} is in progress in {self.root.top}")
        return ref

    def _choose(self) -> None:
        """Read which files belong in: the repository's own file may have changed."""
        self._chosen = narrowed(self._settings, self.root.top)
        self._reading.selection = self._chosen.settings.selection()
        self._rules = _rules(self._reading.selection)

    def _where(self) -> dict[str, Any]:
        """What a scan needs to know."""
        return {"root": encode_root(self.root), "selection": self._reading.selection}

    # Contents, then vectors, then the end

    def _ask_models(self) -> None:
        """Learn which models the worker uses. Without any, words and names are indexed all the same."""
        repository = self.repository
        try:
            info = self._calls.one("info", {})
        except AutoContextError as error:
            if error.code == "cancelled":
                raise
            self._failure = error
            repository.use_last_models()
            return
        self._failure = None
        self._longest = info["max_length"]
        repository.vector.use(info["fingerprint"], info["dim"])
        self._static = info["static"]
        if info["static"] is not None:
            repository.static.use(*info["static"])
        else:
            repository.static.use_last()
        repository.load_rows(self.worktree.view)

    def _read(self, paths: Sequence[str], derived: Sequence[str] | None) -> None:
        """Read files, then derive what else is missing, of ``derived`` only or of the whole view."""
        meter, reading = self._meter, self._reading
        meter.total.files = len(paths)
        meter.total.bytes = sum(self._stats[path][0] for path in paths)
        meter.enter("chunk")
        with self._stage("chunk"):
            for _ in reading.read(paths):
                meter.files = reading.files
                self._measure()
                meter.report(reading.bytes)
        with self._stage("words"):
            for _ in reading.derive(derived):
                self._measure()
                meter.report(reading.bytes)

    def _make_static(self) -> None:
        """Have the static model distilled when there is none for this transformer, and use it."""
        if self._failure is not None:
            return
        self._meter.enter("static")
        if self._static is None:
            try:
                self._static = self._calls.one("distil", {})["static"]
            except AutoContextError as error:
                if error.code == "cancelled":
                    raise
                self._failure = error
                return
            self.repository.static.use(*self._static)
        for _ in self._reading.derive():
            self._measure()
            self._meter.report(0.0)

    def _measure(self) -> None:
        """Note how much of the view each leg can find by now."""
        repository, view = self.repository, self.worktree.view
        self._meter.chunks = view.chunks
        self._meter.coverage = {
            "static": repository.coverage(view, repository.static),
            "vector": repository.coverage(view, repository.vector),
        }

    def _embed(self, numbers: Sequence[int], *, until_owed: bool = False) -> bool:
        """Run the transformer over some documents, the most useful first.

        Args:
            numbers: of the documents.
            until_owed: whether to end as soon as something must be purged.

        Returns:
            False when it ended because of that.
        """
        if self._failure is not None:
            return True
        meter, embedding, entries = self._meter, self._embedding, self.worktree.view.entries
        documents = self.repository.documents
        ordered = most_useful_first(
            [(number, documents[number].path) for number in numbers],
            self._options.open_paths, self.worktree.history, entries,
        )  # fmt: skip
        meter.total.work = embedding.expect(ordered, self._longest)
        self._measure()
        meter.enter("embed")
        done = 0
        try:
            with self._stage("embed"):
                if not self._may_embed():
                    return True
                for work in embedding.run(ordered):
                    done += work
                    self._measure()
                    meter.report(done, embedding.tokens)
                    self._check_interrupt()
                    if until_owed and self.repository.purge_owed:
                        return False
                    if not self._may_embed():
                        return True
        except AutoContextError as error:
            if error.code == "cancelled":
                raise
            self._failure = error
        return True

    def _may_embed(self) -> bool:
        """Wait while the transformer is held. A saved file does not; what it drags along is left for later."""
        if self._calls.priority == SAVE or not self._pace.held:
            return True
        if not self._waits:
            return False
        self._meter.pause(self._pace.held)
        self._pace.wait(self._check_interrupt)
        self._meter.pause("")
        return True

    def _finish(self) -> UpdateReport:
        worktree, view, failure = self.worktree, self.worktree.view, self._failure
        with self.repository.lock:
            files, chunks = view.tally.files, view.chunks
            pending = chunks - self.repository.vector_count(view, self.repository.vector)
        if failure is not None and failure.code != "worker_down":
            raise failure
        self._measure()
        self._meter.enter("done")
        skipped, fallbacks = worktree.reasons()
        return UpdateReport(
            root=str(self.root.path),
            branch=worktree.ref,
            files=files,
            chunks=chunks,
            changed=len(self._reading.changed),
            removed=self._removed,
            embedded_chunks=self._embedding.chunks,
            embedded_paths=self._embedding.paths,
            skipped=skipped,
            fallbacks=fallbacks,
            took_s=round(time.monotonic() - self._started, 3),
            stages_s={stage: round(seconds, 3) for stage, seconds in self._stages.items()},
            pending_chunks=pending,
            coverage=dict(self._meter.coverage),
            tokens=self._embedding.tokens,
            warnings=[warning.to_dict() for warning in self._chosen.warnings],
            redacted=view.tally.redactions(),
        )

    # Plumbing

    @contextmanager
    def _turn(self, lock: threading.Lock) -> Iterator[None]:
        """Hold a lock, for which others may make us wait long."""
        while not lock.acquire(timeout=_LOOK_EVERY_S):
            self._check_interrupt()
        try:
            self.repository.lexed.mend()
            yield
        finally:
            lock.release()

    def _check_interrupt(self) -> None:
        self._meter.tick()
        if self._cancel.is_set():
            raise AutoContextError("cancelled", f"the update of {self.root.path} was cancelled")
        self._check_there()
        if self._target is not None and current_ref(self.root) != self._target:
            raise _BranchMovedError

    def _check_there(self) -> None:
        """Without its folder no file would be found, and everything would leave the view."""
        if not os.path.isdir(self.root.top):
            raise AutoContextError(
                "path_missing", f"{self.root.top} was removed or moved while it was indexed", "index it where it is now"
            )

    @contextmanager
    def _gone_is_said(self) -> Iterator[None]:
        """Whatever fails because the folder is gone is told as that."""
        try:
            yield
        except AutoContextError as error:
            if error.code != "cancelled":
                self._check_there()
            raise

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._stages[name] += time.monotonic() - began  # type: ignore[assignment]  # Counter adds floats as well


def _rules(selection: dict[str, Any]) -> str:
    text = repr((CHUNKER_VERSION, REDACTION, selection))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
