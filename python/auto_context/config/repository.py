"""What a repository says of itself: ``.auto-context.toml`` at the top of a work tree. It may narrow, and nothing else.

It comes with code that somebody else wrote: it is read as data, never through a link, and whatever is wrong with it is
a warning that keeps nobody from indexing.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from auto_context.config.schema import NO_LANGUAGE, Settings, meant, schema
from auto_context.config.sources import Effective
from auto_context.errors import AutoContextError

REPOSITORY_FILE = ".auto-context.toml"

_LARGEST = 1 << 16
"""Bytes."""
_STARS = re.compile(r"\*+")
_MOST_STARS = 4
"""In one pattern: matching takes forty times as long for each more, seconds a name from five on."""
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def narrowed(settings: Settings, top: Path) -> Effective:
    """The user's settings as a repository narrows them; ``origins`` has what it narrowed. Never raises.

    Args:
        settings: the user's.
        top: the top of the work tree, a real path.
    """
    path = os.path.join(top, REPOSITORY_FILE)
    warnings: list[AutoContextError] = []
    origins: dict[str, str] = {}
    try:
        raw = _parsed(path)
    except AutoContextError as error:
        return Effective(settings, {}, (error,))
    for name, value in _each(raw):
        try:
            changed = _narrow(settings, name, value)
        except AutoContextError as error:
            warnings.append(error)
            continue
        if changed != settings:
            origins[name] = path
        settings = changed
    return Effective(settings, origins, tuple(warnings))


def _each(raw: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keys and values; of several patterns each by itself, so that one that may not be leaves the others."""
    for name, value in raw.items():
        if name == "exclude" and isinstance(value, list):
            yield from ((name, [item]) for item in value)
        else:
            yield name, value


def _parsed(path: str) -> dict[str, Any]:
    """What is in the file, nothing when there is none.

    Raises:
        AutoContextError: ``config_invalid``.
    """
    try:
        descriptor = os.open(path, _OPEN)
    except FileNotFoundError:
        return {}
    except OSError as error:
        what = "is a link: none is followed" if os.path.islink(path) else f"cannot be read: {error.strerror}"
        raise _fault(what) from error
    try:
        info = os.fstat(descriptor)
        data = os.read(descriptor, _LARGEST + 1) if stat.S_ISREG(info.st_mode) else None
    except OSError as error:
        raise _fault(f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if data is None or len(data) > _LARGEST:
        raise _fault("is no file" if data is None else f"is larger than {_LARGEST} bytes")
    import tomllib  # noqa: PLC0415 - as for the user's file

    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise _fault(f"is no TOML: {error}") from error


def _fault(what: str) -> AutoContextError:
    message = f"{REPOSITORY_FILE} {what}"
    return AutoContextError("config_invalid", message, "nothing in it counts until that is corrected")


def _narrow(settings: Settings, name: str, value: Any) -> Settings:
    """The settings with one key of the file.

    Raises:
        AutoContextError: ``config_invalid`` for a key or a value that a repository may not have.
    """
    ways: dict[str, Callable[[Settings, Any], Any]] = {
        "exclude": _exclude,
        "languages": _languages,
        "max_file_bytes": lambda settings, value: min(settings.max_file_bytes, value),
    }
    if name not in ways:
        if name in schema():
            message, hint = f"{REPOSITORY_FILE} may not set {name}", f"only {', '.join(ways)}"
        else:
            message, hint = f"{REPOSITORY_FILE}: unknown key {name!r}", meant(name, ways)
        raise AutoContextError("config_invalid", message, hint)
    checked = schema()[name].check(value, REPOSITORY_FILE)
    return replace(settings, **{name: ways[name](settings, checked)})


def _exclude(settings: Settings, patterns: tuple[str, ...]) -> tuple[str, ...]:
    """The user's patterns, then the repository's: the last one that matches decides, and these only leave out."""
    for pattern in patterns:
        if pattern.startswith("!"):
            raise AutoContextError(
                "config_invalid", f"{REPOSITORY_FILE}: exclude: {pattern!r} would take in what others leave out",
                "write exceptions into .gitignore or .autocontextignore",
            )  # fmt: skip
        if pattern.startswith(("/", "~")) or ".." in pattern.split("/"):
            raise AutoContextError(
                "config_invalid", f"{REPOSITORY_FILE}: exclude: {pattern!r} is a path outside",
                "write patterns relative to the top of the repository, without a slash before them",
            )  # fmt: skip
        if len(_STARS.findall(pattern)) > _MOST_STARS:
            raise AutoContextError(
                "config_invalid", f"{REPOSITORY_FILE}: exclude: {pattern!r} has too many stars",
                f"write patterns with {_MOST_STARS} at most",
            )  # fmt: skip
    return settings.exclude + patterns


def _languages(settings: Settings, languages: tuple[str, ...]) -> tuple[str, ...]:
    """Those that both want; an empty list wants all."""
    if not languages or not settings.languages:
        return languages or settings.languages
    return tuple(language for language in settings.languages if language in languages) or (NO_LANGUAGE,)
