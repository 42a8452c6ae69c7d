"""What the Neovim tests share: indexing through the real service, and reading the picker."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil

from auto_context.service.client import ServiceClient
from harness import Child

INDEX_LIMIT_S = 120.0

COUNT_HANDLES = """
    _G.handles = {}
    for _, name in ipairs({ 'new_timer', 'new_fs_event', 'new_fs_poll' }) do
      local make = vim.uv[name]
      vim.uv[name] = function(...)
        local handle = make(...)
        table.insert(_G.handles, handle)
        return handle
      end
    end
"""
OPEN_HANDLES = "return #vim.tbl_filter(function(handle) return not handle:is_closing() end, _G.handles)"
"""Lua that says how many of the handles made since ``COUNT_HANDLES`` are open."""

WATCH_LOOP = """
    local timer = vim.uv.new_timer()
    local function now()
      local usage = vim.uv.getrusage()
      local cpu = (usage.utime.sec + usage.stime.sec) * 1e3 + (usage.utime.usec + usage.stime.usec) / 1e3
      return vim.uv.hrtime() / 1e6, cpu
    end
    _G.gaps, _G.work = { 0 }, { 0 }
    local last_wall, last_cpu = now()
    timer:start(4, 4, function()
      local wall, cpu = now()
      table.insert(_G.gaps, wall - last_wall)
      table.insert(_G.work, cpu - last_cpu)
      last_wall, last_cpu = wall, cpu
    end)
"""
"""A timer of 4 ms that notes how long the main loop let it wait, in ``_G.gaps``, and in ``_G.work`` the processor time
the editor took meanwhile; both in ms."""

_NOTE_REPLIES = """
    if not _G.replies then
      _G.replies = {}
      local rpc = require('auto_context.rpc')
      local request = rpc.request
      rpc.request = function(method, params, callback)
        return request(method, params, function(error, reply)
          callback(error, reply)
          if method == 'search' and reply then
            table.insert(_G.replies, { query = reply.query, legs = reply.legs })
          end
        end)
      end
    end
"""
_PRECISE = """
    local last = _G.replies[#_G.replies]
    return last and last.query == vim.api.nvim_buf_get_lines(0, 0, 1, true)[1]
      and (last.legs.vector == 'ok' or last.legs.vector == 'partial')
"""
_BUFFER = """
    local wanted = ...
    for _, win in ipairs(vim.api.nvim_list_wins()) do
      local buffer = vim.api.nvim_win_get_buf(win)
      if vim.bo[buffer].filetype == 'auto_context_' .. wanted then
        return { lines = vim.api.nvim_buf_get_lines(buffer, 0, -1, true), row = vim.api.nvim_win_get_cursor(win)[1] }
      end
    end
"""


def index(root: Path, client: ServiceClient | None = None) -> dict[str, Any]:
    """Index ``root`` completely, vectors included, and return the job's last body."""
    client = client or ServiceClient()
    job = client.request("POST", "/index/update", body={"root": str(root)})["job"]
    deadline = time.monotonic() + INDEX_LIMIT_S
    while time.monotonic() < deadline:
        body = client.request("GET", f"/jobs/{job}", params={"wait_ms": 500})
        if body["state"] not in ("queued", "running"):
            assert body["state"] == "done", body
            return body
    raise AssertionError("indexing did not end")


def pane(child: Child, name: str) -> dict[str, Any] | None:
    """The lines and the cursor's row of the picker's ``prompt``, ``list`` or ``preview``; None when it is not open."""
    found: dict[str, Any] | None = child.lua(_BUFFER, name)
    return found


def rows(child: Child) -> list[str]:
    """The list's lines; none when no picker is open."""
    found = pane(child, "list")
    lines: list[str] = found["lines"] if found else []
    return lines


def selected(child: Child) -> str:
    """The line of the selected row."""
    found = pane(child, "list")
    assert found
    line: str = found["lines"][found["row"] - 1]
    return line


def open_picker(child: Child, query: str = "") -> None:
    """Open the picker as a person does, and type a query."""
    child.lua(_NOTE_REPLIES)
    child.keys(":AutoContext<CR>")
    child.wait_for(lambda: pane(child, "prompt"), what="the picker")
    child.wait_for(lambda: child.request("nvim_get_mode")["mode"] == "i")
    child.keys(query)


def wait_for_row(child: Child, start: str, timeout_s: float = 60.0) -> list[str]:
    """Wait for a row that begins with ``start``, and return all rows."""
    child.wait_for(
        lambda: any(row.startswith(start) for row in rows(child)), timeout_s=timeout_s, what=f"a row {start}"
    )
    return rows(child)


def wait_for_meaning(child: Child) -> None:
    """Wait until the transformer has answered what `open_picker` typed, and a row was found by meaning."""
    child.wait_for(lambda: child.lua(_PRECISE), timeout_s=60, what="an answer of the transformer")
    child.wait_for(
        lambda: any("m" in row.split()[-1] for row in rows(child) if row), timeout_s=60, what="a row found by meaning"
    )


def wait_closed(child: Child) -> None:
    """Wait until the picker is gone and Neovim is in normal mode."""
    child.wait_for(lambda: pane(child, "prompt") is None, what="no picker")
    child.wait_for(lambda: child.request("nvim_get_mode")["mode"] == "n")


def place(child: Child) -> tuple[str, int]:
    """Name of the current buffer relative to the working folder, and the cursor's line."""
    name, line = child.lua("return { vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ':.'), vim.fn.line('.') }")
    return name, line


def host_pid(child: Child) -> int | None:
    """The remote plugin's process."""
    pid: int | None = child.lua("return select(2, require('auto_context.host').state())")
    return pid


def children_of(child: Child) -> list[psutil.Process]:
    """The processes that Neovim started."""
    found: list[psutil.Process] = psutil.Process(child.pid).children(recursive=True)
    return found


def clean_log(child: Child) -> None:
    """No mistake of the plugin itself went to the log."""
    log = Path(child.lua("return require('auto_context.log').path()"))
    text = log.read_text("utf-8") if log.exists() else ""
    assert "callback:" not in text, text
    assert "Traceback" not in text, text
