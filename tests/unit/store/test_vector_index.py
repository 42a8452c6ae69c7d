"""The vector index: exact, limited to a view, append-only."""

import numpy as np
import numpy.typing as npt

from auto_context.store.vectors import VectorIndex, combine


def unit(rows: int, dim: int = 16, seed: int = 1) -> npt.NDArray[np.float32]:
    values = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    scaled: npt.NDArray[np.float32] = values / np.linalg.norm(values, axis=1, keepdims=True)
    return scaled


def test_agrees_with_a_plain_product_within_the_allowed_rows() -> None:
    data, index = unit(500), VectorIndex(16)
    index.add(np.arange(500) * 7, data)
    allowed = np.random.default_rng(2).random(500) < 0.3
    ids, scores = index.search(data[0], allowed, 10)
    exact = np.where(allowed, data @ data[0], -2)
    best = np.argsort(-exact)[:10]
    assert ids.tolist() == (best * 7).tolist()
    np.testing.assert_allclose(scores, exact[best], atol=2e-3)


def test_rows_past_the_mask_and_an_empty_view_find_nothing() -> None:
    data, index = unit(64), VectorIndex(16)
    assert index.search(data[0], np.ones(0, np.bool_), 5)[0].tolist() == []
    index.add(np.arange(64), data)
    assert set(index.search(data[60], np.ones(10, np.bool_), 64)[0].tolist()) == set(range(10))
    assert index.search(data[0], np.zeros(64, np.bool_), 5)[0].tolist() == []


def test_similarities_of_single_chunks() -> None:
    data, index = unit(50), VectorIndex(16)
    index.add(np.arange(50) + 1000, data)
    found = index.similarities(data[7], np.array([1007, 1020, 5]))
    assert found.keys() == {1007, 1020}
    np.testing.assert_allclose([found[1007], found[1020]], [1.0, data[20] @ data[7]], atol=2e-3)


def test_combining_moves_a_body_towards_its_path() -> None:
    body, path = unit(4), unit(1, seed=9)[0]
    mixed = combine(body, path, 0.5)
    np.testing.assert_allclose(np.linalg.norm(mixed, axis=1), 1, atol=1e-6)
    assert (mixed @ path > body @ path).all()
    np.testing.assert_allclose(combine(body, path, 0.0), body, atol=1e-6)
