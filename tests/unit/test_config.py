"""Settings: defaults, validation, nearest names."""

from pathlib import Path

import pytest

from auto_context.config import Settings, from_mapping, load
from auto_context.errors import AutoContextError


def test_a_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings()


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "auto-context.toml").write_text('exclude = ["*.gen.go"]\nmax_file_bytes = 5000\n')
    assert load(tmp_path) == Settings(exclude=("*.gen.go",), max_file_bytes=5000)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("pause_on_battery = 1", "pause_on_battery"),
        ("memory_mb = 0", "memory_mb"),
        ("memory_mb = 1e3", "memory_mb"),
        ("modle = 'x'", "modle"),
        ("max_file_bytes = 'big'", "max_file_bytes"),
        ("max_file_bytes = true", "max_file_bytes"),
        ("max_file_bytes = -1", "max_file_bytes"),
        ("static_model = 1", "static_model"),
        ("exclude = 'x'", "exclude"),
        ("exclude = [1]", "exclude"),
        ("precision = 'fp8'", "precision"),
        ("not toml", "auto-context.toml"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "auto-context.toml").write_text(text)
    with pytest.raises(AutoContextError) as caught:
        load(tmp_path)
    assert caught.value.code == "config_invalid"
    assert named in caught.value.message


def test_a_switch_is_read(tmp_path: Path) -> None:
    (tmp_path / "auto-context.toml").write_text("pause_on_battery = true\n")
    assert load(tmp_path).pause_on_battery


def test_an_unknown_key_is_given_its_nearest() -> None:
    with pytest.raises(AutoContextError) as caught:
        from_mapping({"modle": "x"}, "here")
    assert "'model'" in caught.value.hint
