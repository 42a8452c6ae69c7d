"""Folders: overrides, privacy, and sockets whose path would be too long."""

import os
import stat
from pathlib import Path

import pytest

from auto_context import paths
from auto_context.errors import AutoContextError


@pytest.mark.parametrize(
    ("function", "variable", "xdg", "fallback"),
    [
        (paths.config_dir, "AUTO_CONTEXT_CONFIG_DIR", "XDG_CONFIG_HOME", ".config"),
        (paths.data_dir, "AUTO_CONTEXT_DATA_DIR", "XDG_DATA_HOME", ".local/share"),
        (paths.log_dir, "AUTO_CONTEXT_LOG_DIR", "XDG_STATE_HOME", ".local/state"),
    ],
)
def test_order(monkeypatch: pytest.MonkeyPatch, function: object, variable: str, xdg: str, fallback: str) -> None:
    assert callable(function)
    monkeypatch.setenv(variable, "/own")
    assert function() == Path("/own")
    monkeypatch.delenv(variable)
    monkeypatch.setenv(xdg, "/xdg")
    assert function() == Path("/xdg/auto-context")
    monkeypatch.setenv(xdg, "relative")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert function() == Path("/home/somebody") / fallback / "auto-context"


def test_a_private_folder_is_made_and_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    for name in ("new/below", "open"):
        folder = paths.private_dir(tmp_path / name)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_link_or_a_file_is_no_private_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    for name in ("link", "file", "file/below"):
        with pytest.raises(AutoContextError) as caught:
            paths.private_dir(tmp_path / name)
        assert caught.value.code == "unsafe_directory"


def test_a_long_runtime_folder_gives_way_to_a_short_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    short = os.environ["AUTO_CONTEXT_RUNTIME_DIR"]
    monkeypatch.setenv("AUTO_CONTEXT_RUNTIME_DIR", str(tmp_path / ("x" * 100)))
    monkeypatch.setattr("tempfile.gettempdir", lambda: short)
    socket = paths.runtime_dir() / (paths.service_name(tmp_path, 1) + ".sock")
    assert socket.parent.name == f"auto-context-{os.getuid()}"


def test_a_service_has_one_name_for_one_data_folder_and_protocol(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert paths.service_name(tmp_path, 1) == paths.service_name(tmp_path / "link", 1)
    assert (
        len({paths.service_name(tmp_path, 1), paths.service_name(tmp_path, 2), paths.service_name(Path("/"), 1)}) == 3
    )


def test_windows_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(AutoContextError) as caught:
        paths.require_supported_platform()
    assert caught.value.code == "unsupported_platform"
    assert "WSL" in caught.value.hint
