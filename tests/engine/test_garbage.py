"""What nothing uses any more goes when its time has come, and never earlier; what is in use stays."""

from __future__ import annotations

import contextlib
import shutil
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.engine.garbage import DAY_S
from auto_context.engine.repository import Repository
from auto_context.types import SearchRequest
from support import Clock, OpenEngine, git

OLD = "def forecast(city):\n    '''Will it rain tomorrow, says the barometer?'''\n    return 'rain'\n"
NEW = "def forecast(city):\n    '''The almanac knows how much snow will fall.'''\n    return 'snow'\n"


@pytest.fixture
def clock() -> Clock:
    made = Clock()
    made.now = time.time()
    return made


@pytest.fixture
def engine(open_engine: OpenEngine, clock: Clock) -> Engine:
    return open_engine(clock=clock)


def paths(engine: Engine, root: Path, query: str) -> list[str]:
    return [hit.path for hit in engine.search(SearchRequest(query, str(root), wait_ms=60_000)).hits]


def store_of(engine: Engine, root: Path) -> Repository:
    repository = engine._stores.find(engine.repository_key(root), create=False)
    assert repository is not None
    return repository


def records(repository: Repository, kinds: bytes = b"bepx") -> dict[str, int]:
    return {chr(kind): len(repository.sidecar.keys(bytes([kind]))) for kind in kinds}


def save(engine: Engine, root: Path, name: str, text: str) -> Any:
    (root / name).write_text(text)
    return engine.update_paths(root, [name])


def check_whole(engine: Engine, root: Path) -> None:
    """Everything in the view is stored, has words and rows, and is found."""
    repository = store_of(engine, root)
    worktree = repository.worktree(str(root))
    keys = {entry.key for entry in worktree.view.entries.values() if entry.key}
    assert keys <= repository.blobs
    assert repository.unlexed(worktree.view) == []
    engine.search(SearchRequest("x", str(root)))
    for tier in repository.tiers:
        assert tier.missing(worktree.view) == []
    assert paths(engine, root, "RetryPolicy")[0] == "src/uploads.py"


def check_clean(repository: Repository, live: set[tuple[str, bytes]]) -> None:
    """Nothing is stored but what is in these (path, key)."""
    keys, names = {key for _, key in live}, {path.encode() for path, _ in live}
    assert {key[1:] for key in repository.sidecar.keys(b"b")} == keys == repository.blobs
    assert {key[9:] for key in repository.sidecar.keys(b"e")} == keys
    assert {key[9:] for key in repository.sidecar.keys(b"p")} == names
    assert len(repository.lexed) == len(live)
    assert repository.sidecar.keys(b"t") == []
    assert repository.sidecar.keys(b"g") == []
    for tier in repository.tiers:
        assert tier.bodies == keys
        assert {path.encode() for path in tier.paths} == names
    found = repository.lexical.search(["barometer", "almanac", "def", "the"], "", 1000)
    assert {document for document, _, _ in found} <= repository.lexed


def pairs(repository: Repository, root: Path) -> set[tuple[str, bytes]]:
    view = repository.worktree(str(root)).view
    return {(path, entry.key) for path, entry in view.entries.items() if entry.key}


def test_a_version_goes_after_thirty_days_and_not_before(engine: Engine, shop: Path, clock: Clock) -> None:
    engine.update(shop)
    save(engine, shop, "weather.py", OLD)
    save(engine, shop, "weather.py", NEW)
    repository = store_of(engine, shop)
    before = records(repository)
    engine.prune()
    clock.now += 29.9 * DAY_S
    assert [item.versions for item in engine.prune()] == [0]
    assert records(repository) == before
    clock.now += 0.2 * DAY_S
    [item] = engine.prune()
    assert (item.versions, item.vectors, item.branches) == (1, 2, [])
    assert item.bytes > 0
    check_clean(repository, pairs(repository, shop))
    check_whole(engine, shop)
    assert paths(engine, shop, "almanac")[0] == "weather.py"


