"""Figures, their table, and the file of a commit."""

import json
from pathlib import Path

import pytest

import report
from report import Figure


def test_percentile_and_spread() -> None:
    values = [float(value) for value in range(1, 101)]
    assert report.percentile(values, 0.95) == 96.0
    assert report.percentile([3.0], 0.95) == 3.0
    middle, high = report.spread("search", values, "ms", {"p95": 90.0})
    assert (middle.name, middle.value, middle.bar, middle.ok) == ("search, p50", 50.5, None, None)
    assert (high.name, high.value, high.ok) == ("search, p95", 96.0, False)
    assert high.note == "n=100"


@pytest.mark.parametrize(
    ("figure", "ok"),
    [
        (Figure("a", 1.0, bar=1.0), True),
        (Figure("a", 1.1, bar=1.0), False),
        (Figure("a", 1.9, bar=2.0, at_least=True), False),
        (Figure("a", 2.0, bar=2.0, at_least=True), True),
        (Figure("a", 1.0), None),
        (Figure("a", None, bar=1.0), None),
    ],
)
def test_a_bar_is_kept_or_not(figure: Figure, ok: bool | None) -> None:
    assert figure.ok is ok


def test_the_table_says_what_was_not_measured() -> None:
    lines = report.table([Figure("fast", 12.34, "ms", 10.0), Figure("peer", None, note="no network")]).splitlines()
    assert [part.strip() for part in lines[1].split("|")] == ["12.3 ms", "<= 10 ms", "NO", "fast"]
    assert [part.strip() for part in lines[2].split("|")] == ["not measured", "", "-", "peer (no network)"]


def test_runs_on_one_commit_share_a_file(tmp_path: Path) -> None:
    report.save(
        [Figure("a", 1.0, "s", 2.0), Figure("b", 1.0, "s"), Figure("c", 0, "", 0)], "quick", {"tree": "x"}, tmp_path
    )
    file = report.save([Figure("b", 3.14159, "s")], "large", {}, tmp_path)
    body = json.loads(file.read_text())
    assert body["figures"] == {
        "a": {"value": 1.0, "unit": "s", "bar": 2.0, "ok": True},
        "b": {"value": 3.142, "unit": "s"},
        "c": {"value": 0.0, "bar": 0, "ok": True},
    }
    assert set(body["runs"]) == {"quick", "large"}
    assert list(tmp_path.iterdir()) == [file]
