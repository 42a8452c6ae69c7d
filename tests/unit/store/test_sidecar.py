"""The sidecar: bytes only, ranges by prefix, transactions, formats."""

import pickle
import sqlite3
from pathlib import Path

import pytest

from auto_context.errors import AutoContextError
from auto_context.store.records import FORMAT, pack
from auto_context.store.sidecar import Sidecar


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sidecar"


def test_values_survive_reopening(folder: Path) -> None:
    first = Sidecar(folder)
    first.set(b"b\x00\xff", b"content")
    first.close()
    assert Sidecar(folder).get(b"b\x00\xff") == b"content"


def test_scan_returns_one_prefix_in_key_order(folder: Path) -> None:
    sidecar = Sidecar(folder)
    sidecar.set_many([(b"b2", b"two"), (b"b1", b"one"), (b"b\xff", b"last"), (b"c1", b"other"), (b"a", b"before")])
    assert list(sidecar.scan(b"b")) == [(b"b1", b"one"), (b"b2", b"two"), (b"b\xff", b"last")]
    assert sidecar.keys(b"b\xff") == [b"b\xff"]


def test_get_many_takes_more_keys_than_sqlite_binds_at_once(folder: Path) -> None:
    sidecar = Sidecar(folder)
    keys = [b"b" + n.to_bytes(4, "big") for n in range(1_300)]
    sidecar.set_many((key, key[::-1]) for key in keys)
    found = sidecar.get_many([*keys, b"missing"])
    assert found == {key: key[::-1] for key in keys}


def test_a_failed_transaction_leaves_nothing(folder: Path) -> None:
    sidecar = Sidecar(folder)

    def fail_inside() -> None:
        with sidecar.transaction():
            sidecar.set(b"b1", b"one")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_inside()
    assert sidecar.get(b"b1") is None


def test_only_bytes_are_stored_and_nothing_is_unpickled(folder: Path) -> None:
    sidecar = Sidecar(folder)
    with pytest.raises(TypeError):
        sidecar.set(b"b1", "text")  # type: ignore[arg-type]  # the mistake under test
    sidecar.set(b"b1", b"one")
    sidecar.close()
    with sqlite3.connect(folder / "cache.db") as database:
        database.execute("UPDATE Cache SET mode = 4, value = ?", (pickle.dumps({"a": 1}),))
    with pytest.raises(AutoContextError) as caught:
        Sidecar(folder)
    assert caught.value.code == "store_damaged"


def test_a_store_of_a_newer_format_is_refused_and_kept(folder: Path) -> None:
    sidecar = Sidecar(folder)
    sidecar.set(b"b1", b"one")
    sidecar.set(b"m", pack({"format": FORMAT + 1}))
    sidecar.close()
    with pytest.raises(AutoContextError) as caught:
        Sidecar(folder)
    assert caught.value.code == "store_newer"
    with sqlite3.connect(folder / "cache.db") as database:
        assert database.execute("SELECT count(*) FROM Cache").fetchone() == (2,)


def test_a_damaged_database_is_a_coded_error(folder: Path) -> None:
    folder.mkdir()
    (folder / "cache.db").write_bytes(b"this is no database" * 500)
    with pytest.raises(AutoContextError) as caught:
        Sidecar(folder)
    assert caught.value.code == "store_damaged"
