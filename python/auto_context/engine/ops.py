"""The operations of the worker: everything that reads files, hashes, chunks, tokenises or embeds.

Parameters and results are plain data (msgpack-able). Nothing here touches a store.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_context.config import Settings
from auto_context.embed.compose import Outline, chunk_text, path_text
from auto_context.embed.distil import distil_steps
from auto_context.embed.download import fetch_steps
from auto_context.embed.model import BUNDLED, ModelSpec, configured_spec, verify_bundled
from auto_context.embed.quantise import quantise
from auto_context.embed.static import StaticModel, locate_static
from auto_context.embed.tokens import TokenCounter
from auto_context.engine.ingest import Ingest
from auto_context.errors import AutoContextError
from auto_context.source import Found, Root, admitted, check_paths, discover, is_ancestor, last_commits, left_out
from auto_context.store.records import unpack_blob

if TYPE_CHECKING:
    from auto_context.embed.backend import Vectors
    from auto_context.embed.encoder import Encoder

Steps = Generator[None, None, dict[str, Any]]
"""An operation: yields between short steps, returns its result."""


_HURRY_S = 1.0
"""How long after a query the next one is to be expected."""


class Operations:
    """Holds the model once it is needed."""

    def __init__(self, settings: Settings, cache_dir: Path) -> None:
        self._settings = settings
        self._cache_dir = cache_dir
        self._spec: ModelSpec | None = None
        self._encoder: Encoder | None = None
        self._loading = threading.Lock()
        self._searched_at = float("-inf")
        self._tokens: TokenCounter | None = None
        self._static: StaticModel | None = None
        self._ingest = Ingest(self._static_of)

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
            "left_out": self._left_out,
            "history": self._history,
            "hash": self._ingest.hash,
            "chunk": self._ingest.chunk,
            "derive": self._ingest.derive,
            "cut": self._ingest.cut,
            "admitted": self._admitted,
            "screen": self._ingest.screen,
            "distil": self._distil,
            "embed": self._embed,
            "query": self._query,
            "count": self._count,
            "grammars": self._grammars,
        }
        if op not in table:
            raise AutoContextError("bad_request", f"the worker has no operation {op!r}")
        return table[op](**params)

    def _ping(self) -> Steps:
        yield
        return {}

    def _info(self) -> Steps:
        """Which models would embed, without loading the transformer: one that is configured by name is fetched first.

        ``static`` is None until it is distilled.
        """
        yield
        for _ in fetch_steps(self._settings.model):
            yield
        spec = self._model()
        return {
            "fingerprint": spec.fingerprint,
            "dim": spec.dim,
            "max_length": spec.max_length,
            "name": spec.name,
            "static": self._static_info(),
        }

    def _scan(self, root: dict[str, str], selection: dict[str, Any]) -> Steps:
        """Every path of a work tree with its stat, no content read."""
        found: list[Sequence[Any]] = []
        for batch in discover(decode_root(root), self._settings.selecting(selection)):
            found.extend(_pack_found(batch))
            yield
        return {"found": found}

    def _probe(self, root: dict[str, str], selection: dict[str, Any], paths: list[str]) -> Steps:
        """The same verdicts for some paths."""
        yield
        return {"found": _pack_found(check_paths(decode_root(root), paths, self._settings.selecting(selection)))}

    def _admitted(self, root: dict[str, str], paths: list[str], selection: dict[str, Any]) -> Steps:
        """Which paths may be indexed, whether they exist or not: ``found``."""
        yield
        settings = self._settings.selecting(selection)
        return {"found": sorted(admitted(decode_root(root), paths, settings))}

    def _left_out(self, root: dict[str, str], paths: list[str]) -> Steps:
        """Those of some paths that are left out because of their names."""
        yield
        return {"found": left_out(decode_root(root), paths, self._settings)}

    def _history(self, root: dict[str, str], head: str, known: str, wanted: list[str]) -> Steps:
        """The last commit of each file: those since ``known`` when it is an ancestor, else of all that are wanted.

        ``whole`` tells which; ``paths`` are numbers into ``commits``; ``counts`` are of all commits that were read.
        """
        where = decode_root(root)
        whole = not known or not is_ancestor(where, known, head)
        yield
        commits: dict[tuple[int, str], int] = {}
        paths: dict[str, int] = {}
        counts: Counter[str] = Counter()
        for batch in last_commits(where, head, "" if whole else known, wanted if whole else ()):
            for path, when, subject in batch:
                counts[path] += 1
                if path not in paths:
                    paths[path] = commits.setdefault((when, subject), len(commits))
            yield
        return {"whole": whole, "commits": [list(commit) for commit in commits], "paths": paths, "counts": counts}

    def _grammars(self) -> Steps:
        """Load the grammar and the tags of every language that has them: how many do, and why others do not."""
        from auto_context.chunk.tags import query_of, tagged_languages  # noqa: PLC0415 - native code

        broken: dict[str, str] = {}
        names = tagged_languages()
        for name in names:
            try:
                query_of(name)
            except Exception as error:  # noqa: BLE001 - whatever a native library raises is what is asked for
                broken[name] = str(error).strip().partition("\n")[0] or type(error).__name__
            yield
        return {"loaded": len(names) - len(broken), "broken": broken}

    def _embed(self, blobs: list[tuple[bytes, list[int]]], paths: list[str]) -> Steps:
        """Vectors for some chunks of packed blobs and for some paths, quantised, in the order asked."""
        texts: list[str] = []
        for packed, positions in blobs:
            blob = unpack_blob(packed)
            outline = Outline(blob.symbols)
            texts.extend(chunk_text(blob.text, blob.chunks[at], blob.language, outline) for at in positions)
        yield from self._prepare()
        encoder = self._load()
        yield
        tokens_before = encoder.tokens
        vectors = yield from self._encode(encoder, texts + [path_text(path) for path in paths])
        data = quantise(vectors)
        return {
            "fingerprint": encoder.spec.fingerprint,
            "chunks": data[: len(texts)].tobytes(),
            "paths": data[len(texts) :].tobytes(),
            "tokens": encoder.tokens - tokens_before,
        }

    def _encode(self, encoder: Encoder, texts: list[str]) -> Generator[None, None, Vectors]:
        """The steps of many texts, which make way while somebody searches."""
        steps = encoder.encode_steps(texts, "document")
        while True:
            encoder.hurry = time.monotonic() - self._searched_at < _HURRY_S
            try:
                next(steps)
            except StopIteration as end:
                vectors: Vectors = end.value
                return vectors
            yield

    def _distil(self) -> Steps:
        """Make the static model of the configured transformer ready, unless it is."""
        yield
        spec = self._model()
        if locate_static(self._settings, spec, self._cache_dir) is None:
            yield from self._prepare()
            yield from distil_steps(self._load(), self._cache_dir)
        return {"static": self._static_info()}

    def _query(self, text: str) -> Steps:
        """One query's vector, fp32 bytes."""
        self._searched_at = time.monotonic()
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
            spec = configured_spec(self._settings, self._cache_dir)
            if spec.name == BUNDLED:
                verify_bundled(self._cache_dir)
            self._spec = spec
        return self._spec

    def _static_info(self) -> list[Any] | None:
        """Fingerprint and length of the vectors of the static model, None while there is none."""
        if self._static is None:
            folder = locate_static(self._settings, self._model(), self._cache_dir)
            self._static = StaticModel.load(folder) if folder is not None else None
        return [self._static.fingerprint, self._static.dim] if self._static is not None else None

    def _static_of(self, fingerprint: str) -> StaticModel | None:
        """The static model, if it is the one asked for."""
        info = self._static_info() if fingerprint else None
        return self._static if info is not None and info[0] == fingerprint else None

    def _prepare(self) -> Iterator[None]:
        """At the first use of a model its backend is measured and converted, in a process of its own."""
        if self._encoder is None:
            from auto_context.embed.backend import prepare_steps  # noqa: PLC0415 - as in `_load`

            settings = self._settings
            yield from prepare_steps(self._model(), self._cache_dir, settings.backend, settings.precision)

    def _load(self) -> Encoder:
        with self._loading:
            if self._encoder is not None:
                return self._encoder
            from auto_context.embed.backend import load  # noqa: PLC0415 - native code, only once something is embedded
            from auto_context.embed.encoder import Encoder  # noqa: PLC0415 - as above

            spec, settings = self._model(), self._settings
            backend = load(spec, self._cache_dir, settings.backend, settings.precision)
            self._encoder = Encoder(spec, backend, settings.batch_size)
            return self._encoder


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
