"""Fusion and the ranking steps."""

from auto_context.rank.fuse import Candidate, fuse, merge, rerank
from auto_context.rank.intent import intent_of


def chunk(
    number: int,
    path: str = "a.py",
    lines: tuple[int, int] = (1, 5),
    kind: str = "block",
    symbol: str = "",
    score: float = 1.0,
) -> Candidate:
    return Candidate(number, path, *lines, kind, symbol, score, ("lexical",))


def test_a_chunk_of_two_legs_beats_the_first_of_one() -> None:
    fused = fuse({"lexical": [1, 2], "vector": [3, 2]}, intent_of("how are retries counted"), 10)
    assert fused[0][0] == 2
    assert fused[0][2] == ("lexical", "vector")


def test_the_weights_decide_between_single_legs_and_the_best_possible_score_is_one() -> None:
    prose = intent_of("how are retries counted")
    assert fuse({"lexical": [1], "vector": [2]}, prose, 10)[0][0] == 2
    assert fuse({"lexical": [5], "path": [5], "vector": [5]}, prose, 1)[0][1] == 1.0
    assert fuse({"lexical": [], "vector": []}, prose, 10) == []


def test_a_leg_that_saw_a_twentieth_of_the_chunks_does_not_outvote_the_others() -> None:
    prose, legs = intent_of("how are retries counted"), {"lexical": [1, 2], "vector": [3, 2]}
    assert fuse(legs, prose.covered(0.05), 3)[0][0] == 2
    assert [chunk for chunk, _, _ in fuse(legs, prose.covered(0.05), 3)].index(1) == 1
    assert fuse(legs, prose.covered(1.0), 3) == fuse(legs, prose, 3)
    assert fuse({"lexical": [1], "vector": []}, prose.covered(0.0), 3)[0][1] == 1.0


def test_a_definition_outranks_its_uses() -> None:
    uses, defines = chunk(1, "use.py"), chunk(2, "def.py", kind="class", symbol="RetryPolicy", score=0.6)
    assert [c.id for c in rerank("RetryPolicy", intent_of("RetryPolicy"), [uses, defines])] == [2, 1]


def test_tests_and_vendored_code_come_later_unless_asked_for() -> None:
    items = [chunk(1, "tests/test_a.py"), chunk(2, "src/a.py", score=0.9), chunk(3, "vendor/a.py")]
    assert [c.id for c in rerank("how it works", intent_of("how it works"), items)] == [2, 1, 3]
    assert next(c.id for c in rerank("the test of a", intent_of("the test of a"), items)) == 1


def test_overlapping_hits_of_a_file_merge_into_the_better_one() -> None:
    first, inside = chunk(1, lines=(1, 10)), Candidate(2, "a.py", 8, 20, "block", "", 0.5, ("vector",))
    apart, other = chunk(3, lines=(30, 40), score=0.4), chunk(4, "b.py", score=0.3)
    merged = merge([first, inside, apart, other])
    assert [c.id for c in merged] == [1, 3, 4]
    assert merged[0].legs == ("lexical", "vector")
