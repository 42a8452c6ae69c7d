"""What becomes of files in a reader process: read, hashed, cut, taken apart into words, pooled into static vectors.

Plain data in and out; nothing here touches a store or runs a transformer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from auto_context.chunk import CHUNKER_VERSION, chunk
from auto_context.embed.compose import Outline, chunk_text
from auto_context.embed.quantise import quantise
from auto_context.embed.static import StaticModel, with_symbols
from auto_context.rank.tokens import Lexicon, identifiers
from auto_context.source import Content, Skip, language_of, read, redact
from auto_context.store.records import Blob, pack_blob, unpack_blob

if TYPE_CHECKING:
    from auto_context.engine.work import Steps

Words = tuple[str, str, str]
"""Of one chunk, joined by spaces: those of its text, of the names it defines, and these names whole."""


class Bags(NamedTuple):
    """The identifiers of a file that its static vectors are of."""

    bodies: list[list[str]]
    """Of each chunk's text."""
    symbols: list[list[str]]
    """Of each chunk's symbol."""
    path: list[str]


_BY_NAME = frozenset({"binary", "large", "minified", "unreadable"})
"""Reasons for which a file is found by its name."""
_TOKENS_PER_CHUNK = 2_000
"""More distinct evidence than this in one chunk is data, not code."""


class Ingest:
    """The operations on files.

    Args:
        static: the static model of a fingerprint, None when it is not there.
    """

    def __init__(self, static: Callable[[str], StaticModel | None]) -> None:
        self._static = static
        self._lexicon = Lexicon()

    def hash(self, top: str, paths: list[str], selection: dict[str, Any]) -> Steps:
        """Read and hash: [path, blob key or b"", language, size, mtime_ns, inode, reason, secrets taken out].

        Args:
            top: of the work tree.
            paths: relative to it.
            selection: which of them belong in, of ``Settings.selection``.
        """
        rows = []
        for path in paths:
            content, language = _read(top, path, selection)
            if isinstance(content, Content):
                key = blob_key(content.digest, language)
                rows.append([path, key, language, *_stat_of(content), "", content.redacted])
            else:
                rows.append([path, b"", "", 0, 0, 0, content.reason, 0])
            yield
        return {"rows": rows}

    def chunk(
        self,
        top: str,
        paths: list[str],
        selection: dict[str, Any],
        previous: dict[str, bytes],
        plain: bool,
        static: str,
    ) -> Steps:
        """Read, cut, and derive what the indexes need.

        With ``plain`` no grammar is used: the file has crashed one.

        Returns:
            ``rows``: those of ``hash``, then the packed blob, its number of chunks, the fallback, and what ``derive``
            gives for it. ``static``: the model that the vectors are of, "" without.
        """
        model = self._static(static)
        rows: list[list[Any]] = []
        bags: list[Bags] = []
        for path in paths:
            content, language = _read(top, path, selection)
            if isinstance(content, Content):
                blob = _cut(content.text, "" if plain else language, language, previous.get(path, b""))
                if plain:
                    blob.fallback = "parse_failed"
                key = blob_key(content.digest, language)
                stat = _stat_of(content)
                name, words, bag = self._words(path, blob)
                bags.append(bag)
                packed = pack_blob(blob)
                known = [path, key, language, *stat, "", content.redacted]
                rows.append([*known, packed, len(blob.chunks), blob.fallback, name, words])
            else:
                bags.append(Bags([], [], []))
                rows.append([path, b"", "", 0, 0, 0, content.reason, 0, b"", 0, "", "", []])
            yield
        rows = [[*row, *vectors] for row, vectors in zip(rows, _pooled(model, bags), strict=True)]
        return {"rows": rows, "static": model.fingerprint if model else ""}

    def cut(self, documents: list[tuple[str, str]], selection: dict[str, Any], static: str) -> Steps:
        """As ``chunk``, for texts that are in no file yet, without their secrets unless these are kept.

        Returns:
            ``rows``: path, packed blob, and what ``derive`` gives for it. ``static`` as for ``chunk``.
        """
        model = self._static(static)
        rows: list[list[Any]] = []
        bags: list[Bags] = []
        for path, typed in documents:
            text = typed if selection["secrets"] == "keep" else redact(typed)[0]
            language = language_of(path, text[:200].split("\n", 1)[0])
            blob = _cut(text, language, language, b"")
            name, words, bag = self._words(path, blob)
            bags.append(bag)
            rows.append([path, pack_blob(blob), name, words])
            yield
        rows = [[*row, *vectors] for row, vectors in zip(rows, _pooled(model, bags), strict=True)]
        return {"rows": rows, "static": model.fingerprint if model else ""}

    def derive(self, documents: list[tuple[str, bytes]], static: str) -> Steps:
        """From stored contents what the indexes need.

        Args:
            documents: path and packed blob of each.
            static: fingerprint of the static model to use, "" for none.

        Returns:
            ``rows``: [path words, [[body, symbol, names] of each chunk], static rows of the chunks, of the path];
            ``static`` as for ``chunk``.
        """
        model = self._static(static)
        rows: list[list[Any]] = []
        bags: list[Bags] = []
        for path, packed in documents:
            name, words, bag = self._words(path, unpack_blob(packed))
            bags.append(bag)
            rows.append([name, words])
            yield
        rows = [[*row, *vectors] for row, vectors in zip(rows, _pooled(model, bags), strict=True)]
        return {"rows": rows, "static": model.fingerprint if model else ""}

    def screen(self, contents: list[bytes]) -> Steps:
        """Which of some packed blobs hold secrets: ``found``, their places in the list; b"" holds none."""
        found = []
        for at, packed in enumerate(contents):
            if packed and redact(unpack_blob(packed).text)[1]:
                found.append(at)
            yield
        return {"found": found}

    def _words(self, path: str, blob: Blob) -> tuple[str, list[Words], Bags]:
        """Words of the path and of every chunk, and the bags that their static vectors are of."""
        lexicon, outline = self._lexicon, Outline(blob.symbols)
        lines = blob.text.split("\n")
        chunks: list[Words] = []
        bodies: list[list[str]] = []
        symbols: list[list[str]] = []
        for item in blob.chunks:
            text = "\n".join(lines[item.start_line - 1 : item.end_line])
            body, bag = lexicon.read(text, _TOKENS_PER_CHUNK)
            members = outline.members(item)
            if members:
                more, names = lexicon.read(" ".join(members))
                body, bag = f"{body} {more}", bag + names
            defined = outline.defined(item)
            symbol = lexicon.joined(" ".join(dict.fromkeys([item.symbol, *defined])))
            chunks.append((body, symbol, " ".join(_whole_names(defined))))
            bodies.append(bag)
            symbols.append(identifiers(item.symbol))
        name, named = lexicon.read(path)
        return name, chunks, Bags(bodies, symbols, named)


