"""Stores that are damaged, older or newer, disks that are full, and homes in which nothing can be written."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auto_context import paths
from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.engine.garbage import DAY_S
from auto_context.engine.work import LocalWorker
from auto_context.errors import AutoContextError
from auto_context.service.client import ServiceClient
from auto_context.store.records import FORMAT, pack, unpack_blob
from auto_context.store.sidecar import Sidecar
from auto_context.types import SearchReply, SearchRequest
from driving import rows
from mounts import fill, make_read_only, mount, with_own_mounts
from sandbox import CACHE, stop_service
from shell import command, refused
from support import index, make_shop

if TYPE_CHECKING:
    from harness import StartNeovim

Damage = Callable[[Path], None]


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, LocalWorker]]:
    """The shop, the data folder with its complete index, and the worker that made it."""
    base = tmp_path_factory.mktemp("indexed")
    shop = make_shop(base / "shop")
    worker = LocalWorker(Settings(), CACHE / "models")
    engine = Engine(base / "data", Settings(), worker, cache_dir=CACHE / "models")
    engine.update(shop)
    engine.close()
    with contextlib.closing(sqlite3.connect(next(base.glob("data/stores/*/sidecar/cache.db")))) as database:
        # What is damaged below must not be in the log as well: from there it would be whole again.
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    yield shop, base / "data", worker
    worker.close()


class Copied:
    """A copy of that index, to be damaged."""

    def __init__(self, indexed: tuple[Path, Path, LocalWorker], data: Path) -> None:
        self.shop, whole, self._worker = indexed
        self.data = data
        shutil.copytree(whole, data)
        (self.store,) = (data / "stores").iterdir()
        self.database = self.store / "sidecar/cache.db"
        self.words = self.store / "lexical"
        self._engine: Engine | None = None

    def engine(
        self, refresh: Callable[[Path, float], None] | None = None, clock: Callable[[], float] = time.time
    ) -> Engine:
        self.close()
        self._engine = Engine(self.data, Settings(), self._worker, refresh, CACHE / "models", clock)
        return self._engine

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()

    def ask(self, engine: Engine, query: str = "RetryPolicy") -> SearchReply:
        return engine.search(SearchRequest(query, str(self.shop), wait_ms=60_000))


@pytest.fixture
def copied(indexed: tuple[Path, Path, LocalWorker], tmp_path: Path) -> Iterator[Copied]:
    copy = Copied(indexed, tmp_path / "data")
    yield copy
    copy.close()


def overwrite_header(database: Path) -> None:
    with database.open("r+b") as file:
        file.write(b"no database" * 10)


def cut_in_the_middle(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


_FOOTER = 150
"""Bytes at the end of a file of tantivy's that are not looked at when it is read."""


def garble(file: Path) -> None:
    """Other bytes here and there, but for the end."""
    content = bytearray(file.read_bytes())
    for at in range(0, max(1, len(content) - _FOOTER), 4):
        content[at] ^= 0x55
    file.write_bytes(content)


def garble_with_checksum(file: Path) -> None:
    """Nonsense that says of itself that it is whole."""
    garble(file)
    content = file.read_bytes()
    length = struct.unpack("<I", content[-8:-4])[0]
    body, footer = content[: -8 - length], json.loads(content[-8 - length : -8])
    footer = json.dumps(footer | {"crc": zlib.crc32(body)}, separators=(",", ":")).encode()
    file.write_bytes(body + footer + struct.pack("<II", len(footer), 1337))


def garble_pages(database: Path) -> None:
    """Every second page of the database but the first."""
    content = bytearray(database.read_bytes())
    for at in range(4096, len(content), 8192):
        content[at : at + 4096] = os.urandom(len(content[at : at + 4096]))
    database.write_bytes(content)


def no_bytes(file: Path) -> None:
    file.write_bytes(b"not at all\0\xff" * 20)


@pytest.mark.parametrize("damage", [overwrite_header, cut_in_the_middle, garble_pages])
def test_a_damaged_database_is_said_with_its_folder_and_what_to_run(copied: Copied, damage: Damage) -> None:
    damage(copied.database)
    engine = copied.engine()
    hints = set()
    for act in (
        lambda: copied.ask(engine), lambda: engine.update(copied.shop), lambda: engine.status(copied.shop)
    ):  # fmt: skip
        with pytest.raises(AutoContextError) as caught:
            act()
        assert caught.value.code == "store_damaged"
        assert str(copied.store) in caught.value.message
        hints.add(caught.value.hint)
    (hint,) = hints
    assert hint.split("`")[1] == "auto-context clear"
    assert [item.path for item in engine.clear(copied.shop)] == [f"{copied.shop}/.git"]
    # Without a new process: the engine finds out that the folder is another.
    with pytest.raises(AutoContextError) as caught:
        copied.ask(engine)
    assert caught.value.code == "not_indexed"
    engine.update(copied.shop)
    assert copied.ask(engine).hits[0].path == "src/uploads.py"


def garble_the_log(database: Path) -> None:
    """A log that was written and not yet taken over: what it says is lost, what the database says is not."""
    database.with_name("cache.db-wal").write_bytes(os.urandom(100_000))


