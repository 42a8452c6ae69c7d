"""The user's own sources: the file and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from auto_context.config.schema import PREFIX, Setting, Settings, meant, schema
from auto_context.errors import AutoContextError

FILE_NAME = "auto-context.toml"

_NO_SETTINGS = frozenset({"CONFIG_DIR", "DATA_DIR", "CACHE_DIR", "LOG_DIR", "RUNTIME_DIR", "PYTHON", "NVIM"})
"""Variables with our prefix that are no settings: where things are."""
_TESTS = "TEST_"


@dataclass(frozen=True, slots=True)
class Effective:
    """Settings, and where each came from."""

    settings: Settings = field(default_factory=Settings)
    origins: Mapping[str, str] = field(default_factory=dict)
    """A file or a variable for each setting that is not the default."""
    warnings: tuple[AutoContextError, ...] = ()
    """What was left out, and why."""

    def over(self, weaker: Effective) -> Effective:
        """What narrows these settings, with where the others came from."""
        origins = dict(weaker.origins)
        for name, origin in self.origins.items():
            # Both have a part in a list that one of them made longer.
            origins[name] = f"{origins[name]}, {origin}" if name in origins else origin
        return replace(self, origins=origins)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: ``settings`` by name, each with ``value`` and ``from``, and ``warnings``."""
        return {
            "settings": {
                name: {"value": getattr(self.settings, name), "from": self.origins.get(name, "default")}
                for name in Settings.__dataclass_fields__
            },
            "warnings": [warning.to_dict() for warning in self.warnings],
        }


def load(directory: Path) -> Settings:
    """What the user's file says; a missing file gives the defaults.

    Raises:
        AutoContextError: ``config_invalid`` naming the key, what is allowed and the value, or the nearest known key.
    """
    return read(directory).settings


def read(directory: Path, environment: Mapping[str, str] | None = None) -> Effective:
    """The user's file with some environment over it.

    Args:
        directory: the configuration folder.
        environment: variables, ours among them; none when None.

    Raises:
        AutoContextError: ``config_invalid`` as for ``load``, for a variable as well.
    """
    path = directory / FILE_NAME
    raw = _parsed(path)
    settings = from_mapping(raw, str(path))
    found = Effective(settings, dict.fromkeys(raw, str(path)))
    return found if environment is None else _with_environment(found, environment)


def stamp(directory: Path) -> tuple[int, int, int] | None:
    """Changes when the file does; None while there is none."""
    try:
        info = (directory / FILE_NAME).stat()
    except OSError:
        return None
    return info.st_size, info.st_mtime_ns, info.st_ino


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for a process that many will share: what one of them has set for itself is not in it."""
    ours = {setting.variable for setting in schema().values()} - {PREFIX + name for name in _NO_SETTINGS}
    return {name: value for name, value in environment.items() if name not in ours}


def from_mapping(raw: Mapping[str, Any], origin: str) -> Settings:
    """Plain data, checked against the schema.

    Raises:
        AutoContextError: ``config_invalid``.
    """
    return Settings(**{name: _known(name, origin).check(value, origin) for name, value in raw.items()})


def _known(name: str, origin: str) -> Setting:
    settings = schema()
    setting = settings.get(name)
    if setting is None:
        raise AutoContextError("config_invalid", f"{origin}: unknown key {name!r}", meant(name, _of("file")))
    if "file" not in setting.row.by:
        raise AutoContextError(
            "config_invalid", f"{origin}: {name} is an option of the editor", "set it in setup() or vim.g.auto_context"
        )
    return setting


def _of(source: str) -> list[str]:
    return [name for name, setting in schema().items() if source in setting.row.by]


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8-sig")
        import tomllib  # noqa: PLC0415 - most have no file, and every command waits for this

        return tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise AutoContextError("config_invalid", f"{path}: {what}", "correct the file, or move it away") from error


def _with_environment(found: Effective, environment: Mapping[str, str]) -> Effective:
    values: dict[str, Any] = {}
    origins = dict(found.origins)
    warnings: list[AutoContextError] = []
    by_variable = {setting.variable: setting for setting in schema().values()}
    for variable, text in environment.items():
        name = variable.removeprefix(PREFIX)
        if name == variable or name in _NO_SETTINGS or name.startswith(_TESTS) or not text:
            continue
        setting = by_variable.get(variable)
        if setting is None:
            near = meant(variable, [PREFIX + one.upper() for one in _of("environment")])
            warnings.append(AutoContextError("config_invalid", f"{variable} is no setting", near))
        elif "environment" not in setting.row.by:
            where = "the user's auto-context.toml" if "file" in setting.row.by else "the options of the editor"
            warnings.append(
                AutoContextError("config_invalid", f"{variable} is left out", f"set {setting.name} in {where} only")
            )
        else:
            values[setting.name] = setting.parse(text)
            origins[setting.name] = variable
    return Effective(replace(found.settings, **values), origins, tuple(warnings))
