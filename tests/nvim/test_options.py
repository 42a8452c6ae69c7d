"""Every option of the editor does what it says, on a real repository with the real service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from driving import children_of, clean_log, index, open_picker, pane, rows, wait_closed, wait_for_row
from harness import Child, StartNeovim
from sharing import shared_sandbox
from support import make_shop

WINDOWS = """
    local found = {}
    for _, win in ipairs(vim.api.nvim_list_wins()) do
      local config = vim.api.nvim_win_get_config(win)
      if config.relative ~= '' then
        found[#found + 1] = { config.col, config.row, config.col + config.width, config.row + config.height }
      end
    end
    return found
"""
NOTE_PAUSES = """
    _G.pauses = {}
    local make = vim.uv.new_timer
    vim.uv.new_timer = function()
      local timer = make()
      return setmetatable({}, { __index = function(_, name)
        return function(_, ...)
          if name == 'start' then
            table.insert(_G.pauses, (...))
          end
          return timer[name](timer, ...)
        end
      end })
    end
"""
SETUP = "require('auto_context').setup(...)"


sandbox = shared_sandbox()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, sandbox: dict[str, str]) -> Path:  # noqa: ARG001 - its order
    folder = make_shop(tmp_path_factory.mktemp("options") / "shop")
    index(folder)
    return folder


@pytest.fixture
def child(start_nvim: StartNeovim, shop: Path) -> Iterator[Child]:
    child = start_nvim(cwd=shop, width=120, height=30)
    yield child
    clean_log(child)


def count(child: Child, **options: float) -> int:
    child.lua(SETUP, options)
    open_picker(child, "RetryPolicy")
    found = len(wait_for_row(child, "src/uploads.py:"))
    child.keys("<Esc>")
    wait_closed(child)
    return found


def test_the_limit_and_the_threshold_reach_the_search(child: Child) -> None:
    everything = count(child, debounce_ms=0)
    assert everything > 2
    assert count(child, limit=2) == 2
    assert count(child, threshold=1) == 1


def test_the_pause_in_typing_is_as_long_as_it_says(child: Child) -> None:
    child.lua(SETUP, {"debounce_ms": 123})
    child.lua(NOTE_PAUSES)
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    assert 123 in child.lua("return _G.pauses")


def test_the_size_of_the_picker_and_its_preview(child: Child) -> None:
    def spread() -> tuple[float, float]:
        open_picker(child)
        left, top, right, bottom = zip(*child.lua(WINDOWS), strict=True)
        child.keys("<Esc>")
        wait_closed(child)
        return max(right) - min(left), max(bottom) - min(top)

    wide, high = spread()
    child.lua(SETUP, {"width": 0.6})
    narrow, same = spread()
    assert narrow <= 0.6 * 120 < 0.8 * 120 < wide
    child.lua(SETUP, {"height": 0.7})
    assert spread()[1] < same == high
    child.lua(SETUP, {"preview": False})
    open_picker(child, "RetryPolicy")
    wait_for_row(child, "src/uploads.py:")
    assert pane(child, "preview") is None


def test_without_auto_update_a_save_is_left_alone(child: Child, shop: Path) -> None:
    child.lua(SETUP, {"auto_update": False})
    child.command("edit src/mail.py | write")
    assert "auto_context.index" not in child.lua("return vim.tbl_keys(package.loaded)") or not child.lua(
        "return require('auto_context.index').any_busy()"
    )
    assert children_of(child) == []
    child.lua(SETUP, {"auto_update": True})
    child.command("write")
    child.wait_for(lambda: children_of(child), what="the remote plugin")
    assert (shop / "src/mail.py").exists()


def test_what_a_repository_may_not_say_is_shown_once(child: Child, shop: Path) -> None:
    (shop / ".auto-context.toml").write_text('model = "mine"\n')
    try:
        child.command("AutoContext index")
        said = ".auto-context.toml may not set model; only exclude, languages, max_file_bytes"
        child.wait_for(lambda: said in child.messages())
        child.wait_for(lambda: "indexed 1" in child.messages())
        child.command("AutoContext status")
        child.wait_for(lambda: "may not set model" in child.text())
        child.keys("q")
        assert child.messages().count(said) == 1
        assert rows(child) == []
    finally:
        (shop / ".auto-context.toml").unlink()
