"""What the picker's keys do with rows, queries and filters; its answers are canned, so every state can be had."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from canned import answer_with, asked, change, found, hit, status
from driving import COUNT_HANDLES, OPEN_HANDLES, clean_log, open_picker, pane, place, rows, selected, wait_closed
from harness import Child, StartNeovim
from sharing import shared_sandbox
from support import make_shop

sandbox = shared_sandbox()

HITS = [hit("src/uploads.py", 6, "RetryPolicy"), hit("src/mail.py", 6, "order"), hit("src/basket.py", 8, "Basket")]
COUNTS = """
    return {
      #vim.api.nvim_list_wins(), #vim.api.nvim_list_bufs(), #vim.api.nvim_get_autocmds({}),
      #vim.tbl_filter(function(name) return name:match('^AutoContext') end, vim.fn.getcompletion('', 'augroup')),
    }
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shop(tmp_path_factory.mktemp("actions") / "shop")


@pytest.fixture
def child(start_nvim: StartNeovim, shop: Path) -> Iterator[Child]:
    child = start_nvim(cwd=shop, width=120, height=24)
    child.lua(COUNT_HANDLES)
    answer_with(child, status=status(), search=found(*HITS))
    yield child
    clean_log(child)


def opened(child: Child, query: str = "", command: str = "AutoContext") -> None:
    child.keys(f":{command}<CR>")
    child.wait_for(lambda: pane(child, "prompt"))
    child.wait_for(lambda: child.request("nvim_get_mode")["mode"] == "i")
    child.keys(query)
    if query:
        child.wait_for(lambda: len(rows(child)) == len(HITS), what="rows")


def closed(child: Child, key: str = "<Esc>") -> None:
    child.keys(key)
    wait_closed(child)


def prompt(child: Child) -> str:
    return str(child.lua("return vim.api.nvim_buf_get_lines(0, 0, 1, true)[1]"))


def reads(child: Child, text: str) -> bool:
    return text in child.text()


def asked_after(child: Child, count: int) -> bool:
    return len(asked(child, "search")) > count


def passed(moment: float) -> bool:
    return time.monotonic() >= moment


def shows(child: Child, text: str) -> bool:
    return prompt(child) == text


def paths(child: Child, function: str) -> list[str]:
    listed: list[str] = child.lua(f"""
        return vim.tbl_map(function(item)
          return vim.fn.fnamemodify(vim.fn.bufname(item.bufnr), ':.') .. ':' .. item.lnum
        end, {function})
    """)
    return listed


def test_marks_go_to_lists_and_windows(child: Child) -> None:
    opened(child, "retry")
    child.keys("<Tab><Down><Tab>")
    child.wait_for(lambda: "2 marked" in child.text())
    assert child.text().count("● ") == 2
    closed(child, "<C-q>")
    assert paths(child, "vim.fn.getqflist()") == ["src/uploads.py:6", "src/basket.py:8"]
    child.command("cclose")
    opened(child, "retry")
    closed(child, "<C-l>")
    assert len(paths(child, "vim.fn.getloclist(0)")) == len(HITS)
    child.command("lclose")
    opened(child, "retry")
    child.keys("<C-a>")
    child.wait_for(lambda: "3 marked" in child.text())
    while not selected(child).startswith("src/uploads.py"):
        child.keys("<Down>")
    child.keys("<Tab>")
    child.wait_for(lambda: "2 marked" in child.text())
    closed(child, "<CR>")
    child.wait_for(lambda: place(child) == ("src/mail.py", 6))
    assert paths(child, "vim.fn.getqflist()") == ["src/mail.py:6", "src/basket.py:8"]
    opened(child, "retry")
    child.keys("<S-Tab><S-Tab>")
    closed(child, "<C-v>")
    child.wait_for(lambda: len(child.lua("return vim.api.nvim_tabpage_list_wins(0)")) >= 2)


