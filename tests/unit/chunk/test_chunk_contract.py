"""What holds for every text: each line in a chunk, in order, within the budget, in bounded time."""

from __future__ import annotations

import sysconfig
import time
from pathlib import Path

import pytest

from auto_context.chunk import CHUNKER_VERSION, chunk
from auto_context.source import language_of
from auto_context.types import ChunkResult

_KINDS = {
    "function", "method", "class", "struct", "interface", "trait", "enum", "type", "module", "impl", "block",
    "heading", "paragraph", "window",
}  # fmt: skip
_HERE = Path(__file__).resolve().parents[3]
_STDLIB = Path(sysconfig.get_path("stdlib"))
_OWN_SUFFIXES = {".py", ".lua", ".md", ".toml", ".json", ".txt", ".vim"}


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines


def _check(text: str, result: ChunkResult, max_chars: int, *, overlaps: bool) -> None:
    lines = _lines(text)
    covered = 0
    for found in result.chunks:
        assert found.kind in _KINDS
        assert covered < found.end_line <= len(lines), "in order, and not beyond the last line"
        assert 1 <= found.start_line <= found.end_line
        assert found.start_line == covered + 1 or (overlaps and found.start_line <= covered), "no gap"
        size = sum(len(line) + 1 for line in lines[found.start_line - 1 : found.end_line])
        assert found.start_line == found.end_line or size <= max_chars * 1.25 + 240
        covered = found.end_line
    assert covered == (len(lines) if text.strip() else 0)


def _real_files() -> list[Path]:
    own = [
        path
        for folder in ("python", "lua", "tests", "doc", "plugin", "rplugin")
        for path in sorted((_HERE / folder).rglob("*"))
        if path.suffix in _OWN_SUFFIXES and path.is_file()
    ]
    stdlib = sorted(_STDLIB.glob("*.py"))[::4]
    assert len(own) > 50
    assert len(stdlib) > 30
    return own + stdlib


@pytest.mark.parametrize("max_chars", [300, 1500])
def test_real_files_are_covered(max_chars: int) -> None:
    for path in _real_files():
        text = path.read_text("utf-8", errors="replace")
        result = chunk(text, language_of(path.name), max_chars)
        assert result.fallback == "", path
        _check(text, result, max_chars, overlaps=True)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "\n\nx",
        "x\n\n\n",
        "a\r\nb\r\n",
        "\tä\n日本語\n\n🙂",
        "a\0b\nc",
        "\ufeffx = 1\n",
        "\udcff\nx\n",
        "a\fb\u2028c\nd",
    ],
)
@pytest.mark.parametrize("language", ["python", "c", "lua", "json", "markdown", "text", "", "yaml", "html"])
def test_odd_texts_are_covered(text: str, language: str) -> None:
    _check(text, chunk(text, language), 1500, overlaps=True)


@pytest.mark.parametrize("language", ["python", "markdown", "", "nonesuch"])
@pytest.mark.parametrize("text", ["", "\n", " \n\t\n"])
def test_nothing_to_read_gives_no_chunk(text: str, language: str) -> None:
    assert chunk(text, language).chunks == []


def test_truncated_files_are_covered() -> None:
    text = Path(__file__).read_text("utf-8")
    for end in range(0, len(text), 397):
        _check(text[:end], chunk(text[:end], "python"), 1500, overlaps=False)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "def f(x):\n    return x\n\n" * 3_400),
        ("python", "x = " + "(" * 10_000 + ")" * 10_000),
        ("python", "x = " + "(\n" * 5_000 + ")\n" * 5_000),
        ("python", 'x = """\n' + "words words\n" * 10_000 + '"""\n'),
        ("javascript", "function f() {\n" * 2_000 + "}\n" * 2_000),
        ("json", "[\n" * 20_000),
        ("cpp", "{{{((( \n" * 10_000),
        ("html", "<div>\n" * 5_000),
        ("markdown", "> " * 5_000 + "x\n"),
        ("markdown", "```\n" + "# no heading\n" * 10_000),
        ("text", "word " * 100_000),
    ],
)
def test_large_and_deep_texts_end_in_time(language: str, text: str) -> None:
    began = time.thread_time()
    result = chunk(text, language)
    # Parsing ends after two seconds whatever comes; the rest is allowance for a busy machine.
    assert time.thread_time() - began < 8
    _check(text, result, 1500, overlaps=True)


def test_a_timeout_falls_back_to_windows() -> None:
    text = "x = [1, 2, 3]\n" * 5_000
    result = chunk(text, "python", timeout_s=0.0)
    assert result.fallback == "timeout"
    assert {found.kind for found in result.chunks} == {"window"}
    _check(text, result, 1500, overlaps=False)
    again = chunk("def f():\n    pass\n", "python")
    assert (again.fallback, again.chunks[0].symbol) == ("", "f"), "the parser starts afresh"


def test_no_grammar_is_said_only_of_a_language_that_has_a_name() -> None:
    text = "some words\n" * 500
    unknown, plain, prose = chunk(text, "nonesuch"), chunk(text, ""), chunk(text, "text")
    assert [unknown.fallback, plain.fallback, prose.fallback] == ["no_grammar", "", ""]
    assert unknown.chunks == plain.chunks
    assert all(found.kind == "window" and found.end_line - found.start_line < 100 for found in plain.chunks)
    _check(text, plain, 1500, overlaps=False)


def test_a_line_is_never_cut() -> None:
    long = "x = '" + "a" * 5_000 + "'"
    for language in ("python", "", "text", "markdown"):
        text = f"y = 1\n\n{long}\n\nz = 2\n"
        result = chunk(text, language)
        assert any(found.start_line <= 3 <= found.end_line for found in result.chunks)
        assert result.chunks[-1].end_line == 5


def test_the_same_text_gives_the_same_chunks() -> None:
    text = Path(__file__).read_text("utf-8")
    assert chunk(text, "python") == chunk(text, "python")
    assert CHUNKER_VERSION >= 1
