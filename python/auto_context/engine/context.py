"""What one needs to work at a place: the definitions it uses, code like it, tests of it; within a budget of tokens."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from posixpath import basename
from typing import TYPE_CHECKING

import numpy as np

from auto_context import render
from auto_context.engine.place import Place, find_place
from auto_context.engine.repository import Repository
from auto_context.engine.similar import alike_to
from auto_context.engine.symbol_index import NAME, Defined, SymbolIndex, names_in
from auto_context.engine.verify import OnDisk, look
from auto_context.engine.views import Worktree
from auto_context.engine.work import QUERY, Worker
from auto_context.errors import AutoContextError
from auto_context.rank import is_test
from auto_context.rank.tokens import words
from auto_context.source import Root
from auto_context.store.lexical import chunk_id, split_id
from auto_context.store.records import Blob, chunk_at, chunk_lines
from auto_context.types import ContextItem, ContextReply, ContextRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_MOST_NAMES, _MOST_ROWS = 80, 400
_LONGEST = 60
"""Lines of one snippet."""
_SIMILAR, _TESTS = 8, 6
_SIMILAR_WORTH, _TEST_WORTH = 0.5, 0.6
_HERE_SHARE = 0.5
"""Of the budget, what the place itself may take."""
_RELEVANCE = 0.7
"""Against novelty, in maximal marginal relevance."""
_COUNT_S = 5.0
_CHARS_PER_TOKEN = 2.5
"""Of dense code, by the smallest of the usual tokenizers: an estimate must not be too small."""


@dataclass(frozen=True, slots=True)
class _Snippet:
    """One candidate: some lines of a document, and why."""

    number: int
    path: str
    blob: Blob
    lines: tuple[int, int]
    symbol: str
    kind: str
    score: float
    reason: str

    def item(self, prefix: int) -> ContextItem:
        text = "\n".join(
            line.removesuffix("\r") for line in self.blob.text.split("\n")[self.lines[0] - 1 : self.lines[1]]
        )
        return ContextItem(
            self.path[prefix:], *self.lines, self.symbol, self.kind, self.blob.language, round(self.score, 4),
            self.reason, 0, text,
        )  # fmt: skip


class Context:
    """One request against one view."""

    def __init__(
        self, repository: Repository, root: Root, worktree: Worktree, worker: Worker, request: ContextRequest
    ) -> None:
        self._repository = repository
        self._root = root
        self._worktree = worktree
        self._worker = worker
        self._request = request
        self._place: Place = find_place(repository, root, worktree.view, request.path, request.line)
        self._symbols = SymbolIndex(repository, worktree.view, root.prefix, self._place)
        self._looked: dict[str, OnDisk | None] = {}
        self._exact = True

    def run(self) -> ContextReply:
        """The reply. Fewer items when the budget is small: the place itself is always there, cut if it must be."""
        began = time.monotonic()
        here = self._here()
        rest = [*self._collaborators(here), *self._similar(), *self._tests()]
        items = self._chosen(here, rest)
        return ContextReply(
            root=str(self._root.path),
            branch=self._worktree.ref,
            path=self._place.path[len(self._root.prefix) :],
            line=self._request.line,
            budget=self._request.budget,
            tokens=sum(item.tokens for item in items),
            exact=self._exact,
            took_ms=round((time.monotonic() - began) * 1000, 2),
            items=items,
        )

    # The place

    def _here(self) -> _Snippet:
        """The enclosing definition, or its lines nearest to the place when it is long; else the chunk."""
        place = self._place
        symbol, chunk = place.symbol, place.chunk
        first, last = (symbol.start_line, symbol.end_line) if symbol else (chunk.start_line, chunk.end_line)
        line = min(self._request.line, last)
        if last - first >= _LONGEST:
            start = max(first, min(line - _LONGEST // 2, last - _LONGEST + 1))
            first, last = start, start + _LONGEST - 1
        name, kind = (symbol.name, symbol.kind) if symbol else (chunk.symbol, chunk.kind)
        return _Snippet(place.number, place.path, place.blob, (first, last), name, kind, 1.0, "here")

    # What it uses

    def _collaborators(self, here: _Snippet) -> Iterator[_Snippet]:
        """Definitions of the names in the place's lines, the one under the cursor first."""
        lines = self._place.blob.text.split("\n")[here.lines[0] - 1 : here.lines[1]]
        counts = Counter(name for line in lines for name in names_in(line))
        own = here.symbol.rsplit(".", 1)[-1]
        names = [name for name, _ in counts.most_common() if name != own][:_MOST_NAMES]
        under = self._name_under_cursor()
        if under and under not in names and under != own:
            names.insert(0, under)
        for name, found in self._symbols.of(names).items():
            worth = 1.0 + 0.1 * min(counts[name], 5)
            for one in found[: 2 if name == under else 1]:
                yield self._defined(one, worth * one.worth * (2 if name == under else 1), name)

    def _name_under_cursor(self) -> str:
        column = self._request.column
        if column is None:
            return ""
        lines = self._place.blob.text.split("\n")
        line = lines[self._request.line - 1] if self._request.line <= len(lines) else ""
        return next((m["name"] for m in NAME.finditer(line) if m.start("name") < column <= m.end("name") + 1), "")

    def _defined(self, one: Defined, score: float, name: str) -> _Snippet:
        """A definition's lines with the comment above it; of a long one what its first chunk holds."""
        blob, symbol = self._symbols.blob(one.number), one.symbol
        chunk = next(c for c in blob.chunks if c.start_line <= symbol.start_line <= c.end_line)
        first = chunk.start_line if chunk.symbol == symbol.name else symbol.start_line
        whole = symbol.end_line <= chunk.end_line or symbol.end_line - first < _LONGEST
        last = min(symbol.end_line if whole else chunk.end_line, first + _LONGEST - 1)
        path = self._symbols.path(one.number)
        return _Snippet(one.number, path, blob, (first, last), symbol.name, symbol.kind, score, f"defines {name}")

    # What is like it, and what tests it

    def _similar(self) -> Iterator[_Snippet]:
        like = alike_to(self._repository, self._root, self._worktree, self._place, [self._place.position])
        for item in like.candidates[:_SIMILAR]:
            number, _ = split_id(item.id)
            blob = self._symbols.blob(number)
            lines = (item.start_line, item.end_line)
            score = _SIMILAR_WORTH * item.score
            yield _Snippet(number, item.path, blob, lines, item.symbol, item.kind, score, "similar")

    def _tests(self) -> Iterator[_Snippet]:
        """Chunks of test files that say the name of the definition around the place."""
        symbol = self._place.symbol
        names = symbol.name.split(".") if symbol else []
        if not names or is_test(self._place.path):
            return
        stem = basename(self._place.path).split(".", 1)[0].lower()
        given = 0
        for document, position, _ in self._repository.lexical.search(words(names[-1]), "", _MOST_ROWS):
            number = self._repository.number_of(document)
            if number is None or not self._symbols.has(number) or not is_test(self._symbols.path(number)):
                continue
            blob = self._symbols.blob(number)
            chunk = blob.chunks[position]
            text = chunk_lines(blob.text, chunk)
            if not re.search(rf"\b{re.escape(names[-1])}\b", text):
                continue
            named = stem in basename(self._symbols.path(number)).lower()
            owner = len(names) > 1 and re.search(rf"\b{re.escape(names[-2])}\b", text) is not None
            score = _TEST_WORTH * (1.0 + 0.3 * named + 0.3 * owner) - 0.05 * given
            lines = (chunk.start_line, min(chunk.end_line, chunk.start_line + _LONGEST - 1))
            yield _Snippet(
                number, self._symbols.path(number), blob, lines, chunk.symbol, chunk.kind, score, f"tests {names[-1]}"
            )
            given += 1
            if given >= _TESTS:
                return

    # The choice

    def _chosen(self, here: _Snippet, rest: Iterable[_Snippet]) -> list[ContextItem]:
        """Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) until the budget is full."""
        prefix = len(self._root.prefix)
        snippets = sorted(rest, key=lambda one: (-one.score, one.path, one.lines))
        items = [self._fresh(one.item(prefix), one) for one in snippets]
        tokens = self._count([render.snippet(asdict(item)) + "\n" for item in items if item is not None])
        counted = iter(tokens)
        open_: list[tuple[_Snippet, ContextItem]] = [
            (one, replace(item, tokens=next(counted)))
            for one, item in zip(snippets, items, strict=True)
            if item is not None
        ]
        first = self._fit(here, prefix)
        chosen, taken = [first], [here]
        left = self._request.budget - first.tokens
        vectors = self._vectors([here, *snippets])
        while open_:
            best = max(open_, key=lambda pair: (self._marginal(pair[0], taken, vectors), -pair[1].start_line))
            open_.remove(best)
            if best[1].tokens > left or any(_overlap(best[0], other) for other in taken):
                continue
            chosen.append(best[1])
            taken.append(best[0])
            left -= best[1].tokens
        return chosen

    def _fit(self, here: _Snippet, prefix: int) -> ContextItem:
        """The place itself, halved towards its line until it leaves room."""
        while True:
            item = here.item(prefix)
            tokens = self._count([render.snippet(asdict(item)) + "\n"])[0]
            first, last = here.lines
            if tokens <= self._request.budget * _HERE_SHARE or last == first:
                return replace(item, tokens=tokens)
            half = (last - first + 1) // 2
            line = min(max(self._request.line, first), last)
            start = max(first, min(line - half // 2, last - half + 1))
            here = replace(here, lines=(start, start + half - 1))

    def _fresh(self, item: ContextItem, one: _Snippet) -> ContextItem | None:
        """A snippet is shown only as its file is now: one that changed since it was indexed is left out."""
        if one.path not in self._looked:
            self._looked[one.path] = look(self._repository, str(self._root.top), one.path, self._worktree.view)
        now = self._looked[one.path]
        if now is None:
            return None
        same = now.same or "\n".join(now.lines[one.lines[0] - 1 : one.lines[1]]) == item.text
        return item if same else None

    def _vectors(self, snippets: Sequence[_Snippet]) -> dict[tuple[int, int], Floats]:
        index = self._repository.vector.index
        if index is None:
            return {}
        ids = {(one.number, one.lines[0]): _chunk_at(one) for one in snippets}
        known = index.vectors(np.array(sorted(set(ids.values())), np.int64))
        return {place: known[chunk] for place, chunk in ids.items() if chunk in known}

    @staticmethod
    def _marginal(one: _Snippet, taken: Sequence[_Snippet], vectors: dict[tuple[int, int], Floats]) -> float:
        mine = vectors.get((one.number, one.lines[0]))
        others = [vectors.get((other.number, other.lines[0])) for other in taken]
        likeness = max((float(mine @ other) for other in others if mine is not None and other is not None), default=0.0)
        return _RELEVANCE * one.score - (1 - _RELEVANCE) * likeness

    def _count(self, texts: list[str]) -> list[int]:
        """Tokens by the model's tokenizer; estimated while the worker cannot tell."""
        if self._exact and texts:
            try:
                counted: list[int] = self._worker.submit("count", {"texts": texts}, QUERY).result(_COUNT_S)["tokens"]
            except (AutoContextError, TimeoutError):
                self._exact = False
            else:
                return counted
        return [int(len(text) / _CHARS_PER_TOKEN) + 1 for text in texts]


def _chunk_at(one: _Snippet) -> int:
    return chunk_id(one.number, chunk_at(one.blob.chunks, one.lines[0]))


def _overlap(one: _Snippet, other: _Snippet) -> bool:
    return one.path == other.path and one.lines[0] <= other.lines[1] and other.lines[0] <= one.lines[1]
