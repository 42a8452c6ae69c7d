"""Which picker opens, and what needs no other plugin: `vim.ui.select`, the feed, and faults without a traceback."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from driving import clean_log, index, pane, place, wait_closed, wait_for_row
from harness import REPOSITORY, Child, StartNeovim
from sharing import shared_sandbox
from support import make_shop

sandbox = shared_sandbox()

ADAPTERS = sorted((REPOSITORY / "lua/auto_context/integrations").glob("*.lua"))
CHOOSE = "require('auto_context').setup({ picker = ... })"
SELECT_THE_SECOND = """
    vim.ui.input = function(opts, done)
      _G.asked = opts.prompt
      done('RetryPolicy')
    end
    vim.ui.select = function(items, opts, done)
      local preview = opts.preview_item(items[1])
      _G.chosen = {
        kind = opts.kind,
        rows = vim.tbl_map(opts.format_item, items),
        focus = vim.api.nvim_buf_get_lines(preview.buf, preview.pos[1] - 1, preview.pos[1], true)[1],
        place = items[2].path .. ':' .. items[2].focus[1],
      }
      done(items[2])
    end
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, sandbox: dict[str, str]) -> Path:  # noqa: ARG001 - its order
    folder = make_shop(tmp_path_factory.mktemp("integrations") / "shop")
    index(folder)
    return folder


@pytest.fixture
def child(start_nvim: StartNeovim, shop: Path) -> Iterator[Child]:
    child = start_nvim(cwd=shop, width=120, height=30)
    yield child
    clean_log(child)


@pytest.mark.parametrize("picker", ["telescope", "snacks", "fzf-lua", "mini.pick"])
def test_a_chosen_plugin_that_is_not_there_is_said_once_and_ours_opens(child: Child, picker: str) -> None:
    child.lua(CHOOSE, picker)
    for query in ("RetryPolicy", "Basket"):
        child.keys(f":AutoContext search {query}<CR>")
        child.wait_for(lambda: pane(child, "prompt"), what="the built-in picker")
        child.keys("<Esc>")
        wait_closed(child)
    messages = child.messages()
    assert messages.count("module '") == 1
    assert "; the built-in picker opens instead; see the option" in messages
    assert "stack traceback" not in messages


def test_a_picker_that_nobody_knows_is_named_with_those_that_are_known(child: Child) -> None:
    child.lua(CHOOSE, "ctrlp")
    said = "option `picker` must be one of builtin, telescope, snacks, fzf-lua, mini.pick, sel"  # cut to one line
    child.wait_for(lambda: said in child.messages())
    child.keys(":AutoContext search RetryPolicy<CR>")
    wait_for_row(child, "src/uploads.py:")


def test_select_asks_for_the_query_and_jumps_to_the_choice(child: Child) -> None:
    child.lua(CHOOSE, "select")
    child.lua(SELECT_THE_SECOND)
    child.keys(":AutoContext<CR>")
    chosen: dict[str, Any] = child.wait_for(lambda: child.lua("return _G.chosen"), timeout_s=60)
    assert child.lua("return _G.asked") == "AutoContext: "
    assert chosen["kind"] == "auto_context"
    assert "src/uploads.py:" in chosen["rows"][0]
    assert "class RetryPolicy" in chosen["focus"]
    path, line = chosen["place"].rsplit(":", 1)
    child.wait_for(lambda: place(child) == (path, int(line)))


def test_select_on_similar_code_needs_no_query(child: Child) -> None:
    child.lua(CHOOSE, "select")
    child.lua(SELECT_THE_SECOND)
    child.command("edit +20 src/uploads.py")
    child.keys(":AutoContext similar<CR>")
    chosen = child.wait_for(lambda: child.lua("return _G.chosen"), timeout_s=60)
    assert chosen["rows"]
    assert child.lua("return _G.asked") is None


def test_select_says_that_nothing_was_found(child: Child) -> None:
    child.lua(CHOOSE, "select")
    child.keys(":AutoContext search path:nowhere/at/all zzz<CR>")
    child.wait_for(lambda: 'nothing found for "path:nowhere/at/all zzz"' in child.messages(), timeout_s=60)


def test_the_answer_to_an_older_query_never_comes(child: Child) -> None:
    child.lua("""
        _G.given = {}
        local feed = require('auto_context.integrations.feed').new()
        local asked = 0
        local function ask(query)
          feed:ask(query, function(rows)
            table.insert(_G.given, query .. ' ' .. (rows[1] and rows[1].path or 'none'))
          end)
        end
        -- The first request is under way when the second query is typed.
        local rpc = require('auto_context.rpc')
        local request = rpc.request
        rpc.request = function(method, params, callback)
          local cancel = request(method, params, callback)
          if method == 'search' and params.query == 'mail' and not _G.second then
            _G.second = true
            vim.schedule(function() ask('RetryPolicy') end)
          end
          return cancel
        end
        _G.feed = feed
        ask('mail')
    """)
    child.wait_for(lambda: child.lua("return #_G.given") > 0, timeout_s=60)
    given = child.lua("_G.feed:close() return _G.given")
    assert set(given) == {"RetryPolicy src/uploads.py"}


