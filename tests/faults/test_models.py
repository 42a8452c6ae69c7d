"""Models that are damaged, and workers that die again and again: words and names are found all the same."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.engine.work import QUERY
from auto_context.errors import AutoContextError
from auto_context.service.client import ServiceClient
from auto_context.service.workers import Workers
from auto_context.types import SearchReply, SearchRequest
from sandbox import CACHE
from shell import command
from support import Clock, index, make_shop, wait_until

Damage = Callable[[Path], None]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_models import write_model  # noqa: PLC0415 - torch and transformers, for few tests

    return write_model(tmp_path_factory.mktemp("models"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop")


def ask(engine: Engine, root: Path, query: str = "RetryPolicy") -> SearchReply:
    return engine.search(SearchRequest(query, str(root), wait_ms=60_000))


def without(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def cut(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", 1_000)


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weights": [1.0]}))


def another_width(folder: Path) -> None:
    pooling = folder / "1_Pooling/config.json"
    pooling.write_text(pooling.read_text().replace("32", "48"))


_DAMAGES: dict[str, tuple[Damage, str]] = {
    "config": (without("config.json"), "model_missing"),
    "tokenizer": (without("tokenizer.json"), "model_invalid"),
    "weights": (without("model.safetensors"), "model_invalid"),
    "cut": (cut, "model_invalid"),
    "pickle": (pickled, "model_invalid"),
    "width": (another_width, "model_invalid"),
    "folder": (shutil.rmtree, "model_missing"),
}


@pytest.mark.parametrize(("damage", "code"), _DAMAGES.values(), ids=_DAMAGES)
def test_a_model_that_is_not_whole_is_said_and_words_are_found(
    damage: Damage, code: str, model: Path, shop: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    damage(folder)
    engine = Engine(tmp_path / "data", Settings(model=str(folder), backend="torch"), cache_dir=tmp_path / "cache")
    try:
        with pytest.raises(AutoContextError) as caught:
            engine.update(shop)
        assert caught.value.code == code
        assert str(folder) in caught.value.message
        reply = ask(engine, shop)
        assert reply.legs["vector"] in {"down", "empty"}
        assert reply.hits[0].path == "src/uploads.py"
    finally:
        engine.close()


@pytest.fixture
def workers(tmp_path: Path, clock: Clock) -> Iterator[Workers]:
    made = Workers(tmp_path / "config", CACHE / "models", clock, readers=1)
    yield made
    made.close()


def kill_while_it_starts(workers: Workers) -> None:
    pending = workers.embedder.submit("ping", {}, QUERY)
    os.kill(workers.embedder.pid or 0, signal.SIGKILL)
    with pytest.raises(AutoContextError) as caught:
        pending.result(30)
    assert caught.value.code == "worker_down"


def test_a_worker_killed_four_times_in_a_row_is_left_alone_and_comes_back(
    workers: Workers, shop: Path, tmp_path: Path, clock: Clock
) -> None:
    engine = Engine(tmp_path / "data", Settings(), workers, cache_dir=CACHE / "models")
    try:
        engine.update(shop)
        for _ in range(3):
            kill_while_it_starts(workers)
        assert workers.state == "down"
        clock.now += 30
        kill_while_it_starts(workers)
        assert workers.state == "down"
        reply = ask(engine, shop, "where is a query for the first time")
        assert reply.legs["vector"] == "down"
        assert ask(engine, shop).hits[0].path == "src/uploads.py"
        (shop / "heron.py").write_text("def heron():\n    return 'grey'\n")
        assert engine.update_paths(shop, ["heron.py"]).pending_chunks == 1
        assert ask(engine, shop, "heron").hits[0].path == "heron.py"
        assert engine.status(shop).embedding == "down"
        assert workers.embedder.pid is None
        clock.now += 30
        assert engine.update(shop).pending_chunks == 0
        assert ask(engine, shop, "heron").legs["vector"] == "ok"
    finally:
        engine.close()


def test_a_search_without_its_worker_says_so_with_a_code(shop: Path) -> None:
    client = ServiceClient()
    index(client, shop)
    for number in range(3):
        params = {"query": f"the {number}th query", "root": str(shop)}
        client.request("GET", "/search", params=params)
        pid = client.request("GET", "/status")["service"]["worker_pid"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: client.request("GET", "/status")["service"]["worker_pid"] is None)
    assert client.request("GET", "/status")["service"]["worker"] == "down"
    done = command("search", "retry an upload that failed", "--root", str(shop))
    assert done.returncode == 0
    assert done.stdout.startswith("src/uploads.py")
    assert "(worker_down)\n  search goes on without vectors" in done.stderr
    assert "Traceback" not in done.stderr
