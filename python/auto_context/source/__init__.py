"""Which files belong to a repository, and what is in them. Knows git; knows nothing of chunks, stores or models."""

from auto_context.language import language_of
from auto_context.source.content import Content, Skip, read
from auto_context.source.discover import Found, admitted, check_paths, discover, is_indexable_path, left_out
from auto_context.source.git import git_version
from auto_context.source.history import head_commit, is_ancestor, last_commits
from auto_context.source.redaction import REDACTION, redact
from auto_context.source.refs import existing_refs, worktree_tops
from auto_context.source.root import Root, current_ref, operation_in_progress, relative_path, resolve_root

__all__ = [
    "REDACTION",
    "Content",
    "Found",
    "Root",
    "Skip",
    "admitted",
    "check_paths",
    "current_ref",
    "discover",
    "existing_refs",
    "git_version",
    "head_commit",
    "is_ancestor",
    "is_indexable_path",
    "language_of",
    "last_commits",
    "left_out",
    "operation_in_progress",
    "read",
    "redact",
    "relative_path",
    "resolve_root",
    "worktree_tops",
]
