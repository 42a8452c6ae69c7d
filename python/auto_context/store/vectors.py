"""Exact nearest neighbours over fp16 vectors in memory, limited to a view by a bitmap. Derived, never saved."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import faiss
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]


class VectorIndex:
    """Rows of (chunk id, unit vector). Append-only; thread-safe.

    Args:
        dim: length of the vectors.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._lock = threading.Lock()
        self._index = self._empty()
        self._ids = np.empty(1024, np.int64)
        self._count = 0

    def _empty(self) -> faiss.Index:
        return faiss.IndexScalarQuantizer(self.dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)

    def __len__(self) -> int:
        return self._count

    @property
    def ids(self) -> Ids:
        """The chunk id of every row, int64 [rows]. A view that later additions do not change."""
        return self._ids[: self._count]

    def add(self, ids: Ids, vectors: Floats) -> None:
        """Append rows.

        Args:
            ids: int64 [n].
            vectors: float32 [n, dim], unit length.
        """
        with self._lock:
            need = self._count + len(ids)
            if need > len(self._ids):
                grown = np.empty(max(need, 2 * len(self._ids)), np.int64)
                grown[: self._count] = self.ids
                self._ids = grown
            self._ids[self._count : need] = ids
            self._index.add(np.ascontiguousarray(vectors, np.float32))
            self._count = need

    def search(self, query: Floats, allowed: NDArray[np.bool_], k: int) -> tuple[Ids, Floats]:
        """The best ``k`` rows among the allowed ones.

        Args:
            query: float32 [dim], unit length.
            allowed: bool [rows at most]; rows past its end are not allowed.
            k: how many.

        Returns:
            Chunk ids int64 [<= k] and cosine similarities float32 [<= k], best first.
        """
        bitmap = np.packbits(allowed, bitorder="little")
        with self._lock:
            if not self._count or not len(bitmap):
                return np.empty(0, np.int64), np.empty(0, np.float32)
            # The selector reads past the mask for newer rows unless the bitmap says how long it is.
            selector = faiss.IDSelectorBitmap(len(bitmap), faiss.swig_ptr(bitmap))
            scores, rows = self._index.search(
                np.ascontiguousarray(query.reshape(1, -1), np.float32), k, params=_parameters(selector)
            )
            found = rows[0] >= 0
            return self._ids[rows[0][found]], scores[0][found]

    def similarities(self, query: Floats, ids: Ids) -> dict[int, float]:
        """How similar some chunks are to a query; those without a row are left out.

        Args:
            query: float32 [dim], unit length.
            ids: int64 [n], chunk ids.

        Returns:
            Cosine similarity by chunk id.
        """
        return {chunk: float(vector @ query) for chunk, vector in self.vectors(ids).items()}

    def vectors(self, ids: Ids) -> dict[int, Floats]:
        """The rows of some chunks, float32 [dim] each; those without a row are left out.

        Args:
            ids: int64 [n], chunk ids.
        """
        with self._lock:
            rows = np.flatnonzero(np.isin(self._ids[: self._count], ids))
            return {int(self._ids[row]): np.asarray(self._index.reconstruct(int(row))) for row in rows}


def _parameters(selector: faiss.IDSelector) -> faiss.SearchParameters:
    # faiss adds keyword arguments at import, which its stubs do not know.
    return faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]


def combine(body: Floats, path: Floats, weight: float) -> Floats:
    """Body vectors moved towards the path they stand at: ``norm(body + weight * path)``.

    Args:
        body: float32 [n, dim], unit length.
        path: float32 [dim], unit length.
        weight: how much the path counts.
    """
    mixed = body + np.float32(weight) * path
    norms = np.linalg.norm(mixed, axis=1, keepdims=True)
    out: Floats = mixed / np.maximum(norms, np.float32(1e-12))
    return out
