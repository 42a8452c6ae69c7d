"""``python -m auto_context.cli.environments FOLDER NAME``: removes environments that ``:AutoContext install`` replaced.

In FOLDER everything called ``venv-*`` goes but NAME, and what a process runs from: an editor that was open meanwhile
goes on with what it began with.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from pathlib import Path

import psutil

_OURS = re.compile(r"venv-[0-9-]+")


def main() -> int:
    """Entry point."""
    remove_unused(Path(sys.argv[1]), sys.argv[2])
    return 0


def remove_unused(folder: Path, current: str) -> list[str]:
    """Remove the environments in a folder that are neither the current one nor in use; returns their names."""
    found = [item for item in folder.iterdir() if _OURS.fullmatch(item.name) and not item.is_symlink()]
    old = [item for item in found if item.is_dir() and item.name != current]
    running = _programs()
    gone = [item for item in old if not any(program.startswith(f"{item}{os.sep}") for program in running)]
    for item in gone:
        shutil.rmtree(item, ignore_errors=True)
    return [item.name for item in gone]


def _programs() -> set[str]:
    """What this user's processes were started as."""
    programs = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, IndexError):
            programs.add(process.cmdline()[0])
    return programs


if __name__ == "__main__":
    sys.exit(main())
