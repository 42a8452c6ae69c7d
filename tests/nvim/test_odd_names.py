"""Files whose names are no plain text, by the picker: shown in one row, previewed and opened as what they are."""

import os
from pathlib import Path

import pytest

from bad_input import write
from driving import clean_log, index, open_picker, wait_closed
from harness import Child, StartNeovim
from sharing import shared_sandbox
from support import git

NAMES = {b"caf\xe9.py": "okapi", b"new\nline.py": "tapir", b"quo'te\" %#.py": "lemur", b"+star*[a].py": "gecko"}
RECORD_SAVES = """
    _G.saved = {}
    vim.api.nvim_create_autocmd('User', {
      pattern = 'AutoContextIndexed',
      callback = function(event)
        table.insert(_G.saved, event.data)
      end,
    })
"""


sandbox = shared_sandbox()


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, sandbox: dict[str, str]) -> Path:  # noqa: ARG001 - its order
    folder = tmp_path_factory.mktemp("odd") / os.fsdecode(b"r\xe9po")
    write(folder, {os.fsdecode(name): f"def {word}():\n    return 1\n" for name, word in NAMES.items()})
    git(folder, "init", "-q", "-b", "main")
    index(folder)
    return folder


@pytest.mark.parametrize(("name", "word"), NAMES.items(), ids=NAMES.values())
def test_a_file_of_any_name_is_opened_and_its_save_is_found(
    start_nvim: StartNeovim, odd: Path, name: bytes, word: str
) -> None:
    child: Child = start_nvim(cwd=odd, width=120, height=30)
    child.lua(RECORD_SAVES)
    open_picker(child, word)
    child.wait_for(lambda: f"def {word}():" in child.text(), timeout_s=60)
    child.keys("<CR>")
    wait_closed(child)
    child.wait_for(lambda: child.lua("return vim.api.nvim_buf_get_lines(0, 0, 1, true)[1]") == f"def {word}():")
    opened = child.lua("return vim.api.nvim_buf_get_name(0)")
    assert os.fsencode(opened) == os.fsencode(odd) + b"/" + name
    child.lua("vim.api.nvim_buf_set_lines(0, 0, 1, true, { 'def ' .. ... .. '_again():' })", word)
    child.command("write")
    done = child.wait_for(lambda: [one for one in child.lua("return _G.saved") if one["kind"] == "incremental"])
    assert done[-1]["report"]["changed"] == 1
    child.command("undo | write")
    child.wait_for(lambda: len([one for one in child.lua("return _G.saved") if one["kind"] == "incremental"]) > 1)
    clean_log(child)
