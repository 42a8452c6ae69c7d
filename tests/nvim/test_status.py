"""`:AutoContext status` and `:checkhealth auto_context`, on both Neovims."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from driving import clean_log, index
from harness import Child, StartNeovim
from support import make_shop

SERVICE: dict[str, Any] = {
    "version": "0.1.0", "pid": 7, "uptime_s": 61.0, "memory_bytes": 2e8, "memory_limit_bytes": 1.5e9, "worker": "down",
    "searches": {"count": 3, "p50_ms": 12.4, "p95_ms": 20.0}, "log": "/l/service.log",
    "caches": {"queries": {"hits": 1, "misses": 3}, "contents": {"hits": 0, "misses": 0}},
}  # fmt: skip
REPOSITORY: dict[str, Any] = {
    "root": "/w", "branch": "main", "indexed": True, "files": 1234, "chunks": 20480, "stale": 2,
    "coverage": {"lexical": 1.0, "path": 1.0, "static": 0.999, "vector": 0.5}, "skipped": {"large": 3},
    "redacted": {"files": 1, "secrets": 2}, "updated_at": 1.7e9,
    "embedding": {"updates": 1, "ms_per_chunk": 9.5, "tokens_per_s": 8000}, "store": "/s", "store_bytes": 5e6,
    "warnings": [{"code": "config_invalid", "message": "no model here", "hint": "leave it out"}],
}  # fmt: skip
JOB = {
    "state": "running",
    "progress": {"phase": "scan", "files_done": 0, "files_total": 0, "chunks_done": 0, "chunks_total": 0, "percent": 1},
}
LINES = "return vim.tbl_map(function(l) return l.text end, require('auto_context.status_window').lines(...))"


@pytest.fixture
def child(start_nvim: StartNeovim, tmp_path: Path) -> Iterator[Child]:
    child = start_nvim(cwd=make_shop(tmp_path / "shop"), width=90, height=40)
    yield child
    clean_log(child)


def test_every_figure_has_its_line(child: Child) -> None:
    lines = child.lua(LINES, {"repository": REPOSITORY, "service": SERVICE, "job": JOB})
    for line in (
        "  files     1,234, 2 stale",
        "  chunks    20,480",
        "  coverage  lexical 100 %, path 100 %, static 99 %, vector 50 %",
        "  skipped   large 3",
        "  secrets   files 1, secrets 2",
        "  embedding 9.5 ms a chunk, 8000 tokens/s",
        "  warning   no model here; leave it out",
        "  indexing  looking for files, 1 %",
        "  memory    200 of 1500 MB",
        "  model     down",
        "  searches  3, p50 12 ms, p95 20 ms",
        "  queries   25 % of 4 were there already",
    ):
        assert line in lines
    assert not [line for line in lines if line.startswith("  contents")]


def test_the_window_opens_closes_and_leaves_nothing(child: Child) -> None:
    before = child.lua("return { #vim.api.nvim_list_bufs(), #vim.api.nvim_list_wins() }")
    for key in ("q", "<Esc>"):
        child.command("AutoContext status")
        child.wait_for(lambda: "none: `:AutoContext index` makes it" in child.text(), timeout_s=60)
        assert child.lua("return vim.bo.filetype") == "auto-context-status"
        assert child.lua("return vim.bo.modifiable") is False
        child.keys(key)
        child.wait_for(lambda: child.lua("return { #vim.api.nvim_list_bufs(), #vim.api.nvim_list_wins() }") == before)


def test_its_border_is_the_pickers(child: Child) -> None:
    child.lua("require('auto_context').setup({ border = '+,-,+,|,+,-,+,|' })")
    child.command("AutoContext status")
    child.wait_for(lambda: " auto-context " in child.text(), timeout_s=60)
    assert child.lua("return vim.api.nvim_win_get_config(0).border[1]") in ("+", ["+"])
    child.keys("q")


def test_it_fits_a_small_screen_and_is_drawn_anew_while_something_is_indexed(child: Child) -> None:
    child.lua(
        """
        local job = ...
        local rpc = require('auto_context.rpc')
        _G.asked = 0
        rpc.request = function(_, _, callback)
          _G.asked = _G.asked + 1
          local reply = vim.deepcopy(job)
          reply.repository.files = _G.asked
          reply.job = _G.asked < 3 and reply.job or nil
          vim.schedule(function() callback(nil, reply) end)
          return function() end
        end
        vim.o.columns = 40
        vim.o.lines = 12
        """,
        {"repository": REPOSITORY, "service": SERVICE, "job": JOB},
    )
    child.command("AutoContext status")
    child.wait_for(lambda: "files     3, 2 stale" in child.text())
    assert child.lua("return _G.asked") == 3
    assert child.lua("return vim.api.nvim_win_get_width(0)") <= 38
    # Nothing is indexed now: an event is what draws it again, until it is closed.
    child.lua("require('auto_context.rpc')._event('progress', {})")
    child.lua("require('auto_context.rpc')._event('progress', {})")
    child.wait_for(lambda: "files     4, 2 stale" in child.text())
    assert child.lua("return _G.asked") == 4
    child.keys("q")


def test_a_fault_is_said_in_the_window(start_nvim: StartNeovim, tmp_path: Path) -> None:
    child = start_nvim(cwd=tmp_path, env={"AUTO_CONTEXT_PYTHON": str(tmp_path / "nowhere")})
    child.command("AutoContext status")
    child.wait_for(lambda: "is not an executable" in child.text())
    assert ":AutoContext install" in child.text()


def report(child: Child) -> str:
    child.command("checkhealth auto_context")
    child.wait_for(
        lambda: "Optional plugins" in "\n".join(child.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, true)"))
    )
    return "\n".join(child.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, true)"))


def test_health_finds_every_part_in_order(child: Child) -> None:
    index(Path(child.lua("return vim.fn.getcwd()")))
    text = report(child)
    assert "ERROR" not in text
    for part in (
        "Neovim 0.",
        "interpreter ",
        "the remote plugin answers",
        "service 0.",
        "model: ",
        "grammars: ",
        "store: ",
    ):
        assert part in text


def test_health_says_what_to_do_about_a_missing_interpreter(start_nvim: StartNeovim, tmp_path: Path) -> None:
    child = start_nvim(cwd=tmp_path, env={"AUTO_CONTEXT_PYTHON": str(tmp_path / "nowhere")})
    text = report(child)
    assert "(python_missing)" in text
    assert ":AutoContext install" in text
    assert f"$AUTO_CONTEXT_PYTHON ({tmp_path}/nowhere): not an executable" in text
    assert "`:AutoContext install` (" in text
    assert "service 0." not in text


HEALTH_ASKS = """
    local replies = ...
    _G.waited, _G.open = 0, 0
    require('auto_context.rpc').request = function(method, _, callback)
      _G.open = _G.open + 1
      if replies[method] then
        _G.open = _G.open - 1
        vim.schedule(function() callback(nil, replies[method]) end)
      end
      return function() _G.open = _G.open - 1 end
    end
    local wait, clock = vim.wait, vim.uv.hrtime
    vim.uv.hrtime = function() return clock() + _G.waited * 1e6 end
    vim.wait = function(ms, ...)
      local found = wait(math.min(ms, 200), ...)
      _G.waited = _G.waited + (ms < 100 and 0 or found and 4000 or ms) -- for a moment the plugin waits for its root
      return found
    end
