"""Files a person may want before a word is typed: what they had open, what stands beside it, what changed last."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from pathlib import PurePosixPath

from auto_context.engine.repository import Repository
from auto_context.engine.search import coverage
from auto_context.engine.views import Worktree
from auto_context.source import Root
from auto_context.types import Hit, NearbyRequest, SearchReply

_FRESHEST = 200
_NEIGHBOURS = 8
"""Files of one folder: a large one must not hide what changed last."""


def nearby(repository: Repository, root: Root, worktree: Worktree, branch: str, request: NearbyRequest) -> SearchReply:
    """Answer from the worktree's view; every hit is a file, ``reason`` says why it is there."""
    began = time.monotonic()
    entries = worktree.view.entries
    hits: dict[str, Hit] = {}
    for path, reason in _wanted(root, worktree, request):
        if len(hits) >= request.limit:
            break
        full = root.prefix + path
        if path not in hits and path != request.near and full in entries:
            commit = worktree.history.of(full)
            last = {"time": commit.time, "subject": commit.subject} if commit else None
            hits[path] = Hit(
                path, 1, 1, (1, 1), "", "file", entries[full].language, 0.0, [], fresh=True, text="",
                last_commit=last, reason=reason,
            )  # fmt: skip
    took = round((time.monotonic() - began) * 1000, 2)
    shares = coverage(repository, worktree.view)
    return SearchReply("", str(root.path), branch, took, dict.fromkeys(shares, "off"), shares, list(hits.values()))


def _wanted(root: Root, worktree: Worktree, request: NearbyRequest) -> Iterator[tuple[str, str]]:
    for path in request.open:
        yield path, "open"
    for path in request.recent:
        yield path, "recent"
    fresh = worktree.view.derived("fresh", (root.prefix, worktree.history.head), lambda: _freshest(root, worktree))
    if request.near:
        folder = PurePosixPath(request.near).parent
        beside = [path for path in fresh if PurePosixPath(path).parent == folder]
        for path in beside[:_NEIGHBOURS]:
            yield path, "near"
    for path in fresh:
        yield path, "committed"


def _freshest(root: Root, worktree: Worktree) -> list[str]:
    """The files that the newest commits changed, the newest first."""
    history, skip = worktree.history, len(root.prefix)
    known = ((path, history.of(path)) for path in worktree.view.entries if path.startswith(root.prefix))
    dated = ((-commit.time, path[skip:]) for path, commit in known if commit is not None)
    return [path for _, path in heapq.nsmallest(_FRESHEST, dated)]
