"""SHA-256 of large files, read once: remembered by path, size, time and inode."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

from auto_context.errors import AutoContextError

_FILE = "weights.json"


def file_hash(path: Path, cache_dir: Path | None = None) -> str:
    """The SHA-256 of a file, in hex.

    Args:
        path: the file; a link is followed.
        cache_dir: remembers the answer there when given; need not exist or be writable.

    Raises:
        AutoContextError: ``model_invalid`` when it cannot be read.
    """
    try:
        real = path.resolve()
        stat = real.stat()
        identity = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        known = _known(cache_dir) if cache_dir else {}
        entry = known.get(str(real))
        if isinstance(entry, list) and entry[:3] == identity and len(entry) == len(identity) + 1:
            return str(entry[3])
        with real.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AutoContextError("model_invalid", f"{path} cannot be read: {error}") from None
    if cache_dir is not None:
        _remember(cache_dir, {**known, str(real): [*identity, digest]})
    return digest


def _known(cache_dir: Path) -> dict[str, object]:
    try:
        data = json.loads((cache_dir / _FILE).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _remember(cache_dir: Path, known: dict[str, object]) -> None:
    """Best effort: without it the weights are only hashed again."""
    partial = cache_dir / f"{_FILE}.{os.getpid()}"
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(known), "utf-8")
        partial.replace(cache_dir / _FILE)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
