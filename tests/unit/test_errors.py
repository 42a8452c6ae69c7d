"""The error table and the wire form."""

import pytest

from auto_context.errors import CODES, AutoContextError


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
