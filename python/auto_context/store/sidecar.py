"""The diskcache that is the truth: blobs, vectors, path vectors, views and what waits for the lexical index.

Keys are bytes with a one-letter kind, so that a kind is one range of the key index:

    m                          format, lexical generation
    b <key>                    blob
    e <model 8> <key>          vectors of a blob's chunks, int8
    p <model 8> <path>         vector of a path, int8
    w <worktree 8>             worktree: folder, current ref, remembered refs
    h <worktree 8>             history: the last commit of every path, as of one HEAD
    v <worktree 8> <ref>       view: all entries of one ref
    d <worktree 8> <ref> 0 <n> changes to a view since it was last written whole
    t <document 8>             documents on their way into the lexical index, 8 bytes each, by the first of them
    x <document 8>             documents that are in it, the same
    g <kind> <id>              since when something (b, p, x, or e <model 8>) is in no view, seconds as 8 bytes

This module is the only one that uses SQL of its own on diskcache's table, for many rows at once: it reads and writes
the columns that diskcache does, and diskcache's triggers keep its counts.

A commit is in the file system before it returns (WAL, synchronous = NORMAL): a killed process loses nothing, a power
cut may lose the last few transactions, whole ones.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any

import diskcache

from auto_context.errors import AutoContextError
from auto_context.store import faults
from auto_context.store.records import FORMAT, pack, unpack

_META = b"m"
_BIND_LIMIT = 500
_INCREMENTAL = 2
"""Of ``auto_vacuum``: what is deleted leaves room in the file, and ``vacuum`` gives it back."""
_PAGE_BYTES = 2**15
"""Of a new file. Vectors of a file's chunks are a few kilobytes: small pages are left a seventh empty by them."""
_CACHE_KIB, _READ_CACHE_KIB = 2**15, 2**14
_WAL_BYTES = 2**25
"""A write-ahead log that grew larger, in a bulk write, is cut to this."""
_STEP_BYTES = 2**22
"""Written between two checkpoints, and moved by one step of ``vacuum``."""
_CHECKPOINT_S = 0.2
_WRITE = (
    "INSERT INTO Cache (key, raw, store_time, access_time, access_count, size, mode, value)"
    " VALUES (?, 1, ?, ?, 0, 0, ?, ?)"
    # Not OR REPLACE: that deletes the old row without its trigger, and the count would be wrong.
    " ON CONFLICT (key, raw) DO UPDATE SET store_time = excluded.store_time, access_time = excluded.access_time,"
    " access_count = 0, size = 0, mode = excluded.mode, value = excluded.value"
)


class BytesDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache ships no types
    """Stores bytes and refuses all else: diskcache's own Disk pickles (CVE-2025-69872)."""

    def put(self, key: Any) -> tuple[Any, bool]:
        """The database's form of a key."""
        if not isinstance(key, bytes):
            raise TypeError("keys are bytes")
        return sqlite3.Binary(key), True

    def get(self, key: Any, raw: bool) -> bytes:
        """A key from its database form."""
        if not raw:
            raise TypeError("a pickled key is never read")
        return bytes(key)

    def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> tuple[int, int, None, Any]:
        """The database's form of a value: (size, mode, no file, value)."""
        del read, key
        if not isinstance(value, bytes):
            raise TypeError("values are bytes")
        return 0, diskcache.core.MODE_RAW, None, sqlite3.Binary(value)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> bytes:
        """A value from its database form."""
        del filename, read
        if mode != diskcache.core.MODE_RAW:
            raise TypeError("a pickled value is never read")
        return bytes(value)


