"""Vectors as bytes: how they are kept on disk, of either tier.

A row is scaled so that its largest element is 127: a quarter of float32 and half of fp16, at a cosine to the exact one
of 0.9999 and more. Only directions are kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LARGEST = 127

Vectors = NDArray[np.float32]
Rows = NDArray[np.int8]


def quantise(vectors: Vectors) -> Rows:
    """Vectors [n, dim] as rows of bytes [n, dim]."""
    largest = np.abs(vectors).max(1, keepdims=True, initial=0.0)
    scaled = vectors * (_LARGEST / np.where(largest > 0, largest, 1.0))
    return np.rint(scaled).astype(np.int8)


def restore(rows: Rows) -> Vectors:
    """The rows of ``quantise`` as float32 [n, dim] of length 1."""
    return unit(rows.astype(np.float32))


def unit(vectors: Vectors) -> Vectors:
    """Vectors [n, dim] of length 1; an empty one stays so."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    scaled: Vectors = vectors * (1 / np.maximum(lengths, np.float32(1e-12)))
    return scaled
