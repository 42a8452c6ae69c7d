"""No secret is stored, and what must not be in an index any more is gone from every byte of the store."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auto_context.config import Settings
from auto_context.engine import Engine, Options
from auto_context.engine.embedding import Embedding
from auto_context.engine.repository import Repository
from auto_context.engine.upkeep import Upkeep
from auto_context.errors import AutoContextError
from auto_context.store.records import unpack_blob
from auto_context.store.terms import stem
from auto_context.types import ContextRequest, Hit, SearchRequest
from sandbox import CACHE
from support import OpenEngine, git

TOKEN = "gh" + "p_" + "Zq9Xw7Vb5Nm3" * 3
LINES = [
    "def zanzibar_deploy(session):",
    "    '''Send the quokka build to the registry.'''",
    f"    return session.push('quokka', token='{TOKEN}')",
]
SOURCE = "\n".join([*LINES, ""])
SHOWN = SOURCE.replace(TOKEN, "[redacted token]").removesuffix("\n")
SLICE = 16
"""Bytes of a record that are taken for a trace of it."""


def store_of(engine: Engine, root: Path) -> Repository:
    repository = engine._stores.find(engine.repository_key(root), create=False)
    assert repository is not None
    return repository


def hits(engine: Engine, root: Path, query: str = "zanzibar_deploy") -> list[Hit]:
    return engine.search(SearchRequest(query, str(root), wait_ms=60_000)).hits


def found(engine: Engine, root: Path, path: str) -> Hit:
    return next(hit for hit in hits(engine, root) if hit.path == path)


def records(engine: Engine, root: Path) -> dict[bytes, bytes]:
    sidecar = store_of(engine, root).sidecar
    return {key: value for kind in b"bepvdwhtxg" for key, value in sidecar.scan(bytes([kind]))}


def opened(open_engine: OpenEngine, **settings: Any) -> Engine:
    """An engine with a worker of its own, which has these settings as well."""
    return open_engine(Settings(**settings), worker=None, cache_dir=CACHE / "models")


def of_path(engine: Engine, root: Path, path: str) -> dict[bytes, bytes]:
    """What is stored of a file as it is now: its content, its vectors and those of its path."""
    key = store_of(engine, root).worktree(str(root)).view.entries[path].key
    return {
        name: value
        for name, value in records(engine, root).items()
        if (name[:1] in b"be" and name.endswith(key)) or (name[:1] == b"p" and name.endswith(path.encode()))
    }


def plain(key: bytes, value: bytes) -> str:
    """A record as it is inside."""
    if key[:1] == b"b":
        return repr(unpack_blob(value))
    return repr(zlib.decompress(value) if key[:1] == b"v" else value)


def assert_gone(engine: Engine, root: Path, old: dict[bytes, bytes], words: Iterable[str]) -> None:
    """Nothing of some records is in any file, nor their words in the lexical index, nor the token anywhere."""
    repository = store_of(engine, root)
    assert not repository.purge_owed
    live = records(engine, root)
    assert not [key for key, value in live.items() if TOKEN in plain(key, value)]
    paths = {path.encode() for path in repository.worktree(str(root)).view.entries}
    old = {key: value for key, value in old.items() if not (key[:1] == b"p" and key[9:] in paths)}
    assert not live.keys() & old.keys()
    searcher = repository.lexical._index.searcher()
    for word in words:
        # Counted with removed documents, as long as their segment is there.
        assert searcher.doc_freq("body", stem(word)) == 0
    kept = b"\0".join(live.values())
    traces = {value[at : at + SLICE] for value in old.values() for at in range(0, len(value) - SLICE + 1, SLICE)}
    traces = {trace for trace in traces if trace not in kept and len(set(trace)) > 4}
    assert len(traces) > 5
    engine.close()
    files = [file for file in repository.folder.parent.parent.rglob("*") if file.is_file()]
    assert any(file.name == "cache.db" for file in files)
    for file in files:
        data = file.read_bytes()
        assert TOKEN.encode() not in data
        assert not [trace for trace in traces if trace in data], file.name


@pytest.fixture
def project(shop: Path) -> Path:
    (shop / "deploy.py").write_text(SOURCE)
    return shop


def test_a_secret_is_not_stored_and_a_marker_is_shown(
    engine: Engine, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    report = engine.update(project)
    assert report.redacted == {"files": 1, "secrets": 1}
    assert engine.status(project).redacted == {"files": 1, "secrets": 1}
    hit = found(engine, project, "deploy.py")
    assert (hit.text, hit.fresh, hit.start_line, hit.end_line) == (SHOWN, True, 1, 3)
    context = engine.context(ContextRequest(str(project), "deploy.py", 1))
    assert context.items[0].text == SHOWN
    for query in (TOKEN, f'"{TOKEN[4:20]}"', f"/{TOKEN}/", TOKEN.lower()):
        assert TOKEN not in "".join(hit.text for hit in hits(engine, project, query))
    assert engine.update(project).redacted == report.redacted
    assert engine.update(project, force=True).changed == 0
    assert TOKEN not in caplog.text
    data = Path(engine.status(project).store)
    assert not [key for key, value in records(engine, project).items() if TOKEN in plain(key, value)]
    engine.close()
    assert all(TOKEN.encode() not in file.read_bytes() for file in data.rglob("*") if file.is_file())


def test_a_file_that_changed_since_is_shown_where_its_lines_are_now_without_its_secret(
    engine: Engine, project: Path
) -> None:
    engine.update(project)
    (project / "deploy.py").write_text("# moved\n\n" + SOURCE)
    hit = found(engine, project, "deploy.py")
    assert (hit.text, hit.fresh, hit.start_line, hit.end_line) == (SHOWN, True, 3, 5)
    # Another secret in its place: the index has the same marker for both.
    (project / "deploy.py").write_text(SOURCE.replace("Zq9", "Yq9"))
    assert found(engine, project, "deploy.py").text == SHOWN
    assert found(engine, project, "deploy.py").fresh
    (project / "deploy.py").write_text(SOURCE.replace("quokka", "wombat"))
    hit = found(engine, project, "deploy.py")
    assert (hit.fresh, hit.text) == (False, SHOWN.replace("quokka", "wombat"))


@pytest.mark.parametrize(
    ("secrets", "text", "skipped", "redacted"),
    [
        ("redact", SHOWN, 0, {"files": 1, "secrets": 1}),
        ("skip", None, 1, {}),
        ("keep", SOURCE.removesuffix("\n"), 0, {}),
    ],
)
def test_the_three_ways(
    open_engine: OpenEngine, project: Path, secrets: str, text: str | None, skipped: int, redacted: dict[str, int]
) -> None:
    engine = opened(open_engine, secrets=secrets)
    report = engine.update(project)
    assert report.redacted == redacted
    assert report.skipped.get("secret", 0) == skipped
    assert engine.status(project).skipped == report.skipped
    texts = [hit.text for hit in hits(engine, project) if hit.path == "deploy.py"]
    assert texts[:1] == ([text] if text is not None else [])
    # A saved file is treated alike.
    (project / "later.py").write_text(SOURCE.replace("zanzibar", "later"))
    engine.update_paths(project, ["later.py"])
    later = [hit.text for hit in hits(engine, project, "later_deploy") if hit.path == "later.py"]
    assert later[:1] == ([text.replace("zanzibar", "later")] if text is not None else [])


@pytest.mark.parametrize("secrets", ["redact", "skip"])
def test_what_was_kept_goes_when_it_is_to_be_kept_no_more(open_engine: OpenEngine, project: Path, secrets: str) -> None:
    engine = opened(open_engine, secrets="keep")
    engine.update(project)
    git(project, "checkout", "-qb", "other")
    (project / "second.py").write_text(SOURCE.replace("zanzibar", "numbat"))
    engine.update(project)
    (project / "second.py").unlink()
    git(project, "checkout", "-q", "main")
    engine.update(project)
    old = of_path(engine, project, "deploy.py")
    assert any(TOKEN in plain(key, value) for key, value in old.items())
    others = {key for key in records(engine, project) if key[:1] in b"be"} - old.keys()
    engine = opened(open_engine, secrets=secrets)
    # Even before anything was looked through, nothing of it is shown.
    assert TOKEN not in "".join(hit.text for hit in hits(engine, project))
    report = engine.update(project)
    assert report.redacted == ({"files": 1, "secrets": 1} if secrets == "redact" else {})
    assert hits(engine, project, "RetryPolicy")[0].path == "src/uploads.py"
    texts = [hit.text for hit in hits(engine, project) if hit.path == "deploy.py"]
    assert texts == ([SHOWN] if secrets == "redact" else [])
    # Of the other contents all but the other branch's secret are as they were.
    assert len(others - records(engine, project).keys()) == 3
    assert_gone(engine, project, old, ["zq9xw7vb5nm3zq9xw7vb5nm3zq9xw7vb5nm3"])


def test_contents_of_an_older_store_are_looked_through(engine: Engine, open_engine: OpenEngine, project: Path) -> None:
    keeping = opened(open_engine, secrets="keep")
    keeping.update(project)
    old = of_path(keeping, project, "deploy.py")
    sidecar = store_of(keeping, project).sidecar
    assert "screened" not in sidecar.meta
    sidecar.meta["format"] = 2
    sidecar.save_meta()
    engine = open_engine()
    assert engine.update(project).redacted == {"files": 1, "secrets": 1}
    assert_gone(engine, project, old, [])


def test_an_ignored_file_leaves_no_byte_in_any_view_or_version(engine: Engine, project: Path) -> None:
    (project / "deploy.py").write_text(SOURCE.replace(TOKEN, "kiwi"))
    engine.update(project)
    first = of_path(engine, project, "deploy.py")
    (project / "deploy.py").write_text(SOURCE.replace(TOKEN, "takahe"))
    engine.update_paths(project, ["deploy.py"])
    old = first | of_path(engine, project, "deploy.py")
    git(project, "checkout", "-qb", "other")
    (project / ".gitignore").write_text("deploy.py\n")
    report = engine.update(project)
    assert report.removed == 0
    assert not [hit for hit in hits(engine, project) if hit.path == "deploy.py"]
    assert hits(engine, project, "RetryPolicy")[0].path == "src/uploads.py"
    assert store_of(engine, project).lexed.missing(store_of(engine, project).worktree(str(project)).view) == []
    assert_gone(engine, project, old, ["zanzibar", "quokka", "kiwi", "takahe"])


def test_a_file_that_is_saved_and_found_to_be_ignored_goes_at_once(engine: Engine, project: Path) -> None:
    engine.update(project)
    old = of_path(engine, project, "deploy.py")
    (project / ".gitignore").write_text("deploy.py\n")
    engine.update_paths(project, ["deploy.py"])
    assert_gone(engine, project, old, ["zanzibar", "quokka"])


def test_a_file_that_is_found_to_be_secret_goes_with_what_it_was(open_engine: OpenEngine, project: Path) -> None:
    (project / "deploy.py").write_text(SOURCE.replace(TOKEN, "kiwi"))
    engine = opened(open_engine, secrets="skip")
    engine.update(project)
    old = of_path(engine, project, "deploy.py")
    (project / "deploy.py").write_text(SOURCE)
    report = engine.update_paths(project, ["deploy.py"])
    assert report.skipped == {"secret": 1}
    assert_gone(engine, project, old, ["zanzibar", "quokka", "kiwi"])


def test_an_exclude_is_for_branches_that_are_not_checked_out_as_well(open_engine: OpenEngine, project: Path) -> None:
    engine = opened(open_engine)
    git(project, "add", "-A")
    git(project, "checkout", "-qb", "other")
    git(project, "commit", "-qm", "deploy")
    engine.update(project)
    old = of_path(engine, project, "deploy.py")
    git(project, "checkout", "-q", "main")
    engine.update(project)
    engine = opened(open_engine, exclude=("deploy.*",))
    assert old.keys() <= records(engine, project).keys()
    engine.update(project)
    assert_gone(engine, project, old, ["zanzibar", "quokka"])


def test_a_deleted_file_keeps_its_versions(engine: Engine, project: Path) -> None:
    """Nothing is secret about it: it may come back."""
    engine.update(project)
    old = of_path(engine, project, "deploy.py")
    (project / "deploy.py").unlink()
    engine.update(project)
    assert old.items() <= records(engine, project).items()


def test_a_purge_that_was_cut_short_is_made_by_the_next_update(
    open_engine: OpenEngine, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine()
    engine.update(project)
    old = of_path(engine, project, "deploy.py")
    (project / ".gitignore").write_text("deploy.py\n")

    def killed(*_: object) -> None:
        raise AutoContextError("cancelled", "the service is closing")

    with monkeypatch.context() as patch:
        patch.setattr(Upkeep, "purge", killed)
        with pytest.raises(AutoContextError):
            engine.update(project)
    assert old.keys() <= records(engine, project).keys()
    engine = open_engine()
    assert store_of(engine, project).purge_owed
    engine.update(project)
    assert_gone(engine, project, old, ["zanzibar", "quokka"])


def test_secrets_go_from_the_views_of_other_worktrees(open_engine: OpenEngine, project: Path, tmp_path: Path) -> None:
    git(project, "add", "-A")
    git(project, "commit", "-qm", "deploy")
    git(project, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "tree")
    (tmp_path / "tree/deploy.py").write_text(SOURCE + "\n# of the tree\n")
    engine = opened(open_engine, secrets="keep")
    for folder in (project, tmp_path / "tree"):
        engine.update(folder)
    old = of_path(engine, project, "deploy.py")
    old |= {key: value for key, value in records(engine, project).items() if TOKEN in plain(key, value)}
    assert len([key for key in old if key[:1] == b"b"]) == 2
    engine = opened(open_engine)
    engine.update(project)
    assert TOKEN not in "".join(hit.text for hit in hits(engine, tmp_path / "tree"))
    engine.update(tmp_path / "tree")
    assert found(engine, tmp_path / "tree", "deploy.py").text.startswith(SHOWN)
    assert_gone(engine, project, old, [])


def test_a_purge_waits_for_no_transformer_and_leaves_other_models_vectors(
    open_engine: OpenEngine, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        (project / f"module_{number}.py").write_text(f"def step_{number}():\n    return {number}\n")
    engine = open_engine()
    engine.update(project, options=Options(tier="static"))
    repository = store_of(engine, project)
    view = repository.worktree(str(project)).view
    gone, stays = (b"e" + b"another." + view.entries[path].key for path in ("deploy.py", "module_1.py"))
    repository.sidecar.set_many([(gone, b"vectors"), (stays, b"vectors")])
    old = of_path(engine, project, "deploy.py")
    covered: list[float] = []
    told: list[bool] = []
    purge, run = Upkeep.purge, Embedding.run

    def watched(*arguments: Any) -> None:
        covered.append(repository.coverage(view, repository.vector))
        purge(*arguments)

    def interrupted(self: Embedding, ordered: list[int]) -> Iterator[int]:
        for work in run(self, ordered):
            if not told:
                told.append(True)
                (project / ".gitignore").write_text("deploy.py\n")
                engine.update_paths(project, ["deploy.py"])
            yield work

    monkeypatch.setattr(Upkeep, "purge", watched)
    monkeypatch.setattr(Embedding, "run", interrupted)
    report = engine.update(project)
    assert report.pending_chunks == 0
    assert [share < 1.0 for share in covered] == [True]
    assert repository.sidecar.get(gone) is None
    assert repository.sidecar.get(stays) == b"vectors"
    assert_gone(engine, project, old, ["zanzibar", "quokka"])


def test_a_branch_that_was_never_seen_hides_nothing(engine: Engine, project: Path) -> None:
    engine.update(project)
    key = store_of(engine, project).worktree(str(project)).view.entries["deploy.py"].key
    git(project, "checkout", "-qb", "other")
    (project / "deploy.py").write_text(SOURCE.replace("quokka", "wombat"))
    engine.update(project)
    assert b"b" + key in records(engine, project)
    git(project, "checkout", "-q", "main")
    (project / "deploy.py").write_text(SOURCE)
    assert engine.update(project).embedded_chunks == 0
