"""The symbol index: where the names that some code uses are defined, the likeliest place first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from posixpath import basename, dirname
from typing import NamedTuple

from auto_context.engine.place import Place
from auto_context.engine.repository import Repository
from auto_context.engine.views import View
from auto_context.rank import demotion
from auto_context.store.records import Blob
from auto_context.types import Symbol

NAME = re.compile(r"(?P<used>[.@:>])?\b(?P<name>[^\W\d]\w{2,})(?P<after>[(.\[!]|::|->)?")
_MOST_ROWS = 400
_AMBIGUOUS = 6
"""A name with more equally likely definitions than this (``get``, ``run``) points at none of them."""
_NO_STEMS = frozenset({"", "__init__", "index", "mod", "init", "lib"})
_SAME_FILE, _IMPORTED, _BESIDE, _OTHER_LANGUAGE = 1.2, 1.5, 1.1, 0.5


class Defined(NamedTuple):
    """One definition of a name, and how likely it is the one that is meant."""

    number: int
    """Of the document."""
    symbol: Symbol
    worth: float


class SymbolIndex:
    """Definitions in a view, as seen from a place.

    Args:
        repository: where they are.
        view: only its files.
        prefix: only paths below it.
        place: a definition around it is none that it uses.
    """

    def __init__(self, repository: Repository, view: View, prefix: str, place: Place) -> None:
        self._repository = repository
        self._view = view
        self._prefix = prefix
        self._place = place

    def of(self, names: Sequence[str]) -> dict[str, list[Defined]]:
        """The definitions of each name, best first; names that could be anything are left out. Case counts."""
        found: dict[str, list[Defined]] = {}
        for name, places in self._places(names).items():
            ranked = sorted(
                (Defined(number, symbol, self._nearness(number)) for number, symbol in places),
                key=lambda one: (-one.worth, self.path(one.number), one.symbol.start_line),
            )
            ties = sum(one.worth == ranked[0].worth for one in ranked)
            if ties <= _AMBIGUOUS:
                found[name] = [one._replace(worth=one.worth / ties**0.5) for one in ranked]
        return found

    def _places(self, names: Sequence[str]) -> dict[str, list[tuple[int, Symbol]]]:
        found: dict[str, list[tuple[int, Symbol]]] = defaultdict(list)
        wanted = set(names)
        seen: set[tuple[int, int]] = set()
        for document, position, _ in self._repository.lexical.defining(names, _MOST_ROWS) if names else ():
            number = self._repository.number_of(document)
            if number is None or not self.has(number):
                continue
            blob = self.blob(number)
            for symbol in _beginning_in(blob, position):
                name = symbol.name.rsplit(".", 1)[-1]
                if name in wanted and (number, symbol.start_line) not in seen and not self._around(number, symbol):
                    seen.add((number, symbol.start_line))
                    found[name].append((number, symbol))
        return found

    def _around(self, number: int, symbol: Symbol) -> bool:
        """Whether a definition is one the place lies in: it is shown already."""
        line = self._place.line or 1
        return number == self._place.number and symbol.start_line <= line <= symbol.end_line

    def has(self, number: int) -> bool:
        """Whether a document is in the view, below the prefix."""
        path = self.path(number)
        return self._view.documents.get(path) == number and path.startswith(self._prefix)

    def path(self, number: int) -> str:
        """A document's path."""
        return self._repository.documents[number].path

    def blob(self, number: int) -> Blob:
        """A document's content."""
        return self._repository.blob(self._repository.documents[number].key)

    def _nearness(self, number: int) -> float:
        """How likely a file is to be the one that is meant: itself, imported, beside it; tests and copies least."""
        path, mine = self.path(number), self._place.path
        factor = demotion(path) if demotion(mine) == 1.0 else 1.0
        if path == mine:
            return factor * _SAME_FILE
        stems = {basename(path).split(".", 1)[0], basename(dirname(path))} - _NO_STEMS
        if any(stems & set(re.split(r"\W+", name)) for name in self._place.blob.imports):
            factor *= _IMPORTED
        if dirname(path) == dirname(mine):
            factor *= _BESIDE
        return factor * (1.0 if self.blob(number).language == self._place.blob.language else _OTHER_LANGUAGE)


def _beginning_in(blob: Blob, position: int) -> Iterator[Symbol]:
    """The definitions that begin in a chunk."""
    if position < len(blob.chunks):
        chunk = blob.chunks[position]
        yield from (symbol for symbol in blob.symbols if chunk.start_line <= symbol.start_line <= chunk.end_line)


def names_in(line: str) -> Iterator[str]:
    """Names that a line uses. A plain word counts where it is used as code: called, indexed, or a member of something.

    Words of comments are plain words too; names with capitals or underscores are names wherever they stand.
    """
    for found in NAME.finditer(line):
        name = found["name"]
        if not name.islower() or "_" in name.strip("_") or found["used"] or found["after"]:
            yield name
