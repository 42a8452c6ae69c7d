"""The error table and the wire form."""

import re
from pathlib import Path

import pytest

from auto_context.errors import CODES, AutoContextError

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_complete(code: str) -> None:
    row = CODES[code]
    assert row.hint
    assert row.level in {"info", "warn", "error"}
    assert row.exit_status == 2
    assert 400 <= row.http_status < 600
    error = AutoContextError(code, "what happened")
    assert AutoContextError.from_dict(error.to_dict()).to_dict() == error.to_dict()
    assert error.hint == row.hint


def test_an_unknown_code_is_a_programming_error_here_and_internal_from_elsewhere() -> None:
    with pytest.raises(KeyError):
        AutoContextError("nonsense", "x")
    foreign = AutoContextError.from_dict({"code": "of_the_future", "message": "m", "hint": "h"})
    assert (foreign.code, foreign.hint) == ("internal", "h")
    assert "of_the_future" in foreign.message


def test_any_exception_can_be_wrapped_and_a_coded_one_stays() -> None:
    coded = AutoContextError("cancelled", "x")
    assert AutoContextError.wrap(coded) is coded
    assert AutoContextError.wrap(ValueError("bad")).message == "ValueError: bad"


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_produced_by_a_test(code: str) -> None:
    """A test that meets a fault compares its code, in quotes or as the command line prints it."""
    named = re.compile(rf"""["'(]{code}["')]""")
    others = (file for file in TESTS.rglob("test_*.py") if file != Path(__file__))
    assert any(named.search(file.read_text("utf-8")) for file in others)
