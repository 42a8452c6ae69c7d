"""What the tests of bad input get."""

from pathlib import Path

import pytest

from support import git


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository without a commit."""
    folder = tmp_path / "repo"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    return folder
