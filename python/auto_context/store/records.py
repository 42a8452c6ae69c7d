"""The shapes of what the sidecar holds, and their msgpack forms.

A blob is one file content without a path; an entry is one path of a view. Both are plain and versioned by the
store's format number.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import add
from typing import Any, NamedTuple

import msgpack

from auto_context.types import Chunk, Symbol

FORMAT = 4
"""The store's format. A store of a larger number is refused, never rebuilt."""

_AS_CHUNK, _AS_SYMBOL = partial(tuple.__new__, Chunk), partial(tuple.__new__, Symbol)
"""A search makes a thousand: a named tuple's own way takes five times as long."""
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


@dataclass
class Blob:
    """One file content."""

    language: str
    text: str
    chunks: list[Chunk]
    """In order, covering every line."""
    hashes: list[bytes]
    """Of the embedded text of each chunk, 8 bytes."""
    fallback: str
    """Why it was cut by line windows, or ""."""
    previous: bytes
    """The key of the blob this one replaced, whose vectors unchanged chunks take over."""
    symbols: list[Symbol]
    """Every definition, in order, those inside others too."""
    imports: list[str]
    """As written."""


class _StoredBlob(Blob):
    """One that was read. Most searches need the text of few contents: it is unpacked when it is asked for."""

    def __init__(self, record: list[Any]) -> None:
        self.language, hashes, self.fallback, self.previous, table, self._packed_text = record
        starts, lines, kinds, names, begins, lengths, sorts, defined, self.imports = unpack(zlib.decompress(table))
        self.chunks = list(map(_AS_CHUNK, zip(starts, map(add, starts, lines), kinds, names, strict=True)))
        self.hashes = _split(hashes)
        self.symbols = list(map(_AS_SYMBOL, zip(defined, sorts, begins, map(add, begins, lengths), strict=True)))

    def __getattr__(self, name: str) -> Any:
        """What is not there yet."""
        if name != "text":
            raise AttributeError(name)
        self.text = zlib.decompress(self._packed_text).decode("utf-8", "surrogateescape")
        return self.text


def pack(value: Any) -> bytes:
    """Plain data as bytes. Undecodable file names survive through surrogate escapes."""
    packed: bytes = msgpack.packb(value, unicode_errors="surrogateescape")
    return packed


def unpack(data: bytes) -> Any:
    """Bytes as plain data; lists come back as lists, and nothing is ever executed."""
    return msgpack.unpackb(data, unicode_errors="surrogateescape", strict_map_key=False)


def pack_blob(blob: Blob) -> bytes:
    """A blob as bytes: what the cheap readers below want, then, compressed, the tables by columns, and the text."""
    chunks, symbols = blob.chunks, blob.symbols
    table = [
        *_spans(chunks), [chunk.kind for chunk in chunks], [chunk.symbol for chunk in chunks],
        *_spans(symbols), [symbol.kind for symbol in symbols], [symbol.name for symbol in symbols],
        blob.imports,
    ]  # fmt: skip
    packed = (zlib.compress(part, _LEVEL) for part in (pack(table), blob.text.encode("utf-8", "surrogateescape")))
    return pack([blob.language, b"".join(blob.hashes), blob.fallback, blob.previous, *packed])


def unpack_blob(data: bytes) -> Blob:
    """The reverse of ``pack_blob``."""
    record = unpack(data)
    return _unpack_older(record) if _is_older(record) else _StoredBlob(record)


def _is_older(record: list[Any]) -> bool:
    """Whether a blob is of a format before 4: its third field is the table of chunks."""
    return isinstance(record[2], list)


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
    hashes, previous = (record[3], record[5]) if _is_older(record) else (record[1], record[3])
    return _split(hashes), previous


def blob_summary(data: bytes) -> tuple[int, str]:
    """The number of chunks and the fallback of a packed blob, without decompressing anything."""
    record = unpack(data)
    hashes, fallback = (record[3], record[4]) if _is_older(record) else (record[1], record[2])
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