@pytest.mark.parametrize("what", ["log", "empty", "index"])
def test_a_store_that_lost_only_its_last_words_goes_on(copied: Copied, what: str) -> None:
    if what == "log":
        garble_the_log(copied.database)
    elif what == "index":
        copied.database.with_name("cache.db-shm").write_bytes(os.urandom(32_768))
    else:
        copied.database.write_bytes(b"")
    engine = copied.engine()
    report = engine.update(copied.shop)
    assert report.pending_chunks == 0
    assert (report.embedded_chunks > 0) == (what == "empty")
    assert copied.ask(engine).hits[0].path == "src/uploads.py"


_DAMAGES: dict[Damage, list[str]] = {
    cut_in_the_middle: ["meta.json", "*.term", "*.idx"],
    garble: ["*.term", "*.idx", "*.fast", "*.store", "*.fieldnorm"],
    no_bytes: ["meta.json", "generation"],
    Path.unlink: ["meta.json", "generation", "*.idx"],
}


@pytest.mark.parametrize(("damage", "name"), [(damage, name) for damage, names in _DAMAGES.items() for name in names])
def test_a_damaged_lexical_index_is_made_again_by_itself(copied: Copied, damage: Damage, name: str) -> None:
    whole = copied.engine()
    before = [hit.path for hit in copied.ask(whole).hits]
    copied.close()
    damage(min(copied.words.glob(name)))
    wanted: list[Path] = []
    engine = copied.engine(lambda root, _: wanted.append(root))
    reply = copied.ask(engine)
    assert (reply.legs["lexical"], reply.hits[0].path) == ("empty", "src/uploads.py")
    assert wanted == [copied.shop]
    report = engine.update(copied.shop)
    assert (report.changed, report.embedded_chunks) == (0, 0)
    reply = copied.ask(engine)
    assert reply.coverage["lexical"] == 1.0
    assert [hit.path for hit in reply.hits] == before
    assert "lexical" in reply.hits[0].legs


@pytest.mark.parametrize("name", ["*.idx", "*.fast"])
def test_a_lexical_index_that_turns_out_to_be_damaged_is_made_again(copied: Copied, name: str) -> None:
    garble_with_checksum(min(copied.words.glob(name)))
    wanted: list[Path] = []
    engine = copied.engine(lambda root, _: wanted.append(root))
    reply = copied.ask(engine)
    assert (reply.legs["lexical"], reply.hits[0].path) == ("down", "src/uploads.py")
    assert wanted == [copied.shop]
    assert engine.update(copied.shop).embedded_chunks == 0
    reply = copied.ask(engine)
    assert (reply.legs["lexical"], reply.coverage["lexical"]) == ("ok", 1.0)
    assert "lexical" in reply.hits[0].legs
    assert copied.ask(copied.engine()).legs["lexical"] == "ok"


def test_a_store_of_a_newer_version_is_refused_and_left_alone(copied: Copied) -> None:
    sidecar = Sidecar(copied.store / "sidecar")
    sidecar.set(b"m", pack(sidecar.meta | {"format": FORMAT + 1}))
    sidecar.close()
    size = copied.database.stat().st_size
    engine = copied.engine()
    for act in (lambda: copied.ask(engine), lambda: engine.update(copied.shop, force=True)):
        with pytest.raises(AutoContextError) as caught:
            act()
        assert caught.value.code == "store_newer"
    assert copied.database.stat().st_size == size


def first_format(packed: bytes) -> bytes:
    """A blob as format 1 had it: without symbols and imports, only its text compressed."""
    blob = unpack_blob(packed)
    text = zlib.compress(blob.text.encode())
    hashes = b"".join(blob.hashes)
    return pack([blob.language, text, [list(chunk) for chunk in blob.chunks], hashes, blob.fallback, blob.previous])


def test_a_store_of_an_older_version_is_read_and_taken_over(copied: Copied) -> None:
    sidecar = Sidecar(copied.store / "sidecar")
    for key, packed in list(sidecar.scan(b"b")):
        sidecar.set(key, first_format(packed))
    sidecar.meta = {"format": 1, "model": sidecar.meta["model"]}  # without static vectors, and of other words
    sidecar.save_meta()
    sidecar.close()
    engine = copied.engine()
    assert copied.ask(engine).hits[0].path == "src/uploads.py"
    report = engine.update(copied.shop)
    assert (report.pending_chunks, report.embedded_chunks) == (0, 0)
    assert set(copied.ask(engine).coverage.values()) == {1.0}
    copied.close()
    sidecar = Sidecar(copied.store / "sidecar")
    assert sidecar.meta["format"] == FORMAT
    sidecar.close()


def test_one_damaged_store_keeps_no_other_from_its_upkeep(copied: Copied, tmp_path: Path) -> None:
    overwrite_header(copied.database)
    now = [time.time()]
    other = make_shop(tmp_path / "other")
    engine = copied.engine(clock=lambda: now[0])
    engine.update(other)
    now[0] += 2 * DAY_S
    engine.collect(60.0)
    collected = [json.loads(mark.read_text())["collected"] for mark in copied.data.glob("stores/*/use.json")]
    assert collected == [now[0], now[0]]


