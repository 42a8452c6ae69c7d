"""Which refs and worktrees a repository still has."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from auto_context.errors import AutoContextError
from auto_context.source.git import run_git
from auto_context.source.root import ref_name

_DETACHED = "detached-"
_BAD_OPTION = 129


def existing_refs(folder: Path, labels: Collection[str]) -> set[str]:
    """Those of some labels of ``current_ref`` that git still knows; all of them where git cannot tell.

    Args:
        folder: in the repository, or its git folder.
        labels: branches and detached commits.
    """
    commits = [label for label in labels if label.startswith(_DETACHED)]
    try:
        listed = run_git(folder, "for-each-ref", "--format=%(refname)")
        objects = "".join(f"{label.removeprefix(_DETACHED)}\n" for label in commits).encode()
        found = run_git(folder, "cat-file", "--batch-check", stdin=objects) if commits else None
    except AutoContextError:
        return set(labels)
    if listed is None or listed.returncode or (commits and (found is None or found.returncode)):
        return set(labels)
    names = {ref_name(line) for line in os.fsdecode(listed.stdout).splitlines()}
    verdicts = found.stdout.splitlines() if found is not None else []
    # A short name that became ambiguous is there more than once.
    names.update(label for label, verdict in zip(commits, verdicts, strict=False) if not verdict.endswith(b" missing"))
    return names & set(labels)


def worktree_tops(folder: Path) -> set[str] | None:
    """The folders of a repository's worktrees, existing or not; None where git cannot tell."""
    try:
        listed = run_git(folder, "worktree", "list", "--porcelain", "-z")
        end = "\0"
        if listed is not None and listed.returncode == _BAD_OPTION:
            # Before git 2.36, which then cannot tell folders with line feeds in their names.
            listed, end = run_git(folder, "worktree", "list", "--porcelain"), "\n"
    except AutoContextError:
        return None
    if listed is None or listed.returncode:
        return None
    lines = os.fsdecode(listed.stdout).split(end)
    return {os.path.realpath(line.removeprefix("worktree ")) for line in lines if line.startswith("worktree ")}
