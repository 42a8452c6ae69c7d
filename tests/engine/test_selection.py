"""Which files are indexed: the user's settings and the repository's own file, followed at every scan."""

from pathlib import Path

import pytest

from auto_context.config import Settings
from auto_context.engine import Engine, Options
from auto_context.errors import AutoContextError
from auto_context.types import SearchRequest, UpdateReport
from support import OpenEngine, git

STATIC = Options(tier="static")
FILE = ".auto-context.toml"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Files that all have one word in them."""
    folder = tmp_path / "project"
    files = {
        "src/owl.py": "def owl():\n    return 'hoot'\n",
        "src/owl.go": "package owl\n\nfunc Hoot() {}\n",
        "gen/owl.py": "def hoot():\n    return 1\n",
        "bin/owl": "#!/usr/bin/env python3\nprint('hoot')\n",
        "bin/nest": "#!/bin/sh\necho hoot\n",
        "notes": "hoot, said the owl\n",
        "long.py": "# hoot\n" + "x = 1\n" * 400,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "owl.png").write_bytes(b"\x89PNG\0\0")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "hoot")
    return folder


def update(engine: Engine, project: Path) -> UpdateReport:
    return engine.update(project, options=STATIC)


def found(engine: Engine, project: Path) -> set[str]:
    return {hit.path for hit in engine.search(SearchRequest("hoot owl", str(project), limit=50)).hits}


def test_only_what_is_watched_is_indexed(open_engine: OpenEngine, project: Path) -> None:
    engine = open_engine(Settings(watch=("*.py", "bin/"), exclude=("gen/",)))
    report = update(engine, project)
    assert found(engine, project) == {"src/owl.py", "bin/owl", "bin/nest", "long.py"}
    assert (report.skipped["unwatched"], report.skipped["excluded"]) == (3, 1)


def test_only_the_languages_asked_for_are_indexed_and_a_first_line_may_say_which(
    open_engine: OpenEngine, project: Path
) -> None:
    engine = open_engine(Settings(languages=("python",)))
    report = update(engine, project)
    assert found(engine, project) == {"src/owl.py", "gen/owl.py", "bin/owl", "long.py"}
    assert report.skipped == {"language": 4}
    everything = open_engine()
    assert update(everything, project).changed == 4
    assert found(everything, project) >= {"src/owl.go", "bin/nest", "notes", "owl.png"}
    again = open_engine(Settings(languages=("python",)))
    update(again, project)
    assert found(again, project) == {"src/owl.py", "gen/owl.py", "bin/owl", "long.py"}


def test_a_size_limit_of_a_repository_leaves_the_name(open_engine: OpenEngine, project: Path) -> None:
    engine = open_engine()
    (project / FILE).write_text("max_file_bytes = 1000")
    assert update(engine, project).skipped == {"large": 1, "binary": 1}
    hits = engine.search(SearchRequest("long.py", str(project))).hits
    assert [(hit.path, hit.text) for hit in hits if hit.path == "long.py"] == [("long.py", "")]


def test_the_repositorys_file_is_read_at_every_scan_and_what_it_leaves_out_goes(
    open_engine: OpenEngine, project: Path
) -> None:
    engine = open_engine()
    update(engine, project)
    git(project, "switch", "-qc", "side")
    update(engine, project)
    assert "gen/owl.py" in found(engine, project)
    (project / FILE).write_text('exclude = ["gen/"]\nlanguages = ["python"]\n')
    report = update(engine, project)
    assert report.warnings == []
    assert found(engine, project) == {"src/owl.py", "bin/owl", "long.py"}
    git(project, "switch", "-q", "main")
    update(engine, project)
    assert found(engine, project) == {"src/owl.py", "bin/owl", "long.py"}
    (project / FILE).unlink()
    update(engine, project)
    assert "gen/owl.py" in found(engine, project)


def test_saving_the_file_follows_it_at_once(open_engine: OpenEngine, project: Path) -> None:
    engine = open_engine()
    update(engine, project)
    (project / FILE).write_text('exclude = ["gen/"]\nmodel = "mine"\n')
    report = engine.update_paths(project, [FILE])
    assert "gen/owl.py" not in found(engine, project)
    assert [warning["code"] for warning in report.warnings] == ["config_invalid"]
    assert "may not set model" in report.warnings[0]["message"]
    assert engine.status(project).warnings == report.warnings
    calm = engine.update_paths(project, ["src/owl.py"])
    assert (calm.changed, calm.removed) == (0, 0)


def test_a_broken_file_stops_nothing(open_engine: OpenEngine, project: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.toml").write_text('exclude = ["src/"]')
    (project / FILE).symlink_to(tmp_path / "outside.toml")
    engine = open_engine()
    assert "none is followed" in update(engine, project).warnings[0]["message"]
    assert "src/owl.py" in found(engine, project)
    (project / FILE).unlink()
    (project / FILE).write_text("exclude = [")
    assert "is no TOML" in update(engine, project).warnings[0]["message"]
    assert "src/owl.py" in found(engine, project)


def test_languages_that_nobody_agrees_on_leave_nothing(open_engine: OpenEngine, project: Path) -> None:
    (project / FILE).write_text('languages = ["rust"]')
    engine = open_engine(Settings(languages=("python",)))
    assert update(engine, project).files == 0
    assert found(engine, project) == set()


def test_a_pattern_of_the_user_that_is_none_is_said(open_engine: OpenEngine, project: Path) -> None:
    with pytest.raises(AutoContextError, match="watch: ") as caught:
        update(open_engine(Settings(watch=("!",))), project)
    assert caught.value.code == "config_invalid"