def _read(top: str, path: str, selection: dict[str, Any]) -> tuple[Content | Skip, str]:
    """A file and its language, which may be none that is asked for: only the first line of some tells."""
    content = read(Path(top), path, selection["max_file_bytes"], selection["secrets"])
    first, found = ("", content.reason in _BY_NAME) if isinstance(content, Skip) else (content.text[:200], True)
    language = language_of(path, first.split("\n", 1)[0])
    wanted = selection["languages"]
    return Skip("language") if wanted and found and language not in wanted else content, language


def _pooled(model: StaticModel | None, files: list[Bags]) -> list[tuple[bytes, bytes]]:
    """Static vectors of the chunks and of the path of each file, int8 rows as bytes; all pooled at once."""
    if model is None:
        return [(b"", b"")] * len(files)
    bodies = model.pool([bag for file in files for bag in file.bodies])
    symbols = model.pool([bag for file in files for bag in file.symbols])
    rows = quantise(with_symbols(bodies, symbols))
    names = quantise(model.pool([file.path for file in files]))
    ends = np.cumsum([len(file.bodies) for file in files])
    return [
        (rows[end - len(file.bodies) : end].tobytes(), name.tobytes())
        for file, end, name in zip(files, ends, names, strict=True)
    ]


def _cut(text: str, grammar: str, language: str, previous: bytes) -> Blob:
    result = chunk(text, grammar)
    outline = Outline(result.symbols)
    texts = (chunk_text(text, item, language, outline) for item in result.chunks)
    hashes = [hashlib.blake2b(one.encode(), digest_size=8).digest() for one in texts]
    return Blob(language, text, result.chunks, hashes, result.fallback, previous, result.symbols, result.imports)


def _whole_names(symbols: Iterable[str]) -> list[str]:
    """Of ``Cart.add_item``: ``cart.add_item`` and ``add_item``."""
    names = [name.lower() for symbol in symbols for name in (symbol, symbol.rsplit(".", 1)[-1])]
    return list(dict.fromkeys(name.replace(" ", "_") for name in names))


def blob_key(digest: bytes, language: str) -> bytes:
    """The identity of a blob: its content, its language and the chunker's version, 16 bytes."""
    return hashlib.blake2b(digest + f"\0{language}\0{CHUNKER_VERSION}".encode(), digest_size=16).digest()


def _stat_of(content: Content) -> tuple[int, int, int]:
    return content.size, content.mtime_ns, content.inode
