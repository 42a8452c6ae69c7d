"""The user's file and the environment: defaults, validation, nearest names, and where a value came from."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from auto_context.config import Settings, from_mapping, load, read, schema, stamp, without_settings
from auto_context.errors import AutoContextError


def write(folder: Path, text: str) -> Path:
    (folder / "auto-context.toml").write_text(text)
    return folder


def fault(raw: dict[str, Any]) -> AutoContextError:
    with pytest.raises(AutoContextError) as caught:
        from_mapping(raw, "here")
    assert caught.value.code == "config_invalid"
    return caught.value


def test_a_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings()
    assert (read(tmp_path).origins, stamp(tmp_path)) == ({}, None)


def test_a_file_is_read_and_named_as_the_origin(tmp_path: Path) -> None:
    write(tmp_path, '\ufeffexclude = ["*.gen.go"]\nmax_file_bytes = 5000\nthreshold = 1\nlanguages = ["py", "Rust"]\n')
    found = read(tmp_path)
    assert found.settings == Settings(
        exclude=("*.gen.go",), max_file_bytes=5000, threshold=1.0, languages=("python", "rust")
    )
    assert isinstance(found.settings.threshold, float)
    assert found.origins == dict.fromkeys(
        ("exclude", "max_file_bytes", "threshold", "languages"), str(tmp_path / "auto-context.toml")
    )


def test_the_defaults_pass_their_own_check() -> None:
    assert from_mapping(dataclasses.asdict(Settings()), "here") == Settings()


WRONG = [
    ("pause_on_battery", 1, "must be true or false, not 1"),
    ("memory_mb", 0, "must be a whole number from 100 to 1000000, not 0"),
    ("memory_mb", 1e3, "not 1000.0"),
    ("max_file_bytes", "big", "must be a whole number from 1 to 1073741824, not 'big'"),
    ("max_file_bytes", True, "not True"),
    ("max_file_bytes", -1, "not -1"),
    ("batch_size", 0, "from 1 to 1024"),
    ("batch_size", 1025, "from 1 to 1024"),
    ("limit", 201, "must be a whole number from 1 to 200, not 201"),
    ("threshold", 1.01, "must be a number from 0 to 1, not 1.01"),
    ("threshold", float("nan"), "not nan"),
    ("threshold", True, "not True"),
    ("wait_ms", -1, "from 0 to 60000"),
    ("idle_minutes", 0, "from 1 to 10080"),
    ("static_model", 1, "must be a text, not 1"),
    ("exclude", "x", "must be a list of texts, not 'x'"),
    ("exclude", [1], "must be a list of texts, not [1]"),
    ("exclude", ["!"], "'!' is no pattern"),
    ("watch", [""], "'' is no pattern"),
    ("watch", ["src\\"], "is no pattern"),
    ("precision", "fp8", "must be auto, bf16, fp32, mixed or int8, not 'fp8'"),
    ("backend", "tensorflow", "must be auto, torch or openvino"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_a_wrong_value_names_the_key_the_range_and_the_value(name: str, value: Any, said: str) -> None:
    message = fault({name: value}).message
    assert message.startswith(f"here: {name}")
    assert said in message


@pytest.mark.parametrize(
    ("key", "meant"),
    [("modle", "model"), ("cache_size", "cache_size_mb"), ("excludes", "exclude"), ("limits", "limit")],
)
def test_an_unknown_key_is_given_its_nearest(key: str, meant: str) -> None:
    error = fault({key: "x"})
    assert error.message == f"here: unknown key {key!r}"
    assert error.hint == f"did you mean {meant!r}?"


def test_a_key_that_is_like_none_gets_the_list() -> None:
    assert "known: model, " in fault({"zzzzzzzzzz": 1}).hint
    assert "width" not in fault({"zzzzzzzzzz": 1}).hint


def test_an_unknown_language_is_given_its_nearest() -> None:
    error = fault({"languages": ["pyton"]})
    assert ("'pyton'" in error.message, error.hint) == (True, "did you mean 'python'?")


def test_an_option_of_the_editor_is_sent_there() -> None:
    error = fault({"debounce_ms": 10})
    assert "option of the editor" in error.message
    assert "setup()" in error.hint


@pytest.mark.parametrize("data", [b"not toml", b"limit = \xff", b"x = " + b"[" * 100_000, b"limit = 1\nlimit = 2\n"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "auto-context.toml").write_bytes(data)
    with pytest.raises(AutoContextError) as caught:
        load(tmp_path)
    assert caught.value.code == "config_invalid"
    assert str(tmp_path / "auto-context.toml") in caught.value.message


def test_a_file_that_is_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "auto-context.toml").mkdir()
    with pytest.raises(AutoContextError, match="Is a directory"):
        load(tmp_path)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    write(tmp_path, 'limit = 30\nexclude = ["a"]\nkeep_days = 3\n')
    environment = {
        "AUTO_CONTEXT_LIMIT": "7",
        "AUTO_CONTEXT_EXCLUDE": "vendor/:*.min.js:",
        "AUTO_CONTEXT_PAUSE_ON_BATTERY": "Yes",
        "AUTO_CONTEXT_THRESHOLD": "0.25",
        "AUTO_CONTEXT_IDLE_MINUTES": "",
        "AUTO_CONTEXT_DATA_DIR": "/elsewhere",
        "LIMIT": "9",
    }
    found = read(tmp_path, environment)
    assert found.settings == Settings(
        limit=7, exclude=("vendor/", "*.min.js"), pause_on_battery=True, threshold=0.25, keep_days=3
    )
    assert found.origins["limit"] == "AUTO_CONTEXT_LIMIT"
    assert found.origins["keep_days"] == str(tmp_path / "auto-context.toml")
    assert not found.warnings
    assert read(tmp_path).settings.limit == 30


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("AUTO_CONTEXT_LIMIT", "many", "from 1 to 200, not 'many'"),
        ("AUTO_CONTEXT_LIMIT", "0", "from 1 to 200, not 0"),
        ("AUTO_CONTEXT_PAUSE_ON_BATTERY", "maybe", "true or false, not 'maybe'"),
    ],
)
def test_a_wrong_variable_names_itself(tmp_path: Path, variable: str, text: str, said: str) -> None:
    with pytest.raises(AutoContextError) as caught:
        read(tmp_path, {variable: text})
    assert caught.value.message.startswith(f"{variable}: ")
    assert said in caught.value.message


def test_an_unknown_variable_is_a_warning_with_its_nearest(tmp_path: Path) -> None:
    [warning] = read(tmp_path, {"AUTO_CONTEXT_LIMTI": "3", "AUTO_CONTEXT_TEST_NVIM": "/nvim"}).warnings
    assert warning.message == "AUTO_CONTEXT_LIMTI is no setting"
    assert warning.hint == "did you mean 'AUTO_CONTEXT_LIMIT'?"


@pytest.mark.parametrize("name", ["model", "static_model", "backend", "precision"])
def test_no_environment_chooses_the_model_or_what_runs_it(tmp_path: Path, name: str) -> None:
    variable = schema()[name].variable
    found = read(tmp_path, {variable: "torch"})
    assert (found.settings, found.origins) == (Settings(), {})
    assert [warning.message for warning in found.warnings] == [f"{variable} is left out"]


def test_a_process_that_many_share_gets_no_settings_but_folders() -> None:
    given = {"AUTO_CONTEXT_LIMIT": "3", "AUTO_CONTEXT_EXCLUDE": "x", "AUTO_CONTEXT_MODEL": "m", "HOME": "/h"}
    kept = {"AUTO_CONTEXT_DATA_DIR": "/d", "AUTO_CONTEXT_PYTHON": "/p", "HOME": "/h"}
    assert without_settings(given | kept) == kept


def test_the_stamp_follows_the_file(tmp_path: Path) -> None:
    before = stamp(write(tmp_path, "limit = 3"))
    assert before == stamp(tmp_path)
    assert stamp(write(tmp_path, "limit = 30")) != before
