"""`:AutoContext install` and what takes it away again, with a uv and a pip that only pretend to fetch anything."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from auto_context.errors import CODES
from harness import REPOSITORY, Child, StartNeovim
from support import wait_until

PYTHON = """#!/bin/sh
# What an environment's Python is asked for.
echo "python $*" >> "$FAKES/calls"
case "$*" in
  *'sys.exit(sys.version_info'*) exit "$(cat "$FAKES/old" 2>/dev/null || echo 0)" ;;
  '-m venv '*) "$FAKES/make" "$3" ;;
  '-m pip config list') cat "$FAKES/pip.conf" 2>/dev/null ;;
  *'pip install'*' uv') cp "$FAKES/uv" "$(dirname "$0")/uv" ;;
  '-m pip install'*) "$FAKES/packages" pip ;;
  *'import auto_context'*) echo 3.11.2 ;;
  *) exit 0 ;;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >> "$FAKES/calls"
case "$1" in
  venv) for last; do :; done; "$FAKES/make" "$last" ;;
  pip) "$FAKES/packages" uv ;;
esac
"""
MAKE = """#!/bin/sh
mkdir -p "$1/bin" && cp "$FAKES/python" "$1/bin/python"
"""
PACKAGES = """#!/bin/sh
echo 'Resolved 3 packages in 1ms'
if [ -e "$FAKES/gate" ]; then (echo $$ > "$FAKES/waits"; cat "$FAKES/gate"); fi
if [ -e "$FAKES/$1-fails" ]; then echo 'Collecting torch'; echo 'ERROR: No matching distribution for torch'; exit 1; fi
"""
"""Waits for as long as nobody writes into the gate, a named pipe."""


class Home:
    """An empty home, the programs that pretend, and what was made."""

    def __init__(self, folder: Path, start: StartNeovim) -> None:
        self.fakes = folder / "fakes"
        self.fakes.mkdir()
        self.folder = Path(os.environ["XDG_DATA_HOME"]) / "nvim/auto-context"
        self.link = self.folder / "venv"
        self._start, self._cwd = start, folder
        # The plugin as it is cloned: without the environment that its developers have in it.
        self.plugin = folder / "cloned"
        self.plugin.mkdir()
        for name in ("build.lua", "lua", "plugin", "pyproject.toml", "python", "rplugin"):
            (self.plugin / name).symlink_to(REPOSITORY / name)
        for name, text in {"python": PYTHON, "uv": UV, "make": MAKE, "packages": PACKAGES}.items():
            (self.fakes / name).write_text(text)
            (self.fakes / name).chmod(0o755)
        self.path = folder / "path"
        self.path.mkdir()
        for name in ("sh", "rm", "cp", "cat", "mkdir", "dirname", "git"):
            (self.path / name).symlink_to(str(shutil.which(name)))

    def has(self, *names: str) -> None:
        """Put ``uv`` or ``python3`` on the PATH."""
        for name in names:
            (self.path / name).symlink_to(self.fakes / name.rstrip("3"))

    def variables(self) -> dict[str, str]:
        return {"PATH": str(self.path), "FAKES": str(self.fakes), "AUTO_CONTEXT_PYTHON": "", "VIRTUAL_ENV": ""}

    def neovim(self, **options: Any) -> Child:
        found = {"plugin": False, "commands": (f"let &runtimepath = '{self.plugin}'.','.&runtimepath",)}
        child = self._start(cwd=self._cwd, env=self.variables(), width=120, **found | options)
        child.lua("""
            _G.events = {}
            vim.api.nvim_create_autocmd('User', {
              pattern = 'AutoContextInstall',
              callback = function(event) table.insert(_G.events, event.data) end,
            })
        """)
        return child

    def calls(self) -> list[str]:
        file = self.fakes / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def environments(self) -> list[str]:
        return sorted(item.name for item in self.folder.glob("venv-*"))

    def settled(self) -> bool:
        """Nothing is being installed or removed."""
        return not (self.folder / "install.lock").exists()


@pytest.fixture
def home(tmp_path: Path, start_nvim: StartNeovim) -> Home:
    return Home(tmp_path, start_nvim)


def last_event(child: Child) -> dict[str, Any]:
    found: dict[str, Any] = child.lua("return _G.events[#_G.events] or vim.empty_dict()")
    return found


def install(child: Child, home: Home, command: str = "AutoContext install!") -> dict[str, Any]:
    """Run it to its end, and return the last event."""
    child.lua("_G.events = {}")
    child.command(command)
    child.wait_for(lambda: last_event(child).get("ended"), what="the end")
    wait_until(home.settled)
    return last_event(child)


def resolve(child: Child) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = child.lua("return (require('auto_context.install').resolve())")
    return found


def taken(child: Child) -> str:
    """Where the interpreter comes from, empty when there is none."""
    return next((item["name"] for item in resolve(child) if item["taken"]), "")


def test_it_asks_before_anything_is_fetched(home: Home) -> None:
    home.has("uv")
    child = home.neovim()
    child.keys(":AutoContext install<CR>")
    child.wait_for(lambda: "to download" in child.text())
    assert "0.5 GB to download, 1.8 GB on the disk" in child.text()
    assert home.calls() == []
    child.keys("2<CR>")
    child.wait_for(lambda: not child.blocked)
    assert home.calls() == []
    assert not home.folder.exists()


def test_a_yes_makes_an_environment_by_uv_and_switches_to_it(home: Home) -> None:
    home.has("uv", "python3")
    child = home.neovim()
    assert taken(child) == ""
    child.keys(":AutoContext install<CR>")
    child.wait_for(lambda: "to download" in child.text())
    child.keys("1<CR>")
    child.wait_for(lambda: last_event(child).get("ended"))
    wait_until(home.settled)
    made, packages, check, models, stop, clean = home.calls()
    (name,) = home.environments()
    assert made == f"uv venv --no-project --python >=3.11 {home.folder / name}"
    constraints = home.plugin / "python/constraints.txt"
    assert f"-c {constraints} -b {constraints} --torch-backend=cpu -e {home.plugin}" in packages
    assert "import auto_context, pynvim, torch" in check
    assert models.endswith("-m auto_context.embed")
    assert stop.endswith("-m auto_context service stop")
    assert clean.endswith(f"-m auto_context.cli.environments {home.folder} {name}")
    assert os.readlink(home.link) == name
    stamp = json.loads((home.link / "auto-context.json").read_text())
    assert stamp["python"] == "3.11.2"
    assert stamp["root"] == str(home.plugin)
    assert [event["step"] for event in child.lua("return _G.events")] == [1, 2, 3, 3]
    assert "installed in" in child.messages()
    found = child.lua("return { require('auto_context.environment').python() }")
    assert found == [str(home.folder / name / "bin/python")]


def test_a_gpu_is_asked_for_by_name(home: Home) -> None:
    home.has("uv")
    child = home.neovim()
    assert "error" not in install(child, home, "AutoContext install! gpu")
    assert any("--torch-backend=auto" in call for call in home.calls())
    child.command("AutoContext install tpu")
    child.wait_for(lambda: "unknown kind of environment `tpu`; known: gpu" in child.messages())


@pytest.mark.parametrize("uv_works", [True, False])
def test_pip_fetches_uv_for_the_build_without_cuda(home: Home, *, uv_works: bool) -> None:
    home.has("python3")
    if not uv_works:
        (home.fakes / "uv-fails").touch()
    assert "error" not in install(home.neovim(), home)
    calls = [call for call in home.calls() if " install " in call]
    assert calls[0].endswith("pip install --no-input --progress-bar=off uv")
    assert "--torch-backend=cpu" in calls[1]
    assert len(calls) == (2 if uv_works else 3)
    assert uv_works or calls[2].startswith("python -m pip install --no-input --progress-bar=off -c ")


def test_a_pip_that_was_told_where_packages_are_is_asked_for_all(home: Home) -> None:
    home.has("python3")
    (home.fakes / "pip.conf").write_text("global.find-links='/somewhere'\n")
    assert "error" not in install(home.neovim(), home)
    assert len([call for call in home.calls() if " install " in call]) == 1
    assert not any(call.startswith("uv") for call in home.calls())


def test_without_python_and_uv_it_says_what_to_install(home: Home) -> None:
    child = home.neovim()
    error = install(child, home)["error"]
    assert error["code"] == "python_missing"
    assert "python3-venv" in error["hint"]
    home.has("python3")
    (home.fakes / "old").write_text("1")
    assert install(child, home)["error"]["code"] == "python_missing"
    assert any("sys.version_info" in call for call in home.calls())
    assert home.environments() == []


def test_a_failure_leaves_what_worked_before_and_the_next_one_works(home: Home) -> None:
    home.has("uv")
    child = home.neovim()
    install(child, home)
    before = os.readlink(home.link)
    (home.fakes / "uv-fails").touch()
    # Names are made of the second; another needs no waiting for the next.
    (home.folder / before).rename(home.folder / "venv-1")
    home.link.unlink()
    home.link.symlink_to("venv-1")
    error = install(child, home)["error"]
    assert error["code"] == "install_failed"
    assert error["message"] == "uv (status 1): ERROR: No matching distribution for torch"
    assert "ERROR: No matching distribution for torch; see `:AutoContext log`" in child.messages()
    assert os.readlink(home.link) == "venv-1"
    assert home.environments() == ["venv-1"]
    log = Path(child.lua("return require('auto_context.log').path()")).read_text()
    assert "Collecting torch" in log
    (home.fakes / "uv-fails").unlink()
    assert "error" not in install(child, home)
    assert os.readlink(home.link) != "venv-1"


def begin_and_wait(child: Child, home: Home) -> psutil.Process:
    """Install up to where packages are fetched; returns the program that waits."""
    if not (home.fakes / "gate").exists():
        os.mkfifo(home.fakes / "gate")
    child.command("AutoContext install!")
    wait_until(lambda: (home.fakes / "waits").exists() and (home.fakes / "waits").read_text().strip())
    return psutil.Process(int((home.fakes / "waits").read_text()))


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_stop_cancels_it_with_everything_it_started(home: Home) -> None:
    home.has("uv")
    child = home.neovim()
    program = begin_and_wait(child, home)
    child.command("AutoContext install")
    child.wait_for(lambda: "`:AutoContext stop` cancels it" in child.messages())
    children = program.children(recursive=True)
    child.command("AutoContext stop")
    child.wait_for(lambda: last_event(child).get("ended"))
    assert last_event(child)["error"]["code"] == "cancelled"
    wait_until(lambda: all(map(gone, [program, *children])))
    wait_until(home.settled)
    assert home.environments() == []
    assert not home.link.exists()


def test_the_editor_takes_it_along_when_it_leaves_and_the_next_one_begins_anew(home: Home) -> None:
    home.has("uv")
    child = home.neovim()
    program = begin_and_wait(child, home)
    other = home.neovim()
    assert "another editor" in _refused(other)["message"]
    assert child.quit() < 1
    wait_until(lambda: gone(program))
    assert not home.link.exists()
    (home.fakes / "gate").unlink()
    assert "error" not in install(other, home)
    assert home.link.exists()


def _refused(child: Child) -> dict[str, str]:
    child.lua("require('auto_context.install').install({ confirmed = true }, function(error) _G.refused = error end)")
    error: dict[str, str] = child.wait_for(lambda: child.lua("return _G.refused"))
    return error


def test_a_disk_without_room_is_said_before_anything_is_fetched(home: Home) -> None:
    home.has("uv")
    child = home.neovim()
    child.lua("vim.uv.fs_statfs = function() return { bavail = 10, bsize = 4096 } end")
    assert _refused(child)["code"] == "disk_full"
    assert home.calls() == []


@pytest.mark.parametrize("change", ["pins", "interpreter", "root"])
def test_an_environment_that_does_not_fit_is_told_once(home: Home, change: str) -> None:
    home.has("uv")
    install(home.neovim(), home)
    child = home.neovim()
    child.lua("require('auto_context.environment').python()")
    assert "again" not in child.messages()
    file = home.link / "auto-context.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), change: "/another"}))
    for _ in range(3):
        child.lua("require('auto_context.environment').python()")
    child.wait_for(lambda: "run `:AutoContext install` again: " in child.messages())
    assert child.messages().count("again") == 1


def test_an_update_of_the_pins_changes_their_digest_and_a_linters_setting_does_not(home: Home, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    for name in ("lua", "python/constraints.txt", "pyproject.toml"):
        (plugin / name).parent.mkdir(parents=True, exist_ok=True)
        copy: Callable[..., Any] = shutil.copytree if name == "lua" else shutil.copy
        copy(REPOSITORY / name, plugin / name)
    child = home.neovim(plugin=False, commands=(f"let &runtimepath = '{plugin}'.','.&runtimepath",))
    pins = "return require('auto_context.environment').pins()"
    first = child.lua(pins)
    project = plugin / "pyproject.toml"
    project.write_text(project.read_text().replace("line-length = 120", "line-length = 100"))
    assert child.lua(pins) == first
    project.write_text(project.read_text().replace('"diskcache>=5.6.3"', '"diskcache>=6"'))
    second = child.lua(pins)
    assert second != first
    with (plugin / "python/constraints.txt").open("a") as constraints:
        constraints.write("new==1\n")
    assert child.lua(pins) not in (first, second)


def test_the_interpreter_is_looked_for_in_order(home: Home, tmp_path: Path) -> None:
    home.has("uv")
    child = home.neovim()
    own = tmp_path / "own"
    (own / "bin").mkdir(parents=True)
    (own / "bin/python").symlink_to(sys.executable)
    child.lua("vim.env.VIRTUAL_ENV = ...", str(own))
    assert [item["name"] for item in resolve(child)] == [
        "option `python`", "$AUTO_CONTEXT_PYTHON", "`:AutoContext install`", "`make install`", "$VIRTUAL_ENV",
    ]  # fmt: skip
    assert resolve(child)[4]["why"] == "has no auto-context in it"
    (own / "lib/python3.11/site-packages/auto_context-0.1.0.dist-info").mkdir(parents=True)
    assert taken(child) == "$VIRTUAL_ENV"
    install(child, home)
    assert taken(child) == "`:AutoContext install`"
    assert resolve(child)[4]["why"] == "has the package; comes after `:AutoContext install`"
    (home.link / "bin/python").unlink()
    assert taken(child) == "$VIRTUAL_ENV"
    assert resolve(child)[2]["why"] == "its Python is gone; install it again"
    child.lua("vim.env.AUTO_CONTEXT_PYTHON = ...", sys.executable)
    assert taken(child) == "$AUTO_CONTEXT_PYTHON"
    child.lua("require('auto_context').setup({ python = '/nowhere/python' })")
    assert taken(child) == ""  # what a person named is never passed over
    _, error = child.lua("return { vim.NIL, select(2, require('auto_context.environment').python()) }")
    assert error["code"] == "python_missing"
    assert "/nowhere/python" in error["message"]


def test_uninstall_asks_and_removes_what_was_installed_and_nothing_else(home: Home) -> None:
    home.has("uv")
    child = home.neovim()
    install(child, home)
    (home.folder / "mine").touch()
    child.keys(":AutoContext uninstall<CR>")
    child.wait_for(lambda: "Indexes stay" in child.text())
    child.keys("2<CR>")
    child.wait_for(lambda: not child.blocked)
    assert home.link.exists()
    child.keys(":AutoContext uninstall<CR>")
    child.wait_for(lambda: "Indexes stay" in child.text())
    child.keys("1<CR>")
    child.wait_for(lambda: "removed; indexes stay in ~/data/auto-context" in child.messages())
    assert home.calls()[-1].endswith("service stop")
    assert [item.name for item in home.folder.iterdir()] == ["mine"]
    child.command("AutoContext uninstall!")
    child.wait_for(lambda: "nothing is installed" in child.messages())


def run_build(home: Home, binary: Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = [str(binary), "--headless", "--clean", "-c", f"luafile {home.plugin}/build.lua", "-c", "qa!"]
    environment = {**os.environ, **home.variables(), **more}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_a_script_that_builds_waits_for_the_end_and_repeats_nothing(home: Home, nvim_binary: Path) -> None:
    home.has("uv")
    run_build(home, nvim_binary)
    assert home.link.exists()
    calls = len([call for call in home.calls() if call.startswith("uv")])
    run_build(home, nvim_binary)
    assert len([call for call in home.calls() if call.startswith("uv")]) == calls


def test_building_leaves_an_environment_of_ones_own_alone(home: Home, nvim_binary: Path) -> None:
    home.has("uv")
    run_build(home, nvim_binary, AUTO_CONTEXT_PYTHON=sys.executable)
    assert home.calls() == []


def test_building_asks_where_there_is_somebody_to_ask(home: Home) -> None:
    home.has("uv")
    child = home.neovim()
    child.keys(f":luafile {home.plugin}/build.lua<CR>")
    child.wait_for(lambda: "to download" in child.text())
    child.keys("1<CR>")
    child.wait_for(lambda: last_event(child).get("ended"))
    wait_until(home.settled)
    file = home.link / "auto-context.json"
    stamp = json.loads(file.read_text())
    file.write_text(json.dumps({**stamp, "pins": "old", "gpu": True}))
    child.lua("_G.events = {}")
    child.command(f"luafile {home.plugin}/build.lua")  # an update: it was agreed to before
    child.wait_for(lambda: last_event(child).get("ended"))
    wait_until(home.settled)
    interpreter = str(home.link.resolve() / "bin/python")
    assert json.loads(file.read_text()) == {**stamp, "interpreter": interpreter, "gpu": True}


def test_the_hints_name_the_command() -> None:
    assert ":AutoContext install" in CODES["python_missing"].hint
