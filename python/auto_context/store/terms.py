"""From text to the terms of the lexical index, and how many of each a chunk has."""

from __future__ import annotations

import threading
from collections import Counter
from typing import NamedTuple

import tantivy

_ANALYZE = threading.local()
"""An analyzer of its own for every thread."""


class Counted(NamedTuple):
    """How often each term stands in the fields of a chunk that is not in the index."""

    terms: dict[str, Counter[str]]
    """By field."""
    lengths: dict[str, int]


def whole() -> tantivy.TextAnalyzerBuilder:
    """Names as they are, but for case."""
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(tantivy.Filter.lowercase())


def stemmed() -> tantivy.TextAnalyzerBuilder:
    """Words by their stem."""
    return whole().filter(tantivy.Filter.stemmer("English"))


def stems(text: str) -> list[str]:
    """The terms of some tokens in a stemmed field."""
    if not hasattr(_ANALYZE, "stemmer"):
        _ANALYZE.stemmer = stemmed().build()
    found: list[str] = _ANALYZE.stemmer.analyze(text)
    return found


def stem(token: str) -> str:
    """A token as the stemmed fields have it."""
    return "".join(stems(token))


def counted(path: str, body: str, symbol: str, names: str) -> Counted:
    """Count the terms of a chunk, given as ``LexicalIndex.add`` takes them."""
    terms = {"body": Counter(stems(body)), "symbol": Counter(stems(symbol)), "path": Counter(stems(path))}
    terms["names"] = Counter(names.split())
    return Counted(terms, {field: sum(found.values()) for field, found in terms.items()})
