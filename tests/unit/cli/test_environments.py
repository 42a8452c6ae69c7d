"""Environments that were replaced go, unless something runs from them."""

import subprocess
import sys
from pathlib import Path

from auto_context.cli.environments import remove_unused


def make(folder: Path, name: str) -> Path:
    python = folder / name / "bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return python


def test_what_is_used_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    names = ["venv-1", "venv-2", "venv-20250101-000000", "venv-mine", "other"]
    pythons = {name: make(tmp_path, name) for name in names}
    (tmp_path / "venv").symlink_to("venv-2")
    (tmp_path / "venv-3").symlink_to("other")
    code = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([pythons["venv-1"], "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as used:
        assert used.stdin is not None
        assert used.stdout is not None
        used.stdout.readline()
        assert remove_unused(tmp_path, "venv-2") == ["venv-20250101-000000"]
        used.stdin.close()
    assert remove_unused(tmp_path, "venv-2") == ["venv-1"]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["other", "venv", "venv-2", "venv-3", "venv-mine"]
