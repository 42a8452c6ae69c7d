"""The one schema of everything that can be set: names, types, defaults, ranges, who may set it, what a change does.

A setting is a field of ``Settings`` or, where only an editor uses it, of ``Editor``, annotated with its ``Row``.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from auto_context.errors import AutoContextError, nearest

PREFIX = "AUTO_CONTEXT_"
NO_LANGUAGE = "-"
"""Stands in ``languages`` where a repository and its user agree on none: an empty list means all."""

Source = Literal["file", "environment", "command", "repository", "editor"]
"""Who may set it: the user's TOML; a variable; an option of a command; a repository's TOML; Lua."""
Effect = Literal["none", "rescan", "re-embed"]
"""What a change costs. Nothing that can be set cuts files anew: chunks depend on no model."""

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_NO_PATTERN = re.compile(r"[\0\n]|\\(/|\s*$)")
"""A backslash with nothing to escape is none to git either."""
_KINDS = {str: "text", int: "whole number", float: "number", bool: "switch"}


@dataclass(frozen=True, slots=True)
class Row:
    """What the schema says of a setting besides its name, type and default."""

    text: str
    by: tuple[Source, ...] = ("file", "environment")
    effect: Effect = "none"
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


_FILE: tuple[Source, ...] = ("file",)
_NARROWS: tuple[Source, ...] = ("file", "environment", "repository")
_ASKING: tuple[Source, ...] = ("file", "environment", "command", "editor")
_EDITOR: tuple[Source, ...] = ("editor",)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may set for all editors and shells. Every field has a default that works."""

    model: Annotated[
        str, Row("the embedding model: the bundled one, a folder, or a name on the Hugging Face hub", _FILE, "re-embed")
    ] = "all-MiniLM-L6-v2"
    static_model: Annotated[
        str, Row("a ready-made static model in place of the one distilled from `model`", _FILE, "re-embed")
    ] = ""
    backend: Annotated[
        str,
        Row("what runs the model; auto: the fastest here, measured once", _FILE, choices=("auto", "torch", "openvino")),
    ] = "auto"
    precision: Annotated[
        str,
        Row(
            "arithmetic of the model; auto: by measurement; mixed (openvino): partly int8; int8 (torch) is less exact",
            _FILE, "re-embed", choices=("auto", "bf16", "fp32", "mixed", "int8"),
        ),
    ] = "auto"  # fmt: skip
    batch_size: Annotated[int, Row("most texts in one run of the model; fewer take less memory", low=1, high=1024)] = (
        128
    )
    watch: Annotated[
        tuple[str, ...], Row("index only files that match one of these, as in .gitignore; empty: all", effect="rescan")
    ] = ()
    exclude: Annotated[tuple[str, ...], Row("leave out files that match, as in .gitignore", _NARROWS, "rescan")] = ()
    languages: Annotated[
        tuple[str, ...],
        Row("index only these languages, by name or file ending (`python`, `rs`); empty: all", _NARROWS, "rescan"),
    ] = ()
    max_file_bytes: Annotated[
        int, Row("larger files are found by name only", _NARROWS, "rescan", low=1, high=1_073_741_824)
    ] = 1_048_576
    secrets: Annotated[
        str,
        Row(
            "keys, tokens and passwords in files: redact (a marker stands there), skip (leave the file out), keep",
            _FILE, "rescan", choices=("redact", "skip", "keep"),
        ),
    ] = "redact"  # fmt: skip
    limit: Annotated[int, Row("most hits of a search", _ASKING, low=1, high=200)] = 20
    threshold: Annotated[
        float, Row("leave out hits whose score is below this share of the best one's; 0: none", _ASKING, low=0, high=1)
    ] = 0.0
    wait_ms: Annotated[
        int,
        Row(
            "how long a search in the shell waits for the model",
            ("file", "environment", "command"), low=0, high=60_000,
        ),
    ] = 10_000  # fmt: skip
    idle_minutes: Annotated[
        int, Row("the service ends after this long without a request, a job or an editor", low=1, high=10_080)
    ] = 30
    memory_mb: Annotated[
        int,
        Row(
            "what the service and its workers may take: near it caches are let go, then the model waits",
            low=100, high=1_000_000,
        ),
    ] = 1500  # fmt: skip
    pause_on_battery: Annotated[
        bool, Row("the model waits while the machine runs on its battery; saved files never do")
    ] = False
    cache_size_mb: Annotated[
        int,
        Row("above this, indexes give up old versions and branches, the longest unused first", low=1, high=10_000_000),
    ] = 5000
    keep_days: Annotated[
        int, Row("how long a file version, its vectors or a branch is kept after its last use", low=1, high=3650)
    ] = 30

    def selection(self) -> dict[str, Any]:
        """Which files are indexed, as plain data for a worker."""
        return {name: getattr(self, name) for name in ("watch", "exclude", "languages", "max_file_bytes", "secrets")}

    def selecting(self, selection: Mapping[str, Any]) -> Settings:
        """These settings with another's ``selection``, which may have crossed a wire."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in selection.items()
        }
        return dataclasses.replace(self, **values)


@dataclass(frozen=True, slots=True)
class Editor:
    """What only an editor uses; ``lua/auto_context/config.lua`` has the same. None: see the text."""

    python: Annotated[str | None, Row("interpreter that has the package; see |auto_context-setup|", _EDITOR)] = None
    picker: Annotated[
        str,
        Row(
            "what `:AutoContext` opens: the built-in picker, another plugin's, or |vim.ui.select()|",
            _EDITOR, choices=("builtin", "telescope", "snacks", "fzf-lua", "mini.pick", "select"),
        ),
    ] = "builtin"  # fmt: skip
    debounce_ms: Annotated[int, Row("pause in typing before a search, in ms", _EDITOR, low=0, high=1000)] = 40
    auto_start: Annotated[
        bool, Row("begin when Neovim is idle after its start, in a repository, in place of at the first use", _EDITOR)
    ] = False
    auto_update: Annotated[bool, Row("index on save, on a branch switch and by timer", _EDITOR)] = True
    interval_minutes: Annotated[
        float, Row("minutes between updates by timer; 0: none", _EDITOR, low=0, high=1440)
    ] = 10  # fmt: skip
    width: Annotated[float, Row("the picker's part of the screen's width", _EDITOR, low=0.1, high=1)] = 0.9
    height: Annotated[float, Row("the picker's part of the screen's height", _EDITOR, low=0.1, high=1)] = 0.85
    preview: Annotated[bool, Row("show a preview where there is room", _EDITOR)] = True
    layout: Annotated[
        str,
        Row(
            "where the preview stands: beside the list, below it, or by the screen's width",
            _EDITOR, choices=("auto", "wide", "tall"),
        ),
    ] = "auto"  # fmt: skip
    border: Annotated[
        str | None,
        Row("border of the windows, see |nvim_open_win()|; else 'winborder' where it is set, else `rounded`", _EDITOR),
    ] = None
    icons: Annotated[bool, Row("icons of mini.icons or nvim-web-devicons, where one is installed", _EDITOR)] = True
    keys: Annotated[
        dict[str, Any] | None,
        Row("keys of the picker by action: a key, a list of keys, or false; see |auto_context-keys|", _EDITOR),
    ] = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the schema."""

    name: str
    kind: str
    """``text``, ``whole number``, ``number``, ``switch``, ``list`` or ``table``."""
    default: Any
    row: Row

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return PREFIX + self.name.upper()

    @property
    def allowed(self) -> str:
        """What a value must be, for a person."""
        row = self.row
        if row.choices:
            return f"{', '.join(row.choices[:-1])} or {row.choices[-1]}"
        if row.low is not None:
            return f"a {self.kind} from {plain(row.low)} to {plain(row.high)}"
        return {"text": "a text", "switch": "true or false", "list": "a list of texts", "table": "a table"}[self.kind]

    def check(self, value: Any, origin: str) -> Any:
        """The value as it is used.

        Raises:
            AutoContextError: ``config_invalid`` that names the origin, the key, what is allowed and the value.
        """
        if self.kind == "list" and isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(self._item(item, origin) for item in value)
        if not self._fits(value):
            raise AutoContextError("config_invalid", f"{origin}: {self.name} must be {self.allowed}, not {value!r}")
        return float(value) if self.kind == "number" else value

    def _fits(self, value: Any) -> bool:
        # bool is an int to isinstance, never to a person.
        kind = type(value) if not (self.kind == "number" and type(value) is int) else float
        row = self.row
        if _KINDS.get(kind) != self.kind or (row.choices and value not in row.choices):
            return False
        return row.low is None or row.high is None or row.low <= value <= row.high

    def _item(self, item: str, origin: str) -> str:
        """One item of a list: a language by its name, a pattern as it is."""
        if self.name == "languages":
            from auto_context.language import LANGUAGES, language_named  # noqa: PLC0415 - few name any, all commands wait

            known = language_named(item)
            if not known:
                message = f"{origin}: languages: no language is called {item!r}"
                raise AutoContextError("config_invalid", message, meant(item.lower(), LANGUAGES))
            return known
        if not item.strip("!/ ") or _NO_PATTERN.search(item):
            raise AutoContextError("config_invalid", f"{origin}: {self.name}: {item!r} is no pattern")
        return item

    def parse(self, text: str) -> Any:
        """The value that an environment variable or an option of a command stands for.

        Raises:
            AutoContextError: ``config_invalid``, as ``check`` does.
        """
        value: Any = text
        if self.kind == "list":
            value = [item for item in text.split(os.pathsep) if item]
        elif self.kind == "switch" and text.lower() in _TRUE + _FALSE:
            value = text.lower() in _TRUE
        elif self.kind in ("whole number", "number"):
            try:
                value = int(text) if self.kind == "whole number" else float(text)
            except ValueError:
                value = text
        return self.check(value, self.variable)


def plain(number: float | None) -> str:
    """A number as one writes it: without an exponent, and without a point it does not need."""
    return str(int(number)) if number is not None and number == int(number) else str(number)


def meant(name: str, names: Iterable[str]) -> str:
    """The hint for an unknown name: the nearest, else all of them when they are few."""
    names = list(names)
    near = nearest(name, names)
    few = 40
    listed = f"known: {', '.join(names)}" if len(names) <= few else "see the README for what can be set"
    return f"did you mean {near!r}?" if near else listed


@cache
def schema() -> dict[str, Setting]:
    """Every setting by its name: the user's, then those of an editor alone."""
    return {setting.name: setting for owner in (Settings, Editor) for setting in _settings(owner)}


def _settings(owner: type[Any]) -> Iterable[Setting]:
    hints = get_type_hints(owner, include_extras=True)
    for item in dataclasses.fields(owner):
        kind, row = get_args(hints[item.name])[:2]
        if get_origin(kind) is not tuple:
            kind = next((one for one in get_args(kind) if one is not NoneType), kind)
        other = "table" if get_origin(kind) is dict else "list"
        yield Setting(item.name, _KINDS.get(kind, other), item.default, row)
