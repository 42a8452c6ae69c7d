"""Records: what goes in comes out, whatever the file's name or text."""

import inspect
import zlib

from auto_context.store.records import (
    Blob,
    blob_hashes,
    blob_summary,
    chunk_lines,
    document_id,
    pack,
    pack_blob,
    unpack_blob,
)
from auto_context.types import Chunk, Symbol

BLOB = Blob(
    "python",
    "def é():\n    return 'x'\r\n",
    [Chunk(1, 1, "function", "é"), Chunk(2, 2, "block", "")],
    [b"12345678", b"abcdefgh"],
    "timeout",
    b"previous",
    [Symbol("é", "function", 1, 1)],
    ["os.path"],
)


def fields(blob: Blob) -> dict[str, object]:
    """All that a blob says."""
    return {name: getattr(blob, name) for name in inspect.signature(Blob).parameters}


def test_a_blob_survives() -> None:
    assert fields(unpack_blob(pack_blob(BLOB))) == fields(BLOB)


def test_the_cheap_readers_agree_with_the_whole() -> None:
    packed = pack_blob(BLOB)
    assert blob_hashes(packed) == (BLOB.hashes, b"previous")
    assert blob_summary(packed) == (2, "timeout")


def test_a_blob_of_an_older_format_is_read_as_it_was() -> None:
    text = zlib.compress(BLOB.text.encode())
    chunks = [list(chunk) for chunk in BLOB.chunks]
    first = [BLOB.language, text, chunks, b"".join(BLOB.hashes), BLOB.fallback, BLOB.previous]
    third = [*first, [list(symbol) for symbol in BLOB.symbols], BLOB.imports]
    assert fields(unpack_blob(pack(third))) == fields(BLOB)
    assert fields(unpack_blob(pack(first))) == fields(BLOB) | {"symbols": [], "imports": []}
    for packed in (pack(first), pack(third)):
        assert blob_hashes(packed) == (BLOB.hashes, b"previous")
        assert blob_summary(packed) == (2, "timeout")


def test_document_ids_depend_on_path_and_content_and_fit_sixty_bits() -> None:
    ids = {document_id(path, key) for path in ("a", "b", "\udcff") for key in (b"1", b"2")}
    assert len(ids) == 6
    assert all(0 <= number < 1 << 60 for number in ids)


def test_lines_end_at_line_feeds_only() -> None:
    assert chunk_lines("a\x0cb\nc\u2028d\ne", Chunk(2, 3, "", "")) == "c\u2028d\ne"
