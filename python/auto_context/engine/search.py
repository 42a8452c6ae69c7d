"""Answering a query: the legs, fusion, ranking, and hits checked against the files as they are now."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from auto_context.engine.legs import Found, Legs
from auto_context.engine.query_vectors import QueryVectors
from auto_context.engine.repository import Repository
from auto_context.engine.scope import Scope
from auto_context.engine.verify import fresh_hits
from auto_context.engine.views import View, Worktree
from auto_context.engine.work import Result, Worker
from auto_context.rank import Asked, Candidate, Fused, diversify, fuse, merge, rank
from auto_context.rank.query import Query, compiled, has_phrase, parse
from auto_context.rank.tokens import words
from auto_context.source import Root
from auto_context.store.lexical import chunk_id
from auto_context.store.records import Blob, chunk_lines
from auto_context.types import Chunk, Hit, LegState, SearchReply, SearchRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_DEPTH, _DEEPEST = 100, 6_400
"""Chunks asked of each leg: deeper only while a filter on the text leaves too few."""
_GRACE_S = 0.015
"""A warm worker embeds a query in less: waiting this long saves the picker its second question."""
_LISTING_S = 2.0
"""How long a query of filters alone may read through the view."""
_PATTERN_S = 1.0
"""How long a regular expression may take on all chunks of a search together."""
_ENDS = re.compile(r"\\[AZzG]")
_MOST_HITS = 200
_NO_DEFINITIONS = frozenset({"key", "section", "rule", "element", "heading", "variable"})
"""Kinds of symbols that name a place, and are nothing that others use by that name."""


class Search:
    """One query against one view."""

    def __init__(
        self,
        repository: Repository,
        root: Root,
        worktree: Worktree,
        worker: Worker,
        vectors: QueryVectors,
        request: SearchRequest,
    ) -> None:
        self._repository = repository
        self._root = root
        self._worktree = worktree
        self._view: View = worktree.view
        self._worker = worker
        self._query_vectors = vectors
        self._request = request
        self._query: Query = parse(request.query, time.time())
        self._scope = Scope(repository, root, self._view, worktree.history, request, self._query)
        self._pattern_s = _PATTERN_S
        self._files: dict[str, bool] = {}
        self._limit = max(0, min(request.limit, _MOST_HITS))
        self.other_model = False
        """Whether the query came back from another model than the one the vectors are of."""
        self._vector_of_query: Floats | None = None
        self._states: dict[str, LegState] = {"lexical": "ok", "path": "ok", "vector": "ok"}
        self._found: dict[str, Found] = {}

    def run(self, branch: str) -> SearchReply:
        """The reply. ``wait_ms`` is spent only on the vector leg, while it is not ready."""
        began = time.monotonic()
        query = self._query
        filtered = any(
            (query.pattern, query.paths, query.languages, query.kinds, query.since is not None, query.phrases)
        )
        if query.text:
            ranked, coverage = self._ranked(began)
        elif filtered:
            self._states = {"lexical": "ok", "path": "off", "vector": "off"}
            ranked, coverage = list(self._listed(began + _LISTING_S)), 0.0
        else:
            self._states = dict.fromkeys(self._states, "off")
            ranked, coverage = [], 0.0
        hits = self._hits(ranked)
        took = round((time.monotonic() - began) * 1000, 2)
        return SearchReply(
            self._request.query, str(self._root.path), branch, took, self._states, round(coverage, 4), hits
        )

    # With words: legs, fusion, ranking

    def _ranked(self, began: float) -> tuple[list[Candidate], float]:
        request, query = self._request, self._query
        deadline = began + max(_GRACE_S, request.wait_ms / 1000)
        pending = self._query_vectors.ask(query.text) if "vector" not in request.off else None
        legs = Legs(self._repository, self._scope, query)
        with self._repository.lock:
            chunks = self._view.chunks
            coverage = self._repository.vector_count(self._view) / chunks if chunks else 1.0
        weights = query.intent.covered(coverage)
        depth = _DEPTH
        while True:
            self._find(legs, depth, pending, deadline)
            candidates = list(self._candidates(self._similar_enough(fuse(self._found, weights, depth)), legs.nameless))
            exhausted = all(len(found) < depth for found in self._found.values()) or depth >= _DEEPEST
            if exhausted or len(candidates) >= min(self._limit, depth):
                break
            depth *= 4
        asked = Asked(query.text, query.intent, self._root.prefix + request.near if request.near else "", time.time())
        ranked = merge(rank(asked, candidates, request.off))
        if "diversity" not in request.off:
            ranked = diversify(ranked, request.per_file)
        self._note_states(coverage)
        return ranked, coverage

    def _find(self, legs: Legs, depth: int, pending: Future[Result] | None, deadline: float) -> None:
        """Ask every leg that is on. The vector leg last: its query is being embedded meanwhile."""
        off = self._request.off
        found: dict[str, Found] = {"lexical": [] if "lexical" in off else legs.lexical(depth), "path": [], "vector": []}
        if pending is not None:
            if self._vector_of_query is None and self._states["vector"] == "ok":
                self._vector_of_query = self._await(pending, deadline)
            if self._vector_of_query is not None:
                found["vector"] = legs.vector(self._vector_of_query, depth)
        if "path" not in off:
            found["path"] = legs.path(depth, [found["lexical"], found["vector"]])
        self._found = found

    def _note_states(self, coverage: float) -> None:
        if not self._repository.lexed:
            self._states["lexical"] = "empty"
        index = self._repository.vectors
        if self._states["vector"] == "ok" and (index is None or not len(index)):
            self._states["vector"] = "empty"
        if self._states["vector"] == "ok" and coverage < 1.0:
            self._states["vector"] = "partial" if coverage else "empty"
        for leg in self._states.keys() & set(self._request.off):
            self._states[leg] = "off"

    def _similar_enough(self, fused: Sequence[Fused]) -> Sequence[Fused]:
        """Without what is below the threshold, whichever leg found it. Without vectors nothing can be measured."""
        threshold, query, index = self._request.threshold, self._vector_of_query, self._repository.vectors
        if threshold is None or query is None or index is None:
            return fused
        similarity = index.similarities(query, np.array([item.id for item in fused], np.int64))
        return [item for item in fused if similarity.get(item.id, -1.0) >= threshold]

    def _await(self, pending: Future[Result], deadline: float) -> Floats | None:
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
        vector: Floats = np.frombuffer(result["vector"], "<f4").astype(np.float32)
        return vector

    # Without words: every chunk that passes, in the order of the paths

    def _listed(self, deadline: float) -> Iterator[Candidate]:
        allowed = self._scope.documents()
        with self._repository.lock:
            documents = sorted(self._view.documents.items())
        found = 0
        for path, number in documents:
            if not (number < len(allowed) and allowed[number]):
                continue
            blob = self._repository.blob(self._repository.documents[number].key)
            for position, chunk in enumerate(blob.chunks):
                if self._admits(path, chunk, blob):
                    found += 1
                    yield self._candidate(Fused(chunk_id(number, position), 1.0, ("lexical",)), path, chunk, blob)
            if found >= self._limit:
                return
            if time.monotonic() > deadline:
                self._states["lexical"] = "partial"
                return

    # Candidates and hits

    def _candidates(self, fused: Sequence[Fused], nameless: Sequence[str]) -> Iterator[Candidate]:
        query = self._query
        about_text = bool(query.kinds or query.phrases or query.pattern)
        for item in fused:
            if item.id < 0:
                path = nameless[~item.id]
                if not about_text and not set(words(path)) & set(query.without):
                    yield Candidate(item.id, path, 1, 1, "file", "", item.score, item.legs)
                continue
            found = self._repository.chunk(item.id)
            if found is not None:
                document, blob, position = found
                if self._admits(document.path, blob.chunks[position], blob):
                    yield self._candidate(item, document.path, blob.chunks[position], blob)

    def _candidate(self, item: Fused, path: str, chunk: Chunk, blob: Blob) -> Candidate:
        commit = self._worktree.history.of(path) if self._request.near else None
        defines = tuple(
            s.name
            for s in blob.symbols
            if chunk.start_line <= s.start_line <= chunk.end_line and s.kind not in _NO_DEFINITIONS
        )
        query = self._query
        verbatim = query.intent.kind == "code" and has_phrase(chunk_lines(blob.text, chunk), query.text)
        return Candidate(
            item.id, path, chunk.start_line, chunk.end_line, chunk.kind, chunk.symbol, item.score, item.legs, defines,
            verbatim, commit.time if commit else 0.0,
        )  # fmt: skip

    def _admits(self, path: str, chunk: Chunk, blob: Blob) -> bool:
        """Whether a chunk passes the query's own filters on what is in it."""
        query = self._query
        if query.kinds and chunk.kind not in query.kinds:
            return False
        if not (query.without or query.phrases or query.pattern):
            return True
        if not self._file_may_have(path, blob):
            return False
        text = chunk_lines(blob.text, chunk)
        if query.without and not set(query.without).isdisjoint([*words(text), *words(path)]):
            return False
        if not all(has_phrase(text, phrase) for phrase in query.phrases):
            return False
        return not query.pattern or self._has_pattern(text)

    def _file_may_have(self, path: str, blob: Blob) -> bool:
        """Whether a whole file has the phrases and the pattern: if not, none of its chunks needs a look."""
        known = self._files.get(path)
        if known is None:
            query = self._query
            known = all(has_phrase(blob.text, phrase) for phrase in query.phrases)
            # The ends of the text are those of a chunk: in the file they are elsewhere.
            if known and query.pattern and not _ENDS.search(query.pattern):
                known = self._has_pattern(blob.text)
            self._files[path] = known
        return known

    def _has_pattern(self, text: str) -> bool:
        """Whether the pattern matches. All its searches share one allowance: what is left over is not looked at."""
        pattern = compiled(self._query.pattern)
        if pattern is None or self._pattern_s <= 0:
            return False
        began = time.monotonic()
        try:
            return pattern.search(text, timeout=self._pattern_s, concurrent=True) is not None
        except TimeoutError:
            self._states["lexical"] = "partial"
            return False
        finally:
            self._pattern_s -= time.monotonic() - began

    def _hits(self, ranked: Sequence[Candidate]) -> list[Hit]:
        found = fresh_hits(self._repository, self._worktree, self._root, self._query, ranked, self._limit)
        if not self._request.explain:
            return [hit for _, hit in found]
        return [replace(hit, explain=self._explain(item)) for item, hit in found]

    def _explain(self, item: Candidate) -> dict[str, Any]:
        """Per leg rank and score, and what each step multiplied the score by."""
        legs = {}
        for leg, found in self._found.items():
            for at, (chunk, score) in enumerate(found, 1):
                if chunk == item.id:
                    legs[leg] = {"rank": at, "score": round(score, 4), "weight": self._query.intent.weight(leg)}
        factor = float(np.prod([by for _, by in item.why])) if item.why else 1.0
        return {
            "intent": self._query.intent.kind,
            "legs": legs,
            "fused": round(item.score / factor, 4) if factor else 0.0,
            "steps": [{"step": step, "factor": round(by, 4)} for step, by in item.why],
            "score": round(item.score, 4),
        }
