"""Installs as somebody who has never heard of it: an empty home, and git, Python and Neovim on the PATH.

    new_user.py MANAGER [--nvim BINARY] [--with PROGRAM ...] [--from FOLDER]

MANAGER is ``manual`` (a clone in a pack folder), ``vim.pack`` (Neovim 0.12), ``lazy.nvim`` or ``mini.deps`` (of which
FOLDER is a clone). Prints the screens and times of every step, up to hits of a search; ends with 0 when all of it
worked. Packages come from wherever this machine's pip has them. Too slow for the test suite: a few minutes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from driving import rows
from harness import REPOSITORY, Child
from support import make_shop

INSTALL_LIMIT_S = 1800.0
PROGRAMS = ("git", "sh", "rm", "env", "basename", "sed", "uname")
"""Besides Python and Neovim: git, and what its own scripts call."""
KEPT = ("PIP_", "UV_", "SSL_", "LANG")
"""Variables that say how this machine reaches its packages."""

PACK = "vim.pack.add({{ {{ src = 'file://{source}', name = 'auto-context.nvim' }} }}, {{ confirm = false }})\n"
HOOK = """vim.api.nvim_create_autocmd('PackChanged', {
  callback = function(event)
    if event.data.spec.name == 'auto-context.nvim' and event.data.kind ~= 'delete' then
      dofile(event.data.path .. '/build.lua')
    end
  end,
})
"""
LAZY = """vim.opt.runtimepath:prepend('{manager}')
require('lazy').setup({{
  spec = {{ {{ 'somebody/auto-context.nvim', url = 'file://{source}', lazy = false }} }},
  rocks = {{ enabled = false }}, change_detection = {{ enabled = false }},
}})
"""
MINI = """vim.opt.runtimepath:prepend('{manager}')
require('mini.deps').setup()
local build = function(plugin)
  dofile(plugin.path .. '/build.lua')
end
MiniDeps.add({{
  source = 'file://{source}', name = 'auto-context.nvim', hooks = {{ post_install = build, post_checkout = build }},
}})
"""
CLONED = {"lazy.nvim": LAZY, "mini.deps": MINI}


def main() -> int:
    """Install, index, search."""
    options = _options()
    home = Path(tempfile.mkdtemp(prefix="ac-user-"))
    try:
        binaries = _programs(home / ".bin", options.nvim, options.also)
        variables = _environment(home, binaries)
        source = _clone(home / ".source")
        project = make_shop(home / "shop")
        configuration = home / ".config/nvim"
        configuration.mkdir(parents=True)
        if options.manager == "manual":
            place = home / ".local/share/nvim/site/pack/plugins/start/auto-context.nvim"
            _git("clone", "-q", str(source), str(place))
        elif options.manager == "vim.pack":
            (configuration / "init.lua").write_text(HOOK + PACK.format(source=source))
        else:
            text = CLONED[options.manager].format(manager=options.folder.resolve(), source=source)
            (configuration / "init.lua").write_text(text)
        _drive(options, variables, project)
        _report_size(home)
    finally:
        _end_all(home)
        shutil.rmtree(home, ignore_errors=True)
    return 0


def _drive(options: argparse.Namespace, variables: Mapping[str, str], project: Path) -> None:
    before = dict(os.environ)
    os.environ.clear()
    try:
        with Child(
            options.nvim, cwd=project, width=110, height=28, env=variables, plugin=False, clean=False,
            files=("src/uploads.py",), enter=options.manager != "lazy.nvim",
        ) as child:  # fmt: skip
            if options.manager == "manual":
                child.keys(":AutoContext<CR>")
                child.wait_for(lambda: "AutoContext install" in child.text(), what="what to do")
                _show(child, "before it is installed")
                child.keys("<C-c>")
                child.keys(":AutoContext install<CR>")
            child.wait_for(lambda: "Install the Python environment" in child.text(), timeout_s=60, what="the question")
            _show(child, "the question")
            child.keys("1<CR>")
            _follow(child)
            child.keys("<Esc>:silent! close<CR>" if options.manager == "lazy.nvim" else "<Esc>")
            began = time.monotonic()
            child.keys(":AutoContext search where do we retry failed uploads<CR>")
            child.wait_for(lambda: any("src/uploads.py" in row for row in rows(child)), timeout_s=120, what="hits")
            _show(child, f"hits, {time.monotonic() - began:.1f} s after the question")
    finally:
        os.environ.update(before)


def _follow(child: Child) -> None:
    """Until it is installed; shows the screen once for every step."""
    began, shown = time.monotonic(), set()

    def over() -> bool:
        state = child.lua("return require('auto_context.install').state()")
        if state and state["step"] not in shown:
            shown.add(state["step"])
            _show(child, f"step {state['step']}, after {time.monotonic() - began:.0f} s")
        if state and state.get("error"):
            raise AssertionError(f"{state['error']}\n{child.frame()}")
        return bool(state and state.get("ended"))

    child.wait_for(over, timeout_s=INSTALL_LIMIT_S, what="the end of the installation")
    child.wait_for(lambda: "installed in" in child.messages())
    _show(child, f"installed, after {time.monotonic() - began:.0f} s")


def _show(child: Child, title: str) -> None:
    child.pump()
    print(f"--- {title}\n{child.frame()}", flush=True)


def _report_size(home: Path) -> None:
    """What lies in the home now, by folder."""
    for folder in (".local/share/nvim/auto-context", ".local/share/auto-context", ".cache", ".local/state"):
        files = [item for item in (home / folder).rglob("*") if item.is_file() and not item.is_symlink()]
        print(f"{folder}: {sum(item.stat().st_size for item in files) / 1e6:.0f} MB in {len(files)} files")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manager", choices=("manual", "vim.pack", *CLONED))
    parser.add_argument("--nvim", type=Path, default=shutil.which("nvim"))
    parser.add_argument("--python", type=Path, default="/usr/bin/python3")
    parser.add_argument("--with", dest="also", type=Path, action="append", default=[], help="a program more, as uv")
    parser.add_argument("--from", dest="folder", type=Path)
    options = parser.parse_args()
    if options.nvim is None or (options.manager in CLONED and options.folder is None):
        parser.error("which Neovim (--nvim), and which clone of the manager (--from)?")
    options.also.append(options.python)
    return options


def _programs(folder: Path, nvim: Path, also: list[Path]) -> Path:
    folder.mkdir()
    for name in PROGRAMS:
        found = shutil.which(name)
        assert found, f"no {name}"
        (folder / name).symlink_to(found)
    (folder / "nvim").symlink_to(nvim)
    for program in also:
        (folder / program.name).symlink_to(program.absolute())
    return folder


def _environment(home: Path, binaries: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
    return {**kept, "HOME": str(home), "PATH": str(binaries), "AUTO_CONTEXT_PYTHON": "", "TMPDIR": str(home)}


def _clone(folder: Path) -> Path:
    """This repository as it is committed."""
    _git("clone", "-q", str(REPOSITORY), str(folder))
    # As a forge does; else mini.deps is warned, which it shows.
    _git("-C", str(folder), "config", "uploadpack.allowFilter", "true")
    return folder


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, stdin=subprocess.DEVNULL)


def _end_all(home: Path) -> None:
    """End what still runs from there: the service outlives the editor."""
    for process in psutil.process_iter():
        try:
            if any(str(home) in word for word in process.cmdline()[:1]):
                process.kill()
        except psutil.Error:
            continue


if __name__ == "__main__":
    sys.exit(main())