"""
"""Replies by method, on a clock by which an answer takes 4 s and no answer as long as is waited for it."""


@pytest.mark.parametrize("answered", [[], ["status"]], ids=["nothing", "only the status"])
def test_health_gives_up_on_what_does_not_answer(child: Child, answered: list[str]) -> None:
    child.lua(HEALTH_ASKS, {method: {"service": SERVICE} for method in answered} | {"_": True})
    text = report(child)
    assert "(service_unreachable)" in text
    assert ("service 0.1.0" in text) == bool(answered)
    assert 0 < child.lua("return _G.waited") <= 10_000
    assert child.lua("return _G.open") == 0


def test_health_shows_each_check_with_its_fix_and_another_version(child: Child) -> None:
    checks = [
        {"name": name, "level": level, "text": f"about {name}", "fix": fix}
        for name, level, fix in (
            ("git", "ok", ""), ("disk", "info", "prune it"),
            ("packages", "warn", "install"), ("store", "error", "again"),
        )
    ]  # fmt: skip
    service = SERVICE | {"version": "99.0"}
    child.lua(HEALTH_ASKS, {"status": {"service": service}, "doctor": {"checks": checks}})
    text = report(child)
    assert "the service has version 99.0, the plugin " in text
    assert "disk: about disk; prune it" in text
    for level, line, fix in (
        ("WARNING", "packages: about packages", "install"),
        ("ERROR", "store: about store", "again"),
    ):
        assert f"{level} {line}" in text
        assert f"- {fix}" in text.partition(line)[2]
    for plugin in ("snacks", "fzf-lua", "mini.pick"):
        assert f"{plugin}: not installed" in text
