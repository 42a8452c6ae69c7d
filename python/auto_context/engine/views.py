"""Views: what one worktree holds now, and under which refs it was seen before.

A view is written whole, then as numbered changes, until the changes outgrow it: a save costs what changed.
"""

from __future__ import annotations

import hashlib
import struct
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from auto_context.engine.history import History
from auto_context.store.records import Entry, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from auto_context.engine.names import Names
    from auto_context.store.sidecar import Sidecar

T = TypeVar("T")

REMEMBERED_REFS = 20
_MOST_CHANGES = 200
_MOST_AFTER_UPDATE = 20


class Tally:
    """What entries add up to, kept while single ones come and go: a save must not count a whole repository."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.files = self.chunks = self.redacted = self.secrets = 0
        self.left_out: Counter[str] = Counter()
        """Files without content, by reason."""
        self.fallbacks: Counter[str] = Counter()
        """Files cut by line windows, by reason."""
        for entry in entries:
            self.count(entry, 1)

    def count(self, entry: Entry, by: int) -> None:
        """Take an entry in (1) or out (-1)."""
        if entry.key:
            self.files += by
            self.chunks += by * entry.chunks
            if entry.reason:
                self.fallbacks[entry.reason] += by
        else:
            self.left_out[entry.reason] += by
        if entry.redacted:
            self.redacted += by
            self.secrets += by * entry.redacted

    def redactions(self) -> dict[str, int]:
        """``secrets`` for which a marker stands, and the ``files`` they are in; empty when there are none."""
        return {"files": self.redacted, "secrets": self.secrets} if self.redacted else {}


@dataclass(slots=True)
class View:
    """The entries of one ref of one worktree, and the numbers of their documents in memory."""

    entries: dict[str, Entry]
    """Changed by ``update`` and ``replace`` only."""
    documents: dict[str, int] = field(default_factory=dict)
    names: Names | None = None
    """Of all its files, once they were asked for, but for the paths in ``touched``."""
    touched: set[str] = field(default_factory=set)
    described_at: str = ""
    """The commit of which the names of files without content speak."""
    tally: Tally = field(init=False)
    _derived: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tally = Tally(self.entries.values())

    def replace(self, entries: dict[str, Entry]) -> None:
        """Hold other entries."""
        self.entries, self.tally = entries, Tally(entries.values())

    def update(self, put: dict[str, Entry], removed: Iterable[str]) -> None:
        """Put some entries in and take others out."""
        gone = [self.entries.pop(path) for path in removed if path in self.entries]
        replaced = [self.entries[path] for path in put if path in self.entries]
        for entry in (*gone, *replaced):
            self.tally.count(entry, -1)
        for entry in put.values():
            self.tally.count(entry, 1)
        self.entries.update(put)

    def changed(self) -> None:
        """Forget what was derived from the entries."""
        self._derived.clear()

    def derived(self, name: str, key: Any, make: Callable[[], T]) -> T:
        """What ``make`` gives, made once until the view changes or the key is another.

        Args:
            name: of the value.
            key: what else it depends on.
            make: computes it.
        """
        known = self._derived.get(name)
        if known is None or known[0] != key:
            known = self._derived[name] = (key, make())
        value: T = known[1]
        return value

    def mask(self) -> NDArray[np.bool_]:
        """Which documents the view holds, bool [highest number + 1]."""
        return self.derived("mask", None, self._make_mask)

    def _make_mask(self) -> NDArray[np.bool_]:
        numbers = np.fromiter(self.documents.values(), np.int64, len(self.documents))
        mask = np.zeros(int(numbers.max()) + 1 if len(numbers) else 0, np.bool_)
        mask[numbers] = True
        return mask

    @property
    def chunks(self) -> int:
        """How many chunks its files have."""
        return self.tally.chunks


@dataclass(slots=True)
class Worktree:
    """One work tree of a repository: its folder, its ref and its view, with the refs it remembers, newest last."""

    id: bytes
    top: str
    ref: str = ""
    refs: list[str] = field(default_factory=list)
    used: dict[str, float] = field(default_factory=dict)
    """When each ref was last the current one, in seconds since the epoch."""
    updated_at: float = 0.0
    rules: str = ""
    """Fingerprint of the settings and versions the entries were made under."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Files that keep no record at all, by reason."""
    view: View = field(default_factory=lambda: View({}))
    history: History = field(default_factory=History)
    _saved: dict[str, float] = field(default_factory=dict)
    """When single paths were updated (monotonic), so that a longer update does not put older news over them."""

    @classmethod
    def load(cls, sidecar: Sidecar, top: str, *, with_view: bool = True) -> Worktree:
        """Read a worktree's record and, unless told otherwise, its current view; one never seen is empty."""
        worktree = cls(hashlib.blake2b(top.encode("utf-8", "surrogateescape"), digest_size=8).digest(), top)
        data = sidecar.get(b"w" + worktree.id)
        if data is not None:
            record = unpack(data)
            worktree.ref, worktree.refs = record["ref"], record["refs"]
            worktree.updated_at, worktree.rules = record["updated_at"], record["rules"]
            worktree.skipped = record["skipped"]
            # Older records do not say when a ref was used: no later than the last update.
            worktree.used = dict.fromkeys(worktree.refs, worktree.updated_at) | record.get("used", {})
        if data is not None and with_view:
            worktree.view = View(read_entries(sidecar, worktree.id, worktree.ref) or {})
            worktree.history = History.load(sidecar, worktree.id)
        return worktree

    def save(self, sidecar: Sidecar) -> None:
        """Write the record, not the view."""
        record: dict[str, Any] = {
            "top": self.top,
            "ref": self.ref,
            "refs": self.refs,
            "used": self.used,
            "updated_at": self.updated_at,
            "rules": self.rules,
            "skipped": self.skipped,
        }
        sidecar.set(b"w" + self.id, pack(record))

    def switch(self, sidecar: Sidecar, ref: str, entries: dict[str, Entry]) -> None:
        """Make ``entries`` the whole view under ``ref``, and forget the oldest refs."""
        if ref != self.ref or entries != self.view.entries or ref not in self.refs:
            write_entries(sidecar, self.id, ref, entries)
        self.used |= dict.fromkeys(filter(None, (self.ref, ref)), time.time())
        self.ref = ref
        self.refs = [*(name for name in self.refs if name != ref), ref]
        while len(self.refs) > REMEMBERED_REFS:
            self.used.pop(self.refs[0], None)
            _forget(sidecar, self.id, self.refs.pop(0))
        self.view.replace(entries)
        self.save(sidecar)

    def forget(self, sidecar: Sidecar, ref: str) -> None:
        """Forget a ref that is not the current one: the record first, so that nothing names what is gone."""
        with sidecar.transaction():
            self.refs = [name for name in self.refs if name != ref]
            self.used.pop(ref, None)
            self.save(sidecar)
            _forget(sidecar, self.id, ref)

    def remove(self, sidecar: Sidecar) -> None:
        """Forget the worktree itself, with every ref."""
        with sidecar.transaction():
            for kind in (b"w", b"h", b"v", b"d"):
                sidecar.delete_many(sidecar.keys(kind + self.id))

    def write_change(self, sidecar: Sidecar, put: dict[str, Entry], removed: list[str]) -> None:
        """Write some changes to the current view; ``apply`` makes them in memory.

        Args:
            sidecar: where to.
            put: new entries.
            removed: paths that are in the view.
        """
        prefix = _changes_key(self.id, self.ref)
        numbers = sidecar.keys(prefix)
        if len(numbers) >= _MOST_CHANGES:
            entries = self.view.entries | put
            for path in removed:
                entries.pop(path, None)
            write_entries(sidecar, self.id, self.ref, entries)
        else:
            last = struct.unpack(">I", numbers[-1][-4:])[0] if numbers else 0
            sidecar.set(prefix + struct.pack(">I", last + 1), pack([put, removed]))

    def fold(self, sidecar: Sidecar) -> None:
        """Write the current view whole where a bulk of changes was written: it is read faster, and smaller."""
        if len(sidecar.keys(_changes_key(self.id, self.ref))) > _MOST_AFTER_UPDATE:
            write_entries(sidecar, self.id, self.ref, self.view.entries)

    def apply(self, put: dict[str, Entry], removed: list[str]) -> None:
        """Make written changes in memory."""
        self.view.update(put, removed)

    def change(self, sidecar: Sidecar, put: dict[str, Entry], gone: Iterable[str]) -> None:
        """Both."""
        removed = [path for path in gone if path in self.view.entries]
        if put or removed:
            self.write_change(sidecar, put, removed)
            self.apply(put, removed)

    def note_saved(self, paths: Iterable[str]) -> None:
        """Some paths are being updated by themselves, as of now."""
        self._saved.update(dict.fromkeys(paths, time.monotonic()))

    def saved_since(self, when: float) -> set[str]:
        """Paths updated by themselves since then."""
        return {path for path, at in list(self._saved.items()) if at >= when}

    def forget_saved(self, before: float) -> None:
        """Those updated earlier need no protection any more."""
        for path, at in list(self._saved.items()):
            if at < before:
                self._saved.pop(path, None)

    def reasons(self) -> tuple[dict[str, int], dict[str, int]]:
        """Files not indexed by content, and files cut by line windows, both by reason."""
        tally = self.view.tally
        return dict(Counter(self.skipped) + tally.left_out), dict(+tally.fallbacks)

    def touch(self, sidecar: Sidecar) -> None:
        """The view is up to date as of now."""
        self.updated_at = self.used[self.ref] = time.time()
        self.save(sidecar)


