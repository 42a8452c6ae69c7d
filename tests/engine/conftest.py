"""Engines on real git repositories, with the real model loaded once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.engine.work import LocalWorker
from sandbox import CACHE
from support import make_shop


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
