"""Keeping current: what is embedded, what is not, and what disappears."""

import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from auto_context.engine import Engine, Options, views
from auto_context.engine.pace import Pace
from auto_context.engine.worktrees import REFRESH_AFTER_S
from auto_context.errors import AutoContextError
from auto_context.store.records import Entry
from auto_context.store.sidecar import Sidecar
from auto_context.types import Progress, SearchRequest
from support import OpenEngine, git, wait_until


def paths(engine: Engine, root: Path, query: str) -> list[str]:
    return [hit.path for hit in engine.search(SearchRequest(query, str(root), wait_ms=60_000)).hits]


def test_a_second_update_does_nothing(engine: Engine, shop: Path) -> None:
    first = engine.update(shop)
    assert first.embedded_chunks == first.chunks > 10
    assert first.embedded_paths == first.files
    # Files just written are racy, so they may be read again, but never changed or embedded.
    second = engine.update(shop)
    assert (second.changed, second.removed, second.embedded_chunks, second.embedded_paths) == (0, 0, 0, 0)
    assert (second.files, second.chunks) == (first.files, first.chunks)


def test_only_changed_chunks_are_embedded(engine: Engine, shop: Path) -> None:
    engine.update(shop)
    uploads = shop / "src/uploads.py"
    uploads.write_text(uploads.read_text().replace("tried again with growing pauses", "given up at once"))
    report = engine.update_paths(shop, ["src/uploads.py"])
    assert (report.changed, report.embedded_chunks, report.embedded_paths) == (1, 1, 0)
    assert paths(engine, shop, "given up at once")[0] == "src/uploads.py"


def test_a_rename_and_a_copy_embed_no_chunk(engine: Engine, shop: Path) -> None:
    engine.update(shop)
    (shop / "src/basket.py").rename(shop / "src/trolley.py")
    shutil.copy(shop / "src/mail.py", shop / "src/letters.py")
    report = engine.update(shop)
    assert (report.changed, report.removed) == (2, 1)
    assert (report.embedded_chunks, report.embedded_paths) == (0, 2)
    assert "src/trolley.py" in paths(engine, shop, "sum with tax")
    assert "src/basket.py" not in paths(engine, shop, "sum with tax")


def test_a_deleted_file_disappears_before_any_update_and_stays_away(engine: Engine, shop: Path) -> None:
    engine.update(shop)
    (shop / "src/mail.py").unlink()
    assert "src/mail.py" not in paths(engine, shop, "order confirmation letter")
    report = engine.update_paths(shop, [str(shop / "src/mail.py")])
    assert report.removed == 1
    assert "src/mail.py" not in paths(engine, shop, "order confirmation letter")


def test_a_new_file_is_found_after_its_save(engine: Engine, shop: Path) -> None:
    engine.update(shop)
    (shop / "src/weather.py").write_text("def forecast(city):\n    '''Will it rain tomorrow?'''\n    return 'rain'\n")
    engine.update_paths(shop, ["src/weather.py"])
    assert paths(engine, shop, "will it rain")[0] == "src/weather.py"


def test_branches_show_their_own_files_and_returning_embeds_nothing(engine: Engine, shop: Path) -> None:
    engine.update(shop)
    git(shop, "switch", "-qc", "feature")
    (shop / "src/coupons.py").write_text("def redeem(code):\n    '''A voucher lowers the price.'''\n")
    git(shop, "rm", "-q", "src/mail.py")
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "coupons")
    assert engine.update(shop).branch == "feature"
    assert paths(engine, shop, "voucher")[0] == "src/coupons.py"
    git(shop, "switch", "-q", "main")
    reply = engine.search(SearchRequest("voucher", str(shop), wait_ms=60_000))
    assert reply.branch == "main"
    assert "src/coupons.py" not in [hit.path for hit in reply.hits]
    back = engine.update(shop)
    assert (back.embedded_chunks, back.embedded_paths) == (0, 0)
    assert "src/mail.py" in paths(engine, shop, "order confirmation letter")
    git(shop, "switch", "-q", "feature")
    again = engine.update(shop)
    assert (again.embedded_chunks, again.embedded_paths) == (0, 0)
    assert "src/mail.py" not in paths(engine, shop, "order confirmation letter")


