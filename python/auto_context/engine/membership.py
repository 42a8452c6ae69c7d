"""Which files are in a worktree's view, by what a scan found: before any of them is read."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

from auto_context.engine.calls import Calls
from auto_context.engine.purge import named_otherwise
from auto_context.engine.reading import RECORDLESS, Stat
from auto_context.engine.repository import Repository
from auto_context.engine.views import Worktree, read_entries
from auto_context.source import Root
from auto_context.store.records import Entry


class Scan(NamedTuple):
    """What was looked at, and what was there."""

    root: Root
    ref: str
    rules: str
    """Fingerprint of what decides which files belong in."""
    found: list[list[Any]]
    """Path, size in bytes, mtime in nanoseconds, inode, and why it is left out or ""."""
    at: float
    """When it began, monotonic."""


@dataclass(frozen=True, slots=True)
class Members:
    """What is left to do for the view."""

    to_read: list[str]
    """The files changed last first: those are what somebody works on."""
    stats: dict[str, Stat]
    """Of these."""
    removed: int
    """Files that left the view; 0 on another branch, whose files are others anyway."""


def reconcile(repository: Repository, worktree: Worktree, scan: Scan, calls: Calls, *, force: bool) -> Members:
    """Switch to the view of the scan's ref: the unchanged stays, what the ref had before stands in, the rest is read.

    Args:
        repository: of the worktree.
        worktree: whose view.
        scan: of its files.
        calls: the worker.
        force: whether files with the same stat are read as well.

    Raises:
        AutoContextError: faults of the store and the worker.
    """
    now = worktree.view.entries
    before = now if scan.ref == worktree.ref else read_entries(repository.sidecar, worktree.id, scan.ref) or {}
    trusted = worktree.rules == scan.rules and not force
    entries, stats, skipped = _sorted_out(scan, now if trusted else {}, before)
    entries.update((path, now[path]) for path in worktree.saved_since(scan.at) if path in now)
    gone = now.keys() - entries.keys()
    removed = len(gone) if scan.ref == worktree.ref else 0
    # On a branch never seen, what is still to be read is in no view yet, and no less welcome.
    lost = (now.keys() | before.keys()) - entries.keys() - stats.keys()
    present = {path for path, *_ in scan.found}
    hidden = {path for path in lost if path in present or os.path.exists(scan.root.top / path)}
    if worktree.rules and worktree.rules != scan.rules:
        hidden |= named_otherwise(repository, worktree, scan.root, scan.ref, calls)
    if hidden:
        repository.hide(worktree, scan.ref, hidden)
    worktree.rules, worktree.skipped = scan.rules, dict(skipped)
    repository.switch(worktree, scan.ref, entries)
    return Members(sorted(stats, key=lambda path: (-stats[path][1], path)), stats, removed)


def _sorted_out(
    scan: Scan, trusted: dict[str, Entry], before: dict[str, Entry]
) -> tuple[dict[str, Entry], dict[str, Stat], Counter[str]]:
    """The entries to begin with, the files to read, and those that keep no record, by reason.

    Args:
        scan: the files.
        trusted: entries that stay where the stat is the same.
        before: what stands in for a file until it is read.
    """
    entries: dict[str, Entry] = {}
    stats: dict[str, Stat] = {}
    skipped: Counter[str] = Counter()
    for path, size, mtime_ns, inode, skip in scan.found:
        if skip in RECORDLESS:
            skipped[skip] += 1
            continue
        if skip:
            entries[path] = Entry(b"", size, mtime_ns, inode, "", 0, skip)
            continue
        old = trusted.get(path)
        # A change of mode alone, which makes it readable, is in none of the three.
        if old and old.is_as(size, mtime_ns, inode) and old.reason != "unreadable":
            entries[path] = old
            continue
        if path in before:
            entries[path] = before[path]._replace(mtime_ns=0)
        stats[path] = (size, mtime_ns, inode)
    return entries, stats, skipped
