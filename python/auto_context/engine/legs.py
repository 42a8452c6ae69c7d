"""The search legs: each finds chunks of a view in its own way, with scores of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from auto_context.engine.repository import Repository
from auto_context.engine.scope import Scope
from auto_context.engine.tier import Tier
from auto_context.engine.views import View
from auto_context.rank.query import Query
from auto_context.store.lexical import chunk_id
from auto_context.store.records import CHUNK_BITS, chunk_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

Found = list[tuple[int, float]]
"""(chunk id, score), best first."""

_LEADING = 20
"""Of the other legs' chunks, those that may stand for a file found by name."""


class Legs:
    """All legs for one query over one scope."""

    def __init__(self, repository: Repository, view: View, scope: Scope, query: Query) -> None:
        self._repository = repository
        self._view = view
        self._scope = scope
        self._query = query
        self._allowed = scope.documents()
        self._names: tuple[int, list[tuple[str, int | None, float]]] = 0, []
        self.nameless: list[str] = []
        """Files that the path leg found and that have no chunks; theirs are ``~index`` into this."""

    def lexical(self, depth: int) -> Found:
        """By BM25. Asks deeper until enough of them are in scope."""
        query, allowed = self._query, self._allowed
        found: Found = []
        offset, step = 0, depth * 2
        while len(found) < depth:
            rows = self._repository.lexical.search(query.words, query.prefix, step, offset)
            for document, position, score in rows:
                number = self._repository.number_of(document)
                if number is not None and number < len(allowed) and allowed[number]:
                    found.append((chunk_id(number, position), score))
            if len(rows) < step:
                break
            offset, step = offset + step, step * 4
        return found[:depth]

    def names(self, depth: int) -> list[tuple[str, int | None, float]]:
        """The files that ``path`` is about, found once for each depth; see ``Names.match``."""
        if self._names[0] != depth:
            query = self._query
            self._names = depth, self._scope.names().match(query.place[0] if query.place else query.text, depth)
        return self._names[1]

    def path(self, depth: int, others: list[Found]) -> Found:
        """By file name. A file stands at the line that was named, else at the chunk the others like best, else first.

        Args:
            depth: how many.
            others: what the other legs found.
        """
        query = self._query
        best: dict[int, int] = {}
        if query.intent.kind != "path":
            for leg in others:
                for chunk, _ in leg[:_LEADING]:
                    best.setdefault(chunk >> CHUNK_BITS, chunk)
        self.nameless = []
        found: Found = []
        for path, number, score in self.names(depth):
            entry = self._view.entries.get(path)
            if number is None or entry is None or not entry.chunks:
                self.nameless.append(path)
                found.append((~(len(self.nameless) - 1), score))
            elif query.place:
                found.append((self._at_line(number, query.place[1]), score))
            else:
                found.append((best.get(number, chunk_id(number, 0)), score))
        return found

    def _at_line(self, number: int, line: int) -> int:
        """The chunk of a document that holds a line, its last one when it is shorter."""
        blob = self._repository.blob(self._repository.documents[number].key)
        return chunk_id(number, chunk_at(blob.chunks, line))

    def nearest(self, tier: Tier, query: Floats, depth: int) -> Found:
        """By cosine similarity to a unit vector, float32 [dim], among the vectors of a tier."""
        index = tier.index
        if index is None:
            return []
        tier.load(self._view)
        with self._repository.lock:
            key = (id(index), self._scope.key)
            chosen = self._view.derived(f"chosen {tier.name}", key, lambda: index.of_documents(self._allowed))
        found, scores = index.search(query, chosen, depth)
        return [(int(chunk), float(score)) for chunk, score in zip(found, scores, strict=True)]
