"""Answering a query: the legs, fusion, ranking, and hits checked against the files as they are now."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pathspec

from auto_context.engine.repository import Repository
from auto_context.engine.verify import verify
from auto_context.engine.views import View
from auto_context.engine.work import QUERY, Result, Worker
from auto_context.errors import AutoContextError
from auto_context.rank.files import FileNames
from auto_context.rank.fuse import Candidate, fuse, merge, rerank
from auto_context.rank.intent import Intent, intent_of
from auto_context.rank.tokens import query_words
from auto_context.source import Root
from auto_context.store.lexical import chunk_id
from auto_context.store.records import CHUNK_BITS
from auto_context.types import Hit, LegState, SearchReply, SearchRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

Fused = tuple[int, float, tuple[str, ...]]
"""A chunk id, its score, and the legs that found it."""

_LEG_DEPTH = 100
_FUSED = 60
_QUERY_CACHE = 64
_GRACE_S = 0.015
"""A warm worker embeds a query in less: waiting this long saves the picker its second question."""
_LONGEST_QUERY = 4_000
"""Characters. A pasted file is cut: no leg reads further."""
_MOST_HITS = 200
_MOST_WORDS = 64
"""Of a pasted text: every word costs a look into three fields."""
_PREFIX_LENGTHS = range(2, 40)


class QueryVectors:
    """The embeddings of the last 64 queries, and those on their way."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._futures: OrderedDict[str, Future[Result]] = OrderedDict()
        self.answered = False
        """Whether the model has embedded anything since it was last down."""

    def ask(self, query: str) -> Future[Result]:
        """The embedding of a query, asked for once; a failed one is asked for again."""
        with self._lock:
            future = self._futures.pop(query, None)
            if future is None or (future.done() and future.exception() is not None):
                future = self._worker.submit("query", {"text": query}, QUERY)
                future.add_done_callback(self._note)
            self._futures[query] = future
            while len(self._futures) > _QUERY_CACHE:
                _, oldest = self._futures.popitem(last=False)
                oldest.cancel()
            return future

    def _note(self, future: Future[Result]) -> None:
        self.answered = not future.cancelled() and future.exception() is None

    def forget(self) -> None:
        """The model changed."""
        with self._lock:
            self._futures.clear()


