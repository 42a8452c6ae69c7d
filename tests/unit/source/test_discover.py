"""Which files are indexed, and why others are not: in git, with fd, and by walking."""

import os
import shutil
import socket
import stat
from pathlib import Path

import pytest

from auto_context.config import Settings
from auto_context.errors import AutoContextError
from auto_context.source import check_paths, discover, resolve_root
from support import git

PLAIN = Settings()


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def found(folder: Path, settings: Settings = PLAIN) -> dict[str, str]:
    """Path to reason; the verdict on single paths must be the same."""
    root = resolve_root(folder)
    batches = list(discover(root, settings))
    items = [item for batch in batches for item in batch]
    assert len({item.path for item in items}) == len(items)
    assert check_paths(root, [item.path for item in items], settings) == items
    return {item.path: item.skip for item in items}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    return folder


def only_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name in {"fd", "fdfind"} else real(name))


def test_git_lists_tracked_and_new_files_and_no_ignored_ones(repo: Path) -> None:
    write(repo, {"a.py": "a", "sub/b.py": "b", ".gitignore": "*.log\nbuild/\n", "x.log": "x", "build/o.py": "o"})
    write(repo, {"kept.log": "k", "gone.py": "g", "new.py": "n", "späß 'q\".py": "s", ".hidden/h.py": "h"})
    git(repo, "add", "a.py", "sub", ".gitignore", "gone.py")
    git(repo, "add", "-f", "kept.log")
    (repo / "gone.py").unlink()
    expected = {"a.py", "sub/b.py", ".gitignore", "kept.log", "new.py", "späß 'q\".py", ".hidden/h.py"}
    assert found(repo) == dict.fromkeys(expected, "")
    assert found(repo / "sub") == found(repo)


def test_stats_are_the_files_own(repo: Path) -> None:
    write(repo, {"a.py": "a = 1\n"})
    (item,) = next(batch for batch in discover(resolve_root(repo), PLAIN) if batch)
    info = (repo / "a.py").stat()
    assert item == ("a.py", info.st_size, info.st_mtime_ns, info.st_ino, "")


def test_names_that_are_not_utf8(repo: Path) -> None:
    name = os.fsdecode(b"caf\xe9\n.py")
    write(repo, {name: "x"})
    assert found(repo) == {name: ""}


def test_a_conflicted_file_is_listed_once(repo: Path) -> None:
    write(repo, {"a.py": "one\n"})
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "one")
    for branch, text in (("side", "two\n"), ("main", "three\n")):
        git(repo, "switch", "-q", *(["-c"] if branch == "side" else []), branch)
        write(repo, {"a.py": text})
        git(repo, "commit", "-qam", branch)
    with pytest.raises(Exception, match="merge"):
        git(repo, "merge", "-q", "side")
    assert git(repo, "ls-files", "-u").count("\n") == 3
    assert found(repo) == {"a.py": ""}


def test_reasons(repo: Path, tmp_path: Path) -> None:
    write(tmp_path, {"outside/o.py": "o"})
    write(repo, {"a.py": "a", "big.txt": "b" * 1001, ".env": "S=1", "vendor/v.py": "v", "gen/g.py": "g"})
    write(repo, {".autocontextignore": "gen/\n!gen/kept\n[\n"})
    (repo / "in.py").symlink_to("a.py")
    (repo / "out.py").symlink_to(tmp_path / "outside/o.py")
    (repo / "outdir").symlink_to(tmp_path / "outside")
    (repo / "loop").symlink_to("loop")
    (repo / "dangling").symlink_to("nothing")
    git(tmp_path, "init", "-q", str(repo / "nested"))
    write(repo, {"nested/n.py": "n"})
    git(repo / "nested", "add", "-A")
    git(repo / "nested", "commit", "-qm", "n")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(repo / "s.sock"))
    os.mkfifo(repo / "pipe")
    reasons = found(repo, Settings(max_file_bytes=1000, exclude=("vendor",)))
    assert {path: reason for path, reason in reasons.items() if reason} == {
        "big.txt": "large",
        ".env": "secret",
        "vendor/v.py": "excluded",
        "gen/g.py": "excluded",
        "in.py": "symlink",
        "out.py": "symlink_outside",
        "outdir": "symlink_outside",
        "loop": "symlink",
        "dangling": "symlink",
        "nested": "submodule",
    }
    assert reasons["a.py"] == ""
    root = resolve_root(repo)
    assert [f.skip for f in check_paths(root, ["pipe", "s.sock", "nested/n.py", "outdir/o.py"], PLAIN)] == [
        "not_regular",
        "not_regular",
        "submodule",
        "symlink_outside",
    ]


def test_what_is_watched_and_which_languages(repo: Path) -> None:
    write(repo, {"a.py": "a", "b.rs": "b" * 2000, "c.rs": "c", "src/d.lua": "d", "script": "x", "blob": "y" * 2000})
    write(repo, {"secret.pem": "s", "web/e.py": "e"})
    only = found(repo, Settings(watch=("*.py", "src/", "!web/*")))
    assert {path for path, reason in only.items() if not reason} == {"a.py", "src/d.lua"}
    assert only["b.rs"] == "unwatched"
    assert only["secret.pem"] == "secret"
    spoken = found(repo, Settings(languages=("rust",), max_file_bytes=1000))
    # A name that tells no language is no answer: the first line may, where it is read at all.
    assert {path: reason for path, reason in spoken.items() if reason != "language"} == {
        "b.rs": "large", "c.rs": "", "script": "", "secret.pem": "secret"
    }  # fmt: skip
    assert spoken["blob"] == spoken["a.py"] == "language"


