"""The path leg: files whose name is what was typed, nearly typed, or named by its words.

Paths lie one after the other in one array of bytes, so that a query looks at all of them with a few vector operations;
a file that comes or goes changes its own part only.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rapidfuzz import fuzz, process

from auto_context.rank.tokens import query_words, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Scores = NDArray[np.float64]

_FUZZY_CUTOFF = 78.0
_FUZZY_SCALE = 0.55
_NAME_SHARE, _COUNT_SHARE, _ENOUGH = 0.7, 0.2, 4
_FEWEST_DESCRIBED = 2
"""Words of its description that find a file without its name: one alone (``large``) says nothing."""
_SHORTEST_WORD = 3
"""Letters. Shorter words of prose name no file."""
_FOLDERS = 3
"""Ends of folders, when a folder was typed nearly."""
_PLAIN = 60
_MOST_PARTS = 3
"""Of a path typed nearly: the name and two folders tell it apart."""


class FileNames:
    """The names of a set of files, prepared once for many queries. Used by one thread at a time.

    Args:
        paths: relative to the folder searched.
        described: more words for some of them, by their place in ``paths``: for files that nothing else can find.
    """

    def __init__(self, paths: Sequence[str] = (), described: Mapping[int, Sequence[str]] | None = None) -> None:
        self._paths: list[str] = []
        self._lowered: list[str] = []
        self._at: dict[str, int] = {}
        self._described_by: dict[str, set[int]] = defaultdict(set)
        self._named_by: dict[str, array[int]] = defaultdict(lambda: array("q"))
        # The last path of each name, and for every path the one of the same name before it, or -1; so for stems.
        self._by_full_name: dict[str, int] = {}
        self._by_stem: dict[str, int] = {}
        self._same_names, self._same_stems = _Growing(np.int64), _Growing(np.int64)
        self._tails: dict[tuple[int, str], tuple[int, list[str], dict[str, None]]] = {}
        # Of every path: where it, its name and the name's stem begin or end in the bytes; its length; its name's words.
        self._bytes = _Growing(np.uint8)
        self._starts, self._names, self._stems, self._ends = (_Growing(np.int64) for _ in range(4))
        self._lengths, self._word_counts, self._alive = (_Growing(np.int64) for _ in range(3))
        self._extend(paths)
        for at, more in (described or {}).items():
            self._describe(at, more)

    def add(self, path: str, more_words: Iterable[str] = ()) -> int:
        """One more path; one that was discarded comes back at its old place.

        Args:
            path: relative to the folder searched.
            more_words: as in ``described``; a path that is there already gets them besides its own.

        Returns:
            Its index.
        """
        at = self._at.get(path)
        if at is None:
            at = len(self._paths)
            self._extend([path])
        self._alive.used[at] = 1
        self._describe(at, more_words)
        return at

    def discard(self, at: int) -> None:
        """Find a path no longer, by its index; the others keep theirs."""
        self._alive.used[at] = 0
        for described in self._described_by.values():
            described.discard(at)

    def _describe(self, at: int, more_words: Iterable[str]) -> None:
        for word in more_words:
            self._described_by[word].add(at)

    def _extend(self, paths: Sequence[str]) -> None:
        first = len(self._paths)
        lowered = [path.lower() for path in paths]
        names = [path.rpartition("/")[2] for path in lowered]
        stems = [name.rpartition(".")[0] or name for name in names]
        counts, same_names, same_stems = array("q"), array("q"), array("q")
        known: dict[str, Collection[str]] = {}
        for at, (path, name, stem) in enumerate(zip(paths, names, stems, strict=True), first):
            self._at[path] = at
            same_names.append(self._by_full_name.get(name, -1))
            same_stems.append(self._by_stem.get(stem, -1))
            self._by_full_name[name] = self._by_stem[stem] = at
            cased = path.rpartition("/")[2].rsplit(".", 1)[0]
            parts = known.get(cased)
            if parts is None:
                parts = known[cased] = _name_words(cased)
            counts.append(len(parts))
            for part in parts:
                self._named_by[part].append(at)
        data = _encode("\0".join([*lowered, ""]))
        sizes = _sizes(lowered)
        ends = len(self._bytes.used) + np.cumsum(sizes + 1) - 1
        begins = ends - _sizes(names)
        self._paths.extend(paths)
        self._lowered.extend(lowered)
        self._bytes.extend(np.frombuffer(data, np.uint8))
        for column, values in (
            (self._starts, ends - sizes), (self._names, begins), (self._stems, begins + _sizes(stems)),
            (self._ends, ends), (self._word_counts, np.array(counts)), (self._lengths, _lengths(paths)),
            (self._alive, np.ones(len(paths), np.int64)), (self._same_names, np.array(same_names)),
            (self._same_stems, np.array(same_stems)),
        ):  # fmt: skip
            column.extend(values)

    def match(self, query: str, limit: int) -> list[tuple[int, float]]:
        """Score the files against a query.

        Args:
            query: what was typed, maybe with slashes or ``*``.
            limit: how many.

        Returns:
            (index of the path, score in 0 to 1), best first; ties go to the shorter path.
        """
        needle = query.strip().lower().removeprefix("./")
        if not needle or not self._paths:
            return []
        if " " in needle:
            return self._best(*self._by_words(query), limit)
        found, scores = self._by_glob(needle) if "*" in needle else self._by_name(_encode(needle))
        known = self._best(found, scores, limit)
        if len(known) < limit:
            likely = dict(self._by_likeness(needle, limit))
            likely.update(known)
            known = self._best(np.array([*likely], np.int64), np.array([*likely.values()], np.float64), limit)
        return known

    def _best(self, found: Ints, scores: Scores, limit: int) -> list[tuple[int, float]]:
        """The first few by score, length and path, of those that are still there."""
        there = self._alive.used[found] == 1
        found, scores = found[there], scores[there]
        if len(found) > limit > 0:
            worst = np.partition(scores, -limit)[-limit]
            tied = np.flatnonzero(scores == worst)
            lengths = self._lengths.used[found[tied]]
            room = limit - int((scores > worst).sum())
            tied = tied[lengths <= np.partition(lengths, room - 1)[room - 1]]
            chosen = np.concatenate([np.flatnonzero(scores > worst), tied])
            found, scores = found[chosen], scores[chosen]
        pairs = zip(found.tolist(), scores.tolist(), strict=True)
        return sorted(pairs, key=lambda item: (-item[1], len(self._paths[item[0]]), self._paths[item[0]]))[:limit]

    def _by_name(self, needle: bytes) -> tuple[Ints, Scores]:
        """Paths with the needle in them, and how much of them it is."""
        where = self._where(needle)
        found, _ = self._first(where, self._starts.used)
        starts, names, ends = self._starts.used[found], self._names.used[found], self._ends.used[found]
        at = _next(where, names)
        scores = np.where(at < ends, 0.75, 0.6)
        begins = at == names
        scores[begins] = 0.85
        scores[begins & (names + len(needle) == self._stems.used[found])] = 0.95
        if b"/" in needle:
            last = ends - len(needle)
            scores[(_next(where, last) == last) & (self._bytes.used[last - 1] == ord("/"))] = 0.98
            # A path that is the needle is the first of its places, and nothing follows.
            scores[starts + len(needle) == ends] = 1.0
        scores[begins & (names + len(needle) == ends)] = 1.0
        return found, scores

    def _by_glob(self, needle: str) -> tuple[Ints, Scores]:
        """Paths with the parts of the needle in them, one after the other."""
        found, at = np.arange(len(self._paths)), self._starts.used
        for part in filter(None, map(_encode, needle.split("*"))):
            inside, begins = self._first(self._where(part), at, found)
            found, at = found[inside], begins + len(part)
        return found, np.full(len(found), 0.8)

    def _where(self, needle: bytes) -> Ints:
        """Every place of some bytes."""
        data = self._bytes.used
        if len(needle) > len(data):
            return np.empty(0, np.int64)
        here = data[: len(data) - len(needle) + 1] == needle[0]
        if len(needle) > 1:
            here &= data[1 : len(here) + 1] == needle[1]
        places = np.flatnonzero(here)
        for ahead in range(2, len(needle)):
            places = places[data[places + ahead] == needle[ahead]]
        return places

    def _first(self, where: Ints, begin: Ints, paths: Ints | None = None) -> tuple[Ints, Ints]:
        """Which of some paths (all, by default) have one of these places from ``begin`` on, and each one's first."""
        places = _next(where, begin)
        ends = self._ends.used if paths is None else self._ends.used[paths]
        inside = np.flatnonzero(places < ends)
        return inside, places[inside]

    def _by_words(self, query: str) -> tuple[Ints, Scores]:
        """Prose names a file when most of the file's own name is among its words, or what is known of the file."""
        shared, described = np.zeros((2, len(self._paths)), np.int64)
        for word in {*query_words(query), *query.lower().split()}:
            described[[*self._described_by.get(word, ())]] += 1
            if len(word) >= _SHORTEST_WORD:
                forms = {word, word.removesuffix("s")}
                named = [np.array(self._named_by[form], np.int64) for form in forms if form in self._named_by]
                if named:
                    # A file with both forms counts once, as an index that comes twice does.
                    shared[np.concatenate(named)] += 1
        found = np.flatnonzero((shared > 0) | (described >= _FEWEST_DESCRIBED))
        shared, described = shared[found], described[found]
        share = np.minimum(1.0, shared / np.maximum(self._word_counts.used[found], 1))
        return found, _NAME_SHARE * share + _COUNT_SHARE * np.minimum(shared + described, _ENOUGH) / _ENOUGH

    def _by_likeness(self, needle: str, limit: int) -> list[tuple[int, float]]:
        """Letters left out or swapped: rapidfuzz on the name, or when a slash was typed, on the end of the path."""
        likeness: dict[int, float] = {}
        dotted = "." in needle.rpartition("/")[2]
        if "/" in needle:
            parts = needle.strip("/").split("/")[-_MOST_PARTS:]
            end = "/".join(parts)
            if not needle.endswith("/"):
                ends = self._ends_of(len(parts), "name" if dotted else "stem")
                likeness = {at: near for _, near, at in _like(end, ends)}
            for folder, near, _ in _like(end, self._ends_of(len(parts), "folder"))[:_FOLDERS]:
                for at in self._by_name(_encode(folder + "/"))[0].tolist():
                    likeness[at] = max(near, likeness.get(at, 0.0))
        else:
            table = self._by_full_name if dotted else self._by_stem
            same = (self._same_names if dotted else self._same_stems).used
            for name, near, _ in _like(needle, table.keys()):
                at = table[name]
                while at >= 0:
                    likeness[at] = near
                    at = int(same[at])
        alive = self._alive.used
        likely = sorted((-near, at) for at, near in likeness.items() if alive[at])[:limit]
        return [(at, _FUZZY_SCALE * -near / 100) for near, at in likely]

    def _ends_of(self, parts: int, of: str) -> Collection[str]:
        """The last few parts of every path, with the whole ``name`` or its ``stem``; or of every ``folder``, each once.

        Made when it is first asked for, then continued.
        """
        seen, ends, folders = self._tails.get((parts, of), (0, [], {}))
        new = self._lowered[seen:]
        self._tails[parts, of] = (len(self._lowered), ends, folders)
        if of == "folder":
            distinct = dict.fromkeys(path.rpartition("/")[0] for path in new)
            folders.update(dict.fromkeys(_end(folder, parts) for folder in distinct))
            return folders.keys()
        ends.extend(_end(_without_suffix(path) if of == "stem" else path, parts) for path in new)
        return ends


