"""Prose is cut at headings, then paragraphs; the symbol is the path of headings."""

from __future__ import annotations

from itertools import pairwise

from auto_context.chunk import chunk
from auto_context.types import Chunk


def _paragraph(word: str, lines: int = 6) -> str:
    return "".join(f"The {word} number {n} is told about in this line of words.\n" for n in range(lines)) + "\n"


def test_sections_are_named_by_their_path() -> None:
    text = (
        f"# Guide\n\n{_paragraph('guide')}## Install\n\n{_paragraph('install')}### Linux\n\n{_paragraph('linux')}"
        f"## Use\n\n{_paragraph('use')}"
    )
    chunks = chunk(text, "markdown").chunks
    assert [found.symbol for found in chunks] == ["Guide", "Guide > Install", "Guide > Install > Linux", "Guide > Use"]
    assert {found.kind for found in chunks} == {"heading"}
    assert text.split("\n")[chunks[2].start_line - 1] == "### Linux"


def test_fences_and_front_matter_hold_no_headings() -> None:
    front, fences = "---\ntitle: x\n# not one\n---\n\n", "```sh\n# a comment\n```\n\n~~~\n# another\n~~~\n\n"
    text = f"{front}# Real\n\n{fences}{_paragraph('end')}"
    assert {found.symbol for found in chunk(text, "markdown").chunks} <= {"", "Real"}


def test_underlined_headings() -> None:
    text = f"Title\n=====\n\n{_paragraph('one')}Part\n----\n\n{_paragraph('two')}"
    assert [found.symbol for found in chunk(text, "markdown").chunks] == ["Title", "Title > Part"]


def test_a_long_section_is_cut_between_paragraphs_with_a_little_overlap() -> None:
    text = "# Long\n\n" + "".join(_paragraph(f"topic{n}", 8) for n in range(12))
    lines = text.split("\n")
    chunks = chunk(text, "markdown").chunks
    assert len(chunks) > 3
    assert {found.symbol for found in chunks} == {"Long"}
    assert [found.kind for found in chunks] == ["heading"] + ["paragraph"] * (len(chunks) - 1)
    for before, after in pairwise(chunks):
        assert lines[before.end_line - 1] == "", "ends with a paragraph"
        assert before.start_line < after.start_line <= before.end_line + 1
        assert before.end_line + 1 - after.start_line <= 3, "two lines and the blank one"


def test_a_paragraph_over_the_budget_is_cut_at_sentences() -> None:
    text = "".join(f"Sentence {n} begins here and\ngoes on to its end in the next line.\n" for n in range(100))
    chunks = chunk(text, "text").chunks
    lines = text.split("\n")
    assert len(chunks) > 3
    assert all(lines[found.end_line - 1].endswith(".") for found in chunks)


def test_text_without_headings_is_paragraphs() -> None:
    text = _paragraph("only", 3)
    assert chunk(text, "text").chunks == [Chunk(1, 4, "paragraph", "")]
