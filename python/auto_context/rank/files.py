"""The path leg: files whose name is what was typed, nearly typed, or named by its words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from posixpath import basename

from rapidfuzz import fuzz, process

from auto_context.rank.tokens import query_words

_FUZZY_CUTOFF = 78.0
_FUZZY_SCALE = 0.55
_LONG_QUERY = 6


def match_files(query: str, paths: Sequence[str], limit: int) -> list[tuple[int, float]]:
    """Score paths against a query.

    Args:
        query: what was typed, maybe with slashes.
        paths: candidates, relative to the folder searched.
        limit: how many.

    Returns:
        (index into ``paths``, score in 0 to 1), best first; ties go to the shorter path.
    """
    needle = query.strip().lower().removeprefix("./")
    if not needle or not paths:
        return []
    lowered = [path.lower() for path in paths]
    scores: dict[int, float] = {}
    if " " in needle:
        _by_words(query, lowered, scores)
    else:
        _by_name(needle, lowered, scores)
        if len(scores) < limit:
            _by_likeness(needle, lowered, scores, limit)
    ranked = sorted(scores.items(), key=lambda item: (-item[1], len(paths[item[0]]), paths[item[0]]))
    return ranked[:limit]


def _by_name(needle: str, lowered: Sequence[str], scores: dict[int, float]) -> None:
    if "*" in needle:
        pattern = re.compile(".*".join(re.escape(part) for part in needle.split("*")))
        scores.update((at, 0.8) for at, path in enumerate(lowered) if pattern.search(path))
        return
    for at, path in enumerate(lowered):
        if needle in path:
            scores[at] = _name_score(needle, path)


def _name_score(needle: str, path: str) -> float:
    """How much of a path the needle is, given that it is in there somewhere."""
    name = basename(path)
    if needle in {name, path}:
        return 1.0
    if path.endswith("/" + needle):
        return 0.98
    if name.rsplit(".", 1)[0] == needle:
        return 0.95
    if name.startswith(needle):
        return 0.85
    return 0.75 if needle in name else 0.6


def _by_words(query: str, lowered: Sequence[str], scores: dict[int, float]) -> None:
    """Prose names a file when most of the file's own name is among its words."""
    wanted = set(query_words(query))
    if len(wanted) > _LONG_QUERY:
        wanted = {word for word in wanted if len(word) > 2}  # noqa: PLR2004 - one and two letters name nothing
    for at, path in enumerate(lowered):
        stem = basename(path).rsplit(".", 1)[0]
        named = [part for part in re.split(r"[\W_]+", stem) if part]
        shared = sum(part in wanted or part.rstrip("s") in wanted for part in named)
        if shared:
            scores[at] = 0.7 * shared / len(named) + 0.1 * min(shared, 3) / 3


def _by_likeness(needle: str, lowered: Sequence[str], scores: dict[int, float], limit: int) -> None:
    """Letters left out or swapped: rapidfuzz on the name, or on the whole path when a slash was typed."""
    slash = "/" in needle
    candidates = lowered if slash else [basename(path) for path in lowered]
    scorer = fuzz.partial_ratio if slash else fuzz.ratio
    if not slash and "." not in needle:
        candidates = [name.rsplit(".", 1)[0] for name in candidates]
    found = process.extract(needle, candidates, scorer=scorer, limit=limit, score_cutoff=_FUZZY_CUTOFF)
    for _, likeness, at in found:
        scores.setdefault(at, _FUZZY_SCALE * likeness / 100)
