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
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    ready,
)
from auto_context.errors import AutoContextError

if TYPE_CHECKING:
    from auto_context.embed.encoder import Encoder

DIM = 256
SIF = 1e-4
MOST_TOKENS = 50_000
"""Of a larger vocabulary (a multilingual one of 250,000) the most frequent; the others have no vector."""

_SLICE = 1024
"""Tokens between two reports of progress."""
_BLOCK = 2048
_UNUSED = re.compile(r"\[unused\d+\]")

Progress = Callable[[float], None]


def distil_steps(encoder: Encoder, cache_dir: Path, progress: Progress | None = None) -> Generator[None, None, Path]:
    """Make the static model of ``encoder``'s transformer, yielding between steps of about 40 ms at most.

    Args:
        encoder: the transformer, loaded.
        cache_dir: gets ``static/<name>/``, written beside it and renamed: whoever is first wins.
        progress: told now and then the share done, 0 to 1.

    Returns:
        The folder. One that is there and whole already is left as it is.

    Raises:
        AutoContextError: ``model_invalid`` when its tokeniser has nothing to distil, or the folder cannot be written.
    """
    spec = encoder.spec
    found = ready(spec, cache_dir)
    if found is not None:
        return found
    tokenizer = json.loads((spec.folder / TOKENIZER_FILE).read_text("utf-8"))
    ids, before, after = vocabulary(spec.folder / TOKENIZER_FILE)
    if not ids:
        raise AutoContextError("model_invalid", f"{spec.folder}/{TOKENIZER_FILE} has no tokens")
    vectors = np.zeros((len(ids), spec.dim), np.float32)
    for at in range(0, len(ids), _SLICE):
        part = ids[at : at + _SLICE]
        vectors[at : at + len(part)] = yield from encoder.encode_ids_steps([[*before, i, *after] for i in part])
        if progress is not None:
            progress((at + len(part)) / len(ids))
    reduced = yield from pca_steps(vectors, DIM)
    reduced *= zipf_weights(len(ids))[:, None]
    yield
    return _write(reduced, ids, tokenizer, spec, cache_dir)


def vocabulary(tokenizer_file: Path) -> tuple[list[int], list[int], list[int]]:
    """The tokens that get a vector, most frequent first, and the marks that the model puts before and after a text."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - native code

    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    special = {at for at, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    unknown = json.loads(tokenizer.to_str())["model"].get("unk_token")
    names = {at: token for token, at in tokenizer.get_vocab(with_added_tokens=False).items()}
    ids = [
        at for at in sorted(names) if at not in special and names[at] != unknown and not _UNUSED.fullmatch(names[at])
    ]
    around = tokenizer.encode("a")
    inside = [at for at, mark in enumerate(around.special_tokens_mask) if not mark] or [0]
    return ids[:MOST_TOKENS], around.ids[: inside[0]], around.ids[inside[-1] + 1 :]


def zipf_weights(count: int) -> Vectors:
    """The SIF weight of each rank, the most frequent first: float32 [count], rising to 1."""
    inverse = 1 / np.arange(2, count + 2)
    weights: Vectors = (SIF / (SIF + inverse / inverse.sum())).astype(np.float32)
    return weights


def pca_steps(vectors: Vectors, dim: int) -> Generator[None, None, Vectors]:
    """Centre [n, width] and keep its ``dim`` directions of most variance, largest first; signs are fixed."""
    mean = vectors.mean(0, dtype=np.float64)
    width = vectors.shape[1]
    covariance = np.zeros((width, width))
    for at in range(0, len(vectors), _BLOCK):
        block = vectors[at : at + _BLOCK] - mean
        covariance += block.T @ block
        yield
    directions = np.linalg.eigh(covariance)[1][:, ::-1][:, :dim]
    signs = np.sign(directions[np.abs(directions).argmax(0), np.arange(directions.shape[1])])
    directions = (directions * signs).astype(np.float32)
    yield
    reduced = np.zeros((len(vectors), directions.shape[1]), np.float32)
    for at in range(0, len(vectors), _BLOCK):
        reduced[at : at + _BLOCK] = (vectors[at : at + _BLOCK] - mean).astype(np.float32) @ directions
        yield
    return reduced


def _write(vectors: Vectors, ids: list[int], tokenizer: Any, spec: ModelSpec, cache_dir: Path) -> Path:
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
            (temporary / TOKENIZER_FILE).write_text(json.dumps(tokenizer, ensure_ascii=False), "utf-8")
            hashes = {name: file_hash(temporary / name, None) for name in (WEIGHTS_FILE, TOKENIZER_FILE)}
            said = {
                "model_type": "model2vec",
                "tokenizer_name": spec.name,
                "normalize": True,
                "pca_dims": int(vectors.shape[1]),
                "sif_coefficient": SIF,
                "distil_version": DISTIL_VERSION,
                "sha256": hashes,
            }
            (temporary / CONFIG_FILE).write_text(json.dumps(said, indent=1) + "\n", "utf-8")
            _put(temporary, folder, spec, cache_dir)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise AutoContextError(
            "model_invalid", f"{folder} cannot be written: {error.strerror}", "make room there, or make it writable"
        ) from error
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