class Search:
    """One query against one view."""

    def __init__(
        self,
        repository: Repository,
        root: Root,
        view: View,
        worker: Worker,
        vectors: QueryVectors,
        request: SearchRequest,
    ) -> None:
        self._repository = repository
        self._root = root
        self._view = view
        self._worker = worker
        self._query_vectors = vectors
        self._request = request
        self._query = request.query[:_LONGEST_QUERY]
        self._intent: Intent = intent_of(self._query)
        self.other_model = False
        """Whether the query came back from another model than the one the vectors are of."""
        self._nameless: list[str] = []
        """Files without content that the path leg found; their candidates' ids are ``~index`` into this."""
        self._vector_of_query: NDArray[np.float32] | None = None
        self._states: dict[str, LegState] = {"lexical": "ok", "path": "ok", "vector": "ok"}

    def run(self, branch: str) -> SearchReply:
        """The reply. ``wait_ms`` is spent only on the vector leg, while it is not ready."""
        began = time.monotonic()
        request = self._request
        if not self._query.strip():
            self._states = dict.fromkeys(self._states, "off")
            return self._reply(branch, began, [], 0.0)
        deadline = began + max(_GRACE_S, request.wait_ms / 1000)
        pending = self._query_vectors.ask(self._query.strip())
        allowed = self._allowed()
        legs = {"lexical": self._lexical(allowed), "path": self._paths(allowed)}
        legs["vector"] = self._vector(pending, deadline, allowed)
        self._lead_to_chunks(legs)
        with self._repository.lock:
            chunks = self._view.chunks
            coverage = self._repository.vector_count(self._view) / chunks if chunks else 1.0
        fused = fuse(legs, self._intent.covered(coverage), _FUSED)
        candidates = self._candidates(self._similar_enough(fused))
        ranked = merge(rerank(self._query, self._intent, candidates))
        hits = self._hits(ranked, max(0, min(request.limit, _MOST_HITS)))
        if self._states["vector"] == "ok" and coverage < 1.0:
            self._states["vector"] = "partial" if coverage else "empty"
        return self._reply(branch, began, hits, coverage)

    def _reply(self, branch: str, began: float, hits: list[Hit], coverage: float) -> SearchReply:
        took = round((time.monotonic() - began) * 1000, 2)
        root = str(self._root.path)
        return SearchReply(self._request.query, root, branch, took, self._states, round(coverage, 4), hits)

    # Filters

    def _allowed(self) -> Mask:
        """The view's documents that pass the filters, bool [documents]."""
        filters = self._filters()
        with self._repository.lock:
            return self._view.derived("allowed", filters, self._narrowed) if any(filters) else self._view.mask()

    def _filters(self) -> tuple[str, str | None, str | None]:
        """What the documents and names that pass depend on, besides the view."""
        return self._root.prefix, self._request.path, self._request.language

    def _narrowed(self) -> Mask:
        narrowed = np.zeros_like(self._view.mask())
        numbers = [number for path, number in self._view.documents.items() if self._passes(path)]
        narrowed[np.array(numbers, np.int64)] = True
        return narrowed

    def _passes(self, path: str) -> bool:
        prefix = self._root.prefix
        if prefix and not path.startswith(prefix):
            return False
        language = self._request.language
        if language and self._view.entries[path].language != language.lower():
            return False
        return self._matches_glob(path[len(prefix) :])

    def _matches_glob(self, relative: str) -> bool:
        if not self._request.path:
            return True
        return _glob(self._request.path).match_file(relative)

    # Legs

    def _lexical(self, allowed: Mask) -> list[int]:
        """Chunk ids by BM25. Asks deeper until enough of them are in the view."""
        words = query_words(self._query)[:_MOST_WORDS]
        last = self._query.rsplit(None, 1)[-1].lower() if not self._query[-1].isspace() else ""
        prefix = last if last.isidentifier() and len(last) in _PREFIX_LENGTHS and len(words) <= 2 else ""  # noqa: PLR2004
        found: list[int] = []
        offset, depth = 0, _LEG_DEPTH * 2
        while len(found) < _LEG_DEPTH:
            rows = self._repository.lexical.search(words, prefix, depth, offset)
            for document, position, _ in rows:
                number = self._repository.number_of(document)
                if number is not None and number < len(allowed) and allowed[number]:
                    found.append(chunk_id(number, position))
            if len(rows) < depth:
                break
            offset, depth = offset + depth, depth * 4
        if not self._repository.lexed:
            self._states["lexical"] = "empty"
        return found[:_LEG_DEPTH]

    def _paths(self, allowed: Mask) -> list[int]:
        """File names. Files without content stand as negative ids: ``~index`` into ``self._nameless``."""
        names, numbers, paths = self._file_names(allowed)
        out = []
        for at, _ in names.match(self._query, _LEG_DEPTH):
            number = numbers[at]
            if number is not None:
                out.append(chunk_id(number, 0))
            else:
                self._nameless.append(paths[at])
                out.append(~(len(self._nameless) - 1))
        return out

    def _file_names(self, allowed: Mask) -> tuple[FileNames, list[int | None], list[str]]:
        """The names that pass the filters with their documents' numbers, kept as long as the view stays as it is."""
        with self._repository.lock:
            return self._view.derived("names", self._filters(), lambda: self._make_names(allowed))

    def _make_names(self, allowed: Mask) -> tuple[FileNames, list[int | None], list[str]]:
        documents, prefix = self._view.documents, len(self._root.prefix)
        paths = [path for path in self._view.entries if self._name_passes(path, documents.get(path), allowed)]
        names = FileNames([path[prefix:] for path in paths])
        return names, [documents.get(path) for path in paths], paths

    def _name_passes(self, path: str, number: int | None, allowed: Mask) -> bool:
        if number is not None:
            return number < len(allowed) and bool(allowed[number])
        prefix = self._root.prefix
        in_scope = path.startswith(prefix) and not self._request.language
        return in_scope and self._matches_glob(path[len(prefix) :])

    def _vector(self, pending: Future[Result], deadline: float, allowed: Mask) -> list[int]:
        """Chunk ids by cosine similarity."""
        query = self._vector_of_query = self._await(pending, deadline)
        if query is None:
            return []
        index = self._repository.vectors
        if index is None or not len(index):
            self._states["vector"] = "empty"
            return []
        with self._repository.lock:
            ids = index.ids
            numbers = ids >> CHUNK_BITS
            rows = np.zeros(len(ids), np.bool_)
            inside = numbers < len(allowed)
            rows[inside] = allowed[numbers[inside]]
        found, _ = index.search(query, rows, _LEG_DEPTH)
        return [int(chunk) for chunk in found]

    def _similar_enough(self, fused: Sequence[Fused]) -> Sequence[Fused]:
        """Without what is below the threshold, whichever leg found it. Without vectors nothing can be measured."""
        threshold, query, index = self._request.threshold, self._vector_of_query, self._repository.vectors
        if threshold is None or query is None or index is None:
            return fused
        similarity = index.similarities(query, np.array([chunk for chunk, _, _ in fused], np.int64))
        return [item for item in fused if similarity.get(item[0], -1.0) >= threshold]

    def _await(self, pending: Future[Result], deadline: float) -> NDArray[np.float32] | None:
        try:
            result = pending.result(timeout=max(0.0, deadline - time.monotonic()))
        except FutureTimeout:
            warm = self._worker.state == "ready" and self._query_vectors.answered
            self._states["vector"] = "pending" if warm else "loading"
            return None
        except BaseException:  # noqa: BLE001 - whatever befell the worker, the other legs answer
            self._states["vector"] = "down"
            return None
        if result["fingerprint"] != self._repository.model:
            # Vectors of two models are never compared: this leg waits until the view is embedded anew.
            self._states["vector"] = "empty"
            self.other_model = True
            return None
        vector: NDArray[np.float32] = np.frombuffer(result["vector"], "<f4").astype(np.float32)
        return vector

    # From legs to hits

    def _lead_to_chunks(self, legs: dict[str, list[int]]) -> None:
        """A file found by name stands at the chunk the other legs like best, else at its first."""
        best: dict[int, int] = {}
        for leg in ("lexical", "vector"):
            for chunk in legs[leg][:20]:
                best.setdefault(chunk >> CHUNK_BITS, chunk)
        if self._intent.kind != "path":
            legs["path"] = [best.get(chunk >> CHUNK_BITS, chunk) if chunk >= 0 else chunk for chunk in legs["path"]]

    def _candidates(self, fused: Sequence[Fused]) -> list[Candidate]:
        out = []
        for chunk, score, legs in fused:
            if chunk < 0:
                out.append(Candidate(chunk, self._nameless[~chunk], 1, 1, "file", "", score, legs))
                continue
            document = self._repository.documents[chunk >> CHUNK_BITS]
            blob = self._repository.blob(document.key)
            position = chunk & ((1 << CHUNK_BITS) - 1)
            if position < len(blob.chunks):
                item = blob.chunks[position]
                out.append(
                    Candidate(chunk, document.path, item.start_line, item.end_line, item.kind, item.symbol, score, legs)
                )
        return out

    def _hits(self, ranked: Sequence[Candidate], limit: int) -> list[Hit]:
        hits: list[Hit] = []
        checked: dict[str, Any] = {}
        prefix = len(self._root.prefix)
        for item in ranked:
            if len(hits) >= limit:
                break
            hit = verify(self._repository, self._view, str(self._root.top), self._query, item, checked)
            if hit is not None:
                hits.append(replace(hit, path=hit.path[prefix:]))
        return hits


_globs: dict[str, pathspec.PathSpec[Any]] = {}


def _glob(pattern: str) -> pathspec.PathSpec[Any]:
    if pattern not in _globs:
        if len(_globs) > _QUERY_CACHE:
            _globs.clear()
        try:
            _globs[pattern] = pathspec.PathSpec.from_lines("gitignore", [pattern])
        except ValueError as error:
            raise AutoContextError("bad_request", f"path: not a pattern: {pattern!r}") from error
    return _globs[pattern]
