"""The command line as a person runs it: what it says, within what time, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import time

AT_MOST_S = 10.0
"""Of a command that is refused: 3 s are promised on a machine that has nothing else to do."""


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``auto-context`` with some arguments and variables to its end."""
    return subprocess.run(
        [sys.executable, "-m", "auto_context", *arguments],
        capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment},
    )  # fmt: skip


def refused(code: str, *arguments: str, **environment: str) -> str:
    """Run it where it must end with an error of this code, at once; returns what it said of it."""
    began = time.monotonic()
    done = command(*arguments, **environment)
    took = time.monotonic() - began
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert f"({code})\n  " in done.stderr, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert took < AT_MOST_S, took
    return done.stderr
