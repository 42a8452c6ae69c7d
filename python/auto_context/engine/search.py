"""Answering a query: the legs, fusion, ranking, and hits checked against the files as they are now."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from auto_context.engine.legs import Found, Legs
from auto_context.engine.overlay import FIRST, Overlay, is_unsaved
from auto_context.engine.query_vectors import QueryVectors
from auto_context.engine.repository import Repository
from auto_context.engine.scope import Scope
from auto_context.engine.static_queries import StaticQueries
from auto_context.engine.verify import fresh_hits
from auto_context.engine.views import View, Worktree
from auto_context.engine.work import Result, Worker
from auto_context.rank import Asked, Candidate, Fused, diversify, fuse, merge, rank
from auto_context.rank.intent import Intent
from auto_context.rank.query import Query, compiled, has_phrase, parse
from auto_context.rank.tokens import words
from auto_context.source import Root
from auto_context.store.lexical import chunk_id, split_id
from auto_context.store.records import CHUNK_BITS, Blob, chunk_lines
from auto_context.types import Chunk, Hit, LegState, SearchReply, SearchRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_DEPTH, _DEEPEST = 100, 6_400
"""Chunks asked of each leg: deeper only while a filter on the text leaves too few."""
_LEADING = 50
"""Chunks found by words whose contents are read while the vector leg is on its way: most come into the answer."""
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


class Queries(NamedTuple):
    """What makes a query's vectors, of either tier."""

    vector: QueryVectors
    static: StaticQueries


