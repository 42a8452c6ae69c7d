"""What was typed, understood."""

from __future__ import annotations

import time

import pytest

from auto_context.rank.query import compiled, has_phrase, parse, since

NOW = 1_700_000_000.0
DAY = 86_400.0


def test_operators_leave_the_text() -> None:
    query = parse('path:src lang:py kind:function since:2w "exact phrase" -draft /re\\w+/ load config ', NOW)
    assert query.text == "load config exact phrase"
    assert query.paths == ("src",)
    assert query.languages == ("py",)
    assert query.kinds == {"function", "method"}
    assert query.since == NOW - 14 * DAY
    assert query.phrases == ("exact phrase",)
    assert query.without == ("draft",)
    assert query.pattern == "re\\w+"


@pytest.mark.parametrize(
    "text",
    [
        "kind:nonsense thing",
        "since:whenever thing",
        "colour:red thing",
        "http://host/a thing",
        "a - b thing",
        "git log --oneline",
        "-v",
        "-verbose",
        "/usr/lib/ thing",
        "/(/ thing",
        'say "hello',
        "a/b/c thing",
        "path: thing",
        '"" thing',
        "1 / 2 / 3",
    ],
)
def test_what_is_no_operator_is_text(text: str) -> None:
    query = parse(text, NOW)
    assert query.text == text
    filters = (query.paths, query.kinds, query.without, query.pattern, query.phrases, query.since)
    assert not any(filters)


def test_a_quoted_value_may_have_spaces() -> None:
    assert parse('path:"my folder/a" thing', NOW).paths == ("my folder/a",)


def test_the_last_word_is_a_prefix_until_a_space() -> None:
    assert parse("retry pol", NOW).prefix == "pol"
    assert parse("retry pol ", NOW).prefix == ""
    assert parse("Foo.ba", NOW).prefix == "ba"
    assert parse("x", NOW).prefix == "", "one letter would be any word"
    assert parse('retry "a phrase"', NOW).prefix == ""


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('  File "app/x.py", line 42, in handler', ("app/x.py", 42)),
        ("src/a.rs:12:5", ("src/a.rs", 12)),
        ("    at Shop.pay (lib/shop.js:10:5)", ("lib/shop.js", 10)),
        ("thread panicked at src/main.rs:7", ("src/main.rs", 7)),
        ("the ratio is 3:1", None),
        ("retry.py", None),
    ],
)
def test_a_file_and_line_are_a_place(text: str, place: tuple[str, int] | None) -> None:
    assert parse(text, NOW).place == place


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3h", NOW - 3 * 3_600),
        ("2w", NOW - 14 * DAY),
        ("1y", NOW - 365 * DAY),
        ("soon", None),
        ("", None),
        ("-2d", None),
    ],
)
def test_since(value: str, expected: float | None) -> None:
    assert since(value, NOW) == expected


def test_since_a_day_is_its_midnight_here() -> None:
    midnight = since("2023-11-10", NOW)
    assert midnight is not None
    assert time.localtime(midnight)[:5] == (2023, 11, 10, 0, 0)
    today, yesterday = since("today", NOW), since("yesterday", NOW)
    assert today is not None
    assert yesterday == today - DAY
    assert today <= NOW


def test_phrases_ignore_spaces_and_mind_capitals() -> None:
    assert has_phrase("def  load(\n  config)", "load( config")
    assert has_phrase("Load Config", "load config")
    assert not has_phrase("load config", "Load Config")
    assert not has_phrase("loading config", "load config")


def test_patterns() -> None:
    pattern, strict = compiled("retry_\\w+"), compiled("Retry\\w+")
    assert pattern is not None
    assert pattern.search("RETRY_LIMIT")
    assert strict is not None
    assert not strict.search("retrying")
    assert compiled("(") is None


def test_a_pasted_file_is_cut() -> None:
    query = parse("word " * 10_000 + "\n" + " ".join(f"w{n}" for n in range(10_000)), NOW)
    assert len(query.text) <= 4_000
    assert len(query.words) <= 64


@pytest.mark.parametrize(
    "text", ["", " ", "\n\t", "!!!", '"', "-", "/", ":", "path:", "\0", "🙂", "\ud800", "((((" * 500]
)
def test_odd_text_is_understood_somehow(text: str) -> None:
    parse(text, NOW)
