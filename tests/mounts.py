"""Disks that are small or read-only, for a test alone and without being root: in name spaces of its own."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., Any])

_INSIDE = "AUTO_CONTEXT_TEST_OWN_MOUNTS"
_BUSY_S = 20.0
_ALONE = ["unshare", "--user", "--map-root-user", "--mount"]


def with_own_mounts(test: Test) -> Test:
    """Run a test in a pytest of its own that may mount: nobody else sees it, and it is gone with the process."""

    @functools.wraps(test)
    def run(*arguments: Any, **options: Any) -> None:
        if os.environ.get(_INSIDE):
            test(*arguments, **options)
            return
        try:
            subprocess.run([*_ALONE, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("NOT TESTED: this system gives nobody mounts of their own (unshare --user --mount)")
        node = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0]
        folder = Path(__file__).resolve().parents[1]
        done = subprocess.run(
            [*_ALONE, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", node],
            cwd=folder, env={**os.environ, _INSIDE: "1"}, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    return run  # type: ignore[return-value]  # the same signature, by functools.wraps


def mount(folder: Path, kilobytes: int) -> Path:
    """A file system in memory of this size."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], check=True)
    return folder


def make_read_only(folder: Path) -> None:
    """From now on nothing is written there: as soon as whoever had it open for writing is gone."""
    deadline = time.monotonic() + _BUSY_S
    while subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=False).returncode:
        assert time.monotonic() < deadline, f"{folder} is busy"
        time.sleep(0.05)


def fill(folder: Path, but: int = 0) -> Path:
    """A file that takes all room, but for some bytes; removing it makes the room again."""
    filler = folder / "filler"
    room = os.statvfs(folder)
    with filler.open("wb") as file:
        left = room.f_bavail * room.f_frsize - but
        while left > 0:
            left -= file.write(bytes(min(left, 1 << 16)))
    return filler
