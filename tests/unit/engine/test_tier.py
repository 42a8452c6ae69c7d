"""A tier's rows follow what is stored of a view, and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from auto_context.embed.quantise import quantise
from auto_context.engine.repository import Repository
from auto_context.engine.tier import Marks
from auto_context.store.records import Entry

MODEL, OTHER = "ab" * 16, "cd" * 16


def key(number: int) -> bytes:
    return bytes([number]) * 16


def rows(count: int, dim: int = 8) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    vectors = np.random.default_rng(count).standard_normal((count, dim)).astype(np.float32)
    normed: np.ndarray[tuple[int, int], np.dtype[np.float32]] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normed


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "store")
    worktree = made.worktree("/w")
    entries = {f"{number}.py": Entry(key(number), 9, 1, number, "python", number, "") for number in range(1, 4)}
    made.commit(worktree, {}, items=[(b"b" + entry.key, b"a blob") for entry in entries.values()])
    made.switch(worktree, "main", entries)
    return made


def packed(vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> bytes:
    return quantise(vectors).tobytes()


def test_documents_get_rows_once_their_content_and_path_are_stored(repository: Repository) -> None:
    tier, view = repository.vector, repository.worktree("/w").view
    assert (repository.coverage(view, tier), tier.dim) == (0.0, 0)
    tier.use(MODEL, 8)
    assert len(tier.missing(view)) == len(tier.waiting(view)) == 3
    repository.store_vectors(tier, MODEL, {key(1): packed(rows(1)), key(3): packed(rows(3))}, {"3.py": packed(rows(1))})
    tier.load(view)
    assert tier.index is not None
    assert len(tier.index) == 3
    assert repository.vector_count(view, tier) == 3
    assert repository.coverage(view, tier) == 0.5
    assert tier.has_rows(view.documents["3.py"])
    assert not tier.has_rows(view.documents["1.py"])
    assert tier.waiting(view) == [view.documents["1.py"], view.documents["2.py"]]
    tier.load(view)
    assert len(tier.index) == 3


def test_another_model_begins_anew_and_the_first_is_still_there(repository: Repository) -> None:
    tier, view = repository.vector, repository.worktree("/w").view
    tier.use(MODEL, 8)
    names = {f"{number}.py": packed(rows(1)) for number in range(1, 4)}
    repository.store_vectors(tier, MODEL, {key(n): packed(rows(n)) for n in range(1, 4)}, names)
    tier.load(view)
    tier.use(OTHER, 4)
    assert repository.vector_count(view, tier) == 0
    repository.store_vectors(tier, MODEL, {key(1): b""}, {})
    assert tier.bodies == set()
    tier.use(MODEL, 8)
    tier.load(view)
    assert repository.coverage(view, tier) == 1.0


def test_what_is_stored_is_found_by_the_next_process(repository: Repository) -> None:
    static = repository.static
    static.use(MODEL, 8)
    bodies = {key(n): np.full((n, 8), n, np.int8).tobytes() for n in range(1, 4)}
    names = {f"{n}.py": np.full((1, 8), n, np.int8).tobytes() for n in range(1, 4)}
    repository.store_vectors(static, MODEL, bodies, names)
    repository.close()
    again = Repository(repository.folder)
    view = again.worktree("/w").view
    again.use_last_models()
    again.load_rows(view)
    assert again.coverage(view, again.static) == 1.0
    assert again.vector.model == ""
    vectors = again.static.body_vectors([key(2)])[key(2)]
    assert vectors.shape == (2, 8)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)
    again.close()


def test_marks_grow() -> None:
    marks = Marks()
    marks.set([3, 5000])
    flags = marks.up_to(6000)
    assert np.flatnonzero(flags).tolist() == [3, 5000]
    marks.set([])


def test_static_rows_are_loaded_once_they_are_searched_where_the_transformer_has_read(repository: Repository) -> None:
    static, vector, view = repository.static, repository.vector, repository.worktree("/w").view
    for tier, model in ((static, OTHER), (vector, MODEL)):
        tier.use(model, 8)
        names = {f"{number}.py": b"\x01" * 8 for number in range(1, 4)}
        repository.store_vectors(tier, model, {key(number): b"\x01" * 8 * number for number in range(1, 4)}, names)
    repository.load_rows(view)
    assert vector.index is not None
    assert static.index is not None
    assert (len(vector.index), len(static.index)) == (6, 0)
    assert repository.coverage(view, static) == 1.0
    assert static.waiting(view) == []
    static.load(view)
    assert len(static.index) == 6
    assert static.missing(view) == []
