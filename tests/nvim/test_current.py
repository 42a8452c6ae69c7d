"""The index follows the work tree: saves, branch switches, the timer; and a repository that has no index yet."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bad_input import two_hundred_commits, write
from driving import (
    COUNT_HANDLES,
    OPEN_HANDLES,
    children_of,
    clean_log,
    host_pid,
    index,
    open_picker,
    pane,
    rows,
    wait_closed,
    wait_for_row,
)
from harness import Child, StartNeovim
from sandbox import sandboxed
from sharing import shared_sandbox
from support import git, make_shop

RECORD = """
    _G.seen = {}
    vim.api.nvim_create_autocmd('User', {
      pattern = { 'AutoContextIndexed', 'AutoContextBranch', 'AutoContextProgress' },
      callback = function(event)
        table.insert(_G.seen, vim.tbl_extend('force', { event = event.match }, event.data))
      end,
    })
"""


sandbox = shared_sandbox()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop")


@pytest.fixture
def child(start_nvim: StartNeovim, shop: Path) -> Iterator[Child]:
    child = start_nvim(cwd=shop, width=120, height=30)
    child.lua(RECORD)
    yield child
    clean_log(child)


def seen(child: Child, event: str, **expected: object) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = child.lua("return _G.seen")
    return [item for item in events if item["event"] == event and expected.items() <= item.items()]


def switch(child: Child, shop: Path, branch: str, before: str) -> None:
    """Check out a branch behind Neovim's back and wait until the index has followed."""
    child.lua("_G.seen = {}")
    git(shop, "checkout", "-q", branch)
    child.wait_for(lambda: seen(child, "AutoContextBranch", branch=branch, before=before), what="the branch event")
    child.wait_for(lambda: seen(child, "AutoContextIndexed", branch=branch), timeout_s=60)


def found_on(child: Child, branch: str, query: str, path: str) -> bool:
    """Whether a query finds a file, by the picker once its reply is there."""
    open_picker(child, query)
    child.wait_for(lambda: f" {branch} · " in child.text())
    child.wait_for(lambda: any(re.match(r"nothing found|\S+:\d+ ", row) for row in rows(child)), timeout_s=60)
    there = any(row.startswith(f"{path}:") for row in rows(child))
    child.keys("<Esc>")
    wait_closed(child)
    return there


def test_a_repository_without_an_index_gets_one_in_the_picker(child: Child, shop: Path) -> None:
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:", timeout_s=120)
    child.wait_for(lambda: seen(child, "AutoContextIndexed", root=str(shop), kind="update"), timeout_s=120)
    assert seen(child, "AutoContextIndexed")[0]["branch"] == "main"
    child.wait_for(lambda: "meaning 100 %" in child.text())
    child.wait_for(lambda: "indexing" not in child.text())
    assert len(seen(child, "AutoContextIndexed")) == 1


def test_the_first_save_of_a_session_is_found(child: Child, shop: Path) -> None:
    index(shop)
    assert children_of(child) == []
    child.command("edit src/mail.py")
    child.command("call append('$', ['', 'def quokka_parade():', '    return 1'])")
    child.command("write")
    done = child.wait_for(lambda: seen(child, "AutoContextIndexed", kind="incremental"), timeout_s=60)
    assert done[0]["report"]["changed"] == 1
    open_picker(child, "quokka_parade")
    wait_for_row(child, "src/mail.py:")


def test_saves_in_a_row_become_one_job(child: Child, shop: Path) -> None:
    index(shop)
    for name in ("a", "b", "c"):
        (shop / f"{name}.py").write_text(f"def walrus_{name}():\n    return 1\n")
        child.lua("require('auto_context').handle_write(...)", str(shop / f"{name}.py"))
    done = child.wait_for(lambda: seen(child, "AutoContextIndexed", kind="incremental"), timeout_s=60)
    assert done[0]["report"]["changed"] == 3
    assert len(done) == 1


def test_a_save_in_a_repository_without_an_index_indexes_nothing(child: Child, shop: Path, tmp_path: Path) -> None:
    index(make_shop(tmp_path / "other"))
    child.command("edit src/mail.py | write")
    child.wait_for(lambda: child.lua("return require('auto_context').status(...).indexed == false", str(shop)))
    assert seen(child, "AutoContextIndexed") == []


