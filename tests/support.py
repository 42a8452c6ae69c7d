"""Helpers shared by all tests: git, and repositories to index."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from auto_context.engine import Engine

FIXTURES = Path(__file__).parent / "fixtures"
OpenEngine = Callable[..., Engine]
"""Makes engines on one data folder, one at a time."""


def git(folder: Path, *arguments: str) -> str:
    """Run git as nobody in particular."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def make_shop(folder: Path) -> Path:
    """A small repository in several languages, committed on main."""
    shutil.copytree(FIXTURES / "shop", folder)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder
