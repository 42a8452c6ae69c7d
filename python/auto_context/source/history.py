"""When each file was last committed, from one pass over ``git log``."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from auto_context.source.git import command, run_git, stream_names
from auto_context.source.root import Root

_COMMIT, _FIELD = "\x01", "\x1f"
_MOST_COMMITS = 100_000
"""A history longer than this is read no further: its old files stay without a date."""
_LONGEST_SUBJECT = 120


def head_commit(root: Root) -> str:
    """The commit that is checked out, "" without git or before the first commit."""
    if not root.is_git:
        return ""
    done = run_git(root.top, "rev-parse", "--verify", "--quiet", "HEAD")
    return done.stdout.decode("ascii", "replace").strip() if done is not None and done.returncode == 0 else ""


def is_ancestor(root: Root, old: str, new: str) -> bool:
    """Whether the newer of two commits has the older one in its history."""
    done = run_git(root.top, "merge-base", "--is-ancestor", old, new)
    return done is not None and done.returncode == 0


def last_commits(
    root: Root, head: str, since: str, wanted: Collection[str] = ()
) -> Iterator[list[tuple[str, int, str]]]:
    """The commits of each file, the newest first, in batches as git finds them; empty batches while it is silent.

    Merges do not count. A file that was renamed begins at its rename.

    Args:
        root: whose worktree.
        head: where to begin.
        since: a commit to stop at, "" to go back as far as it takes.
        wanted: stop once all of these were seen; all that there is when empty.

    Yields:
        (path relative to the top, seconds since the epoch, subject) for every time a path was committed, the newest
        first.

    Raises:
        AutoContextError: ``git_failed``.
    """
    span = f"{since}..{head}" if since else head
    arguments = [
        "log", f"--format={_COMMIT}%ct{_FIELD}%s", "--name-only", "-z", "--no-renames", f"--max-count={_MOST_COMMITS}",
        "--end-of-options", span, "--",
    ]  # fmt: skip
    left = set(wanted)
    when, subject = 0, ""
    for pieces in stream_names(root.top, command(root.top, arguments)):
        batch: list[tuple[str, int, str]] = []
        for piece in pieces:
            if piece.startswith(_COMMIT):
                moment, _, subject = piece[1:].partition(_FIELD)
                when = int(moment) if moment.isdigit() else 0
                continue
            path = piece.removeprefix("\n")
            if path:
                batch.append((path, when, _readable(subject)))
        yield batch
        if wanted:
            left.difference_update(path for path, _, _ in batch)
            if not left:
                return


def _readable(subject: str) -> str:
    """A subject of any encoding as text: what is not UTF-8 was read as surrogates."""
    return os.fsencode(subject).decode("utf-8", "replace")[:_LONGEST_SUBJECT]
