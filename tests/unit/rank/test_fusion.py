"""From the legs' lists to one."""

from dataclasses import replace

import pytest

from auto_context.rank import Candidate, fuse, merge
from auto_context.rank.intent import intent_of

PROSE = intent_of("how are retries counted")


def test_a_chunk_of_two_legs_beats_the_first_of_one() -> None:
    fused = fuse({"lexical": [(1, 9.0), (2, 8.0)], "vector": [(3, 0.7), (2, 0.6)]}, PROSE, 10)
    assert fused[0].id == 2
    assert fused[0].legs == ("lexical", "vector")


def test_how_far_ahead_the_first_is_counts() -> None:
    near = fuse({"lexical": [(1, 9.0), (2, 8.9)], "vector": [(2, 0.7), (1, 0.6)]}, PROSE, 10)
    far = fuse({"lexical": [(1, 9.0), (2, 1.0)], "vector": [(2, 0.7), (1, 0.6)]}, PROSE, 10)
    assert near[0].id == 2
    assert far[0].id == 1


def test_the_best_of_every_leg_has_a_score_of_one() -> None:
    legs = {"lexical": [(5, 30.0)], "path": [(5, 1.0)], "vector": [(5, 0.2)]}
    assert fuse(legs, PROSE, 1)[0].score == pytest.approx(1.0)
    assert fuse({"lexical": [], "vector": []}, PROSE, 10) == []


def test_a_name_that_only_resembles_counts_as_little_as_it_does() -> None:
    path = intent_of("retry.py")
    weak = fuse({"lexical": [(1, 9.0)], "path": [(2, 0.1)]}, path, 2)
    assert weak[0].id == 1


def test_unlike_vectors_never_take_away() -> None:
    assert fuse({"lexical": [(1, 3.0)], "vector": [(1, -0.2), (2, -0.3)]}, PROSE, 2)[0].score > 0


def test_a_leg_that_saw_a_twentieth_of_the_chunks_does_not_outvote_the_others() -> None:
    legs = {"lexical": [(1, 9.0), (2, 8.0)], "vector": [(3, 0.6), (2, 0.5)]}
    assert [item.id for item in fuse(legs, PROSE.covered(0.05), 3)] == [1, 2, 3]
    assert fuse(legs, PROSE.covered(1.0), 3) == fuse(legs, PROSE, 3)
    assert fuse({"lexical": [(1, 9.0)], "vector": []}, PROSE.covered(0.0), 3)[0].id == 1


def test_equals_keep_an_order() -> None:
    legs = {"lexical": [(7, 1.0), (3, 1.0), (5, 1.0)]}
    assert [item.id for item in fuse(legs, PROSE, 3)] == [3, 5, 7]


def chunk(number: int, path: str, first: int, last: int, legs: tuple[str, ...]) -> Candidate:
    return Candidate(number, path, first, last, "block", "", 1.0, legs)


def test_overlapping_hits_of_a_file_merge_into_the_better_one() -> None:
    merged = merge(
        [
            chunk(1, "a.py", 1, 10, ("lexical",)),
            chunk(2, "a.py", 8, 20, ("vector",)),
            chunk(3, "a.py", 30, 40, ("lexical",)),
            chunk(4, "b.py", 1, 10, ("lexical",)),
        ]
    )
    assert [item.id for item in merged] == [1, 3, 4]
    assert merged[0].legs == ("lexical", "vector")


def test_a_static_vector_stands_in_for_one_that_is_not_there_yet() -> None:
    legs = {"lexical": [], "static": [(1, 0.5), (2, 0.5)], "vector": [(2, 0.6)]}
    both = replace(PROSE, static=0.5)
    fused = fuse(legs, both, 3, lambda chunk: chunk == 1)
    scores = {item.id: item.score for item in fused}
    total = both.lexical + both.static + both.vector
    assert scores == pytest.approx(dict.fromkeys((1, 2), (both.static + both.vector) / total))
    alone = {item.id: item.score for item in fuse(legs, both, 3)}
    assert alone[1] == pytest.approx(both.static / total)


def test_what_weighs_nothing_is_not_among_the_candidates() -> None:
    assert PROSE.static == 0.0
    assert [item.id for item in fuse({"static": [(1, 0.9)], "vector": [(2, 0.6)]}, PROSE, 3)] == [2]


def test_without_the_transformer_static_vectors_have_its_weight() -> None:
    without = PROSE.without_vector()
    assert (without.vector, without.static) == (0.0, PROSE.static + PROSE.vector)
    assert (without.lexical, without.path) == (PROSE.lexical, PROSE.path)
