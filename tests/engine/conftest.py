"""Engines on real git repositories, with the real model loaded once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.engine.work import LocalWorker
from sandbox import CACHE
from support import OpenEngine, make_shop


@pytest.fixture(scope="session")
def worker() -> Iterator[LocalWorker]:
    shared = LocalWorker(Settings(), CACHE / "models")
    yield shared
    shared.close()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small repository in several languages, committed on main."""
    return make_shop(tmp_path / "shop")


@pytest.fixture
def open_engine(tmp_path: Path, worker: LocalWorker) -> Iterator[OpenEngine]:
    """Make engines on one data folder; each is closed before the next is opened."""
    opened: list[Engine] = []

    def make(settings: Settings | None = None, **options: object) -> Engine:
        while opened:
            opened.pop().close()
        options.setdefault("worker", worker)
        engine = Engine(tmp_path / "data", settings or Settings(), **options)  # type: ignore[arg-type]  # passed on
        opened.append(engine)
        return engine

    yield make
    while opened:
        opened.pop().close()


@pytest.fixture
def engine(open_engine: OpenEngine) -> Engine:
    return open_engine()


@pytest.fixture(scope="session")
def shared_shop(tmp_path_factory: pytest.TempPathFactory, worker: LocalWorker) -> Iterator[tuple[Engine, Path]]:
    """The shop, indexed once, for tests that only search."""
    base = tmp_path_factory.mktemp("shared")
    folder = make_shop(base / "shop")
    engine = Engine(base / "data", Settings(), worker, cache_dir=CACHE / "models")
    engine.update(folder)
    yield engine, folder
    engine.close()


@pytest.fixture
def tiny_model(tmp_path: Path) -> Path:
    """Another model: random weights, 32 dimensions."""
    from tiny_models import write_model  # noqa: PLC0415 - torch and transformers, for few tests

    return write_model(tmp_path / "models")