def test_git_is_found_and_configured_as_in_the_persons_shell(start_nvim: StartNeovim, tmp_path: Path) -> None:
    said = tmp_path / "said"
    own = tmp_path / "bin/git"
    own.parent.mkdir()
    own.write_text(f'#!/bin/sh\necho "$HOME" > {said}\nexec {shutil.which("git")} "$@"\n')
    own.chmod(0o755)
    shop = make_shop(tmp_path / "shop")
    child = start_nvim(cwd=shop, env={"PATH": f"{own.parent}{os.pathsep}{os.environ['PATH']}"})
    assert branch_of(child, shop) == "main"
    assert not said.exists()  # a file says it; to start a process holds up the editor
    git(shop, "checkout", "-q", "--detach")
    assert branch_of(child, shop) == git(shop, "rev-parse", "--short", "HEAD").strip()
    assert said.read_text().strip() == os.environ["HOME"]


def branch_of(child: Child, root: Path) -> str | None:
    """What the editor finds now."""
    note = "function(now) _G.found = { now.branch or false } end"
    child.lua(f"_G.found = nil; require('auto_context.repo').refresh(..., {note})", str(root))
    [found] = child.wait_for(lambda: child.lua("return _G.found"))
    return found or None


def test_the_branch_is_found_wherever_git_keeps_it(child: Child, shop: Path, tmp_path: Path) -> None:
    git(shop, "checkout", "-qb", "topic/deep")
    assert branch_of(child, shop) == "topic/deep"
    git(shop, "worktree", "add", "-q", "-b", "other", str(tmp_path / "other"))
    assert branch_of(child, tmp_path / "other") == "other"
    assert branch_of(child, shop / "src") == "topic/deep"
    (tmp_path / "plain").mkdir()
    assert branch_of(child, tmp_path / "plain") is None
    (tmp_path / "unborn").mkdir()
    git(tmp_path / "unborn", "init", "-q", "-b", "first")
    assert branch_of(child, tmp_path / "unborn") == "first"


def test_a_branch_switch_is_noticed_and_indexed(child: Child, shop: Path) -> None:
    git(shop, "checkout", "-qb", "side")
    (shop / "side.py").write_text("def pangolin_on_side():\n    return 1\n")
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "side")
    index(shop)
    git(shop, "checkout", "-q", "main")
    index(shop)
    assert not found_on(child, "main", "pangolin_on_side", "side.py")
    status = "return require('auto_context').status(...)"
    child.wait_for(lambda: child.lua(status, str(shop)).get("branch") == "main")
    switch(child, shop, "side", "main")
    assert found_on(child, "side", "pangolin_on_side", "side.py")
    switch(child, shop, "main", "side")
    assert not found_on(child, "main", "pangolin_on_side ", "side.py")
    switch(child, shop, "side", "main")  # a watch on the HEAD file would have died with the first checkout
    assert found_on(child, "side", "pangolin_on_side  ", "side.py")


def test_a_branch_switch_is_followed_where_nobody_asked_for_an_index_yet(child: Child, shop: Path) -> None:
    """As after a picker that was left before it had learned whether there is one."""
    index(shop)
    git(shop, "branch", "side")
    child.lua("require('auto_context.schedule').tend(...)", str(shop))
    child.wait_for(lambda: child.lua("return require('auto_context.repo').get(...).branch", str(shop)) == "main")
    assert child.lua("return require('auto_context.repo').get(...).indexed == nil", str(shop))
    switch(child, shop, "side", "main")


COUNT_UPDATES = """
    _G.updates = 0
    local rpc = require('auto_context.rpc')
    local request = rpc.request
    rpc.request = function(method, ...)
      _G.updates = _G.updates + (method == 'update' and 1 or 0)
      return request(method, ...)
    end
"""


def test_a_rebase_of_two_hundred_commits_is_followed_by_one_update(
    start_nvim: StartNeovim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = tmp_path / "repo"
    git(tmp_path, "init", "-q", "-b", "main", str(repo))
    two_hundred_commits(repo)
    git(repo, "checkout", "-q", "upstream")
    write(repo, {"upstream.py": "def pangolin(): pass\n"})
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "upstream")
    git(repo, "checkout", "-q", "main")
    index(repo)
    child = start_nvim(cwd=repo, width=120, height=30)
    child.lua(RECORD)
    assert not found_on(child, "main", "pangolin", "upstream.py")
    child.wait_for(lambda: child.lua("return require('auto_context.repo').get(...).branch", str(repo)) == "main")
    child.wait_for(lambda: not child.lua("return require('auto_context.index').any_busy()"))
    child.lua(COUNT_UPDATES + "_G.seen = {}")
    monkeypatch.setenv("GIT_SEQUENCE_EDITOR", "sed -i -e '100a break'")
    git(repo, "rebase", "-q", "-i", "upstream")
    # HEAD rests in the middle: it is seen, and nothing is done about it.
    child.wait_for(lambda: child.lua("return require('auto_context.repo').get(...).branch", str(repo)) != "main")
    git(repo, "rebase", "--continue")
    child.wait_for(lambda: seen(child, "AutoContextIndexed", branch="main"), timeout_s=60)
    assert child.lua("return _G.updates") == 1
    assert seen(child, "AutoContextBranch") == []
    assert found_on(child, "main", "pangolin ", "upstream.py")
    clean_log(child)