def read_entries(sidecar: Sidecar, worktree: bytes, ref: str) -> dict[str, Entry] | None:
    """All entries of a remembered ref, None when it is not remembered."""
    data = sidecar.get(_view_key(worktree, ref))
    if data is None:
        return None
    entries = {path: Entry(*row) for path, row in unpack(zlib.decompress(data)).items()}
    for _, change in sidecar.scan(_changes_key(worktree, ref)):
        put, gone = unpack(change)
        entries.update((path, Entry(*row)) for path, row in put.items())
        for path in gone:
            entries.pop(path, None)
    return entries


def known_tops(sidecar: Sidecar) -> list[str]:
    """The folders of all worktrees there is a record of."""
    return [unpack(data)["top"] for _, data in sidecar.scan(b"w")]


def write_entries(sidecar: Sidecar, worktree: bytes, ref: str, entries: dict[str, Entry]) -> None:
    """Write a view whole and drop its changes, in one transaction."""
    with sidecar.transaction():
        sidecar.set(_view_key(worktree, ref), zlib.compress(pack(entries), 1))
        for key in sidecar.keys(_changes_key(worktree, ref)):
            sidecar.delete(key)


def other_paths(sidecar: Sidecar, worktree: Worktree, but: str) -> set[str]:
    """All paths of the remembered views but one."""
    found: set[str] = set()
    for ref in worktree.refs:
        if ref != but:
            found.update(read_entries(sidecar, worktree.id, ref) or {})
    return found


def purge_paths(sidecar: Sidecar, worktree: Worktree, paths: set[str], but: str) -> None:
    """Take paths out of every remembered view but that of one ref: they have become ignored."""
    for ref in worktree.refs:
        if ref == but:
            continue
        entries = read_entries(sidecar, worktree.id, ref) or {}
        if paths & entries.keys():
            write_entries(sidecar, worktree.id, ref, {p: e for p, e in entries.items() if p not in paths})


def _forget(sidecar: Sidecar, worktree: bytes, ref: str) -> None:
    write_entries(sidecar, worktree, ref, {})
    sidecar.delete(_view_key(worktree, ref))


def _view_key(worktree: bytes, ref: str) -> bytes:
    return b"v" + worktree + ref.encode("utf-8", "surrogateescape")


def _changes_key(worktree: bytes, ref: str) -> bytes:
    return b"d" + worktree + ref.encode("utf-8", "surrogateescape") + b"\0"
