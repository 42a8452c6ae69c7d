"""What nothing uses any more goes when its time has come, and never earlier; what is in use stays."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import threading
import time
from collections.abc import Callable, Generator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from auto_context.config import Settings
from auto_context.engine import Engine, Options
from auto_context.engine.garbage import DAY_S, Collection, Rules
from auto_context.engine.repository import _REST_S, Repository
from auto_context.engine.upkeep import LOOK_EVERY_S
from auto_context.errors import AutoContextError
from auto_context.types import Pruned, SearchRequest
from support import Clock, OpenEngine, git, make_shop

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
    assert repository.lexed.missing(worktree.view) == []
    engine.search(SearchRequest("x", str(root)))
    for tier in repository.tiers:
        tier.load(worktree.view)
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
    assert {document for document, _, _ in found} <= repository.lexed.ids


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


def test_the_settings_say_how_long_and_how_much_is_kept(open_engine: OpenEngine, shop: Path, clock: Clock) -> None:
    engine = open_engine(Settings(keep_days=3, cache_size_mb=7), clock=clock)
    engine.update(shop)
    save(engine, shop, "weather.py", OLD)
    save(engine, shop, "weather.py", NEW)
    engine.prune()
    clock.now += 3.1 * DAY_S
    assert [item.versions for item in engine.prune()] == [1]
    assert engine._upkeep._limit == 7_000_000


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


# The limit of size

QUICK = Options(tier="static")


def large(name: str) -> str:
    """A file of some 100 kB of which no two lines are alike."""
    words = (hashlib.sha256(f"{name} {number}".encode()).hexdigest() for number in range(1_200))
    return "\n".join(f"{name} = '{word}'" for word in words)


def fill(engine: Engine, root: Path) -> None:
    """Index a repository with an old version and another branch, both large, and be on main."""
    make_shop(root)
    (root / "data.py").write_text(large("old"))
    engine.update(root, options=QUICK)
    (root / "data.py").write_text(large("new"))
    engine.update(root, options=QUICK)
    git(root, "switch", "-qc", "feature")
    (root / "feature.py").write_text(large("feature"))
    engine.update(root, options=QUICK)
    (root / "feature.py").unlink()
    git(root, "switch", "-q", "main")
    engine.update(root, options=QUICK)


def test_the_least_recently_used_repository_gives_up_what_is_old_first(
    engine: Engine, tmp_path: Path, clock: Clock
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for root in (first, second):
        fill(engine, root)
        clock.now += 100
    engine.prune()
    clock.now += 100
    went = []
    for _ in range(5):
        engine.vacuum()
        engine._upkeep._limit = sum(store.bytes_on_disk() for store in engine._stores.known()) - 1
        would = [(item.path, item.versions, item.branches) for item in engine.prune(dry_run=True) if item.bytes]
        found = [(item.path, item.versions, item.branches) for item in engine.prune() if item.bytes]
        assert would[:1] == found
        went += found
    mine, other = f"{first}/.git", f"{second}/.git"
    assert went == [(mine, 1, []), (other, 1, []), (mine, 1, ["feature"]), (other, 1, ["feature"])]
    # Nothing is left but the current branches, and those stay, however little room there may be.
    engine._upkeep._limit = 0
    assert not any(item.bytes for item in engine.prune())
    for root in (first, second):
        repository = store_of(engine, root)
        check_clean_but_transformer(repository, pairs(repository, root))
        assert engine.update(root, options=QUICK).changed == 0
        assert paths(engine, root, "RetryPolicy")[0] == "src/uploads.py"
    # Unless the repository itself is no more.
    shutil.rmtree(first)
    assert [(item.path, item.removed) for item in engine.prune(dry_run=True) if item.bytes] == [(mine, True)]
    assert len(engine._stores.known()) == 2
    assert [(item.path, item.removed) for item in engine.prune() if item.bytes] == [(mine, True)]
    assert [store.identity for store in engine._stores.known()] == [other]
    assert len(list((tmp_path / "data/stores").iterdir())) == 1


def check_clean_but_transformer(repository: Repository, live: set[tuple[str, bytes]]) -> None:
    """As ``check_clean`` where only static vectors were made."""
    assert repository.blobs == {key for _, key in live}
    assert repository.static.bodies == repository.blobs
    assert len(repository.lexed) == len(live)


def test_a_repository_whose_folder_is_gone_stays_while_there_is_room(
    engine: Engine, tmp_path: Path, clock: Clock
) -> None:
    root = make_shop(tmp_path / "first")
    engine.update(root, options=QUICK)
    shutil.rmtree(root)
    clock.now += 90 * DAY_S
    assert engine.prune() == []
    assert len(engine._stores.known()) == 1


def test_what_a_kill_left_of_a_removed_store_is_swept_up(engine: Engine, shop: Path, tmp_path: Path) -> None:
    engine.update(shop, options=QUICK)
    left = tmp_path / "data/stores/0123.dead"
    left.mkdir()
    (left / "sidecar").write_text("x")
    assert len(engine.vacuum()) == 1
    assert not left.exists()


# Room in memory and on disk


def test_vacuum_gives_room_back(engine: Engine, tmp_path: Path) -> None:
    root = tmp_path / "first"
    fill(engine, root)
    repository = store_of(engine, root)
    # Removed as by a collection that was killed before it gave the room back.
    engine.vacuum()
    repository.sidecar.delete_many(repository.sidecar.keys(b"e"))
    [item] = engine.vacuum()
    assert item.path == f"{root}/.git"
    assert item.after < item.before - 100_000
    [again] = engine.vacuum()
    assert again.after == again.before == item.after


def test_rows_and_numbers_of_what_is_in_no_view_are_used_again(engine: Engine, shop: Path, clock: Clock) -> None:
    for number in range(10):
        (shop / f"part_{number}.py").write_text(OLD.replace("city", f"city_{number}"))
    engine.update(shop)
    repository = store_of(engine, shop)
    for tier in repository.tiers:
        tier.load(repository.worktree(str(shop)).view)
    numbers = len(repository.documents)
    before = [len(tier.index) for tier in repository.tiers if tier.index]
    for number in range(10):
        (shop / f"part_{number}.py").unlink()
    engine.update(shop)
    engine.prune()
    assert [len(tier.index) for tier in repository.tiers if tier.index] == [rows - 10 for rows in before]
    check_whole(engine, shop)
    clock.now += _REST_S + 1
    engine.prune()
    for number in range(10):
        (shop / f"part_{number}.py").write_text(NEW.replace("city", f"city_{number}"))
    engine.update(shop)
    assert len(repository.documents) == numbers
    assert [len(tier.index) for tier in repository.tiers if tier.index] == before
    assert paths(engine, shop, "city_7")[0] == "part_7.py"
    check_whole(engine, shop)


# When


def test_it_is_looked_for_every_ten_minutes_and_in_a_store_once_a_day(
    engine: Engine, shop: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.update(shop, options=QUICK)
    seen: list[float] = []
    run_one = Collection.run

    def counted(self: Collection) -> Generator[None, None, Pruned]:
        seen.append(clock.now)
        return run_one(self)

    monkeypatch.setattr(Collection, "run", counted)
    began = clock.now
    while clock.now < began + 3 * DAY_S:
        clock.now += LOOK_EVERY_S
        engine.collect(60.0)
        engine.collect(60.0)
    assert len(seen) == 3


def test_it_goes_on_where_its_time_ran_out(engine: Engine, shop: Path, clock: Clock) -> None:
    engine.update(shop, options=QUICK)
    repository = store_of(engine, shop)
    for number in range(3):
        (shop / "weather.py").write_text(OLD.replace("city", f"city_{number}"))
        engine.update(shop, options=QUICK)
    engine.prune()
    clock.now += 31 * DAY_S
    before = len(repository.blobs)
    calls = 0
    while len(repository.blobs) == before:
        assert len(repository.sidecar.keys(b"b")) == before
        engine.collect(0.0)
        calls += 1
    assert calls > 5
    assert len(repository.blobs) == before - 2


def test_it_leaves_a_repository_alone_that_is_being_updated(engine: Engine, shop: Path, clock: Clock) -> None:
    engine.update(shop, options=QUICK)
    (shop / "src/mail.py").unlink()
    engine.update(shop, options=QUICK)
    repository = store_of(engine, shop)
    engine.prune()
    clock.now += 31 * DAY_S
    with repository.full_update:
        engine.collect(60.0)
        assert [item.busy for item in engine.prune(shop)] == [True]
        assert [item.versions for item in engine.prune(shop, dry_run=True)] == [1]
    assert [(item.busy, item.versions) for item in engine.prune(shop)] == [(False, 1)]


def test_only_one_repository_when_asked(engine: Engine, shop: Path, tmp_path: Path, clock: Clock) -> None:
    other = make_shop(tmp_path / "other")
    engine.update(shop, options=QUICK)
    clock.now += 60
    engine.update(other, options=QUICK)
    assert [item.path for item in engine.prune(other / "src")] == [f"{other}/.git"]
    assert [item.path for item in engine.prune()] == [f"{shop}/.git", f"{other}/.git"]
    with pytest.raises(AutoContextError, match="has no index"):
        engine.prune(make_shop(tmp_path / "third"))


def run(steps: Generator[None, None, Pruned]) -> Pruned:
    """To the end; what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Pruned = end.value
            return found


