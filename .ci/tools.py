"""Which Neovim and which Lua linter to use: the machine's when it fits, else Debian's, unpacked into ``.cache``."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import debian
import environment
from environment import PROJECT
from faults import Failed, run, say

CACHE = PROJECT / ".cache"
OLDEST = (0, 10, 4)
NEOVIM_OLDEST = debian.Tool("nvim", "trixie", ("neovim",), "usr/bin/nvim")
NEOVIM_NEWEST = debian.Tool("nvim", "sid", ("neovim",), "usr/bin/nvim")
OLDEST_WITH_REFTABLE = (2, 45)
GIT = debian.Tool("git", "trixie", ("git",), "usr/bin/git")
LUACHECK = debian.Tool("luacheck", "trixie", ("lua-check",), "usr/bin/lua5.1")


def version_of(binary: Path | str) -> tuple[int, ...]:
    """A Neovim's version; empty when the program does not run or is something else."""
    try:
        said = run([str(binary), "--version"], code="nvim_failed")
    except Failed:
        return ()
    found = re.search(r"NVIM v(\d+)\.(\d+)\.(\d+)", said)
    return tuple(int(part) for part in found.groups()) if found else ()


def _patchelf() -> str:
    return str(environment.ensure_tool("patchelf"))


def _named() -> list[Path]:
    """The binaries of ``$AUTO_CONTEXT_NVIM``, a path list."""
    binaries = [Path(item) for item in os.environ.get("AUTO_CONTEXT_NVIM", "").split(os.pathsep) if item]
    for binary in binaries:
        if version_of(binary) < OLDEST:
            raise Failed("nvim_unusable", f"{binary} (AUTO_CONTEXT_NVIM) is not a Neovim of 0.10.4 or newer")
    return binaries


def neovims() -> list[Path]:
    """Every version tests run on: 0.10.4 and the newest, or those ``$AUTO_CONTEXT_NVIM`` names.

    Raises:
        Failed: they are not there and cannot be fetched.
    """
    named = _named()
    return named or [debian.unpacked(tool, CACHE, _patchelf) for tool in (NEOVIM_OLDEST, NEOVIM_NEWEST)]


def git() -> Path:
    """A git that knows reftable: the machine's, else Debian's.

    Raises:
        Failed: it is not there and cannot be fetched.
    """
    own = shutil.which("git")
    found = re.search(r"(\d+)\.(\d+)", run([own, "--version"], code="git_failed")) if own else None
    if own and found and tuple(map(int, found.groups())) >= OLDEST_WITH_REFTABLE:
        return Path(own)
    program = debian.unpacked(GIT, CACHE, _patchelf)
    # By this name it starts itself, and must find the same libraries.
    twin = program.parents[1] / "lib/git-core/git"
    if not twin.is_symlink():
        twin.unlink()
        twin.symlink_to("../../bin/git")
    return program


def neovim() -> Path:
    """The Neovim to show things in: the named one, the one on PATH when new enough, else Debian's newest.

    Raises:
        Failed: none is there and none can be fetched.
    """
    if named := _named():
        return named[-1]
    found = shutil.which("nvim")
    if found and version_of(found) >= OLDEST:
        return Path(found)
    if found:
        say(f"{found} is older than Neovim 0.10.4")
    return debian.unpacked(NEOVIM_NEWEST, CACHE, _patchelf)


def luacheck() -> tuple[list[str], dict[str, str]]:
    """The command that runs luacheck, and the variables it needs.

    Raises:
        Failed: it is not there and cannot be fetched.
    """
    if found := shutil.which("luacheck"):
        return [found], {}
    lua = debian.unpacked(LUACHECK, CACHE, _patchelf)
    usr = lua.parents[1]
    libraries = next(usr.glob("lib/*/lua/5.1"))
    variables = {
        "LUA_PATH": f"{usr}/share/lua/5.1/?.lua;{usr}/share/lua/5.1/?/init.lua",
        "LUA_CPATH": f"{libraries}/?.so",
    }
    return [str(lua), str(usr / "bin/luacheck")], variables