def test_a_feed_that_was_closed_answers_again(child: Child) -> None:
    ask = """
        _G.rows = nil
        _G.feed = _G.feed or require('auto_context.integrations.feed').new(nil, true)
        _G.feed:ask('RetryPolicy', function(rows) _G.rows = #rows end)
    """
    for _ in range(2):
        child.lua(ask)
        assert child.wait_for(lambda: child.lua("return _G.rows"), timeout_s=60) > 1
        child.lua("_G.feed:close()")


def test_a_repository_without_an_index_gets_one_and_the_rows_follow(start_nvim: StartNeovim, tmp_path: Path) -> None:
    child = start_nvim(cwd=make_shop(tmp_path / "fresh"))
    child.lua("""
        _G.feed = require('auto_context.integrations.feed').new()
        _G.feed:ask('RetryPolicy', function(rows) _G.first = rows[1] and rows[1].path end)
    """)
    child.wait_for(lambda: child.lua("return _G.first") == "src/uploads.py", timeout_s=60)
    child.lua("_G.feed:close()")


@pytest.mark.parametrize("path", ADAPTERS, ids=[path.stem for path in ADAPTERS])
def test_without_its_plugin_a_module_loads_and_its_registration_says_why_not(child: Child, path: Path) -> None:
    module = f"auto_context.integrations.{path.stem}".removesuffix(".init")
    child.lua("local adapter = require(...) if adapter.register then adapter.register() end", module)
    if "register()" in path.read_text("utf-8"):
        child.wait_for(lambda: "not found; install it, or load it before register()" in child.messages())
    assert "traceback" not in child.messages()


def test_offering_a_tool_to_a_chat_plugin_loads_nothing_else(child: Child) -> None:
    child.lua("""
        require('auto_context.integrations.avante').tool()
        require('auto_context.integrations.copilot_chat').tool()
    """)
    loaded = child.lua("return vim.tbl_keys(package.loaded)")
    assert {name for name in loaded if name.startswith("auto_context")} == {
        f"auto_context.integrations.{name}" for name in ("avante", "copilot_chat", "tool")
    }


def run_tool(child: Child, tool_input: dict[str, Any]) -> tuple[str, bool]:
    child.lua(
        """
        _G.told = nil
        require('auto_context.integrations.tool').run(..., {}, function(text, ok) _G.told = { text, ok } end)
        """,
        tool_input,
    )
    text, ok = child.wait_for(lambda: child.lua("return _G.told"), timeout_s=60)
    return text, ok


def test_the_tool_answers_with_places_within_its_budget(child: Child) -> None:
    text, ok = run_tool(child, {"query": "RetryPolicy", "path": "", "budget": "400"})
    assert ok
    assert "### src/uploads.py:" in text
    assert len(text) <= 4 * 400
    wide, _ = run_tool(child, {"query": "RetryPolicy", "budget": 4000, "limit": 3})
    assert wide.count("\n### ") == 3
    narrow, _ = run_tool(child, {"query": "RetryPolicy", "language": "typescript"})
    assert "### web/cart.ts:" in narrow
    assert "uploads.py" not in narrow


def test_the_tool_says_in_a_sentence_why_there_is_nothing(
    child: Child, start_nvim: StartNeovim, tmp_path: Path
) -> None:
    text, ok = run_tool(child, {"query": "zzz", "path": "nowhere/**"})
    assert ok
    assert text.startswith('Nothing was found for "zzz" in ')
    text, ok = run_tool(child, {"query": " "})
    assert not ok
    assert "`query` is missing" in text
    (tmp_path / "new.py").write_text("x = 1\n")
    text, ok = run_tool(start_nvim(cwd=tmp_path), {"query": "anything"})
    assert not ok
    assert "There is no index of this repository yet. Ask the user to run `:AutoContext index`" in text


def hit(path: str, lines: int, focus: list[int], **more: Any) -> dict[str, Any]:
    text = "\n".join(f"line {number} of {path} ``` fence" for number in range(1, lines + 1))
    place = {"path": path, "start_line": 1, "end_line": lines, "focus": focus, "text": text}
    return place | {"symbol": "", "kind": "function", "language": "lua", "fresh": True, "legs": ["lexical"]} | more


@pytest.mark.parametrize("budget", [100, 150, 300, 1000, 5000])
def test_an_answer_fits_any_budget_and_keeps_the_focus(child: Child, budget: int) -> None:
    hits = [hit("a.lua", 80, [40, 44]), hit("b.lua", 5, [1, 5], fresh=False), hit("c.lua", 200, [199, 200])]
    reply = {"root": "/r", "legs": {"vector": "down"}, "hits": hits}
    text = child.lua("return require('auto_context.integrations.answer').hits('q', ...)", reply, budget)
    assert len(text) <= 4 * budget
    assert "did not answer (down)" in text
    assert "line 40 of a.lua" in text
    shown = text.count("\n### ")
    assert shown == 3 or f"{3 - shown} more did not fit" in text
    assert shown == 3 or budget < 5000
    if "b.lua" in text:
        assert "### b.lua:1-5 (function, changed since it was indexed)" in text
