"""Patterns as in ``.gitignore``: the user's excludes, and the ignore files of folders that are not under git."""

from __future__ import annotations

import os
from pathlib import Path

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from auto_context.errors import AutoContextError

OWN_FILE = ".autocontextignore"
_LARGEST_IGNORE_FILE = 1 << 20


def excluder(top: Path, patterns: tuple[str, ...]) -> GitIgnoreSpec:
    """What ``.autocontextignore`` at the top and the user's settings leave out.

    Raises:
        AutoContextError: ``config_invalid`` for a pattern of the settings that is none.
    """
    own = _spec_of_file(os.path.join(top, OWN_FILE))
    return GitIgnoreSpec([*(own.patterns if own else ()), *_spec("exclude", patterns).patterns])


def watcher(patterns: tuple[str, ...]) -> GitIgnoreSpec | None:
    """What the user's settings take in; None for everything.

    Raises:
        AutoContextError: ``config_invalid`` for a pattern that is none.
    """
    return _spec("watch", patterns) if patterns else None


def _spec(name: str, patterns: tuple[str, ...]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise AutoContextError("config_invalid", f"{name}: {error}") from error


class IgnoreFiles:
    """The ``.gitignore`` files of a tree that git does not manage. The deepest file with an opinion decides."""

    def __init__(self, top: Path) -> None:
        self._top = str(top)
        self._specs: dict[str, GitIgnoreSpec | None] = {}

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        """Whether an entry is ignored, its folders being known not to be.

        Args:
            path: posix, relative to the top.
            is_folder: patterns that end in a slash are for folders only.
        """
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            spec = self._spec(folder)
            if spec is None:
                continue
            below = path[len(folder) + 1 :] if folder else path
            said = spec.check_file(below + "/" if is_folder else below).include
            if said is not None:
                return said
        return False

    def ignores_any_part(self, path: str) -> bool:
        """Whether a file or one of its folders is ignored."""
        parts = path.split("/")
        folders = ("/".join(parts[:end]) for end in range(1, len(parts)))
        return any(self.ignores(folder, is_folder=True) for folder in folders) or self.ignores(path, is_folder=False)

    def _spec(self, folder: str) -> GitIgnoreSpec | None:
        if folder not in self._specs:
            self._specs[folder] = _spec_of_file(os.path.join(self._top, folder, ".gitignore"))
        return self._specs[folder]


def _spec_of_file(path: str) -> GitIgnoreSpec | None:
    """The patterns of an ignore file, None when there is none. As with git, links and broken patterns do not count."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        with os.fdopen(descriptor, "rb") as file:
            text = file.read(_LARGEST_IGNORE_FILE).removeprefix(b"\xef\xbb\xbf")
    except OSError:
        return None
    lines = os.fsdecode(text).replace("\r\n", "\n").split("\n")
    return GitIgnoreSpec([pattern for line in lines for pattern in _patterns(line)])


def _patterns(line: str) -> list[GitIgnoreSpecPattern]:
    try:
        return list(GitIgnoreSpec.from_lines([line]).patterns)
    except ValueError:
        return []
