"""When the worker or the model is missing: the other legs answer at once, and what waits is done later."""

import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.engine.work import BULK, LocalWorker, WorkerState
from auto_context.errors import AutoContextError
from auto_context.types import SearchReply, SearchRequest
from sandbox import CACHE
from support import OpenEngine


class Flaky:
    """The real worker, but for operations that are made to fail or to hang."""

    def __init__(self, worker: LocalWorker) -> None:
        self._worker = worker
        self.fails: set[str] = set()
        self.hangs: set[str] = set()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.state: WorkerState = "ready"

    def submit(self, op: str, params: dict[str, Any], priority: int = BULK) -> Future[dict[str, Any]]:
        self.asked.append((op, params))
        future: Future[dict[str, Any]] = Future()
        if op in self.fails:
            future.set_exception(AutoContextError("worker_down", "made to fail"))
            return future
        return future if op in self.hangs else self._worker.submit(op, params, priority)

    def depth(self, op: str) -> int:
        return self._worker.depth(op)

    def close(self) -> None:
        """The real one is closed by its owner."""


@pytest.fixture
def flaky(worker: LocalWorker) -> Flaky:
    return Flaky(worker)


def ask(engine: Engine, root: Path, query: str, wait_ms: int = 0) -> SearchReply:
    return engine.search(SearchRequest(query, str(root), wait_ms=wait_ms))


def test_words_and_names_are_indexed_without_a_model(open_engine: OpenEngine, flaky: Flaky, shop: Path) -> None:
    engine = open_engine(worker=flaky)
    flaky.fails = {"embed", "query"}
    report = engine.update(shop)
    assert report.pending_chunks == report.chunks > 0
    reply = ask(engine, shop, "RetryPolicy", wait_ms=5000)
    assert reply.legs == {"lexical": "ok", "path": "ok", "static": "ok", "vector": "down"}
    assert reply.hits[0].path == "src/uploads.py"
    assert reply.coverage == {"lexical": 1.0, "path": 1.0, "static": 1.0, "vector": 0.0}
    assert ask(engine, shop, "cart.ts").hits[0].path == "web/cart.ts"


def test_what_waits_for_vectors_waits_on_disk(open_engine: OpenEngine, flaky: Flaky, shop: Path) -> None:
    engine = open_engine(worker=flaky)
    flaky.fails = {"embed", "query", "info"}
    engine.update(shop)
    again = open_engine()
    report = again.update(shop)
    assert report.changed == 0
    assert report.embedded_chunks == report.chunks
    assert ask(again, shop, "auth flow", wait_ms=60_000).hits[0].path == "src/accounts.py"


def test_a_hanging_model_costs_no_more_than_was_granted(open_engine: OpenEngine, flaky: Flaky, shop: Path) -> None:
    engine = open_engine(worker=flaky)
    engine.update(shop)
    engine.warm()
    flaky.hangs = {"query"}
    for wait_ms, at_most_s in ((0, 0.5), (300, 0.9)):
        began = time.monotonic()
        reply = ask(engine, shop, "RetryPolicy", wait_ms)
        assert wait_ms / 1000 <= time.monotonic() - began < at_most_s
        assert reply.legs["vector"] == "loading"
        assert reply.hits[0].path == "src/uploads.py"


def test_a_warm_worker_that_is_busy_is_pending_not_loading(open_engine: OpenEngine, flaky: Flaky, shop: Path) -> None:
    engine = open_engine(worker=flaky)
    engine.update(shop)
    assert ask(engine, shop, "money back", wait_ms=60_000).legs["vector"] == "ok"
    flaky.hangs = {"query"}
    assert ask(engine, shop, "another question").legs["vector"] == "pending"
    assert ask(engine, shop, "money back").legs["vector"] == "ok"


def test_the_last_64_queries_are_not_embedded_again(open_engine: OpenEngine, flaky: Flaky, shop: Path) -> None:
    engine = open_engine(worker=flaky)
    engine.update(shop)

    def asked() -> int:
        return sum(op == "query" for op, _ in flaky.asked)

    for number in range(65):
        ask(engine, shop, f"query {number}", wait_ms=60_000)
    assert asked() == 65
    ask(engine, shop, "query 64", wait_ms=60_000)
    ask(engine, shop, "query 1", wait_ms=60_000)
    assert asked() == 65
    ask(engine, shop, "query 0", wait_ms=60_000)
    assert asked() == 66


def test_a_failed_query_is_asked_again(open_engine: OpenEngine, flaky: Flaky, shop: Path) -> None:
    engine = open_engine(worker=flaky)
    engine.update(shop)
    flaky.fails = {"query"}
    assert ask(engine, shop, "money back", wait_ms=60_000).legs["vector"] == "down"
    flaky.fails = set()
    assert ask(engine, shop, "money back", wait_ms=60_000).legs["vector"] == "ok"


def test_another_model_embeds_anew_and_is_never_mixed(open_engine: OpenEngine, shop: Path, tiny_model: Path) -> None:
    first = open_engine().update(shop)
    refreshed: list[Path] = []
    settings = Settings(model=str(tiny_model))
    other = LocalWorker(settings, CACHE / "models")
    try:
        engine = open_engine(settings, worker=other, refresh=lambda root, _: refreshed.append(root))
        reply = ask(engine, shop, "auth flow", wait_ms=60_000)
        assert reply.legs["vector"] == "empty"
        assert all("vector" not in hit.legs for hit in reply.hits)
        assert refreshed == [shop]
        report = engine.update(shop)
        assert (report.changed, report.embedded_chunks) == (0, first.chunks)
        assert ask(engine, shop, "auth flow", wait_ms=60_000).legs["vector"] == "ok"
    finally:
        other.close()
    back = open_engine().update(shop)
    assert (back.embedded_chunks, back.embedded_paths) == (0, 0)


def test_a_model_that_is_not_there_is_named_and_words_still_work(
    open_engine: OpenEngine, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # where nobody listens
    settings = Settings(model="nobody/has-this-model")
    worker = LocalWorker(settings, CACHE / "models")
    try:
        engine = open_engine(settings, worker=worker)
        with pytest.raises(AutoContextError) as caught:
            engine.update(shop)
        assert caught.value.code == "download_failed"
        reply = ask(engine, shop, "RetryPolicy", wait_ms=1000)
        assert reply.legs["vector"] == "down"
        assert reply.hits[0].path == "src/uploads.py"
    finally:
        worker.close()


def test_a_file_that_crashes_a_grammar_is_cut_by_lines_and_counted(
    open_engine: OpenEngine, flaky: Flaky, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(worker=flaky)
    submit = flaky.submit

    def crash_on_stock(op: str, params: dict[str, Any], priority: int = BULK) -> Future[dict[str, Any]]:
        if op == "chunk" and "src/stock.go" in params["paths"] and not params["plain"]:
            future: Future[dict[str, Any]] = Future()
            future.set_exception(AutoContextError("worker_down", "the worker ended with status -11"))
            return future
        return submit(op, params, priority)

    monkeypatch.setattr(flaky, "submit", crash_on_stock)
    report = engine.update(shop)
    assert report.fallbacks == {"parse_failed": 1}
    assert report.pending_chunks == 0
    hit = ask(engine, shop, "take pieces off the shelf", wait_ms=60_000).hits[0]
    assert (hit.path, hit.kind) == ("src/stock.go", "window")
