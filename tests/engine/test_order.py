"""What the transformer reads first: open files, then those of the last commits, then those that change often."""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from auto_context.engine import Options
from auto_context.engine.work import BULK, LocalWorker, Result, WorkerState
from support import OpenEngine, git

RECENT = 30
BEGAN = 1_000_000_000
DAY_S = 86_400


class Recorder:
    """The worker, noting the order in which it is asked to embed files."""

    def __init__(self, worker: LocalWorker) -> None:
        self._worker = worker
        self.embedded: list[str] = []

    def submit(self, op: str, params: dict[str, Any], priority: int = BULK) -> Future[Result]:
        if op == "embed":
            self.embedded += params["paths"]
        return self._worker.submit(op, params, priority)

    def depth(self, op: str) -> int:
        return self._worker.depth(op)

    @property
    def state(self) -> WorkerState:
        return self._worker.state

    def close(self) -> None:
        pass  # it is shared


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Old files, one of them changed often, then one new file with each of the last commits."""
    folder = tmp_path / "tree"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    days = 0

    def commit(*names: str) -> None:
        nonlocal days
        days += 1
        for name in names:
            (folder / name).write_text(f"def part_{days}():\n    return {days}\n")
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{BEGAN + days * DAY_S} +0000")
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", f"day {days}")

    commit("a_untouched.py", "open_a.py", "open_b.py", "z_often.py", "y_later.py")
    for _ in range(3):
        commit("z_often.py")
    commit("x_later.py")
    for number in range(RECENT):
        commit(f"recent_{number:02}.py")
    (folder / "new.py").write_text("def not_yet_committed():\n    return 1\n")
    return folder


def test_the_most_useful_files_are_embedded_first(open_engine: OpenEngine, worker: LocalWorker, tree: Path) -> None:
    recorder = Recorder(worker)
    opened = [str(tree / "open_b.py"), "open_a.py", str(tree.parent / "elsewhere.py"), "gone.py"]
    open_engine(worker=recorder).update(tree, options=Options(open_paths=opened))
    recent = [f"recent_{number:02}.py" for number in reversed(range(RECENT))]
    assert recorder.embedded[:2] == ["open_b.py", "open_a.py"]
    assert recorder.embedded[2 : 3 + RECENT] == ["new.py", *recent]  # what is not committed yet is being worked on
    # By how often they were committed, then by when.
    assert recorder.embedded[3 + RECENT :] == ["z_often.py", "x_later.py", "a_untouched.py", "y_later.py"]