@with_own_mounts
def test_an_update_on_a_full_disk_fails_with_a_code_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    data = mount(paths.data_dir(), 8_000)
    filler = fill(data, but=1_000_000)
    said = refused("disk_full", "index", str(shop))
    assert str(data) in said
    assert "Traceback" not in (paths.log_dir() / "service.err").read_text()
    refused("disk_full", "index", str(shop))
    filler.unlink()
    report = index(ServiceClient(), shop)
    assert report["pending_chunks"] == 0
    done = command("search", "RetryPolicy", "--root", str(shop), "--limit", "1")
    assert done.stdout.startswith("src/uploads.py")


@with_own_mounts
def test_a_disk_that_is_full_is_still_searched(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    data = mount(paths.data_dir(), 8_000)
    client = ServiceClient()
    before = index(client, shop)
    filler = fill(data)
    (shop / "new.py").write_text("def heron():\n    return 'grey'\n" * 200)
    done = command("search", "RetryPolicy", "--root", str(shop), "--limit", "1")
    assert done.stdout.startswith("src/uploads.py"), done.stderr
    refused("disk_full", "index", str(shop))
    filler.unlink()
    after = index(client, shop)
    assert (after["files"], after["pending_chunks"]) == (before["files"] + 1, 0)
    assert after["embedded_chunks"] < before["embedded_chunks"]
    assert command("search", "heron", "--root", str(shop), "--limit", "1").stdout.startswith("new.py")


@with_own_mounts
@pytest.mark.parametrize(
    ("variable", "folder"),
    [
        ("AUTO_CONTEXT_DATA_DIR", "data/auto-context"),
        ("AUTO_CONTEXT_LOG_DIR", "state/auto-context"),
        ("AUTO_CONTEXT_RUNTIME_DIR", "run"),
    ],
)
def test_a_folder_in_which_nothing_can_be_written_is_named_with_its_variable(
    variable: str, folder: str, tmp_path: Path
) -> None:
    home = mount(tmp_path / "home", 100)
    make_read_only(home)
    said = refused("storage_failed", "search", "x", "--root", str(tmp_path), **{variable: str(home / folder)})
    assert str(home / folder) in said
    assert f"set {variable} to a folder that is" in said


@with_own_mounts
def test_an_index_that_can_only_be_read_is_said(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    data = mount(paths.data_dir(), 8_000)
    client = ServiceClient()
    index(client, shop)
    stop_service()
    make_read_only(data)
    for arguments in (["search", "x", "--root", str(shop)], ["index", str(shop)]):
        said = refused("storage_failed", *arguments)
        assert str(data) in said
        assert "auto-context clear" not in said


@with_own_mounts
def test_a_home_in_which_nothing_can_be_written_needs_one_variable_for_each_folder(tmp_path: Path) -> None:
    home = mount(tmp_path / "home", 100)
    make_read_only(home)
    shop = make_shop(tmp_path / "shop")
    names = [f"AUTO_CONTEXT_{name}_DIR" for name in ("LOG", "DATA", "CACHE", "RUNTIME", "CONFIG")]
    variables = dict.fromkeys([*names, *(f"XDG_{name}_HOME" for name in ("DATA", "STATE", "CACHE", "CONFIG"))], "")
    variables |= {"HOME": str(home), "AUTO_CONTEXT_RUNTIME_DIR": os.environ["AUTO_CONTEXT_RUNTIME_DIR"]}
    for name in ("LOG", "DATA", "CACHE"):
        said = refused("storage_failed", "index", str(shop), **variables)
        assert f"set AUTO_CONTEXT_{name}_DIR to a folder that is" in said
        variables[f"AUTO_CONTEXT_{name}_DIR"] = str(CACHE if name == "CACHE" else tmp_path / name)
        if name == "CACHE":
            # Words are indexed without it. The service has its folders from whoever started it.
            assert command("search", "RetryPolicy", "--root", str(shop), **variables).stdout.startswith(
                "src/uploads.py"
            )
            assert command("service", "stop", **variables).stdout == "stopped\n"
    assert command("index", str(shop), **variables).returncode == 0
    assert command("service", "stop", **variables).stdout == "stopped\n"


def test_neovim_shows_what_to_run_and_no_traceback(start_nvim: StartNeovim, tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    index(ServiceClient(), shop)
    stop_service()
    (database,) = paths.data_dir().glob("stores/*/sidecar/cache.db")
    for file in database.parent.glob("cache.db-*"):
        file.unlink()
    overwrite_header(database)
    child = start_nvim(cwd=shop)
    child.keys(":AutoContext search RetryPolicy<CR>")
    # Not the screen, where a long line is broken anywhere.
    child.wait_for(lambda: "cannot be read" in "\n".join(rows(child)), timeout_s=60)
    shown = "\n".join(rows(child))
    assert "`:AutoContext clear`" in shown
    assert database.parents[1].name in shown
    assert "raceback" not in shown
