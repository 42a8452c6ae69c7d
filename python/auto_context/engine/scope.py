"""Which files a search may answer with: the folder asked for and the filters of the request and of the query."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pathspec

from auto_context.engine.history import History
from auto_context.engine.names import Names
from auto_context.engine.overlay import Overlay
from auto_context.engine.repository import Repository
from auto_context.engine.views import View
from auto_context.errors import AutoContextError, nearest
from auto_context.language import LANGUAGES
from auto_context.rank import is_test
from auto_context.rank.query import Query
from auto_context.source import Root, language_of
from auto_context.types import SearchRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]


class Scope:
    """The documents and names of a view that pass.

    Raises:
        AutoContextError: ``bad_request`` when the request names a language that there is not. In a query a language may
            still be being typed: there it only finds nothing.
    """

    def __init__(
        self,
        repository: Repository,
        root: Root,
        view: View,
        history: History,
        request: SearchRequest,
        query: Query,
        overlay: Overlay | None = None,
    ) -> None:
        self._repository = repository
        self._root = root
        self._view = view
        self._history = history
        self._request = request
        self._query = query
        self.overlay = overlay
        self.unsaved: set[str] = set()
        """Paths of the unsaved buffers that pass."""
        if request.language and not any(_speaks(language, request.language) for language in LANGUAGES):
            near = nearest(request.language.lower(), LANGUAGES)
            hint = f"did you mean {near!r}?" if near else "give a name such as python, or an extension such as py"
            raise AutoContextError("bad_request", f"language: none is called {request.language!r}", hint)
        self._only = None if request.paths is None else frozenset(request.paths)
        tests = "" if request.tests == "with" else request.tests
        self.key = (
            root.prefix, request.path, request.language, query.paths, query.languages, query.since, tests,
            (self._only,) if self._only is not None else (), history.head,
        )  # fmt: skip
        """What passes depends on this, besides the view."""
        if overlay is not None:
            self.unsaved = {path for path, file in overlay.files.items() if self._passes(path, file.blob.language)}

    def documents(self) -> Mask:
        """Which documents pass, bool [documents]. Those with an unsaved buffer do not: it stands in their place."""
        with self._repository.lock:
            if not any(self.key[:-1]):
                mask = self._view.mask()
            else:
                mask = self._view.derived("allowed", self.key, self._narrowed)
            if self.overlay is not None:
                replaced = [self._view.documents.get(path, len(mask)) for path in self.overlay.files]
                mask = mask.copy()
                mask[[number for number in replaced if number < len(mask)]] = False
            return mask

    def _narrowed(self) -> Mask:
        narrowed = np.zeros_like(self._view.mask())
        numbers = [number for path, number in self._view.documents.items() if self.has(path)]
        narrowed[np.array(numbers, np.int64)] = True
        return narrowed

    def has(self, path: str) -> bool:
        """Whether a path of the view passes."""
        return self._passes(path, self._view.entries[path].language)

    def _passes(self, path: str, language: str) -> bool:
        prefix, query = self._root.prefix, self._query
        if prefix and not path.startswith(prefix):
            return False
        relative = path[len(prefix) :]
        if not self._asked_for(relative) or not all(_matches(pattern, relative) for pattern in query.paths):
            return False
        if self._request.language and not _speaks(language, self._request.language):
            return False
        if query.languages and not any(_speaks(language, asked) for asked in query.languages):
            return False
        return query.since is None or self._changed(path) >= query.since

    def _asked_for(self, relative: str) -> bool:
        """Whether the request's own filters let a path through, but for its language."""
        request = self._request
        if self._only is not None and relative not in self._only:
            return False
        if request.tests != "with" and is_test(relative) != (request.tests == "only"):
            return False
        return not request.path or _glob(request.path).match_file(relative)

    def _changed(self, path: str) -> float:
        """When a path changed: as git says, else as the file does."""
        if path not in self._view.entries or (self.overlay is not None and path in self.overlay.files):
            return time.time()
        commit = self._history.of(path)
        # A time that is not kept is one that was too fresh to be trusted.
        return commit.time if commit is not None else self._view.entries[path].mtime_ns / 1e9 or time.time()

    def names(self) -> Names:
        """The names that pass."""
        view = self._view
        with self._repository.lock:
            if any(self.key[:-1]):
                return view.derived("names", self.key, lambda: self._names(filter(self.has, view.entries)))
            if view.names is None:
                view.names = self._names(view.entries)
                view.described_at = self._history.head
            elif view.described_at != self._history.head:
                # What describes files without content speaks of their last commit.
                view.touched.update(path for path, entry in view.entries.items() if not entry.key)
                view.described_at = self._history.head
            if view.touched:
                view.names.follow(view.touched, self._changed)
            view.touched.clear()
            return view.names

    def _names(self, paths: Iterable[str]) -> Names:
        return Names(self._view, self._root.prefix, paths, self._changed)


def _speaks(language: str, asked: str) -> bool:
    """``lang:python``, ``lang:py``, or the beginning of a name while it is typed."""
    asked = asked.lower()
    known = language_of(f"x.{asked}") or asked
    return language == known or (known == asked and bool(language) and language.startswith(asked))


def _matches(pattern: str, path: str) -> bool:
    """``path:``: a glob when it has a star, else any part of the path."""
    if "*" in pattern or "?" in pattern:
        return _glob(pattern).match_file(path)
    return pattern.lower() in path.lower()


@lru_cache(maxsize=64)
def _glob(pattern: str) -> pathspec.PathSpec[Any]:
    try:
        return pathspec.PathSpec.from_lines("gitignore", [pattern])
    except ValueError as error:
        raise AutoContextError("bad_request", f"path: not a pattern: {pattern!r}") from error
