"""The context of a place: its split, what is added to it, and the functions that wait for an answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auto_context import render
from driving import clean_log, host_pid, index, place
from harness import Child, StartNeovim
from sharing import shared_sandbox
from support import make_shop

sandbox = shared_sandbox()

ITEM: dict[str, Any] = {
    "path": "a%b.md", "start_line": 2, "end_line": 4, "symbol": "A > B", "kind": "heading", "language": "markdown",
    "score": 1.0, "reason": "here", "tokens": 7, "text": "```py\nx = 1\n```",
}  # fmt: skip
SPLIT = """
    for _, win in ipairs(vim.api.nvim_list_wins()) do
      local buffer = vim.api.nvim_win_get_buf(win)
      if vim.bo[buffer].filetype == 'auto-context-context' then
        local bar = vim.wo[win].winbar
        return { win = win, lines = vim.api.nvim_buf_get_lines(buffer, 0, -1, true), bar = bar }
      end
    end
"""
SHOW = """
    local items, budget = ...
    require('auto_context.context_split').open({
      root = vim.fn.getcwd(), path = 'src/uploads.py', line = 3, budget = 2000, exact = true, items = items,
    }, function(callback) _G.refreshed = callback return function() end end)
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, sandbox: dict[str, str]) -> Path:  # noqa: ARG001 - its order
    folder = make_shop(tmp_path_factory.mktemp("context") / "shop")
    index(folder)
    return folder


@pytest.fixture
def child(start_nvim: StartNeovim, repository: Path) -> Iterator[Child]:
    child = start_nvim(cwd=repository, files=("src/uploads.py",), width=110, height=40)
    yield child
    clean_log(child)


def item(repository: Path, path: str, first: int, last: int, **changes: Any) -> dict[str, Any]:
    text = "\n".join((repository / path).read_text().splitlines()[first - 1 : last])
    language = {"py": "python", "go": "go", "ts": "typescript"}[path.rpartition(".")[2]]
    return ITEM | {
        "path": path, "start_line": first, "end_line": last, "symbol": "", "language": language, "text": text,
    } | changes  # fmt: skip


def shown(child: Child) -> dict[str, Any]:
    found: dict[str, Any] = child.wait_for(lambda: child.lua(SPLIT), timeout_s=60, what="the split")
    return found


def headings(child: Child) -> list[str]:
    return [line for line in shown(child)["lines"] if line.startswith("### ")]


@pytest.fixture
def three(child: Child, repository: Path) -> Child:
    """The split with three snippets of 10, 20 and 30 tokens."""
    rows = [("src/uploads.py", 1, 5), ("src/basket.py", 3, 6), ("src/stock.go", 2, 4)]
    child.lua(SHOW, [item(repository, *row, tokens=10 * number) for number, row in enumerate(rows, 1)])
    return child


def test_lua_writes_the_markdown_of_python(child: Child) -> None:
    items = [ITEM, ITEM | {"symbol": "", "text": "one line", "language": ""}]
    assert child.lua("return require('auto_context.markdown').text(...)", items) == render.context(items)
    assert child.lua("return require('auto_context.markdown').text({})") == ""


def test_the_command_shows_what_belongs_to_the_place(child: Child) -> None:
    child.keys("/def <CR>:AutoContext context<CR>")
    split = shown(child)
    assert headings(child)[0].startswith("### src/uploads.py:")
    assert headings(child)[0].endswith("(here)")
    assert " context of uploads.py:" in split["bar"]
    assert "of 2,000 tokens" in split["bar"]
    child.wait_for(lambda: " tokens" in child.text())
    assert child.lua("return vim.bo.modifiable") is False
    assert (
        child.lua("return #vim.lsp.get_clients() + #vim.api.nvim_get_autocmds({ event = 'FileType', buffer = 0 })") == 0
    )
    child.keys("gy")
    child.wait_for(lambda: child.lua("return vim.fn.getreg('\"')") == "\n".join(split["lines"]) + "\n")
    child.keys("q")
    child.wait_for(lambda: child.lua(SPLIT) is None)
    assert child.lua("return vim.fn.bufexists('auto-context://context')") == 0


