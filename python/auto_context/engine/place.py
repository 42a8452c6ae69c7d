"""A place in an indexed file: its document, and the chunk and the definition around a line."""

from __future__ import annotations

from typing import NamedTuple

from auto_context.engine.repository import Repository
from auto_context.engine.views import View
from auto_context.errors import AutoContextError
from auto_context.source import Root, relative_path
from auto_context.store.records import Blob, chunk_at
from auto_context.types import Chunk, Symbol


class Place(NamedTuple):
    """A file of a view, and a line in it."""

    path: str
    """Relative to the top of the worktree."""
    number: int
    key: bytes
    blob: Blob
    line: int | None

    @property
    def position(self) -> int:
        """Of the chunk that holds the line; the last one when the file is shorter."""
        return chunk_at(self.blob.chunks, self.line or 1)

    @property
    def chunk(self) -> Chunk:
        """The chunk that holds the line."""
        return self.blob.chunks[self.position]

    @property
    def symbol(self) -> Symbol | None:
        """The innermost definition around the line."""
        line = self.line or 1
        around = [s for s in self.blob.symbols if s.start_line <= line <= s.end_line and s.kind not in _NO_DEFINITIONS]
        return min(around, key=lambda s: s.end_line - s.start_line, default=None)


_NO_DEFINITIONS = frozenset({"heading", "key"})


def find_place(repository: Repository, root: Root, view: View, path: str, line: int | None) -> Place:
    """Resolve a path and a line.

    Raises:
        AutoContextError: ``outside_root``; ``path_missing`` when the file is not in the index with its content;
            ``bad_request`` for a line that is no line.
    """
    if line is not None and line < 1:
        raise AutoContextError("bad_request", f"line: must be 1 or more, not {line}")
    relative = relative_path(root, path)
    with repository.lock:
        number = view.documents.get(relative)
    if number is None:
        raise AutoContextError(
            "path_missing", f"{path} is not in the index of {root.top}", "give a text file that the index holds"
        )
    key = repository.documents[number].key
    blob = repository.content(key)
    if blob is None or not blob.chunks:
        raise AutoContextError("path_missing", f"{path} is empty", "give a file with something in it")
    return Place(relative, number, key, blob, line)
