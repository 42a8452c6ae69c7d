"""What is said while something goes on: progress, the statusline, events; and when anything begins at all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from driving import children_of, clean_log, host_pid, index
from harness import Child, StartNeovim
from sharing import shared_sandbox
from support import git, make_shop

sandbox = shared_sandbox()

EVENTS = """
    _G.events = {}
    vim.api.nvim_create_autocmd('User', { pattern = 'AutoContext*', callback = function(event)
      table.insert(_G.events, { event.match:sub(#'AutoContext' + 1), event.data })
    end })
"""
FAKE = """
    local rpc = require('auto_context.rpc')
    _G.asked = {}
    rpc.request = function(method, params, callback)
      table.insert(_G.asked, { method, params })
      vim.schedule(function()
        if method == 'update' then callback(nil, { job = 'j1' }) end
      end)
      return function() end
    end
    require('auto_context.index')
"""
"""A remote plugin that takes every job and never ends one: the tests say what becomes of it."""
NEWS: dict[str, Any] = {
    "job": "j1", "state": "running", "phase": "embed", "files_done": 9, "files_total": 9, "chunks_done": 43,
    "chunks_total": 100, "percent": 43.9, "coverage": {}, "tokens_per_s": 0,
}  # fmt: skip
REPORT = {"files": 9, "chunks": 100, "pending_chunks": 0, "took_s": 2.0, "branch": "main"}
FIDGET = """
    _G.fidget = {}
    local handle = {}
    function handle:report(props) table.insert(_G.fidget, { 'report', props.message, props.percentage }) end
    function handle:finish() table.insert(_G.fidget, { 'finish', self.message }) end
    function handle:cancel() table.insert(_G.fidget, { 'cancel', self.message }) end
    package.loaded['fidget'] = {}
    package.loaded['fidget.progress'] = { handle = { create = function(props)
      table.insert(_G.fidget, { 'create', props.title, props.lsp_client.name })
      return setmetatable({}, { __index = handle })
    end } }
"""
"""fidget.nvim's public functions, as its manual describes them."""
TEXT = "return require('auto_context.progress').text(...)"
STATUS = "return require('auto_context.status').get()"


@pytest.fixture
def child(start_nvim: StartNeovim, tmp_path: Path) -> Iterator[Child]:
    folder = make_shop(tmp_path / "shop")
    child = start_nvim(cwd=folder, files=("src/mail.py",), width=110)
    child.lua(EVENTS)
    yield child
    clean_log(child)


def names(child: Child) -> list[str]:
    return [name for name, _ in child.lua("return _G.events")]


def newer(child: Child) -> bool:
    return bool(child.lua("return vim.fn.has('nvim-0.12') == 1"))


def begun(child: Child) -> str:
    """A job a person started, in the hands of a remote plugin that does nothing; returns the root."""
    child.lua(FAKE)
    child.command("AutoContext index")
    child.wait_for(lambda: "IndexStarted" in names(child))
    root: str = child.lua("return require('auto_context.repo').of_buffer()")
    return root


def news(child: Child, name: str, **data: Any) -> None:
    child.lua("require('auto_context.rpc')._event(...)", name, data)


def test_a_job_a_person_started_shows_how_far_it_is(child: Child) -> None:
    if newer(child):
        child.lua("vim.ui.progress_status()")  # it counts from its first use on, which is a statusline's
    root = begun(child)
    child.wait_for(lambda: "indexing " in child.messages())
    news(child, "progress", root=root, **NEWS)
    if newer(child):
        child.wait_for(lambda: "43" in child.lua("return vim.ui.progress_status()"))
    else:
        assert child.lua(TEXT, NEWS) not in child.messages()
    news(child, "indexed", root=root, job="j1", kind="update", branch="main", report=REPORT)
    child.wait_for(lambda: "indexed 9 files, 100 chunks in 2 s" in child.messages())
    if newer(child):
        child.wait_for(lambda: child.lua("return vim.ui.progress_status()") == "")
    assert not child.blocked


def test_a_job_nobody_asked_for_says_nothing(child: Child) -> None:
    child.lua(FAKE)
    root = child.lua("local root = require('auto_context.repo').of_buffer() "
                     "require('auto_context.index').update(root) return root")  # fmt: skip
    child.wait_for(lambda: "IndexStarted" in names(child))
    news(child, "progress", root=root, **NEWS)
    news(child, "indexed", root=root, job="j1", kind="update", branch="main", report=REPORT)
    assert child.messages() == ""


def test_fidget_shows_it_in_place_of_messages(child: Child) -> None:
    child.lua(FIDGET)
    root = begun(child)
    news(child, "progress", root=root, **NEWS)
    text = child.lua(TEXT, NEWS)
    shown = child.wait_for(lambda: child.lua("return _G.fidget"))
    assert shown == [["create", "auto-context", "auto-context"], ["report", text, 43]]
    error = {"code": "cancelled", "message": "indexing was cancelled", "hint": ""}
    news(child, "indexed", root=root, job="j1", kind="update", error=error)
    child.wait_for(lambda: child.lua("return _G.fidget[3]") == ["cancel", "indexing was cancelled"])
    assert text not in child.messages()


def test_jobs_are_cancelled_by_the_command_and_by_a_display_of_progress(child: Child) -> None:
    root = begun(child)
    child.command("AutoContext cancel")
    asked = [["cancel_job", {"id": "j1"}]]
    assert child.lua("return { _G.asked[#_G.asked] }") == asked
    if newer(child):
        child.lua("_G.asked = {}")
        child.lua(
            """vim.api.nvim_echo({ { '' } }, false,
            { id = ..., kind = 'progress', status = 'cancel', title = 'x', source = 'auto_context' })""",
            f"auto_context.index {root}",
        )
        child.wait_for(lambda: child.lua("return _G.asked") == asked)
    news(child, "indexed", root=root, job="j1", kind="update", error={"code": "cancelled", "message": "m", "hint": ""})
    child.command("AutoContext cancel")
    child.wait_for(lambda: "nothing is being indexed by this editor" in child.messages())


def test_the_statusline_says_branch_state_and_per_cent(child: Child) -> None:
    assert child.lua("return require('auto_context').status()") is None
    child.command("set laststatus=2 statusline=[%{v:lua.require'auto_context.status'.get()}]")
    child.wait_for(lambda: "[]" in child.text())
    root = begun(child)
    child.wait_for(lambda: child.lua(STATUS) == "main indexing")
    news(child, "progress", root=root, **NEWS)
    child.wait_for(lambda: "[main indexing 43%]" in child.text())  # drawn without anybody asking
    news(child, "progress", root=root, **(NEWS | {"paused": "memory", "percent": 44.0}))
    child.wait_for(lambda: "[main paused 44%]" in child.text())
    kept = "local a, b = require('auto_context').status(), require('auto_context').status() return rawequal(a, b)"
    assert child.lua(kept)
    news(child, "indexed", root=root, job="j1", kind="update", branch="main", report=REPORT)
    child.wait_for(lambda: "[main]" in child.text())
    info = child.lua("return require('auto_context').status()")
    assert (info["root"], info["branch"], info["state"], info["indexed"]) == (root, "main", "idle", True)
    child.command("enew | lcd /")
    assert child.lua(STATUS) == ""


def test_the_statusline_costs_nothing_worth_a_word(child: Child) -> None:
    loaded = (
        "return vim.tbl_filter(function(name) return name:match('^auto_context') end, vim.tbl_keys(package.loaded))"
    )
    assert child.lua(STATUS) == ""
    assert child.lua(loaded) == ["auto_context.status"]
    begun(child)
    child.wait_for(lambda: child.lua(STATUS) == "main indexing")
    microseconds = child.lua("""
        local get, best = require('auto_context.status').get, math.huge
        for _ = 1, 20 do
          local began = vim.uv.hrtime()
          for _ = 1, 100 do get() end
          best = math.min(best, (vim.uv.hrtime() - began) / 1e5)
        end
        return best
    """)
    assert microseconds < 20


def test_every_event_comes_with_its_data(child: Child) -> None:
    root = child.lua("return require('auto_context.repo').of_buffer()")
    index(Path(root))
    child.command("AutoContext index")
    child.wait_for(lambda: "Indexed" in names(child), timeout_s=60)
    psutil.Process(host_pid(child)).kill()
    child.wait_for(lambda: "HostExit" in names(child))
    git(Path(root), "checkout", "-qb", "side")
    child.wait_for(lambda: "Branch" in names(child))
    data = dict(child.lua("return _G.events"))
    assert set(data["IndexStarted"]) == {"root", "job", "kind"}
    assert (data["IndexStarted"]["root"], data["IndexStarted"]["kind"]) == (root, "update")
    assert (data["Indexed"]["job"], data["Indexed"]["branch"]) == (data["IndexStarted"]["job"], "main")
    assert data["HostExit"]["code"] == "host_failed"
    assert data["Branch"] == {"root": root, "branch": "side", "before": "main"}
    child.lua("_G.events = {}")
    child.lua("require('auto_context.rpc')._event('progress', ...)", {"root": root} | NEWS)
    assert child.lua("return _G.events[1]")[0] == "Progress"


@pytest.mark.parametrize(("options", "begins"), [("{ auto_start = true }", True), ("{ limit = 5 }", False)])
def test_it_begins_by_itself_only_when_it_was_asked_to(
    start_nvim: StartNeovim, tmp_path: Path, options: str, begins: bool
) -> None:
    folder = make_shop(tmp_path / "shop")
    index(folder)
    later = "lua vim.defer_fn(function() vim.g.idle = 1 end, 300)"
    child = start_nvim(cwd=folder, commands=(f"lua vim.g.auto_context = {options}", later))
    child.wait_for(lambda: child.lua("return vim.g.idle"))
    if begins:
        child.wait_for(lambda: child.lua("return require('auto_context').status()"))
        child.wait_for(lambda: child.lua("return require('auto_context').status().indexed"), timeout_s=60)
        assert "auto_context.picker" not in child.lua("return vim.tbl_keys(package.loaded)")
    else:
        assert [name for name in child.lua("return vim.tbl_keys(package.loaded)") if name.startswith("auto_con")] == []
        assert children_of(child) == []


def test_a_root_is_the_repository_else_the_servers_folder_else_the_windows(child: Child, tmp_path: Path) -> None:
    for name in ("plain/project/src", "plain/other"):
        (tmp_path / name).mkdir(parents=True)
    plain = tmp_path / "plain/project"
    root = "return require('auto_context.repo').of_buffer()"
    shop = child.lua(root)
    child.command(f"edit {plain}/src/a.py")
    assert child.lua(root) == shop  # the window's directory is in it
    child.command(f"lcd {tmp_path}/plain/other")
    assert child.lua(root) == str(tmp_path / "plain/other")
    child.lua(
        """
        vim.lsp.start({ name = 'fake', root_dir = ..., cmd = function()
          return { request = function(method, _, callback)
              if method == 'initialize' then vim.schedule(function() callback(nil, { capabilities = {} }) end) end
              return true, 1
            end, notify = function() end,
            is_closing = function() return false end, terminate = function() end }
        end })
        """,
        str(plain),
    )
    child.wait_for(lambda: child.lua(root) == str(plain))
    git(plain / "src", "init", "-q")
    assert child.lua(root) == str(plain / "src")
    child.command(f"edit {shop}/src/basket.py")
    assert child.lua(root) == shop
