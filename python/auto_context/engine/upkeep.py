"""When garbage is collected, of which repository first, and how all stores stay within the limit of their size."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from operator import attrgetter

from auto_context.config import Settings
from auto_context.engine.garbage import DAY_S, GRACE_S, Collection, Rules
from auto_context.engine.purge import purge
from auto_context.engine.repository import BusyError, Repository
from auto_context.engine.stores import Store, Stores
from auto_context.engine.views import Worktree
from auto_context.errors import AutoContextError
from auto_context.types import Cleared, Pruned, Vacuumed

log = logging.getLogger(__name__)

LOOK_EVERY_S = 600.0
_COLLECT_EVERY_S = DAY_S
_RETRY_S = 3600.0
"""When all that may go is gone and there is still too much, nothing is tried again for this long."""

_HALVINGS = 5
"""That many halves of at most 20 remembered refs are all of them."""
_IDLE_SHARE = 0.25
"""Of the documents in memory: when more are in no view, their memory is freed between two collections."""
_BEHIND_PATIENCE_S, _ASKED_PATIENCE_S = 0.05, 2.0
"""How long a step waits for an update to end: one that runs by itself comes again, one that was asked for does not."""

_MEGABYTE = 1_000_000


class Upkeep:
    """Collects by itself a little at a time, or all at once when asked to.

    Args:
        stores: all of them.
        settings: the user's.
        clock: seconds since the epoch.
    """

    def __init__(self, stores: Stores, settings: Settings, clock: Callable[[], float]) -> None:
        self._stores = stores
        self._settings = settings
        self._clock = clock
        self._keep_s = settings.keep_days * DAY_S
        self._limit = settings.cache_size_mb * _MEGABYTE
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._work: Iterator[object] | None = None
        self._looked = 0.0
        self._shrunk = 0.0
        """When it was last found that no more can go."""

    def close(self) -> None:
        """End what is under way at its next step."""
        self._closing.set()
        with self._lock:
            self._drop_work()

    def collect(self, budget_s: float) -> None:
        """Go on for a while with what is due; nothing while something was asked for."""
        if self._closing.is_set() or not self._lock.acquire(blocking=False):
            return
        try:
            now = self._clock()
            if self._work is None:
                if 0 <= now - self._looked < LOOK_EVERY_S:
                    return
                self._looked = now
                self._work = self._due(now)
            until = time.monotonic() + budget_s
            for _ in self._work:
                if self._closing.is_set() or time.monotonic() >= until:
                    return
            self._work = None
        except BaseException:
            self._work = None
            raise
        finally:
            self._lock.release()

    def prune(self, identity: str | None, *, dry_run: bool) -> list[Pruned]:
        """Collect now.

        Args:
            identity: of one repository; None: all, and what is too much.
            dry_run: only tell.
        """
        with self._lock:
            self._drop_work()
            now = self._clock()
            stores = [store for store in self._stores.known() if identity in (None, store.identity)]
            if identity is not None and not stores:
                raise AutoContextError("not_indexed", f"{identity} has no index")
            found: dict[str, Pruned] = {}
            rules = Rules(self._keep_s, self._keep_s)
            for store in stores:
                if store.exists:
                    self._finish(self._collect(store, rules, now, found, dry_run=dry_run, asked=True))
            if identity is None:
                self._finish(self._shrink(now, found, dry_run=dry_run, asked=True))
            return list(found.values())

    def purge(
        self, identity: str, repository: Repository, worktree: Worktree, index_anew: Callable[[], object]
    ) -> None:
        """Remove at once what must not be there any more; as much as can be while others work.

        Args:
            identity: of the repository.
            repository: the same, open.
            worktree: the one that was just updated.
            index_anew: derives the words that its view lacks.
        """
        with self._lock, contextlib.suppress(BusyError):
            self._drop_work()
            purge(repository, identity, worktree, self._settings, self._clock(), index_anew, self._check)

    def clear(self, identity: str | None, *, dry_run: bool) -> list[Cleared]:
        """Delete the store of a repository, or all when None."""
        with self._lock:
            self._drop_work()
            return self._stores.clear(identity, _ASKED_PATIENCE_S, dry_run=dry_run)

    def vacuum(self) -> list[Vacuumed]:
        """Give free pages back, store by store."""
        with self._lock:
            self._drop_work()
            self._stores.sweep()
            done = []
            for store in self._stores.known():
                if store.exists:
                    before = store.bytes_on_disk()
                    with self._stores.borrow(store) as repository:
                        repository.sidecar.vacuum(self._check)
                        # The writer merges what is small or mostly removed before it goes.
                        repository.lexical.release()
                    done.append(Vacuumed(store.identity, before, store.bytes_on_disk()))
            return done

    def _drop_work(self) -> None:
        if isinstance(self._work, Generator):
            self._work.close()
        self._work = None

    def _check(self) -> None:
        if self._closing.is_set():
            raise AutoContextError("cancelled", "the service is closing")

    def _finish(self, steps: Iterator[object]) -> None:
        for _ in steps:
            self._check()

    def _due(self, now: float) -> Iterator[None]:
        """Everything it is time for."""
        for repository in self._stores.opened():
            try:
                with repository.alone(_BEHIND_PATIENCE_S):
                    repository.drop_unseen(now, _IDLE_SHARE)
            except BusyError:
                continue
            yield
        found: dict[str, Pruned] = {}
        rules = Rules(self._keep_s, self._keep_s)
        for store in self._stores.known():
            if store.exists and not 0 <= now - store.collected < _COLLECT_EVERY_S:
                yield from self._collect(store, rules, now, found, dry_run=False, asked=False)
        if not 0 <= now - self._shrunk < _RETRY_S:
            yield from self._shrink(now, found, dry_run=False, asked=False)

    def _give_back(self, stores: Iterable[Store]) -> Iterator[None]:
        """What takes room and holds nothing goes before anything else has to."""
        for store in filter(attrgetter("exists"), stores):
            with self._stores.borrow(store) as repository:
                repository.sidecar.vacuum(self._check)
            yield

    def _collect(
        self, store: Store, rules: Rules, now: float, found: dict[str, Pruned], *, dry_run: bool, asked: bool
    ) -> Iterator[None]:
        """Collect in one store, and add to what was found there."""
        patience = _ASKED_PATIENCE_S if asked else _BEHIND_PATIENCE_S
        try:
            yield from self._collect_in(store, rules, now, found, patience, dry_run=dry_run)
        except BusyError:
            found.setdefault(store.identity, Pruned(store.identity, busy=True))
        except AutoContextError as error:
            if asked or error.code == "cancelled":
                raise
            # The others must not wait for it; whoever uses it is told.
            log.warning("no garbage is collected: %s", error)
            self._stores.note_collected(store)

    def _collect_in(
        self, store: Store, rules: Rules, now: float, found: dict[str, Pruned], patience: float, *, dry_run: bool
    ) -> Iterator[None]:
        with self._stores.borrow(store) as repository:
            result = yield from Collection(repository, store.identity, rules, now, patience, dry_run=dry_run).run()
            if dry_run:
                # Stricter rules find all that milder ones did.
                found[store.identity] = result
                return
            self._stores.note_collected(store)
            if result.bytes:
                repository.sidecar.vacuum(self._check)
            found[store.identity] = _sum(found.get(store.identity), result)

    def _shrink(self, now: float, found: dict[str, Pruned], *, dry_run: bool, asked: bool) -> Iterator[None]:
        """While all stores are larger than they may be: first old versions go, then remembered refs, then whole
        stores of repositories that are no more; each time of the least recently used repository first. What the
        current branch of an existing repository holds never goes.
        """
        stores = self._stores.known()

        def too_large() -> bool:
            freed = sum(item.bytes for item in found.values()) if dry_run else 0
            return sum(store.bytes_on_disk() for store in stores) - freed > self._limit

        if not dry_run and too_large():
            yield from self._give_back(stores)
        passes = [Rules(GRACE_S, self._keep_s), *[Rules(GRACE_S, self._keep_s, half=True)] * _HALVINGS]
        for rules in passes[:2] if dry_run else passes:
            for store in filter(attrgetter("exists"), stores):
                if not too_large():
                    return
                yield from self._collect(store, rules, now, found, dry_run=dry_run, asked=asked)
        for store in stores:
            if not store.exists and too_large():
                size = store.bytes_on_disk()
                if dry_run or self._stores.remove(store):
                    found[store.identity] = Pruned(store.identity, bytes=size, removed=True)
                yield
        if too_large():
            self._shrunk = now


def _sum(before: Pruned | None, more: Pruned) -> Pruned:
    if before is None:
        return more
    return Pruned(
        more.path, before.versions + more.versions, before.vectors + more.vectors,
        before.branches + more.branches, before.bytes + more.bytes,
    )  # fmt: skip
