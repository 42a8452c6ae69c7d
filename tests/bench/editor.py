"""Figures inside a real Neovim: what sourcing the plugin costs, and how long a key takes to become rows."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from driving import WATCH_LOOP, open_picker, rows
from harness import Child
from report import PROJECT, Figure, spread
from searching import neovim_binary

_KEYS = "where tensors are copied between two devices of a machine and errors are handled by the parser"

# The reply of the first question of a tick is watched, then the end of the redraw after it. The debounce is the
# picker's own setting; it is taken off, since somebody chose to wait that long.
_WATCH = """
    local rpc, ns = require('auto_context.rpc'), vim.api.nvim_create_namespace('auto_context_bench')
    local key, replied
    _G.bench_ms = {}
    vim.on_key(function() key, replied = vim.uv.hrtime(), false end)
    local request = rpc.request
    rpc.request = function(method, params, callback)
      return request(method, params, function(...)
        callback(...)
        if method == 'search' and key then replied = true end
      end)
    end
    vim.api.nvim_set_decoration_provider(ns, { on_end = function()
      if replied and key then
        table.insert(_G.bench_ms, (vim.uv.hrtime() - key) / 1e6)
        key, replied = nil, false
      end
    end })
    return require('auto_context.config').get().debounce_ms
"""


def key_to_rows(root: Path, name: str, bar: float | None) -> list[Figure]:
    """Keys typed one by one in the picker over a warm service, each waited for; milliseconds without the debounce."""
    what = f"{name}: key to rendered rows"
    binary = neovim_binary()
    if binary is None:
        return [Figure(what, None, note="no Neovim: run `make setup`")]
    with Child(binary, cwd=root, width=140, height=40) as child:
        open_picker(child, "error")
        child.wait_for(lambda: len(rows(child)) > 1, timeout_s=120, what="first rows")
        debounce_ms = float(child.lua(_WATCH))
        child.lua(WATCH_LOOP)
        taken: list[float] = []
        for key in " " + _KEYS:
            before = len(taken)
            child.keys("<Space>" if key == " " else key)
            taken = child.wait_for(
                lambda before=before: (ms := child.lua("return _G.bench_ms")) and len(ms) > before and ms,  # type: ignore[misc]
                what="the rows of a key",
            )
        held = max(child.lua("return _G.gaps"))
    cleaned = [value - debounce_ms for value in taken[5:]]
    figures = spread(
        what, cleaned, "ms", {} if bar is None else {"p95": bar}, f"after the debounce of {debounce_ms:.0f} ms"
    )
    note = "a timer of 4 ms, while these keys are typed"
    return [*figures, Figure(f"{name}: longest hold of Neovim's main loop", held, "ms", bar=16, note=note)]


def start(rounds: int = 11) -> list[Figure]:
    """Milliseconds that sourcing the plugin adds to Neovim's start, as ``--startuptime`` counts them."""
    binary = neovim_binary()
    if binary is None:
        return [Figure("Neovim's start, what the plugin adds", None, note="no Neovim: run `make setup`")]
    taken: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "startup"
            rtp = str(PROJECT).replace(" ", r"\ ")
            command = ["--clean", "--headless", "--cmd", f"set rtp^={rtp}", "--startuptime", str(log)]
            command = [str(binary), *command, "+qa"]
            subprocess.run(command, check=True, capture_output=True)
            lines = [line.split() for line in log.read_text().splitlines() if "plugin/auto_context.lua" in line]
            taken.extend(float(line[1]) for line in lines)
    return spread("Neovim's start, what the plugin adds", taken, "ms", {"p50": 1.0})