def test_a_range_stands_first_as_it_is_in_the_buffer(child: Child) -> None:
    child.keys("Onew words<Esc>")
    child.command("1,2AutoContext context 600")
    lines = shown(child)["lines"]
    assert lines[0] == "### src/uploads.py:1-2 (selected)"
    assert lines[3] == "new words"
    assert "of 600 tokens" in shown(child)["bar"]
    assert not any(heading.endswith("(here)") for heading in headings(child))


def test_the_maps_in_normal_and_in_visual_mode(child: Child) -> None:
    child.command("map gz <Plug>(AutoContextContext)")
    child.keys("gz")
    assert headings(child)[0].endswith("(here)")
    child.keys("q3GVjgz")
    child.wait_for(lambda: (found := child.lua(SPLIT)) and found["lines"][0].endswith("3-4 (selected)"))


def test_a_snippet_is_jumped_to_at_the_line_under_the_cursor(three: Child, repository: Path) -> None:
    three.keys("/basket<CR>jjj<CR>")
    three.wait_for(lambda: place(three) == ("src/basket.py", 3))
    three.keys("ggO<CR><CR><Esc><C-w>p")  # three lines more above it: it is found by what it says
    expected = (repository / "src/basket.py").read_text().splitlines()[2]
    three.keys("<CR>")
    three.wait_for(lambda: place(three) == ("src/basket.py", 6))
    assert three.lua("return vim.api.nvim_get_current_line()") == expected
    three.keys("<C-w>p")
    for windows, key in enumerate(("<C-x>", "<C-v>"), 3):
        three.keys(key)
        three.lua("_G.wanted = ...", windows)
        three.wait_for(lambda: three.lua("return #vim.api.nvim_tabpage_list_wins(0) == _G.wanted"))
        assert place(three) == ("src/basket.py", 6)
        three.lua("vim.api.nvim_set_current_win(...)", shown(three)["win"])
    three.keys("gg<C-t>")
    three.wait_for(lambda: three.lua("return vim.fn.tabpagenr('$')") == 2)
    assert place(three) == ("src/uploads.py", 1)


def test_snippets_are_removed_and_come_back_and_the_total_follows(three: Child) -> None:
    assert "3 snippets, 60 of 2,000 tokens" in shown(three)["bar"]
    three.keys("/basket<CR>dd")
    three.wait_for(lambda: "2 snippets, 40 of" in shown(three)["bar"])
    assert [heading.split(":")[0] for heading in headings(three)] == ["### src/uploads.py", "### src/stock.go"]
    three.keys("u")
    three.wait_for(lambda: "3 snippets, 60 of" in shown(three)["bar"])
    three.keys("ggVGd")
    three.wait_for(lambda: shown(three)["lines"] == ["No snippet is left: `u` brings one back."])
    three.keys("<CR>dduu")
    three.wait_for(lambda: "3 snippets, 60 of" in shown(three)["bar"])
    three.keys("gg2dd")
    three.wait_for(lambda: "1 snippet, 30 of" in shown(three)["bar"])


def test_one_fold_a_snippet_that_a_removal_leaves_closed(three: Child) -> None:
    assert three.lua("return vim.fn.foldclosed(1)") == -1
    three.keys("Gza")
    last = three.lua("return vim.fn.foldclosed('$')")
    assert three.lua("return vim.fn.getline(...)", last).startswith("### src/stock.go")
    three.keys("ggdd")
    three.wait_for(lambda: "2 snippets" in shown(three)["bar"])
    assert three.lua("return { vim.fn.foldclosed(1), vim.fn.foldclosed('$') > 1 }") == [-1, True]


def test_refresh_and_help(three: Child, repository: Path) -> None:
    three.keys("R")
    three.lua(
        "_G.refreshed({ root = '/', path = 'p%.py', line = 9, budget = 50, exact = false, items = ... })",
        [item(repository, "src/mail.py", 1, 2)],
    )
    three.wait_for(lambda: "context of p%%.py:9 · 1 snippet, about 7 of 50" in shown(three)["bar"])
    three.keys("?")
    three.wait_for(lambda: "copy all of it as Markdown" in three.text())


