"""The ranking of every golden query over the fixture repository, line by line.

A change in ranking fails here with a diff; ``make test ARGS='tests/quality --update-golden'`` accepts it.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auto_context.config import Settings
from auto_context.engine import Engine
from auto_context.types import Hit, SearchRequest
from support import FIXTURES, git

HERE = Path(__file__).parent
GOLDEN = HERE / "golden.jsonl"
SHOWN = 5
LEAST = {"recall1": 0.6, "recall5": 0.85, "mrr": 0.7}
"""Below this the ranking is broken, whatever the golden file says."""


@pytest.fixture(scope="module")
def bazaar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Path]]:
    """The fixture repository, indexed. In fp32, so that every machine ranks alike."""
    base = tmp_path_factory.mktemp("golden")
    folder = base / "bazaar"
    shutil.copytree(FIXTURES / "bazaar", folder)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-qm", "all")
    engine = Engine(base / "data", Settings(precision="fp32"))
    engine.update(folder)
    yield engine, folder
    engine.close()


def place(hit: Hit) -> str:
    return f"{hit.path}::{hit.symbol}" if hit.symbol else hit.path


def answers(hit: Hit, wanted: list[str]) -> bool:
    """Whether a hit is one of the answers: the file, and the symbol when one is named."""
    for answer in wanted:
        path, _, symbol = answer.partition("::")
        said = hit.symbol == symbol or hit.symbol.startswith(symbol + ".") or symbol.startswith(hit.symbol + ".")
        if hit.path == path and (not symbol or (hit.symbol and said) or symbol.rsplit(".", 1)[-1] in hit.text):
            return True
    return False


def ranked(bazaar: tuple[Engine, Path]) -> list[dict[str, Any]]:
    engine, root = bazaar
    rows = []
    for query in tomllib.loads((HERE / "golden_queries.toml").read_text("utf-8"))["query"]:
        reply = engine.search(SearchRequest(query["text"], str(root), limit=20, wait_ms=60_000))
        assert set(reply.legs.values()) == {"ok"}, query
        rank = next((at for at, hit in enumerate(reply.hits, 1) if answers(hit, query["answers"])), 0)
        top = [place(hit) for hit in reply.hits[:SHOWN]]
        rows.append({"category": query["category"], "query": query["text"], "rank": rank, "top": top})
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    ranks = [row["rank"] for row in rows]
    return {
        "recall1": round(sum(rank == 1 for rank in ranks) / len(ranks), 3),
        "recall5": round(sum(0 < rank <= SHOWN for rank in ranks) / len(ranks), 3),
        "mrr": round(sum(1 / rank for rank in ranks if rank) / len(ranks), 3),
    }


def test_the_ranking_is_the_golden_one(bazaar: tuple[Engine, Path], request: pytest.FixtureRequest) -> None:
    rows = ranked(bazaar)
    figures = summary(rows)
    lines = [json.dumps(figures), *(json.dumps(row, ensure_ascii=False) for row in rows)]
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text("\n".join(lines) + "\n", "utf-8")
    assert all(figures[name] >= least for name, least in LEAST.items()), figures
    assert lines == GOLDEN.read_text("utf-8").splitlines()


def test_a_second_run_ranks_alike(bazaar: tuple[Engine, Path]) -> None:
    assert ranked(bazaar) == ranked(bazaar)


def test_the_repository_is_what_it_should_be() -> None:
    files = [path for path in (FIXTURES / "bazaar").rglob("*") if path.is_file()]
    assert len(files) >= 36
    assert len({path.suffix for path in files}) >= 8
    assert any("vendor" in path.parts for path in files)
    assert any("test" in path.name for path in files)