def test_earlier_queries_and_resuming(child: Child) -> None:
    for query in ("one", "two", "one", "three"):
        opened(child, query)
        closed(child)
    opened(child, "draft")
    for key, text in [("Up", "three"), ("Up", "one"), ("Up", "two"), ("Up", "two"), ("Down", "one")]:
        child.keys(f"<C-{key}>")
        child.wait_for(partial(shows, child, text))
    child.keys("<C-Down><C-Down>")
    child.wait_for(lambda: prompt(child) == "draft")
    child.keys("<Down><Tab><C-g>t")
    child.wait_for(lambda: "without tests" in child.text() and "1 marked" in child.text())
    child.keys("<Down><Down>")
    chosen = selected(child)
    closed(child)
    child.lua("_G.answers.search = nil")  # nobody answers: the rows are those of before
    opened(child, command="AutoContext resume")
    child.wait_for(lambda: len(rows(child)) == len(HITS))
    child.wait_for(lambda: "without tests" in child.text() and "1 marked" in child.text())
    assert (prompt(child), selected(child)) == ("draft", chosen)


def test_filters_reach_the_search_and_the_title(child: Child) -> None:
    child.resize(200, 24)
    child.command("edit src/mail.py | edit web/cart.ts | edit src/mail.py")
    opened(child, "retry")
    for keys, title, params in (
        ("<C-g>f", "in src/", {"path": "/src/**"}),
        ("<C-g>l", "only py", {"path": "/src/**", "language": "py"}),
        ("<C-g>t", "without tests", {"tests": "without"}),
        ("<C-g>t", "only tests", {"tests": "only"}),
        ("<C-g>b", "open buffers", {"paths": ["src/mail.py", "web/cart.ts"]}),
    ):
        before = len(asked(child, "search"))
        child.keys(keys)
        child.wait_for(partial(asked_after, child, before))
        last = asked(child, "search")[-1]
        assert params.items() <= last.items()
        child.wait_for(partial(reads, child, title))
    child.keys("<C-g>x")
    child.wait_for(lambda: "tests" not in asked(child, "search")[-1])
    assert "path" not in asked(child, "search")[-1]


def test_similar_yank_and_explain(child: Child, shop: Path) -> None:
    change(child, "similar", found(HITS[2], copies=[]))
    opened(child, "retry")
    child.keys("<C-y>")
    child.wait_for(lambda: child.lua("return vim.fn.getreg('\"')") == "src/uploads.py:6")
    child.keys("<C-g>y")
    child.wait_for(lambda: child.lua("return vim.fn.getreg('\"')") == "first line\nsecond line\n")
    legs = {"lexical": {"rank": 1, "score": 0.5, "weight": 1.0}}
    how = {
        "intent": "symbol",
        "legs": legs,
        "fused": 0.4,
        "steps": [{"step": "definition", "factor": 1.5}],
        "score": 0.6,
    }
    change(child, "search", found(*(each | {"explain": how} for each in HITS)))
    child.keys("<C-g>e")
    child.wait_for(lambda: "x 1.50  it defines that name" in child.text())
    assert asked(child, "search")[-1]["explain"] is True
    child.keys("<C-g>e")
    child.wait_for(lambda: "x 1.50" not in child.text() and "class RetryPolicy" in child.text())
    child.keys("<C-g>s")
    child.wait_for(lambda: "like uploads.py:6" in child.text())
    child.wait_for(lambda: rows(child)[0].startswith("src/basket.py:8"))
    assert asked(child, "similar")[-1]["path"] == str(shop / "src/uploads.py")
    assert prompt(child) == ""
    child.keys("<C-Up>")
    child.wait_for(lambda: prompt(child) == "retry")


