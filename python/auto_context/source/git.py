"""Running git so that neither the caller's environment nor the repository's configuration changes what it does."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

from auto_context.errors import AutoContextError

TIMEOUT_S = 60.0
_LISTING_TIMEOUT_S = 600.0
_READ_BYTES = 1 << 16
_TICK_S = 0.02

_KEPT_VARIABLES = frozenset(
    {
        "GIT_CEILING_DIRECTORIES",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_SYSTEM",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM",
        "GIT_EXEC_PATH",
    }
)
"""Where git and the user's own configuration are. The rest (GIT_DIR, GIT_INDEX_FILE, ...) names another repository."""


def environment() -> dict[str, str]:
    """The environment for git: no repository of the caller's, English messages, no locks, no prompt, no network."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k in _KEPT_VARIABLES}
    kept.update(LC_ALL="C", GIT_OPTIONAL_LOCKS="0", GIT_TERMINAL_PROMPT="0", GIT_NO_LAZY_FETCH="1")
    return kept


def command(folder: Path, arguments: Sequence[str]) -> list[str]:
    """The argument list. A repository's configuration must not run a program (fsmonitor) nor quote file names."""
    return ["git", "-C", str(folder), "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", *arguments]


def run_git(
    folder: Path, *arguments: str, stdin: bytes | None = None, timeout_s: float = TIMEOUT_S
) -> subprocess.CompletedProcess[bytes] | None:
    """Run git in ``folder`` and wait; None when git is not installed. The caller judges the exit status.

    Raises:
        AutoContextError: ``git_failed`` when it cannot be run or does not end.
    """
    try:
        return subprocess.run(
            command(folder, arguments),
            env=environment(),
            input=stdin or b"",
            capture_output=True,
            check=False,
            timeout=timeout_s,
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise AutoContextError("git_failed", f"git {arguments[0]} in {folder}: {error}") from error


def git_version() -> tuple[int, ...]:
    """The version of git, () when there is none that says it."""
    try:
        answer = run_git(Path.cwd(), "--version")
    except (AutoContextError, OSError):
        return ()
    said = re.search(rb"\d+(?:\.\d+)+", answer.stdout) if answer is not None else None
    return tuple(map(int, said[0].split(b"."))) if said else ()


def failure(folder: Path, arguments: Sequence[str], stderr: bytes) -> AutoContextError:
    """``git_failed`` with the first line of what git said."""
    said = stderr.decode("utf-8", "replace").strip().split("\n", 1)[0] or "no message"
    hint = None
    if "unknown repository extension" in said:
        hint = "this repository is in a format of a newer git (reftable needs 2.45): update git"
    if "dubious ownership" in said:
        hint = f"it belongs to somebody else; if you trust it: git config --global --add safe.directory '{folder}'"
    return AutoContextError("git_failed", f"git {' '.join(arguments)} in {folder}: {said}", hint)


def stream_names(folder: Path, argv: Sequence[str], env: dict[str, str] | None = None) -> Iterator[list[str]]:
    """NUL-separated names a program prints, as they come; an empty list now and then while it is silent.

    Args:
        folder: where it runs.
        argv: the program and its arguments.
        env: its environment; git's when None.

    Raises:
        FileNotFoundError: the program is not installed.
        AutoContextError: ``git_failed`` when it fails or does not end.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment() if env is None else env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            yield from _names(process, argv)
            if process.wait(TIMEOUT_S):
                errors.seek(0)
                raise failure(folder, [Path(argv[0]).name, *argv[-1:]], errors.read())
        except subprocess.TimeoutExpired as error:
            raise AutoContextError("git_failed", f"{argv[0]} in {folder} did not end") from error
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _names(process: subprocess.Popen[bytes], argv: Sequence[str]) -> Iterator[list[str]]:
    if process.stdout is None:
        return
    descriptor, rest = process.stdout.fileno(), b""
    until = time.monotonic() + _LISTING_TIMEOUT_S
    with DefaultSelector() as ready:
        ready.register(descriptor, EVENT_READ)
        while True:
            if not ready.select(_TICK_S):
                if time.monotonic() > until:
                    raise subprocess.TimeoutExpired(list(argv), _LISTING_TIMEOUT_S)
                yield []
                continue
            data = os.read(descriptor, _READ_BYTES)
            if not data:
                break
            *whole, rest = (rest + data).split(b"\0")
            yield [os.fsdecode(name) for name in whole]
    if rest:
        yield [os.fsdecode(rest)]
