"""From a folder to its repository, worktree and ref."""

import os
import shutil
from pathlib import Path

import pytest

from auto_context.errors import AutoContextError
from auto_context.source import current_ref, operation_in_progress, relative_path, resolve_root
from support import git


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "sub/deep").mkdir(parents=True)
    (folder / "sub/a.py").write_text("a = 1\n")
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


def code_of(path: Path) -> str:
    with pytest.raises(AutoContextError) as caught:
        resolve_root(path)
    return caught.value.code


def test_a_subfolder_belongs_to_its_repository(repo: Path) -> None:
    root = resolve_root(repo / "sub")
    assert (root.path, root.top, root.prefix) == (repo / "sub", repo, "sub/")
    assert root.git_dir == root.common_dir == repo / ".git"
    assert root.is_git
    assert resolve_root(repo).store_identity == root.store_identity == str(repo / ".git")
    assert resolve_root(repo).prefix == ""


def test_links_to_a_repository_resolve(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repo / "sub")
    root = resolve_root(tmp_path / "link")
    assert (root.path, root.prefix) == (repo / "sub", "sub/")


def test_odd_folder_names(tmp_path: Path) -> None:
    for name in ("line\nfeed", "späß", "-x", os.fsdecode(b"\xff")):
        folder = tmp_path / name / "sub"
        folder.mkdir(parents=True)
        git(folder.parent, "init", "-q", "-b", "main")
        root = resolve_root(folder)
        assert (root.top, root.prefix) == (folder.parent, "sub/")


def test_worktrees_share_a_store_and_not_a_view(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", "-b", "side/x", str(tmp_path / "other"))
    one, other = resolve_root(repo), resolve_root(tmp_path / "other")
    assert one.store_identity == other.store_identity
    assert one.worktree_identity != other.worktree_identity
    assert (current_ref(one), current_ref(other)) == ("main", "side/x")


def test_a_folder_without_git_and_an_ignored_one_are_their_own(repo: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (repo / ".gitignore").write_text("build/\nkept/\n")
    for folder in ("build/in", "kept"):
        (repo / folder).mkdir(parents=True)
        (repo / folder / "x.py").write_text("x\n")
    git(repo, "add", "-f", "kept/x.py")
    for own in (plain, repo / "build", repo / "build/in"):
        root = resolve_root(own)
        assert (root.top, root.git_dir, root.prefix) == (own, None, "")
        assert root.store_identity == str(own)
        assert current_ref(root) == "-"
        assert operation_in_progress(root) is None
    assert resolve_root(repo / "kept").top == repo


def test_a_submodule_is_its_own_repository(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "-c", "protocol.file.allow=always", "clone", "-q", str(repo), "outer")
    outer = tmp_path / "outer"
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repo), "vendor/inner")
    root = resolve_root(outer / "vendor/inner/sub")
    assert (root.top, root.prefix) == (outer / "vendor/inner", "sub/")
    assert root.common_dir == outer / ".git/modules/vendor/inner"


def test_what_is_no_folder_is_refused(repo: Path, tmp_path: Path) -> None:
    assert code_of(tmp_path / "absent") == "path_missing"
    assert code_of(repo / "sub/a.py") == "path_missing"
    assert code_of(Path("a\0b")) == "path_missing"
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare")
    assert code_of(tmp_path / "bare") == "bare_repository"
    assert code_of(repo / ".git") == "bare_repository"
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / ".git").write_text("gitdir: /nowhere/at/all\n")
    assert code_of(broken) == "git_failed"


def test_the_environment_of_the_caller_does_not_lead_astray(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    git(tmp_path, "init", "-q", str(other))
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    assert resolve_root(repo).git_dir == repo / ".git"


def test_without_git_a_repository_is_a_folder(repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    root = resolve_root(repo / "sub")
    assert (root.top, root.git_dir) == (repo / "sub", None)


def test_refs(repo: Path, tmp_path: Path) -> None:
    root = resolve_root(repo)
    git(repo, "switch", "-qc", "feature/deep/er")
    assert current_ref(root) == "feature/deep/er"
    git(repo, "switch", "-q", "--detach")
    assert current_ref(root) == "detached-" + git(repo, "rev-parse", "HEAD")[:12]
    unborn = tmp_path / "unborn"
    git(tmp_path, "init", "-q", "-b", "trunk", str(unborn))
    assert current_ref(resolve_root(unborn)) == "trunk"


def test_refs_that_only_git_can_tell(repo: Path) -> None:
    root = resolve_root(repo)
    head = repo / ".git/HEAD"
    head.unlink()
    head.symlink_to("refs/heads/main")
    assert current_ref(root) == "main"
    head.unlink()
    with pytest.raises(AutoContextError) as caught:
        current_ref(root)
    assert caught.value.code == "git_failed"


def test_operations_are_seen_in_the_worktree_they_happen_in(repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", "-b", "side", str(tmp_path / "other"))
    other = tmp_path / "other"
    for folder, text in ((repo, "a = 2\n"), (other, "a = 3\n")):
        (folder / "sub/a.py").write_text(text)
        git(folder, "commit", "-qam", "change")
    git(other, "bisect", "start")
    assert operation_in_progress(resolve_root(other)) == "bisect"
    assert operation_in_progress(resolve_root(repo)) is None
    git(other, "bisect", "reset")
    shutil.copy(repo / ".git/HEAD", repo / ".git/CHERRY_PICK_HEAD")
    assert operation_in_progress(resolve_root(repo)) == "cherry-pick"


def test_paths_relative_to_the_top(repo: Path, tmp_path: Path) -> None:
    root = resolve_root(repo / "sub")
    (repo / "sub/link.py").symlink_to("a.py")
    (repo / "sub/out.py").symlink_to(tmp_path / "elsewhere.py")
    assert relative_path(root, "a.py") == relative_path(root, str(repo / "sub/a.py")) == "sub/a.py"
    assert relative_path(root, "gone/b.py") == "sub/gone/b.py"
    assert relative_path(root, "link.py") == "sub/a.py"
    for outside in ("../x", "/etc/passwd", "out.py", "../sub2/x", ".", "", "a\0b", str(repo / "subway.py")):
        with pytest.raises(AutoContextError) as caught:
            relative_path(root, outside)
        assert caught.value.code == "outside_root"