class _Growing:
    """A one-dimensional array that grows at its end."""

    def __init__(self, dtype: type[np.generic]) -> None:
        self._data: NDArray[Any] = np.empty(0, dtype)
        self.used: NDArray[Any] = self._data
        """What was put in: a view, to be asked for anew after growing."""

    def extend(self, values: NDArray[Any]) -> None:
        need = len(self.used) + len(values)
        if need > len(self._data):
            grown = np.empty(max(need, len(self._data) * 3 // 2), self._data.dtype)
            grown[: len(self.used)] = self.used
            self._data = grown
        self._data[len(self.used) : need] = values
        self.used = self._data[:need]


def _next(where: Ints, begin: Ints) -> Ints:
    """The first of some places, in order, from each beginning on; one past every path when there is none."""
    if len(where) < len(begin) // 8:
        # Few places: between two of them all beginnings have the same answer.
        counts = np.diff(np.searchsorted(begin, where, "right"), prepend=0)
        after = np.repeat(where, counts)
        return np.concatenate([after, np.full(len(begin) - len(after), _NOWHERE)])
    at = np.searchsorted(where, begin)
    return np.append(where, _NOWHERE)[at]


_NOWHERE = np.iinfo(np.int64).max


def _like(needle: str, choices: Collection[str]) -> list[tuple[str, float, int]]:
    """(choice, likeness in 0 to 100, place) of those that are like it, best first."""
    found: list[tuple[str, float, int]] = process.extract(
        needle, choices, scorer=fuzz.ratio, limit=None, score_cutoff=_FUZZY_CUTOFF
    )
    return found


def _end(path: str, parts: int) -> str:
    return "/".join(path.rsplit("/", parts)[-parts:])


def _without_suffix(path: str) -> str:
    name = path.rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    return path[: len(path) - len(name) + len(stem)]


def _lengths(texts: Sequence[str]) -> Ints:
    return np.fromiter(map(len, texts), np.int64, len(texts))


def _sizes(texts: Sequence[str]) -> Ints:
    """How many bytes each takes."""
    sizes = _lengths(texts)
    for at, text in enumerate(texts):
        if not text.isascii():
            sizes[at] = len(_encode(text))
    return sizes


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _name_words(stem: str) -> Collection[str]:
    """The words of a name, each once."""
    pieces = {*stem.split("_")} - {""}
    if "".join(pieces).isalpha() and stem.islower() and stem.isascii() and len(stem) < _PLAIN:
        return pieces  # what ``words`` would find, sooner
    parts = set(words(stem))
    # The whole of a compound name is not one more word that prose would have to say.
    return tuple(part for part in parts if "_" not in part) or tuple(parts)
