"""What processes take of the machine's memory, and giving back what is free."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterable

import psutil


def resident(pid: int) -> int:
    """Resident memory of a process in bytes, 0 when it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def taken(pids: Iterable[int]) -> int:
    """Bytes that some processes keep from others: resident, without pages of files where the system tells them apart.

    Pages of mapped files (libraries, weights, both indexes on disk) are the system's to take back when it needs them.
    """
    total = 0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            info = psutil.Process(pid).memory_info()
            total += info.rss - getattr(info, "shared", 0)
    return total


def trim() -> None:
    """Give the system back what was freed, where the C library keeps it (glibc's ``malloc_trim``)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
