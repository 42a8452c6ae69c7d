"""Which documents the lexical index holds: noted in the sidecar, so that a kill at any instant loses no words.

A document is noted as on its way before it goes in, and as there once it is. What a kill left in between is doubtful:
it may be there already, and is put in again.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING

import numpy as np

from auto_context.engine.tier import Document, Marks
from auto_context.store.lexical import LexicalChunk, LexicalIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from auto_context.engine.views import View
    from auto_context.store.sidecar import Sidecar

_LEAST_PATIENCE_S = 0.01


class Lexed:
    """The documents with words in the index, and the one thread that puts them in. Thread-safe.

    Args:
        index: the lexical index.
        sidecar: where the notes are.
        lock: the repository's.
        documents: the repository's, by number.
    """

    def __init__(
        self, index: LexicalIndex, sidecar: Sidecar, lock: threading.RLock, documents: Sequence[Document]
    ) -> None:
        self._index = index
        self._sidecar = sidecar
        self._lock = lock
        self._documents = documents
        self._thread = ThreadPoolExecutor(1, "auto-context-words")
        # Older stores have one row for each document, with nothing in it.
        self.ids = {document for key, ids in sidecar.scan(b"x") for document in _ids(ids or key[1:])}
        """Stable ids of the documents that are in the index."""
        self._known = Marks()
        """Documents in memory that are known to be among them."""
        self._doubtful = {document for _, ids in sidecar.scan(b"t") for document in _ids(ids)}
        if index.rebuilt:
            self._requeue()

    def __len__(self) -> int:
        return len(self.ids)

    def close(self) -> None:
        """End the thread; what it has begun is finished."""
        self._thread.shutdown()

    def missing(self, view: View, paths: Iterable[str] | None = None) -> list[Document]:
        """Documents of a view, or of some of its paths, that the index lacks."""
        with self._lock:
            if paths is not None:
                wanted = [view.documents[path] for path in paths if path in view.documents]
            else:
                mask = view.mask()
                wanted = np.flatnonzero(mask & ~self._known.up_to(len(mask))).tolist()
            self._known.set([number for number in wanted if self._documents[number].id in self.ids])
            return [self._documents[number] for number in wanted if self._documents[number].id not in self.ids]

    def add(self, words: Sequence[tuple[Document, str, list[tuple[str, str, str]]]]) -> Future[None]:
        """Put documents into the index, then note that they are there, one call after the other in a thread.

        Args:
            words: document, words of its path, and (body, symbol, names) of every chunk.
        """
        return self._thread.submit(self._add, words)

    def _add(self, words: Sequence[tuple[Document, str, list[tuple[str, str, str]]]]) -> None:
        fresh = [item for item in words if item[0].id not in self.ids]
        if not fresh:
            return
        ids = _packed([document.id for document, _, _ in fresh])
        self._sidecar.set(b"t" + ids[:8], ids)
        self._index.add(
            ((document.id, path, [LexicalChunk(*chunk) for chunk in chunks]) for document, path, chunks in fresh),
            self._doubtful,
        )
        with self._sidecar.transaction():
            self._sidecar.set(b"x" + ids[:8], ids)
            self._sidecar.delete(b"t" + ids[:8])
        with self._lock:
            self.ids.update(document.id for document, _, _ in fresh)
            self._doubtful -= {document.id for document, _, _ in fresh}

    def settled(self, patience_s: float) -> bool:
        """Wait for a commit of words that a cancelled update left behind. Whether it came to its end."""
        try:
            self._thread.submit(int).result(patience_s or _LEAST_PATIENCE_S)
        except FutureTimeout:
            return False
        return True

    def mend(self) -> None:
        """Begin the index again when it was found damaged; the update that calls this fills it."""
        if self._index.damaged:
            self._thread.submit(self._begin_again).result()

    def _begin_again(self) -> None:
        self._index.reset()
        self._requeue()

    def _requeue(self) -> None:
        """The index is empty: everything it held waits for it again."""
        with self._sidecar.transaction():
            for key in self._sidecar.keys(b"x"):
                self._sidecar.delete(key)
            self._sidecar.meta["lexical"] = self._index.generation
            self._sidecar.save_meta()
        with self._lock:
            self._forget(set(self.ids))

    # What falls out of use (engine.garbage decides). Call with the repository to oneself: ``Repository.alone``.

    def renew(self, view: View) -> bool:
        """Where words of removed documents are left beside those of others, have the others indexed anew.

        Those of the view stay found until ``Reading.derive`` replaces them, the others wait for their view to be
        updated.

        Returns:
            Whether there are any of the view.
        """
        beside = self._index.beside_removed()
        with self._lock:
            mine = {self._documents[number].id for number in view.documents.values()} & beside
        if beside - mine:
            self.remove(beside - mine)
        # No longer noted as there, but as maybe there: they are found all the same, and derived again.
        if mine:
            ids = _packed(mine)
            with self._sidecar.transaction():
                self._take_notes(mine)
                self._sidecar.set(b"t" + ids[:8], ids)
            with self._lock:
                self._forget(mine)
                self._doubtful |= mine
        return bool(mine)

    @property
    def strays(self) -> set[int]:
        """Documents that a crash may have left in the index."""
        with self._lock:
            return self._doubtful - self.ids

    def remove(self, documents: Collection[int]) -> None:
        """Take documents and strays out of the index. A note makes a crash between no loss."""
        gone = set(documents) | self.strays
        ids = _packed(gone)
        with self._lock:
            self._forget(gone)
            self._doubtful |= gone
        with self._sidecar.transaction():
            self._sidecar.set(b"t" + ids[:8], ids)
            self._take_notes(gone)
        self._index.remove(gone)
        # Nobody is on the way into the index now: every note is of something that is settled.
        self._sidecar.delete_many(self._sidecar.keys(b"t"))
        with self._lock:
            self._doubtful.clear()

    def drop(self, gone: NDArray[np.bool_]) -> None:
        """The numbers of some documents, bool [documents], will be given to others."""
        self._known.unset(gone)

    def _forget(self, documents: Collection[int]) -> None:
        self.ids.difference_update(documents)
        self._known = Marks()

    def _take_notes(self, gone: Collection[int]) -> None:
        """Documents are no longer noted as being in the index."""
        for key, packed in list(self._sidecar.scan(b"x")):
            mine = list(_ids(packed or key[1:]))
            left = _packed([document for document in mine if document not in gone])
            if len(left) < 8 * len(mine):
                self._sidecar.delete(key)
                if left:
                    self._sidecar.set(b"x" + left[:8], left)


def _packed(documents: Iterable[int]) -> bytes:
    """Documents' ids, eight bytes each."""
    return b"".join(document.to_bytes(8, "big") for document in documents)


def _ids(packed: bytes) -> Iterator[int]:
    """The reverse."""
    return (int.from_bytes(packed[at : at + 8], "big") for at in range(0, len(packed), 8))
