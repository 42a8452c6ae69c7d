"""The sidecar: bytes only, ranges by prefix, transactions, formats."""

import pickle
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import diskcache
import pytest

from auto_context.errors import AutoContextError
from auto_context.store.records import FORMAT, pack
from auto_context.store.sidecar import BytesDisk, Sidecar


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sidecar"


def test_values_survive_reopening(folder: Path) -> None:
    first = Sidecar(folder)
    first.set(b"b\x00\xff", b"content")
    first.close()
    assert Sidecar(folder).get(b"b\x00\xff") == b"content"


def test_a_closed_store_keeps_no_log_whoever_wrote(folder: Path) -> None:
    sidecar, log = Sidecar(folder), folder / "cache.db-wal"
    with ThreadPoolExecutor(1) as other:
        other.submit(sidecar.set, b"b1", b"x" * 100_000).result()
        assert log.stat().st_size > 100_000
        sidecar.close()
        assert not log.exists() or log.stat().st_size == 0
    assert Sidecar(folder).get(b"b1") == b"x" * 100_000


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


def test_many_rows_at_once_are_what_diskcache_itself_writes(folder: Path) -> None:
    sidecar = Sidecar(folder)
    sidecar.set(b"b0", b"by itself")
    sidecar.set_many((b"b%d" % n, b"many %d" % n) for n in range(700))
    sidecar.set_many([(b"b1", b"again"), (b"b2", b"")])
    cache = diskcache.Cache(str(folder), disk=BytesDisk)
    assert len(cache) == 701  # and the store's own record
    assert cache[b"b0"] == b"many 0"
    assert (cache[b"b1"], cache[b"b2"], cache[b"b699"]) == (b"again", b"", b"many 699")
    cache[b"b1"] = b"by diskcache"
    assert sidecar.get_many([b"b1"]) == {b"b1": b"by diskcache"}
    sidecar.delete_many([b"b%d" % n for n in range(0, 700, 2)] + [b"missing"])
    assert len(cache) == 351
    assert b"b2" not in cache
    assert sidecar.keys(b"b3")[:2] == [b"b3", b"b301"]
    assert cache.check() == []
    with sqlite3.connect(folder / "cache.db") as database:
        columns = "raw, expire_time, access_count, tag, size, mode, filename, typeof(key), typeof(value)"
        assert len(database.execute(f"SELECT DISTINCT {columns} FROM Cache").fetchall()) == 1  # noqa: S608 - our own


@pytest.mark.parametrize("row", [("b1", b"value"), (b"b1", "value")])
def test_many_rows_of_another_type_are_refused_whole(folder: Path, row: tuple[bytes, bytes]) -> None:
    sidecar = Sidecar(folder)
    with pytest.raises(TypeError):
        sidecar.set_many([(b"b0", b"fine"), row])
    assert sidecar.keys(b"b") == []


_WRITER = """
import sys
from pathlib import Path
from auto_context.store.sidecar import Sidecar

def rows(kind, last):
    for n in range(5000):
        yield kind + n.to_bytes(4, "big"), bytes(2000)
    print(last, flush=True)
    if last == "waiting":
        sys.stdin.read()

sidecar = Sidecar(Path(sys.argv[1]))
sidecar.set_many(rows(b"b", "done"))
sidecar.set_many(rows(b"c", "waiting"))
"""


def test_a_kill_leaves_all_or_nothing_of_a_bulk_write(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert [child.stdout.readline(), child.stdout.readline()] == ["done\n", "waiting\n"]
        child.kill()
    sidecar = Sidecar(folder)
    assert len(sidecar.keys(b"b")) == 5000
    assert sidecar.keys(b"c") == []
    with diskcache.Cache(str(folder), disk=BytesDisk) as cache:
        assert len(cache) == 5001


def test_a_kill_while_room_is_given_back_loses_nothing(folder: Path) -> None:
    sidecar = Sidecar(folder)
    sidecar.set_many((b"b%d" % n, bytes(20_000)) for n in range(1000))
    sidecar.delete_many(b"b%d" % n for n in range(0, 1000, 2))
    sidecar.close()
    code = """
import sys
from pathlib import Path
from auto_context.store.sidecar import Sidecar

def check(calls=[]):
    calls.append(1)
    if len(calls) == 2:
        print("between", flush=True)
        sys.stdin.read()

Sidecar(Path(sys.argv[1])).vacuum(check)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "between\n"
        child.kill()
    again = Sidecar(folder)
    assert again.free_bytes() > 0
    again.vacuum()
    assert again.free_bytes() == 0
    assert again.get_many([b"b%d" % n for n in range(1000)]) == {b"b%d" % n: bytes(20_000) for n in range(1, 1000, 2)}


def test_a_store_made_before_gives_its_room_back_too(folder: Path) -> None:
    with diskcache.Cache(str(folder), disk=BytesDisk, sqlite_auto_vacuum=1) as cache:
        cache[b"m"] = pack({"format": FORMAT})
    sidecar = Sidecar(folder)
    sidecar.set_many((b"b%d" % n, bytes(20_000)) for n in range(100))
    sidecar.delete_many(sidecar.keys(b"b"))
    assert sidecar.free_bytes() > 1_000_000
    sidecar.vacuum()
    assert sidecar.free_bytes() == 0
    sidecar.close()
    assert (folder / "cache.db").stat().st_size < 200_000
