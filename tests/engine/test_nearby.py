"""Files before a word is typed, on a small repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from auto_context.engine import Engine
from auto_context.errors import AutoContextError
from auto_context.types import NearbyRequest
from support import git


def near(engine: Engine, root: Path, **asked: object) -> list[tuple[str, str | None]]:
    reply = engine.nearby(NearbyRequest(str(root), **asked))  # type: ignore[arg-type]  # passed on
    return [(hit.path, hit.reason) for hit in reply.hits]


def test_what_was_open_comes_first_then_neighbours_then_the_last_commits(
    engine: Engine, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop / "lua/report.lua").write_text("-- newer\n")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2090-01-01T00:00:00Z")
    git(shop, "commit", "-qam", "newer")
    engine.update(shop)
    found = near(
        engine,
        shop,
        near="src/mail.py",
        open=("README.md", "gone.py", "src/mail.py"),
        recent=("web/cart.ts", "README.md"),
    )
    assert found[:2] == [("README.md", "open"), ("web/cart.ts", "recent")]
    beside = [path for path, reason in found if reason == "near"]
    assert beside
    assert all(path.startswith("src/") for path in beside)
    assert ("lua/report.lua", "committed") in found
    assert "src/mail.py" not in dict(found)
    assert len(dict(found)) == len(found)
    assert near(engine, shop)[0] == ("lua/report.lua", "committed")
    assert len(near(engine, shop, limit=3)) == 3


def test_a_folder_below_the_top_has_its_own(engine: Engine, shop: Path) -> None:
    engine.update(shop)
    found = near(engine, shop / "src", near="mail.py", recent=("uploads.py", "../README.md"))
    assert found[0] == ("uploads.py", "recent")
    assert not any(path.startswith(("..", "src/")) for path, _ in found)


def test_neighbours_that_were_never_committed_come_in_after_those_that_were(engine: Engine, shop: Path) -> None:
    (shop / "src/aaa.py").write_text("new = 1\n")
    (shop / "src/deep").mkdir()
    (shop / "src/deep/below.py").write_text("new = 2\n")
    engine.update(shop)
    beside = [path for path, reason in near(engine, shop, near="src/mail.py") if reason == "near"]
    assert beside[-1] == "src/aaa.py"
    assert len(beside) > 1
    assert "src/deep/below.py" not in beside
    at_the_top = [path for path, reason in near(engine, shop, near="README.md") if reason == "near"]
    assert not any("/" in path for path in at_the_top)


def test_without_an_index_it_says_so(engine: Engine, shop: Path) -> None:
    with pytest.raises(AutoContextError) as caught:
        near(engine, shop)
    assert caught.value.code == "not_indexed"
