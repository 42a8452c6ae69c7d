"""Cutting a file into chunks: ranges of lines that mean something on their own. Knows text, nothing of files."""

from __future__ import annotations

from typing import Literal

from auto_context.chunk.lines import Lines
from auto_context.chunk.prose import PROSE, cut_prose, headings_of, prose_symbols
from auto_context.chunk.unsafe import is_unsafe
from auto_context.types import Chunk, ChunkResult

CHUNKER_VERSION = 2
"""Part of a blob's identity: raise it when this package's output changes."""

MAX_CHARS = 1_500
PARSE_TIMEOUT_S = 2.0

_DATA = frozenset({"", "csv", "psv", "tsv", "pem", "gosum"})
"""Without a grammar by nature, or with one that only repeats the lines."""


def chunk(text: str, language: str, max_chars: int = MAX_CHARS, timeout_s: float = PARSE_TIMEOUT_S) -> ChunkResult:
    """Cut a text into chunks of up to about ``max_chars`` characters.

    Code is cut at definitions and statements, prose at headings and paragraphs, anything else by windows of lines.
    Chunks are in order and every line belongs to one, so there is no chunk only when there is nothing but white
    space. A line is never cut: one that is too long is a chunk by itself. Lines end at a line feed only.

    Args:
        text: the whole file.
        language: a name of ``source.language_of``; "" when unknown.
        max_chars: how large a chunk may be; the overlap of prose may add two lines.
        timeout_s: of processor time, how long parsing and walking may take before line windows are used.

    Returns:
        The chunks; ``fallback`` says why a language with a grammar was not cut by it.
    """
    if not text or text.isspace():
        return ChunkResult([])
    lines = Lines(text)
    if language in PROSE:
        headings = headings_of(lines, language)
        return ChunkResult(cut_prose(lines, headings, max_chars), symbols=prose_symbols(lines, headings))
    if language in _DATA:
        return ChunkResult(_windows(lines, max_chars))
    if is_unsafe(text, language):
        return ChunkResult(_windows(lines, max_chars), "parse_failed")
    # tree-sitter is for the worker only; the engine imports this module for its version.
    from auto_context.chunk import syntax  # noqa: PLC0415

    reason: Literal["no_grammar", "parse_failed", "timeout"]
    try:
        return syntax.cut_code(text, lines, language, max_chars, timeout_s)
    except syntax.NoGrammarError:
        reason = "no_grammar"
    except TimeoutError:
        reason = "timeout"
    except Exception:  # noqa: BLE001 - a grammar is foreign code: whatever it does, the file stays searchable
        reason = "parse_failed"
    return ChunkResult(_windows(lines, max_chars), reason)


def _windows(lines: Lines, max_chars: int) -> list[Chunk]:
    return [Chunk(first + 1, last + 1, "window", "") for first, last in lines.windows(0, lines.count - 1, max_chars)]
