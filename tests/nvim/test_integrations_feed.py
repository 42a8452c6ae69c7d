"""What a picker that shows one answer for a query is given first, and whose root it is."""

from pathlib import Path

import pytest

from driving import clean_log, index
from harness import StartNeovim
from sharing import shared_sandbox
from support import make_shop

sandbox = shared_sandbox()

ASK = """
    local query = ...
    _G.given = {}
    _G.feed = require('auto_context.integrations.feed').new(nil, true)
    _G.feed:ask(query, function(rows) table.insert(_G.given, #rows) end)
"""


def test_a_picker_of_one_answer_waits_for_the_rows_of_a_first_index(start_nvim: StartNeovim, tmp_path: Path) -> None:
    child = start_nvim(cwd=make_shop(tmp_path / "fresh"))
    child.lua(ASK, "RetryPolicy")
    child.wait_for(lambda: child.lua("return #_G.given") > 0, timeout_s=60)
    given = child.lua("_G.feed:close() return _G.given")
    assert given[0] > 0
    clean_log(child)


def test_a_picker_of_one_answer_is_told_that_there_is_none(start_nvim: StartNeovim, tmp_path: Path) -> None:
    folder = make_shop(tmp_path / "shop")
    index(folder)
    child = start_nvim(cwd=folder)
    child.lua(ASK, "path:nowhere/at/all zzz")
    child.wait_for(lambda: child.lua("return _G.given") == [0], timeout_s=60)
    child.lua("_G.feed:close()")
    clean_log(child)


@pytest.mark.parametrize("typed", ["~/shop", ".", "~/shop/", "../shop"])
def test_a_root_may_be_typed_as_a_person_types_it(start_nvim: StartNeovim, tmp_path: Path, typed: str) -> None:
    folder = make_shop(tmp_path / "shop")
    child = start_nvim(cwd=folder)
    child.lua("vim.env.HOME = ...", str(tmp_path))
    root = child.lua("return require('auto_context.integrations.feed').new({ root = ... }).root", typed)
    assert root == str(folder)
