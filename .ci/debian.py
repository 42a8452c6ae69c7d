"""Debian's own builds of tools we test with, unpacked into a cache folder: no root, nothing installed.

Apt resolves and downloads inside a private folder with its own sources and state; where the archive lives is taken
from the machine's own apt configuration. Each executable gets the interpreter and libraries of its own release, so a
newer program runs on an older system and stays a real executable (no loader wrapper, which breaks a program that
starts itself again).
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults import Failed, run, say

KEYRINGS = ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg")
SKIP = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/lintian",
    "usr/lib/*/gconv",
    "usr/share/bug",
    "usr/lib/*/perl*",
    "usr/share/perl*",
)


@dataclass(frozen=True)
class Tool:
    """Something to unpack: a package of one Debian release and the executable it is wanted for."""

    name: str
    suite: str
    packages: tuple[str, ...]
    executable: str


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder`` against a second set-up running at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def archive() -> str:
    """The Debian archive this machine's apt uses.

    Raises:
        Failed: there is no apt, or it knows no Debian archive.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Failed("apt_missing", "Neovim cannot be fetched without apt; install Neovim 0.10.4 or newer on PATH")
    indexes = ["apt-get", "indextargets", "--format", "$(REPO_URI)|$(ORIGIN)|$(COMPONENT)", "Created-By: Packages"]
    for line in run(indexes, code="apt_failed").splitlines():
        address, origin, component = line.rsplit("|", 2)
        if origin == "Debian" and component == "main" and "security" not in address:
            return address
    # Before the machine's first `apt-get update` no origin is known; Debian's own archives end in /debian.
    releases = run(["apt-get", "-o", "Debug::NoLocking=true", "update", "--print-uris"], code="apt_failed")
    if found := re.search(r"'(\S+/debian/)dists/", releases):
        return found[1]
    raise Failed("apt_not_debian", "apt knows no Debian archive here; install Neovim 0.10.4 or newer on PATH")


class Apt:
    """A private apt for one release, below ``folder``."""

    def __init__(self, folder: Path, suite: str) -> None:
        self.folder = folder
        for part in ("state/lists/partial", "cache/archives/partial", "sources.d"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        keyrings = [path for name in KEYRINGS if (path := Path("/usr/share/keyrings") / name).exists()]
        signed = f"[signed-by={keyrings[0]}] " if keyrings else ""
        (folder / "sources.list").write_text(f"deb {signed}{archive()} {suite} main\n")

    def _run(self, *arguments: str) -> str:
        options = {
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": self.folder / "sources.d",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": self.folder / "sources.d",
            "Dir::State": self.folder / "state",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            "Dir::Log": self.folder,
            "Debug::NoLocking": "true",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "APT::Sandbox::User": "",
        }
        flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        return run(["apt-get", "-q", "-y", *flags, *arguments], code="apt_failed")

    def download(self, packages: Sequence[str]) -> list[Path]:
        """The ``.deb`` files of ``packages`` and of everything they depend on."""
        self._run("update")
        self._run("install", "--download-only", "--no-install-recommends", *packages)
        return sorted((self.folder / "cache/archives").glob("*.deb"))


def _patch(prefix: Path, executable: Path, patchelf: str) -> None:
    """Make ``executable`` use the loader and libraries below ``prefix``."""
    loaders = sorted(prefix.glob("**/ld-linux*.so*")) + sorted(prefix.glob("**/ld.so"))
    if not loaders:
        raise Failed("unpack_failed", f"no loader below {prefix}")
    folders = {path.parent for path in prefix.glob("**/*.so*") if path.parent.name.endswith("-linux-gnu")}
    # RPATH, not RUNPATH: it also holds for the libraries' own libraries.
    rpath = ":".join(sorted(str(folder) for folder in folders))
    run(
        [patchelf, "--set-interpreter", str(loaders[0]), "--force-rpath", "--set-rpath", rpath, str(executable)],
        code="patchelf_failed",
    )


def version_of(executable: Path | str) -> tuple[int, ...]:
    """Neovim's version; empty when the program does not run."""
    try:
        said = run([str(executable), "--version"], code="nvim_failed")
    except Failed:
        return ()
    found = re.search(r"NVIM v(\d+)\.(\d+)\.(\d+)", said)
    return tuple(int(part) for part in found.groups()) if found else ()


def unpacked(tool: Tool, cache: Path, patchelf: Callable[[], str]) -> Path:
    """The executable of ``tool`` below ``cache``, unpacked there the first time.

    Args:
        tool: what to unpack.
        cache: folder that keeps it; moved folders are noticed and unpacked again.
        patchelf: gives the path of ``patchelf``; called only when something is unpacked.

    Raises:
        Failed: apt, dpkg-deb or patchelf is missing or failed.
    """
    prefix = cache / tool.name / tool.suite
    stamp = prefix / "ready.json"
    executable = prefix / tool.executable
    with locked(cache / tool.name):
        wanted = {"path": str(prefix), "packages": list(tool.packages)}
        if executable.exists() and stamp.exists() and json.loads(stamp.read_text()) == wanted:
            return executable
        say(f"fetching {' '.join(tool.packages)} of Debian {tool.suite} into {prefix}")
        shutil.rmtree(prefix, ignore_errors=True)
        apt_folder = cache / "apt" / f"{tool.name}-{tool.suite}"
        shutil.rmtree(apt_folder, ignore_errors=True)
        for package in Apt(apt_folder, tool.suite).download(tool.packages):
            run(["dpkg-deb", "-x", str(package), str(prefix)], code="unpack_failed")
        for pattern in SKIP:
            for folder in prefix.glob(pattern):
                shutil.rmtree(folder, ignore_errors=True)
        _patch(prefix, executable, patchelf())
        shutil.rmtree(apt_folder, ignore_errors=True)
        stamp.write_text(json.dumps(wanted))
    return executable
