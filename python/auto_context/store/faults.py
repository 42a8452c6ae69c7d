"""What a database, an index or a disk complains of, as coded errors: no room, no leave to write, or damage."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from auto_context.errors import AutoContextError, of_system

_OS_ERROR = re.compile(r"os error (\d+)")
_PRIMARY = 0xFF
"""The low byte of an extended result code of SQLite is the kind of fault (https://sqlite.org/rescode.html)."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""SQLITE_ERROR: a statement of ours is no SQL to this file, whose tables are not those we made."""
_LITTLE_ROOM = 1 << 16
"""Bytes. A disk with less is full, whatever SQLite calls what it met there."""


def damaged(store: Path, reason: object) -> AutoContextError:
    """A store whose truth cannot be read: which folder, and how to get another."""
    return AutoContextError(
        "store_damaged",
        f"the index in {store} cannot be read: {reason}",
        "everything in it can be made again from your files: in the repository run `auto-context clear`, "
        "then `auto-context index`; in Neovim they are `:AutoContext clear` and `:AutoContext index`",
    )


@contextlib.contextmanager
def of_sqlite(store: Path) -> Iterator[None]:
    """Faults of SQLite on a store's database, coded.

    Raises:
        AutoContextError: ``disk_full``, ``storage_failed`` or ``store_damaged``.
    """
    try:
        yield
    except sqlite3.Error as error:
        fault = _sqlite_fault(store, error)
        if fault is None:
            raise
        raise fault from error


def is_lock(error: BaseException | None) -> bool:
    """Whether a statement failed only because another connection writes."""
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _sqlite_fault(store: Path, error: sqlite3.Error) -> AutoContextError | None:
    # A full disk ends a transaction; what is said then, that there is none to roll back, is not the cause.
    while isinstance(error.__context__, sqlite3.Error):
        error = error.__context__
    if isinstance(error.__context__, AutoContextError):
        return error.__context__
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None  # the module's own: a closed connection, a wrong type
    kind = code & _PRIMARY
    if kind == sqlite3.SQLITE_FULL or (kind == sqlite3.SQLITE_IOERR and _is_full(store)):
        return of_system(errno.ENOSPC, store)
    if kind in _DAMAGED:
        return damaged(store, error)
    return AutoContextError("storage_failed", f"the index in {store} cannot be used: {error}")


def _is_full(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        room = os.statvfs(folder)
        return room.f_bavail * room.f_frsize < _LITTLE_ROOM
    return False


def of_tantivy(folder: Path, error: BaseException) -> AutoContextError | None:
    """The disk's fault behind one of tantivy's, whose type says nothing; None when the index itself is at fault."""
    found = _OS_ERROR.search(str(error))
    return of_system(int(found[1]), folder) if found else None
