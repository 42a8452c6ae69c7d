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
from harness import Child
from sharing import shared_sandbox
from support import index, make_shop

QUERIES = ["auth flow", "RetryPolicy", "cart.ts", "where do we try again after the network fails"]
Hits = list[dict[str, Any]]

IN_NEOVIM = """
    local query, root = ...
    vim.g.parity = nil
    require('auto_context').search(query, { root = root, wait_ms = 30000 }, function(error, reply)
      vim.g.parity = vim.json.encode(error or reply)
    end)
"""


sandbox = shared_sandbox()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, sandbox: dict[str, str]) -> Path:  # noqa: ARG001 - its order
    folder = make_shop(tmp_path_factory.mktemp("repository") / "shop")
    index(ServiceClient(), folder)
    return folder


@pytest.fixture(scope="module")
def expected(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Hits]:
    """What an engine of its own finds."""
    engine = Engine(tmp_path_factory.mktemp("data"), Settings())
    try:
        engine.update(shop)
        replies = {query: engine.search(SearchRequest(query, str(shop), wait_ms=60_000)) for query in QUERIES}
    finally:
        engine.close()
    # As JSON has it: a tuple is a list there.
    return {query: json.loads(json.dumps(reply.to_dict()["hits"])) for query, reply in replies.items()}


def test_there_is_something_to_compare(expected: dict[str, Hits]) -> None:
    assert all(hits for hits in expected.values())


@pytest.mark.parametrize("query", QUERIES)
def test_http(shop: Path, expected: dict[str, Hits], query: str) -> None:
    params = {"query": query, "root": str(shop), "wait_ms": 30_000}
    assert ServiceClient().request("GET", "/search", params=params)["hits"] == expected[query]


@pytest.mark.parametrize("query", QUERIES)
def test_command_line(shop: Path, expected: dict[str, Hits], query: str) -> None:
    command = [sys.executable, "-m", "auto_context", "search", query, "--root", str(shop), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["hits"] == expected[query]


def test_neovim(nvim_binary: Path, shop: Path, expected: dict[str, Hits]) -> None:
    with Child(nvim_binary, cwd=shop) as child:
        for query in QUERIES:
            child.lua(IN_NEOVIM, query, str(shop))
            answer = child.wait_for(lambda: child.request("nvim_eval", "get(g:, 'parity', v:null)"), timeout_s=60)
            assert json.loads(answer)["hits"] == expected[query]
