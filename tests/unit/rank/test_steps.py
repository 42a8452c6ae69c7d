"""The ranking steps, one by one and together."""

from __future__ import annotations

import pytest

from auto_context.rank import STEPS, Asked, Candidate, diversify, rank
from auto_context.rank.intent import intent_of
from auto_context.rank.steps import coherence, definition, near, noise, recency, stem, verbatim

DAY = 86_400.0


def asked(text: str, near_path: str = "", now: float = 0.0) -> Asked:
    return Asked(text, intent_of(text), near_path, now)


def chunk(
    path: str = "a.py", score: float = 1.0, defines: tuple[str, ...] = (), line: int = 1, modified: float = 0.0
) -> Candidate:
    return Candidate(
        hash((path, line)), path, line, line + 5, "block", "", score, ("lexical",), defines, modified=modified
    )


def test_a_definition_outranks_its_uses() -> None:
    factors = definition(asked("RetryPolicy"), [chunk("use.py"), chunk(defines=("net.RetryPolicy",))])
    assert factors[0] == 1.0
    assert factors[1] > 2.0


def test_a_name_in_a_sentence_counts_less_and_a_part_of_a_name_nothing() -> None:
    item = [chunk(defines=("RetryPolicy",))]
    alone, inside, parts = (
        definition(asked(text), item)[0]
        for text in ("RetryPolicy", "who makes a RetryPolicy", "policy of when to retry")
    )
    assert alone > inside > parts == 1.0


def test_a_method_is_found_by_its_own_name() -> None:
    assert definition(asked("Cart.total"), [chunk(defines=("Cart.total",)), chunk(defines=("Cart",))])[0] > 2.0


@pytest.mark.parametrize(
    ("path", "more"),
    [("src/session.py", True), ("session/store.py", True), ("src/sessions.go", True), ("src/other.py", False)],
)
def test_a_file_named_by_the_query_gains(path: str, more: bool) -> None:
    factor = stem(asked("where is the session kept"), [chunk(path)])[0]
    assert (factor > 1.0) is more


def test_several_hits_in_a_file_vouch_for_each_other() -> None:
    factors = coherence(asked("x y"), [chunk("a.py"), chunk("a.py", line=20), chunk("b.py", 1.2)])
    assert factors[0] == factors[1] > factors[2] > 1.0


@pytest.mark.parametrize(
    ("path", "query", "kept"),
    [
        ("src/a.py", "how it works", True),
        ("tests/test_a.py", "how it works", False),
        ("tests/test_a.py", "the test of a", True),
        ("pkg/a_test.go", "how it works", False),
        ("src/a.spec.ts", "how it works", False),
        ("src/AccountTest.java", "how it works", False),
        ("src/contest.py", "how it works", True),
        ("vendor/lib.js", "how it works", False),
        ("vendor/lib.js", "the vendored library", True),
        ("api/shop_pb2.py", "how it works", False),
        ("package-lock.json", "how it works", False),
        ("examples/hello.py", "how it works", False),
        ("examples/hello.py", "an example of it", True),
        ("docs/guide.md", "how it works", False),
        ("docs/guide.md", "the guide on how it works", True),
        ("CHANGES/1.md", "how it works", False),
        ("CHANGELOG.md", "changelog of the release", True),
        ("src/legacy_cart.py", "how it works", False),
        ("src/cart.d.ts", "how it works", False),
        ("deploy.yaml", "how it works", False),
        ("deploy.yaml", "the ci workflow", True),
        ("tests/test_a.py", "test_a.py", True),
    ],
)
def test_noise(path: str, query: str, kept: bool) -> None:
    assert (noise(asked(query), [chunk(path)])[0] >= 1.0) is kept


def test_what_is_asked_for_by_its_class_comes_first() -> None:
    factors = noise(
        asked("tests of the cart"), [chunk("tests/test_cart.py"), chunk("src/cart.py"), chunk("docs/cart.md")]
    )
    assert factors[0] > factors[1] == 1.0 > factors[2]


def test_the_very_line_comes_first() -> None:
    item = chunk()
    line = Candidate(1, "b.py", 1, 9, "block", "", 1.0, ("vector",), verbatim=True)
    assert verbatim(asked("x = f(a, b)[1]"), [item, line]) == [1.0, 2.0]


def test_capitals_decide_between_names_that_differ_in_nothing_else() -> None:
    same, other = definition(asked("loadConfig"), [chunk(defines=("loadConfig",)), chunk(defines=("LoadConfig",))])
    assert same > other > 2.0


def test_nearness_and_recency_only_decide_between_equals() -> None:
    items = [chunk("src/net/a.py"), chunk("doc/b.py"), chunk("src/c.py")]
    here = near(asked("x y", "src/net/z.py"), items)
    assert here[0] > here[2] > here[1] == 1.0
    assert max(here) < 1.1
    assert near(asked("x y"), items) == [1.0] * 3
    now = 1000 * DAY
    fresh = recency(asked("x y", now=now), [chunk(modified=now), chunk(modified=now - 60 * DAY), chunk()])
    assert 1.1 > fresh[0] > fresh[1] > fresh[2] == 1.0


def test_rank_applies_every_step_notes_why_and_can_leave_one_out() -> None:
    items = [chunk("tests/test_cart.py", 1.0), chunk("src/cart.py", 0.6, ("Cart",))]
    ranked = rank(asked("Cart"), items)
    assert [item.path for item in ranked] == ["src/cart.py", "tests/test_cart.py"]
    assert dict(ranked[1].why)["noise"] < 1.0
    assert rank(asked("Cart"), items, tuple(STEPS)) == items
    assert "noise" not in dict(rank(asked("Cart"), items, ("noise",))[1].why)


def test_equals_are_ordered_by_path_and_line() -> None:
    items = [chunk("b.py"), chunk("a.py", line=9), chunk("a.py")]
    assert [(c.path, c.start_line) for c in rank(asked("x y"), items, tuple(STEPS))] == [
        ("a.py", 1),
        ("a.py", 9),
        ("b.py", 1),
    ]


def test_no_file_fills_the_first_ten() -> None:
    items = [chunk("a.py", 1.0, line=10 * at) for at in range(8)] + [chunk(f"f{at}.py", 0.7) for at in range(9)]
    mixed = diversify(items, 2)
    assert [item.path for item in mixed[:3]] == ["a.py", "a.py", "f0.py"]
    assert sum(item.path == "a.py" for item in mixed[:10]) == 2
    assert {item.id for item in mixed} == {item.id for item in items}
    assert [item.path for item in diversify(items, 1)[:2]] == ["a.py", "f0.py"]
    assert diversify(items, 10) == items, "lines first"


def test_each_further_chunk_of_a_file_counts_less() -> None:
    items = [chunk("a.py", 1.0), chunk("a.py", 0.9, line=20), chunk("b.py", 0.8)]
    assert [item.path for item in diversify(items, 4)] == ["a.py", "b.py", "a.py"]
    assert dict(diversify(items, 4)[2].why)["diversity"] == 0.75
