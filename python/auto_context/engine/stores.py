"""All stores of a data folder: which are open, which were used when, and how large they are."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auto_context.engine.opening import open_repository, store_folder
from auto_context.engine.repository import BusyError, Repository
from auto_context.errors import AutoContextError
from auto_context.types import Cleared

_USE_FILE = "use.json"
_NOTE_EVERY_S = 60.0
_UNUSED_S = 600.0
"""A repository that nobody asked for this long is closed when memory is short."""
_DEAD = ".dead"


@dataclass(frozen=True, slots=True)
class Store:
    """One store as its folder tells, without opening it."""

    folder: Path
    identity: str
    """The repository's git folder, or the folder itself without git."""
    used: float
    """When it was last searched or updated, in seconds since the epoch, to the minute."""
    collected: float
    """When garbage was last looked for."""

    @property
    def exists(self) -> bool:
        """Whether the repository is still there."""
        return os.path.isdir(self.identity)

    def bytes_on_disk(self) -> int:
        """The store's size."""
        total = 0
        for item in (*self.folder.glob("sidecar/*"), *self.folder.glob("lexical/*")):
            with contextlib.suppress(OSError):  # a merge may remove a segment while it is counted
                total += item.stat().st_size
        return total


class Stores:
    """Opens each store once. Thread-safe.

    Args:
        folder: of all stores.
        clock: seconds since the epoch.
        secrets: what becomes of them, as in the settings.
    """

    def __init__(self, folder: Path, clock: Callable[[], float], secrets: str) -> None:
        self.folder = folder
        self._secrets = secrets
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Repository] = {}
        self._borrowed: set[str] = set()
        """Those that nobody but a collection asked for."""
        self._noted: dict[str, float] = {}

    def find(self, identity: str, *, create: bool) -> Repository | None:
        """A repository by its identity, for use: that is noted, at most once a minute."""
        with self._lock:
            repository = self._get(identity, create=create)
            if repository is not None:
                self._borrowed.discard(identity)
                now = self._clock()
                if now - self._noted.get(identity, 0.0) >= _NOTE_EVERY_S:
                    self._noted[identity] = now
                    _write_use(repository.folder, now, used=now)
            return repository

    def _get(self, identity: str, *, create: bool) -> Repository | None:
        repository = self._open.get(identity)
        if repository is None or not repository.folder.exists():
            repository = open_repository(self.folder, identity, create=create)
            if repository is not None:
                repository.treat_secrets(self._secrets)
                self._open[identity] = repository
        return repository

    @contextlib.contextmanager
    def borrow(self, store: Store) -> Iterator[Repository]:
        """A repository for a while; it is closed afterwards unless it was open or somebody else asked for it.

        Raises:
            AutoContextError: faults of the store.
        """
        with self._lock:
            if store.identity not in self._open:
                self._borrowed.add(store.identity)
            repository = self._get(store.identity, create=False)
        if repository is None:
            raise AutoContextError("store_damaged", f"{store.folder} is no store of {store.identity}")
        try:
            yield repository
        finally:
            with self._lock:
                if store.identity in self._borrowed:
                    self._borrowed.discard(store.identity)
                    self._open.pop(store.identity, None)
                    repository.close()

    def shed(self) -> None:
        """Let go of what can be made again: caches, writers, repositories that nobody used for ten minutes."""
        now = self._clock()
        with self._lock:
            for identity, repository in list(self._open.items()):
                # No search takes this long; an update may.
                if repository.shed() and now - self._noted.get(identity, now) >= _UNUSED_S:
                    del self._open[identity]
                    repository.close()

    def is_open(self, identity: str) -> bool:
        """Whether a repository is open."""
        with self._lock:
            return identity in self._open

    def folder_of(self, identity: str) -> Path | None:
        """The folder of a repository's store, without opening it; None when it has none."""
        folder = store_folder(self.folder, identity)
        return folder if (folder / "sidecar/cache.db").is_file() else None

    def opened(self) -> list[Repository]:
        """Those that are open now."""
        with self._lock:
            return list(self._open.values())

    def known(self) -> list[Store]:
        """All of them, the least recently used first."""
        stores = []
        for mark in self.folder.glob("*/identity.json"):
            with contextlib.suppress(OSError, ValueError):
                identity = str(_read(mark).get("path", ""))
                use = _read_use(mark.parent)
                used = use.get("used", mark.stat().st_mtime)
                stores.append(Store(mark.parent, identity, used, use.get("collected", 0.0)))
        return sorted(stores, key=lambda store: (store.used, store.identity))

    def note_collected(self, store: Store) -> None:
        """Garbage was looked for just now."""
        with self._lock:
            _write_use(store.folder, store.used, collected=self._clock())

    def remove(self, store: Store) -> bool:
        """Remove a store whose repository is gone; False while somebody works with it. Good to be killed in."""
        with self._lock:
            repository = self._open.get(store.identity)
            if repository is not None:
                try:
                    with repository.alone(0.0):
                        self._open.pop(store.identity)
                        repository.close()
                except BusyError:
                    return False
            with contextlib.suppress(OSError):
                _bury(store.folder)
        self.sweep()
        return True

    def clear(self, identity: str | None, patience_s: float, *, dry_run: bool) -> list[Cleared]:
        """Delete a store, or all of them, whatever state they are in: none is opened for it.

        Args:
            identity: of one repository; all, those that tell no identity as well, when None.
            patience_s: how long to wait for an update to end.
            dry_run: only tell.

        Raises:
            AutoContextError: ``storage_failed``.
        """
        self.sweep()
        folders = sorted(self.folder.glob("*")) if identity is None else [store_folder(self.folder, identity)]
        return [self._clear(folder, patience_s, dry_run=dry_run) for folder in folders if folder.is_dir()]

    def _clear(self, folder: Path, patience_s: float, *, dry_run: bool) -> Cleared:
        identity = str(folder)
        with contextlib.suppress(OSError, ValueError):
            identity = str(_read(folder / "identity.json").get("path") or folder)
        size = Store(folder, identity, 0.0, 0.0).bytes_on_disk()
        if dry_run:
            return Cleared(identity, size)
        with self._lock:
            repository = self._open.get(identity)
        try:
            with repository.alone(patience_s) if repository else contextlib.nullcontext(), self._lock:
                # Not closed: a search may read it to its end, and its files go with the last who holds it.
                self._open.pop(identity, None)
                self._noted.pop(identity, None)
                _bury(folder)
        except BusyError:
            return Cleared(identity, size, busy=True)
        except OSError as error:
            raise AutoContextError("storage_failed", f"cannot delete {folder}: {error.strerror}") from error
        self.sweep()
        return Cleared(identity, size)

    def sweep(self) -> None:
        """Remove what a kill left of stores that were being removed."""
        for folder in self.folder.glob(f"*{_DEAD}"):
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Close every store."""
        with self._lock:
            for repository in self._open.values():
                repository.close()
            self._open.clear()


def _bury(folder: Path) -> None:
    """Under its new name nothing finds a store: neither a search nor a repository that moved. ``sweep`` removes it."""
    if folder.is_symlink():
        folder.unlink()  # what it leads to is not in the data folder, and not ours
        return
    dead = folder.with_suffix(_DEAD)
    folder.rename(dead)
    with contextlib.suppress(FileNotFoundError):
        (dead / "identity.json").unlink()


def _read(file: Path) -> dict[str, Any]:
    data = json.loads(file.read_text("utf-8", errors="surrogateescape"))
    return data if isinstance(data, dict) else {}


def _read_use(folder: Path) -> dict[str, float]:
    with contextlib.suppress(OSError, ValueError):
        return {name: float(value) for name, value in _read(folder / _USE_FILE).items()}
    return {}


def _write_use(folder: Path, now: float, **times: float) -> None:
    """Note times of use; a new store counts as collected, there is nothing in it yet."""
    noted = {"used": now, "collected": now, **_read_use(folder), **times}
    temporary = folder / f"{_USE_FILE}.tmp"
    with contextlib.suppress(OSError):  # a full disk: it is a hint, no more
        temporary.write_text(json.dumps(noted), "utf-8")
        temporary.replace(folder / _USE_FILE)
