"""What ``make`` runs: each command sets up what it needs, then does its work inside the project's environment."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import environment
import tools
from environment import PROJECT
from faults import Failed, say

PYTHON_CODE = ("python", "rplugin", "tests", ".ci")
LUA_CODE = ("lua", "plugin", "build.lua")
INTERRUPTED = 130
MODELS = {"AUTO_CONTEXT_CACHE_DIR": str(PROJECT / ".cache/auto-context")}
"""Where tests and measurements have models made ready: one folder for all, and not the user's."""


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; a fault of set-up is one line."""
    commands: dict[str, Callable[..., int]] = {
        "install": install, "demo": demo, "test": test, "lint": lint, "bench": bench, "quality": quality,
        "setup": setup, "nvim": nvim, "trial": trial,
    }  # fmt: skip
    if not arguments or arguments[0] not in commands:
        print(f"setup: usage: bootstrap.py {'|'.join(commands)} [argument]", file=sys.stderr)
        return 2
    try:
        return commands[arguments[0]](*arguments[1:])
    except Failed as failure:
        print(f"setup: {failure.code}: {failure.message}", file=sys.stderr)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        print(f"setup: os_error: {error.strerror or error}: {error.filename or ''}", file=sys.stderr)
    return 2


def install() -> int:
    """The environment that the plugin and the command line run in, its model made ready, and nothing for tests."""
    python = environment.ensure(test=False)
    say(f"Python: {python}")
    _prepare(python, {})
    return 0


def setup() -> int:
    """The environment with the test tools, both Neovims and the linter."""
    environment.ensure(test=True)
    for binary in tools.neovims():
        say(f"Neovim: {binary}")
    tools.luacheck()
    return 0


def nvim() -> int:
    """Print the Neovim binaries the tests use, as a path list."""
    environment.ensure(test=True)
    print(os.pathsep.join(map(str, tools.neovims())))
    return 0


def demo(repository: str = "", *options: str) -> int:
    """Index a repository and search it in a real Neovim; see ``demo.py``."""
    folder = _folder(repository)
    python = environment.ensure(test=False, fast=True)
    _prepare(python, {})
    binary = tools.neovim()
    command = [str(python), str(PROJECT / ".ci/demo.py"), "--nvim", str(binary), *options, str(folder)]
    sys.stdout.flush()
    # Not a child: on a terminal the demo ends as the person's Neovim.
    os.execve(python, command, _variables())


def bench(repository: str = "", *options: str) -> int:
    """Measure, on this repository or another; see ``tests/bench``."""
    folder = _folder(repository)
    python = environment.ensure(test=True)
    variables = {"AUTO_CONTEXT_TEST_NVIM": os.pathsep.join(map(str, tools.neovims())), **MODELS}
    _prepare(python, MODELS)
    return _run([python, PROJECT / "tests/bench/bench.py", folder, *options], variables)


def quality(script: str, *arguments: str) -> int:
    """Measure ranking; see ``tests/quality``."""
    python = environment.ensure(test=True)
    _prepare(python, MODELS)
    return _run([python, PROJECT / "tests/quality" / script, *arguments], MODELS)


def trial(*arguments: str) -> int:
    """Install as a new user would; see ``tests/nvim/new_user.py``."""
    python = environment.ensure(test=True)
    script = PROJECT / "tests/nvim/new_user.py"
    return _run([python, script, "--nvim", tools.neovims()[-1], *(arguments or ["manual"])], {})


def lint() -> int:
    """Formatting, ruff, mypy, layers and Lua."""
    python = environment.ensure(test=True)
    return _all(_linters(python))


def test(*arguments: str) -> int:
    """The linters, then every test; ends in pytest's closing line. ``arguments`` go to pytest."""
    python = environment.ensure(test=True)
    neovims = os.pathsep.join(map(str, tools.neovims()))
    variables = {"AUTO_CONTEXT_TEST_NVIM": neovims, "AUTO_CONTEXT_TEST_GIT": str(tools.git())}
    _prepare(python, MODELS)
    linted = _all(_linters(python))
    if linted:
        say("lint_failed: a linter above did not pass; the tests run all the same")
    # A file's tests stay together: they share a service.
    return _run([python, "-m", "pytest", "-n", "auto", "--dist", "loadfile", *arguments], variables) or linted


def _prepare(python: Path, variables: Mapping[str, str]) -> None:
    """Choose what runs the configured model and distil its static one, once for each machine: half a minute."""
    command = [str(python), "-m", "auto_context.embed"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=_variables(variables), check=False)
    if done.returncode:
        raise Failed("model_not_ready", "the model could not be made ready; the line above says why")
    say(done.stdout.strip())


def _folder(repository: str) -> Path:
    folder = Path(repository).expanduser() if repository else PROJECT
    if not folder.is_dir():
        raise Failed("path_missing", f"{folder} is not a folder")
    return folder.resolve()


Step = tuple[Sequence[str | Path], Mapping[str, str]]


def _linters(python: Path) -> list[Step]:
    tool = python.parent
    lua, variables = tools.luacheck()
    return [
        ([tool / "ruff", "check", *PYTHON_CODE], {}),
        ([tool / "ruff", "format", "--check", *PYTHON_CODE], {}),
        ([tool / "mypy"], {}),
        ([tool / "lint-imports", "--no-logo"], {"PYTHONPATH": "rplugin/python3"}),
        ([*lua, "--quiet", *([] if sys.stdout.isatty() else ["--no-color"]), *LUA_CODE], variables),
    ]


def _variables(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return environment.clean_environment() | dict(extra or {})


def _run(command: Sequence[str | Path], variables: Mapping[str, str]) -> int:
    words = [str(word) for word in command]
    shown = [Path(words[0]).name, *(word.removeprefix(f"{PROJECT}/") for word in words[1:])]
    print(f"$ {shlex.join(shown)}", flush=True)
    return subprocess.run(words, cwd=PROJECT, env=_variables(variables), check=False).returncode


def _all(steps: Sequence[Step]) -> int:
    """Run every step, also after one failed; the first failure is the exit status."""
    return next((code for code in [_run(command, variables) for command, variables in steps] if code), 0)
