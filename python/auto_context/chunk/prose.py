"""Cutting prose: at headings, then at paragraphs, then at sentences, by whole lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from auto_context.chunk.lines import Lines
from auto_context.types import Chunk, Symbol

_DEEPEST = 3
_OVERLAP_LINES = 2
_OVERLAP_CHARS = 240
_TITLE_CHARS = 100

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*\r?$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*\r?$")
_RST_LINE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}\s*$")
_ORG = re.compile(r"(\*+)\s+(?:(?:TODO|DONE)\s+)?(.*?)(?:\s+:[\w@:]+:)?\s*$")
_EQUALS = re.compile(r"(={1,6})\s+(\S.*?)\s*=*\s*$")
_TEX = re.compile(r"\s*\\(part|chapter|section|subsection|subsubsection)\*?(?:\[[^\]]*\])?\{(.*)\}")
_TEX_LEVEL = {"part": 1, "chapter": 1, "section": 2, "subsection": 3}
_MARKUP = re.compile(r"[*`]+|<[^>]*>|!?\[([^\]]*)\]\([^)]*\)|\{#[^}]*\}")
_SENTENCE_END = re.compile(r"[.!?\u3002][\"')\]*_]*\s*$")


class Heading(NamedTuple):
    """Where a section begins. ``level`` counts from 1."""

    row: int
    level: int
    title: str


def headings_of(lines: Lines, language: str) -> list[Heading]:
    """Every heading of a text in one of the languages of ``PROSE``, in order."""
    return list(PROSE[language](lines))


def prose_symbols(lines: Lines, headings: list[Heading]) -> list[Symbol]:
    """Every heading, down to the deepest, with the section below it.

    By the same rules as the chunks: the grammars of prose crash on texts that nest too deep.
    """
    ends = [lines.count] * len(headings)
    names: list[str] = []
    open_at: list[int] = []
    for at, heading in enumerate(headings):
        while open_at and headings[open_at[-1]].level >= heading.level:
            ends[open_at.pop()] = heading.row
        open_at.append(at)
        names.append(_path_of(headings[inside] for inside in open_at))
    return [
        Symbol(name, "heading", heading.row + 1, end)
        for name, heading, end in zip(names, headings, ends, strict=True)
        if name
    ]


def cut_prose(lines: Lines, headings: list[Heading], max_chars: int) -> list[Chunk]:
    """Chunks of a text in prose; their symbol is the path of headings, ``Install > Linux``.

    Args:
        lines: the text.
        headings: all of it.
        max_chars: how large a chunk may be, without the overlap.
    """
    headings = [h for h in headings if h.level <= _DEEPEST]
    starts = [heading.row for heading in headings]
    chunks: list[Chunk] = []
    first = 0
    open_titles: list[Heading] = []
    end = (starts[0] if starts else lines.count) - 1
    if _has_text(lines, 0, end):
        chunks.extend(_section(lines, (0, end), "", max_chars, "paragraph"))
        first = end + 1
    for at, heading in enumerate(headings):
        open_titles = [title for title in open_titles if title.level < heading.level] + [heading]
        end = starts[at + 1] - 1 if at + 1 < len(starts) else lines.count - 1
        deeper = at + 1 < len(headings) and headings[at + 1].level > heading.level
        if deeper and not _has_text(lines, _body(lines, heading.row), end) and lines.size(first, end) < max_chars // 2:
            # A heading with nothing below it but another heading goes with that one.
            continue
        symbol = _path_of(open_titles)
        chunks.extend(_section(lines, (first, end), symbol, max_chars, "heading"))
        first = end + 1
    return chunks


def _path_of(headings: Iterable[Heading]) -> str:
    return " > ".join([heading.title for heading in headings if heading.title])


def _section(lines: Lines, rows: tuple[int, int], symbol: str, max_chars: int, kind: str) -> list[Chunk]:
    """One section: whole when it fits, else runs of paragraphs that begin with the last lines of the run before."""
    first, last = rows
    if lines.size(first, last) <= max_chars:
        return [Chunk(first + 1, last + 1, kind, symbol)]
    runs: list[tuple[int, int]] = []
    for start, end in _pieces(lines, first, last, max_chars):
        if runs and lines.size(runs[-1][0], end) <= max_chars:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    chunks = [Chunk(first + 1, runs[0][1] + 1, kind, symbol)]
    for start, end in runs[1:]:
        chunks.append(Chunk(_overlap(lines, chunks[-1].start_line - 1, start) + 1, end + 1, "paragraph", symbol))
    return chunks


def _overlap(lines: Lines, previous: int, start: int) -> int:
    """Where a run begins when it repeats the end of the one before: one or two short lines, never all of it."""
    begin, said = start, 0
    for row in range(start - 1, previous, -1):
        said += not lines.blank(row)
        if said > _OVERLAP_LINES or lines.size(row, start - 1) > _OVERLAP_CHARS:
            break
        if not lines.blank(row):
            begin = row
    return begin


def _pieces(lines: Lines, first: int, last: int, max_chars: int) -> Iterator[tuple[int, int]]:
    """Paragraphs, with the blank lines after them; fenced code stays whole; what is too large is cut at sentences."""
    start, fence = first, ""
    for row in range(first, last + 1):
        fence = _fence_after(lines.all[row], fence)
        if row == last or (not fence and lines.blank(row) and not lines.blank(row + 1)):
            yield from _sentences(lines, start, row, max_chars)
            start = row + 1


def _sentences(lines: Lines, first: int, last: int, max_chars: int) -> Iterator[tuple[int, int]]:
    if lines.size(first, last) <= max_chars:
        yield first, last
        return
    for start, end in lines.windows(first, last, max_chars):
        begin = start
        for row in range(start, end):
            if _SENTENCE_END.search(lines.all[row]):
                yield begin, row
                begin = row + 1
        yield begin, end


def _has_text(lines: Lines, first: int, last: int) -> bool:
    return any(not lines.blank(row) for row in range(first, last + 1))


def _body(lines: Lines, row: int) -> int:
    """The first row after a heading and its underline."""
    below = row + 1
    underlined = below < lines.count and (_SETEXT.match(lines.all[below]) or _RST_LINE.match(lines.all[below]))
    return below + 1 if underlined else below


def _fence_after(line: str, fence: str) -> str:
    """The fence that is open after a line, "" when none."""
    found = _FENCE.match(line) if "```" in line or "~~~" in line else None
    if not found:
        return fence
    mark, rest = found[1], found[2]
    if fence:
        closes = mark[0] == fence[0] and len(mark) >= len(fence) and not rest.strip()
        return "" if closes else fence
    # A back-quote after the mark makes it code within a line.
    return "" if mark[0] == "`" and "`" in rest else mark


def _title(text: str | None) -> str:
    return _MARKUP.sub(lambda found: found[1] or "", text or "").strip()[:_TITLE_CHARS]


def _markdown(lines: Lines) -> Iterator[Heading]:
    fence, row = "", _after_front_matter(lines)
    while row < lines.count:
        line = lines.all[row]
        was, fence = fence, _fence_after(line, fence)
        if not was and not fence:
            atx = _ATX.match(line) if "#" in line else None
            if atx:
                yield Heading(row, len(atx[1]), _title(atx[2]))
            elif row + 1 < lines.count and _is_underlined(lines, row):
                yield Heading(row, 1 if "=" in lines.all[row + 1] else 2, _title(line))
                row += 1
        row += 1


def _is_underlined(lines: Lines, row: int) -> bool:
    """Whether a row is a one-line paragraph with an underline."""
    line = lines.all[row]
    if lines.blank(row) or not _SETEXT.match(lines.all[row + 1]) or line[:1] in "|>-+*" or line.startswith("    "):
        return False
    return row == 0 or lines.blank(row - 1)


def _after_front_matter(lines: Lines) -> int:
    if lines.all[0].rstrip() != "---":
        return 0
    return next((row + 1 for row in range(1, lines.count) if lines.all[row].rstrip() in {"---", "..."}), 0)


def _rst(lines: Lines) -> Iterator[Heading]:
    """Titles with an underline at least as long; the order in which its characters come up gives the level."""
    seen: list[str] = []
    for row in range(lines.count - 1):
        title, under = lines.all[row].rstrip(), lines.all[row + 1].rstrip()
        if not title or title[0].isspace() or _RST_LINE.match(title) or not _RST_LINE.match(under):
            continue
        over = row > 0 and lines.all[row - 1].rstrip() == under
        if len(under) < len(title) or not (over or row == 0 or lines.blank(row - 1)):
            continue
        style = under[0] + ("over" if over else "")
        if style not in seen:
            seen.append(style)
        yield Heading(row - 1 if over else row, seen.index(style) + 1, _title(title))


def _org(lines: Lines) -> Iterator[Heading]:
    for row, line in enumerate(lines.all):
        found = _ORG.match(line)
        if found:
            yield Heading(row, len(found[1]), _title(found[2]))


def _equals(lines: Lines) -> Iterator[Heading]:
    for row, line in enumerate(lines.all):
        found = _EQUALS.match(line)
        if found:
            yield Heading(row, len(found[1]), _title(found[2]))


def _tex(lines: Lines) -> Iterator[Heading]:
    for row, line in enumerate(lines.all):
        found = _TEX.match(line)
        if found:
            yield Heading(row, _TEX_LEVEL.get(found[1], _DEEPEST + 1), _title(found[2]))


def _none(_: Lines) -> Iterator[Heading]:
    yield from ()


PROSE: dict[str, Callable[[Lines], Iterator[Heading]]] = {
    "markdown": _markdown,
    "rst": _rst,
    "org": _org,
    "asciidoc": _equals,
    "typst": _equals,
    "latex": _tex,
    "text": _none,
}