def test_a_tracked_folder_that_became_a_link_is_not_followed(repo: Path, tmp_path: Path) -> None:
    write(repo, {"lib/a.py": "a"})
    git(repo, "add", "-A")
    shutil.move(repo / "lib", tmp_path / "elsewhere")
    (repo / "lib").symlink_to(tmp_path / "elsewhere")
    assert set(found(repo).values()) == {"symlink_outside"}


def test_a_repositorys_configuration_runs_no_program(repo: Path, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    git(repo, "config", "core.fsmonitor", str(hook))
    write(repo, {"a.py": "a"})
    assert found(repo) == {"a.py": ""}
    assert not (tmp_path / "ran").exists()


def test_single_paths_ignored_tracked_missing_and_outside(repo: Path) -> None:
    write(repo, {".gitignore": "*.log\nbuild/\n", "x.log": "x", "kept.log": "k", "build/o.py": "o", "new.py": "n"})
    git(repo, "add", "-f", "kept.log")
    root = resolve_root(repo)
    asked = ["x.log", "kept.log", "build/o.py", "new.py", "absent.py", "absent/y.py", ".git/config", "new.py/x"]
    reasons = [item.skip for item in check_paths(root, asked, PLAIN)]
    assert reasons == ["ignored", "", "ignored", "", "missing", "missing", "ignored", "missing"]
    for outside in ("../x", "/etc/passwd", "a/../b", "./a", "..", "", "a\0b"):
        with pytest.raises(AutoContextError) as caught:
            check_paths(root, [outside], PLAIN)
        assert caught.value.code == "outside_root"
    assert check_paths(root, [], PLAIN) == []


@pytest.mark.parametrize("walker", ["walk", "default"])
def test_without_git_ignore_files_count_at_every_depth(
    tmp_path: Path, walker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if walker == "walk":
        only_walk(monkeypatch)
    folder = write(
        tmp_path / "plain",
        {
            ".gitignore": "*.log\n/only-top.txt\nbuild/\n",
            "a.py": "a",
            "x.log": "x",
            "only-top.txt": "t",
            "sub/only-top.txt": "t",
            "sub/.gitignore": "!y.log\nsecret-plans.txt\n",
            "sub/y.log": "y",
            "sub/z.log": "z",
            "sub/secret-plans.txt": "s",
            "sub/build/b.py": "b",
            "build": "a file, not a folder",
            ".hidden": "h",
            ".git/config": "not a repository",
            "inner/.git/HEAD": "ref: refs/heads/main\n",
            "inner/i.py": "i",
        },
    )
    (folder / "loop").symlink_to(folder)
    expected = {".gitignore", "a.py", "sub/only-top.txt", "sub/.gitignore", "sub/y.log", "build", ".hidden"}
    reasons = found(folder)
    assert reasons.pop("loop") in {"symlink", "symlink_outside"}
    assert reasons == dict.fromkeys([*expected, "inner/i.py"], "")
    root = resolve_root(folder)
    asked = ["sub/z.log", "sub/build/b.py", "sub/secret-plans.txt", "only-top.txt", ".git/config", "no"]
    reasons_now = [item.skip for item in check_paths(root, asked, PLAIN)]
    assert reasons_now == ["ignored", "ignored", "ignored", "ignored", "ignored", "missing"]


def test_an_ignored_folder_is_walked_whatever_its_repository_ignores(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(repo, {".gitignore": "build/\n*.py\n", "build/o.py": "o", "build/deep/p.py": "p"})
    assert found(repo / "build") == {"o.py": "", "deep/p.py": ""}
    only_walk(monkeypatch)
    assert found(repo / "build") == {"o.py": "", "deep/p.py": ""}


def test_a_broken_fd_is_replaced_by_the_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "fd").write_text("#!/bin/sh\nprintf 'a.py\\0'\nexit 2\n")
    (programs / "fd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    folder = write(tmp_path / "plain", {"a.py": "a", "b.py": "b"})
    assert found(folder) == {"a.py": "", "b.py": ""}


def test_unreadable_folders_do_not_stop_a_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_walk(monkeypatch)
    folder = write(tmp_path / "plain", {"a.py": "a", "locked/b.py": "b"})
    (folder / "locked").chmod(0)
    try:
        assert found(folder)["a.py"] == ""
    finally:
        (folder / "locked").chmod(stat.S_IRWXU)


def test_batches_are_bounded_and_patterns_are_checked(tmp_path: Path) -> None:
    folder = write(tmp_path / "many", {f"d{n % 7}/f{n}.py": "" for n in range(1203)})
    sizes = [len(batch) for batch in discover(resolve_root(folder), PLAIN)]
    assert sum(sizes) == 1203
    assert max(sizes) == 500
    with pytest.raises(AutoContextError) as caught:
        list(discover(resolve_root(folder), Settings(exclude=("!",))))
    assert caught.value.code == "config_invalid"