class Sidecar:
    """One repository's truth on disk. Thread-safe: diskcache keeps a connection per thread.

    Raises:
        AutoContextError: ``store_newer`` when a newer version wrote it, ``store_damaged`` when it cannot be read; any
            method may as well find the store damaged, or the disk full or not writable.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._local = threading.local()
        self._idle: list[sqlite3.Connection] = []
        """For reading. As many as were ever needed at once: each has a cache of its own."""
        try:
            self._open()
        except (TypeError, ValueError, diskcache.Timeout) as error:
            raise faults.damaged(folder.parent, error) from error

    def _open(self) -> None:
        folder = self._folder
        with self._coded():
            self._step_pages = _STEP_BYTES // _page_bytes(folder)
            self._cache = diskcache.Cache(
                str(folder),
                disk=BytesDisk,
                eviction_policy="none",
                size_limit=2**62,
                cull_limit=0,
                statistics=0,
                sqlite_cache_size=-_CACHE_KIB,
                sqlite_mmap_size=2**28,
                sqlite_auto_vacuum=_INCREMENTAL,
                sqlite_journal_size_limit=_WAL_BYTES,
                sqlite_wal_autocheckpoint=self._step_pages,
                # What is deleted is overwritten: it may have been a secret.
                sqlite_secure_delete=1,
            )
            meta = self._cache.get(_META)
        if meta is None:
            self.meta: dict[str, Any] = {"format": FORMAT}
            self.save_meta()
        else:
            self.meta = unpack(meta)
        if self.meta["format"] > FORMAT:
            self.close()
            raise AutoContextError("store_newer", f"{folder} has format {self.meta['format']}, this version {FORMAT}")
        if self.meta["format"] < FORMAT:
            # Older records are still read; what is written from now on an older version could not read.
            self.meta["format"] = FORMAT
            self.save_meta()

    def _coded(self) -> AbstractContextManager[None]:
        return faults.of_sqlite(self._folder.parent)

    def save_meta(self) -> None:
        """Write ``meta`` back."""
        self.set(_META, pack(self.meta))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside commit together, or none."""
        if getattr(self._local, "writing", False):
            yield
            return
        with self._coded():
            begun = self._begin()
            self._local.writing = True
            try:
                with contextlib.ExitStack() as stack:
                    stack.push(begun)
                    yield
            finally:
                self._local.writing = False
                # A commit that failed may have left it open, and every other writer would wait for it.
                self._writer().rollback()

    def _begin(self) -> AbstractContextManager[None]:
        """A transaction that has begun."""
        while True:
            context: AbstractContextManager[None] = self._cache.transact()
            try:
                context.__enter__()
            except diskcache.Timeout as error:
                # To diskcache every fault is one, and asked to try again it would do so for ever.
                if faults.is_lock(error.__context__):
                    continue
                raise error.__context__ or error from None
            return context

    def get(self, key: bytes) -> bytes | None:
        """One value."""
        with self._coded():
            value: bytes | None = self._cache.get(key)
        return value

    def set(self, key: bytes, value: bytes) -> None:
        """Write one value."""
        with self.transaction():
            self._cache.set(key, value)

    def set_many(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Write many in one transaction."""
        now = time.time()
        with self.transaction():
            self._writer().executemany(_WRITE, (_row(key, value, now) for key, value in items))

    def delete_many(self, keys: Iterable[bytes]) -> None:
        """Remove many in one transaction; missing ones are fine."""
        with self.transaction():
            self._writer().executemany("DELETE FROM Cache WHERE key = ? AND raw = 1", ((key,) for key in keys))

    def _writer(self) -> sqlite3.Connection:
        """This thread's connection inside diskcache, which is in its transaction."""
        connection: sqlite3.Connection = self._cache._con  # noqa: SLF001 - its only way to write many rows at once
        return connection

    def delete(self, key: bytes) -> None:
        """Remove one key; a missing one is fine."""
        with self.transaction():
            self._cache.delete(key)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._coded():
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._connect()
            try:
                yield connection
            finally:
                self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._folder / "cache.db", check_same_thread=False, timeout=60)
        connection.execute("PRAGMA query_only = 1")
        connection.execute(f"PRAGMA cache_size = -{_READ_CACHE_KIB}")
        return connection

    def _rows(self, query: str, values: Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
        with self._reading() as connection, contextlib.closing(connection.execute(query, values)) as rows:
            yield from rows

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All (key, value) of a prefix, in key order."""
        query = "SELECT key, value FROM Cache WHERE key >= ? AND key < ? ORDER BY key"
        return self._rows(query, (prefix, _after(prefix)))

    def keys(self, prefix: bytes) -> list[bytes]:
        """All keys of a prefix, without reading their values."""
        query = "SELECT key FROM Cache WHERE key >= ? AND key < ? ORDER BY key"
        return [key for (key,) in self._rows(query, (prefix, _after(prefix)))]

    def get_many(self, keys: list[bytes]) -> dict[bytes, bytes]:
        """The values of the keys that exist."""
        return dict(self.each(keys))

    def each(self, keys: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of the keys that exist, some hundred read at a time."""
        left = iter(keys)
        while part := list(islice(left, _BIND_LIMIT)):
            # Only placeholders are formatted in; the keys are bound.
            query = f"SELECT key, value FROM Cache WHERE key IN ({','.join('?' * len(part))}) AND raw = 1"  # noqa: S608
            yield from self._rows(query, part)

    def measure(self, keys: list[bytes]) -> tuple[int, int]:
        """How many of some keys exist, and their bytes with their values'."""
        count = size = 0
        for at in range(0, len(keys), _BIND_LIMIT):
            part = keys[at : at + _BIND_LIMIT]
            marks = ",".join("?" * len(part))
            # Only placeholders are formatted in; a length is in the row's header, so no value is read.
            query = f"SELECT COUNT(*), TOTAL(LENGTH(key) + LENGTH(value)) FROM Cache WHERE key IN ({marks}) AND raw = 1"  # noqa: S608
            [(found, total)] = self._rows(query, part)
            count, size = count + found, size + int(total)
        return count, size

    def free_bytes(self) -> int:
        """Room in the file that deleted values left, in bytes: what ``vacuum`` would give back."""
        [(pages,)], [(size,)] = (self._rows(f"PRAGMA {name}", ()) for name in ("freelist_count", "page_size"))
        return int(pages * size)

    def vacuum(self, check: Callable[[], None] = lambda: None) -> bool:
        """Give the room of deleted values back, in steps between which others may write. Good to be killed in.

        Args:
            check: called before each step; raises to end it.

        Returns:
            Whether the log is empty as well, so that nothing is left of what was deleted.
        """
        before = self.free_bytes()
        while before:
            check()
            with self.transaction():
                # Each row that is fetched is a page that was moved.
                self._writer().execute(f"PRAGMA incremental_vacuum({self._step_pages})").fetchall()
            after = self.free_bytes()
            if after >= before:
                break
            before = after
        with contextlib.suppress(sqlite3.OperationalError):
            return self._empty_log()
        return False

    def _empty_log(self) -> bool:
        """Move what is not yet in the file itself there, unless somebody reads: nobody waits for that."""
        connection = sqlite3.connect(self._folder / "cache.db", timeout=_CHECKPOINT_S)
        with contextlib.closing(connection):
            [(busy, _, _)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return not busy

    def bytes_on_disk(self) -> int:
        """The size of this store's folder, in bytes."""
        return sum(item.stat().st_size for item in self._folder.glob("cache.db*"))

    def close(self) -> None:
        """Close every connection but those that other threads wrote with, which are diskcache's to close."""
        while self._idle:
            self._idle.pop().close()
        self._cache.close()
        # Because of those SQLite leaves the log where it is, and it may be as large as the file.
        with contextlib.suppress(sqlite3.Error):
            self._empty_log()


def _page_bytes(folder: Path) -> int:
    """The page size of a folder's file. It is begun when there is none: a size is for good once there is content."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(folder / "cache.db", timeout=60, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
        connection.execute("PRAGMA journal_mode = wal")
        [(size,)] = connection.execute("PRAGMA page_size").fetchall()
    return int(size)


def _row(key: bytes, value: bytes, now: float) -> tuple[bytes, float, float, int, bytes]:
    """What ``_WRITE`` binds."""
    if not (isinstance(key, bytes) and isinstance(value, bytes)):
        raise TypeError("keys and values are bytes")
    return key, now, now, diskcache.core.MODE_RAW, value


def _after(prefix: bytes) -> bytes:
    """The first key after all keys with this prefix."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1])
