"""Code-aware words: identifiers whole and in parts.

``RetryPolicy.max_tries`` gives ``retrypolicy retry policy max_tries max tries``: the whole identifier finds the exact
name, the parts find it from prose.
"""

from __future__ import annotations

import re
import string
import sys
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

_WORD = re.compile(r"\w+")
# An acronym before a capitalised word, a capitalised or lower-case run, a rest in capitals, digits, other scripts.
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_A-Za-z]+")
_ASCII_WORDS = bytes(byte if chr(byte) in string.ascii_letters + string.digits + "_" else 32 for byte in range(256))
"""Spaces for what is no word character."""
_LONGEST = 60
_MOST_WORDS = 1 << 16
_SHORTEST_STEM = 3
_STOP = frozenset(
    "a an and any are as at be by can do does for from get has have how i if in into is it its of on or our "  # noqa: SIM905 - people read it
    "so that the their then there this to us was we were what when where which who why will with you".split()
)

_T = TypeVar("_T")


def words(text: str) -> list[str]:
    """Every word of a text and its parts, lower-cased, in order, repeats kept (they are term frequency)."""
    out: list[str] = []
    for word in _split(text):
        out += _TAKEN[word]
    return out


def identifiers(text: str) -> list[str]:
    """The runs of word characters as they stand in a text, in order, repeats kept."""
    return _split(text)


class Lexicon:
    """Words of many texts, each distinct one taken apart once.

    For one thread. It holds at most ``most`` words (of the default number 20 MB), then forgets them all.
    """

    def __init__(self, most: int = _MOST_WORDS) -> None:
        """Remember nothing yet.

        Args:
            most: distinct words to remember.
        """
        self._memo = _Memo(_said, most)

    @property
    def distinct(self) -> int:
        """How many words it remembers."""
        return len(self._memo)

    def joined(self, text: str, limit: int = 0) -> str:
        """The ``words`` of a text with a space between, the first ``limit`` of them when that is given."""
        return self.read(text, limit)[0]

    def read(self, text: str, limit: int = 0) -> tuple[str, list[str]]:
        """``joined`` and ``identifiers``, looking at the text once."""
        memo, found = self._memo, _split(text)
        joined = " ".join([said for word in found if (said := memo[word])])
        return _cut(joined, limit), found


class _Memo(dict[str, _T]):
    """What is made of each word, made when it is first asked for."""

    def __init__(self, make: Callable[[str], _T], most: int) -> None:
        super().__init__()
        self._make, self._most = make, most

    def __missing__(self, word: str) -> _T:
        made = self._make(word)
        if len(word) <= _LONGEST:
            if len(self) >= self._most:
                self.clear()
            self[word] = made
        return made


def _split(text: str) -> list[str]:
    """The runs of word characters. Of ASCII a third of the time that the expression takes."""
    if text.isascii():
        return text.encode().translate(_ASCII_WORDS).decode().split()
    return _WORD.findall(text)


def _taken(word: str) -> tuple[str, ...]:
    """A word and its parts, nothing when it is too long to be one that people write."""
    if len(word) > _LONGEST:
        return ()
    if word.isascii() and word.islower() and word.isalpha():
        return (sys.intern(word),)
    whole = word.lower()
    parts = [sys.intern(part.lower()) for part in _PART.findall(word)]
    return (whole,) if parts == [whole] else (whole, *parts)


def _said(word: str) -> str:
    """A word with its parts in one text."""
    return " ".join(_taken(word))


def _cut(joined: str, limit: int) -> str:
    return " ".join(joined.split(" ", limit)[:limit]) if 0 < limit <= joined.count(" ") else joined


_TAKEN = _Memo(_taken, _MOST_WORDS)


def query_words(text: str, *, every: bool = False) -> list[str]:
    """The distinct words of a query.

    Args:
        text: the query.
        every: keep the words that say nothing in a sentence (in code they do); else they go, unless nothing is left.
    """
    distinct = list(dict.fromkeys(words(text)))
    if every:
        return distinct
    return [word for word in distinct if word not in _STOP] or distinct


def seeds(wanted: Iterable[str]) -> Collection[str]:
    """Pieces of text of which every word that is like a wanted one has one, for looking at a text as it stands."""
    return {word[: _SHORTEST_STEM + 1] for word in wanted}


def likeness(wanted: Iterable[str]) -> Callable[[str], bool]:
    """Whether a word is one of those wanted, or one is the beginning of the other.

    ``auth`` is like ``authentication``, ``sessions`` like ``session``; beginnings of three letters and fewer are not.
    """
    exact = frozenset(wanted)
    long = tuple(word for word in exact if len(word) > _SHORTEST_STEM)
    beginnings = frozenset(word[:end] for word in long for end in range(_SHORTEST_STEM + 1, len(word)))

    def like(word: str) -> bool:
        return word in exact or word in beginnings or (bool(long) and word.startswith(long))

    return like
