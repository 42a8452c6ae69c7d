"""Focus lines."""

from auto_context.rank.focus import LONGEST, focus_lines
from auto_context.rank.tokens import query_words


def test_a_short_hit_begins_at_the_first_line_that_matches() -> None:
    assert focus_lines(query_words("x"), ["a", "x", "c"], "") == (1, 2)
    assert focus_lines(query_words("absent"), ["", "b", "c"], "") == (1, 2)
    assert focus_lines(query_words("x"), [""], "") == (0, 0)
    assert focus_lines(query_words("x"), [], "") == (0, 0)


def test_a_name_that_was_asked_for_begins_at_its_definition() -> None:
    lines = ['"""Uploads."""', "import time", "# RetryPolicy: how often", "class RetryPolicy:", "    attempts = 4"]
    assert focus_lines(query_words("RetryPolicy"), lines, "RetryPolicy") == (3, 4)


def test_without_a_common_word_it_begins_at_the_definition() -> None:
    assert focus_lines(
        query_words("auth flow"), ["# how people get in", "def sign_in(person):", "    pass"], "sign_in"
    ) == (1, 2)


def test_a_long_hit_shows_the_window_with_the_words() -> None:
    lines = [f"line {n}" for n in range(100)]
    lines[70] = "retry the upload"
    assert focus_lines(query_words("retry upload"), lines, "") == (70, 70 + LONGEST - 1)
    lines[97] = "retry the upload again, upload"
    lines[70] = ""
    assert focus_lines(query_words("retry upload"), lines, "") == (97, 99)


def test_it_is_never_longer_than_25_lines() -> None:
    first, last = focus_lines(query_words("absent"), ["x"] * 60, "")
    assert (first, last) == (0, LONGEST - 1)


def test_a_line_asked_for_by_its_number_comes_first() -> None:
    assert focus_lines(query_words("line"), ["line"] * 60, "", 40) == (40, 59)
    assert focus_lines(query_words("line"), ["line"] * 3, "", 40) == (0, 2), "not within"
    assert focus_lines(query_words("line"), ["line"] * 3, "", -5) == (0, 2)


def test_a_word_of_every_line_chooses_no_window() -> None:
    lines = ["value"] * 60 + ["refund value"] + ["value"] * 30
    assert focus_lines(query_words("refund value"), lines, "")[1] >= 60


def test_other_forms_of_a_word_count() -> None:
    lines = ["nothing"] * 50 + ["registers the route"]
    assert focus_lines(query_words("register"), lines, "")[0] == 50
