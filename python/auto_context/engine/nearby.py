"""Files a person may want before a word is typed: what they had open, what stands beside it, what changed last."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator

from auto_context.engine.repository import Repository
from auto_context.engine.search import coverage
from auto_context.engine.views import Worktree
from auto_context.source import Root
from auto_context.types import Hit, NearbyRequest, SearchReply

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
    if request.near:
        for path in _beside(root, worktree, request.near):
            yield path, "near"
    for path in worktree.history.newest(root.prefix):
        yield path[len(root.prefix) :], "committed"


def _beside(root: Root, worktree: Worktree, near: str) -> list[str]:
    """Files of the same folder: those committed last, then the others by name."""
    history, skip = worktree.history, len(root.prefix)
    folder = root.prefix + near[: near.rfind("/") + 1]
    # A copy, which no update changes meanwhile.
    inside = [path for path in list(worktree.view.entries) if path.startswith(folder) and path.rfind("/") < len(folder)]
    dated = ((-commit.time if (commit := history.of(path)) else 0, path[skip:]) for path in inside)
    # One more than is shown: it may be the file itself.
    return [path for _, path in heapq.nsmallest(_NEIGHBOURS + 1, dated) if path != near][:_NEIGHBOURS]
