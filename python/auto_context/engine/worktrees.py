"""From a folder somebody names to its worktree and store, on the branch that is checked out at this moment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from auto_context.engine import views
from auto_context.engine.repository import Repository
from auto_context.engine.stores import Stores
from auto_context.errors import AutoContextError
from auto_context.source import Root, current_ref, resolve_root

REFRESH_AFTER_S = 30.0
"""A search of a view that was last compared with its files longer ago has that done, behind its answer."""

Refresh = Callable[[Path, float], None]


class Current(NamedTuple):
    """A worktree that has an index, its view labelled with the branch that is checked out where that was seen."""

    root: Root
    repository: Repository
    worktree: views.Worktree
    branch: str


class Worktrees:
    """Knows the folders it was asked about. Thread-safe.

    Args:
        stores: where indexes are.
        refresh: as of ``Engine``.
        update: brings the view of a folder up to date at once, where nobody is told to.
    """

    def __init__(self, stores: Stores, refresh: Refresh | None, update: Callable[[Path], object]) -> None:
        self._stores = stores
        self._refresh = refresh
        self._update = update
        self._roots: dict[str, Root] = {}
        self._refreshed_at: dict[Path, float] = {}

    def root(self, path: Path, *, anew: bool = False) -> Root:
        """Resolve a folder once: it costs a process. Its repository is looked at again when that moved.

        Raises:
            AutoContextError: ``path_missing``, ``bare_repository``, ``git_failed``.
        """
        known = None if anew else self._roots.get(str(path))
        if known is None or not os.path.exists(known.git_dir or known.top) or _became_git(known):
            known = self._roots[str(path)] = resolve_root(path)
        return known

    def searched(self) -> list[Path]:
        """The folders that were asked about and have an index, by worktree."""
        roots = {root.top: root for root in list(self._roots.values())}
        return [top for top, root in roots.items() if top.is_dir() and self._stores.is_open(root.store_identity)]

    def repository(self, root: Root) -> Repository:
        """The repository of a worktree, made when it is not there.

        Raises:
            AutoContextError: faults of the store.
        """
        opened = self._stores.find(root.store_identity, create=True)
        if opened is None:
            raise AutoContextError("internal", f"no store was made for {root.top}")
        return opened

    def known(self, root: Root) -> Repository | None:
        """The repository, when this worktree of it was ever updated.

        Raises:
            AutoContextError: faults of the store.
        """
        repository = self._stores.find(root.store_identity, create=False)
        if repository is None or not repository.worktree(root.worktree_identity).ref:
            return None
        return repository

    def indexed(self, root: Root) -> Repository:
        """The same, which must be.

        Raises:
            AutoContextError: ``not_indexed``, faults of the store.
        """
        repository = self.known(root)
        if repository is None:
            raise AutoContextError("not_indexed", f"{root.top} has no index")
        return repository

    def current(self, folder: Path, seconds: float) -> Current:
        """The worktree of a folder, following the branch that is checked out.

        Args:
            folder: any folder in it.
            seconds: how long a branch that is new to the view may be waited for.

        Raises:
            AutoContextError: ``not_indexed``, faults of the store and the path.
        """
        root = self.root(folder)
        repository = self.indexed(root)
        worktree = repository.worktree(root.worktree_identity)
        branch = current_ref(root)
        if worktree.ref != branch:
            self._follow_branch(root, repository, worktree, branch, seconds)
        return Current(root, repository, worktree, branch)

    def refresh_behind(self, root: Root, updated_at: float, *, at_once: bool) -> None:
        """Have an old view compared with its files, at most twice a minute however many searches there are."""
        now = time.time()
        last = max(updated_at, self._refreshed_at.get(root.top, 0.0))
        if self._refresh is not None and (at_once or now - last > REFRESH_AFTER_S):
            self._refreshed_at[root.top] = now
            self._refresh(root.top, 0.0)

    def _follow_branch(
        self, root: Root, repository: Repository, worktree: views.Worktree, branch: str, seconds: float
    ) -> None:
        """Label the view anew when the branch was seen before; either way have it reconciled."""
        if self._refresh is not None and seconds <= 0:
            # It looks at the files first, in another process, while the view is labelled here.
            self._refresh(root.top, 0.0)
        remembered = views.read_entries(repository.sidecar, worktree.id, branch)
        if remembered is not None:
            # What differs may have any stat by now: it is verified per hit, and read by the reconciliation.
            now = worktree.view.entries
            entries = {
                path: entry if now.get(path) == entry else entry._replace(mtime_ns=0)
                for path, entry in remembered.items()
            }
            repository.follow(worktree, branch, entries)
        if self._refresh is not None:
            if seconds > 0:
                self._refresh(root.top, seconds)
            return
        try:
            self._update(root.top)
        except AutoContextError as error:
            # In the middle of a rebase the answer is from the view as it was, compared with the files as they are.
            if error.code != "git_busy":
                raise


def _became_git(root: Root) -> bool:
    """Whether a folder without git has become a repository since."""
    return root.git_dir is None and os.path.exists(root.top / ".git")
