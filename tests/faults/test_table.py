"""The table of bad input names tests that exist, and every test of this folder."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def functions_of(file: Path) -> set[str]:
    """The names of a module's test functions."""
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def rows() -> list[list[str]]:
    """The cells of every row, without headings."""
    lines = (HERE / "README.md").read_text("utf-8").splitlines()
    split = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return [cells for cells in split if cells[0] != "bad input"]


def test_every_row_says_what_happens_and_names_a_test_that_exists() -> None:
    known: dict[str, set[str]] = {}
    for cells in rows():
        assert len(cells) == len(["bad input", "what happens", "test"]), cells
        named = NAMED.findall(cells[2])
        assert named, cells
        for path, name in named:
            if path not in known:
                known[path] = functions_of(HERE.parent / path)
            assert name in known[path], f"{path}::{name}"


def test_every_test_of_this_folder_is_in_the_table() -> None:
    named = {(path, name) for cells in rows() for path, name in NAMED.findall(cells[2])}
    here = {
        (f"faults/{file.name}", name)
        for file in HERE.glob("test_*.py")
        if file != Path(__file__)
        for name in functions_of(file)
    }
    assert here - named == set()
