"""The operations of the worker: everything that reads files, hashes, chunks, tokenises or embeds.

Parameters and results are plain data (msgpack-able). Nothing here touches a store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_context.chunk import CHUNKER_VERSION, chunk
from auto_context.config import Settings
from auto_context.embed.compose import chunk_text, members, path_text
from auto_context.embed.download import fetch_steps
from auto_context.embed.model import BUNDLED, ModelSpec, load_spec, locate_model, verify_bundled
from auto_context.embed.tokens import TokenCounter
from auto_context.errors import AutoContextError
from auto_context.rank.tokens import words
from auto_context.source import (
    Content,
    Found,
    Root,
    check_paths,
    discover,
    is_ancestor,
    language_of,
    last_commits,
    read,
)
from auto_context.store.records import Blob, chunk_lines, pack_blob, unpack_blob

if TYPE_CHECKING:
    from auto_context.embed.encoder import Encoder

Steps = Generator[None, None, dict[str, Any]]
"""An operation: yields between short steps, returns its result."""

_TOKENS_PER_CHUNK = 2_000
"""More distinct evidence than this in one chunk is data, not code."""


class Operations:
    """Holds the model once it is needed."""

    def __init__(self, settings: Settings, cache_dir: Path) -> None:
        self._settings = settings
        self._cache_dir = cache_dir
        self._spec: ModelSpec | None = None
        self._encoder: Encoder | None = None
        self._tokens: TokenCounter | None = None

    def start(self, op: str, params: dict[str, Any]) -> Steps:
        """The steps of one operation.

        Raises:
            AutoContextError: ``bad_request`` for an unknown name.
        """
        table: dict[str, Callable[..., Steps]] = {
            "ping": self._ping,
            "info": self._info,
            "scan": self._scan,
            "probe": self._probe,
            "history": self._history,
            "hash": self._hash,
            "chunk": self._chunk,
            "lex": self._lex,
            "embed": self._embed,
            "query": self._query,
            "count": self._count,
        }
        if op not in table:
            raise AutoContextError("bad_request", f"the worker has no operation {op!r}")
        return table[op](**params)

    def _ping(self) -> Steps:
        yield
        return {}

    def _info(self) -> Steps:
        """Which model would embed, without loading it. One that is configured by name is fetched first."""
        yield
        for _ in fetch_steps(self._settings.model):
            yield
        spec = self._model()
        return {"fingerprint": spec.fingerprint, "dim": spec.dim, "name": spec.name}

    def _scan(self, root: dict[str, str]) -> Steps:
        """Every path of a work tree with its stat, no content read."""
        found: list[Sequence[Any]] = []
        for batch in discover(decode_root(root), self._settings):
            found.extend(_pack_found(batch))
            yield
        return {"found": found}

    def _probe(self, root: dict[str, str], paths: list[str]) -> Steps:
        """The same verdicts for some paths."""
        yield
        return {"found": _pack_found(check_paths(decode_root(root), paths, self._settings))}

    def _history(self, root: dict[str, str], head: str, known: str, wanted: list[str]) -> Steps:
        """The last commit of each file: those since ``known`` when it is an ancestor, else of all that are wanted.

        ``whole`` tells which; ``paths`` are numbers into ``commits``.
        """
        where = decode_root(root)
        whole = not known or not is_ancestor(where, known, head)
        yield
        commits: dict[tuple[int, str], int] = {}
        paths: dict[str, int] = {}
        for batch in last_commits(where, head, "" if whole else known, wanted if whole else ()):
            for path, when, subject in batch:
                paths[path] = commits.setdefault((when, subject), len(commits))
            yield
        return {"whole": whole, "commits": [list(commit) for commit in commits], "paths": paths}

    def _hash(self, top: str, paths: list[str]) -> Steps:
        """Read and hash: [path, blob key or b"", language, size, mtime_ns, inode, reason]."""
        rows = []
        for path in paths:
            content = read(Path(top), path, self._settings.max_file_bytes)
            if isinstance(content, Content):
                language = language_of(path, content.text[:200].split("\n", 1)[0])
                rows.append([path, blob_key(content.digest, language), language, *_stat_of(content), ""])
            else:
                rows.append([path, b"", "", 0, 0, 0, content.reason])
            yield
        return {"rows": rows}

    def _chunk(self, top: str, paths: list[str], previous: dict[str, bytes], plain: bool) -> Steps:
        """Read and chunk: the rows of ``hash``, then the packed blob, its number of chunks, and the fallback.

        With ``plain`` no grammar is used: the file has crashed one.
        """
        rows = []
        for path in paths:
            content = read(Path(top), path, self._settings.max_file_bytes)
            if isinstance(content, Content):
                language = language_of(path, content.text[:200].split("\n", 1)[0])
                result = (
                    replace(chunk(content.text, ""), fallback="parse_failed")
                    if plain
                    else chunk(content.text, language)
                )
                texts = (chunk_text(content.text, item, language, result.symbols) for item in result.chunks)
                hashes = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts]
                blob = Blob(
                    language,
                    content.text,
                    result.chunks,
                    hashes,
                    result.fallback,
                    previous.get(path, b""),
                    result.symbols,
                    result.imports,
                )
                key = blob_key(content.digest, language)
                rows.append(
                    [path, key, language, *_stat_of(content), "", pack_blob(blob), len(result.chunks), result.fallback]
                )
            else:
                rows.append([path, b"", "", 0, 0, 0, content.reason, b"", 0, ""])
            yield
        return {"rows": rows}

    def _lex(self, documents: list[tuple[str, bytes]]) -> Steps:
        """Words for the lexical index: per (path, packed blob) [path words, [[body, symbol, names], ...]]."""
        out = []
        for path, packed in documents:
            blob = unpack_blob(packed)
            chunks = []
            for item in blob.chunks:
                body = words(chunk_lines(blob.text, item))[:_TOKENS_PER_CHUNK]
                defined = [s.name for s in blob.symbols if item.start_line <= s.start_line <= item.end_line]
                body += words(" ".join(members(item, blob.symbols)))
                symbol = words(" ".join(dict.fromkeys([item.symbol, *defined])))
                chunks.append([" ".join(body), " ".join(symbol), " ".join(_whole_names(defined))])
            out.append([" ".join(words(path)), chunks])
            yield
        return {"documents": out}

    def _embed(self, blobs: list[tuple[bytes, list[int]]], paths: list[str]) -> Steps:
        """Vectors for some chunks of packed blobs and for some paths, fp16 bytes in the order asked."""
        texts: list[str] = []
        for packed, positions in blobs:
            blob = unpack_blob(packed)
            texts.extend(chunk_text(blob.text, blob.chunks[at], blob.language, blob.symbols) for at in positions)
        yield from self._prepare()
        encoder = self._load()
        yield
        vectors = yield from encoder.encode_steps(texts + [path_text(path) for path in paths], "document")
        data = vectors.astype("<f2")
        return {
            "fingerprint": encoder.spec.fingerprint,
            "chunks": data[: len(texts)].tobytes(),
            "paths": data[len(texts) :].tobytes(),
        }

    def _query(self, text: str) -> Steps:
        """One query's vector, fp32 bytes."""
        yield from self._prepare()
        vectors = yield from self._load().encode_steps([text], "query")
        return {"fingerprint": self._load().spec.fingerprint, "vector": vectors[0].astype("<f4").tobytes()}

    def _count(self, texts: list[str]) -> Steps:
        """How many tokens the model's tokenizer makes of some texts, none of them cut."""
        if self._tokens is None:
            self._tokens = TokenCounter(self._model())
        yield
        return {"tokens": self._tokens.count(texts)}

    def _model(self) -> ModelSpec:
        if self._spec is None:
            spec = load_spec(locate_model(self._settings.model), self._cache_dir)
            if spec.name == BUNDLED:
                verify_bundled(self._cache_dir)
            self._spec = spec
        return self._spec

    def _prepare(self) -> Iterator[None]:
        """At the first use of a model its backend is measured and converted, in a process of its own."""
        if self._encoder is None:
            from auto_context.embed.backend import prepare_steps  # noqa: PLC0415 - as in `_load`

            settings = self._settings
            yield from prepare_steps(self._model(), self._cache_dir, settings.backend, settings.precision)

    def _load(self) -> Encoder:
        if self._encoder is None:
            from auto_context.embed.backend import load  # noqa: PLC0415 - native code, only once something is embedded
            from auto_context.embed.encoder import Encoder  # noqa: PLC0415 - as above

            spec, settings = self._model(), self._settings
            self._encoder = Encoder(spec, load(spec, self._cache_dir, settings.backend, settings.precision))
        return self._encoder


