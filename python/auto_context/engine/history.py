"""The last commit of every file of a worktree, kept with the store and brought up to date with HEAD."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from auto_context.engine.ops import encode_root
from auto_context.errors import AutoContextError
from auto_context.source import Root, head_commit
from auto_context.store.records import pack, unpack

if TYPE_CHECKING:
    from auto_context.engine.calls import Calls
    from auto_context.engine.views import Worktree
    from auto_context.store.records import Entry
    from auto_context.store.sidecar import Sidecar

_MOST_NEWEST = 200
_ZLIB = b"x"


class Commit(NamedTuple):
    """When, in seconds since the epoch, and the subject."""

    time: int
    subject: str


@dataclass(slots=True)
class History:
    """What HEAD's history says of each path."""

    head: str = ""
    commits: list[Commit] = field(default_factory=list)
    paths: dict[str, int] = field(default_factory=dict)
    """Path to number in ``commits``."""
    counts: dict[str, int] = field(default_factory=dict)
    """How often each path was committed in the part of the history that was read."""
    _newest: tuple[str, list[str]] | None = field(default=None, init=False, compare=False)

    @classmethod
    def load(cls, sidecar: Sidecar, worktree: bytes) -> History:
        """Read what is kept of a worktree; nothing when it never was."""
        data = sidecar.get(b"h" + worktree)
        if data is None:
            return cls()
        # Before format 4 it was not compressed; a packed list begins otherwise than what zlib makes.
        head, commits, paths, *rest = unpack(zlib.decompress(data) if data[:1] == _ZLIB else data)
        # Format 2 had no counts.
        return cls(head, [Commit(*row) for row in commits], paths, *rest)

    def save(self, sidecar: Sidecar, worktree: bytes) -> None:
        """Keep it."""
        packed = pack([self.head, self.commits, self.paths, self.counts])
        sidecar.set(b"h" + worktree, zlib.compress(packed, 1))

    def of(self, path: str) -> Commit | None:
        """The last commit of a path, None while unknown or never committed."""
        number = self.paths.get(path)
        return None if number is None else self.commits[number]

    def newest(self, prefix: str) -> list[str]:
        """The paths below a folder that the newest commits changed, the newest first; some may be gone since."""
        known = self._newest
        if known is None or known[0] != prefix:
            known = self._newest = prefix, self._find_newest(prefix)
        return known[1]

    def _find_newest(self, prefix: str) -> list[str]:
        paths = {path: at for path, at in self.paths.items() if path.startswith(prefix)} if prefix else self.paths
        counts = Counter(paths.values())
        # Commits are fewer than files: they are sorted, and of the files only those of the first ones.
        first: dict[int, int] = {}
        enough = 0
        for number in sorted(counts, key=lambda number: -self.commits[number].time):
            if enough >= _MOST_NEWEST:
                break
            first[number] = len(first)
            enough += counts[number]
        found = sorted((first[number], path) for path, number in paths.items() if number in first)
        return [path for _, path in found[:_MOST_NEWEST]]


def follow_head(worktree: Worktree, sidecar: Sidecar, root: Root, calls: Calls) -> None:
    """Read what was committed since the last time; all of it when the history was rewritten.

    Where git cannot tell (a shallow or damaged history), what was known stays.

    Raises:
        AutoContextError: ``cancelled``, ``worker_down``.
    """
    known = worktree.history
    try:
        head = head_commit(root)
        if not head or head == known.head:
            return
        wanted = list(worktree.view.entries)
        news = calls.one("history", {"root": encode_root(root), "head": head, "known": known.head, "wanted": wanted})
    except AutoContextError as error:
        if error.code == "git_failed":
            return
        raise
    fresh = [Commit(*row) for row in news["commits"]]
    if news["whole"]:
        history = History(head, fresh, news["paths"], news["counts"])
    else:
        shift = len(known.commits)
        moved = {path: number + shift for path, number in news["paths"].items()}
        counts = Counter(known.counts)
        counts.update(news["counts"])
        history = History(head, known.commits + fresh, known.paths | moved, dict(counts))
    worktree.history = history
    history.save(sidecar, worktree.id)


_RECENT_COMMITS = 30


def most_useful_first(
    documents: Sequence[tuple[int, str]], open_paths: Sequence[str], history: History, entries: Mapping[str, Entry]
) -> list[int]:
    """The order in which the transformer reads: what is open, what the last commits changed, what changes often.

    Args:
        documents: number and path of each.
        open_paths: open in an editor, the one looked at first.
        history: of the worktree; what it does not know, as a file not yet committed, goes by the time of the file.
        entries: of the view.

    Returns:
        The numbers.
    """
    opened = {path: float(number) for number, path in enumerate(open_paths)}
    times = sorted({commit.time for commit in history.commits}, reverse=True)[:_RECENT_COMMITS]
    recent = times[-1] if times else 0

    def key(document: tuple[int, str]) -> tuple[int, float, float, str]:
        path = document[1]
        commit = history.of(path)
        if commit is not None:
            when = float(commit.time)
        else:
            # A time that is not kept is one that was too fresh to be trusted.
            when = (entries[path].mtime_ns / 1e9 or float("inf")) if path in entries else 0.0
        if path in opened:
            return 0, opened[path], 0.0, path
        if when >= recent:
            return 1, -when, 0.0, path
        return 2, -float(history.counts.get(path, 0)), -when, path

    return [number for number, _ in sorted(documents, key=key)]
