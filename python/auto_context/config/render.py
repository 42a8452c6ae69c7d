"""The schema as the tables of the README and of the manual; ``python -m auto_context.config`` writes them there."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from auto_context.config.schema import Editor, Setting, Settings, plain, schema

_WIDTH, _INDENT = 78, 20
_README = re.compile(r"(?<=<!-- settings -->\n).*?(?=<!-- /settings -->)", re.DOTALL)
_MANUAL = re.compile(r"(?<=\*auto_context-settings\*\n\n).*?(?=\n={78}\n)", re.DOTALL)
_SOURCES = {
    "file": "file",
    "environment": "variable",
    "command": "option",
    "editor": "editor",
    "repository": "repository",
}


def readme() -> str:
    """One table, of what a user sets for all editors and shells."""
    rows = ["| setting | default | may be | what it does | set by | a change |", "|---|---|---|---|---|---|"]
    for setting in _of(Settings):
        row = setting.row
        cells = (
            f"`{setting.name}`", f"`{_value(setting.default)}`", _may_be(setting), row.text, _by(setting), row.effect,
        )  # fmt: skip
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def manual() -> str:
    """Both lists of the manual: of the editor's options, then of the settings in the file."""
    editor = [setting for setting in schema().values() if "editor" in setting.row.by]
    lines = ["Options of the editor: ~", ""]
    for setting in sorted(editor, key=lambda setting: setting.name in Settings.__dataclass_fields__):
        lines += _entry(setting, _described(setting, editor=True))
    lines += ["", "Settings of the file: ~", ""]
    for setting in _of(Settings):
        effect = {"none": ""}.get(setting.row.effect, f"; a change: {setting.row.effect}")
        lines += _entry(setting, f"{_described(setting, editor=False)} [{_by(setting)}{effect}]")
    return "\n".join(lines) + "\n"


def write(project: Path) -> None:
    """Put both where they belong.

    Args:
        project: its folder.
    """
    for name, place, text in documents():
        path = project / name
        path.write_text(place.sub(text.replace("\\", r"\\"), path.read_text("utf-8")), "utf-8")


def documents() -> Iterator[tuple[str, re.Pattern[str], str]]:
    """Each file, where in it the schema stands, and what should stand there."""
    yield "README.md", _README, readme()
    yield "doc/auto_context.txt", _MANUAL, manual()


def _of(owner: type[Any]) -> list[Setting]:
    return [schema()[name] for name in owner.__dataclass_fields__]


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return plain(value) if isinstance(value, int | float) and not isinstance(value, bool) else json.dumps(value)


def _may_be(setting: Setting) -> str:
    row = setting.row
    if row.choices:
        return ", ".join(row.choices)
    if row.low is not None:
        return f"{plain(row.low)} to {plain(row.high)}"
    return {"switch": "true, false", "list": "list"}.get(setting.kind, setting.kind)


def _by(setting: Setting) -> str:
    return ", ".join(_SOURCES[source] for source in setting.row.by)


def _described(setting: Setting, *, editor: bool) -> str:
    shared = editor and setting.name not in Editor.__dataclass_fields__
    if setting.default is None or shared:
        default = ", as in the file" if shared else ""
    else:
        default = f", default {_value(setting.default)}"
    return f"({_may_be(setting)}{default}) {setting.row.text}"


def _entry(setting: Setting, text: str) -> list[str]:
    wrapped = textwrap.wrap(text, _WIDTH - _INDENT, break_long_words=False, break_on_hyphens=False)
    first = f"{setting.name:<{_INDENT}}{wrapped[0]}"
    return [first, *(" " * _INDENT + line for line in wrapped[1:])]
