"""Which files of a work tree are indexed, and why the others are not. Looks at names and stats, never at contents."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from auto_context.config import Settings
from auto_context.errors import AutoContextError
from auto_context.language import language_of
from auto_context.source.git import command, failure, run_git, stream_names
from auto_context.source.ignores import IgnoreFiles, excluder, watcher
from auto_context.source.root import Root, is_inside
from auto_context.source.secrets import is_secret_name

_BATCH = 500
_LONGEST_LINK = 8_192
_VCS_FOLDERS = frozenset({".git", ".hg", ".svn", ".jj"})


class Found(NamedTuple):
    """One path of a work tree.

    ``path`` is posix and relative to the top; bytes that are not UTF-8 are surrogate escapes. ``skip`` is "" for a
    file to index, else the reason: excluded, unwatched, language, secret, symlink, symlink_outside, submodule,
    unreadable, large, not_regular, and from ``check_paths`` also ignored and missing.
    """

    path: str
    size: int
    mtime_ns: int
    inode: int
    skip: str


def discover(root: Root, settings: Settings) -> Iterator[list[Found]]:
    """Every file of the whole work tree (not only of ``root.prefix``), in batches.

    A batch may be empty: the caller gets a chance to do something else while a program is slow.

    Raises:
        AutoContextError: ``git_failed``, ``config_invalid``.
    """
    judge = _Judge(root.top, settings)
    seen: set[str] = set()
    batch: list[Found] = []
    for names in _names(root):
        if not names:
            yield []
        for name in names:
            # A conflicted path is listed once for each side.
            if name in seen:
                continue
            seen.add(name)
            found = judge.look(name.rstrip("/"))
            if found.skip == "missing":
                continue
            batch.append(found)
            if len(batch) >= _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def check_paths(root: Root, paths: Sequence[str], settings: Settings) -> list[Found]:
    """The verdicts of ``discover`` for some paths, in the same order, whether git tracks, ignores or never saw them.

    Args:
        root: the work tree.
        paths: posix, relative to its top (see ``relative_path``).
        settings: the user's.

    Raises:
        AutoContextError: ``outside_root``, ``git_failed``, ``config_invalid``.
    """
    judge = _Judge(root.top, settings)
    found = []
    for path in paths:
        if os.path.isabs(path) or os.path.normpath(path) != path or path.split("/")[0] in {"..", "."} or "\0" in path:
            raise AutoContextError("outside_root", f"{path!r} is not a path inside {root.top}")
        item = judge.look(path)
        if item.skip != "missing" and not _VCS_FOLDERS.isdisjoint(path.split("/")):
            item = Found(path, 0, 0, 0, "ignored")
        elif item.skip != "missing" and root.is_git and judge.in_nested_repository(path):
            item = Found(path, 0, 0, 0, "submodule")
        found.append(item)
    open_question = [item.path for item in found if item.skip in {"", "large", "unreadable"}]
    ignored = _ignored(root, open_question)
    return [Found(item.path, 0, 0, 0, "ignored") if item.path in ignored else item for item in found]


def left_out(root: Root, paths: Sequence[str], settings: Settings) -> list[str]:
    """Those of some paths that must not be indexed because of their names alone, whether they exist or not.

    Raises:
        AutoContextError: ``config_invalid``.
    """
    excluded = excluder(root.top, settings.exclude)
    return [path for path in paths if is_secret_name(path) or excluded.match_file(path)]


def admitted(root: Root, paths: Sequence[str], settings: Settings) -> set[str]:
    """Those of some paths whose content may be indexed, whether they exist yet or not.

    Raises:
        AutoContextError: those of ``check_paths``.
    """
    verdicts = {item.path: item.skip for item in check_paths(root, paths, settings)}
    coming = [path for path, skip in verdicts.items() if skip == "missing"]
    refused = set(left_out(root, coming, settings)) | _ignored(root, coming)
    return {path for path, skip in verdicts.items() if skip in {"", "large"}} | (set(coming) - refused)


def is_indexable_path(root: Root, paths: Sequence[str], settings: Settings) -> Iterator[Found]:
    """``check_paths`` as an iterator."""
    return iter(check_paths(root, paths, settings))


class _Judge:
    """Decides about one path at a time; remembers what it learned of folders."""

    def __init__(self, top: Path, settings: Settings) -> None:
        self._top = str(top)
        self._largest = settings.max_file_bytes
        self._languages = frozenset(settings.languages)
        self._excluded = excluder(top, settings.exclude)
        self._watched = watcher(settings.watch)
        self._folders: dict[str, str] = {"": ""}
        self._repositories: dict[str, bool] = {"": False}

    def look(self, path: str) -> Found:
        """The verdict on a path, "missing" when there is no such file."""
        full = os.path.join(self._top, path)
        try:
            reason = self._folder(path.rpartition("/")[0])
            info = os.lstat(full)
        except (FileNotFoundError, NotADirectoryError):
            return Found(path, 0, 0, 0, "missing")
        except (OSError, ValueError):
            return Found(path, 0, 0, 0, "unreadable")
        reason = reason or self._reason(path, full, info)
        return Found(path, info.st_size, info.st_mtime_ns, info.st_ino, reason)

    def in_nested_repository(self, path: str) -> bool:
        """Whether a folder between the top and the path is a repository of its own."""
        folder = path.rpartition("/")[0]
        known = self._repositories.get(folder)
        if known is None:
            known = _is_repository(os.path.join(self._top, folder)) or self.in_nested_repository(folder)
            self._repositories[folder] = known
        return known

    def _reason(self, path: str, full: str, info: os.stat_result) -> str:
        return self._reason_of_name(path) or self._reason_of_file(path, full, info)

    def _reason_of_name(self, path: str) -> str:
        if is_secret_name(path):
            return "secret"
        if self._excluded.match_file(path):
            return "excluded"
        return "unwatched" if self._watched is not None and not self._watched.match_file(path) else ""

    def _reason_of_file(self, path: str, full: str, info: os.stat_result) -> str:
        if stat.S_ISLNK(info.st_mode):
            return self._link(full)
        if stat.S_ISDIR(info.st_mode):
            return "submodule"
        if not stat.S_ISREG(info.st_mode):
            return "not_regular"
        large = info.st_size > self._largest
        if self._languages and not self._speaks(path, large=large):
            return "language"
        return "large" if large else ""

    def _speaks(self, path: str, *, large: bool) -> bool:
        """Whether a file is of a language that is asked for; its first line may say so where its name does not."""
        language = language_of(path)
        return language in self._languages if language else not large

    def _folder(self, folder: str) -> str:
        """Empty for a real folder inside the top; a tracked folder may since have become a link."""
        known = self._folders.get(folder)
        if known is None:
            full = os.path.join(self._top, folder)
            known = self._folder(folder.rpartition("/")[0])
            if not known and os.path.islink(full):
                known = self._link(full)
            self._folders[folder] = known
        return known

    def _link(self, full: str) -> str:
        """A link's target is indexed under its own name, if it is inside at all. Loops resolve to themselves."""
        real = os.path.realpath(full)
        return "symlink" if real == self._top or is_inside(real, self._top) else "symlink_outside"