def test_worktrees_share_vectors_and_see_their_own_files(engine: Engine, shop: Path, tmp_path: Path) -> None:
    engine.update(shop)
    other = tmp_path / "other"
    git(shop, "worktree", "add", "-q", "-b", "side", str(other))
    (other / "src/extra.py").write_text("def lighthouse():\n    '''Guides ships at night.'''\n")
    report = engine.update(other)
    assert (report.embedded_chunks, report.embedded_paths) == (1, 1)
    assert paths(engine, other, "lighthouse")[0] == "src/extra.py"
    assert "src/extra.py" not in paths(engine, shop, "lighthouse")


def test_an_ignored_file_is_purged_from_every_view(engine: Engine, shop: Path) -> None:
    (shop / "notes.txt").write_text("the quick zebra jumps\n")
    engine.update(shop)
    git(shop, "switch", "-qc", "feature")
    engine.update(shop)
    assert paths(engine, shop, "zebra")[0] == "notes.txt"
    (shop / ".gitignore").write_text("notes.txt\n")
    assert engine.update(shop).removed == 1
    assert "notes.txt" not in paths(engine, shop, "zebra")
    git(shop, "stash", "-q")
    git(shop, "switch", "-q", "main")
    (shop / ".gitignore").write_text("notes.txt\n")
    assert "notes.txt" not in paths(engine, shop, "zebra")


def test_lines_that_moved_are_shown_where_they_are_and_changed_ones_are_stale(engine: Engine, shop: Path) -> None:
    engine.update(shop)
    stock = shop / "src/stock.go"
    before = engine.search(SearchRequest("Reserve", str(shop), wait_ms=60_000)).hits[0]
    stock.write_text("// a new line\n// and another\n" + stock.read_text())
    moved = engine.search(SearchRequest("Reserve", str(shop), wait_ms=60_000)).hits[0]
    assert moved.fresh
    assert moved.start_line == before.start_line + 2
    stock.write_text("package stock\n")
    stale = next(h for h in engine.search(SearchRequest("Reserve", str(shop))).hits if h.path == "src/stock.go")
    assert not stale.fresh
    assert stale.end_line <= 1


def test_a_folder_without_git_and_an_ignored_one_are_indexes_of_their_own(
    engine: Engine, shop: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "a.txt").write_text("giraffes are tall\n")
    (shop / "build").mkdir()
    (shop / "build/out.py").write_text("def giraffe():\n    return 'made by the build'\n")
    for folder in (plain, shop, shop / "build"):
        engine.update(folder)
    assert paths(engine, plain, "giraffe") == ["a.txt"]
    assert paths(engine, shop / "build", "giraffe") == ["out.py"]
    assert not any("out.py" in path for path in paths(engine, shop, "giraffe"))
    assert engine.repository_key(shop) == engine.repository_key(shop / "src")
    assert len({engine.repository_key(folder) for folder in (plain, shop, shop / "build")}) == 3


