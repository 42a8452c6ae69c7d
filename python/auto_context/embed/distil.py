"""Distils a static model from a transformer, once per model and machine.

After model2vec (Minish Lab, https://github.com/MinishLab/model2vec): every entry of the vocabulary goes through the
model alone, ``[CLS] token [SEP]``; the vectors are reduced by PCA and weighted by how frequent the token is, so that
the sum over a text needs no weights of its own. Frequencies come from Zipf's law over the rank order of the
vocabulary, the weight of SIF (Arora et al. 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings"):
a / (a + p). A WordPiece vocabulary is in order of frequency, a byte-pair one in order of merging, which is near it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from safetensors.numpy import save_file

from auto_context.embed.model import ModelSpec, file_hash
from auto_context.embed.static import (
    CONFIG_FILE,
    DISTIL_VERSION,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    Vectors,
    distilled_folder,
    load_tokenizer,
    ready,
    silent_tokens,
)
from auto_context.errors import AutoContextError
from auto_context.paths import cannot_write, require_writable

if TYPE_CHECKING:
    from auto_context.embed.encoder import Encoder

DIM = 256
"""At 192 and below rankings get worse, at 384 no better."""
SIF = 1e-4
WHITENING = 0.5
"""Between PCA as it is, 0, where few directions outweigh the others, and all alike, 1."""
MOST_TOKENS = 50_000
"""Of a larger vocabulary (a multilingual one of 250,000) the most frequent; the others have no vector."""

_STEP = 42
"""Entries per step: 126 tokens, few enough for the encoder to run them on one thread. Two wait for each other at every
layer: no faster by half, and ten times slower while other programs want the same cores."""
_BLOCK = 1024
_WAIT_S = 0.02
_NO_VARIANCE = 1e-7
"""Of the largest."""
_UNUSED = re.compile(r"\[unused\d+\]")

Progress = Callable[[float], None]
Result = TypeVar("Result")


def distil_steps(encoder: Encoder, cache_dir: Path, progress: Progress | None = None) -> Generator[None, None, Path]:
    """Make the static model of ``encoder``'s transformer, yielding between steps of about 40 ms at most.

    Args:
        encoder: the transformer, loaded.
        cache_dir: gets ``static/<name>/``, written beside it and renamed: whoever is first wins.
        progress: told now and then the share done, 0 to 1.

    Returns:
        The folder. One that is there and whole already is left as it is.

    Raises:
        AutoContextError: ``model_invalid`` when its tokeniser has nothing to distil; ``storage_failed``,
            ``unsafe_directory`` or ``disk_full`` when the folder cannot be written.
    """
    spec = encoder.spec
    found = ready(spec, cache_dir)
    if found is not None:
        return found
    require_writable(distilled_folder(spec, cache_dir))
    ids, before, after = vocabulary(spec.folder / TOKENIZER_FILE)
    if not ids:
        raise AutoContextError("model_invalid", f"{spec.folder}/{TOKENIZER_FILE} has no tokens")
    vectors = np.zeros((len(ids), spec.dim), np.float32)
    for at in range(0, len(ids), _STEP):
        part = ids[at : at + _STEP]
        vectors[at : at + len(part)] = yield from encoder.encode_ids_steps([[*before, i, *after] for i in part])
        if progress is not None:
            progress((at + len(part)) / len(ids))
    reduced = yield from pca_steps(vectors, DIM)
    reduced *= zipf_weights(len(ids))[:, None]
    folder = yield from _aside(_write, reduced, ids, spec, cache_dir)
    return folder


def vocabulary(tokenizer_file: Path) -> tuple[list[int], list[int], list[int]]:
    """The tokens that get a vector, most frequent first, and the marks that the model puts before and after a text."""
    tokenizer = load_tokenizer(tokenizer_file)
    silent = silent_tokens(tokenizer)
    names = {at: token for token, at in tokenizer.get_vocab(with_added_tokens=False).items()}
    ids = [at for at in sorted(names) if at not in silent and not _UNUSED.fullmatch(names[at])]
    around = tokenizer.encode("a")
    inside = [at for at, mark in enumerate(around.special_tokens_mask) if not mark] or [0]
    return ids[:MOST_TOKENS], around.ids[: inside[0]], around.ids[inside[-1] + 1 :]


def zipf_weights(count: int) -> Vectors:
    """The SIF weight of each rank, the most frequent first: float32 [count], rising to 1."""
    inverse = 1 / np.arange(2, count + 2)
    weights: Vectors = (SIF / (SIF + inverse / inverse.sum())).astype(np.float32)
    return weights


def pca_steps(vectors: Vectors, dim: int) -> Generator[None, None, Vectors]:
    """Centre [n, width] and keep its directions of most variance, largest first, each divided by ``std ** WHITENING``.

    Returns:
        float32 [n, dim], or narrower: directions without variance are left out.
    """
    mean = vectors.mean(0, dtype=np.float64)
    covariance = np.zeros((vectors.shape[1], vectors.shape[1]))
    for at in range(0, len(vectors), _BLOCK):
        block = vectors[at : at + _BLOCK] - mean
        covariance += block.T @ block
        yield
    variances, directions = yield from _aside(np.linalg.eigh, covariance / len(vectors))
    variances, directions = variances[::-1][:dim], directions[:, ::-1][:, :dim]
    real = variances > variances[0] * _NO_VARIANCE
    scaled = directions[:, real] / variances[real] ** (WHITENING / 2)
    reduced = np.zeros((len(vectors), scaled.shape[1]), np.float32)
    for at in range(0, len(vectors), _BLOCK):
        reduced[at : at + _BLOCK] = (vectors[at : at + _BLOCK] - mean) @ scaled
        yield
    return reduced


def _aside(function: Callable[..., Result], *arguments: Any) -> Generator[None, None, Result]:
    """Call what cannot be cut into steps on a thread, and yield while it runs: with busy cores it can take seconds."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(function, *arguments)
        while not wait([future], _WAIT_S).done:
            yield
        return future.result()


