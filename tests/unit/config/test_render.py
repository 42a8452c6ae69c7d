"""What people read about settings is what the schema says."""

import re
from pathlib import Path

from auto_context.config import Editor, Settings, schema
from auto_context.config.render import documents, write

PROJECT = Path(__file__).resolve().parents[3]


def test_the_readme_and_the_manual_are_as_generated() -> None:
    for name, place, text in documents():
        found = place.findall((PROJECT / name).read_text("utf-8"))
        assert found == [text], f"{name}: run `python -m auto_context.config .`"


def test_writing_puts_right_what_was_changed_by_hand(tmp_path: Path) -> None:
    (tmp_path / "doc").mkdir()
    before = {name: (PROJECT / name).read_text("utf-8") for name, _, _ in documents()}
    for name, text in before.items():
        (tmp_path / name).write_text(text.replace("1048576", "7").replace("keep_days", "kept_days"), "utf-8")
    write(tmp_path)
    assert {name: (tmp_path / name).read_text("utf-8") for name in before} == before


def test_every_setting_is_in_both_and_no_line_is_too_long() -> None:
    texts = {name: text for name, _, text in documents()}
    for name in Settings.__dataclass_fields__:
        assert f"| `{name}` |" in texts["README.md"]
    for name in {*Settings.__dataclass_fields__, *Editor.__dataclass_fields__}:
        assert re.search(rf"^{name} ", texts["doc/auto_context.txt"], re.MULTILINE)
    assert max(map(len, texts["doc/auto_context.txt"].splitlines())) <= 78


def test_a_name_means_one_thing() -> None:
    assert not Settings.__dataclass_fields__.keys() & Editor.__dataclass_fields__.keys()
    for setting in schema().values():
        assert setting.kind in {"text", "whole number", "number", "switch", "list", "table"}
        assert (setting.row.low is None) == (setting.kind not in ("whole number", "number"))
        assert not setting.row.text.endswith(".")
