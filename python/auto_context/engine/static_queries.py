"""The static vector of a query, made in this process: one look-up for each word, no worker to wait for."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from auto_context.config import Settings
from auto_context.errors import AutoContextError
from auto_context.rank.tokens import identifiers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from auto_context.embed.static import StaticModel

    Floats = NDArray[np.float32]

_LOOK_AGAIN_S = 2.0


class StaticQueries:
    """Holds the static model once it is there. Thread-safe.

    Args:
        settings: name the models.
        cache_dir: where the distilled one is.
    """

    def __init__(self, settings: Settings, cache_dir: Path) -> None:
        self._settings = settings
        self._cache_dir = cache_dir
        self._lock = threading.Lock()
        self._model: StaticModel | None = None
        self._looked_at = float("-inf")

    def embed(self, query: str, fingerprint: str) -> Floats | None:
        """The unit vector of a query, float32 [dim], by the model of a fingerprint.

        None while that model is not there, and for a query of which it knows no word.
        """
        with self._lock:
            model = self._load(fingerprint)
            if model is None:
                return None
            vector: Floats = model.pool([identifiers(query)])[0]
            return vector if vector.any() else None

    def load(self) -> None:
        """Load the model now, if it is there."""
        with self._lock:
            self._load("")

    def _load(self, fingerprint: str) -> StaticModel | None:
        known, now = self._model, time.monotonic()
        if (known is None or known.fingerprint != fingerprint) and now - self._looked_at >= _LOOK_AGAIN_S:
            self._looked_at = now
            self._model = known = self._find()
        return known if known is not None and known.fingerprint == fingerprint else None

    def _find(self) -> StaticModel | None:
        # Not for a service that never searches.
        from auto_context.embed.model import configured_spec  # noqa: PLC0415
        from auto_context.embed.static import StaticModel, locate_static  # noqa: PLC0415

        try:
            spec = configured_spec(self._settings, self._cache_dir)
            folder = locate_static(self._settings, spec, self._cache_dir)
            return StaticModel.load(folder) if folder is not None else None
        except AutoContextError:
            return None  # the update says what is wrong; the other legs answer
