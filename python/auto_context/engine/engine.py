"""The engine itself: all stores of a data folder, and what can be asked of them."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from auto_context import paths
from auto_context.config import Effective, Settings, narrowed
from auto_context.engine import views
from auto_context.engine.checks import checks
from auto_context.engine.context import Context
from auto_context.engine.examination import examine
from auto_context.engine.figures import branches, figures, status_of
from auto_context.engine.nearby import nearby
from auto_context.engine.overlay import Overlays
from auto_context.engine.query_vectors import QueryVectors
from auto_context.engine.repository import Repository
from auto_context.engine.search import Queries, Search
from auto_context.engine.similar import similar
from auto_context.engine.static_queries import StaticQueries
from auto_context.engine.stores import Stores
from auto_context.engine.update import Options, Update
from auto_context.engine.upkeep import Upkeep
from auto_context.engine.work import LocalWorker, Worker
from auto_context.engine.worktrees import Refresh, Worktrees
from auto_context.errors import AutoContextError
from auto_context.paths import private_dir
from auto_context.source import Root, discover, relative_path
from auto_context.types import (
    Cleared,
    ContextReply,
    ContextRequest,
    NearbyRequest,
    Pruned,
    RepositoryStatus,
    SearchReply,
    SearchRequest,
    SimilarReply,
    SimilarRequest,
    UpdateReport,
    Vacuumed,
)

MANY_FILES = 20_000
"""A first index of more files than this wants to be confirmed."""

_AFTER_UPDATE_S = 0.5


class Engine:
    """All indexes of one data folder. Thread-safe; only one process at a time may hold a data folder open.

    Args:
        data_dir: where indexes live; made when missing.
        settings: the user's.
        worker: runs the heavy work; a thread of this process when None. The caller closes what it passes.
        refresh: told (root, seconds) when a search meets a view that is not of the branch checked out now, is older
            than half a minute, or has vectors of another model: to bring it up to date within that time. Without it
            the engine follows a branch itself, in the searching thread, and leaves the rest to its caller.
        cache_dir: where models made ready are; the user's by default.
        clock: seconds since the epoch, by which things grow old.
    """

    def __init__(
        self,
        data_dir: Path,
        settings: Settings,
        worker: Worker | None = None,
        refresh: Refresh | None = None,
        cache_dir: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._own_worker = LocalWorker(settings, cache_dir) if worker is None else None
        self._worker: Worker = worker or self._own_worker  # type: ignore[assignment]  # one of the two is there
        self._refresh = refresh
        self._stores = Stores(private_dir(data_dir) / "stores", clock, settings.secrets)
        self._upkeep = Upkeep(self._stores, settings, clock)
        self._worktrees = Worktrees(self._stores, refresh, functools.partial(self.update, confirmed=True))
        self._query_vectors = QueryVectors(self._worker)
        self.overlays = Overlays(self._worker)
        self._cache_dir = cache_dir or paths.cache_dir() / "models"
        self._static_queries = StaticQueries(settings, self._cache_dir)

    def close(self) -> None:
        """Close every store, and the worker if it is the engine's own."""
        self._upkeep.close()
        self.overlays.close()
        if self._own_worker is not None:
            self._own_worker.close()
        self._query_vectors.close()
        self._stores.close()

    def warm(self) -> None:
        """Load what the first search needs, if it is there: the static model."""
        self._static_queries.load()

    def examine(self, root: Path | None = None) -> dict[str, Any]:
        """Python, packages, models, stores and settings, for a person who wonders, and ``checks`` of them.

        Args:
            root: a folder whose index is looked at as well.
        """
        facts = examine(self._settings, self._cache_dir, self._stores.folder)
        store, used = None, []
        with contextlib.suppress(AutoContextError):  # of the store: the database is looked at all the same
            if root is not None:
                resolved = self._worktrees.root(root)
                store = self._stores.folder_of(resolved.store_identity)
                repository = self._worktrees.known(resolved)
                used = branches(repository.worktree(resolved.worktree_identity)) if repository is not None else []
        return facts | {"checks": checks(facts, self._settings, self._worker, self._stores.folder, store, used)}

    def stats(self, root: Path) -> dict[str, Any]:
        """Figures of a folder's index: its status, coverage of each leg, stale files, branches.

        Raises:
            AutoContextError: faults of the store and the path; never ``not_indexed``.
        """
        resolved = self._worktrees.root(root)
        repository = self._worktrees.known(resolved)
        status = self._status(resolved, repository)
        worktree = None if repository is None else repository.worktree(resolved.worktree_identity)
        return figures(status, repository, worktree)

    def top(self, root: Path) -> str:
        """The top of the worktree that a folder is in."""
        return str(self._worktrees.root(root).top)

    def searched_roots(self) -> list[Path]:
        """The folders that were asked about since the engine began and have an index, by worktree."""
        return self._worktrees.searched()

    def caches(self) -> dict[str, dict[str, int]]:
        """How often what was wanted was there: embeddings of queries, contents of candidates."""
        queries, opened = self._query_vectors, self._stores.opened()
        return {
            "queries": {"hits": queries.hits, "misses": queries.misses},
            "contents": {
                "hits": sum(one.blob.hits for one in opened),
                "misses": sum(one.blob.misses for one in opened),
            },
        }

    def narrowed(self, root: Path) -> Effective:
        """The settings as the repository of a folder narrows them.

        Raises:
            AutoContextError: what ``repository_key`` raises.
        """
        return narrowed(self._settings, self._worktrees.root(root).top)

    def shed(self) -> None:
        """Let go of what can be made again: caches, writers, repositories that nobody used for ten minutes."""
        self._query_vectors.forget()
        self._stores.shed()

    def repository_key(self, root: Path) -> str:
        """The identity of the store a folder belongs to; updates of one key take turns.

        Raises:
            AutoContextError: ``path_missing``, ``bare_repository``, ``git_failed``.
        """
        return self._worktrees.root(root).store_identity

    def check(self, root: Path, *, confirmed: bool) -> None:
        """Refuse what a person should be asked about first.

        Raises:
            AutoContextError: ``too_large`` for the home folder, anything above it, or a tree of over 20,000 files that
                has no index yet, unless confirmed; and what ``repository_key`` raises.
        """
        resolved = self._worktrees.root(root)
        if confirmed or self._worktrees.known(resolved) is not None:
            return
        home = os.path.realpath(Path.home())
        if home == str(resolved.top) or home.startswith(str(resolved.top).rstrip("/") + "/"):
            raise AutoContextError("too_large", f"{resolved.top} is or holds the home folder")
        count = 0
        for batch in discover(resolved, self._settings):
            count += len(batch)
            if count > MANY_FILES:
                raise AutoContextError("too_large", f"{resolved.top} has more than {MANY_FILES:,} files")

    def update(
        self,
        root: Path,
        *,
        force: bool = False,
        confirmed: bool = False,
        options: Options = Options(),  # noqa: B008 - a frozen record
    ) -> UpdateReport:
        """Bring the whole view of a folder's worktree up to date, in this thread.

        Args:
            root: any folder in the worktree.
            force: read every file again.
            confirmed: index even the home folder or a very large tree.
            options: how far to go, what first, and who is told.

        Raises:
            AutoContextError: ``cancelled``, ``git_busy``, ``too_large``, faults of the store, the model and the path.
        """
        resolved = self._worktrees.root(root, anew=True)
        self.check(root, confirmed=confirmed)
        opened = [path for path in map(functools.partial(_inside, resolved), options.open_paths) if path]
        options = replace(options, open_paths=opened)
        repository = self._worktrees.repository(resolved)
        report = self._updating(repository, resolved, options).full(force=force)
        if self._refresh is None:
            self.collect(_AFTER_UPDATE_S)
        return report

    def update_paths(
        self,
        root: Path,
        paths: Sequence[str],
        options: Options = Options(),  # noqa: B008 - a frozen record
    ) -> UpdateReport:
        """Bring single files up to date: saved, made or deleted. Costs what they cost, whatever the repository's size.

        Args:
            root: any folder in the worktree.
            paths: absolute, or relative to ``root``.
            options: who is told, and how it is cancelled.

        Raises:
            AutoContextError: ``not_indexed``, ``outside_root`` and those of ``update``.
        """
        resolved = self._worktrees.root(root)
        repository = self._worktrees.indexed(resolved)
        relative = [relative_path(resolved, path) for path in paths]
        report = self._updating(repository, resolved, options).some(relative)
        # A full update that is under way does it before its next vectors.
        if not repository.full_update.locked():
            self._purge(repository, resolved, options)
        return report

    def _updating(self, repository: Repository, root: Root, options: Options) -> Update:
        purge = functools.partial(self._purge, repository, root, options)
        return Update(repository, root, self._worker, self._settings, options, purge)

    def _purge(self, repository: Repository, root: Root, options: Options) -> None:
        """Remove at once what must not be there any more."""
        if repository.purge_owed:
            silent = replace(options, progress=None)
            words = Update(repository, root, self._worker, self._settings, silent).index_words
            worktree = repository.worktree(root.worktree_identity)
            self._upkeep.purge(root.store_identity, repository, worktree, words)

    def search(self, request: SearchRequest) -> SearchReply:
        """Answer a query from the view of the branch that is checked out.

        Raises:
            AutoContextError: ``not_indexed``, ``bad_request``, faults of the store and the path.
        """
        resolved, repository, worktree, branch = self._worktrees.current(Path(request.root), request.wait_ms / 1000)
        self._load(repository, worktree)
        queries = Queries(self._query_vectors, self._static_queries)
        overlay = self.overlays.of(request.client, resolved)
        search = Search(repository, resolved, worktree, self._worker, queries, request, overlay)
        reply = search.run(branch)
        if search.other_model:
            self._query_vectors.forget()
        wordless = repository.lexical.damaged or (worktree.view.chunks > 0 and not repository.lexed.ids)
        self._worktrees.refresh_behind(resolved, worktree.updated_at, at_once=search.other_model or wordless)
        return reply

    def hold_buffers(self, client: str, root: Path, files: Mapping[str, str | None]) -> int:
        """From now on the texts of some unsaved buffers stand in place of their files in a client's searches.

        Args:
            client: whose.
            root: any folder in the worktree.
            files: texts by path, absolute or relative to ``root``; None for one that is saved or closed.

        Returns:
            How many buffers of the client are held now.

        Raises:
            AutoContextError: ``not_indexed``, ``outside_root``, ``too_large``, ``worker_down``.
        """
        resolved = self._worktrees.root(root)
        repository = self._worktrees.indexed(resolved)
        repository.use_last_models()
        texts = {relative_path(resolved, path): text for path, text in files.items()}
        selection = narrowed(self._settings, resolved.top).settings.selection()
        return self.overlays.hold(client, resolved, texts, selection, repository.static.model)

    def held_buffers(self, client: str, root: Path) -> int:
        """How many unsaved buffers of a client stand in place of their files."""
        overlay = self.overlays.of(client, self._worktrees.root(root))
        return len(overlay.files) if overlay is not None else 0

    def nearby(self, request: NearbyRequest) -> SearchReply:
        """Files a person may want before a word is typed.

        Raises:
            AutoContextError: ``not_indexed``, faults of the store and the path.
        """
        root, repository, worktree, branch = self._worktrees.current(Path(request.root), 0.0)
        return nearby(repository, root, worktree, branch, request)

    def similar(self, request: SimilarRequest) -> SimilarReply:
        """Code like some code, from the view of the branch that is checked out.

        Raises:
            AutoContextError: ``not_indexed``, ``outside_root``, ``path_missing``, ``bad_request``, faults of the store.
        """
        root, repository, worktree = self._with_file(Path(request.root), request.path)
        return similar(repository, root, worktree, request)

    def context(self, request: ContextRequest) -> ContextReply:
        """What one needs to work at a place.

        Raises:
            AutoContextError: ``not_indexed``, ``outside_root``, ``path_missing``, ``bad_request``, faults of the store.
        """
        root, repository, worktree = self._with_file(Path(request.root), request.path)
        return Context(repository, root, worktree, self._worker, request).run()

    def _with_file(self, folder: Path, path: str) -> tuple[Root, Repository, views.Worktree]:
        """A worktree ready to be asked about one of its files, which is read again when it changed."""
        root, repository, worktree, branch = self._worktrees.current(folder, 0.0)
        relative = relative_path(root, path)
        entry = worktree.view.entries.get(relative)
        with contextlib.suppress(OSError):
            info = os.lstat(root.top / relative)
            changed = entry is None or not entry.is_as(info.st_size, info.st_mtime_ns, info.st_ino)
            # On a branch never seen the whole view is being made anew: that is not waited for.
            if changed and worktree.ref == branch:
                # With the worker down or a rebase on, what is known is used.
                with contextlib.suppress(AutoContextError):
                    self.update_paths(root.top, [relative])
        self._load(repository, worktree)
        return root, repository, worktree

    @staticmethod
    def _load(repository: Repository, worktree: views.Worktree) -> None:
        repository.use_last_models()
        repository.load_rows(worktree.view)

    def status(self, root: Path) -> RepositoryStatus:
        """What is known of a folder.

        Raises:
            AutoContextError: faults of the store and the path; never ``not_indexed``.
        """
        resolved = self._worktrees.root(root)
        return self._status(resolved, self._worktrees.known(resolved))

    def _status(self, root: Root, repository: Repository | None) -> RepositoryStatus:
        if repository is not None:
            self._load(repository, repository.worktree(root.worktree_identity))
        warnings = [warning.to_dict() for warning in narrowed(self._settings, root.top).warnings]
        return status_of(root, repository, self._settings.model, self._embedding(), warnings)

    def collect(self, budget_s: float) -> None:
        """Remove some of what nothing uses any more, if it is time to look: every ten minutes, a store once a day.

        Args:
            budget_s: how long to go on; the next call does the rest.

        Raises:
            AutoContextError: faults of a store.
        """
        self._upkeep.collect(budget_s)

    def prune(self, root: Path | None = None, *, dry_run: bool = False) -> list[Pruned]:
        """Remove all of it now.

        Args:
            root: any folder of the repository; all repositories when None, within the size limit as well.
            dry_run: only tell what would go.

        Raises:
            AutoContextError: ``not_indexed``, ``cancelled``, faults of the store and the path.
        """
        return self._upkeep.prune(None if root is None else self._worktrees.root(root).store_identity, dry_run=dry_run)

    def clear(self, root: Path | None, *, dry_run: bool = False) -> list[Cleared]:
        """Delete an index with everything in it, also one that cannot be opened.

        Args:
            root: any folder of the repository; all repositories when None.
            dry_run: only tell what would go.

        Raises:
            AutoContextError: ``storage_failed``, faults of the path.
        """
        return self._upkeep.clear(None if root is None else self._worktrees.root(root).store_identity, dry_run=dry_run)

    def vacuum(self) -> list[Vacuumed]:
        """Give the room of what was removed back to the disk.

        Raises:
            AutoContextError: ``cancelled``, faults of a store.
        """
        return self._upkeep.vacuum()

    def _embedding(self) -> Literal["ready", "loading", "down", "idle"]:
        state = self._worker.state
        if state == "ready" and self._query_vectors.answered:
            return "ready"
        return {"ready": "idle", "starting": "loading", "idle": "idle", "down": "down"}[state]  # type: ignore[return-value]  # each value is one of them


def _inside(root: Root, path: str) -> str:
    """A path relative to the top of the worktree, "" when it is elsewhere."""
    try:
        return relative_path(root, path)
    except AutoContextError:
        return ""
