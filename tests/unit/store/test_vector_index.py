"""The vector index: exact, limited to a view; rows are appended, and dropped by compacting."""

import numpy as np
import numpy.typing as npt
import pytest

from auto_context.store.lexical import chunk_id
from auto_context.store.vectors import VectorIndex, combine

TOLERANCE = 6e-3
Floats = npt.NDArray[np.float32]


def unit(rows: int, dim: int = 64, seed: int = 1) -> Floats:
    values = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    scaled: Floats = values / np.linalg.norm(values, axis=1, keepdims=True)
    return scaled


def as_bytes(data: Floats) -> npt.NDArray[np.int8]:
    """Each row scaled so that its largest element is 127, as vectors are stored."""
    scaled = data * (127 / np.abs(data).max(1, keepdims=True))
    whole: npt.NDArray[np.int8] = np.rint(scaled).astype(np.int8)
    return whole


def test_agrees_with_a_plain_product_within_the_allowed_rows() -> None:
    data, index = unit(500), VectorIndex(64)
    index.add(np.arange(500) * 7, data)
    allowed = np.random.default_rng(2).random(500) < 0.3
    ids, scores = index.search(data[0], allowed, 10)
    exact = np.where(allowed, data @ data[0], -2)
    best = np.argsort(-exact)[:10]
    np.testing.assert_allclose(scores, exact[best], atol=TOLERANCE)
    np.testing.assert_allclose(exact[ids // 7], exact[best], atol=TOLERANCE)
    assert (np.diff(scores) <= 0).all()
    assert ids.tolist() == index.search(data[0], index.selection(allowed), 10)[0].tolist()


def test_rows_past_the_mask_and_an_empty_view_find_nothing() -> None:
    data, index = unit(64), VectorIndex(64)
    assert index.search(data[0], np.ones(0, np.bool_), 5)[0].tolist() == []
    index.add(np.arange(64), data)
    assert set(index.search(data[60], np.ones(10, np.bool_), 64)[0].tolist()) == set(range(10))
    assert index.search(data[0], np.zeros(64, np.bool_), 5)[0].tolist() == []


def test_rows_of_any_form_are_the_same_directions() -> None:
    data = unit(40)
    for rows in (data, as_bytes(data)):
        index = VectorIndex(64)
        index.add(np.arange(40), rows)
        found = index.vectors(np.arange(40))
        np.testing.assert_allclose([found[at] @ data[at] for at in range(40)], 1, atol=TOLERANCE / 10)


def test_a_row_of_bytes_with_one_great_element_is_still_found_first() -> None:
    data, index = unit(200, 256), VectorIndex(256)
    data[17] = 0
    data[17, 3] = 1
    index.add(np.arange(200), as_bytes(data))
    ids, scores = index.search(data[17], np.ones(200, np.bool_), 3)
    assert ids[0] == 17
    assert scores[0] == pytest.approx(1, abs=1e-3)


def test_an_empty_row_is_like_nothing() -> None:
    index = VectorIndex(64)
    index.add(np.arange(1), np.zeros((1, 64), np.int8))
    assert not index.vectors(np.array([0]))[0].any()


def test_vectors_of_single_chunks_among_sorted_and_recent_rows() -> None:
    data, index = unit(10_000, 16), VectorIndex(16)
    ids = np.random.default_rng(3).permutation(10_000) + 1000
    for start in (0, 6_000, 9_500):  # the last are looked up apart
        end = {0: 6_000, 6_000: 9_500, 9_500: 10_000}[start]
        index.add(ids[start:end], data[start:end])
    wanted = [3, 6_001, 9_900]
    found = index.vectors(np.array([*ids[wanted], 5, 999_999]))
    assert found.keys() == set(ids[wanted].tolist())
    alike = [float(found[ids[at]] @ data[7]) for at in wanted]
    np.testing.assert_allclose(alike, data[wanted] @ data[7], atol=TOLERANCE)
    assert index.vectors(np.empty(0, np.int64)) == {}


def test_compacting_drops_rows_and_keeps_what_came_later() -> None:
    data, index = unit(9_000, 16), VectorIndex(16)
    index.add(np.arange(8_000), data[:8_000])
    before = index.ids
    keep = before % 3 == 0
    index.add(np.arange(8_000, 9_000), data[8_000:])
    assert index.compact(keep) == int((~keep).sum())
    kept = [*range(0, 8_000, 3), *range(8_000, 9_000)]
    assert index.ids.tolist() == kept
    assert before.tolist() == list(range(8_000)), "an array handed out stays as it was"
    assert index.vectors(np.array([0, 1, 2, 8_500])).keys() == {0, 8_500}
    for at in (3_000, 8_765):
        assert index.search(data[at], np.ones(len(kept), np.bool_), 1)[0].tolist() == [at]
    index.add(np.array([1]), data[1:2])
    assert index.search(data[1], np.ones(len(index), np.bool_), 1)[0].tolist() == [1]
    assert index.compact(np.ones(len(index), np.bool_)) == 0


def test_a_selection_of_rows_is_refused_after_they_moved() -> None:
    data, index = unit(20), VectorIndex(64)
    index.add(np.arange(20), data)
    selection = index.selection(np.ones(20, np.bool_))
    index.compact(np.arange(20) > 4)
    with pytest.raises(ValueError, match="moved"):
        index.search(data[0], selection, 1)


def test_a_selection_of_documents_follows_rows_that_come_and_move() -> None:
    data, index = unit(30), VectorIndex(64)
    ids = np.array([chunk_id(number, position) for number in range(10) for position in range(3)])
    selection = index.of_documents(np.array([number % 2 == 0 for number in range(8)]))
    assert index.search(data[0], selection, 5)[0].tolist() == []
    wanted: list[int] = []
    for start, end in ((0, 13), (13, 14), (14, 30)):
        index.add(ids[start:end], data[start:end])
        wanted = [chunk for chunk in ids[:end].tolist() if chunk >> 20 in {0, 2, 4, 6}]
        assert sorted(index.search(data[0], selection, 30)[0].tolist()) == wanted
    index.compact(ids >> 20 != 2)
    assert sorted(index.search(data[0], selection, 30)[0].tolist()) == [id_ for id_ in wanted if id_ >> 20 != 2]


def test_combining_moves_a_body_towards_its_path() -> None:
    body, path = unit(4), unit(1, seed=9)
    mixed = combine(body, path, 0.5, 4)
    np.testing.assert_allclose(np.linalg.norm(mixed, axis=1), 1, atol=1e-6)
    assert (mixed @ path[0] > body @ path[0]).all()
    np.testing.assert_allclose(combine(body, path, 0.0, 4), body, atol=1e-6)
    np.testing.assert_allclose(combine(body, np.tile(path, (2, 1)), 0.5, np.array([1, 3])), mixed, atol=1e-6)
    bytes_ = combine(as_bytes(body), as_bytes(path), 0.5, 4)
    np.testing.assert_allclose((bytes_ * mixed).sum(1), 1, atol=TOLERANCE / 10)