def test_what_is_not_indexed_is_counted_and_found_by_name_unless_secret(engine: Engine, shop: Path) -> None:
    (shop / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0binary")
    (shop / "huge.sql").write_text("insert into t values (1);\n" * 50_000)
    (shop / ".env").write_text("TOKEN=hunter2\n")
    report = engine.update(shop)
    assert report.skipped["binary"] == 1
    assert report.skipped["large"] == 1
    assert report.skipped["secret"] == 1
    assert paths(engine, shop, "logo.png")[0] == "logo.png"
    assert paths(engine, shop, "huge.sql")[0] == "huge.sql"
    assert ".env" not in {*paths(engine, shop, ".env"), *paths(engine, shop, "hunter2 token")}
    assert engine.update(shop).skipped == report.skipped


def test_the_index_survives_reopening_and_its_derived_parts_come_back(open_engine: OpenEngine, shop: Path) -> None:
    first = open_engine()
    first.update(shop)
    wanted = first.search(SearchRequest("auth flow", str(shop), wait_ms=60_000)).hits
    store = Path(first.status(shop).store)
    again = open_engine()
    assert again.search(SearchRequest("auth flow", str(shop), wait_ms=60_000)).hits == wanted
    again.close()
    shutil.rmtree(store / "lexical")
    rebuilt = open_engine()
    report = rebuilt.update(shop)
    assert report.embedded_chunks == 0
    assert rebuilt.search(SearchRequest("auth flow", str(shop), wait_ms=60_000)).hits == wanted


def test_a_moved_repository_keeps_its_store(open_engine: OpenEngine, shop: Path, tmp_path: Path) -> None:
    open_engine().update(shop)
    moved = tmp_path / "elsewhere"
    os.rename(shop, moved)
    report = open_engine().update(moved)
    assert report.embedded_chunks == 0
    assert report.files > 5


def test_a_cancelled_update_goes_on_where_it_was(open_engine: OpenEngine, shop: Path) -> None:
    engine, cancel = open_engine(), threading.Event()

    def stop_when_embedding(progress: Progress) -> None:
        if progress.phase == "embed":
            cancel.set()

    with pytest.raises(AutoContextError) as caught:
        engine.update(shop, options=Options(cancel, stop_when_embedding))
    assert caught.value.code == "cancelled"
    assert paths(engine, shop, "RetryPolicy")[0] == "src/uploads.py"
    report = engine.update(shop)
    assert report.pending_chunks == 0
    assert report.changed == 0


def test_a_branch_switch_in_the_middle_of_an_update_starts_it_over(engine: Engine, shop: Path) -> None:
    git(shop, "switch", "-qc", "feature")
    (shop / "src/heron.py").write_text("def heron():\n    '''A grey bird by the water.'''\n")
    git(shop, "rm", "-q", "src/mail.py")
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "birds")
    git(shop, "switch", "-q", "main")
    switched: list[str] = []

    def switch_when_embedding(progress: Progress) -> None:
        if progress.phase == "embed" and not switched:
            switched.append(git(shop, "switch", "-q", "feature"))

    report = engine.update(shop, options=Options(progress=switch_when_embedding))
    assert switched
    assert report.branch == "feature"
    assert report.pending_chunks == 0
    assert paths(engine, shop, "heron")[0] == "src/heron.py"
    git(shop, "switch", "-q", "main")
    assert "src/heron.py" not in paths(engine, shop, "heron")
    assert engine.update(shop).pending_chunks == 0


