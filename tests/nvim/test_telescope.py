"""The Telescope extension with real checkouts of telescope.nvim and plenary.nvim, which are no part of this project.

Runs where ``AUTO_CONTEXT_TEST_PLUGINS`` names a folder that has both.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from driving import clean_log, index, place
from harness import Child, StartNeovim
from support import make_shop

PLUGINS = os.environ.get("AUTO_CONTEXT_TEST_PLUGINS", "")
NEEDED = ("telescope.nvim", "plenary.nvim")

pytestmark = pytest.mark.skipif(
    not PLUGINS or not all((Path(PLUGINS) / name).is_dir() for name in NEEDED),
    reason="not tested: AUTO_CONTEXT_TEST_PLUGINS names no folder with telescope.nvim and plenary.nvim",
)


@pytest.fixture
def child(start_nvim: StartNeovim, tmp_path: Path) -> Iterator[Child]:
    if start_nvim(cwd=tmp_path).lua("return vim.fn.has('nvim-0.11')") == 0:
        pytest.skip("not tested: Telescope refuses Neovim before 0.11")
    folder = make_shop(tmp_path / "shop")
    index(folder)
    paths = ",".join(str(Path(PLUGINS) / name) for name in NEEDED)
    child = start_nvim(cwd=folder, width=140, height=30, commands=(f"set runtimepath+={paths}",))
    child.lua("require('telescope').load_extension('auto_context')")
    yield child
    clean_log(child)


def test_it_is_live_in_the_engines_order_with_a_preview_at_the_line(child: Child) -> None:
    child.lua("""
        require('auto_context').search('RetryPolicy', { limit = 20 }, function(_, reply) _G.reply = reply end)
    """)
    hits = child.wait_for(lambda: child.lua("return _G.reply"), timeout_s=60)["hits"]
    child.keys(":Telescope auto_context<CR>")
    child.wait_for(lambda: "AutoContext" in child.text())
    child.keys("RetryPoli")
    child.keys("cy")

    def shown() -> list[str]:
        found: list[str] = child.lua("""
            local picker = require('telescope.actions.state').get_current_picker(vim.api.nvim_get_current_buf())
            local names = {}
            for entry in picker.manager:iter() do
              names[#names + 1] = entry.value.path .. ':' .. entry.lnum
            end
            return names
        """)
        return found

    expected = [f"{hit['path']}:{hit['focus'][0]}" for hit in hits]
    child.wait_for(lambda: shown() == expected, timeout_s=30, what=f"{expected}")
    child.wait_for(lambda: "class RetryPolicy" in child.text())
    child.keys("<CR>")
    first = (hits[0]["path"], hits[0]["focus"][0])
    child.wait_for(lambda: place(child) == first)
