"""Figures of one worktree's index, and what of it the files on disk have left behind."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any, Literal

from auto_context.engine.repository import Repository
from auto_context.engine.search import coverage
from auto_context.engine.views import Worktree
from auto_context.source import Root, current_ref
from auto_context.store.records import Entry
from auto_context.types import RepositoryStatus


def status_of(
    root: Root,
    repository: Repository | None,
    model: str,
    embedding: Literal["ready", "loading", "down", "idle"],
    warnings: list[dict[str, str]],
) -> RepositoryStatus:
    """What ``status`` tells of a worktree.

    Args:
        root: which.
        repository: its index, its rows loaded; None when there is none.
        model: as the settings name it.
        embedding: how the worker is.
        warnings: about the repository's own settings.
    """
    branch = current_ref(root)
    if repository is None:
        return RepositoryStatus(
            str(root.path), str(root.top), branch, indexed=False, files=0, chunks=0, vectors=0,
            static_vectors=0, skipped={}, fallbacks={}, updated_at=0.0, store="", store_bytes=0, model=model,
            embedding=embedding, warnings=warnings,
        )  # fmt: skip
    worktree = repository.worktree(root.worktree_identity)
    skipped, fallbacks = worktree.reasons()
    with repository.lock:
        view = worktree.view
        return RepositoryStatus(
            root=str(root.path),
            top=str(root.top),
            branch=branch,
            indexed=True,
            files=len(view.documents),
            chunks=view.chunks,
            vectors=repository.vector_count(view, repository.vector),
            static_vectors=repository.vector_count(view, repository.static),
            skipped=skipped,
            fallbacks=fallbacks,
            updated_at=worktree.updated_at,
            store=str(repository.folder),
            store_bytes=repository.bytes_on_disk(),
            model=model,
            embedding=embedding,
            warnings=warnings,
            redacted=view.tally.redactions(),
        )


def figures(status: RepositoryStatus, repository: Repository | None, worktree: Worktree | None) -> dict[str, Any]:
    """What ``stats`` tells of a root: its status, with coverage, stale files and when each branch was used last.

    Args:
        status: of the root.
        repository: its index, None when there is none.
        worktree: the root's.
    """
    known = asdict(status) | {"coverage": {}, "stale": 0, "branches": []}
    if repository is not None and worktree is not None:
        known |= {
            "coverage": coverage(repository, worktree.view),
            "stale": stale_files(worktree),
            "branches": [{"ref": ref, "used": used} for ref, used in branches(worktree)],
        }
    return known


def branches(worktree: Worktree) -> list[tuple[str, float]]:
    """The refs that are remembered and when each was used last, in seconds since the epoch, the newest first."""
    used = {ref: worktree.used.get(ref, worktree.updated_at) for ref in worktree.refs}
    return sorted(used.items(), key=lambda item: -item[1])


def stale_files(worktree: Worktree) -> int:
    """Files of the view that are gone or changed on disk since they were read: 12 µs each."""
    return sum(_is_stale(worktree.top, path, entry) for path, entry in list(worktree.view.entries.items()))


def _is_stale(top: str, path: str, entry: Entry) -> bool:
    try:
        info = os.lstat(os.path.join(top, path))
    except OSError:
        return True
    if not entry.mtime_ns:
        # It was read so soon after it changed that its time says nothing.
        return info.st_size != entry.size
    return not entry.is_as(info.st_size, info.st_mtime_ns, info.st_ino)
