"""Other plugins' pickers, with real checkouts: the engine's hits in its order, live, and what their own keys do."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from driving import clean_log, index, place
from harness import Child, StartNeovim
from plugins import needs, on_runtimepath, snippet, with_programs
from sharing import shared_sandbox
from support import make_shop

sandbox = shared_sandbox()

SHOP_HITS = """
    require('auto_context').search('RetryPolicy', { limit = 20 }, function(_, reply) _G.reply = reply end)
"""
FIRST_ANSWERS_ARE_POOR = """
    -- The first answer to a query is its last two hits; the one with the meaning waits to be let go.
    local rpc = require('auto_context.rpc')
    local request = rpc.request
    rpc.request = function(method, params, callback)
      return request(method, params, function(error, reply)
        if method ~= 'search' or not reply or params.query ~= 'RetryPolicy' then -- half of it is typed
          return callback(error, reply)
        elseif params.wait_ms == 0 then
          reply.hits = { reply.hits[#reply.hits], reply.hits[#reply.hits - 1] }
          reply.legs.vector = 'pending'
          return callback(error, reply)
        end
        reply.legs.vector = 'ok'
        _G.let_go = function() callback(error, reply) end
      end)
    end
"""


@dataclass(frozen=True)
class Plugin:
    """How one picker is installed, opened and read."""

    folders: tuple[str, ...]
    setup: str
    command: str
    """What a person types."""
    shown: str
    """Lua: the places of the rows, in order."""
    quickfix: str
    """Its own key."""
    oldest: str = "nvim-0.10"
    sorts: bool = False
    """It sorts every quickfix list itself."""
    refines: str = ""
    """Lua: the place of the current row, where a better answer takes the place of the first one."""
    resume: str = ""


def rows_of(items: str, hit: str) -> str:
    return f"""
        local names = {{}}
        for _, item in ipairs({items}) do
          names[#names + 1] = {hit}.path .. ':' .. {hit}.focus[1]
        end
        return names
    """


SNACKS = "local picker = require('snacks.picker').get({ source = 'auto_context' })[1]\n"
FZF_LINES = """
    local names = {}
    for _, line in ipairs(vim.api.nvim_buf_get_lines(vim.api.nvim_get_current_buf(), 0, -1, true)) do
      local path, row = line:match('([%w_/.-]+):(%d+):1:')
      if path then names[#names + 1] = path .. ':' .. row end
    end
    return names
"""
PLUGINS = {
    "telescope": Plugin(
        ("telescope.nvim", "plenary.nvim"),
        snippet("auto_context-telescope"),
        ":Telescope auto_context",
        """
        local picker = require('telescope.actions.state').get_current_picker(vim.api.nvim_get_current_buf())
        local names = {}
        for entry in picker.manager:iter() do
          names[#names + 1] = entry.value.path .. ':' .. entry.lnum
        end
        return names
        """,
        "<C-q>",
        oldest="nvim-0.11",
        resume=":Telescope resume",
    ),
    "snacks": Plugin(
        ("snacks.nvim",),
        "require('snacks').setup({ picker = {} })" + snippet("auto_context-snacks"),
        ":lua Snacks.picker.auto_context()",
        SNACKS + rows_of("picker and picker:items() or {}", "item.hit"),
        "<C-q>",
        refines=SNACKS + "local item = picker:current() return item and item.file .. ':' .. item.pos[1]",
        resume=":lua Snacks.picker.resume()",
    ),
    "mini.pick": Plugin(
        ("mini.pick",),
        "require('mini.pick').setup()" + snippet("auto_context-mini.pick"),
        ":Pick auto_context",
        rows_of("(MiniPick.get_picker_matches() or {}).all or {}", "item.hit"),
        "<C-a><M-CR>",
        refines="local item = MiniPick.get_picker_matches().current return item and item.hit.path .. ':' .. item.lnum",
        resume=":Pick resume",
    ),
    "fzf-lua": Plugin(
        ("fzf-lua",),
        snippet("auto_context-fzf-lua"),
        ":FzfLua auto_context",
        FZF_LINES,
        "<M-a><M-q>",
        sorts=True,
        resume=":FzfLua resume",
    ),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, sandbox: dict[str, str]) -> Path:  # noqa: ARG001 - its order
    folder = make_shop(tmp_path_factory.mktemp("pickers") / "shop")
    index(folder)
    return folder


EVERY = [pytest.param(name, marks=needs(*plugin.folders)) for name, plugin in PLUGINS.items()]


@pytest.fixture(params=EVERY)
def plugin(request: pytest.FixtureRequest) -> Plugin:
    return PLUGINS[request.param]


def start_with(start_nvim: StartNeovim, shop: Path, plugin: Plugin) -> Child:
    name = plugin.folders[0]
    if start_nvim(cwd=shop).lua(f"return vim.fn.has('{plugin.oldest}')") == 0:
        pytest.skip(f"not tested: {name} refuses Neovim before {plugin.oldest}")
    return start_nvim(cwd=shop, width=140, height=36, commands=on_runtimepath(*plugin.folders), env=with_programs())


def finish(child: Child) -> None:
    """Close what is open: fzf-lua holds up the end of Neovim."""
    child.keys("<Esc><Esc>")
    child.wait_for(lambda: child.request("nvim_get_mode")["mode"] == "n")
    clean_log(child)


@pytest.fixture
def child(start_nvim: StartNeovim, shop: Path, plugin: Plugin) -> Iterator[Child]:
    child = start_with(start_nvim, shop, plugin)
    child.lua(plugin.setup)
    yield child
    finish(child)


def expected(child: Child) -> list[str]:
    child.lua(SHOP_HITS)
    reply: dict[str, Any] = child.wait_for(lambda: child.lua("return _G.reply"), timeout_s=60)
    return [f"{hit['path']}:{hit['focus'][0]}" for hit in reply["hits"]]


def shown(child: Child, plugin: Plugin) -> list[str]:
    names: list[str] = child.lua(plugin.shown)
    return names


def open_with(child: Child, plugin: Plugin, query: str) -> None:
    child.keys(plugin.command + "<CR>")
    child.wait_for(lambda: "AutoContext" in child.text(), what="the picker")
    child.keys(query)


def test_it_is_live_in_the_engines_order_with_a_preview_at_the_line(child: Child, plugin: Plugin) -> None:
    wanted = expected(child)
    open_with(child, plugin, "RetryPoli")
    child.keys("cy")
    child.wait_for(lambda: shown(child, plugin) == wanted, timeout_s=30, what=f"{wanted}")
    if plugin.folders[0] == "mini.pick":
        child.keys("<Tab>")  # its preview is a view of its own
    child.wait_for(lambda: "class RetryPolicy" in child.text())
    child.keys("<CR>")
    path, line = wanted[0].rsplit(":", 1)
    child.wait_for(lambda: place(child) == (path, int(line)), what=wanted[0])


def test_its_own_key_sends_the_hits_to_the_quickfix_list(child: Child, plugin: Plugin) -> None:
    wanted = expected(child)
    open_with(child, plugin, "RetryPolicy")
    child.wait_for(lambda: shown(child, plugin) == wanted, timeout_s=30, what=f"{wanted}")
    child.keys(plugin.quickfix)
    listed = """
        return vim.tbl_map(function(item)
          return vim.fn.fnamemodify(vim.fn.bufname(item.bufnr), ':.') .. ':' .. item.lnum
        end, vim.fn.getqflist())
    """

    def as_wanted() -> bool:
        found = child.lua(listed)
        return bool(sorted(found) == sorted(wanted) if plugin.sorts else found == wanted)

    child.wait_for(as_wanted, what=f"a quickfix list of {wanted}")


def test_the_better_answer_comes_in_place_and_the_row_one_moved_to_stays(child: Child, plugin: Plugin) -> None:
    wanted = expected(child)
    child.lua("require('auto_context').setup({ auto_update = false })")  # an update would ask again in between
    child.lua(FIRST_ANSWERS_ARE_POOR)
    open_with(child, plugin, "RetryPolicy")
    if not plugin.refines:  # it shows one answer for a query, so that has to be the better one
        child.wait_for(lambda: child.lua("return _G.let_go ~= nil"))
        assert shown(child, plugin) == []
        child.lua("_G.let_go()")
        child.wait_for(lambda: shown(child, plugin) == wanted, what=f"{wanted}")
        return
    poor = wanted[:-3:-1]
    child.wait_for(lambda: shown(child, plugin) == poor, what=f"{poor}")
    child.keys("<C-n>")
    child.wait_for(lambda: child.lua(plugin.refines) == poor[1])
    child.wait_for(lambda: child.lua("return _G.let_go ~= nil"))
    child.lua("_G.let_go()")
    child.wait_for(lambda: shown(child, plugin) == wanted, what=f"{wanted}")
    child.wait_for(lambda: child.lua(plugin.refines) == poor[1], what=f"the current row {poor[1]}")


def test_a_closed_picker_leaves_nothing_behind_and_is_resumed(child: Child, plugin: Plugin) -> None:
    wanted = expected(child)
    child.lua("""
        local sources = require('auto_context.picker.source')
        local new = sources.new
        _G.sources = {}
        sources.new = function(...)
          table.insert(_G.sources, (new(...)))
          return _G.sources[#_G.sources]
        end
    """)
    for command in (plugin.command, plugin.resume, plugin.command):
        child.keys(command + "<CR>")
        child.wait_for(lambda: "AutoContext" in child.text(), what="the picker")
        # What is resumed is typed in, so that it asks again.
        child.keys("<BS>y" if command == plugin.resume else "RetryPolicy")
        child.wait_for(lambda: shown(child, plugin) == wanted, timeout_s=30, what=f"{wanted}")
        child.keys("<Esc><Esc>")
        child.wait_for(lambda: child.request("nvim_get_mode")["mode"] == "n")
        child.wait_for(lambda: len(child.request("nvim_list_wins")) == 1, what="no window of the picker")
        closed = child.lua("return vim.tbl_map(function(source) return source.closed end, _G.sources)")
        assert closed
        assert set(closed) == {True}


@pytest.mark.parametrize("plugin", EVERY[:1], indirect=True)
def test_telescope_shows_similar_code_and_the_context_of_the_cursor(child: Child, plugin: Plugin) -> None:
    child.command("edit +25 src/uploads.py")
    child.keys(":Telescope auto_context similar<CR>")
    child.wait_for(lambda: "AutoContext similar" in child.text())
    child.wait_for(lambda: shown(child, plugin), timeout_s=60, what="similar code")
    child.keys("RetryPolicy")
    child.wait_for(lambda: shown(child, plugin)[:1] == ["src/uploads.py:6"], what="the hits of a query")
    child.keys("<Esc><Esc>")
    child.wait_for(lambda: "AutoContext similar" not in child.text())
    child.keys(":Telescope auto_context context<CR>")
    child.wait_for(lambda: "AutoContext context" in child.text(), timeout_s=60)
    child.wait_for(lambda: "here " in child.text() and "defines " in child.text())


@pytest.mark.parametrize("name", EVERY)
def test_the_option_makes_it_the_picker_that_opens(start_nvim: StartNeovim, shop: Path, name: str) -> None:
    plugin = PLUGINS[name]
    child = start_with(start_nvim, shop, plugin)
    child.lua("require('auto_context').setup({ picker = ... })", name)
    wanted = expected(child)
    child.keys(":AutoContext search RetryPolicy<CR>")
    child.wait_for(lambda: shown(child, plugin) == wanted, timeout_s=60, what=f"{wanted}")
    finish(child)