def test_an_empty_prompt_shows_open_and_near_files(child: Child) -> None:
    child.command("edit src/uploads.py | 9 | edit src/mail.py")
    opened(child)  # nobody answers yet
    child.wait_for(lambda: rows(child) and rows(child)[0].startswith("src/uploads.py:9"))
    assert rows(child)[0].endswith("open")
    child.wait_for(lambda: "Type what it does" in child.text())
    closed(child, "<CR>")
    child.wait_for(lambda: place(child) == ("src/uploads.py", 9))
    near = hit("web/cart.ts", 1, reason="near", legs=[], focus=[1, 1])
    change(child, "nearby", found(near, hit("src/mail.py", 1, reason="open", legs=[], focus=[1, 1]), query=""))
    opened(child)
    child.wait_for(lambda: [row.split()[0] for row in rows(child)] == ["src/mail.py", "web/cart.ts"])
    params = asked(child, "nearby")[-1]
    assert (params["near"], params["open"]) == ("src/uploads.py", ["src/mail.py"])
    closed(child)
    change(child, "nearby", {"error": {"code": "bad_request", "message": "unknown method", "hint": ""}})
    child.lua("vim.v.oldfiles = { vim.fn.getcwd() .. '/src/basket.py', vim.fn.getcwd() .. '/gone.py', '/etc/hosts' }")
    opened(child)
    child.wait_for(lambda: [row.split()[0] for row in rows(child)] == ["src/mail.py", "src/basket.py"])
    assert asked(child, "nearby")[-1]["recent"] == ["src/basket.py", "gone.py"]


def test_the_mouse(child: Child) -> None:
    opened(child, "retry")
    row = next(i for i, line in enumerate(child.lines()) if "src/mail.py:6" in line)
    column = child.lines()[row].index("src/mail.py")
    child.request("nvim_input_mouse", "left", "press", "", 0, row, column)
    child.wait_for(lambda: selected(child).startswith("src/mail.py"))
    child.request("nvim_input_mouse", "wheel", "down", "", 0, row, column)
    child.wait_for(lambda: selected(child).startswith("src/basket.py"))
    before = child.text()
    child.request("nvim_input_mouse", "wheel", "down", "", 0, row, 90)
    child.wait_for(lambda: child.text() != before)
    child.request("nvim_input_mouse", "left", "press", "", 0, 0, 0)
    wait_closed(child)
    opened(child, "retry")
    for _ in range(2):
        child.request("nvim_input_mouse", "left", "press", "", 0, row, column)
        child.request("nvim_input_mouse", "left", "release", "", 0, row, column)
    wait_closed(child)
    child.wait_for(lambda: place(child) == ("src/mail.py", 6))


def test_keys_of_ones_own(child: Child) -> None:
    child.lua("""
        require('auto_context').setup({
          auto_update = false,
          keys = { open_split = '<C-o>', previous = { '<C-k>', '<C-n>' }, mark = false, opn = 'x', next = 3 },
        })
    """)
    child.wait_for(lambda: "did you mean `open`?" in child.messages())
    assert "`keys.next` must be a key, a list of keys or false, not 3" in child.messages()
    opened(child, "retry")
    child.keys("<Down><Down><C-n>")
    child.wait_for(lambda: selected(child).startswith("src/mail.py"))
    child.keys("<F1>")
    child.wait_for(lambda: "(no key)" in child.text() and "<C-o>" in child.text())
    child.keys("<Esc>")
    child.wait_for(lambda: "(no key)" not in child.text())
    closed(child, "<C-o>")
    child.wait_for(lambda: place(child) == ("src/mail.py", 6))


def test_a_hundred_opens_of_every_kind_leave_nothing(child: Child) -> None:
    opened(child, "retry")
    closed(child)
    before = [*child.lua(COUNTS), child.lua(OPEN_HANDLES)]
    for at in range(100):
        child.keys(":AutoContext<CR>x<Tab>" + ("<F1>x", "<C-g>p", "<C-g>w", "<C-g>t", "<C-g>e")[at % 5] + "<Esc>")
    wait_closed(child)
    assert len(asked(child, "status")) == 101
    child.wait_for(lambda: [*child.lua(COUNTS), child.lua(OPEN_HANDLES)] == before, what=str(before))


