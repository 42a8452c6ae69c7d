"""In a real terminal: keys, another size, <C-c>, and leaving in every state."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from driving import index
from sharing import shared_sandbox
from support import make_shop
from terminal import Terminal

sandbox = shared_sandbox()

LEAVE_LIMIT_S = 0.5
PROMPT = """
    for _, win in ipairs(vim.api.nvim_list_wins()) do
      if vim.bo[vim.api.nvim_win_get_buf(win)].filetype == 'auto_context_prompt' then
        return vim.api.nvim_win_get_config(win).width
      end
    end
"""
ROWS = """
    for _, win in ipairs(vim.api.nvim_list_wins()) do
      local buffer = vim.api.nvim_win_get_buf(win)
      if vim.bo[buffer].filetype == 'auto_context_list' then
        return table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, true), '\\n')
      end
    end
"""
HOST = "return select(2, require('auto_context.host').state())"
Start = Callable[..., Terminal]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, sandbox: dict[str, str]) -> Path:  # noqa: ARG001 - its order
    folder = make_shop(tmp_path_factory.mktemp("terminal") / "shop")
    index(folder)
    return folder


@pytest.fixture
def start(nvim_binary: Path, repository: Path) -> Iterator[Start]:
    terminals: list[Terminal] = []

    def begin(**env: str) -> Terminal:
        variables = {"AUTO_CONTEXT_PYTHON": sys.executable, **env}
        terminals.append(
            Terminal(nvim_binary, cwd=repository, env=variables, arguments=("src/mail.py",), columns=110, lines=34)
        )
        return terminals[-1]

    yield begin
    for terminal in terminals:
        terminal.__exit__(None, None, None)


def prompt(terminal: Terminal) -> int | None:
    """Its width while a picker is open."""
    width: int | None = terminal.lua(PROMPT)
    return width


def opened(terminal: Terminal, query: str = "") -> None:
    terminal.type(":AutoContext\r")
    terminal.wait_for(lambda: prompt(terminal))
    terminal.type(query)


def test_keys_and_another_size(start: Start) -> None:
    terminal = start()
    opened(terminal, "retry a failed upload")
    terminal.wait_for(lambda: "src/uploads.py:" in (terminal.lua(ROWS) or ""), 60)
    terminal.wait_for(lambda: "src/uploads.py:" in terminal.drawn())
    wide = prompt(terminal) or 0
    terminal.resize(70, 24)
    terminal.wait_for(lambda: terminal.lua("return { vim.o.columns, vim.o.lines }") == [70, 24])
    terminal.wait_for(lambda: (prompt(terminal) or wide) != wide)
    terminal.type("\x1b[B\x1b[A\r")  # <Down>, <Up>, <CR>
    terminal.wait_for(lambda: terminal.lua("return vim.fn.expand('%:t')") == "uploads.py")
    assert prompt(terminal) is None


def test_control_c_leaves_a_picker_that_waits(start: Start) -> None:
    terminal = start()
    opened(terminal)
    pid = terminal.wait_for(lambda: terminal.lua(HOST))
    os.kill(pid, signal.SIGSTOP)
    terminal.type("nothing answers")
    terminal.wait_for(lambda: "nothing answers" in terminal.lua("return vim.api.nvim_get_current_line()"))
    began = time.monotonic()
    terminal.type("\x03")
    terminal.wait_for(lambda: prompt(terminal) is None)
    assert time.monotonic() - began < 1
    os.kill(pid, signal.SIGCONT)


def test_control_c_ends_a_wait(start: Start) -> None:
    terminal = start()
    pid = terminal.lua(
        "require('auto_context').search('x', {}, function() end) return select(2, require('auto_context.host').state())"
    )
    os.kill(pid, signal.SIGSTOP)
    terminal.lua("""_G.wait = function()
        vim.schedule(function() _G.waits = true end)
        _G.answer = { require('auto_context').search_sync('x', {}, 60000) }
    end""")
    terminal.type(":lua wait()\r")
    terminal.wait_for(lambda: terminal.lua("return _G.waits"))
    terminal.type("\x03")
    code = terminal.wait_for(lambda: terminal.lua("return _G.answer and _G.answer[2].code"), 5)
    assert code == "cancelled"
    os.kill(pid, signal.SIGCONT)


def picker_open(terminal: Terminal) -> None:
    opened(terminal, "retry")
    terminal.wait_for(lambda: "uploads.py" in (terminal.lua(ROWS) or ""), 60)


def indexing(terminal: Terminal) -> None:
    terminal.lua("require('auto_context').index({ force = true, confirmed = true })")
    terminal.wait_for(lambda: terminal.lua("return require('auto_context.index').any_busy()"))


def host_starting(terminal: Terminal) -> None:
    terminal.lua("require('auto_context.host').channel()")


def host_stopped(terminal: Terminal) -> None:
    opened(terminal)
    os.kill(terminal.wait_for(lambda: terminal.lua(HOST)), signal.SIGSTOP)


def context_open(terminal: Terminal) -> None:
    terminal.type(":AutoContext context\r")
    terminal.wait_for(lambda: terminal.lua("return vim.bo.filetype") == "auto-context-context", 60)


@pytest.mark.parametrize("state", [picker_open, indexing, host_starting, host_stopped, context_open])
def test_leaving_takes_no_time(start: Start, state: Callable[[Terminal], None]) -> None:
    taken = []
    for _ in range(3):  # the best of three: other programs take the processor, too
        terminal = start()
        state(terminal)
        taken.append(terminal.quit())
        if taken[-1] < LEAVE_LIMIT_S:
            break
    assert min(taken) < LEAVE_LIMIT_S, taken
