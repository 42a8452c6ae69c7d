"""What text stands for a chunk or a path when it is embedded. Standard library only."""

from __future__ import annotations

import re
import textwrap
from functools import lru_cache

from auto_context.types import Chunk

COMPOSITION_VERSION = 1
"""Part of the model's fingerprint: raise it when this file's output changes."""

_MAX_CHARS = 6_000
"""More than any chunk that fits a model's window; bounds the tokeniser's work on minified lines."""
_TAB = 4
_PROSE = frozenset({"markdown", "rst", "asciidoc", "org", "text", "html", "latex", "typst", "vimdoc"})

_SEPARATORS = re.compile(r"[^\w]+|_+")
_WORD_EDGE = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def chunk_text(text: str, chunk: Chunk, language: str) -> str:
    """What is embedded for one chunk: its symbol as a first line, then its lines without common indentation.

    Args:
        text: the whole file.
        chunk: the lines to take, 1-based, both ends included.
        language: the file's language; in prose the symbol is the heading path.

    Returns:
        At most 6,000 characters (cut at a line's end where one is near), no carriage returns, no blank ends.
    """
    code = _dedent(_lines(text)[chunk.start_line - 1 : chunk.end_line])
    symbol = chunk.symbol.strip()
    if symbol and not _says(code, symbol, prose=language in _PROSE):
        code = f"{symbol}\n{code}" if code else symbol
    return _cut(code)


def path_text(path: str) -> str:
    """A path's parts as words: ``src/authFlow/http_client.py`` gives ``src auth flow http client py``."""
    words = (word for part in _SEPARATORS.split(path) for word in _WORD_EDGE.split(part))
    return " ".join(word.lower() for word in words if word)[:_MAX_CHARS]


@lru_cache(maxsize=2)
def _lines(text: str) -> list[str]:
    """All chunks of a file are composed one after another: split it once."""
    return text.split("\n")


def _dedent(lines: list[str]) -> str:
    clean = [line.replace("\r", "").rstrip().expandtabs(_TAB) for line in lines]
    return textwrap.dedent("\n".join(clean)).strip("\n")


def _says(code: str, symbol: str, *, prose: bool) -> bool:
    """Whether the first line already is the symbol: a heading of one level, or a plain name."""
    first = code.split("\n", 1)[0]
    return first.strip("#=* \t") == symbol if prose else first == symbol


def _cut(text: str) -> str:
    """The first ``_MAX_CHARS`` characters, back to a line's end when that loses less than a quarter."""
    if len(text) <= _MAX_CHARS:
        return text
    end = text.rfind("\n", _MAX_CHARS * 3 // 4, _MAX_CHARS)
    return text[: end if end > 0 else _MAX_CHARS]
