"""Contents that are no plain text of a sensible size: decoded and found, or counted and found by name."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from auto_context.engine import Engine
from auto_context.types import SearchRequest
from bad_input import found, in_time, update, write

BIRD = "def heron():\n    return 'grüner Vogel'\n"


@pytest.mark.parametrize(
    "data",
    [
        BIRD.encode("utf-16"),
        b"\xfe\xff" + BIRD.encode("utf-16-be"),
        BIRD.encode("utf-32"),
        b"\xef\xbb\xbf" + BIRD.encode(),
        BIRD.encode("latin-1"),
        BIRD.replace("\n", "\r\n").encode(),
        BIRD.encode() + b"\xff\xfe\xfd\n",
        b"\r\n\r\n" + BIRD.encode() + b"\r",
    ],
    ids=["utf-16", "utf-16-be", "utf-32", "bom", "latin-1", "crlf", "no-utf-8", "mixed-ends"],
)
def test_text_of_any_encoding_is_found_at_its_lines(engine: Engine, repo: Path, data: bytes) -> None:
    write(repo, {"bird.py": data})
    report = update(engine, repo)
    assert (report.files, report.skipped) == (1, {})
    hit = engine.search(SearchRequest("heron", str(repo))).hits[0]
    assert (hit.path, hit.symbol, hit.fresh) == ("bird.py", "heron", True)
    assert hit.text.split("\n")[hit.focus[0] - hit.start_line].startswith("def heron():")
    assert "\r" not in hit.text.strip("\r")
    # Read again for the answer, when its stat differs, it is the same text.
    write(repo, {"bird.py": data})
    again = engine.search(SearchRequest("heron", str(repo))).hits[0]
    assert (again.fresh, again.text) == (True, hit.text)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("heron.py", BIRD.encode("utf-16-le"), "binary"),
        ("heron.py", b"def heron():\0\n", "binary"),
        ("heron.png", b"\x89PNG\r\n\x1a\n\0\0\0", "binary"),
        ("heron.js", b"x='" + b"a" * 5_000_000 + b"'", "large"),
        ("heron.js", b"x='" + b"a" * 900_000 + b"'", "minified"),
        ("heron.json", b"[" * 500_000, "minified"),
        ("heron.sql", b"insert into t values (1);\n" * 60_000, "large"),
    ],
    ids=["utf-16 without its mark", "nul", "png", "line of 5 MB", "line of 900 kB", "one line of brackets", "1.5 MB"],
)
def test_what_is_no_text_to_read_is_counted_and_found_by_its_name(
    engine: Engine, repo: Path, name: str, data: bytes, reason: str
) -> None:
    write(repo, {name: data, "other.py": "def wren(): pass\n"})
    report = update(engine, repo)
    assert (report.files, report.skipped) == (1, {reason: 1})
    assert engine.status(repo).skipped == {reason: 1}
    assert found(engine, repo, name)[0] == name
    assert update(engine, repo).changed == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("essay.md", "heron giraffe " * 70_000),
        ("nested.py", "heron = [\n" + "[\n" * 40_000 + "]\n" * 40_000 + "]\n"),
        ("nested.json", '{"heron":\n' + "[\n" * 200_000),
        ("same.py", "heron = 1\n" * 100_000),
        ("lines.txt", "heron\n" + "\n" * 1_000_000),
        ("marks.py", "# heron\n" + ("# " + "\u200b\u202e\u0301" * 50 + "\n") * 500),
    ],
    ids=["line of 1 MB of words", "brackets", "open brackets", "one line 100,000 times", "blank lines", "marks"],
)
def test_text_of_an_odd_shape_costs_no_more_than_seconds(engine: Engine, repo: Path, name: str, text: str) -> None:
    write(repo, {name: text})
    began = time.process_time()
    report = update(engine, repo)
    assert (report.files, report.skipped) == (1, {})
    assert found(engine, repo, "heron")[:1] == [name]
    assert time.process_time() - began < 10.0


def test_text_that_becomes_binary_and_text_again_keeps_nothing_and_loses_nothing(engine: Engine, repo: Path) -> None:
    write(repo, {"bird.py": BIRD, "other.py": "def wren(): pass\n"})
    first = update(engine, repo)
    write(repo, {"bird.py": b"\0\1\2"})
    report = in_time(lambda: engine.update_paths(repo, ["bird.py"]))
    assert (report.files, report.skipped) == (1, {"binary": 1})
    assert found(engine, repo, "heron") == []
    write(repo, {"bird.py": BIRD})
    assert update(engine, repo).files == first.files
    assert found(engine, repo, "heron") == ["bird.py"]
