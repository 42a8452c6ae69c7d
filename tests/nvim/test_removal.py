"""`:AutoContext clear`: asked about, and gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from auto_context.service.client import ServiceClient
from driving import index
from harness import StartNeovim
from support import make_shop


def known(*roots: Path) -> list[bool]:
    """Which of these have an index."""
    client = ServiceClient()

    def status(root: Path) -> dict[str, Any]:
        return client.request("GET", "/status", params={"root": str(root)})

    return [status(root)["repository"]["indexed"] for root in roots]


def test_the_index_here_and_then_all_are_deleted_after_a_yes(start_nvim: StartNeovim, tmp_path: Path) -> None:
    here, other = make_shop(tmp_path / "here"), make_shop(tmp_path / "other")
    for root in (here, other):
        index(root)
    child = start_nvim(cwd=here, width=160)
    child.keys(":AutoContext clear<CR>")
    child.wait_for(lambda: f"Delete the index of {here}, " in child.text())
    child.keys("2<CR>")
    child.wait_for(lambda: not child.blocked)
    assert known(here, other) == [True, True]
    child.keys(":AutoContext clear<CR>")
    child.wait_for(lambda: "Delete the index of" in child.text())
    child.keys("1<CR>")
    child.wait_for(lambda: "deleted 1 index, " in child.messages())
    assert known(here, other) == [False, True]
    child.keys(":AutoContext clear all<CR>")
    child.wait_for(lambda: "Delete 1 index in " in child.text())
    child.keys("1<CR>")
    child.wait_for(lambda: child.messages().count("deleted 1 index, ") == 2)
    assert known(here, other) == [False, False]
    child.command("AutoContext clear")
    child.wait_for(lambda: "nothing is indexed" in child.messages())
    child.command("AutoContext clear everything")
    child.wait_for(lambda: "say `clear` or `clear all`" in child.messages())