def test_typing_draws_each_answer_once_and_never_an_older_one(child: Child) -> None:
    child.lua("""
        local rpc = require('auto_context.rpc')
        local request = rpc.request
        rpc.request = function(method, params, callback)
          if method ~= 'search' then
            return request(method, params, callback)
          end
          local live, n = true, #params.query
          -- Later queries are answered sooner: an older answer arrives after a newer one.
          vim.defer_fn(function()
            if live then
              local reply = vim.deepcopy(_G.answers.search.reply)
              reply.query = params.query
              callback(nil, reply)
            end
          end, 60 - n)
          return function() if n % 2 == 0 then live = false end end -- every other cancel comes too late
        end
        local list = require('auto_context.picker.list')
        local draw = list.draw
        _G.draws = {}
        list.draw = function(buffer, namespace, width, drawing)
          table.insert(_G.draws, { tick = drawing.source.tick, query = drawing.source.reply.query,
            now = drawing.source.query })
          return draw(buffer, namespace, width, drawing)
        end
    """)
    opened(child)
    query = "where do we retry a failed upload of goods"[:40]
    started = time.monotonic()
    for at, key in enumerate(query):
        child.wait_for(partial(passed, started + at * 0.05))
        child.keys(key)
    child.wait_for(lambda: child.lua("return #_G.draws > 0 and _G.draws[#_G.draws].query") == query)
    draws = child.lua("return _G.draws")
    assert [draw for draw in draws if draw["query"] != draw["now"]] == []
    ticks = [draw["tick"] for draw in draws]
    assert ticks == sorted(set(ticks))


def test_fifty_rows_are_drawn_within_three_milliseconds(child: Child) -> None:
    many = [hit(f"packages/warehouse/internal/part_{n}/retry_queue.go", n, f"Queue.Retry{n}") for n in range(1, 51)]
    change(child, "search", found(*many))
    child.keys(":AutoContext<CR>")
    child.wait_for(lambda: pane(child, "prompt"))
    child.keys("retry upload")
    child.wait_for(lambda: len(rows(child)) == 50)
    took = child.lua("""
        local list, marks = require('auto_context.picker.list'), require('auto_context.picker.marks').new()
        local buffer, namespace = vim.api.nvim_create_buf(false, true), vim.api.nvim_create_namespace('measured')
        local drawing = { rows = _G.answers.search.reply.hits, selected = 1, marks = marks,
          source = { terms = { 'retry', 'upload' } } }
        local best = math.huge
        for _ = 1, 30 do
          local started = vim.uv.hrtime()
          list.draw(buffer, namespace, 80, drawing)
          best = math.min(best, vim.uv.hrtime() - started)
        end
        vim.api.nvim_buf_delete(buffer, { force = true })
        return best / 1e6
    """)
    assert took < 3


def test_a_question_mark_lists_the_keys_where_nothing_is_typed(child: Child) -> None:
    open_picker(child)
    child.keys("?")
    child.wait_for(lambda: "send the marked rows" in child.text(), what="the keys")
    child.keys("x")
    child.wait_for(lambda: "send the marked rows" not in child.text())
    child.wait_for(lambda: child.request("nvim_get_mode")["mode"] == "i")
    child.keys("what?")
    child.wait_for(lambda: pane(child, "prompt") == {"lines": ["what?"], "row": 1})


def test_marked_rows_go_to_the_context_and_lead_back(child: Child) -> None:
    opened(child, "retry")
    child.keys("<Tab><Tab>")
    child.wait_for(lambda: "2 marked" in child.text())
    child.keys("<C-g>c")
    child.wait_for(lambda: "2 snippets" in child.text())
    child.command("wincmd b")
    text = "\n".join(child.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, true)"))
    assert "src/uploads.py:6" in text
    assert "src/mail.py:6" in text
    assert "src/basket.py" not in text
    child.command("call search('second line')")
    child.keys("<CR>")
    child.wait_for(lambda: place(child) == ("src/uploads.py", 7))


def test_icons_stand_before_the_rows_where_a_plugin_has_them(child: Child) -> None:
    child.lua("""
        package.loaded['mini.icons'] = {
          get = function(kind, path)
            return kind == 'file' and path:match('mail') and '%' or '@', 'Special'
          end,
        }
    """)
    opened(child, "retry")
    child.wait_for(lambda: "│@ src/uploads.py:6" in child.text() and "│% src/mail.py:6" in child.text())
    closed(child)
    child.lua("require('auto_context').setup({ icons = false, auto_update = false })")
    opened(child, "retry")
    assert "@ src" not in child.text()
