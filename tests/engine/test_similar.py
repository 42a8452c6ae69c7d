"""Code like some code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from auto_context.engine import Engine
from auto_context.errors import AutoContextError
from auto_context.types import SimilarRequest


def test_like_a_chunk(shared_shop: tuple[Engine, Path]) -> None:
    engine, root = shared_shop
    reply = engine.similar(SimilarRequest(str(root), "src/basket.py", 12))
    assert reply.path == "src/basket.py"
    assert reply.start_line <= 12 <= reply.end_line
    assert reply.legs == {"lexical": "ok", "static": "ok", "vector": "ok"}
    assert "web/cart.ts" in [hit.path for hit in reply.hits[:5]]
    own = [hit for hit in reply.hits if hit.path == "src/basket.py"]
    assert all(hit.start_line > reply.end_line or hit.end_line < reply.start_line for hit in own)
    assert reply.copies == []


def test_like_a_whole_file_leaves_the_file_out(shared_shop: tuple[Engine, Path]) -> None:
    engine, root = shared_shop
    reply = engine.similar(SimilarRequest(str(root), str(root / "src/uploads.py"), limit=3))
    assert (reply.start_line, reply.end_line) == (1, 30)
    assert len(reply.hits) == 3
    assert "src/uploads.py" not in [hit.path for hit in reply.hits]


def test_copies_are_listed_apart(engine: Engine, shop: Path) -> None:
    shutil.copy(shop / "src/basket.py", shop / "src/basket_copy.py")
    changed = (shop / "src/basket.py").read_text().replace("the way the tax office does", "as the tax office does")
    (shop / "web/basket.py").write_text(changed)
    engine.update(shop)
    reply = engine.similar(SimilarRequest(str(shop), "src/basket.py", 12))
    assert {hit.path for hit in reply.copies} >= {"src/basket_copy.py"}
    assert "src/basket_copy.py" not in {hit.path for hit in reply.hits}


def test_a_file_that_changed_is_read_again_first(engine: Engine, shop: Path) -> None:
    engine.update(shop)
    path = shop / "src/mail.py"
    path.write_text((shop / "src/uploads.py").read_text() + "\n# so that it is no copy of the whole\n")
    reply = engine.similar(SimilarRequest(str(shop), "src/mail.py", 8))
    assert "src/uploads.py" in {hit.path for hit in [*reply.copies, *reply.hits]}


@pytest.mark.parametrize(
    ("path", "line", "code"),
    [
        ("absent.py", 1, "path_missing"),
        ("../other.py", 1, "outside_root"),
        ("src", 1, "path_missing"),
        ("src/basket.py", 0, "bad_request"),
        ("\0", 1, "outside_root"),
    ],
)
def test_what_is_no_place_is_refused(shared_shop: tuple[Engine, Path], path: str, line: int, code: str) -> None:
    engine, root = shared_shop
    with pytest.raises(AutoContextError) as caught:
        engine.similar(SimilarRequest(str(root), path, line))
    assert caught.value.code == code


def test_a_line_past_the_end_is_the_last_chunk(shared_shop: tuple[Engine, Path]) -> None:
    engine, root = shared_shop
    assert engine.similar(SimilarRequest(str(root), "src/uploads.py", 9_999)).end_line == 30