def test_what_is_used_again_in_the_middle_of_a_collection_stays(engine: Engine, shop: Path, clock: Clock) -> None:
    engine.update(shop)
    save(engine, shop, "weather.py", OLD)
    save(engine, shop, "weather.py", NEW)
    save(engine, shop, "other.py", OLD.replace("city", "town"))
    (shop / "other.py").unlink()
    engine.update_paths(shop, ["other.py"])
    engine.prune()
    clock.now += 31 * DAY_S
    repository = store_of(engine, shop)
    collection = Collection(
        repository, engine.repository_key(shop), Rules(30 * DAY_S, 30 * DAY_S), clock.now, 0.1, dry_run=False
    )
    steps = collection.run()
    for _ in range(4):
        next(steps)
    report = save(engine, shop, "weather.py", OLD)
    assert report.embedded_chunks == 0
    assert run(steps).versions == 1
    assert repository.watch is None
    check_whole(engine, shop)
    assert paths(engine, shop, "barometer")[0] == "weather.py"


def until_stopped(work: Callable[[int], None], stop: threading.Event, errors: list[BaseException]) -> None:
    """Work again and again; the first error ends it."""
    try:
        for turn in count():
            if stop.is_set():
                return
            work(turn)
    except BaseException as error:  # noqa: BLE001 - the test shows it
        errors.append(error)