def test_the_timer_updates_unless_nobody_looks(start_nvim: StartNeovim, shop: Path) -> None:
    index(shop)
    child = start_nvim(cwd=shop)
    child.lua("require('auto_context').setup({ interval_minutes = 1 / 60 })")
    child.lua(RECORD)
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    child.keys("<Esc>")
    wait_closed(child)
    (shop / "timed.py").write_text("def axolotl_clock():\n    return 1\n")
    child.wait_for(
        lambda: any(item["report"]["changed"] for item in seen(child, "AutoContextIndexed", kind="update")),
        timeout_s=60,
    )
    child.command("doautocmd FocusLost")
    child.wait_for(lambda: not child.lua("return require('auto_context.index').any_busy()"))
    child.lua("_G.seen = {} require('auto_context.schedule').tick()")
    assert not child.lua("return require('auto_context.index').any_busy()")
    child.command("doautocmd FocusGained")
    child.lua("require('auto_context.schedule').tick()")
    child.wait_for(lambda: seen(child, "AutoContextIndexed", kind="update"), timeout_s=60)


def test_nothing_is_left_after_stop(child: Child, shop: Path) -> None:
    child.lua(COUNT_HANDLES)
    index(shop)
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    child.keys("<Esc>")
    wait_closed(child)
    assert child.lua("return #_G.handles") > 0
    child.lua("require('auto_context').stop()")
    child.wait_for(lambda: children_of(child) == [])
    assert child.lua(OPEN_HANDLES) == 0
    assert child.lua("return vim.fn.exists('#AutoContextSchedule')") == 0
    open_picker(child)
    wait_for_row(child, "src/uploads.py:")
    assert host_pid(child)


def test_a_home_directory_is_asked_about_once(start_nvim: StartNeovim, sandbox: dict[str, str]) -> None:
    child = start_nvim(cwd=Path(sandbox["HOME"]), width=100, height=24)
    open_picker(child)
    child.wait_for(lambda: "Index it?" in child.text(), timeout_s=60)
    child.keys("<Esc>")
    child.wait_for(lambda: "Index it?" not in child.text())
    assert pane(child, "prompt")
    child.keys("<Esc>")
    wait_closed(child)
    open_picker(child)
    child.wait_for(lambda: ":AutoContext index!" in child.text())
    assert "Index it?" not in child.text()


@pytest.mark.parametrize("yes", ["y", "<CR>"])
def test_a_yes_indexes_a_home_directory(
    start_nvim: StartNeovim, tmp_path_factory: pytest.TempPathFactory, yes: str
) -> None:
    with sandboxed(tmp_path_factory.mktemp("own")) as own:  # an index made by one case would spoil the other
        home = Path(own["HOME"])
        (home / "note.md").write_text("# Capybara\n\nA large rodent.\n")
        child = start_nvim(cwd=home, width=100, height=24)
        open_picker(child)
        child.wait_for(lambda: "Index it?" in child.text(), timeout_s=60)
        child.keys(yes)
        child.wait_for(lambda: "Index it?" not in child.text())
        child.keys("Capybara")
        wait_for_row(child, "note.md:", timeout_s=120)
        child.close()


def test_status_index_and_stop_say_what_they_did(child: Child) -> None:
    child.command("AutoContext status")
    child.wait_for(lambda: "none: `:AutoContext index` makes it" in child.text(), timeout_s=60)
    child.keys("q")
    child.command("AutoContext index")
    child.wait_for(lambda: child.blocked or "auto-context: indexed " in child.messages(), timeout_s=120)
    child.command("AutoContext status")
    child.wait_for(lambda: "vector 100 %" in child.text())
    child.keys("<Esc>")
    child.command("AutoContext log")
    assert child.lua("return vim.fn.expand('%:t')").endswith(".log")
    child.command("AutoContext stop")
    child.wait_for(lambda: "stopped" in child.messages())
    child.wait_for(lambda: children_of(child) == [])
