"""The terms there are in the lexical index: what a word typed wrongly may have been, and how one may go on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import tantivy
from rapidfuzz import process
from rapidfuzz.distance import OSA

from auto_context.store.terms import stem

_STEMMED = ("body", "symbol", "path")
_TYPO_LENGTHS = range(5, 30)
_MOST_STRANGERS, _CORRECTIONS, _TERMS_OF_A_LETTER = 3, 3, 20_000
_LIKE_ENOUGH = 0.7
_COMPLETIONS = 12
_SHORT_PREFIX = 2
"""Letters that so many words begin with that they are better taken from the words known by letter."""
_STALE_SHARE = 0.02
"""Of the chunks: when more than these were written, the words known by letter are read again."""


class Vocabulary:
    """Keeps the terms by their first letter, for to list them takes long."""

    def __init__(self) -> None:
        self._terms: dict[str, list[str]] = {}
        self._written = 0

    def wrote(self, chunks: int) -> None:
        """So many chunks more are in the index."""
        self._written += chunks

    def strangers(self, searcher: tantivy.Searcher, tokens: Sequence[str]) -> list[str]:
        """The stems of the first few tokens that no chunk has: typed wrongly, maybe."""
        strangers = []
        for token in tokens:
            if len(token) in _TYPO_LENGTHS and token.isascii() and token.isalpha():
                term = stem(token)
                if not any(searcher.doc_freq(field, term) for field in _STEMMED):
                    strangers.append(term)
        return strangers[:_MOST_STRANGERS]

    def near(self, searcher: tantivy.Searcher, token: str) -> list[tuple[str, float]]:
        """Terms a slip away from a token, with their likeness in 0 to 1: hardly anybody slips at the first letter."""
        found = process.extract(
            token,
            self._of_letter(searcher, token[0]),
            scorer=OSA.normalized_similarity,
            score_cutoff=_LIKE_ENOUGH,
            limit=_CORRECTIONS,
        )
        return [(term, likeness) for term, likeness, _ in found]

    def completions(self, searcher: tantivy.Searcher, prefix: str) -> list[str]:
        """The most frequent terms that begin so."""
        known = self._terms.get(prefix[0])
        if known is None or len(prefix) > _SHORT_PREFIX:
            return [term for term, _ in searcher.terms_with_prefix("body", prefix, limit=_COMPLETIONS)]
        return list(itertools.islice((term for term in known if term.startswith(prefix)), _COMPLETIONS))

    def _of_letter(self, searcher: tantivy.Searcher, letter: str) -> list[str]:
        """The terms with this first letter, the most frequent first."""
        if self._written > searcher.num_docs * _STALE_SHARE:
            self._terms, self._written = {}, 0
        terms = self._terms.get(letter)
        if terms is None:
            found = searcher.terms_with_prefix("body", letter, limit=_TERMS_OF_A_LETTER)
            terms = self._terms[letter] = [term for term, _ in found]
        return terms
