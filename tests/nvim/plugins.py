"""Checkouts of other plugins, which are no part of this project: a test that needs one runs where it is."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from harness import REPOSITORY

FOLDER = os.environ.get("AUTO_CONTEXT_TEST_PLUGINS", "")
"""A folder with checkouts by their usual names, and ``bin`` with what they run (fzf)."""


def needs(*names: str) -> pytest.MarkDecorator:
    """Leave a test out, and say so, where ``AUTO_CONTEXT_TEST_PLUGINS`` names no folder that has these."""
    there = FOLDER and all((Path(FOLDER) / name).is_dir() for name in names)
    return pytest.mark.skipif(
        not there, reason=f"not tested: AUTO_CONTEXT_TEST_PLUGINS names no folder with {' and '.join(names)}"
    )


def on_runtimepath(*names: str) -> tuple[str, ...]:
    """Commands that put them on 'runtimepath'."""
    return (f"set runtimepath+={','.join(str(Path(FOLDER) / name) for name in names)}",)


def with_programs() -> dict[str, str]:
    """An environment whose PATH has the programs beside the checkouts as well."""
    return {"PATH": f"{Path(FOLDER) / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def snippet(tag: str) -> str:
    """The Lua that the manual gives at a tag, for a person to copy."""
    manual = (REPOSITORY / "doc/auto_context.txt").read_text("utf-8")
    found = re.search(r">lua\n\n(.*?)\n<", manual.partition(f"*{tag}*")[2], re.DOTALL)
    assert found, tag
    return found[1]
