"""The main job on a small repository: by meaning, by name, by file."""

from pathlib import Path

import pytest

from auto_context.engine import Engine
from auto_context.errors import AutoContextError
from auto_context.types import SearchReply, SearchRequest


def ask(engine: Engine, root: Path, query: str, **options: object) -> SearchReply:
    options.setdefault("wait_ms", 60_000)
    return engine.search(SearchRequest(query, str(root), **options))  # type: ignore[arg-type]  # passed on


@pytest.mark.parametrize(
    ("query", "path", "symbol"),
    [
        ("auth flow", "src/accounts.py", ""),
        ("where do we try again after the network fails", "src/uploads.py", ""),
        ("RetryPolicy", "src/uploads.py", "RetryPolicy"),
        ("sign_in", "src/accounts.py", "sign_in"),
        ("cart.ts", "web/cart.ts", ""),
        ("wait until somebody stops typing", "web/search.js", "debounce"),
        ("are there enough pieces left", "src/stock.go", ""),
        ("money back", "docs/guide.md", "Refunds"),
    ],
)
def test_the_first_hit(shared_shop: tuple[Engine, Path], query: str, path: str, symbol: str) -> None:
    engine, root = shared_shop
    reply = ask(engine, root, query)
    assert reply.legs == {"lexical": "ok", "path": "ok", "static": "ok", "vector": "ok"}
    assert reply.hits[0].path == path
    assert symbol in reply.hits[0].symbol


def test_auth_flow_shares_no_word_with_what_it_finds(shared_shop: tuple[Engine, Path]) -> None:
    engine, root = shared_shop
    best = ask(engine, root, "auth flow").hits[:2]
    assert {hit.path for hit in best} == {"src/accounts.py"}
    assert "sign_in" in {hit.symbol for hit in best}
    text = (root / "src/accounts.py").read_text().lower()
    assert "auth" not in text
    assert "flow" not in text


def test_hits_quote_the_file_and_say_who_found_them(shared_shop: tuple[Engine, Path]) -> None:
    engine, root = shared_shop
    reply = ask(engine, root, "RetryPolicy")
    assert reply.branch == "main"
    assert set(reply.coverage.values()) == {1.0}
    for hit in reply.hits:
        lines = (root / hit.path).read_text().split("\n")[hit.start_line - 1 : hit.end_line]
        assert hit.text == "\n".join(lines)
        assert hit.fresh
        assert hit.start_line <= hit.focus[0] <= hit.focus[1] <= hit.end_line
    assert set(reply.hits[0].legs) >= {"lexical", "vector"}


def test_filters(shared_shop: tuple[Engine, Path]) -> None:
    engine, root = shared_shop
    assert {h.path for h in ask(engine, root, "basket", path="web/**").hits} <= {"web/cart.ts", "web/search.js"}
    assert {h.language for h in ask(engine, root, "count pieces", language="go").hits} == {"go"}
    assert ask(engine, root, "basket", path="absent/*").hits == []
    assert len(ask(engine, root, "basket", limit=2).hits) == 2


def test_a_threshold_leaves_out_what_is_far_behind_the_best(shared_shop: tuple[Engine, Path]) -> None:
    engine, root = shared_shop
    everything = ask(engine, root, "retry a failed upload", limit=50).hits
    best = max(hit.score for hit in everything)
    near = [hit for hit in everything if hit.score >= 0.5 * best]
    assert 0 < len(near) < len(everything)
    assert ask(engine, root, "retry a failed upload", limit=50, threshold=0.5).hits == near
    assert ask(engine, root, "retry a failed upload", limit=50, threshold=1.0).hits == [
        hit for hit in everything if hit.score == best
    ]
    assert ask(engine, root, "no such word anywhere, qqq", path="absent/*", threshold=0.5).hits == []


def test_a_subfolder_limits_the_hits_and_paths_are_relative_to_it(shared_shop: tuple[Engine, Path]) -> None:
    engine, root = shared_shop
    reply = ask(engine, root / "web", "basket total")
    assert reply.root == str(root / "web")
    assert {hit.path for hit in reply.hits} <= {"cart.ts", "search.js"}


@pytest.mark.parametrize(
    "query", ["", "   ", "?!.,;", "\x00", "\udcff", "x" * 100_000, "AND OR NOT (", '"', "a:b", "**["]
)
def test_odd_queries_are_answered(shared_shop: tuple[Engine, Path], query: str) -> None:
    engine, root = shared_shop
    assert isinstance(ask(engine, root, query).hits, list)


def test_a_root_that_was_never_indexed_says_so(engine: Engine, tmp_path: Path) -> None:
    for missing, code in ((tmp_path / "absent", "path_missing"), (tmp_path, "not_indexed")):
        with pytest.raises(AutoContextError) as caught:
            ask(engine, missing, "x")
        assert caught.value.code == code