def _is_repository(folder: str) -> bool:
    """Whether git would leave a folder to a repository of its own: its ``.git``, or what that names, has a HEAD."""
    git_dir = os.path.join(folder, ".git")
    try:
        with open(os.open(git_dir, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            target = os.fsdecode(file.read(_LONGEST_LINK)).removeprefix("gitdir:").strip()
    except IsADirectoryError:
        target = ".git"
    except OSError:
        return False
    return os.path.lexists(os.path.join(folder, target, "HEAD"))


def _names(root: Root) -> Iterator[list[str]]:
    if root.is_git:
        arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        yield from stream_names(root.top, command(root.top, arguments))
        return
    program = shutil.which("fd") or shutil.which("fdfind")
    if program is not None:
        try:
            yield from _fd(root.top, program)
        except (OSError, AutoContextError):
            # Too old for an option, or broken: names seen already are not told twice.
            pass
        else:
            return
    yield from _walk(root.top)


def _fd(top: Path, program: str) -> Iterator[list[str]]:
    options = ["--hidden", "--no-require-git", "--no-ignore-parent", "--no-global-ignore-file", "--color=never"]
    options += ["--print0", "--type=file", "--type=symlink", "--type=pipe", "--type=socket"]
    options += [f"--exclude={folder}" for folder in sorted(_VCS_FOLDERS)]
    for names in stream_names(top, [program, *options, "."], dict(os.environ)):
        yield [name.removeprefix("./") for name in names]


def _walk(top: Path) -> Iterator[list[str]]:
    """All names below a folder but what its ``.gitignore`` files leave out. Links are not followed."""
    ignores = IgnoreFiles(top)
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        names: list[str] = []
        folders: list[str] = []
        try:
            entries = sorted(os.scandir(os.path.join(top, folder)), key=lambda entry: entry.name)
        except OSError:
            # Unreadable folders and those removed meanwhile hold nothing for us.
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name in _VCS_FOLDERS or ignores.ignores(path, is_folder=is_folder):
                continue
            (folders if is_folder else names).append(path)
        waiting.extend(reversed(folders))
        yield names


def _ignored(root: Root, paths: Sequence[str]) -> set[str]:
    """Which of some existing paths are ignored. What git tracks is not, whatever the patterns say."""
    if not paths:
        return set()
    if not root.is_git:
        ignores = IgnoreFiles(root.top)
        return {path for path in paths if ignores.ignores_any_part(path)}
    asked = b"".join(os.fsencode(path) + b"\0" for path in paths)
    done = run_git(root.top, "check-ignore", "-z", "--stdin", stdin=asked)
    if done is None or done.returncode not in {0, 1}:
        raise failure(root.top, ["check-ignore"], done.stderr if done else b"git is not installed")
    return {os.fsdecode(name) for name in done.stdout.split(b"\0") if name}
