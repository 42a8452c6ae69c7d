"""Trees to measure on: this repository, another one, and large ones composed of real code on this machine.

The composed ones hold the files of the packages pinned in ``python/constraints.txt`` and of Python's standard library.
Nothing is random: the same environment gives the same trees, file by file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[2]
CACHE = PROJECT / ".cache/bench"
LARGE = 30_000
"""Files of the large tree."""
GROWTH = (1_000, 3_000, 10_000, LARGE)

SUFFIXES = frozenset(
    {".c", ".cmake", ".cpp", ".cuh", ".h", ".hpp", ".js", ".md", ".pxd", ".py", ".pyi", ".pyx", ".rst", ".scm"}
    | {".toml", ".ts", ".txt"}
)
_LARGEST = 16_000
"""Bytes. Larger files are left out: a tree of 30,000 files then has over 100 MB, the size the figures are about."""
_FORMAT = 1
"""Part of a tree's stamp: raise it when composing changes."""
_DEFINED = re.compile(
    rb"^[ \t]*(?:(?:async[ \t]+)?def|class|cdef class|struct(?:[ \t]+[A-Z_]+)?|namespace|function|#define)[ \t]+"
    rb"([A-Za-z_]\w{2,})",
    re.MULTILINE,
)


class Source(NamedTuple):
    """One file to compose from."""

    target: str
    """Its path in a tree."""
    path: Path
    size: int
    """In bytes."""


def copy_of(repository: Path, target: Path) -> None:
    """The files git knows in ``repository``, committed in a repository of their own at ``target``."""
    listed = subprocess.run(
        ["git", "-C", str(repository), "ls-files", "-co", "--exclude-standard", "-z"], check=True, capture_output=True
    ).stdout
    for name in filter(None, listed.decode("utf-8", "surrogateescape").split("\0")):
        source = repository / name
        if source.is_file() and not source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
    commit_all(target)


def commit_all(folder: Path, message: str = "bench") -> None:
    """Make ``folder`` a repository if it is none, and commit everything in it."""
    # What is stored is never fetched or kept: compressing it would be most of the time.
    fast = ["-c", "core.compression=0", "-c", "core.looseCompression=0", "-c", "gc.auto=0", "-c", "core.fsync=none"]
    git = ["git", "-C", str(folder), "-c", "user.name=b", "-c", "user.email=b@example.org", *fast]
    if not (folder / ".git").exists():
        subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", message], check=True)


def name_of(tree: Path) -> str:
    """What a tree is called in figures: a checkout's folder says nothing."""
    return "this repository" if tree == PROJECT else tree.name


def source_bytes(folder: Path) -> int:
    """The size of all files outside ``.git``, in bytes."""
    total = 0
    for name, folders, files in os.walk(folder):
        folders[:] = [item for item in folders if item != ".git"]
        total += sum(os.lstat(os.path.join(name, file)).st_size for file in files)
    return total


def composed(count: int, cache: Path = CACHE) -> Path:
    """The composed tree of ``count`` files, a git repository; made when it is missing or not of this environment."""
    sources = list(pool())
    stamp = {"format": _FORMAT, "count": count, "pool": _digest(sources)}
    target, mark = cache / f"tree-{count}", cache / f"tree-{count}.json"
    if target.is_dir() and mark.exists() and json.loads(mark.read_text()) == stamp:
        return target
    mark.unlink(missing_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    compose(sources, count, target)
    commit_all(target)
    mark.write_text(json.dumps(stamp))
    return target


def compose(sources: Sequence[Source], count: int, target: Path) -> None:
    """Write ``count`` files below ``target``: the same mix of types and sizes whatever the count.

    Args:
        sources: what there is; see ``pool``.
        count: how many files.
        target: a folder that does not exist.

    Raises:
        ValueError: ``sources`` do not suffice.
    """
    for name, content in spread(list(contents(sources, max(count, LARGE))), count):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.path.read_bytes())


def spread(items: Sequence[tuple[str, bytes | Source]], count: int) -> list[tuple[str, bytes | Source]]:
    """``count`` of some files, evenly over them when they stand in order of type and size.

    Raises:
        ValueError: there are not so many.
    """
    if len(items) < count:
        raise ValueError(f"{len(items)} files where {count} are wanted")

    def order(item: tuple[str, bytes | Source]) -> tuple[str, int, str]:
        name, content = item
        return Path(name).suffix, len(content) if isinstance(content, bytes) else content.size, name

    ordered = sorted(items, key=order)
    return [ordered[at * len(ordered) // count] for at in range(count)]


def contents(sources: Sequence[Source], count: int) -> Iterator[tuple[str, bytes | Source]]:
    """``count`` files of different contents: each source once, then again with its own definitions renamed.

    A content is stored once however many paths have it, so a plain copy would cost nothing; with another name in each
    definition every chunk that defines something is another text.
    """
    seen: set[bytes] = set()
    left = count
    for turn in range(100):
        before = left
        for source in sources:
            if not left:
                return
            data = source.path.read_bytes()
            content = renamed(data, turn) if turn else data
            digest = hashlib.blake2b(content, digest_size=16).digest()
            if content is not None and digest not in seen:
                seen.add(digest)
                left -= 1
                yield (f"again{turn}/{source.target}", content) if turn else (source.target, source)
        if left == before:
            return


def renamed(data: bytes, turn: int) -> bytes:
    """A source text in which every name that it defines ends in ``_<turn>``; unchanged when it defines none."""
    names = {match.group(1) for match in _DEFINED.finditer(data)}
    suffix = b"_%d" % turn
    return re.sub(rb"[A-Za-z_]\w{2,}", lambda m: m[0] + suffix if m[0] in names else m[0], data)


def pool() -> Iterator[Source]:
    """Every file that may be composed from, in a fixed order."""
    for package in pinned():
        try:
            found = distribution(package)
        except PackageNotFoundError:
            continue
        for file in sorted(found.files or [], key=str):
            name = file.as_posix()
            if not name.startswith("..") and ".dist-info/" not in name:
                yield from _source(name, Path(str(found.locate_file(file))))
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*")):
        name = path.relative_to(library).as_posix()
        if "site-packages/" not in name:
            yield from _source(f"python/{name}", path)


def pinned() -> list[str]:
    """The packages of ``constraints.txt``, in order."""
    lines = (PROJECT / "python/constraints.txt").read_text("utf-8").splitlines()
    return sorted(line.partition("==")[0].strip() for line in lines if "==" in line and not line.startswith("#"))


def _source(name: str, path: Path) -> Iterator[Source]:
    if path.suffix in SUFFIXES and path.is_file():
        size = path.stat().st_size
        if 0 < size <= _LARGEST:
            yield Source(name, path, size)


def _digest(sources: Sequence[Source]) -> str:
    text = "\0".join(f"{source.target} {source.size}" for source in sources)
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
