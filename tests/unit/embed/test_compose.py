"""The text that stands for a chunk or a path."""

import textwrap

import pytest

from auto_context.embed.compose import Outline, chunk_text, members, path_text
from auto_context.types import Chunk, Symbol

CODE = "import os\r\n\r\nclass Basket:\r\n\tdef add(self):\r\n\t\treturn 1\r\n"


def test_a_chunk_is_its_symbol_and_its_lines_dedented() -> None:
    assert chunk_text(CODE, Chunk(4, 5, "method", "Basket.add"), "python") == (
        "Basket.add\ndef add(self):\n    return 1"
    )


@pytest.mark.parametrize(
    "text",
    [
        "  a\n    b\n",
        "\ta\n  b",
        "   \n\t\n  \x0c a\n   b\n  ",
        "a\n  b",
        "  \n ",
        "    a\r\n  \tb\r\n",
        "  \u00a0a\n   b",
    ],
)
def test_lines_are_dedented_as_the_standard_library_does(text: str) -> None:
    rows = text.count("\n") + 1
    expected = textwrap.dedent(text.replace("\r", "").expandtabs(4)).strip("\n")
    assert chunk_text(text, Chunk(1, rows, "block", ""), "python") == expected


def test_an_outline_knows_what_begins_in_a_chunk_and_what_its_class_defines_below() -> None:
    symbols = [Symbol("A", "class", 1, 90), *(Symbol(f"A.m{at}", "method", at, at) for at in range(2, 90))]
    symbols += [
        Symbol("A.m9", "method", 90, 90),
        Symbol("A.m9.inner", "function", 90, 90),
        Symbol("AB", "class", 91, 95),
    ]
    outline, head = Outline(symbols), Chunk(1, 5, "class", "A")
    assert outline.defined(head) == ["A", "A.m2", "A.m3", "A.m4", "A.m5"]
    assert outline.defined(Chunk(96, 99, "block", "")) == []
    assert outline.members(head) == members(head, symbols) == [f"m{at}" for at in range(6, 66)]
    assert outline.members(Chunk(80, 88, "class", "A")) == ["m89", "m9"]
    assert outline.members(Chunk(1, 5, "function", "A")) == []
    assert chunk_text("x\n" * 9, head, "python", outline) == chunk_text("x\n" * 9, head, "python", symbols)


def test_a_chunk_without_a_name_is_only_its_lines() -> None:
    assert chunk_text(CODE, Chunk(1, 2, "block", ""), "python") == "import os"


def test_a_heading_is_said_once_and_its_parents_always() -> None:
    text = "# Shop\n\nWelcome.\n\n## Basket\n\nPut things in.\n"
    assert chunk_text(text, Chunk(1, 4, "heading", "Shop"), "markdown") == "# Shop\n\nWelcome."
    assert chunk_text(text, Chunk(5, 7, "heading", "Shop > Basket"), "markdown") == (
        "Shop > Basket\n## Basket\n\nPut things in."
    )


def test_endless_lines_are_cut() -> None:
    rows = "\n".join(f"row {at}" for at in range(2000))
    composed = chunk_text(rows, Chunk(1, 2000, "window", "data"), "csv")
    assert len(composed) <= 6000
    assert composed.rpartition("\n")[2] in rows.split("\n")
    assert len(chunk_text("x" * 9000, Chunk(1, 1, "window", ""), "text")) == 6000


def test_lines_outside_the_file_are_no_fault() -> None:
    assert chunk_text("a", Chunk(5, 9, "block", ""), "python") == ""


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("src/http/RetryPolicy.test.ts", "src http retry policy test ts"),
        ("src/authFlow/http_client2.py", "src auth flow http client 2 py"),
        ("HTTPServer.java", "http server java"),
        ("docs/Überblick-größe.md", "docs überblick größe md"),
        ("Makefile", "makefile"),
        ("+.-", "+.-"),
    ],
)
def test_a_path_is_its_words(path: str, words: str) -> None:
    assert path_text(path) == words
