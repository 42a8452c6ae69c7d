"""What every test gets: a sandbox, and for those that ask engines, the Neovim binaries and children to drive."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.engine.work import LocalWorker
from sandbox import CACHE, sandboxed
from support import OpenEngine, make_shop

if TYPE_CHECKING:
    from harness import Child, StartNeovim

CACHED = Path(__file__).resolve().parents[1] / ".cache/nvim"


def nvim_binaries() -> list[Path]:
    """``$AUTO_CONTEXT_TEST_NVIM`` (a path list), else what set-up unpacked."""
    named = os.environ.get("AUTO_CONTEXT_TEST_NVIM", "")
    if named:
        return [Path(item) for item in named.split(os.pathsep) if item]
    return sorted(CACHED.glob("*/usr/bin/nvim"), reverse=True)


def nvim_version(binary: Path) -> str:
    """As in ``0.12.4``."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"NVIM v(\S+)", said)
    return found[1] if found else "unknown"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` accepts the rankings as they are now."""
    parser.addoption("--update-golden", action="store_true", help="write the golden rankings and screens anew")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``nvim_binary`` once on each version."""
    if "nvim_binary" not in metafunc.fixturenames:
        return
    binaries = nvim_binaries()
    if not binaries:
        raise pytest.UsageError("no Neovim to test with: run `make test`, or set AUTO_CONTEXT_TEST_NVIM")
    metafunc.parametrize("nvim_binary", binaries, ids=map(nvim_version, binaries), scope="session")


@pytest.fixture(autouse=True)
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Every user folder is a temporary one, and the service of this test ends with it.

    A module whose tests share one service has another of this name: see ``sharing``.
    """
    with sandboxed(tmp_path_factory.mktemp("home")) as variables:
        yield variables


@pytest.fixture
def start_nvim(nvim_binary: Path, sandbox: dict[str, str]) -> Iterator[StartNeovim]:  # noqa: ARG001 - its order
    """Start children of one version, on the project's plugin; all end with the test."""
    from harness import Child  # noqa: PLC0415 - pynvim is not for every test

    children: list[Child] = []

    def start(*, cwd: Path, **options: object) -> Child:
        children.append(Child(nvim_binary, cwd=cwd, **options))  # type: ignore[arg-type]  # passed on
        return children[-1]

    yield start
    for child in children:
        child.close()


@pytest.fixture(scope="session")
def worker() -> Iterator[LocalWorker]:
    """The real model, loaded once."""
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
    """One engine on an empty data folder."""
    return open_engine()