def test_updates_saves_searches_and_collections_do_not_disturb_each_other(
    engine: Engine, shop: Path, clock: Clock
) -> None:
    for number in range(40):
        (shop / f"src/part_{number}.py").write_text(f"def part_{number}():\n    return {number}\n")
    engine.update(shop, options=QUICK)
    errors: list[BaseException] = []
    stop = threading.Event()

    def save_one(turn: int) -> None:
        path = shop / f"src/part_{turn % 40}.py"
        path.write_text(f"def part_{turn % 40}():\n    return 'version {turn % 80}'\n")
        engine.update_paths(shop, [str(path)])

    def search(turn: int) -> None:
        assert engine.search(SearchRequest(f"part_{turn % 40}", str(shop), path="src/*")).hits

    def collect(turn: int) -> None:
        del turn
        clock.now += 31 * DAY_S
        engine.prune()

    threads = [
        threading.Thread(target=until_stopped, args=(work, stop, errors)) for work in (save_one, search, collect)
    ]
    for thread in threads:
        thread.start()
    for _ in range(6):
        engine.update(shop, force=True, options=QUICK)
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    engine.update(shop)
    clock.now += 31 * DAY_S
    engine.prune()
    clock.now += 31 * DAY_S
    engine.prune()
    repository = store_of(engine, shop)
    check_clean(repository, pairs(repository, shop))
    check_whole(engine, shop)
