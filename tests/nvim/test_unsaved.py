"""What is typed and not saved is searched in place of the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from auto_context.service.client import ServiceClient
from driving import clean_log, host_pid, index, open_picker, place, rows, wait_closed, wait_for_row
from harness import Child, StartNeovim
from sharing import shared_sandbox
from support import make_shop

sandbox = shared_sandbox()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, sandbox: dict[str, str]) -> Path:  # noqa: ARG001 - its order
    folder = make_shop(tmp_path_factory.mktemp("unsaved") / "shop")
    index(folder)
    return folder


@pytest.fixture
def child(start_nvim: StartNeovim, shop: Path) -> Iterator[Child]:
    child = start_nvim(cwd=shop, width=120, height=30, files=("src/mail.py",))
    child.lua("vim.o.hidden = true")
    child.lua("""
        vim.api.nvim_buf_set_lines(0, -1, -1, true, {
          '', '', 'def zebra_crossing(walker):', '    # Lets a walker pass.', '    return walker' })
    """)
    yield child
    clean_log(child)


def test_a_modified_buffer_wins_until_it_is_let_go(child: Child) -> None:
    lines = child.lua("return vim.api.nvim_buf_line_count(0)")
    open_picker(child, "zebra_crossing")
    wait_for_row(child, f"src/mail.py:{lines - 2}")
    child.wait_for(lambda: any("[+]" in row for row in rows(child)))
    child.wait_for(lambda: "not saved" in child.text())
    child.keys("<CR>")
    wait_closed(child)
    child.wait_for(lambda: place(child) == ("src/mail.py", lines - 2))
    child.command("edit!")
    open_picker(child, "!")
    child.keys("<BS>zebra_crossing")
    child.wait_for(lambda: not any("[+]" in row for row in rows(child)))
    child.keys("<Esc>")
    wait_closed(child)


def test_a_service_and_a_remote_plugin_that_begin_anew_are_told_again(child: Child) -> None:
    open_picker(child, "zebra_crossing")
    child.wait_for(lambda: any("[+]" in row for row in rows(child)))
    child.keys("<Esc>")
    wait_closed(child)
    ServiceClient().stop()
    child.lua("require('auto_context').search_sync('zebra_crossing', {}, 20000)")
    again = "return require('auto_context').search_sync('zebra_crossing', {}, 20000).hits[1].unsaved"
    assert child.lua(again)
    before = host_pid(child)
    assert before
    child.lua("vim.uv.kill(..., 9)", before)
    child.wait_for(lambda: host_pid(child) not in (None, before))
    assert child.lua(again)


def test_a_long_buffer_costs_the_main_loop_little(child: Child) -> None:
    child.lua("""
        local lines = {}
        for i = 1, 5000 do
          lines[i] = ('    value_%d = compute(%d, "some text of the usual length of a line")'):format(i, i)
        end
        vim.api.nvim_buf_set_lines(0, 0, -1, true, lines)
    """)
    took = child.lua("""
        local buffers, best = require('auto_context.buffers'), math.huge
        local root = require('auto_context.repo').of_buffer()
        for i = 1, 20 do
          vim.api.nvim_buf_set_lines(0, 0, 1, true, { 'x = ' .. i })
          local began = vim.uv.hrtime()
          buffers.sync(root)
          best = math.min(best, (vim.uv.hrtime() - began) / 1e6)
        end
        return best
    """)
    assert took < 4, f"{took} ms"
