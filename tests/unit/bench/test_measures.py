"""What is computed from measurements."""

import indexing
import large
import running


def progress(eta_s: float | None) -> dict[str, float | None]:
    return {"eta_s": eta_s}


def test_the_estimate_is_judged_from_halfway_to_just_before_the_end() -> None:
    samples = [(10.0, progress(500.0)), (60.0, progress(50.0)), (80.0, progress(None)), (99.0, progress(9.0))]
    figure = indexing.eta_error("x", samples, 100.0)
    assert figure.value == 25.0  # 50 s were said where 40 were left
    assert figure.ok is True
    assert indexing.eta_error("x", samples[:1], 100.0).value is None


def test_growth_is_the_farthest_size_from_the_median() -> None:
    time, save = large.flatness({1_000: 1.2, 3_000: 1.0, 10_000: 0.9}, {1_000: 10.0, 10_000: 14.0})
    assert round(time.value or 0) == 20
    assert time.ok is False
    assert save.value == 1.4


def test_no_query_is_asked_twice() -> None:
    asked = [*running.queries(300), *running.queries(2)]
    assert len(set(asked)) == 302
