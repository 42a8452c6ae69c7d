"""What the tests of bad input share: what must not hang, what must show no traceback, and a worker that meddles."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from auto_context.engine import Engine, Options
from auto_context.engine.work import LocalWorker
from auto_context.types import SearchRequest, UpdateReport
from support import git

ANSWER_LIMIT_S = 30.0
"""Far above the three seconds that anything may take: the machine of the tests may be busy."""

T = TypeVar("T")


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files, by name, into a folder that is made when missing."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def two_hundred_commits(repo: Path) -> None:
    """Give an empty repository a branch ``upstream`` with one commit, and two hundred more on ``main``."""
    write(repo, {f"f{n}.py": f"def old_{n}(): pass\n" for n in range(20)})
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "first")
    git(repo, "branch", "upstream")
    # By `git commit` they would take seconds.
    stream = "".join(
        f"commit refs/heads/main\ncommitter t <t@example.org> {1_700_000_000 + number} +0000\ndata 5\nstep\n"
        + ("" if number else "from refs/heads/main^0\n")
        + f"M 100644 inline f{number % 20}.py\ndata <<END\ndef new_{number}(): pass\nEND\n\n"
        for number in range(200)
    )
    subprocess.run(["git", "-C", str(repo), "fast-import", "--quiet"], input=stream.encode(), check=True)
    git(repo, "reset", "-q", "--hard")


def in_time(work: Callable[[], T], limit_s: float = ANSWER_LIMIT_S) -> T:
    """The result of something that must not hang."""
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result.result(limit_s)


def command(*arguments: str, prefix: tuple[str, ...] = (), cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person does. It must not hang, and must not show a traceback, whatever it is given.

    Args:
        arguments: of the command line.
        prefix: a program that runs it, and its arguments.
        cwd: where it runs.
    """
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "auto_context", *arguments],
        capture_output=True,
        check=False,
        cwd=cwd,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=ANSWER_LIMIT_S,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def update(engine: Engine, folder: Path, *, force: bool = False) -> UpdateReport:
    """Bring a folder up to date by words, names and static vectors."""
    return in_time(lambda: engine.update(folder, force=force, options=Options(tier="static")))


def found(engine: Engine, folder: Path, query: str) -> list[str]:
    """The paths that a query finds by its words or by name: not what merely resembles it."""
    request = SearchRequest(query, str(folder), off=("static", "vector"))
    return [hit.path for hit in in_time(lambda: engine.search(request)).hits]


class Meddler:
    """A worker that does something to the files just before its first operation of a kind: after the listing, say.

    Args:
        worker: does the work.
        op: the operation.
        act: what to do before it.
    """

    def __init__(self, worker: LocalWorker, op: str, act: Callable[[], object]) -> None:
        self._worker = worker
        self._op = op
        self._acts = [act]

    def submit(self, op: str, params: dict[str, Any], priority: int) -> Any:
        """Meddle once, then do as asked."""
        if op == self._op and self._acts:
            self._acts.pop()()
        return self._worker.submit(op, params, priority)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._worker, name)
