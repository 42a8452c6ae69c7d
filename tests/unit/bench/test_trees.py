"""Composing trees: deterministic, of distinct contents, of one mix at every size."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

import trees
from trees import Source


@pytest.fixture
def sources(tmp_path: Path) -> list[Source]:
    folder = tmp_path / "packages"
    folder.mkdir()
    for number in range(20):
        (folder / f"m{number:02}.py").write_text(f"def name{number}():\n    return {number}\n" * (number + 1))
        (folder / f"n{number:02}.md").write_text(f"# Page {number}\n")
    return [Source(f"pack/{path.name}", path, path.stat().st_size) for path in sorted(folder.iterdir())]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_sources_give_the_same_tree(
    sources: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "LARGE", 50)
    trees.compose(sources, 50, tmp_path / "a")
    trees.compose(sources, 50, tmp_path / "b")
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert len(files(tmp_path / "a")) == 50


def test_no_content_occurs_twice(sources: list[Source], tmp_path: Path) -> None:
    made = [content for _, content in trees.contents(sources, 70)]
    texts = {content if isinstance(content, bytes) else content.path.read_bytes() for content in made}
    assert len(texts) == len(made) == 70
    assert not (tmp_path / "again1").exists()


def test_what_defines_nothing_is_not_repeated(sources: list[Source]) -> None:
    names = [name for name, _ in trees.contents(sources, 1_000)]
    assert not [name for name in names if name.startswith("again") and name.endswith(".md")]
    assert names.count("again1/pack/m00.py") == 1


def test_every_definition_of_a_repeated_file_has_another_name() -> None:
    text = b"class Cup:\n    def fill(self):\n        return Cup\n\n\ndef serve(cup):\n    return cup.fill()\n"
    renamed = trees.renamed(text, 2).decode()
    assert "class Cup_2:" in renamed
    assert "return Cup_2" in renamed
    assert "cup.fill_2()" in renamed
    assert "def serve_2(cup)" in renamed


def test_smaller_trees_have_the_same_mix(sources: list[Source]) -> None:
    items = list(trees.contents(sources, 40))
    kinds = Counter(Path(name).suffix for name, _ in trees.spread(items, 10))
    assert kinds == {".py": 5, ".md": 5}
    with pytest.raises(ValueError, match="40 files where 41"):
        trees.spread(items, 41)


def test_the_pool_is_what_constraints_pin() -> None:
    assert {"numpy", "torch"} <= set(trees.pinned())
    assert all("#" not in name for name in trees.pinned())


def test_a_copy_is_a_repository_of_what_git_knows(tmp_path: Path) -> None:
    origin, copy = tmp_path / "origin", tmp_path / "copy"
    origin.mkdir()
    (origin / "kept.py").write_text("x = 1\n")
    (origin / "ignored.log").write_text("no\n")
    (origin / ".gitignore").write_text("*.log\n")
    trees.commit_all(origin)
    trees.copy_of(origin, copy)
    listed = subprocess.run(["git", "-C", copy, "ls-files"], check=True, capture_output=True, text=True).stdout
    assert listed.split() == [".gitignore", "kept.py"]
    assert trees.source_bytes(copy) == len("x = 1\n") + len("*.log\n")
