"""The names of a view's files, kept for the path leg while files come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from auto_context.engine.views import View
from auto_context.rank.files import FileNames

_SIZES = ((1, "empty"), (10_000, "small"), (1_000_000, "medium"), (10_000_000, "large"))
_FOLDERS = 3


class Names:
    """Thread-safe; the view's own changes are brought in by ``follow``, with the repository's lock held.

    Args:
        view: whose.
        prefix: of the folder searched; only paths below it are given.
        paths: those that pass.
        changed: when a path changed, in seconds since the epoch.
    """

    def __init__(self, view: View, prefix: str, paths: Iterable[str], changed: Callable[[str], float]) -> None:
        self._view = view
        self._skip = len(prefix)
        self._changed = changed
        self._lock = threading.Lock()
        self._paths = list(paths)
        self._at = {path: at for at, path in enumerate(self._paths)}
        described = {at: self._words(path) for at, path in enumerate(self._paths) if path not in view.documents}
        self._names = FileNames([path[self._skip :] for path in self._paths], described)

    def follow(self, paths: Iterable[str], changed: Callable[[str], float]) -> None:
        """Bring in paths that came, went or became others.

        Args:
            paths: relative to the top.
            changed: as for the class.
        """
        with self._lock:
            self._changed = changed
            for path in paths:
                if path not in self._view.entries:
                    if path in self._at:
                        self._names.discard(self._at[path])
                    continue
                words = () if path in self._view.documents else self._words(path)
                at = self._names.add(path[self._skip :], words)
                if at == len(self._paths):
                    self._paths.append(path)
                    self._at[path] = at

    def match(self, text: str, limit: int) -> list[tuple[str, int | None, float]]:
        """The best files for a query: path, number of its document (None: a file without content), score in 0 to 1."""
        with self._lock:
            found = [(self._paths[at], score) for at, score in self._names.match(text, limit)]
        return [(path, self._view.documents.get(path), score) for path, score in found if path in self._view.entries]

    def _words(self, path: str) -> list[str]:
        """Words for a file that only its record can find: extension, folders, size class and month of change."""
        *folders, name = path.lower().split("/")
        bytes_ = self._view.entries[path].size
        size = next((word for limit, word in _SIZES if bytes_ < limit), "huge")
        changed = time.localtime(self._changed(path))
        month = [time.strftime("%B", changed).lower(), time.strftime("%Y", changed), time.strftime("%Y-%m", changed)]
        return [name.rpartition(".")[2], *folders[-_FOLDERS:], size, *month]
