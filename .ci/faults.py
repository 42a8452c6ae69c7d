"""How set-up fails: one coded line. And how it runs other programs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

CLOSING_LINES = 3


class Failed(Exception):  # noqa: N818 - reads as a verdict: set-up failed
    """A fault with a code and a one-line message; nothing else is shown to the person."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def say(line: str) -> None:
    """Tell the person what goes on; stdout is for results."""
    print(f"setup: {line}", file=sys.stderr, flush=True)


def last_words(output: str) -> str:
    """The line of a program's output that says most about why it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("e:", "error", "fatal"))]
    return (errors or lines or ["no message"])[-1]


def run(arguments: Sequence[str | os.PathLike[str]], *, code: str, env: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        Failed: ``code`` and the program's last words, when it is missing or fails.
    """
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL, env=env
        )
    except OSError as error:
        raise Failed(code, f"cannot run {os.fspath(arguments[0])}: {error.strerror}") from error
    if done.returncode:
        words = last_words(done.stdout + "\n" + done.stderr)
        raise Failed(code, f"{Path(arguments[0]).name} exited with {done.returncode}: {words}")
    return done.stdout
