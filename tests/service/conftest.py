"""One service for the tests of a module, on the shop."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from auto_context.service.client import ServiceClient
from sandbox import sandboxed
from support import Clock, index, make_shop


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with sandboxed(tmp_path_factory.mktemp("home")) as variables:
        yield variables


@pytest.fixture
def sandbox(home: dict[str, str]) -> dict[str, str]:
    """In place of one sandbox for each test."""
    return home


@pytest.fixture(scope="module")
def client(home: dict[str, str]) -> ServiceClient:  # noqa: ARG001 - its order
    return ServiceClient()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, client: ServiceClient) -> Path:
    folder = make_shop(tmp_path_factory.mktemp("repository") / "shop")
    index(client, folder)
    return folder


@pytest.fixture
def clock() -> Clock:
    return Clock()
