"""The contents that searches looked at last, unpacked."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from auto_context.errors import AutoContextError
from auto_context.source import redact
from auto_context.store.records import Blob, unpack_blob

if TYPE_CHECKING:
    from auto_context.store.sidecar import Sidecar

_KEPT = 2_048


class Blobs:
    """Reads contents of a store, several at once where several are wanted, and keeps the last ones. Thread-safe."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, Blob] = OrderedDict()
        self.redacting = False
        """Whether contents may hold secrets that nobody is to see."""
        self.hits = self.misses = 0
        """Contents that were there when somebody wanted them, and those that were not."""

    def __call__(self, key: bytes) -> Blob:
        """One content.

        Raises:
            AutoContextError: ``store_damaged`` when the store lacks it.
        """
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        known = self.fetch([key]).get(key)
        if known is None:
            raise AutoContextError("store_damaged", f"content {key.hex()} is missing from the index")
        return known

    def fetch(self, keys: Iterable[bytes]) -> dict[bytes, Blob]:
        """Have some contents ready, read together. Returns those that were not."""
        read: dict[bytes, Blob] = {}
        with self._lock:
            distinct = dict.fromkeys(keys)
            wanted = [b"b" + key for key in distinct if key not in self._known]
            self.hits += len(distinct) - len(wanted)
            self.misses += len(wanted)
        for key, data in self._sidecar.get_many(wanted).items():
            blob = read[key[1:]] = unpack_blob(data)
            if self.redacting:
                blob.text = redact(blob.text)[0]
        with self._lock:
            self._known.update(read)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return read

    def __len__(self) -> int:
        return len(self._known)

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._known.clear()