class Search:
    """One query against one view."""

    def __init__(
        self,
        repository: Repository,
        root: Root,
        worktree: Worktree,
        worker: Worker,
        queries: Queries,
        request: SearchRequest,
        overlay: Overlay | None = None,
    ) -> None:
        self._repository = repository
        self._root = root
        self._worktree = worktree
        self._view: View = worktree.view
        self._worker = worker
        self._query_vectors, self._static_queries = queries
        self._request = request
        self._query: Query = parse(request.query, time.time())
        self._overlay = overlay
        self._scope = Scope(repository, root, self._view, worktree.history, request, self._query, overlay)
        self._pattern_s = _PATTERN_S
        self._files: dict[str, bool] = {}
        self._coverage = coverage(repository, self._view)
        self._limit = max(0, min(request.limit, _MOST_HITS))
        self.other_model = False
        """Whether the query came back from another model than the one the vectors are of."""
        self._vector_of_query: Floats | None = None
        self._states: dict[str, LegState] = {"lexical": "ok", "path": "ok", "static": "ok", "vector": "ok"}
        self._scan: Future[Found] | None = None
        """The vector leg on its way, in another thread."""
        self._static_query: Floats | None = None
        self._found: dict[str, Found] = {}

    def run(self, branch: str) -> SearchReply:
        """The reply. ``wait_ms`` is spent only on the vector leg, while it is not ready."""
        began = time.monotonic()
        query = self._query
        filtered = any(
            (query.pattern, query.paths, query.languages, query.kinds, query.since is not None, query.phrases)
        )
        if query.text:
            ranked = self._ranked(began)
        elif filtered:
            self._states = {"lexical": "ok", "path": "off", "static": "off", "vector": "off"}
            ranked = list(self._listed(began + _LISTING_S))
        else:
            self._states = dict.fromkeys(self._states, "off")
            ranked = []
        hits = self._hits(ranked)
        took = round((time.monotonic() - began) * 1000, 2)
        return SearchReply(
            self._request.query, str(self._root.path), branch, took, self._states, self._coverage, hits, query.terms
        )

    # With words: legs, fusion, ranking

    def _ranked(self, began: float) -> list[Candidate]:
        request, query = self._request, self._query
        # Where there is no vector to compare with, the query's own is not waited for.
        wait_s = request.wait_ms / 1000 if self._coverage["vector"] else 0.0
        deadline = began + max(_GRACE_S, wait_s)
        pending = self._query_vectors.ask(query.text) if "vector" not in request.off else None
        legs = Legs(self._repository, self._view, self._scope, query)
        if pending is not None:
            self._scan = self._query_vectors.then(pending, lambda result: self._scanned(legs, result))
        if "static" not in request.off:
            self._static_query = self._static_queries.embed(query.text, self._repository.static.model)
        depth = _DEPTH
        while True:
            self._find(legs, depth, pending, deadline)
            fused = fuse(self._found, self._weights(), depth, self._stands_in)
            candidates = list(self._candidates(fused, legs.nameless))
            exhausted = all(len(found) < depth for found in self._found.values()) or depth >= _DEEPEST
            if exhausted or len(candidates) >= min(self._limit, depth):
                break
            depth *= 4
        asked = Asked(query.text, query.intent, self._root.prefix + request.near if request.near else "", time.time())
        ranked = merge(rank(asked, candidates, request.off))
        if "diversity" not in request.off:
            ranked = diversify(ranked, request.per_file)
        self._note_states()
        least = request.threshold * max((item.score for item in ranked), default=0.0)
        return [item for item in ranked if item.score >= least] if request.threshold else ranked

    def _weights(self) -> Intent:
        """The intent's; where static vectors do not stand in for the transformer's, these count as far as they go."""
        intent = self._query.intent
        if self._static_query is not None:
            return intent if self._vector_of_query is not None else intent.without_vector()
        return intent.covered(self._coverage["vector"])

    def _stands_in(self, chunk: int) -> bool:
        """Whether a chunk has no vector of the transformer yet, so that its static one counts in its place."""
        if self._overlay is not None and is_unsaved(chunk):
            return self._repository.vector.model not in self._overlay.chunk(chunk)[0].rows
        return not self._repository.vector.has_rows(chunk >> CHUNK_BITS)

    def _find(self, legs: Legs, depth: int, pending: Future[Result] | None, deadline: float) -> None:
        """Ask every leg that is on. The vector leg goes on meanwhile, in another thread."""
        off, repository = self._request.off, self._repository
        found: dict[str, Found] = {leg: [] for leg in self._states}
        if "lexical" not in off:
            found["lexical"] = legs.lexical(depth)
            if self._scan is not None:
                self._fetch(chunk for chunk, _ in found["lexical"][:_LEADING])
        if "path" not in off:
            legs.names(depth)
        if pending is not None:
            if self._vector_of_query is None and self._states["vector"] == "ok":
                self._vector_of_query = self._await(pending, deadline)
            if self._vector_of_query is not None:
                # Once: deeper, it is asked here.
                scan, self._scan = self._scan, None
                vector = self._vector_of_query
                found["vector"] = scan.result() if scan else legs.nearest(repository.vector, vector, depth)
        if self._static_query is not None and self._needs_static():
            found["static"] = legs.nearest(repository.static, self._static_query, depth)
        if "path" not in off:
            found["path"] = legs.path(depth, [found["lexical"], found["vector"] or found["static"]])
        self._found = found

    def _needs_static(self) -> bool:
        """Whether static vectors weigh anything: not where the transformer has read, and answers for, everything."""
        covered = self._vector_of_query is not None and self._coverage["vector"] == 1.0
        return self._query.intent.static > 0 or not covered or self._overlay is not None

    def _note_states(self) -> None:
        states, repository = self._states, self._repository
        if repository.lexical.damaged:
            states["lexical"] = "down"
        elif not repository.lexed.ids:
            states["lexical"] = "empty"
        if self._static_query is None and repository.static.model and self._query_has_words():
            states["static"] = "loading"
        for tier in repository.tiers:
            if states[tier.name] == "ok" and (tier.index is None or not self._view.chunks):
                states[tier.name] = "empty"
            if states[tier.name] == "ok" and self._coverage[tier.name] < 1.0:
                states[tier.name] = "partial" if self._coverage[tier.name] else "empty"
        for leg in states.keys() & set(self._request.off):
            states[leg] = "off"

    def _query_has_words(self) -> bool:
        return bool(words(self._query.text))

    def _scanned(self, legs: Legs, result: Result) -> Found:
        """What the vector leg finds for an embedding; nothing for one of another model."""
        vector = self._vector(result)
        return [] if vector is None else legs.nearest(self._repository.vector, vector, _DEPTH)

    def _vector(self, result: Result) -> Floats | None:
        """A query's unit vector, float32 [dim]; None when it is not of the model that the index is of."""
        if result["fingerprint"] != self._repository.vector.model:
            return None
        return np.frombuffer(result["vector"], "<f4").astype(np.float32)

    def _fetch(self, chunks: Iterable[int]) -> None:
        """Have the contents of some chunks ready, read together."""
        documents = self._repository.documents
        self._repository.blob.fetch(documents[split_id(chunk)[0]].key for chunk in chunks if not is_unsaved(chunk))

    def _await(self, pending: Future[Result], deadline: float) -> Floats | None:
        try:
            result = pending.result(timeout=max(0.0, deadline - time.monotonic()))
        except FutureTimeout:
            warm = self._worker.state == "ready" and self._query_vectors.answered
            state: LegState = "pending" if warm else "loading"
            self._states["vector"] = state if self._coverage["vector"] else "empty"
            return None
        except BaseException:  # noqa: BLE001 - whatever befell the worker, the other legs answer
            self._states["vector"] = "down"
            return None
        vector = self._vector(result)
        if vector is None:
            # Vectors of two models are never compared: this leg waits until the view is embedded anew.
            self._states["vector"] = "empty"
            self.other_model = True
        return vector

    # Without words: every chunk that passes, in the order of the paths

    def _listed(self, deadline: float) -> Iterator[Candidate]:
        allowed = self._scope.documents()
        with self._repository.lock:
            documents = dict(self._view.documents)
        if self._overlay is not None:
            documents |= {path: self._overlay.numbers[path] for path in self._scope.unsaved}
        found = 0
        for path, number in sorted(documents.items()):
            if self._overlay is not None and number >= FIRST:
                blob: Blob | None = self._overlay.file(number).blob
            elif number < len(allowed) and allowed[number]:
                blob = self._repository.content(self._repository.documents[number].key)
            else:
                continue
            if blob is None:
                continue
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
        self._fetch(item.id for item in fused if item.id >= 0)
        for item in fused:
            if item.id < 0:
                path = nameless[~item.id]
                if not about_text and not set(words(path)) & set(query.without):
                    yield Candidate(item.id, path, 1, 1, "file", "", item.score, item.legs)
                continue
            found = self._content(item.id)
            if found is not None:
                path, blob, position = found
                if self._admits(path, blob.chunks[position], blob):
                    yield self._candidate(item, path, blob.chunks[position], blob)

    def _content(self, chunk: int) -> tuple[str, Blob, int] | None:
        """The path, the content and the position that a chunk's id stands for."""
        if self._overlay is not None and is_unsaved(chunk):
            file, position = self._overlay.chunk(chunk)
            return file.path, file.blob, position
        found = self._repository.chunk(chunk)
        return (found[0].path, found[1], found[2]) if found is not None else None

    def _candidate(self, item: Fused, path: str, chunk: Chunk, blob: Blob) -> Candidate:
        commit = self._worktree.history.of(path) if self._request.near else None
        first, last, *_ = chunk
        defines = tuple(
            [s.name for s in blob.symbols if first <= s.start_line <= last and s.kind not in _NO_DEFINITIONS]
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
        found = fresh_hits(
            self._repository, self._worktree, self._root, self._query, ranked, self._limit, self._overlay
        )  # fmt: skip
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


def coverage(repository: Repository, view: View) -> dict[str, float]:
    """The share of a view's chunks that each leg can find, 0 to 1."""
    with repository.lock:
        lexed = view.derived("lexed", len(repository.lexed), lambda: _lexed(repository, view))
        shares = {"lexical": lexed, "path": 1.0}
        return shares | {tier.name: round(repository.coverage(view, tier), 4) for tier in repository.tiers}


def _lexed(repository: Repository, view: View) -> float:
    missing = sum(view.entries[document.path].chunks for document in repository.lexed.missing(view))
    return round(1.0 - missing / view.chunks, 4) if view.chunks else 1.0
