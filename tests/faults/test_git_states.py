"""Repositories in every state that git knows: without commits, bare, shallow, nested, several worktrees, mid-rebase."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from auto_context.engine import Engine
from auto_context.errors import AutoContextError
from auto_context.types import SearchRequest
from bad_input import found, in_time, two_hundred_commits, update, write
from support import git

HERON, WREN = "def heron():\n    return 1\n", "def wren():\n    return 2\n"


def commit(folder: Path, files: dict[str, str | bytes], subject: str = "more") -> str:
    """Write files and commit everything; the commit."""
    write(folder, files)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", subject)
    return git(folder, "rev-parse", "HEAD").strip()


def test_an_empty_repository_is_indexed_and_answers_nothing(engine: Engine, repo: Path) -> None:
    report = update(engine, repo)
    assert (report.branch, report.files, report.skipped) == ("main", 0, {})
    assert found(engine, repo, "heron") == []
    write(repo, {"bird.py": HERON})
    assert in_time(lambda: engine.update_paths(repo, ["bird.py"])).files == 1
    assert found(engine, repo, "heron") == ["bird.py"]


def test_without_a_commit_the_files_are_found_and_stay_so_after_the_first(engine: Engine, repo: Path) -> None:
    write(repo, {"bird.py": HERON, ".gitignore": "*.log\n", "x.log": "heron\n"})
    assert update(engine, repo).branch == "main"
    assert found(engine, repo, "heron") == ["bird.py"]
    commit(repo, {})
    report = update(engine, repo)
    assert (report.changed, report.removed) == (0, 0)
    assert found(engine, repo, "heron") == ["bird.py"]


def test_a_detached_head_is_a_ref_of_its_own(engine: Engine, repo: Path) -> None:
    first = commit(repo, {"bird.py": HERON})
    commit(repo, {"bird.py": WREN})
    update(engine, repo)
    git(repo, "checkout", "-q", first)
    assert update(engine, repo).branch == f"detached-{first[:12]}"
    assert found(engine, repo, "heron") == ["bird.py"]
    assert found(engine, repo, "wren") == []
    git(repo, "checkout", "-q", "main")
    assert found(engine, repo, "wren") == ["bird.py"]


def test_two_worktrees_detached_at_one_commit_see_their_own_dirty_files(
    engine: Engine, repo: Path, tmp_path: Path
) -> None:
    head = commit(repo, {"bird.py": HERON, "same.py": "def both(): pass\n"})
    tops = [tmp_path / "one", tmp_path / "two\nlines"]
    for top, text in zip(tops, ("def alpha(): pass\n", "def beta(): pass\n"), strict=True):
        git(repo, "worktree", "add", "-q", "--detach", str(top), head)
        write(top, {"bird.py": text})
    for top in tops:
        assert update(engine, top).branch == f"detached-{head[:12]}"
    for top, mine, other in ((tops[0], "alpha", "beta"), (tops[1], "beta", "alpha")):
        assert found(engine, top, mine) == ["bird.py"]
        assert found(engine, top, other) == []
        assert found(engine, top, "both") == ["same.py"]
    write(tops[0], {"bird.py": "def gamma(): pass\n"})
    in_time(lambda: engine.update_paths(tops[0], ["bird.py"]))
    assert found(engine, tops[1], "beta") == ["bird.py"]
    assert found(engine, tops[1], "gamma") == []
    # Neither is taken for one that is gone.
    engine.prune()
    assert found(engine, tops[0], "gamma") == found(engine, tops[1], "beta") == ["bird.py"]


def test_a_bare_repository_is_said_and_its_worktrees_are_indexed(engine: Engine, repo: Path, tmp_path: Path) -> None:
    commit(repo, {"bird.py": HERON})
    bare = tmp_path / "hub/.bare"
    git(tmp_path, "clone", "-q", "--bare", str(repo), str(bare))
    (tmp_path / "hub/.git").write_text("gitdir: ./.bare\n")
    for folder in (bare, tmp_path / "hub", repo / ".git", bare / "refs"):
        with pytest.raises(AutoContextError) as caught:
            update(engine, folder)
        assert (caught.value.code, caught.value.hint[:16]) == ("bare_repository", "give a work tree")
    git(bare, "worktree", "add", "-q", str(tmp_path / "hub/main"), "main")
    assert update(engine, tmp_path / "hub/main").branch == "main"
    assert found(engine, tmp_path / "hub/main", "heron") == ["bird.py"]


def test_a_shallow_clone_is_indexed_with_the_history_it_has(engine: Engine, repo: Path, tmp_path: Path) -> None:
    commit(repo, {"old.py": HERON}, "the first")
    for number in range(3):
        commit(repo, {"new.py": f"def wren(): return {number}\n"}, f"number {number}")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "2", f"file://{repo}", str(shallow))
    report = in_time(lambda: engine.update(shallow))
    assert (report.files, report.pending_chunks) == (2, 0)
    assert found(engine, shallow, "heron")[0] == "old.py"
    commit(repo, {"new.py": WREN}, "news")
    git(shallow, "fetch", "-q", "--depth", "1")
    git(shallow, "reset", "-q", "--hard", "origin/main")
    assert in_time(lambda: engine.update(shallow)).changed == 1
    assert found(engine, shallow, "wren")[0] == "new.py"


def test_submodules_and_nested_repositories_are_indexes_of_their_own(
    engine: Engine, repo: Path, tmp_path: Path
) -> None:
    inner = tmp_path / "inner"
    git(tmp_path, "init", "-q", "-b", "main", str(inner))
    commit(inner, {"inner.py": WREN})
    commit(repo, {"bird.py": HERON})
    git(repo, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "vendor/inner")
    git(repo, "submodule", "deinit", "-q", "-f", "vendor/inner")
    for name in ("nested", "unborn"):
        git(repo, "init", "-q", "-b", "main", name)
        write(repo, {f"{name}/inner.py": WREN})
    commit(repo / "nested", {})
    (repo / "broken").mkdir()
    write(repo, {"broken/.git": "gitdir: /nowhere\n", "broken/inner.py": WREN})
    report = update(engine, repo)
    assert report.skipped == {"submodule": 3}
    assert sorted(found(engine, repo, "heron")) == ["bird.py"]
    # What is no repository, whatever its `.git` says, belongs to the one around it: for git, and for a save.
    assert found(engine, repo, "wren") == ["broken/inner.py"]
    paths = ["nested/inner.py", "unborn/inner.py", "broken/inner.py"]
    assert in_time(lambda: engine.update_paths(repo, paths)).files == report.files
    assert found(engine, repo, "wren") == ["broken/inner.py"]
    git(repo, "-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init")
    for name in ("vendor/inner", "nested", "unborn"):
        assert update(engine, repo / name).files == 1
        assert found(engine, repo / name, "wren") == ["inner.py"]
    with pytest.raises(AutoContextError) as caught:
        update(engine, repo / "broken")
    assert caught.value.code == "git_failed"


def test_a_damaged_index_or_head_is_said_and_the_view_stays(engine: Engine, repo: Path) -> None:
    commit(repo, {"bird.py": HERON})
    update(engine, repo)
    for name in ("index", "HEAD"):
        file = repo / ".git" / name
        kept = file.read_bytes()
        file.write_bytes(b"\0nonsense")
        with pytest.raises(AutoContextError) as caught:
            update(engine, repo)
        assert caught.value.code == "git_failed"
        assert caught.value.hint
        file.write_bytes(kept)
        assert found(engine, repo, "heron") == ["bird.py"]
    assert update(engine, repo).changed == 0


@pytest.fixture
def reftable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that keeps its refs in tables, by a git that can: 2.45 or newer."""
    newest = os.environ.get("AUTO_CONTEXT_TEST_GIT", "")
    if newest:
        monkeypatch.setenv("PATH", f"{Path(newest).parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("GIT_EXEC_PATH", str(Path(newest).parents[1] / "lib/git-core"))
    version = tuple(int(part) for part in re.findall(r"\d+", git(tmp_path, "--version"))[:2])
    if version < (2, 45):
        pytest.skip("reftable needs git 2.45 or newer on PATH, or named by AUTO_CONTEXT_TEST_GIT")
    git(tmp_path, "init", "-q", "-b", "main", "--ref-format=reftable", "tables")
    return tmp_path / "tables"


def test_a_repository_with_reftable_is_like_any_other(engine: Engine, reftable: Path, tmp_path: Path) -> None:
    write(reftable, {"bird.py": HERON})
    assert update(engine, reftable).branch == "main"
    first = commit(reftable, {})
    git(reftable, "checkout", "-qb", "side")
    commit(reftable, {"bird.py": WREN})
    assert update(engine, reftable).branch == "side"
    git(reftable, "checkout", "-q", "main")
    assert found(engine, reftable, "heron") == ["bird.py"]
    git(reftable, "checkout", "-q", "--detach")
    assert update(engine, reftable).branch == f"detached-{first[:12]}"
    git(reftable, "worktree", "add", "-q", str(tmp_path / "other"), "side")
    assert update(engine, tmp_path / "other").branch == "side"
    assert found(engine, tmp_path / "other", "wren") == ["bird.py"]
    engine.prune()
    assert found(engine, reftable, "heron") == ["bird.py"]


def test_a_repository_of_a_newer_git_is_said(engine: Engine, repo: Path) -> None:
    git(repo, "config", "core.repositoryFormatVersion", "1")
    git(repo, "config", "extensions.ofTomorrow", "yes")
    with pytest.raises(AutoContextError) as caught:
        update(engine, repo)
    assert caught.value.code == "git_failed"
    assert "update git" in caught.value.hint


def test_two_hundred_commits_are_rebased_with_one_update_at_the_end(
    engine: Engine, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_hundred_commits(repo)
    update(engine, repo)
    git(repo, "checkout", "-q", "upstream")
    commit(repo, {"upstream.py": HERON})
    git(repo, "checkout", "-q", "main")
    monkeypatch.setenv("GIT_SEQUENCE_EDITOR", "sed -i -e '100a break'")
    git(repo, "rebase", "-q", "-i", "upstream")
    assert os.path.isdir(repo / ".git/rebase-merge")
    for _ in range(3):
        with pytest.raises(AutoContextError) as caught:
            update(engine, repo)
        assert (caught.value.code, caught.value.spec.level) == ("git_busy", "info")
    hit = engine.search(SearchRequest("new_199", str(repo))).hits[0]
    assert (hit.path, hit.fresh) == ("f19.py", False)
    git(repo, "rebase", "--continue")
    report = update(engine, repo)
    assert (report.branch, report.files) == ("main", 21)
    assert found(engine, repo, "heron")[:1] == ["upstream.py"]
    assert found(engine, repo, "new_199")[:1] == ["f19.py"]
    assert update(engine, repo).changed == 0
