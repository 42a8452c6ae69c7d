"""Operators in the query, on a small repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auto_context.engine import Engine
from auto_context.rank import is_test
from auto_context.types import Hit, SearchReply, SearchRequest
from support import git


def ask(engine: Engine, root: Path, query: str, **options: object) -> SearchReply:
    options.setdefault("wait_ms", 60_000)
    options.setdefault("limit", 50)
    return engine.search(SearchRequest(query, str(root), **options))  # type: ignore[arg-type]  # passed on


def hits(shop: tuple[Engine, Path], query: str) -> list[Hit]:
    return ask(*shop, query).hits


def test_path_is_a_part_of_the_path_or_a_glob(shared_shop: tuple[Engine, Path]) -> None:
    assert {hit.path.split("/")[0] for hit in hits(shared_shop, "basket path:web")} == {"web"}
    assert {hit.path for hit in hits(shared_shop, "basket path:WEB/car")} == {"web/cart.ts"}
    assert {hit.path for hit in hits(shared_shop, "basket path:src/*.py")} <= {
        "src/basket.py", "src/accounts.py", "src/uploads.py", "src/mail.py",
    }  # fmt: skip
    assert hits(shared_shop, "basket path:nowhere") == []


@pytest.mark.parametrize("asked", ["py", "python", "Python", "pyth"])
def test_lang_knows_names_endings_and_beginnings(shared_shop: tuple[Engine, Path], asked: str) -> None:
    assert {hit.language for hit in hits(shared_shop, f"basket lang:{asked}")} == {"python"}


def test_kind(shared_shop: tuple[Engine, Path]) -> None:
    classes = hits(shared_shop, "how often is it tried kind:class")
    assert classes[0].symbol == "RetryPolicy"
    assert {hit.kind for hit in classes} <= {"class", "struct"}
    assert {hit.kind for hit in hits(shared_shop, "send a picture kind:fn")} <= {"function", "method"}


def test_a_phrase_must_be_there(shared_shop: tuple[Engine, Path]) -> None:
    found = hits(shared_shop, '"growing pauses" upload')
    assert {hit.path for hit in found} == {"src/uploads.py"}
    assert all("growing pauses" in hit.text for hit in found)
    assert hits(shared_shop, '"pauses growing"') == []


def test_a_word_can_be_left_out(shared_shop: tuple[Engine, Path]) -> None:
    everything = hits(shared_shop, "basket")
    assert any("tax" in hit.text for hit in everything)
    without = hits(shared_shop, "basket -tax")
    assert without
    assert not any("tax" in hit.text.lower().split() for hit in without)
    assert not any(hit.path == "web/cart.ts" for hit in hits(shared_shop, "basket -cart"))


def test_a_pattern_filters(shared_shop: tuple[Engine, Path]) -> None:
    found = hits(shared_shop, "retry /attempts=\\d/")
    assert {hit.path for hit in found} == {"src/uploads.py", "tests/test_uploads.py"}
    assert hits(shared_shop, "retry /attempts=\\d{7}/") == []


def test_a_pattern_may_name_the_ends_of_a_hit(shared_shop: tuple[Engine, Path]) -> None:
    assert "src/uploads.py" in {hit.path for hit in hits(shared_shop, "/\\Adef upload_picture/")}


def test_a_pattern_alone_reads_through_everything(shared_shop: tuple[Engine, Path]) -> None:
    reply = ask(*shared_shop, "/def \\w+\\(self\\):/")
    assert {hit.path for hit in reply.hits} >= {"src/basket.py", "src/uploads.py"}
    assert reply.legs == {"lexical": "ok", "path": "off", "static": "off", "vector": "off"}


def test_filters_alone_list_what_passes(shared_shop: tuple[Engine, Path]) -> None:
    assert {hit.language for hit in hits(shared_shop, "lang:go kind:function")} == {"go"}
    assert {hit.path for hit in hits(shared_shop, "path:web/cart.ts")} == {"web/cart.ts"}


def test_a_pattern_that_never_ends_is_given_up(shared_shop: tuple[Engine, Path]) -> None:
    reply = ask(*shared_shop, "/(?s)(.*)(.*)(.*)(.*)[0-9]{9}/ retry")
    assert reply.took_ms < 3_000
    assert reply.legs["lexical"] == "partial"
    assert reply.hits == []


def test_a_line_of_a_traceback_leads_to_that_line(shared_shop: tuple[Engine, Path]) -> None:
    engine, root = shared_shop
    lines = (root / "src/uploads.py").read_text().split("\n")
    line = next(at for at, text in enumerate(lines, 1) if "time.sleep" in text)
    for query in (f'  File "src/uploads.py", line {line}, in upload_picture', f"uploads.py:{line}"):
        first = ask(engine, root, query).hits[0]
        assert first.path == "src/uploads.py"
        assert first.focus[0] == line


def test_the_row_of_a_word_being_typed_does_not_flicker(shared_shop: tuple[Engine, Path]) -> None:
    for typed in ("RetryPol", "RetryPoli", "RetryPolic", "RetryPolicy"):
        assert any(hit.path == "src/uploads.py" for hit in hits(shared_shop, typed)[:2]), typed


def test_files_first_or_lines_first(shared_shop: tuple[Engine, Path]) -> None:
    first = [hit.path for hit in ask(*shared_shop, "basket", per_file=1).hits[:4]]
    assert len(set(first)) == len(first)


def test_explain_adds_up(shared_shop: tuple[Engine, Path]) -> None:
    reply = ask(*shared_shop, "RetryPolicy", explain=True)
    for hit in reply.hits:
        assert hit.explain is not None
        assert set(hit.explain["legs"]) == set(hit.legs)
        score = hit.explain["fused"]
        for step in hit.explain["steps"]:
            score *= step["factor"]
        assert score == pytest.approx(hit.score, abs=0.001)
    assert any(step["step"] == "definition" for step in (reply.hits[0].explain or {})["steps"])
    assert all(hit.explain is None for hit in ask(*shared_shop, "RetryPolicy").hits)
    assert "explain" not in ask(*shared_shop, "RetryPolicy").to_dict()["hits"][0]


def test_a_leg_or_a_step_can_be_left_out(shared_shop: tuple[Engine, Path]) -> None:
    reply = ask(*shared_shop, "RetryPolicy", off=("vector", "noise"))
    assert reply.legs["vector"] == "off"
    assert not any("vector" in hit.legs for hit in reply.hits)


def commit(folder: Path, path: str, text: str, subject: str, when: str) -> None:
    (folder / path).write_text(text)
    os.environ["GIT_AUTHOR_DATE"] = os.environ["GIT_COMMITTER_DATE"] = when
    try:
        git(folder, "add", path)
        git(folder, "commit", "-qm", subject)
    finally:
        del os.environ["GIT_AUTHOR_DATE"], os.environ["GIT_COMMITTER_DATE"]


def test_hits_know_their_last_commit_and_since_asks_for_it(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "dated"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "old.py", "def parse_price(text):\n    return text\n", "Prices are read", "2020-02-03T04:05:06Z")
    commit(folder, "new.py", "def format_price(cents):\n    return cents\n", "Prices are shown", "2024-05-06T07:08:09Z")
    engine.update(folder)
    subjects = {h.path: h.last_commit for h in ask(engine, folder, "price").hits}
    assert subjects["old.py"] == {"time": 1580702706, "subject": "Prices are read"}
    assert {h.path for h in ask(engine, folder, "price since:2023-01-01").hits} == {"new.py"}
    assert {h.path for h in ask(engine, folder, "price since:2019-01-01").hits} == {"old.py", "new.py"}

    commit(folder, "old.py", "def parse_price(text):\n    return int(text)\n", "As numbers", "2024-06-06T07:08:09Z")
    (folder / "draft.py").write_text("def draft_price():\n    pass\n")
    engine.update(folder)
    commits = {h.path: h.last_commit for h in ask(engine, folder, "price").hits}
    assert (commits["old.py"] or {})["subject"] == "As numbers"
    assert (commits["new.py"] or {})["subject"] == "Prices are shown"
    assert commits["draft.py"] is None
    since = {h.path for h in ask(engine, folder, "price since:2024-06-01").hits}
    assert since == {"old.py", "draft.py"}, "a file that was never committed counts by its own time"

    git(folder, "commit", "-q", "--amend", "-m", "As whole numbers")
    engine.update(folder)
    rewritten = {h.path: h.last_commit for h in ask(engine, folder, "price").hits}
    assert (rewritten["old.py"] or {})["subject"] == "As whole numbers"


def test_a_file_without_content_is_found_by_what_is_known_of_it(engine: Engine, shop: Path) -> None:
    (shop / "assets").mkdir()
    (shop / "assets/logo-wide.png").write_bytes(b"\x89PNG\0" * 30_000)
    engine.update(shop)
    for query in ("logo-wide.png", "logo wide", "medium png in assets", "assets png"):
        assert "assets/logo-wide.png" in [hit.path for hit in ask(engine, shop, query).hits], query
    assert "assets/logo-wide.png" not in [hit.path for hit in ask(engine, shop, "medium basket").hits]


def test_typos_find_names_and_files(shared_shop: tuple[Engine, Path]) -> None:
    assert hits(shared_shop, "RetryPolcy")[0].path == "src/uploads.py"
    assert "src/uploads.py" in [hit.path for hit in ask(*shared_shop, "pictuer uplaod", off=("vector",)).hits[:3]]
    assert "src/accounts.py" in [hit.path for hit in hits(shared_shop, "acounts.py")[:3]]


def test_tests_can_be_left_out_or_be_all_that_is_wanted(shared_shop: tuple[Engine, Path]) -> None:
    def files(tests: str) -> set[str]:
        return {hit.path for hit in ask(*shared_shop, "upload a picture", tests=tests).hits}

    only = files("only")
    assert only
    assert all(is_test(path) for path in only)
    assert not any(is_test(path) for path in files("without"))
    assert only < files("with")


def test_a_list_of_files_narrows_every_leg(shared_shop: tuple[Engine, Path]) -> None:
    assert {hit.path for hit in ask(*shared_shop, "basket", paths=("web/cart.ts", "gone.py")).hits} == {"web/cart.ts"}
    assert ask(*shared_shop, "basket", paths=()).hits == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("RetryPolicy", ["retrypolicy", "retrypolici", "retry", "retri", "policy", "polici"]),
        ("opened for max_tries", ["open", "max_tries", "max", "trie"]),
        ('"growing pauses" x', ["growing pauses", "grow", "paus"]),
        ("path:src lang:py", []),
    ],
)
def test_terms_are_the_beginnings_worth_highlighting(
    shared_shop: tuple[Engine, Path], query: str, expected: list[str]
) -> None:
    assert ask(*shared_shop, query, wait_ms=0).terms == expected
