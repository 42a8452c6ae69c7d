"""From a repository's identity to its store, also when the repository was moved meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from auto_context.engine.repository import Repository
from auto_context.paths import private_dir


def store_folder(stores: Path, identity: str) -> Path:
    """Where the store of an identity is, or would be."""
    return stores / hashlib.blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


def open_repository(stores: Path, identity: str, *, create: bool) -> Repository | None:
    """The repository of an identity (a real path), re-adopted by device and inode when its folder was moved.

    Args:
        stores: the folder of all stores.
        identity: the real path of the git common directory, or of a folder without git.
        create: make it when there is none.
    """
    folder = store_folder(stores, identity)
    info = os.stat(identity)
    if not folder.exists():
        moved = _moved_store(stores, info)
        if moved is not None:
            moved.rename(folder)
        elif not create:
            return None
        else:
            private_dir(stores)
            private_dir(folder)
    mark = folder / "identity.json"
    fresh = {"path": identity, "device": info.st_dev, "inode": info.st_ino}
    if _identity(mark) != fresh:
        temporary = mark.with_suffix(".tmp")
        temporary.write_text(json.dumps(fresh), "utf-8", errors="surrogateescape")
        temporary.replace(mark)
    return Repository(folder)


def _identity(mark: Path) -> dict[str, object]:
    try:
        data = json.loads(mark.read_text("utf-8", errors="surrogateescape"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _moved_store(stores: Path, info: os.stat_result) -> Path | None:
    for mark in stores.glob("*/identity.json"):
        known = _identity(mark)
        same = (known.get("device"), known.get("inode")) == (info.st_dev, info.st_ino)
        if same and not os.path.exists(str(known.get("path", ""))):
            return mark.parent
    return None