def test_rows_of_a_picker_are_added_once(child: Child, repository: Path) -> None:
    hit = item(repository, "src/mail.py", 1, 3) | {"focus": [1, 1], "legs": [], "fresh": True}
    add = "require('auto_context.context').add(vim.fn.getcwd(), ...)"
    child.lua(add, [hit])
    assert headings(child) == ["### src/mail.py:1-3 (picked)"]
    assert place(child)[0] == "src/uploads.py"
    child.lua(add, [hit, hit | {"start_line": 7, "end_line": 9}])
    assert headings(child) == ["### src/mail.py:1-3 (picked)", "### src/mail.py:7-9 (picked)"]


def test_code_is_coloured_with_and_without_a_parser(child: Child, repository: Path) -> None:
    lua = item(repository, "src/mail.py", 1, 2) | {"path": "x.lua", "language": "lua", "text": "local x = 'text'"}
    child.lua(SHOW, [lua, item(repository, "src/mail.py", 1, 40)])

    def coloured(line: str) -> bool:
        row = next((number for number, text in enumerate(child.lines()) if text.startswith(line)), None)
        return row is not None and len({mark for text, mark in child.screen.cells[row] if text.strip()}) > 1

    child.wait_for(lambda: coloured("local x"), what="a parser's colours")
    python = next(line for line in shown(child)["lines"] if line.startswith(("def ", "from ", "import ")))
    child.wait_for(lambda: coloured(python), what="the syntax file's colours")


def test_a_restored_session_has_no_empty_context(three: Child, start_nvim: StartNeovim, repository: Path) -> None:
    three.command("mksession! session.vim")
    try:
        child = start_nvim(cwd=repository)
        child.command("source session.vim")
        assert child.lua("return #vim.api.nvim_list_wins()") == 1
        assert place(child)[0] == "src/uploads.py"
        assert child.lua("return vim.fn.bufexists('auto-context://context')") == 0
        assert child.messages() == ""
    finally:
        (repository / "session.vim").unlink()


def test_what_cannot_be_asked_is_said(child: Child) -> None:
    child.command("enew")
    child.command("AutoContext context")
    child.wait_for(lambda: "this buffer is no file" in child.messages())
    child.command("AutoContext context many")
    child.wait_for(lambda: "`many` is no number of tokens" in child.messages())
    assert child.lua(SPLIT) is None


WAIT = "local value, error = require('auto_context')"


def test_answers_can_be_waited_for_in_a_coroutine_and_a_callback(child: Child) -> None:
    found = child.lua("""
        local found = {}
        coroutine.wrap(function()
          local reply = assert(require('auto_context').search_sync('retry a failed upload', {}, 60000))
          table.insert(found, reply.hits[1].path)
        end)()
        vim.schedule(function()
          table.insert(found, require('auto_context').context_sync({}, 60000).items[1].reason)
        end)
        vim.wait(60000, function() return #found == 2 end)
        return found
    """)
    assert found == ["src/uploads.py", "here"]


def test_a_wait_ends_with_a_coded_error(child: Child, repository: Path) -> None:
    nowhere = f"{WAIT}.context_sync({{ root = ..., path = 'nowhere.py', line = 1 }}, 60000)"
    assert child.lua(f"{nowhere} return {{ value, error.code }}", str(repository)) == [None, "path_missing"]
    child.lua("vim.uv.kill(..., 'sigstop')", host_pid(child))
    assert child.lua(f"{WAIT}.search_sync('x', {{}}, 30) return {{ value, error.code }}") == [None, "timed_out"]
    child.lua(f"""
        vim.defer_fn(function() _G.began = true end, 0)
        vim.schedule(function() {WAIT}.search_sync('x', {{}}, 60000) _G.ended = error.code end)
    """)
    child.wait_for(lambda: child.lua("return _G.began"))
    child.keys("<C-c>")
    child.wait_for(lambda: child.lua("return _G.ended"), timeout_s=5)
    assert child.lua("return _G.ended") == "cancelled"
    fast = f"vim.uv.new_timer():start(0, 0, function() {WAIT}.search_sync('x') _G.fast = error.code end)"
    child.lua(fast)
    child.wait_for(lambda: child.lua("return _G.fast") == "bad_request")
    child.lua("vim.uv.kill(..., 'sigcont')", host_pid(child))
