"""A repository's own file: it narrows, and whatever else is in it is a warning."""

import os
from pathlib import Path

import pytest

from auto_context.config import Settings, narrowed
from auto_context.config.schema import NO_LANGUAGE

FILE = ".auto-context.toml"


def write(folder: Path, text: str) -> Path:
    (folder / FILE).write_text(text)
    return folder


def test_without_a_file_nothing_changes(tmp_path: Path) -> None:
    found = narrowed(Settings(limit=3), tmp_path)
    assert (found.settings, found.origins, found.warnings) == (Settings(limit=3), {}, ())


def test_it_narrows_files_languages_and_sizes(tmp_path: Path) -> None:
    write(tmp_path, 'exclude = ["gen/"]\nlanguages = ["go", "py"]\nmax_file_bytes = 1000\n')
    found = narrowed(Settings(exclude=("vendor/",), languages=("python", "rust")), tmp_path)
    assert found.settings == Settings(exclude=("vendor/", "gen/"), languages=("python",), max_file_bytes=1000)
    assert found.origins == dict.fromkeys(("exclude", "languages", "max_file_bytes"), str(tmp_path / FILE))
    assert not found.warnings


def test_it_never_widens(tmp_path: Path) -> None:
    mine = Settings(exclude=("vendor/",), languages=("python",), max_file_bytes=1000)
    write(tmp_path, "languages = []\nmax_file_bytes = 2000\nexclude = []\n")
    found = narrowed(mine, tmp_path)
    assert (found.settings, found.origins, found.warnings) == (mine, {}, ())
    write(tmp_path, 'languages = ["go"]')
    assert narrowed(mine, tmp_path).settings.languages == (NO_LANGUAGE,)


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ('model = "evil"', ".toml may not set model", "only exclude, languages, max_file_bytes"),
        ('watch = ["*"]', "may not set watch", "only exclude"),
        ("width = 0.5", "may not set width", "only exclude"),
        ('excludes = ["x"]', "unknown key 'excludes'", "did you mean 'exclude'?"),
        ('languages = ["pyton"]', "no language is called 'pyton'", "did you mean 'python'?"),
        ("max_file_bytes = 0", "must be a whole number from 1", ""),
        ('exclude = "x"', "must be a list of texts, not 'x'", ""),
        ('exclude = ["../other"]', "'../other' is a path outside", "relative to the top"),
        ('exclude = ["a/../../b"]', "is a path outside", ""),
        ('exclude = ["/etc"]', "'/etc' is a path outside", "without a slash"),
        ('exclude = ["~/x"]', "is a path outside", ""),
        ('exclude = ["!vendor/"]', "would take in", ".gitignore"),
        ('exclude = ["a\\\\"]', "is no pattern", ""),
        ('exclude = ["*a*a*a*a*b"]', "has too many stars", "4 at most"),
        ("[command]\nrun = 'rm'", "unknown key 'command'", "known: "),
    ],
)
def test_what_it_may_not_is_a_warning_and_the_rest_counts(tmp_path: Path, line: str, message: str, hint: str) -> None:
    first = "" if line.startswith("max_file") else "max_file_bytes = 1000\n"
    found = narrowed(Settings(exclude=("vendor/",)), write(tmp_path, first + line))
    assert found.settings == Settings(exclude=("vendor/",), max_file_bytes=1000 if first else 1_048_576)
    [warning] = found.warnings
    assert (warning.code, warning.message.startswith(FILE)) == ("config_invalid", True)
    assert message in warning.message
    assert hint in warning.hint


def test_one_bad_pattern_leaves_the_others(tmp_path: Path) -> None:
    found = narrowed(Settings(), write(tmp_path, 'exclude = ["a", "../b", "c"]'))
    assert found.settings.exclude == ("a", "c")
    assert len(found.warnings) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"max_file_bytes =", "is no TOML"),
        (b"\xff\xfe", "is no TOML"),
        (b"x = " + b"[" * 50_000, "is no TOML"),
        (b"#" * 70_000, "is larger than"),
    ],
    ids=["half", "bytes", "deep", "large"],
)
def test_a_broken_file_is_one_warning(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / FILE).write_bytes(data)
    found = narrowed(Settings(), tmp_path)
    assert found.settings == Settings()
    assert message in found.warnings[0].message


def test_only_a_regular_file_of_the_repository_is_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere", "max_file_bytes = 1")
    for name in ("link", "loop", "folder", "pipe"):
        (tmp_path / name).mkdir()
    (tmp_path / "link" / FILE).symlink_to(tmp_path / "elsewhere" / FILE)
    (tmp_path / "loop" / FILE).symlink_to(FILE)
    (tmp_path / "folder" / FILE).mkdir()
    os.mkfifo(tmp_path / "pipe" / FILE)
    said = {"link": "none is followed", "loop": "none is followed", "folder": "is no file", "pipe": "is no file"}
    for name, message in said.items():
        found = narrowed(Settings(), tmp_path / name)
        assert found.settings == Settings()
        assert message in found.warnings[0].message