def _write(vectors: Vectors, ids: list[int], spec: ModelSpec, cache_dir: Path) -> Path:
    folder = distilled_folder(spec, cache_dir)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        try:
            mapping = np.full(max(ids) + 1, 0, np.int64)  # row 0 is of zeros: model2vec knows no other way to say none
            mapping[ids] = np.arange(1, len(ids) + 1)
            rows = np.zeros((len(ids) + 1, vectors.shape[1]), np.float32)
            rows[1:] = vectors
            save_file({"embeddings": rows, "mapping": mapping}, temporary / WEIGHTS_FILE)
            shutil.copyfile(spec.folder / TOKENIZER_FILE, temporary / TOKENIZER_FILE)
            hashes = {name: file_hash(temporary / name, None) for name in (WEIGHTS_FILE, TOKENIZER_FILE)}
            said = {
                "model_type": "model2vec",
                "architectures": ["StaticModel"],
                "tokenizer_name": spec.name,
                "normalize": True,
                "hidden_dim": int(vectors.shape[1]),
                "whitening": WHITENING,
                "sif_coefficient": SIF,
                "distil_version": DISTIL_VERSION,
                "sha256": hashes,
            }
            (temporary / CONFIG_FILE).write_text(json.dumps(said, indent=1) + "\n", "utf-8")
            _put(temporary, folder, spec, cache_dir)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder


def _put(temporary: Path, folder: Path, spec: ModelSpec, cache_dir: Path) -> None:
    """Rename into place; a folder already there stays when it is whole, else it goes."""
    try:
        os.rename(temporary, folder)
    except OSError:
        if ready(spec, cache_dir) is not None:
            return
        away = Path(tempfile.mkdtemp(prefix=".old-", dir=folder.parent))
        if folder.exists():
            os.rename(folder, away / "old")
        os.rename(temporary, folder)
        shutil.rmtree(away, ignore_errors=True)