def test_what_comes_back_in_time_embeds_nothing_and_is_young_again(engine: Engine, shop: Path, clock: Clock) -> None:
    engine.update(shop)
    save(engine, shop, "weather.py", OLD)
    save(engine, shop, "weather.py", NEW)
    engine.prune()
    clock.now += 20 * DAY_S
    report = save(engine, shop, "weather.py", OLD)
    assert (report.changed, report.embedded_chunks, report.embedded_paths) == (1, 0, 0)
    engine.prune()
    clock.now += 20 * DAY_S
    save(engine, shop, "weather.py", NEW)
    assert [item.versions for item in engine.prune()] == [0]
    assert save(engine, shop, "weather.py", OLD).embedded_chunks == 0


def test_a_renamed_file_leaves_nothing_at_its_old_path(engine: Engine, shop: Path, clock: Clock) -> None:
    engine.update(shop)
    (shop / "src/basket.py").rename(shop / "src/trolley.py")
    engine.update(shop)
    engine.prune()
    clock.now += 31 * DAY_S
    [item] = engine.prune()
    assert (item.versions, item.vectors) == (0, 2)
    repository = store_of(engine, shop)
    check_clean(repository, pairs(repository, shop))
    check_whole(engine, shop)


def make_branch(engine: Engine, shop: Path, name: str, text: str = OLD) -> None:
    """Index a branch with one file of its own, and go back to main."""
    git(shop, "switch", "-qc", name)
    (shop / f"{name}.py").write_text(text)
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", name)
    engine.update(shop)
    git(shop, "switch", "-q", "main")
    engine.update(shop)


def test_a_branch_unused_for_thirty_days_goes_with_its_versions(engine: Engine, shop: Path, clock: Clock) -> None:
    engine.update(shop)
    make_branch(engine, shop, "feature")
    clock.now += 29 * DAY_S
    assert [item.branches for item in engine.prune()] == [[]]
    clock.now += 2 * DAY_S
    [item] = engine.prune()
    # It was used last when it was left: its versions are as old.
    assert (item.branches, item.versions) == (["feature"], 1)
    repository = store_of(engine, shop)
    check_clean(repository, pairs(repository, shop))
    check_whole(engine, shop)


def test_a_branch_deleted_in_git_is_forgotten_and_its_versions_later(
    open_engine: OpenEngine, shop: Path, clock: Clock
) -> None:
    engine = open_engine(clock=clock)
    engine.update(shop)
    make_branch(engine, shop, "feature")
    make_branch(engine, shop, "other", NEW)
    git(shop, "branch", "-qD", "feature")
    engine = open_engine(clock=clock)
    [item] = engine.prune()
    assert (item.branches, item.versions) == (["feature"], 0)
    assert store_of(engine, shop).worktree(str(shop)).refs == ["other", "main"]
    git(shop, "switch", "-q", "other")
    assert engine.update(shop).embedded_chunks == 0
    git(shop, "switch", "-q", "main")
    engine.update(shop)
    clock.now += 31 * DAY_S
    [item] = engine.prune()
    assert (item.branches, item.versions) == (["other"], 2)
    repository = store_of(engine, shop)
    check_clean(repository, pairs(repository, shop))
    check_whole(engine, shop)


def test_a_detached_commit_is_kept_while_git_has_it(engine: Engine, shop: Path, clock: Clock) -> None:
    engine.update(shop)
    git(shop, "switch", "-q", "--detach")
    detached = engine.update(shop).branch
    git(shop, "switch", "-q", "main")
    engine.update(shop)
    assert [item.branches for item in engine.prune()] == [[]]
    clock.now += 31 * DAY_S
    assert [item.branches for item in engine.prune()] == [[detached]]
    check_whole(engine, shop)


def test_a_worktree_that_git_removed_is_forgotten(engine: Engine, shop: Path, tmp_path: Path, clock: Clock) -> None:
    other = tmp_path / "other"
    engine.update(shop)
    git(shop, "worktree", "add", "-q", "-b", "side", str(other))
    (other / "weather.py").write_text(OLD)
    engine.update(other)
    repository = store_of(engine, shop)
    kept = other.rename(tmp_path / "moved away")
    assert [item.branches for item in engine.prune()] == [[]]
    shutil.rmtree(kept)
    git(shop, "worktree", "prune")
    assert [item.branches for item in engine.prune()] == [[f"side@{other}"]]
    assert len(repository.sidecar.keys(b"w")) == len(repository.sidecar.keys(b"v")) == 1
    clock.now += 31 * DAY_S
    assert [item.versions for item in engine.prune()] == [1]
    check_clean(repository, pairs(repository, shop))
    check_whole(engine, shop)


