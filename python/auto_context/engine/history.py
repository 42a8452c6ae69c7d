"""The last commit of every file of a worktree, kept with the store and brought up to date with HEAD."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from auto_context.engine.ops import encode_root
from auto_context.errors import AutoContextError
from auto_context.source import Root, head_commit
from auto_context.store.records import pack, unpack

if TYPE_CHECKING:
    from auto_context.engine.reading import Calls
    from auto_context.engine.views import Worktree
    from auto_context.store.sidecar import Sidecar


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

    @classmethod
    def load(cls, sidecar: Sidecar, worktree: bytes) -> History:
        """Read what is kept of a worktree; nothing when it never was."""
        data = sidecar.get(b"h" + worktree)
        if data is None:
            return cls()
        head, commits, paths = unpack(data)
        return cls(head, [Commit(*row) for row in commits], paths)

    def save(self, sidecar: Sidecar, worktree: bytes) -> None:
        """Keep it."""
        sidecar.set(b"h" + worktree, pack([self.head, self.commits, self.paths]))

    def of(self, path: str) -> Commit | None:
        """The last commit of a path, None while unknown or never committed."""
        number = self.paths.get(path)
        return None if number is None else self.commits[number]


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
        history = History(head, fresh, news["paths"])
    else:
        shift = len(known.commits)
        moved = {path: number + shift for path, number in news["paths"].items()}
        history = History(head, known.commits + fresh, known.paths | moved)
    worktree.history = history
    history.save(sidecar, worktree.id)
