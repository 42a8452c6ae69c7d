"""Code-aware words: identifiers whole and in parts.

``RetryPolicy.max_tries`` gives ``retrypolicy retry policy max_tries max tries``: the whole identifier finds the exact
name, the parts find it from prose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_WORD = re.compile(r"\w+")
# An acronym before a capitalised word, a capitalised or lower-case run, a rest in capitals, digits, other scripts.
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_A-Za-z]+")
_LONGEST = 60
_SHORTEST_STEM = 3
_STOP = frozenset(
    "a an and any are as at be by can do does for from get has have how i if in into is it its of on or our "  # noqa: SIM905 - people read it
    "so that the their then there this to us was we were what when where which who why will with you".split()
)


def words(text: str) -> list[str]:
    """Every word of a text and its parts, lower-cased, in order, repeats kept (they are term frequency)."""
    out: list[str] = []
    for match in _WORD.finditer(text):
        word = match.group()
        if len(word) > _LONGEST:
            continue
        whole = word.lower()
        out.append(whole)
        if word.isascii() and (word.islower() or word.isdigit()) and "_" not in word and word.isalpha():
            continue
        parts = _PART.findall(word)
        if len(parts) > 1:
            out.extend(part.lower() for part in parts)
        elif parts and parts[0].lower() != whole:
            out.append(parts[0].lower())
    return out


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
