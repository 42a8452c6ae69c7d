"""From a folder to the repository and worktree it belongs to, and the ref that is checked out there."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from auto_context.errors import AutoContextError
from auto_context.source.git import failure, run_git

_OPERATIONS = (
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("BISECT_LOG", "bisect"),
)
_OBJECT_NAME = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHORT = 12
_REPAIR = "look at its HEAD, which names a branch as in `ref: refs/heads/main`, or clone it again"
_MARK = "--next-value"
"""rev-parse repeats options it does not know: a separator that keeps folders with line feeds in their names apart."""


@dataclass(frozen=True, slots=True)
class Root:
    """A folder that was asked for, resolved. All paths are real paths.

    Without git, or in a folder that git ignores, ``top`` is the folder itself and both git folders are None.
    """

    path: Path
    """The folder asked for: hits are limited to it and relative to it."""
    top: Path
    """The top of the work tree: the unit of discovery and of views."""
    git_dir: Path | None
    """Of this worktree: ``.git`` or ``.git/worktrees/name``."""
    common_dir: Path | None
    """Shared by all worktrees of the repository."""
    prefix: str
    """``path`` relative to ``top``: "" or "sub/folder/"."""

    @property
    def is_git(self) -> bool:
        """Whether git says which files belong here."""
        return self.git_dir is not None

    @property
    def store_identity(self) -> str:
        """What the store is keyed by: worktrees of one repository share it."""
        return str(self.common_dir or self.top)

    @property
    def worktree_identity(self) -> str:
        """What a view is keyed by."""
        return str(self.top)


def resolve_root(path: Path) -> Root:
    """Find the repository and worktree of a folder. Costs one git process, two in a subfolder.

    Raises:
        AutoContextError: ``path_missing``, ``bare_repository`` (also inside a ``.git`` folder), ``git_failed``.
    """
    try:
        real = Path(os.path.realpath(path))
        usable = os.path.isdir(real) and os.access(real, os.R_OK | os.X_OK)
    except (OSError, ValueError) as error:
        raise AutoContextError("path_missing", f"{str(path)!r} is not a usable path: {error}") from error
    if not usable:
        what = "is not a folder" if os.path.exists(real) else "does not exist"
        why = "cannot be read" if os.path.isdir(real) else what
        raise AutoContextError("path_missing", f"{path} {why}")
    plain = Root(path=real, top=real, git_dir=None, common_dir=None, prefix="")
    asked = ["--is-bare-repository", "--is-inside-work-tree", "--absolute-git-dir", "--git-common-dir"]
    asked += ["--show-prefix", "--show-toplevel"]
    arguments = ["rev-parse", *(part for option in asked for part in (option, _MARK))]
    done = run_git(real, *arguments)
    if done is None:
        return plain
    values = [value.removesuffix("\n") for value in os.fsdecode(done.stdout).split(_MARK + "\n")]
    if done.returncode:
        if b"not a git repository (or any" in done.stderr:
            damaged = next((above for above in (real, *real.parents) if os.path.isdir(above / ".git/objects")), None)
            if damaged is None:
                return plain
            raise AutoContextError("git_failed", f"{damaged}/.git is damaged: git finds no repository in it", _REPAIR)
        if len(values) > 1 and "false" in values[1]:
            raise AutoContextError("bare_repository", f"{real} has no work tree")
        raise failure(real, ["rev-parse"], done.stderr)
    git_dir, common, prefix, top = values[2:6]
    root = Root(
        path=real,
        top=Path(os.path.realpath(top)),
        git_dir=Path(os.path.realpath(git_dir)),
        common_dir=Path(os.path.realpath(real / common)),
        prefix=prefix,
    )
    return plain if prefix and _is_ignored(root) else root


def _is_ignored(root: Root) -> bool:
    """Whether git ignores the folder asked for, with no file of it tracked all the same."""
    folder = root.prefix.rstrip("/")
    ignored = run_git(root.top, "check-ignore", "-q", "--", folder)
    if ignored is None or ignored.returncode != 0:
        return False
    tracked = run_git(root.top, "--literal-pathspecs", "ls-files", "-z", "--", folder)
    return tracked is not None and not tracked.stdout


def current_ref(root: Root) -> str:
    """The branch checked out, "detached-" and 12 digits of the commit, or "-" without git.

    Reads one small file; another way of storing refs (reftable) costs a process or two, once for each change.

    Raises:
        AutoContextError: ``git_failed``.
    """
    if root.git_dir is None:
        return "-"
    head_file = root.git_dir / "HEAD"
    try:
        head = "" if head_file.is_symlink() else os.fsdecode(head_file.read_bytes()).strip()
    except OSError as error:
        raise AutoContextError("git_failed", f"{head_file}: {error.strerror}") from error
    if head.startswith("ref: ") and head != "ref: refs/heads/.invalid":
        return ref_name(head.removeprefix("ref: "))
    if _OBJECT_NAME.fullmatch(head):
        return f"detached-{head[:_SHORT]}"
    try:
        tables = os.stat(root.git_dir / "reftable/tables.list")
    except OSError:
        return _asked_ref(root.top, None)
    return _remembered_ref(root.top, (tables.st_mtime_ns, tables.st_ino, tables.st_size))


def _asked_ref(top: Path, _: object) -> str:
    """The ref as git says it."""
    named = run_git(top, "symbolic-ref", "-q", "HEAD")
    if named is not None and named.returncode == 0:
        return ref_name(os.fsdecode(named.stdout).strip())
    commit = run_git(top, "rev-parse", "--verify", "-q", "HEAD")
    if commit is None or commit.returncode:
        raise AutoContextError("git_failed", f"git cannot tell what is checked out in {top}")
    return f"detached-{commit.stdout.decode('ascii')[:_SHORT]}"


_remembered_ref = lru_cache(maxsize=64)(_asked_ref)
"""By the state of the table of tables, a new file with every change of a ref: an update asks twenty times a second."""


def ref_name(ref: str) -> str:
    """A ref as people call it: a branch by its own name, others without ``refs/``."""
    return ref.strip().removeprefix("refs/heads/").removeprefix("refs/")


def operation_in_progress(root: Root) -> str | None:
    """The git operation this worktree is in the middle of (rebase, merge, ...), or None."""
    if root.git_dir is None:
        return None
    for marker, name in _OPERATIONS:
        if os.path.lexists(root.git_dir / marker):
            return name
    return None


def relative_path(root: Root, path: str) -> str:
    """A path, absolute or relative to ``root.path``, as one relative to ``root.top``. It need not exist.

    A link inside the root stands for the file it leads to: that is the one that is indexed.

    Raises:
        AutoContextError: ``outside_root``, also when ``..`` or a link leads out.
    """
    try:
        real = os.path.realpath(os.path.join(root.path, path))
    except (OSError, ValueError) as error:
        raise AutoContextError("outside_root", f"{path!r} is not a usable path: {error}") from error
    if not is_inside(real, str(root.path)):
        raise AutoContextError("outside_root", f"{path} is outside {root.path}")
    return os.path.relpath(real, root.top)


def is_inside(real: str, folder: str) -> bool:
    """Whether a real path lies under a real folder."""
    return real.startswith(folder.rstrip("/") + "/")
