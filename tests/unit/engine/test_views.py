"""Views: written whole, then as changes; refs remembered and forgotten."""

from pathlib import Path

import pytest

from auto_context.engine import views
from auto_context.engine.views import Worktree, purge_paths, read_entries
from auto_context.store.records import Entry
from auto_context.store.sidecar import Sidecar


def entry(number: int) -> Entry:
    return Entry(bytes([number]) * 16, 10, 5, number, "python", 2, "")


@pytest.fixture
def sidecar(tmp_path: Path) -> Sidecar:
    return Sidecar(tmp_path / "sidecar")


@pytest.fixture
def worktree(sidecar: Sidecar) -> Worktree:
    found = Worktree.load(sidecar, "/work\udcff")
    found.switch(sidecar, "main", {"a.py": entry(1), "b\udcff.py": entry(2)})
    return found


def reload(sidecar: Sidecar) -> Worktree:
    return Worktree.load(sidecar, "/work\udcff")


def test_changes_survive(sidecar: Sidecar, worktree: Worktree) -> None:
    worktree.change(sidecar, {"c.py": entry(3)}, ["a.py", "absent.py"])
    worktree.change(sidecar, {"c.py": entry(4)}, [])
    worktree.change(sidecar, {}, [])
    again = reload(sidecar)
    assert again.ref == "main"
    assert again.view.entries == worktree.view.entries == {"b\udcff.py": entry(2), "c.py": entry(4)}
    assert again.view.chunks == 4


def test_many_changes_are_written_whole(sidecar: Sidecar, worktree: Worktree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_MOST_CHANGES", 3)
    for number in range(8):
        worktree.change(sidecar, {f"{number}.py": entry(number)}, [])
        assert len(sidecar.keys(b"d")) <= 3
    assert reload(sidecar).view.entries == worktree.view.entries


def test_refs_are_remembered_up_to_twenty(sidecar: Sidecar, worktree: Worktree) -> None:
    for number in range(views.REMEMBERED_REFS + 2):
        worktree.switch(sidecar, f"branch-{number}", {f"{number}.py": entry(1)})
    assert read_entries(sidecar, worktree.id, "main") is None
    assert read_entries(sidecar, worktree.id, "branch-5") == {"5.py": entry(1)}
    assert len(sidecar.keys(b"v")) == views.REMEMBERED_REFS
    assert reload(sidecar).refs == worktree.refs


def test_a_purged_path_leaves_the_other_refs(sidecar: Sidecar, worktree: Worktree) -> None:
    worktree.switch(sidecar, "feature", {"a.py": entry(1)})
    purge_paths(sidecar, worktree, {"a.py"}, worktree.ref)
    assert read_entries(sidecar, worktree.id, "main") == {"b\udcff.py": entry(2)}


def test_the_mask_follows_the_documents() -> None:
    view = views.View({}, {"a": 0, "b": 3})
    assert view.mask().tolist() == [True, False, False, True]
    del view.documents["b"]
    view.changed()
    assert view.mask().tolist() == [True]
    assert views.View({}).mask().tolist() == []


def test_what_entries_add_up_to_follows_every_change(sidecar: Sidecar, worktree: Worktree) -> None:
    left_out = Entry(b"", 10, 5, 7, "", 0, "large")
    windows = entry(5)._replace(reason="timeout", redacted=3)
    worktree.change(sidecar, {"a.py": left_out, "w.py": windows, "c.py": entry(3)}, ["absent.py"])
    tally = worktree.view.tally
    assert (tally.files, tally.chunks, tally.redacted, tally.secrets) == (3, 6, 1, 3)
    assert (tally.left_out, tally.fallbacks) == ({"large": 1}, {"timeout": 1})
    worktree.change(sidecar, {"a.py": entry(9), "w.py": entry(5)._replace(chunks=7)}, ["c.py"])
    assert vars(tally) == vars(views.Tally(reload(sidecar).view.entries.values())) | {
        "left_out": {"large": 0}, "fallbacks": {"timeout": 0},
    }  # fmt: skip
    assert (tally.files, worktree.view.chunks) == (3, 11)
    worktree.switch(sidecar, "side", {"s.py": entry(1)})
    assert (worktree.view.tally.files, worktree.view.chunks) == (1, 2)


def test_many_changes_become_one_record_when_they_are_folded(sidecar: Sidecar, worktree: Worktree) -> None:
    for number in range(30):
        worktree.change(sidecar, {f"{number}.py": entry(number)}, [])
    worktree.fold(sidecar)
    assert sidecar.keys(b"d") == []
    assert reload(sidecar).view.entries == worktree.view.entries
    worktree.change(sidecar, {}, ["3.py"])
    worktree.fold(sidecar)
    assert len(sidecar.keys(b"d")) == 1
    assert reload(sidecar).view.entries == worktree.view.entries
