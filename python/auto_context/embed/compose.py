"""The text that stands for a chunk, and the text that stands for a path."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache

from auto_context.types import Chunk, Symbol

COMPOSITION_VERSION = 2
"""Part of a model's fingerprint: a change of either function below makes new vectors."""

_MAX_CHARS = 6_000
"""More than any chunk of syntax and than the models read; keeps a window of endless lines from the tokeniser."""

_TAB = 4
_MOST_MEMBERS = 60
_NO_CLASS = frozenset({"function", "method", "block", "heading", "paragraph", "window"})
_PROSE = frozenset({"markdown", "rst", "asciidoc", "org", "text", "typst", "vimdoc"})

_EDGE = re.compile(
    r"(?<=[^\W\d_A-Z])(?=[A-Z])"  # auth|Flow
    r"|(?<=[A-Z])(?=[A-Z][a-z])"  # HTTP|Server
    r"|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])"  # client|2
)
_WORD = re.compile(r"[^\W_]+")


@lru_cache(maxsize=2)
def _lines(text: str) -> list[str]:
    """Lines of the file whose chunks are being composed, without tabs and blanks, split once and not per chunk."""
    return [line if line.strip(" ") else "" for line in text.replace("\r", "").expandtabs(_TAB).split("\n")]


class Outline:
    """A file's definitions, arranged once for all of its chunks."""

    def __init__(self, symbols: Sequence[Symbol]) -> None:
        """Arrange them.

        Args:
            symbols: all of the file's definitions, in order.
        """
        self._by_line = sorted(symbols, key=lambda symbol: symbol.start_line)
        self._lines = [symbol.start_line for symbol in self._by_line]
        self._owned: dict[str, list[Symbol]] = {}
        for symbol in self._by_line:
            owner, dot, _ = symbol.name.rpartition(".")
            if dot:
                self._owned.setdefault(owner, []).append(symbol)

    def defined(self, chunk: Chunk) -> list[str]:
        """The names of what begins in a chunk, in order."""
        first, last = bisect_left(self._lines, chunk.start_line), bisect_right(self._lines, chunk.end_line)
        return [symbol.name for symbol in self._by_line[first:last]]

    def members(self, chunk: Chunk) -> list[str]:
        """The names, in a chunk that begins a class too large for it, of what the class defines further down."""
        if chunk.kind in _NO_CLASS or not chunk.symbol:
            return []
        owned = self._owned.get(chunk.symbol, [])
        names: dict[str, None] = {}
        for at in range(bisect_right(owned, chunk.end_line, key=lambda symbol: symbol.start_line), len(owned)):
            names[owned[at].name.rpartition(".")[2]] = None
            if len(names) == _MOST_MEMBERS:
                break
        return list(names)


def members(chunk: Chunk, symbols: Sequence[Symbol]) -> list[str]:
    """``Outline.members`` for a single chunk of a file."""
    return [] if chunk.kind in _NO_CLASS else Outline(symbols).members(chunk)


def chunk_text(text: str, chunk: Chunk, language: str, symbols: Sequence[Symbol] | Outline = ()) -> str:
    """What is embedded for one chunk of a file: its symbol or heading path on a line, then its lines dedented.

    The head of a large class is followed by the names of its methods.

    Args:
        text: the whole file.
        chunk: its line range and symbol.
        language: the file's; in prose a heading that is the whole symbol is not said twice.
        symbols: all of the file's definitions; their outline where several chunks are asked for.

    Returns:
        At most 6,000 characters.
    """
    body = "\n".join(_dedented(_lines(text)[chunk.start_line - 1 : chunk.end_line])).strip("\n")
    first = body.partition("\n")[0]
    said = first.strip("#=* ") if language in _PROSE else first
    below = symbols.members(chunk) if isinstance(symbols, Outline) else members(chunk, symbols)
    if below:
        body = f"{body}\n{' '.join(below)}"
    composed = body if said == chunk.symbol or not chunk.symbol else f"{chunk.symbol}\n{body}"
    return composed if len(composed) <= _MAX_CHARS else _cut(composed)


def path_text(path: str) -> str:
    """A path as lower-case words: ``src/http/RetryPolicy.test.ts`` gives ``src http retry policy test ts``."""
    return " ".join(parts(path)) or path


def parts(text: str) -> list[str]:
    """The parts of identifiers, in lower case: ``RetryPolicy max_tries`` gives ``retry policy max tries``."""
    return [part.lower() for part in _WORD.findall(_EDGE.sub(" ", text))]


def _dedented(lines: list[str]) -> list[str]:
    """What ``textwrap.dedent`` does, for lines without tabs of which none is only spaces."""
    margin = sys.maxsize
    for line in lines:
        if line:
            if line[0] != " ":
                return lines
            margin = min(margin, len(line) - len(line.lstrip(" ")))
    return [line[margin:] for line in lines]


def _cut(text: str) -> str:
    """Up to the last line end within the limit, or at the limit when a line is longer than half of it."""
    at = text.rfind("\n", _MAX_CHARS // 2, _MAX_CHARS)
    return text[: at if at > 0 else _MAX_CHARS]
