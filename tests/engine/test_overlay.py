"""Unsaved buffers in place of their files, on a small repository with the real models."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from auto_context.engine import Engine
from auto_context.types import Hit, SearchReply, SearchRequest

ME = "editor"


def ask(engine: Engine, root: Path, query: str, client: str = ME, **options: object) -> SearchReply:
    options.setdefault("wait_ms", 60_000)
    return engine.search(SearchRequest(query, str(root), client=client, **options))  # type: ignore[arg-type]


def of(reply: SearchReply, path: str) -> list[Hit]:
    return [hit for hit in reply.hits if hit.path == path]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def indexed(engine: Engine, shop: Path) -> tuple[Engine, Path]:
    engine.update(shop)
    return engine, shop


MAIL = '''"""Mail."""


def zebra_crossing(walker):
    """Lets a pedestrian pass the road safely."""
    return walker.cross()
'''


def test_what_is_typed_is_found_at_once_and_what_it_replaces_is_not(indexed: tuple[Engine, Path]) -> None:
    engine, shop = indexed
    before = of(ask(engine, shop, "send mail"), "src/mail.py")
    assert before
    assert engine.hold_buffers(ME, shop, {str(shop / "src/mail.py"): MAIL}) == 1
    [hit] = of(ask(engine, shop, "zebra_crossing", wait_ms=0), "src/mail.py")
    assert hit.unsaved
    assert hit.fresh
    assert (hit.symbol, hit.focus[0]) == ("zebra_crossing", 4)
    assert "def zebra_crossing" in hit.text
    assert all(hit.unsaved for hit in of(ask(engine, shop, "send mail"), "src/mail.py"))
    # Nobody else's business.
    assert not of(ask(engine, shop, "zebra_crossing", client="other", threshold=0.5), "src/mail.py")
    assert of(ask(engine, shop, "send mail", client=""), "src/mail.py")[0].unsaved is None
    assert engine.hold_buffers(ME, shop, {"src/mail.py": None}) == 0
    assert of(ask(engine, shop, "send mail"), "src/mail.py") == before


def test_a_file_that_was_never_saved_is_found_by_words_name_and_filters(indexed: tuple[Engine, Path]) -> None:
    engine, shop = indexed
    engine.hold_buffers(ME, shop, {"src/crossing.py": MAIL})
    assert ask(engine, shop, "crossing.py").hits[0].path == "src/crossing.py"
    assert ask(engine, shop, "zebra_crossing lang:python path:src").hits[0].unsaved
    assert not of(ask(engine, shop, "zebra_crossing lang:go"), "src/crossing.py")
    assert [hit.path for hit in ask(engine, shop, '"pass the road"').hits] == ["src/crossing.py"]
    assert of(ask(engine, shop, "path:src/cross* kind:function"), "src/crossing.py")
    assert ask(engine, shop, "src/crossing.py:5").hits[0].symbol == "zebra_crossing"
    assert not of(ask(engine, shop, "zebra_crossing", paths=("src/mail.py",)), "src/crossing.py")


def test_its_meaning_follows_when_it_stands_still(indexed: tuple[Engine, Path]) -> None:
    engine, shop = indexed
    engine.hold_buffers(ME, shop, {"src/crossing.py": MAIL})
    question = "let somebody on foot go over the street"
    until(lambda: "vector" in getattr(next(iter(of(ask(engine, shop, question), "src/crossing.py")), None), "legs", []))
    assert ask(engine, shop, question).hits[0].path == "src/crossing.py"


def test_it_scores_as_if_it_were_saved(indexed: tuple[Engine, Path]) -> None:
    engine, shop = indexed

    def scores() -> dict[str, float]:
        reply = ask(engine, shop, "zebra pedestrian road", explain=True)
        legs = {hit.path: (hit.explain or {})["legs"] for hit in reply.hits}
        return {path: found["lexical"]["score"] for path, found in legs.items() if "lexical" in found}

    engine.hold_buffers(ME, shop, {"src/crossing.py": MAIL})
    unsaved = scores()["src/crossing.py"]
    engine.hold_buffers(ME, shop, {"src/crossing.py": None})
    (shop / "src/crossing.py").write_text(MAIL)
    engine.update_paths(shop, ["src/crossing.py"])
    assert unsaved == pytest.approx(scores()["src/crossing.py"], rel=0.25)


def test_secrets_and_ignored_files_stay_out_and_nothing_is_stored(indexed: tuple[Engine, Path], tmp_path: Path) -> None:
    engine, shop = indexed
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    held = engine.hold_buffers(
        ME, shop,
        {
            "src/mail.py": f'{MAIL}\nTOKEN = "{token}"  # quixotically\n',
            ".env": "PASSWORD=quixotically\n",
            "build/out.py": "quixotically = 1\n",
        },
    )  # fmt: skip
    assert held == 1
    reply = ask(engine, shop, "quixotically")
    assert {hit.path for hit in reply.hits if "quixotically" in hit.text} == {"src/mail.py"}
    assert token not in "".join(hit.text for hit in reply.hits)
    engine.close()
    stored = b"".join(file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file())
    assert b"zebra_crossing" not in stored
    assert b"quixotically" not in stored
