"""Nearest neighbours over vectors in memory, all of them compared, limited to a view by a bitmap. Derived, never saved.

A row is kept as bytes: half the memory, time and disk of fp16. What that takes from a cosine, about 0.001, was measured
to change no figure of ``make quality`` by more than that.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import faiss
import numpy as np

from auto_context.store.records import CHUNK_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]
    Mask = NDArray[np.bool_]
    Rows = NDArray[np.float32] | NDArray[np.int8]

_INT8_DEVIATIONS = 8.0
"""What int8 spans to either side, in the deviation that elements of a unit vector of this length have, at most 1. One
scale for all rows, so that their inner products compare; the rare larger element is cut off and turns its row a little.
"""
_BLOCK = 1_024
"""Rows converted at a time, so that adding many makes no float32 copy of all of them."""
_MOST_UNSORTED = 4_096
"""Rows added since the ids were sorted last."""
_OVERFETCH = 2
"""Rows taken for every one asked for when they are scored once more."""


class Selection:
    """What a search may answer with, prepared once for many searches. Made by ``VectorIndex``."""

    def __init__(self, allowed: Mask, *, by_document: bool) -> None:
        self._allowed = allowed
        self._by_document = by_document
        self._bits = np.empty(0, np.uint8)
        self._rows = 0
        self._generation = -1

    def bits(self, ids: Ids, generation: int) -> NDArray[np.uint8]:
        """The bitmap over rows, brought up to date with the index.

        Args:
            ids: int64 [rows], of every row.
            generation: counts how often rows have moved.
        """
        if generation != self._generation:
            if self._generation >= 0 and not self._by_document:
                raise ValueError("rows have moved since they were selected")
            self._bits, self._rows, self._generation = self._bits[:0], 0, generation
            if not self._by_document:
                self._bits = np.packbits(self._allowed, bitorder="little")
        if self._by_document and self._rows < len(ids):
            whole = self._rows // 8
            numbers = ids[whole * 8 :] >> CHUNK_BITS
            allowed = np.zeros(len(numbers), np.bool_)
            inside = numbers < len(self._allowed)
            allowed[inside] = self._allowed[numbers[inside]]
            self._bits = np.concatenate([self._bits[:whole], np.packbits(allowed, bitorder="little")])
            self._rows = len(ids)
        return self._bits


class VectorIndex:
    """Rows of (chunk id, unit vector). Thread-safe; adding keeps rows where they are, only ``compact`` moves them.

    Args:
        dim: length of the vectors.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._lock = threading.Lock()
        code = faiss.ScalarQuantizer.QT_8bit_direct_signed
        self._index = faiss.IndexScalarQuantizer(dim, code, faiss.METRIC_INNER_PRODUCT)
        self._scale = np.float32(127 / min(1.0, _INT8_DEVIATIONS / dim**0.5))
        self._ids = np.empty(1024, np.int64)
        self._count = self._generation = 0
        # Ids in order, and their rows: of the first rows only, the last few are looked through.
        self._sorted_ids, self._sorted_rows = np.empty(0, np.int64), np.empty(0, np.int32)

    def __len__(self) -> int:
        return self._count

    @property
    def ids(self) -> Ids:
        """The chunk id of every row, int64 [rows]. A view that later changes leave as it is."""
        return self._ids[: self._count]

    def add(self, ids: Ids, vectors: Rows) -> None:
        """Append rows.

        Args:
            ids: int64 [n].
            vectors: float32 [n, dim], unit length; or int8 [n, dim], of any length.
        """
        codes = self._packed(vectors)
        with self._lock:
            need = self._count + len(ids)
            if need > len(self._ids):
                grown = np.empty(max(need, 2 * len(self._ids)), np.int64)
                grown[: self._count] = self.ids
                self._ids = grown
            self._ids[self._count : need] = ids
            self._index.add_sa_codes(codes)
            self._count = need

    def reserve(self, rows: int) -> None:
        """Have room for some more rows: else adding them copies all that are there, each time the room doubles."""
        with self._lock:
            codes = self._index.codes
            before = codes.size()
            codes.resize(before + rows * self._index.code_size)
            codes.resize(before)

    def _packed(self, vectors: Rows) -> NDArray[np.uint8]:
        """Rows as faiss keeps them, uint8 [n, bytes of a row]."""
        codes = np.empty(vectors.shape, np.int8)
        for at in range(0, len(vectors), _BLOCK):
            block = vectors[at : at + _BLOCK]
            block = _directions(block)
            scaled = block * self._scale
            codes[at : at + _BLOCK] = np.rint(scaled, out=scaled).clip(-127, 127, out=scaled)
        # A signed byte is kept as itself plus 128.
        return codes.view(np.uint8) ^ np.uint8(0x80)

    def _sort(self) -> None:
        if self._count - len(self._sorted_ids) > _MOST_UNSORTED:
            order = np.argsort(self.ids, kind="stable")
            self._sorted_ids, self._sorted_rows = self.ids[order], order.astype(np.int32)

    def compact(self, keep: Mask) -> int:
        """Drop rows; the memory they took is used by later additions. Selections by row are of no use afterwards.

        Args:
            keep: bool [rows at most]; rows past its end stay.

        Returns:
            How many were dropped.
        """
        with self._lock:
            keep = np.concatenate([keep, np.ones(self._count - len(keep), np.bool_)])
            if keep.all():
                return 0
            dropped = np.packbits(~keep, bitorder="little")
            self._index.remove_ids(faiss.IDSelectorBitmap(len(dropped), faiss.swig_ptr(dropped)))
            before, self._ids = self._count, self.ids[keep]
            self._count = len(self._ids)
            self._generation += 1
            self._sorted_ids, self._sorted_rows = self._sorted_ids[:0], self._sorted_rows[:0]
            return before - self._count

    def selection(self, allowed: Mask) -> Selection:
        """Rows to search among, good until ``compact``.

        Args:
            allowed: bool [rows at most]; rows past its end are not allowed.
        """
        made = Selection(allowed, by_document=False)
        with self._lock:
            made.bits(self.ids, self._generation)
        return made

    def of_documents(self, allowed: Mask) -> Selection:
        """Documents to search among, good for as long as the mask says what is wanted: rows may come and move.

        Args:
            allowed: bool [documents at most], by the number in a chunk's id; those past its end are not allowed.
        """
        return Selection(allowed, by_document=True)

    def search(self, query: Floats, allowed: Selection | Mask, k: int) -> tuple[Ids, Floats]:
        """The best ``k`` rows among the allowed ones.

        Args:
            query: float32 [dim], unit length.
            allowed: a selection, or what ``selection`` takes.
            k: how many.

        Returns:
            Chunk ids int64 [<= k] and cosine similarities float32 [<= k], best first.
        """
        if not isinstance(allowed, Selection):
            allowed = self.selection(allowed)
        with self._lock:
            bits = allowed.bits(self.ids, self._generation)
            if not self._count or not len(bits):
                return np.empty(0, np.int64), np.empty(0, np.float32)
            # One query takes one thread; the others of a team made for it would only wait, and busily. Per thread.
            faiss.omp_set_num_threads(1)
            # The selector reads past the mask for newer rows unless the bitmap says how long it is.
            selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
            # faiss multiplies bytes by bytes: it cuts the query's elements to whole numbers.
            whole = np.rint(query * (127 / max(float(np.abs(query).max()), 1e-12)))
            _, rows = self._index.search(
                np.ascontiguousarray(whole.reshape(1, -1), np.float32), k * _OVERFETCH, params=_parameters(selector)
            )
            found = rows[0][rows[0] >= 0]
            values = self._vectors_at(found) @ query
            best = np.argsort(-values, kind="stable")[:k]
            return self._ids[found[best]], values[best]

    def vectors(self, ids: Ids) -> dict[int, Floats]:
        """The rows of some chunks, float32 [dim] each; those without a row are left out.

        Args:
            ids: int64 [n], chunk ids.
        """
        with self._lock:
            self._sort()
            first = len(self._sorted_ids)
            recent = self._ids[first : self._count]
            rows = first + np.flatnonzero(np.isin(recent, ids))
            if first:
                at = np.searchsorted(self._sorted_ids, ids).clip(max=first - 1)
                rows = np.concatenate([self._sorted_rows[at[self._sorted_ids[at] == ids]], rows])
            return dict(zip(self._ids[rows].tolist(), self._vectors_at(rows), strict=True))

    def _vectors_at(self, rows: Ids) -> Floats:
        found: Floats = self._index.reconstruct_batch(rows)
        return _unit(found)


def _parameters(selector: faiss.IDSelector) -> faiss.SearchParameters:
    # faiss adds keyword arguments at import, which its stubs do not know.
    return faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]


def _directions(rows: Rows) -> Floats:
    """Rows as float32 [n, dim] of unit length: bytes are of any length."""
    return _unit(rows.astype(np.float32)) if rows.dtype == np.int8 else rows.astype(np.float32, copy=False)


def _unit(rows: Floats) -> Floats:
    """Rows made of length 1 in place, float32 [n, dim]; an empty one stays so."""
    faiss.normalize_L2(rows)
    return rows


def combine(body: Rows, path: Rows, weight: float, counts: NDArray[np.int64] | int = 1) -> Floats:
    """Body vectors moved towards the path they stand at: ``norm(body + weight * path)``.

    Args:
        body: [n, dim], float32 of unit length, or int8.
        path: [m, dim], the same.
        weight: how much a path counts.
        counts: int64 [m], how many of the bodies, in order, stand at each path.
    """
    moved = np.repeat(np.float32(weight) * _directions(path), counts, axis=0)
    return _unit(_directions(body) + moved)
