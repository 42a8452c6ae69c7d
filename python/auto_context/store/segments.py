"""The files of a tantivy index as they lie: whether they are whole, and in which of them removed words are left."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

_META_FILE = "meta.json"
_FOOTER_MAGIC = 1337
_CRC_BLOCK = 1 << 20


class Segment(NamedTuple):
    """One segment as the index lists it."""

    name: str
    """What the names of its files begin with."""
    alive: int
    """Chunks in it that were not removed."""
    removed: int


def listed(folder: Path) -> list[Segment]:
    """The segments of an index, in its own order.

    Raises:
        OSError, ValueError, LookupError, TypeError: the list is not there, or damaged.
    """
    found = []
    for segment in json.loads((folder / _META_FILE).read_text("utf-8"))["segments"]:
        removed = (segment["deletes"] or {}).get("num_deleted_docs", 0)
        found.append(Segment(str(segment["segment_id"]).replace("-", ""), segment["max_doc"] - removed, removed))
    return found


def whole(folder: Path) -> bool:
    """Whether every file of every segment is as its checksum says.

    Raises:
        OSError, ValueError, LookupError, TypeError: something is not there, or damaged.
    """
    return all(_whole(file) for segment in listed(folder) for file in folder.glob(f"{segment.name}.*"))


def _whole(file: Path) -> bool:
    """Whether a file is as its checksum says. Native code trusts what it reads.

    At its end is a footer as JSON, then its length and a constant, four bytes each (tantivy's ``directory/footer.rs``).
    """
    with file.open("rb") as stream:
        size = stream.seek(-8, os.SEEK_END) + 8
        length, magic = struct.unpack("<II", stream.read(8))
        stream.seek(size - 8 - length)
        footer = json.loads(stream.read(length))
        stream.seek(0)
        left, found = size - 8 - length, 0
        while left > 0:
            block = stream.read(min(left, _CRC_BLOCK))
            found, left = zlib.crc32(block, found), left - len(block)
    return bool(magic == _FOOTER_MAGIC and footer["crc"] == found)