def _whole_names(symbols: Iterable[str]) -> list[str]:
    """Of ``Cart.add_item``: ``cart.add_item`` and ``add_item``."""
    names = [name.lower() for symbol in symbols for name in (symbol, symbol.rsplit(".", 1)[-1])]
    return list(dict.fromkeys(name.replace(" ", "_") for name in names))


def blob_key(digest: bytes, language: str) -> bytes:
    """The identity of a blob: its content, its language and the chunker's version, 16 bytes."""
    return hashlib.blake2b(digest + f"\0{language}\0{CHUNKER_VERSION}".encode(), digest_size=16).digest()


def encode_root(root: Root) -> dict[str, str]:
    """A root as plain data."""
    return {
        "path": str(root.path),
        "top": str(root.top),
        "git_dir": str(root.git_dir or ""),
        "common_dir": str(root.common_dir or ""),
        "prefix": root.prefix,
    }


def decode_root(data: dict[str, str]) -> Root:
    """The reverse of ``encode_root``."""
    git_dir, common_dir = data["git_dir"], data["common_dir"]
    return Root(
        path=Path(data["path"]),
        top=Path(data["top"]),
        git_dir=Path(git_dir) if git_dir else None,
        common_dir=Path(common_dir) if common_dir else None,
        prefix=data["prefix"],
    )


def _pack_found(batch: Iterable[Found]) -> list[Sequence[Any]]:
    return [(item.path, item.size, item.mtime_ns, item.inode, item.skip) for item in batch]


def _stat_of(content: Content) -> tuple[int, int, int]:
    return content.size, content.mtime_ns, content.inode
