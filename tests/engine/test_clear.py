"""An index is deleted as a whole, in whatever state it is, and nothing else is."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from auto_context.errors import AutoContextError
from auto_context.types import SearchRequest
from support import OpenEngine, make_shop


def stores(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "data/stores").glob("*"))


def test_one_index_goes_and_the_others_stay(open_engine: OpenEngine, shop: Path, tmp_path: Path) -> None:
    engine, other = open_engine(), make_shop(tmp_path / "other")
    engine.update(shop)
    engine.update(other)
    (would,) = engine.clear(shop / "src", dry_run=True)
    assert (would.path, would.busy) == (f"{shop}/.git", False)
    assert would.bytes > 10_000
    assert len(stores(tmp_path)) == 2
    (went,) = engine.clear(shop / "src")
    assert (went.path, went.bytes) == (would.path, would.bytes)
    assert len(stores(tmp_path)) == 1
    assert not engine.status(shop).indexed
    assert engine.search(SearchRequest("RetryPolicy", str(other))).hits
    assert engine.clear(shop) == []
    engine.update(shop)
    assert engine.search(SearchRequest("RetryPolicy", str(shop))).hits


def test_all_go_those_that_tell_nothing_as_well(open_engine: OpenEngine, shop: Path, tmp_path: Path) -> None:
    engine = open_engine()
    engine.update(shop)
    (store,) = stores(tmp_path)
    damaged, empty = store.with_name("0" * 24), store.with_name("1" * 24)
    (damaged / "sidecar").mkdir(parents=True)
    (damaged / "sidecar/cache.db").write_bytes(b"no database")
    (damaged / "identity.json").write_text("no JSON")
    empty.mkdir()
    assert {item.path for item in engine.clear(None)} == {f"{shop}/.git", str(damaged), str(empty)}
    assert stores(tmp_path) == []


def test_a_damaged_index_goes_like_any_other(open_engine: OpenEngine, shop: Path, tmp_path: Path) -> None:
    open_engine().update(shop)
    engine = open_engine()
    (store,) = stores(tmp_path)
    (store / "sidecar/cache.db").write_bytes(b"no database" * 1000)
    with pytest.raises(AutoContextError, match="store_damaged"):
        engine.status(shop)
    assert [item.path for item in engine.clear(shop)] == [f"{shop}/.git"]
    assert not engine.status(shop).indexed


def test_nothing_outside_the_data_folder_is_deleted(open_engine: OpenEngine, shop: Path, tmp_path: Path) -> None:
    engine = open_engine()
    engine.update(shop)
    (store,) = stores(tmp_path)
    outside = tmp_path / "elsewhere"
    engine.clear(shop)
    outside.mkdir()
    (outside / "mine").touch()
    store.symlink_to(outside)
    (store.parent / "a").symlink_to(outside)
    engine.clear(None)
    assert stores(tmp_path) == []
    assert (outside / "mine").exists()


def test_what_a_kill_left_of_a_deletion_goes_with_the_next(open_engine: OpenEngine, shop: Path, tmp_path: Path) -> None:
    engine = open_engine()
    engine.update(shop)
    (store,) = stores(tmp_path)
    rest = store.with_suffix(".dead")
    (rest / "sidecar").mkdir(parents=True)
    assert len(engine.clear(shop)) == 1
    assert stores(tmp_path) == []


def test_an_update_that_does_not_end_keeps_its_index(
    open_engine: OpenEngine, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_context.engine.upkeep._ASKED_PATIENCE_S", 0.05)
    engine = open_engine()
    engine.update(shop)
    (repository,) = engine._stores.opened()
    with repository.full_update:
        (item,) = engine.clear(shop)
    assert item.busy
    assert engine.search(SearchRequest("RetryPolicy", str(shop))).hits


def test_a_search_that_began_before_ends_with_its_answer(open_engine: OpenEngine, shop: Path) -> None:
    engine = open_engine()
    engine.update(shop)
    (repository,) = engine._stores.opened()
    key = next(iter(repository.blobs))
    repository.blob.clear()
    cleared = threading.Thread(target=engine.clear, args=(shop,))
    cleared.start()
    cleared.join()
    assert repository.blob(key).chunks is not None
