"""Helpers shared by all tests: git, and repositories to index."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from auto_context.engine import Engine
from auto_context.service.client import ServiceClient

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


def make_large(folder: Path, modules: int) -> Path:
    """The shop with many modules beside it that are not committed: the model reads for a while."""
    make_shop(folder)
    for number in range(modules):
        lines = (f"def step_{number}_{line}(state):\n    return state + {line} * 'text'\n" for line in range(60))
        (folder / f"module_{number}.py").write_text("\n".join(lines))
    return folder


def follow_job(client: ServiceClient, job: str, limit_s: float = 120.0) -> dict[str, Any]:
    """The last body of a job, once it ended."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        body = client.request("GET", f"/jobs/{job}", params={"wait_ms": 1000})
        if body["state"] not in ("queued", "running"):
            return body
    raise AssertionError(f"job {job} did not end within {limit_s} s")


def index(client: ServiceClient, root: Path) -> dict[str, Any]:
    """Index a folder completely and return the report."""
    job = client.request("POST", "/index/update", body={"root": str(root)})["job"]
    body = follow_job(client, job)
    assert body["state"] == "done", body
    report: dict[str, Any] = body["report"]
    return report


def wait_until(condition: Callable[[], object], limit_s: float = 30.0) -> None:
    """Return as soon as a condition holds; fail when it does not in time."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s} s"
        time.sleep(0.01)


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
