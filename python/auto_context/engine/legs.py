"""The search legs: each finds chunks of a view in its own way, with scores of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from auto_context.engine.overlay import FIRST, merged
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
        scope = self._scope
        if scope.overlay is not None:
            more = scope.overlay.lexical(self._repository.lexical, query.words, query.prefix, scope.unsaved)
            return merged(found, more, depth)
        return found[:depth]

    def names(self, depth: int) -> list[tuple[str, int | None, float]]:
        """The files that ``path`` is about, found once for each depth; see ``Names.match``."""
        if self._names[0] != depth:
            query = self._query
            text = query.place[0] if query.place else query.text
            found = self._scope.names().match(text, depth)
            overlay = self._scope.overlay
            if overlay is not None:
                found = [item for item in found if item[0] not in overlay.files]
                found += [
                    (path, overlay.numbers[path], score)
                    for path, score in overlay.named(text, self._scope.unsaved, depth)
                ]
                found = sorted(found, key=lambda item: -item[2])[:depth]
            self._names = depth, found
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
            if number is None or not self._chunks(path, number):
                self.nameless.append(path)
                found.append((~(len(self.nameless) - 1), score))
            elif query.place:
                found.append((self._at_line(number, query.place[1]), score))
            else:
                found.append((best.get(number, chunk_id(number, 0)), score))
        return found

    def _chunks(self, path: str, number: int) -> int:
        """How many chunks a file has."""
        if self._scope.overlay is not None and number >= FIRST:
            return len(self._scope.overlay.file(number).counts)
        entry = self._view.entries.get(path)
        return entry.chunks if entry is not None else 0

    def _at_line(self, number: int, line: int) -> int:
        """The chunk of a document that holds a line, its last one when it is shorter."""
        if self._scope.overlay is not None and number >= FIRST:
            return chunk_id(number, chunk_at(self._scope.overlay.file(number).blob.chunks, line))
        blob = self._repository.blob(self._repository.documents[number].key)
        return chunk_id(number, chunk_at(blob.chunks, line))

    def nearest(self, tier: Tier, query: Floats, depth: int) -> Found:
        """By cosine similarity to a unit vector, float32 [dim], among the vectors of a tier."""
        index = tier.index
        if index is None:
            return []
        tier.load(self._view)
        overlay = self._scope.overlay
        with self._repository.lock:
            if overlay is not None:
                # What is derived from a view is kept once: two editors would make it anew for each other.
                chosen = index.of_documents(self._allowed)
            else:
                key = (id(index), self._scope.key)
                chosen = self._view.derived(f"chosen {tier.name}", key, lambda: index.of_documents(self._allowed))
        found, scores = index.search(query, chosen, depth)
        rows = [(int(chunk), float(score)) for chunk, score in zip(found, scores, strict=True)]
        return merged(rows, overlay.nearest(tier.model, query, self._scope.unsaved), depth) if overlay else rows
