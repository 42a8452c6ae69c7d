"""The user's settings: ``auto-context.toml`` in the configuration folder. One schema, validated here.

Settings come only from the user's own file, never from the repository that is indexed and never from the
environment of whichever client happened to start the service.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from auto_context.errors import AutoContextError

FILE_NAME = "auto-context.toml"

_WORDS = {
    "backend": ("auto", "torch", "openvino"),
    "precision": ("auto", "bf16", "fp32", "int8"),
    "secrets": ("redact", "skip", "keep"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may set. Every field has a default that works."""

    model: str = "all-MiniLM-L6-v2"
    """The embedding model: the bundled one, a folder, or a name on the Hugging Face hub, fetched once."""
    static_model: str = ""
    """A ready-made static model: a folder, or a name in the local model cache. Empty: one distilled from ``model``."""
    max_file_bytes: int = 1_048_576
    """Larger files are found by name only."""
    exclude: tuple[str, ...] = ()
    """Patterns as in .gitignore, left out of every index."""
    secrets: str = "redact"
    """What becomes of keys, tokens and passwords in a file: redact (a marker stands in their place), skip (the file is
    left out), or keep."""
    backend: str = "auto"
    """What runs the model: torch, openvino (an extra), or auto: the fastest here, measured once."""
    precision: str = "auto"
    """Arithmetic of the embedder: auto (bf16 where the processor computes it natively), bf16, fp32 or int8 (torch)."""
    idle_minutes: int = 30
    """The service ends after this long without a request, a job or a lease."""
    memory_mb: int = 1500
    """What the service and its workers may take together, in MB, without pages of mapped files, which the system takes
    back by itself. Near it caches are let go, then the transformer waits."""
    pause_on_battery: bool = False
    """Whether the transformer waits while the machine runs on its battery. Saved files never wait."""
    cache_size_mb: int = 5000
    """Above this, indexes give up old versions and branches, whichever was unused longest first."""
    keep_days: int = 30
    """How long a file version, its vectors or a branch is kept after it was last used."""


def load(directory: Path) -> Settings:
    """Read ``directory/auto-context.toml``; a missing file gives the defaults.

    Raises:
        AutoContextError: ``config_invalid`` naming the key, with the nearest known one.
    """
    path = directory / FILE_NAME
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AutoContextError("config_invalid", f"{path}: {error}") from error
    return from_mapping(raw, str(path))


def from_mapping(raw: dict[str, Any], origin: str) -> Settings:
    """Validate plain data against the schema.

    Raises:
        AutoContextError: ``config_invalid``.
    """
    known = {item.name: item for item in fields(Settings)}
    values: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise AutoContextError(
                "config_invalid",
                f"{origin}: unknown key {key!r}",
                f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}",
            )
        values[key] = _checked(key, value, origin)
    return Settings(**values)


def _checked(key: str, value: Any, origin: str) -> Any:
    default = getattr(Settings(), key)
    if isinstance(default, tuple):
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise AutoContextError("config_invalid", f"{origin}: {key} must be a list of strings")
    # bool is an int to isinstance, never to a person.
    if type(value) is not type(default):
        raise AutoContextError("config_invalid", f"{origin}: {key} must be of type {type(default).__name__}")
    if type(value) is int and value <= 0:
        raise AutoContextError("config_invalid", f"{origin}: {key} must be positive")
    if key in _WORDS and value not in _WORDS[key]:
        known = f"{', '.join(_WORDS[key][:-1])} or {_WORDS[key][-1]}"
        raise AutoContextError("config_invalid", f"{origin}: {key} must be {known}, not {value!r}")
    return value
