"""How far an update is, on one line of a terminal or now and then on one of its own."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

_PLAIN_PROGRESS_EVERY_S = 5.0
PAUSED = {"memory": "near the limit memory_mb", "battery": "on battery"}
"""Why the transformer waits, for a person."""


class ProgressLine:
    """One line on a terminal, rewritten; elsewhere a line now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._shown_at = 0.0
        self._open = False

    def show(self, progress: dict[str, Any]) -> None:
        """Print how far it is."""
        now = time.monotonic()
        if not self._terminal and now - self._shown_at < _PLAIN_PROGRESS_EVERY_S:
            return
        self._shown_at = now
        text = progress_text(progress)
        if self._terminal:
            width = os.get_terminal_size(sys.stderr.fileno()).columns or 80  # 0: a terminal that does not know
            sys.stderr.write(f"\r\033[K{text[: width - 1]}")
            self._open = True
        else:
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the line to whatever follows."""
        if self._open:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def progress_text(progress: dict[str, Any]) -> str:
    """``reading 120/900 files, 2400 chunks, 4%`` or ``embedding 240/900 chunks, 41%, 9000 tokens/s, 2 min left``."""
    percent = f"{progress['percent']:.0f}%"
    if progress["phase"] == "scan":
        return "looking for files"
    if progress["phase"] == "chunk":
        done, total = progress["files_done"], progress["files_total"]
        return f"reading {done}/{total} files, {progress['chunks_total']} chunks, {percent}"
    if progress["phase"] == "static":
        return f"making static vectors of {progress['chunks_total']} chunks, {percent}"
    eta = progress["eta_s"]
    left = "" if eta is None else f", {duration(eta)} left"
    done, total = progress["chunks_done"], progress["chunks_total"]
    files = f", {progress['files_total']} files read" if progress["files_total"] else ""
    if progress["paused"]:
        return f"embedding {done}/{total} chunks{files}, {percent}, paused: {PAUSED[progress['paused']]}"
    speed = f", {progress['tokens_per_s']} tokens/s" if progress["tokens_per_s"] else ""
    return f"embedding {done}/{total} chunks{files}, {percent}{speed}{left}"


def duration(seconds: float) -> str:
    """``45 s`` or ``3 min``."""
    minute = 60
    return f"{seconds:.0f} s" if seconds < minute * 1.5 else f"{seconds / minute:.0f} min"