def test_an_old_view_is_refreshed_behind_the_answer_but_not_by_every_search(
    open_engine: OpenEngine, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refreshed: list[tuple[Path, float]] = []
    engine = open_engine(refresh=lambda root, seconds: refreshed.append((root, seconds)))
    engine.update(shop)
    paths(engine, shop / "src", "basket")
    assert refreshed == []
    real = time.time
    monkeypatch.setattr("auto_context.engine.worktrees.time.time", lambda: real() + REFRESH_AFTER_S + 1)
    paths(engine, shop / "src", "basket")
    paths(engine, shop, "basket")
    assert refreshed == [(shop, 0.0)]


def test_a_search_on_another_branch_puts_nothing_older_over_what_an_update_found_meanwhile(
    open_engine: OpenEngine, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_birds() -> None:
        for path in birds:
            (shop / path).write_text("def heron():\n    return 'grey'\n")
            os.utime(shop / path, ns=(old, old))  # not so new that its time is not trusted

    def read_entries(sidecar: Sidecar, worktree: bytes, ref: str) -> dict[str, Entry] | None:
        found = real(sidecar, worktree, ref)
        if (ref, updated) == ("feature", []):
            updated.append("")
            updated[0] = engine.update(shop).branch  # from its beginning to its end, before the search goes on
        return found

    real, updated = views.read_entries, list[str]()
    birds, old = ("src/basket.py", "src/heron.py"), time.time_ns() - 10**12
    engine = open_engine(refresh=lambda *_: None)
    engine.update(shop)
    git(shop, "switch", "-qc", "feature")
    write_birds()
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "birds")
    engine.update(shop)
    git(shop, "switch", "-q", "main")
    engine.update(shop)
    git(shop, "switch", "-q", "feature")
    write_birds()
    monkeypatch.setattr(views, "read_entries", read_entries)
    assert paths(engine, shop, "heron")[0] in birds
    worktree = engine._stores.opened()[0].worktree(str(shop))
    assert (updated, worktree.ref) == (["feature"], "feature")
    # What a search labels anew has no time that is trusted: the update that ended before it knew better.
    assert [worktree.view.entries[path].mtime_ns for path in birds] == [old, old]


def test_no_update_in_the_middle_of_a_merge(engine: Engine, shop: Path) -> None:
    engine.update(shop)
    (shop / ".git/MERGE_HEAD").write_text(git(shop, "rev-parse", "HEAD"))
    with pytest.raises(AutoContextError) as caught:
        engine.update(shop)
    assert caught.value.code == "git_busy"
    (shop / ".git/MERGE_HEAD").unlink()
    assert engine.update(shop).changed == 0


def test_the_home_folder_and_very_large_trees_ask_first(
    engine: Engine, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(shop))
    with pytest.raises(AutoContextError) as caught:
        engine.update(shop)
    assert caught.value.code == "too_large"
    monkeypatch.undo()
    monkeypatch.setattr("auto_context.engine.engine.MANY_FILES", 3)
    with pytest.raises(AutoContextError) as caught:
        engine.update(shop)
    assert caught.value.code == "too_large"
    assert engine.update(shop, confirmed=True).files > 3
    assert engine.update(shop).changed == 0


def test_paths_outside_are_refused(engine: Engine, shop: Path, tmp_path: Path) -> None:
    engine.update(shop)
    for path in ("../outside.txt", str(tmp_path / "outside.txt"), "/etc/passwd"):
        with pytest.raises(AutoContextError) as caught:
            engine.update_paths(shop, [path])
        assert caught.value.code == "outside_root"


def test_status_counts(engine: Engine, shop: Path) -> None:
    before = engine.status(shop)
    assert not before.indexed
    report = engine.update(shop)
    after = engine.status(shop)
    assert (after.files, after.chunks, after.vectors) == (report.files, report.chunks, report.chunks)
    assert after.store_bytes > 0
    assert after.updated_at > 0


def test_while_the_transformer_is_held_the_rest_goes_on_and_it_is_told(open_engine: OpenEngine, shop: Path) -> None:
    engine, pace, told = open_engine(), Pace(), [Progress("scan")]
    pace.hold("battery", on=True)
    with ThreadPoolExecutor(1) as thread:
        update = thread.submit(engine.update, shop, options=Options(progress=told.append, pace=pace))
        wait_until(lambda: told[-1].paused == "battery" or update.done())
        assert told[-1].coverage == {"static": 1.0, "vector": 0.0}
        assert paths(engine, shop, "RetryPolicy")[0] == "src/uploads.py"
        (shop / "src/heron.py").write_text("def heron():\n    '''A grey bird by the water.'''\n")
        saved = engine.update_paths(shop, ["src/heron.py"], Options(pace=pace))
        assert saved.embedded_chunks == 1
        assert not update.done()
        pace.hold("battery", on=False)
        assert update.result(60).pending_chunks == 0
    assert told[-1].paused == ""


def test_an_update_that_is_held_can_be_cancelled(open_engine: OpenEngine, shop: Path) -> None:
    engine, pace, cancel, told = open_engine(), Pace(), threading.Event(), [Progress("scan")]
    pace.hold("memory", on=True)
    with ThreadPoolExecutor(1) as thread:
        update = thread.submit(engine.update, shop, options=Options(cancel, told.append, pace=pace))
        wait_until(lambda: told[-1].paused or update.done())
        cancel.set()
        with pytest.raises(AutoContextError) as caught:
            update.result(30)
    assert caught.value.code == "cancelled"


def test_a_save_on_another_branch_does_not_wait_for_a_transformer_that_is_held(
    open_engine: OpenEngine, shop: Path
) -> None:
    engine, pace = open_engine(), Pace()
    engine.update(shop)
    git(shop, "checkout", "-qb", "other")
    (shop / "src/heron.py").write_text("def heron():\n    '''A grey bird by the water.'''\n")
    pace.hold("memory", on=True)
    report = engine.update_paths(shop, ["src/heron.py"], Options(pace=pace))
    assert (report.branch, report.pending_chunks) == ("other", 1)
    assert paths(engine, shop, "heron")[0] == "src/heron.py"
    assert engine.update(shop).pending_chunks == 0


def test_what_can_be_made_again_is_let_go_and_is_made_again(
    open_engine: OpenEngine, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine()
    engine.update(shop)
    wanted = paths(engine, shop, "auth flow")
    (repository,) = engine._stores._open.values()
    engine.shed()
    assert len(repository.blob) == 0
    assert repository.lexical._writer is None
    assert list(engine._stores._open.values()) == [repository]
    assert paths(engine, shop, "auth flow") == wanted
    monkeypatch.setattr("auto_context.engine.stores._UNUSED_S", 0.0)
    repository.full_update.acquire()
    engine.shed()
    assert list(engine._stores._open.values()) == [repository]
    repository.full_update.release()
    engine.shed()
    assert engine._stores._open == {}
    assert paths(engine, shop, "auth flow") == wanted
    assert engine.update(shop, force=True).embedded_chunks == 0
