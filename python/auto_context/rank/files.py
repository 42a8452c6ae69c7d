"""The path leg: files whose name is what was typed, nearly typed, or named by its words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from posixpath import basename

from rapidfuzz import fuzz, process

from auto_context.rank.tokens import query_words, words

_FUZZY_CUTOFF = 78.0
_FUZZY_SCALE = 0.55
_NAME_SHARE, _COUNT_SHARE, _ENOUGH = 0.7, 0.2, 4
_FEWEST_DESCRIBED = 2
"""Words of its description that find a file without its name: one alone (``large``) says nothing."""
_SHORTEST_WORD = 3
"""Letters. Shorter words of prose name no file."""


class FileNames:
    """The names of a set of files, prepared once for many queries.

    Args:
        paths: relative to the folder searched.
        described: more words for some of them, by their place in ``paths``: for files that nothing else can find.
    """

    def __init__(self, paths: Sequence[str], described: Mapping[int, Sequence[str]] | None = None) -> None:
        self._paths = paths
        self._described_by: dict[str, set[int]] = defaultdict(set)
        for at, more in (described or {}).items():
            for word in more:
                self._described_by[word].add(at)
        self._lowered = [path.lower() for path in paths]
        self._names = [basename(path) for path in self._lowered]
        self._stems = [name.rsplit(".", 1)[0] or name for name in self._names]
        self._named_by: dict[str, list[int]] = defaultdict(list)
        self._word_counts: list[int] = []
        for at, path in enumerate(paths):
            parts = set(words(basename(path).rsplit(".", 1)[0]))
            # The whole of a compound name is not one more word that prose would have to say.
            parts = {part for part in parts if "_" not in part} or parts
            self._word_counts.append(len(parts))
            for part in parts:
                self._named_by[part].append(at)

    def match(self, query: str, limit: int) -> list[tuple[int, float]]:
        """Score the files against a query.

        Args:
            query: what was typed, maybe with slashes or ``*``.
            limit: how many.

        Returns:
            (index into the paths, score in 0 to 1), best first; ties go to the shorter path.
        """
        needle = query.strip().lower().removeprefix("./")
        if not needle:
            return []
        if " " in needle:
            scores = self._by_words(query)
        else:
            scores = self._by_name(needle)
            if len(scores) < limit:
                for at, score in self._by_likeness(needle, limit):
                    scores.setdefault(at, score)
        ranked = sorted(scores.items(), key=lambda item: (-item[1], len(self._paths[item[0]]), self._paths[item[0]]))
        return ranked[:limit]

    def _by_name(self, needle: str) -> dict[int, float]:
        if "*" in needle:
            pattern = re.compile(".*".join(re.escape(part) for part in needle.split("*")))
            return {at: 0.8 for at, path in enumerate(self._lowered) if pattern.search(path)}
        return {at: self._name_score(needle, at) for at, path in enumerate(self._lowered) if needle in path}

    def _name_score(self, needle: str, at: int) -> float:
        """How much of a path the needle is, given that it is in there somewhere."""
        path, name = self._lowered[at], self._names[at]
        if needle in {name, path}:
            return 1.0
        if path.endswith("/" + needle):
            return 0.98
        if self._stems[at] == needle:
            return 0.95
        if name.startswith(needle):
            return 0.85
        return 0.75 if needle in name else 0.6

    def _by_words(self, query: str) -> dict[int, float]:
        """Prose names a file when most of the file's own name is among its words, or what is known of the file."""
        shared: dict[int, int] = defaultdict(int)
        described: dict[int, int] = defaultdict(int)
        for word in {*query_words(query), *query.lower().split()}:
            for at in self._described_by.get(word, ()):
                described[at] += 1
            if len(word) >= _SHORTEST_WORD:
                forms = {word, word.removesuffix("s")}
                for at in {at for form in forms for at in self._named_by.get(form, ())}:
                    shared[at] += 1
        return {
            at: _NAME_SHARE * min(1.0, shared[at] / self._word_counts[at])
            + _COUNT_SHARE * min(shared[at] + described[at], _ENOUGH) / _ENOUGH
            for at in shared.keys() | {at for at, count in described.items() if count >= _FEWEST_DESCRIBED}
        }

    def _by_likeness(self, needle: str, limit: int) -> list[tuple[int, float]]:
        """Letters left out or swapped: rapidfuzz on the name, or on the whole path when a slash was typed."""
        if "/" in needle:
            candidates, scorer = self._lowered, fuzz.partial_ratio
        else:
            candidates, scorer = (self._names if "." in needle else self._stems), fuzz.ratio
        found = process.extract(needle, candidates, scorer=scorer, limit=limit, score_cutoff=_FUZZY_CUTOFF)
        return [(at, _FUZZY_SCALE * likeness / 100) for _, likeness, at in found]