def test_vectors_of_a_model_that_nobody_uses_go(
    open_engine: OpenEngine, shop: Path, tiny_model: Path, clock: Clock
) -> None:
    other = open_engine(Settings(model=str(tiny_model)), clock=clock, worker=None)
    other.update(shop)
    engine = open_engine(clock=clock)
    engine.update(shop)
    repository = store_of(engine, shop)
    assert len({key[1:9] for key in repository.sidecar.keys(b"e")}) == 4
    engine.prune()
    clock.now += 31 * DAY_S
    [item] = engine.prune()
    assert item.vectors > 0
    check_clean(repository, pairs(repository, shop))
    assert len({key[1:9] for key in repository.sidecar.keys(b"e")}) == 2
    check_whole(engine, shop)


def test_a_dry_run_tells_what_would_go_and_changes_nothing(engine: Engine, shop: Path, clock: Clock) -> None:
    engine.update(shop)
    make_branch(engine, shop, "feature", NEW.replace("snow", "hail"))
    save(engine, shop, "weather.py", OLD)
    save(engine, shop, "weather.py", NEW)
    repository = store_of(engine, shop)

    def everything() -> list[tuple[bytes, bytes]]:
        return [pair for kind in b"mbepwhvdtxg" for pair in repository.sidecar.scan(bytes([kind]))]

    before = everything()
    assert [item.versions for item in engine.prune(dry_run=True)] == [0]
    assert everything() == before
    engine.prune()
    clock.now += 31 * DAY_S
    before = everything()
    would = engine.prune(dry_run=True)
    assert everything() == before
    assert would == engine.prune() != []
    assert would[0].versions == 2
    assert would[0].branches == ["feature"]


class KilledError(BaseException):
    """The process is no more."""


def test_killed_at_any_step_nothing_in_use_is_lost_and_the_rest_goes_later(
    open_engine: OpenEngine, shop: Path, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(clock=clock)
    engine.update(shop)
    for number in range(3):
        save(engine, shop, f"old_{number}.py", OLD.replace("city", f"city_{number}"))
        (shop / f"old_{number}.py").unlink()
    engine.update(shop)
    engine.prune()
    make_branch(engine, shop, "feature", NEW)
    engine.close()
    saved = shutil.copytree(tmp_path / "data", tmp_path / "saved")
    clock.now += 31 * DAY_S
    for step in count():
        dying = Dying(step)
        engine = open_engine(clock=clock)
        with monkeypatch.context() as patched:
            dying.seize(store_of(engine, shop), patched)
            with contextlib.suppress(KilledError):
                engine.prune()
        engine = open_engine(clock=clock)
        check_whole(engine, shop)
        engine.prune()
        repository = store_of(engine, shop)
        check_clean(repository, pairs(repository, shop))
        assert engine.update(shop).embedded_chunks == 0
        check_whole(engine, shop)
        if not dying.done:
            break
        engine.close()
        shutil.rmtree(tmp_path / "data")
        shutil.copytree(saved, tmp_path / "data")
    assert step > 8


class Dying:
    """Ends the process before the write of some number."""

    def __init__(self, at: int) -> None:
        self._left = at
        self.done = False

    def seize(self, repository: Repository, patched: pytest.MonkeyPatch) -> None:
        for name in ("set", "set_many", "delete", "delete_many"):
            patched.setattr(repository.sidecar, name, self._wrap(getattr(repository.sidecar, name)))
        patched.setattr(repository.lexical, "remove", self._wrap(repository.lexical.remove))

    def _wrap(self, write: Any) -> Any:
        def run(*arguments: Any) -> Any:
            self._left -= 1
            if self._left == -1:
                self.done = True
                raise KilledError
            return write(*arguments)

        return run
