"""A hit is checked against the file as it is on disk when the reply is made."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from auto_context.engine.overlay import Overlay, is_unsaved
from auto_context.engine.repository import Repository
from auto_context.engine.views import View, Worktree
from auto_context.rank import Candidate
from auto_context.rank.focus import focus_lines
from auto_context.rank.query import Query
from auto_context.source import Content, Root, read
from auto_context.store.lexical import split_id
from auto_context.types import Hit

_LARGEST = 4 << 20
"""Bytes. A file that grew past this is not read for a reply."""
_TELLING = re.compile(r"\w{3}")
"""A line with this can be told from others."""


class OnDisk(NamedTuple):
    """A file now: whether its stat is the indexed one, and its lines when it is not."""

    same: bool
    lines: list[str]


def fresh_hits(
    repository: Repository,
    worktree: Worktree,
    root: Root,
    query: Query,
    ranked: Iterable[Candidate],
    limit: int,
    overlay: Overlay | None = None,
) -> Iterator[tuple[Candidate, Hit]]:
    """The hits of the first candidates whose files are still there, relative to the root, with their last commits."""
    checked: dict[str, Any] = {}
    given = 0
    for item in ranked:
        if given >= limit:
            return
        if overlay is not None and is_unsaved(item.id):
            hit: Hit | None = _of_buffer(overlay, query, item)
        else:
            hit = verify(repository, worktree.view, str(root.top), query, item, checked)
        if hit is not None:
            given += 1
            commit = worktree.history.of(item.path)
            last = {"time": commit.time, "subject": commit.subject} if commit else None
            yield item, replace(hit, path=hit.path[len(root.prefix) :], last_commit=last)


def _of_buffer(overlay: Overlay, query: Query, item: Candidate) -> Hit:
    """The hit of a buffer's chunk: it stands where it says."""
    blob = overlay.chunk(item.id)[0].blob
    lines = [line.removesuffix("\r") for line in blob.text.split("\n")[item.start_line - 1 : item.end_line]]
    return replace(_shown(item, query, item.start_line, lines, blob.language, fresh=True), unsaved=True)


def verify(
    repository: Repository, view: View, top: str, query: Query, item: Candidate, checked: dict[str, Any]
) -> Hit | None:
    """Make the hit of a candidate, or None when its file is gone.

    A chunk whose file changed is looked for in the file as it is: moved, it is shown where it is now; changed, it is
    shown where most of it is now, marked as not fresh, and never names a line the file does not have.

    Args:
        repository: where the content is.
        view: the view searched.
        top: the worktree's folder; the candidate's path is relative to it.
        query: chooses the focus lines.
        item: the candidate.
        checked: files seen in this reply already, by path.
    """
    if item.path not in checked:
        checked[item.path] = look(repository, top, item.path, view)
    now: OnDisk | None = checked[item.path]
    entry = view.entries.get(item.path)
    if now is None or entry is None:
        return None
    if item.id < 0:
        # It is there, and nothing is said of what is in it.
        return _hit(item, (1, 1), (1, 1), "", fresh=True, text="")
    blob = repository.content(repository.documents[split_id(item.id)[0]].key)
    if blob is None:
        return None
    indexed = [line.removesuffix("\r") for line in blob.text.split("\n")[item.start_line - 1 : item.end_line]]
    start, lines, fresh = item.start_line, indexed, True
    if not now.same:
        found = _find(now.lines, indexed, item.start_line)
        fresh = found is not None
        if found is None:
            start, end = _where(now.lines, indexed, item.start_line, item.symbol)
            lines = now.lines[start - 1 : end] or [""]
        else:
            start = found
    return _shown(item, query, start, lines, entry.language, fresh=fresh)


def _shown(item: Candidate, query: Query, start: int, lines: list[str], language: str, *, fresh: bool) -> Hit:
    """The hit of a candidate whose lines stand at ``start``, with the lines to show first."""
    line = query.place[1] - start if query.place else -1
    first, final = focus_lines(query.words, lines, item.symbol, line)
    return _hit(
        item,
        (start, start + len(lines) - 1),
        (start + first, start + final),
        language,
        fresh=fresh,
        text="\n".join(lines),
    )


def _hit(
    item: Candidate, lines: tuple[int, int], focus: tuple[int, int], language: str, *, fresh: bool, text: str
) -> Hit:
    return Hit(
        path=item.path,
        start_line=lines[0],
        end_line=lines[1],
        focus=focus,
        symbol=item.symbol,
        kind=item.kind,
        language=language,
        score=round(item.score, 4),
        legs=list(item.legs),
        fresh=fresh,
        text=text,
    )


def look(repository: Repository, top: str, path: str, view: View) -> OnDisk | None:
    """A file of a view as it is on disk; None when it is gone or no file any more. Read only when its stat differs.

    Without its secrets, as the index has it: what is compared with it differs in nothing else.
    """
    full, entry = os.path.join(top, path), view.entries.get(path)
    try:
        info = os.lstat(full)
        if not stat.S_ISREG(info.st_mode) or entry is None:
            return None
        if entry.is_as(info.st_size, info.st_mtime_ns, info.st_ino):
            return OnDisk(same=True, lines=[])
    except OSError:
        return None
    if not entry.key:
        return OnDisk(same=False, lines=[])
    content = read(Path(top), path, _LARGEST, repository.secrets)
    if not isinstance(content, Content):
        return None
    return OnDisk(same=False, lines=[line.removesuffix("\r") for line in content.text.removesuffix("\n").split("\n")])


def _find(lines: list[str], wanted: list[str], near: int) -> int | None:
    """Where a run of lines stands now, 1-based, the place nearest to where it was."""
    size = len(wanted)
    places = [at + 1 for at, line in enumerate(lines) if line == wanted[0] and lines[at : at + size] == wanted]
    return min(places, key=lambda place: abs(place - near)) if places else None


def _where(lines: list[str], wanted: list[str], near: int, symbol: str) -> tuple[int, int]:
    """Where what is left of a changed run of lines stands now: first and last line, 1-based, both in the file.

    Lines that are there once before and after, as in Cohen's patience diff, say how far it moved, the longer the more;
    where none is left the one line with the symbol's name does, and else it is where it was.

    Args:
        lines: of the file now.
        wanted: the run.
        near: its first line when it was indexed.
        symbol: what the run defines.
    """
    size, last = len(wanted), max(1, len(lines))
    once, now = _once(wanted), _once(lines)
    anchors = [(at, now[line]) for line, at in once.items() if line in now]
    if not anchors:
        name = symbol.rsplit(".", 1)[-1]
        named = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        before, after = ([at for at, line in enumerate(run) if named.search(line)] for run in (wanted, lines))
        anchors = [(before[0], after[0])] if name and before and len(after) == 1 else [(0, near - 1)]
    weights: Counter[int] = Counter()
    for at, place in anchors:
        weights[place - at] += len(wanted[at].strip())
    moved = max(weights, key=lambda by: (weights[by], -abs(by + 1 - near)))
    # Lines were put in or taken out within it; one that is far off went elsewhere.
    close = sorted((at, place) for at, place in anchors if abs(place - at - moved) <= size // 2)
    start = min(max(1, close[0][1] - close[0][0] + 1), last)
    return start, min(max(start, close[-1][1] + size - close[-1][0]), last)


def _once(lines: list[str]) -> dict[str, int]:
    """The lines that are there once, by what they say, with their places; not those of brackets alone."""
    counts = Counter(lines)
    return {line: at for at, line in enumerate(lines) if counts[line] == 1 and _TELLING.search(line)}
