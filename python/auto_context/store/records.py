"""The shapes of what the sidecar holds, and their msgpack forms.

A blob is one file content without a path; an entry is one path of a view. Both are plain and versioned by the
store's format number.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from functools import lru_cache
from operator import add
from typing import Any, NamedTuple

import msgpack

from auto_context.types import Chunk, Symbol

FORMAT = 4
"""The store's format. A store of a larger number is refused, never rebuilt."""

_FIELDS = 5
"""Of a packed blob; of formats before 4 it has more."""
_HASH = 8
_LEVEL = 6
"""Of zlib: a tenth smaller than 1, for 6 ms a megabyte in a reader."""
CHUNK_BITS = 20
"""A chunk's id is ``doc << CHUNK_BITS | position``: a file has fewer than a million chunks."""


class Entry(NamedTuple):
    """One path of a view. ``key`` is empty for a path record: a file found by name only."""

    key: bytes
    size: int
    mtime_ns: int
    """0 when the file changed too recently for its time to be trusted."""
    inode: int
    language: str
    chunks: int
    reason: str
    """Without a key, why the content is not indexed; with one, why it was cut by line windows, or ""."""
    redacted: int = 0
    """How many secrets are not in the content. Format 2 did not have it."""

    def is_as(self, size: int, mtime_ns: int, inode: int) -> bool:
        """Whether a file with this stat is certainly the one this was made from."""
        return bool(self.mtime_ns) and (self.size, self.mtime_ns, self.inode) == (size, mtime_ns, inode)


class Blob(NamedTuple):
    """One file content.

    ``hashes`` are of the embedded text of each chunk, 8 bytes. ``previous`` is the key of the blob this one replaced,
    whose vectors unchanged chunks take over.
    """

    language: str
    text: str
    chunks: list[Chunk]
    hashes: list[bytes]
    fallback: str
    previous: bytes
    symbols: list[Symbol] = []  # noqa: RUF012 - a NamedTuple's default, never changed
    imports: list[str] = []  # noqa: RUF012


def pack(value: Any) -> bytes:
    """Plain data as bytes. Undecodable file names survive through surrogate escapes."""
    packed: bytes = msgpack.packb(value, unicode_errors="surrogateescape")
    return packed


def unpack(data: bytes) -> Any:
    """Bytes as plain data; lists come back as lists, and nothing is ever executed."""
    return msgpack.unpackb(data, unicode_errors="surrogateescape", strict_map_key=False)


def pack_blob(blob: Blob) -> bytes:
    """A blob as bytes: what the cheap readers below want, then all else compressed together, column by column."""
    chunks, symbols = blob.chunks, blob.symbols
    columns = [
        blob.text,
        *_spans(chunks), [c.kind for c in chunks], [c.symbol for c in chunks],
        *_spans(symbols), [s.kind for s in symbols], [s.name for s in symbols],
        blob.imports,
    ]  # fmt: skip
    hashes = b"".join(blob.hashes)
    return pack([blob.language, hashes, blob.fallback, blob.previous, zlib.compress(pack(columns), _LEVEL)])


def unpack_blob(data: bytes) -> Blob:
    """The reverse of ``pack_blob``."""
    record = unpack(data)
    if len(record) > _FIELDS:
        return _unpack_older(record)
    language, hashes, fallback, previous, packed = record
    text, starts, lines, kinds, names, begins, lengths, sorts, defined, imports = unpack(zlib.decompress(packed))
    chunks = [Chunk(*row) for row in zip(starts, map(add, starts, lines), kinds, names, strict=True)]
    symbols = [Symbol(*row) for row in zip(defined, sorts, begins, map(add, begins, lengths), strict=True)]
    return Blob(language, text, chunks, _split(hashes), fallback, previous, symbols, imports)


def _unpack_older(record: list[Any]) -> Blob:
    """A blob of a format before 4: only its text is compressed."""
    language, text, table, hashes, fallback, previous, *rest = record
    # Format 1 had neither symbols nor imports; its blobs are chunked again by the next update.
    symbols, imports = rest or ([], [])
    return Blob(
        language,
        zlib.decompress(text).decode("utf-8", "surrogateescape"),
        [Chunk(*row) for row in table],
        _split(hashes),
        fallback,
        previous,
        [Symbol(*row) for row in symbols],
        imports,
    )


def blob_hashes(data: bytes) -> tuple[list[bytes], bytes]:
    """The chunk hashes and the previous key of a packed blob, without decompressing anything."""
    record = unpack(data)
    hashes, previous = (record[3], record[5]) if len(record) > _FIELDS else (record[1], record[3])
    return _split(hashes), previous


def blob_summary(data: bytes) -> tuple[int, str]:
    """The number of chunks and the fallback of a packed blob, without decompressing anything."""
    record = unpack(data)
    hashes, fallback = (record[3], record[4]) if len(record) > _FIELDS else (record[1], record[2])
    return len(hashes) // _HASH, fallback


def _spans(rows: Sequence[Chunk] | Sequence[Symbol]) -> tuple[list[int], list[int]]:
    """First lines, and how many lines follow: the small numbers compress."""
    return [row.start_line for row in rows], [row.end_line - row.start_line for row in rows]


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + _HASH] for at in range(0, len(hashes), _HASH)]


def document_id(path: str, key: bytes) -> int:
    """A stable 60-bit id of one content at one path, the unit of both derived indexes."""
    digest = hashlib.blake2b(path.encode("utf-8", "surrogateescape") + b"\0" + key, digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 4


def chunk_at(chunks: Sequence[Chunk], line: int) -> int:
    """The position of the chunk that holds a line, of the last one when the file is shorter; 0 when there is none."""
    return next((at for at, chunk in enumerate(chunks) if chunk.end_line >= line), max(0, len(chunks) - 1))


def chunk_lines(text: str, chunk: Chunk) -> str:
    """A chunk's own text. Lines end at a line feed only, as editors count them."""
    return "\n".join(_lines(text)[chunk.start_line - 1 : chunk.end_line])


@lru_cache(maxsize=2)
def _lines(text: str) -> list[str]:
    """Lines of the file whose chunks are asked for, split once and not per chunk."""
    return text.split("\n")
