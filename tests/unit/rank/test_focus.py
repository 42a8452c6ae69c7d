"""Focus lines."""

from auto_context.rank.focus import LONGEST, focus_lines


def test_a_short_hit_is_its_own_focus() -> None:
    assert focus_lines("x", ["a", "b", "c"], "") == (0, 2)
    assert focus_lines("x", [""], "") == (0, 0)


def test_a_long_hit_shows_the_window_with_the_words() -> None:
    lines = [f"line {n}" for n in range(100)]
    lines[70] = "retry the upload"
    first, last = focus_lines("retry upload", lines, "")
    assert first <= 70 <= last
    assert last - first + 1 == LONGEST


def test_without_a_match_it_begins_at_the_top() -> None:
    assert focus_lines("absent", ["x"] * 60, "") == (0, LONGEST - 1)
