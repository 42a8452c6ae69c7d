"""One question, four ways in: the engine, HTTP, the command line and Neovim give the same hits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.service.client import ServiceClient
from auto_context.types import SearchRequest
from support import follow_job, make_shop

QUERIES = ["auth flow", "RetryPolicy", "cart.ts", "where do we try again after the network fails"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shop(tmp_path_factory.mktemp("parity") / "shop")


@pytest.fixture(scope="module")
def from_engine(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    engine = Engine(tmp_path_factory.mktemp("data"), Settings())
    engine.update(shop)
    hits = {
        query: engine.search(SearchRequest(query, str(shop), wait_ms=60_000)).to_dict()["hits"] for query in QUERIES
    }
    engine.close()
    return hits
