"""The picker on a real repository, with the real service: what it shows and what its keys do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from driving import (
    COUNT_HANDLES,
    OPEN_HANDLES,
    clean_log,
    index,
    open_picker,
    pane,
    place,
    rows,
    selected,
    wait_closed,
    wait_for_meaning,
    wait_for_row,
)
from harness import Child, StartNeovim
from sharing import shared_sandbox
from support import git, make_shop

sandbox = shared_sandbox()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, sandbox: dict[str, str]) -> Path:  # noqa: ARG001 - its order
    folder = make_shop(tmp_path_factory.mktemp("picker") / "shop")
    (folder / "docs/日本語の案内.md").write_text("# 返品について\n\n返品は三十日以内です。 zephyrine\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "wide")
    index(folder)
    return folder


@pytest.fixture
def child(start_nvim: StartNeovim, shop: Path) -> Iterator[Child]:
    child = start_nvim(cwd=shop, width=120, height=30)
    child.lua(COUNT_HANDLES)
    yield child
    clean_log(child)


def test_a_name_leads_to_its_definition(child: Child) -> None:
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    child.wait_for(lambda: "class RetryPolicy" in child.text())
    child.wait_for(lambda: "main · " in child.text() and "meaning 100 %" in child.text())
    row = next(line for line in child.lines() if "src/uploads.py:" in line)
    assert "RetryPolicy" in row


def test_a_sentence_is_found_by_meaning(child: Child) -> None:
    open_picker(child, "send again after the network went away")
    wait_for_row(child, "src/uploads.py:")
    wait_for_meaning(child)
    child.wait_for(lambda: "meaning" in child.text())  # in words, at the list's lower border


def test_a_file_name_is_found(child: Child) -> None:
    open_picker(child, "report.lua")
    assert wait_for_row(child, "lua/report.lua:")[0].startswith("lua/report.lua:")


def test_an_empty_prompt_shows_a_hint_and_what_is_open_near_or_committed_last(child: Child, shop: Path) -> None:
    (shop / "src/draft.py").write_text("# known to no index\n")
    try:
        child.command("edit src/draft.py | edit src/uploads.py | 9 | edit src/mail.py")
        open_picker(child)
        child.wait_for(lambda: "Type what it does" in child.text())
        child.wait_for(lambda: any(row.endswith(" near") for row in rows(child)))
        found = {row.split()[0]: row.split()[-1] for row in rows(child)}
        assert set(list(found)[:2]) == {"src/uploads.py:9", "src/draft.py"}  # used within one second
        assert (found["src/uploads.py:9"], found["src/draft.py"]) == ("open", "open")
        assert (found["src/basket.py"], found["web/cart.ts"]) == ("near", "committed")
        assert "src/mail.py" not in found  # a person is there already
    finally:
        (shop / "src/draft.py").unlink()


def test_a_late_answer_to_an_older_query_is_dropped(child: Child) -> None:
    child.lua("""
        local rpc = require('auto_context.rpc')
        local request, count = rpc.request, 0
        _G.searches = {}
        rpc.request = function(method, ...)
          count = count + 1
          if method == 'search' then
            table.insert(_G.searches, count)
          end
          return request(method, ...)
        end
    """)
    open_picker(child, "mail")
    wait_for_row(child, "src/mail.py:")
    child.keys("<BS><BS><BS><BS>RetryPolicy")
    child.wait_for(lambda: child.lua("return #_G.searches") > 1)
    child.wait_for(lambda: rows(child)[0].startswith("src/uploads.py:"))
    child.lua("""
        for i = 1, #_G.searches - 1 do
          require('auto_context.rpc')._reply(_G.searches[i], vim.NIL, {
            query = 'x', root = '/', branch = 'other', legs = { vector = 'ok' }, coverage = { vector = 1 }, took_ms = 1,
            hits = { { path = 'late.py', start_line = 1, end_line = 1, focus = { 1, 1 }, symbol = '', kind = '',
                       language = '', score = 1, legs = {}, fresh = true, text = '' } } })
        end
    """)
    assert not [row for row in rows(child) if "late.py" in row]
    assert any(row.startswith("src/uploads.py:") for row in rows(child))


def test_fast_typing_ends_with_the_last_query(child: Child) -> None:
    open_picker(child)
    for key in "RetryPolicyXX":
        child.keys(key)
    child.keys("<BS><BS>")
    wait_for_row(child, "src/uploads.py:")
    found = child.lua("return { vim.api.nvim_buf_get_lines(0, 0, -1, true), vim.fn.mode() }")
    assert found == [["RetryPolicy"], "i"]


@pytest.mark.parametrize(("key", "layout"), [("<CR>", "leaf"), ("<C-x>", "col"), ("<C-v>", "row"), ("<C-t>", "leaf")])
def test_opening(child: Child, key: str, layout: str) -> None:
    child.command("edit src/mail.py")
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    wait_for_meaning(child)
    while not selected(child).startswith("src/uploads.py:"):
        child.keys("<Down>")
    line = int(selected(child).split()[0].rpartition(":")[2])
    child.keys(key)
    wait_closed(child)
    child.wait_for(lambda: place(child) == ("src/uploads.py", line))
    assert child.lua("return vim.fn.winlayout()")[0] == layout
    assert child.lua("return vim.fn.tabpagenr('$')") == (2 if key == "<C-t>" else 1)
    if key == "<CR>":
        child.keys("<C-o>")
        child.wait_for(lambda: place(child) == ("src/mail.py", 1))


def test_quickfix(child: Child) -> None:
    open_picker(child, "RetryPolicy")
    count = len(wait_for_row(child, "src/uploads.py:"))
    child.keys("<C-q>")
    wait_closed(child)
    found = child.lua("return vim.fn.getqflist({ items = 0, title = 0 })")
    assert found["title"] == "AutoContext: RetryPolicy"
    assert abs(len(found["items"]) - count) <= 3  # the meaning may have added rows meanwhile
    assert all(item["lnum"] > 0 and item["bufnr"] > 0 for item in found["items"])
    assert child.lua("return vim.bo.buftype") == "quickfix"


def test_moving_goes_round_and_shows_each_place(child: Child) -> None:
    open_picker(child, "picture")
    wait_for_row(child, "src/uploads.py:")
    wait_for_meaning(child)  # from now on the rows stay as they are
    first = selected(child)
    child.keys("<Down>")
    second = selected(child)
    child.keys("<C-p>")
    assert selected(child) == first != second
    child.keys("<Up>")
    assert selected(child) == rows(child)[-1]
    child.keys("<C-n>")
    assert selected(child) == first


def test_a_refined_list_keeps_the_selection(child: Child) -> None:
    open_picker(child, "picture")
    wait_for_row(child, "src/uploads.py:")
    child.keys("<Down><Down>")
    chosen = selected(child).split()[0]
    wait_for_meaning(child)
    assert selected(child).split()[0] == chosen


def test_a_selected_row_that_is_gone_leaves_the_selection_where_it_stood(child: Child) -> None:
    open_picker(child, "picture")
    wait_for_row(child, "src/uploads.py:")
    wait_for_meaning(child)
    child.keys("<Down><Down>")
    before = pane(child, "list")
    assert before
    assert before["row"] == 3
    child.lua(
        """
        local rpc = require('auto_context.rpc')
        local request = rpc.request
        rpc.request = function(method, params, callback)
          return request(method, params, function(error, reply)
            if method == 'search' and reply then
              table.remove(reply.hits, 3)
            end
            callback(error, reply)
          end)
        end
        rpc._event('indexed', { root = ..., job = 'x', kind = 'update', branch = 'main', report = {} })
    """,
        child.lua("return vim.fn.getcwd()"),
    )
    child.wait_for(lambda: len(rows(child)) < len(before["lines"]))
    after = pane(child, "list")
    assert after
    assert (after["row"], after["lines"][:2]) == (3, before["lines"][:2])


def test_the_preview_scrolls(child: Child) -> None:
    child.resize(120, 16)
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    wait_for_meaning(child)  # from now on the rows stay as they are
    child.wait_for(lambda: "Pictures of goods" in child.text() or "class RetryPolicy" in child.text())
    before = child.text()
    child.keys("<C-d>")
    child.wait_for(lambda: child.text() != before)
    child.keys("<C-u>")
    child.wait_for(lambda: child.text() == before)


def test_escape_closes_and_leaves_everything_as_it_was(child: Child) -> None:
    child.command("edit src/mail.py")
    child.command("normal! 5G")
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    child.keys("<Esc>")
    wait_closed(child)
    assert place(child) == ("src/mail.py", 5)


def test_the_last_query_comes_back_and_the_next_key_replaces_it(child: Child) -> None:
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    child.keys("<Esc>")
    wait_closed(child)
    open_picker(child)
    wait_for_row(child, "src/uploads.py:")
    assert pane(child, "prompt") == {"lines": ["RetryPolicy"], "row": 1}
    child.keys("report")
    wait_for_row(child, "lua/report.lua:")
    assert pane(child, "prompt") == {"lines": ["report"], "row": 1}
    child.keys("<Esc>")
    wait_closed(child)
    open_picker(child)
    child.wait_for(lambda: pane(child, "prompt") == {"lines": ["report"], "row": 1})
    child.keys("<Left>")
    child.pump()
    child.keys("x")
    child.wait_for(lambda: pane(child, "prompt") == {"lines": ["reporxt"], "row": 1})


def test_a_query_given_to_the_command(child: Child) -> None:
    child.keys(":AutoContext search RetryPolicy<CR>")
    wait_for_row(child, "src/uploads.py:")
    assert pane(child, "prompt") == {"lines": ["RetryPolicy"], "row": 1}


def test_a_paste_of_several_lines_becomes_one(child: Child) -> None:
    open_picker(child)
    child.request("nvim_paste", "Retry\nPolicy", False, -1)
    child.wait_for(lambda: pane(child, "prompt") == {"lines": ["Retry Policy"], "row": 1})


def test_the_preview_shows_unsaved_text(child: Child) -> None:
    child.command("edit src/uploads.py")
    child.command("call append(5, '# not yet saved')")
    child.command("enew!" if child.lua("return not vim.o.hidden") else "enew")
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    child.wait_for(lambda: "# not yet saved" in child.text())


def test_a_file_that_is_gone_is_said_not_opened(child: Child, shop: Path) -> None:
    kept = (shop / "src/mail.py").read_text()
    open_picker(child, "mail.py")
    wait_for_row(child, "src/mail.py:")
    while not selected(child).startswith("src/mail.py:"):
        child.keys("<Down>")
    (shop / "src/mail.py").unlink()
    try:
        child.keys("<CR>")
        wait_closed(child)
        child.wait_for(lambda: "src/mail.py is gone" in child.messages())
    finally:
        (shop / "src/mail.py").write_text(kept)


@pytest.mark.parametrize("size", [(59, 20), (40, 12), (20, 5), (12, 4), (80, 24), (200, 60)])
def test_every_size_of_screen(child: Child, size: tuple[int, int]) -> None:
    child.resize(*size)
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "…" if size[0] < 16 else "src/uploads.py:" if size[0] > 20 else "")
    assert (pane(child, "preview") is not None) == (size[0] >= 60)
    assert child.lua("return vim.v.errmsg") == ""


def test_resizing_while_it_is_open(child: Child) -> None:
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    for width, height in ((50, 14), (18, 4), (80, 24), (120, 30)):
        child.resize(width, height)
        if width < 60:
            child.wait_for(lambda: pane(child, "preview") is None)
        else:
            child.wait_for(lambda: pane(child, "preview"))
    child.wait_for(lambda: "src/uploads.py:" in child.text())
    assert child.lua("return vim.v.errmsg") == ""


def test_wide_characters_keep_the_columns(child: Child) -> None:
    child.resize(50, 14)
    open_picker(child, "zephyrine")
    wait_for_row(child, "docs/日本語の案内.md:")
    child.wait_for(lambda: "日本語の案内" in child.text().replace(" ", ""))
    width = child.lua("return vim.fn.strdisplaywidth(...)", rows(child)[0])
    assert width == 48


def test_opened_from_odd_places(child: Child) -> None:
    for before in ("enew | setlocal buftype=nofile", "help", "terminal true"):
        child.command(before)
        child.lua("require('auto_context').open({ query = 'RetryPolicy' })")
        wait_for_row(child, "src/uploads.py:")
        child.keys("<Esc>")
        child.wait_for(lambda: pane(child, "prompt") is None)


def test_not_in_the_command_line_window(child: Child) -> None:
    child.keys("q:")
    child.wait_for(lambda: child.lua("return vim.fn.getcmdwintype()") == ":")
    child.lua("require('auto_context').open()")
    child.wait_for(lambda: "command-line window" in child.text())
    assert pane(child, "prompt") is None


def test_winborder_is_respected(child: Child) -> None:
    if child.lua("return vim.fn.exists('+winborder')") == 0:
        child.lua("require('auto_context').setup({ border = 'double' })")
    else:
        child.command("set winborder=double")
    open_picker(child)
    child.wait_for(lambda: "╔" in child.text())
    child.keys("<Esc>")
    wait_closed(child)
    child.lua("require('auto_context').setup({ border = 'none' })")
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    assert "╔" not in child.text()
    assert "╭" not in child.text()
    child.wait_for(lambda: "meaning 100 %" in child.text())


def test_a_hundred_opens_leave_nothing(child: Child) -> None:
    def counts() -> list[int]:
        found: list[int] = child.lua("return { #vim.api.nvim_list_wins(), #vim.api.nvim_list_bufs() }")
        return [*found, child.lua(OPEN_HANDLES)]

    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    child.keys("<Esc>")
    wait_closed(child)
    before = counts()
    for _ in range(100):
        child.keys(":AutoContext<CR>x<Down><Esc>")
    wait_closed(child)
    child.wait_for(lambda: counts() == before, what=f"as many as before: {before}")


def test_opening_twice_and_leaving_by_the_mouse(child: Child) -> None:
    child.lua("require('auto_context').open() require('auto_context').open({ query = 'RetryPolicy' })")
    wait_for_row(child, "src/uploads.py:")
    child.lua("vim.api.nvim_set_current_win(vim.fn.win_getid(1))")
    child.wait_for(lambda: pane(child, "prompt") is None)
    child.wait_for(lambda: len(child.lua("return vim.api.nvim_list_wins()")) == 1)


def test_search_without_a_picker(child: Child, shop: Path) -> None:
    child.lua("""
        require('auto_context').search('RetryPolicy', { limit = 3, path = 'src/**' }, function(err, reply)
          _G.answer = { err = err, reply = reply }
        end)
    """)
    answer = child.wait_for(lambda: child.lua("return _G.answer"), timeout_s=60)
    assert "err" not in answer
    assert answer["reply"]["root"] == str(shop)
    assert 1 <= len(answer["reply"]["hits"]) <= 3
    child.lua("""
        require('auto_context').search('x', { limit = 'many' }, function(err) _G.problem = err end)
    """)
    assert child.wait_for(lambda: child.lua("return _G.problem"))["code"] == "bad_request"


def test_similar_code_is_shown_until_a_query_is_typed(child: Child) -> None:
    child.keys(":edit src/basket.py<CR>:12<CR>:AutoContext similar<CR>")
    child.wait_for(lambda: pane(child, "prompt"), what="the picker")
    wait_for_row(child, "web/cart.ts:")
    child.wait_for(lambda: "like basket.py:12" in child.text())
    child.keys("RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    child.wait_for(lambda: "like basket.py" not in child.text())
    child.keys("<Esc>")
    wait_closed(child)


def test_similar_to_nothing_says_so(child: Child) -> None:
    child.keys(":enew<CR>:AutoContext similar<CR>")
    child.wait_for(lambda: "this buffer is no file" in child.text())


def test_a_row_says_its_last_commit(child: Child) -> None:
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    child.wait_for(lambda: " wide" in child.text() or " first" in child.text(), what="the subject of a commit")


def test_similar_with_a_bang_is_like_the_whole_file(child: Child) -> None:
    child.keys(":edit src/basket.py<CR>:12<CR>:AutoContext similar!<CR>")
    child.wait_for(lambda: pane(child, "prompt"), what="the picker")
    child.wait_for(lambda: "like basket.py ·" in child.text())
    wait_for_row(child, "web/cart.ts:")
    assert not any(row.startswith("src/basket.py:") for row in rows(child))
