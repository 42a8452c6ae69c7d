"""Whether the parts of an installation work, each with what to do otherwise: for ``doctor`` and ``:checkhealth``.

A check is plain data: ``name``, ``level`` (ok, info, warn, error), ``text``, and ``fix``, "" where nothing is wrong.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import auto_context
from auto_context.config import Settings
from auto_context.embed.model import BUNDLED, verify_bundled
from auto_context.engine.work import BULK, Worker
from auto_context.errors import AutoContextError
from auto_context.source import git_version
from auto_context.store.records import FORMAT

_OLDEST_GIT = (2, 25)
_LOW_DISK = 1_000_000_000
_GRAMMARS_S = 5.0
_QUICK_CHECK_S = 2.0
_STEPS_PER_LOOK = 100_000
_PIN = re.compile(r"([\w.-]+)==([\w.+!-]+)")

Check = dict[str, str]


def checks(
    facts: dict[str, Any],
    settings: Settings,
    worker: Worker,
    data: Path,
    store: Path | None,
    branches: Sequence[tuple[str, float]],
) -> list[Check]:
    """All of them.

    Args:
        facts: what ``examine`` gave.
        settings: the user's.
        worker: asked for the grammars.
        data: the folder of all stores.
        store: the folder of the store of a root, when one was asked about and it has one.
        branches: those of that root that are remembered, and when each was used last.
    """
    # An older Python than 3.11 does not come this far.
    python = _check("python", "ok", f"Python {platform.python_version()} ({sys.executable})")
    return [
        python, *_pins(), *_models(facts, settings), *_grammars(worker), *_git(), *_disk(data, facts, settings),
        *(_store(store) if store is not None else []), *_branches(branches),
    ]  # fmt: skip


def _check(name: str, level: str, text: str, fix: str = "") -> Check:
    return {"name": name, "level": level, "text": text, "fix": fix}


def _pins() -> Iterator[Check]:
    """Packages against the versions that were tested, where those are known: not in a wheel."""
    file = Path(auto_context.__file__).parents[1] / "constraints.txt"
    try:
        text = file.read_text("utf-8")
    except OSError:
        return
    other = []
    for name, pinned in _PIN.findall(text):
        with contextlib.suppress(PackageNotFoundError):
            found = version(name)
            # A build such as +cpu is the same version.
            if found.partition("+")[0] != pinned.partition("+")[0]:
                other.append(f"{name} {found} (tested: {pinned})")
    if other:
        yield _check("packages", "warn", "not the tested versions: " + ", ".join(other), "run `:AutoContext install`")
    else:
        yield _check("packages", "ok", "every package has the version that was tested")


def _models(facts: dict[str, Any], settings: Settings) -> Iterator[Check]:
    model, static = facts["model"], facts["static"]
    if "error" in model:
        yield _check("model", "error", f"{model['name']}: {model['error']['message']}", model["error"]["hint"])
        return
    named = f"{model['name']}, {model['dim']} dimensions, in {model['folder']}"
    if settings.model == BUNDLED:
        try:
            verify_bundled()
            yield _check("model", "ok", f"{named}; its weights are the published ones")
        except AutoContextError as error:
            yield _check("model", "error", error.message, error.hint)
    else:
        yield _check("model", "ok", named)
    if "error" in static:
        yield _check("static model", "error", static["error"]["message"], static["error"]["hint"])
    elif static["ready"]:
        yield _check("static model", "ok", f"{static['dim']} dimensions, in {static['folder']}")
    else:
        yield _check("static model", "info", "not made yet: the first index makes it")
    embedder = facts["embedder"]
    yield _check("embedder", "ok", f"{embedder['backend']}, precision {embedder['precision']}, by {embedder['by']}")


def _grammars(worker: Worker) -> Iterator[Check]:
    try:
        found = worker.submit("grammars", {}, BULK).result(timeout=_GRAMMARS_S)
    except (TimeoutError, AutoContextError) as error:
        message = error.message if isinstance(error, AutoContextError) else f"no answer within {_GRAMMARS_S:.0f} s"
        yield _check("grammars", "warn", f"could not be looked at: {message}", "see the service's log")
        return
    if found["broken"]:
        broken = ", ".join(f"{name} ({reason})" for name, reason in found["broken"].items())
        fix = "reinstall the package tree-sitter-language-pack: `:AutoContext install`"
        yield _check("grammars", "error", f"do not load: {broken}", fix)
    else:
        yield _check("grammars", "ok", f"{found['loaded']} languages are cut by their grammar and its tags")


def _git() -> Iterator[Check]:
    found = git_version()
    named = ".".join(map(str, found))
    if not found:
        yield _check("git", "error", "git is not on PATH", "install git; without it a folder is indexed as it stands")
    elif found < _OLDEST_GIT:
        yield _check("git", "warn", f"git {named}", "update git to 2.25 or newer")
    else:
        yield _check("git", "ok", f"git {named}")


def _disk(data: Path, facts: dict[str, Any], settings: Settings) -> Iterator[Check]:
    total = sum(store["bytes"] for store in facts["stores"])
    text = f"{len(facts['stores'])} indexes, {total / 1e6:.0f} of {settings.cache_size_mb} MB, in {data}"
    free = shutil.disk_usage(next(folder for folder in (data, *data.parents) if folder.exists())).free
    if free < _LOW_DISK:
        yield _check("disk", "warn", f"{text}; {free / 1e6:.0f} MB are free", "make room, or run `auto-context prune`")
    else:
        yield _check("disk", "ok", f"{text}; {free / 1e9:.0f} GB are free")
    for store in facts["stores"]:
        if store["path"] and not os.path.isdir(store["path"]):
            fix = "it goes by itself when room is needed, or with `auto-context prune`"
            yield _check(
                "disk", "info", f"the index of {store['path']}, which is gone, takes {store['bytes'] / 1e6:.0f} MB", fix
            )


def _store(folder: Path) -> Iterator[Check]:
    """The database of one index, read by a connection of its own; a large one is looked at for two seconds."""
    file = folder / "sidecar/cache.db"
    size = sum(item.stat().st_size for item in file.parent.glob("cache.db*"))
    named = f"the index here, {size / 1e6:.1f} MB in {folder}, format {FORMAT}"
    deadline = time.monotonic() + _QUICK_CHECK_S
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_PER_LOOK)
            said = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            yield _check("store", "ok", f"{named}; it is large: only a part of it was checked, and that is whole")
            return
        said = str(error)
    except sqlite3.DatabaseError as error:
        said = str(error)
    if said == "ok":
        yield _check("store", "ok", f"{named}; it is whole")
    else:
        yield _check("store", "error", f"{named}: {said}", "run `auto-context clear` here, then index again")


def _branches(branches: Sequence[tuple[str, float]]) -> Iterator[Check]:
    if branches:
        now = time.time()
        ages = ", ".join(f"{ref} ({_age(now - used)})" for ref, used in branches)
        yield _check("branches", "ok", f"used here and remembered: {ages}")


def _age(seconds: float) -> str:
    """How long ago, in the largest unit that fits."""
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return "now"
