"""Stores of a hundred thousand chunks and more: real files, words and static vectors, made-up transformer vectors.

Embedding half a million chunks takes hours on a small machine, and an exact search costs the same whatever the vectors
are. So a tree is indexed as always until everything is searchable, and what the transformer has not reached is filled
with random unit vectors of its width. Nothing can be said of the ranking in such a store, and nothing is.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import numpy as np

from auto_context.config import Settings
from auto_context.embed.quantise import quantise
from auto_context.engine.opening import open_repository
from auto_context.engine.tier import prefix_of
from auto_context.engine.work import LocalWorker
from auto_context.source import resolve_root
from auto_context.store.records import unpack

_DOCUMENTS_PER_WRITE = 500
TRANSFORMER, STATIC = "model", "static"
"""What the sidecar calls the model of each tier."""


def fill(data: Path, root: Path, most: int | None = None) -> int:
    """Give every document of a store a transformer vector per chunk. No service may have the store open.

    Args:
        data: the data folder.
        root: the tree whose view is filled.
        most: leave the rest without.

    Returns:
        How many chunks got a vector here.
    """
    settings = Settings()
    worker = LocalWorker(settings)
    try:
        info = worker.submit("info", {}).result()
    finally:
        worker.close()
    resolved = resolve_root(root)
    repository = open_repository(data / "stores", resolved.store_identity, create=False)
    if repository is None:
        raise SystemExit(f"bench: {root} has no store in {data}")
    made = 0
    random = np.random.default_rng(4)
    try:
        tier = repository.vector
        tier.use(info["fingerprint"], info["dim"])
        entries = repository.worktree(resolved.worktree_identity).view.entries
        waiting = [(p, e) for p, e in entries.items() if e.key and e.key not in tier.bodies]
        for at in range(0, len(waiting), _DOCUMENTS_PER_WRITE):
            part = waiting[at : at + _DOCUMENTS_PER_WRITE]
            bodies = {entry.key: _unit(random, entry.chunks, info["dim"]) for _, entry in part}
            names = {path: _unit(random, 1, info["dim"]) for path, _ in part}
            repository.store_vectors(tier, tier.model, bodies, names)
            made += sum(entry.chunks for _, entry in part)
            if most is not None and made >= most:
                break
    finally:
        repository.close()
    return made


def _unit(random: np.random.Generator, rows: int, dim: int) -> bytes:
    """Random unit vectors as the store keeps them: int8 [rows, dim]."""
    vectors = random.standard_normal((rows, dim), np.float32)
    return quantise(vectors).tobytes()


def vector_bytes(store: Path, tier: str) -> int:
    """Bytes of the vectors of a tier, of contents and of paths, in a store."""
    with contextlib.closing(sqlite3.connect(f"file:{store / 'sidecar/cache.db'}?mode=ro", uri=True)) as connection:
        meta = unpack(bytes(connection.execute("SELECT value FROM Cache WHERE key = ?", (b"m",)).fetchone()[0]))
        model = prefix_of(meta[tier][0]) if tier in meta else b""
        rows = connection.execute("SELECT key, LENGTH(value) FROM Cache WHERE key >= ? AND key < ?", (b"e", b"q"))
        return sum(size for key, size in rows if model and key[:1] in b"ep" and bytes(key[1:9]) == model)
