"""The service's worker processes: readers for files, as many as there are cores, and one embedder that has the model.

A grammar that crashes takes a reader with it and no query; a model that is being loaded holds up no save.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from auto_context.engine.work import BULK, Result, WorkerState
from auto_context.service import memory
from auto_context.service.supervisor import WorkerProcess

_READING = frozenset(
    {
        "ping",
        "info",
        "scan",
        "probe",
        "left_out",
        "history",
        "hash",
        "chunk",
        "cut",
        "admitted",
        "derive",
        "grammars",
        "screen",
    }
)
"""Operations that need no transformer."""
_MOST_READERS = 4
_CALLS_PER_READER = 3
_MOST_READER_BYTES = 250_000_000
"""A reader that takes more ends between two operations: grammars never give memory back."""


class Workers:
    """Implements ``engine.work.Worker`` with child processes, each started on need. Thread-safe.

    Args:
        config_dir: where they read the user's settings.
        cache_dir: where they keep facts about models.
        clock: seconds that only go forward; tests pass their own.
        readers: how many; by the machine's cores when None.
    """

    def __init__(
        self,
        config_dir: Path,
        cache_dir: Path,
        clock: Callable[[], float] = time.monotonic,
        readers: int | None = None,
    ) -> None:
        count = readers or max(1, min(_MOST_READERS, os.cpu_count() or 1))
        self.embedder = WorkerProcess(config_dir, cache_dir, clock)
        # They share the cores among themselves: threads of native code below them would only get in the way.
        single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        self.readers = [WorkerProcess(config_dir, cache_dir, clock, single) for _ in range(count)]

    def submit(self, op: str, params: dict[str, Any], priority: int = BULK) -> Future[Result]:
        """See ``engine.work.Worker``."""
        if op not in _READING:
            return self.embedder.submit(op, params, priority)
        if op == "scan":
            # Files will be read next: the others start up meanwhile.
            self.warm()
        return self._reader().submit(op, params, priority)

    def warm(self) -> None:
        """Start the readers, which takes a third of a second, before the first file is to be read."""
        for reader in self.readers:
            if reader.pid is None:
                reader.submit("info", {}, BULK)

    def _reader(self) -> WorkerProcess:
        """The reader with the least to do, none that is down or leaves if it can be; of idle ones one that runs."""
        return min(self.readers, key=lambda one: (one.state == "down", one.leaving, one.busy, one.pid is None))

    def depth(self, op: str) -> int:
        """See ``engine.work.Worker``."""
        return _CALLS_PER_READER * len(self.readers) if op in _READING else 2

    @property
    def state(self) -> WorkerState:
        """The embedder's: the readers answer whenever it does."""
        return self.embedder.state

    @property
    def pids(self) -> list[int]:
        """Of those that run, the embedder first."""
        return [one.pid for one in (self.embedder, *self.readers) if one.pid is not None]

    def look_after(self) -> None:
        """End what is idle and kill what hangs. Call now and then."""
        for one in (self.embedder, *self.readers):
            one.look_after()
        self._renew()

    def _renew(self) -> None:
        """Have one reader that grew leave, when no other does: those that stay take its work."""
        if not any(one.leaving for one in self.readers):
            for one in self.readers:
                if one.pid is not None and memory.taken([one.pid]) > _MOST_READER_BYTES:
                    one.leave()
                    return

    def relieve(self, *, embedder: bool) -> None:
        """End the readers that are idle, and the embedder if it is."""
        for one in [*self.readers, *([self.embedder] if embedder else [])]:
            one.rest()

    def close(self) -> None:
        """End them all; pending futures fail."""
        for one in (self.embedder, *self.readers):
            one.close()
