"""Words of code."""

import pytest

from auto_context.rank.tokens import query_words, words


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
