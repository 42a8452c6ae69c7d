"""Paths that lead nowhere, out, in circles, or to something that is no file; and trees that change under our hands."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from auto_context.engine import Engine
from auto_context.engine.work import LocalWorker
from auto_context.errors import AutoContextError
from auto_context.source import Skip, read
from bad_input import Meddler, found, in_time, update, write
from support import OpenEngine, git

HERON = "def heron():\n    return 'a grey bird'\n"


@pytest.mark.parametrize("git_dir", [True, False], ids=["git", "plain"])
def test_links_in_circles_and_out_are_counted_and_not_followed(engine: Engine, tmp_path: Path, git_dir: bool) -> None:
    tree = write(tmp_path / "tree", {"a.py": HERON, "sub/b.py": "def wren(): pass\n"})
    write(tmp_path / "outside", {"o.py": "def outside_quokka(): pass\n"})
    if git_dir:
        git(tree, "init", "-q")
    for name, target in {
        "self": "self", "one": "two", "two": "one", "here": ".", "sub/above": "..", "gone": "nothing",
        "same.py": "a.py", "out.py": "../outside/o.py", "out": "../outside", "up": "..", "zero": "/dev/zero",
    }.items():  # fmt: skip
        (tree / name).symlink_to(target)
    report = update(engine, tree)
    assert report.files == 2
    assert report.skipped == {"symlink": 7, "symlink_outside": 4}
    assert found(engine, tree, "heron") == ["a.py"]
    assert found(engine, tree, "outside_quokka") == []
    assert in_time(lambda: engine.update_paths(tree, ["here/a.py"])).files == 2
    for name in ("out.py", "out/o.py", "up/outside/o.py", "zero"):
        with pytest.raises(AutoContextError) as caught:
            engine.update_paths(tree, [name])
        assert caught.value.code == "outside_root"


def test_a_folder_asked_for_by_links_is_the_folder(engine: Engine, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(shop)
    (tmp_path / "link2").symlink_to("link")
    assert update(engine, tmp_path / "link2").root == str(shop)
    assert found(engine, tmp_path / "link" / "src", "RetryPolicy") == found(engine, shop / "src", "RetryPolicy")


def test_pipes_sockets_and_devices_are_counted_and_never_opened(engine: Engine, tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {"a.py": HERON})
    os.mkfifo(tree / "pipe.py")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(tree)  # a socket's path is short, a test's folder is not
        server.bind("s.py")
        os.chdir("/")
        report = update(engine, tree)
    assert (report.files, report.skipped) == (1, {"not_regular": 2})
    assert found(engine, tree, "pipe") == []
    assert read(Path("/dev"), "null", 1) == Skip("not_regular")


def test_a_tracked_file_that_became_a_pipe_leaves_the_index(engine: Engine, repo: Path) -> None:
    write(repo, {"a.py": HERON, "b.py": "def wren(): pass\n"})
    git(repo, "add", "-A")
    update(engine, repo)
    (repo / "b.py").unlink()
    os.mkfifo(repo / "b.py")
    report = update(engine, repo)
    assert (report.files, report.removed, report.skipped) == (1, 1, {"not_regular": 1})
    assert found(engine, repo, "wren") == []


def vanish(path: Path) -> None:
    path.unlink()


def grow(path: Path) -> None:
    path.write_text("def wren(): pass\n" * 100_000)


def turn_binary(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")


def turn_into_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def turn_into_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def turn_into_a_folder(path: Path) -> None:
    path.unlink()
    write(path, {"inner.py": "def inner(): pass\n"})


@pytest.mark.parametrize(
    ("change", "skipped"),
    [
        (vanish, {}),
        (grow, {"large": 1}),
        (turn_binary, {"binary": 1}),
        (turn_into_a_link, {"symlink": 1}),
        (turn_into_a_pipe, {"not_regular": 1}),
        (turn_into_a_folder, {"not_regular": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("known", [False, True], ids=["new", "indexed"])
def test_a_file_that_changes_between_listing_and_reading(
    open_engine: OpenEngine, shop: Path, worker: LocalWorker, change: Callable[[Path], None],
    skipped: dict[str, int], known: bool,
) -> None:  # fmt: skip
    before = update(open_engine(), shop) if known else None
    bird = write(shop, {"src/bird.py": HERON}) / "src/bird.py"
    if before is not None:
        assert update(open_engine(), shop).files == before.files + 1
        write(shop, {"src/bird.py": HERON + "# seen\n"})
    engine = open_engine(worker=Meddler(worker, "hash" if known else "chunk", lambda: change(bird)))
    report = update(engine, shop)
    assert report.skipped == skipped
    assert report.pending_chunks == report.chunks > 0
    assert found(engine, shop, "heron") == []
    assert found(engine, shop, "RetryPolicy")[0] == "src/uploads.py"
    again = update(engine, shop)
    assert again.files == report.files + (change is turn_into_a_folder)
    assert found(engine, shop, "heron") == []


@pytest.mark.parametrize("how", ["removed", "moved"])
@pytest.mark.parametrize("git_dir", [True, False], ids=["git", "plain"])
@pytest.mark.parametrize("op", ["scan", "info", "chunk"])
def test_a_folder_that_goes_while_it_is_indexed_is_said_and_keeps_its_index(
    open_engine: OpenEngine, tmp_path: Path, worker: LocalWorker, how: str, git_dir: bool, op: str
) -> None:
    tree = write(tmp_path / "tree", {f"f{n}.py": f"def heron_{n}(): return {n}\n" for n in range(5)})
    if git_dir:
        git(tree, "init", "-q")
    first = update(open_engine(), tree)
    elsewhere = tmp_path / "elsewhere"
    write(tree, {"new.py": "def wren(): pass\n"})

    def go() -> None:
        tree.rename(elsewhere)
        if how == "removed":
            shutil.copytree(elsewhere, tmp_path / "copy")
            shutil.rmtree(elsewhere)

    engine = open_engine(worker=Meddler(worker, op, go))
    with pytest.raises(AutoContextError) as caught:
        update(engine, tree)
    assert caught.value.code == "path_missing"
    assert "removed or moved" in caught.value.message
    with pytest.raises(AutoContextError) as caught:
        update(engine, tree)
    assert caught.value.code == "path_missing"
    (elsewhere if how == "moved" else tmp_path / "copy").rename(tree)
    assert found(engine, tree, "heron_3")[0] == "f3.py"
    assert update(engine, tree).files == first.files + 1


def test_a_subfolder_that_moves_while_it_is_indexed_is_found_where_it_is(
    open_engine: OpenEngine, shop: Path, worker: LocalWorker
) -> None:
    engine = open_engine(worker=Meddler(worker, "chunk", lambda: (shop / "src").rename(shop / "lib")))
    update(engine, shop)
    report = update(engine, shop)
    assert report.changed > 0
    assert found(engine, shop, "RetryPolicy")[0] == "lib/uploads.py"


def test_names_that_differ_by_case_alone_are_two_files(engine: Engine, repo: Path) -> None:
    write(repo, {"Bird.py": HERON, "bird.py": "def wren(): pass\n"})
    names = sorted(path.name for path in repo.glob("?ird.py"))
    report = update(engine, repo)
    assert report.files == len(names)
    # Where the file system knows no case there is one file, with what was written last.
    assert found(engine, repo, "wren") == (["bird.py"] if len(names) == 2 else names)
    assert found(engine, repo, "heron") == (["Bird.py"] if len(names) == 2 else [])
    if len(names) == 2:
        (repo / "Bird.py").unlink()
        assert engine.update_paths(repo, ["Bird.py"]).removed == 1
        assert found(engine, repo, "wren") == ["bird.py"]
