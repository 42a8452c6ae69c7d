"""Words of code."""

import pytest

from auto_context.rank.tokens import Lexicon, identifiers, query_words, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("retry", ["retry"]),
        ("RetryPolicy", ["retrypolicy", "retry", "policy"]),
        ("max_tries", ["max_tries", "max", "tries"]),
        ("HTTPServer", ["httpserver", "http", "server"]),
        ("utf8", ["utf8", "utf", "8"]),
        ("_private", ["_private", "private"]),
        ("a.b->c", ["a", "b", "c"]),
        ("größe", ["größe", "gr", "öß", "e"]),
        ("", []),
        ("x" * 61, []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_query_words_drop_what_says_nothing_unless_nothing_else_is_there() -> None:
    assert query_words("where do we retry a Retry") == ["retry"]
    assert query_words("what is this") == ["what", "is", "this"]


TEXTS = ["RetryPolicy.max_tries = 3", "größe ²x  ÄB_c1", "_ __ a_ " + "x" * 61 + " b", "\udcff/a\x0cb\x85c", ""]


@pytest.mark.parametrize("text", TEXTS)
def test_a_lexicon_has_the_same_words_in_either_reading(text: str) -> None:
    lexicon = Lexicon()
    assert lexicon.joined(text) == " ".join(words(text))
    for limit in range(1, 9):
        assert lexicon.joined(text, limit) == " ".join(words(text)[:limit])
        assert lexicon.read(text, limit) == (lexicon.joined(text, limit), identifiers(text))


def test_identifiers_stand_as_they_are_written() -> None:
    assert identifiers("RetryPolicy.retry(max_tries, größe, HTTP2)") == [
        "RetryPolicy",
        "retry",
        "max_tries",
        "größe",
        "HTTP2",
    ]


def test_a_lexicon_that_had_to_forget_still_knows_every_word() -> None:
    text = " ".join(f"word{at} aB{at}" for at in range(50)) + " " + "x" * 61
    few, many = Lexicon(most=7), Lexicon()
    assert few.read(text) == many.read(text)
    assert few.read(text) == many.read(text)
    assert few.distinct <= 7
    assert many.distinct == 100
