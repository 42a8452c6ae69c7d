"""Static vectors: a text is the sum of vectors kept for its tokens, no network is run. Needs no torch.

The arithmetic of model2vec (Minish Lab, https://github.com/MinishLab/model2vec): the mean of a text's token vectors,
at length 1. For the tokenisers of BERT and its like a text's tokens are those of its words: so here a text is a bag of
words, every distinct word is tokenised once, and the result is that of the whole text without punctuation. Two things
are for code: an identifier counts as its parts, and a token that occurs n times as the root of n, so that a name on
every line does not drown the rest.
``distil`` makes such a model from a transformer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auto_context.config import Settings
from auto_context.embed.compose import parts
from auto_context.embed.model import ModelSpec, file_hash, locate_model
from auto_context.embed.quantise import unit
from auto_context.errors import AutoContextError

POOLING_VERSION = 1
"""Part of a static model's fingerprint: a change of how words become a vector makes new vectors."""
DISTIL_VERSION = 2
"""Names the folder of a distilled model, with the transformer's fingerprint: a change of the recipe makes a new one."""

WEIGHTS_FILE, TOKENIZER_FILE, CONFIG_FILE = "model.safetensors", "tokenizer.json", "config.json"
_BLOCK = 256
"""Bags whose words are looked up at once."""
_GATHERED = 1024
"""Token vectors that are summed at once."""
_SHORT = 8
"""Token vectors of a bag, on average over a block, below which bags are short."""
_MOST_WORDS = 200_000
_LONGEST = 60
"""Longer words are data."""
_DTYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "I8": np.int8}
_SYMBOL_WEIGHT = 0.5
_MATRIX = 2

Vectors = NDArray[np.float32]


class StaticModel:
    """A loaded static model. Used by one thread at a time.

    Attributes:
        fingerprint: hexadecimal. Vectors of two fingerprints are never compared.
        dim: the width of its vectors.
    """

    def __init__(self, vectors: Vectors, rows: NDArray[np.int32], tokenizer: Any, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.dim = int(vectors.shape[1])
        self._vectors = vectors
        self._buffer = np.empty((_GATHERED, self.dim), np.float32)
        self._tokenizer = tokenizer
        self._prefix = _word_prefix(tokenizer)
        self._rows = rows
        self._handed_out = _Words()
        self._own = _Words()
        self._known: dict[str, int] = {}
        self._pieces: dict[str, list[int]] = {}

    @classmethod
    def load(cls, folder: Path) -> StaticModel:
        """Read a folder as model2vec lays it out; a matrix of fp32 stays in its file, mapped.

        ``model.safetensors`` has ``embeddings`` [rows, dim] (fp16, fp32, fp64 or int8) and may have ``mapping``
        [vocabulary], the row of each token (else they are the same; a negative one: none), and ``weights``
        [vocabulary], a factor for each token. ``tokenizer.json`` is beside it.

        Raises:
            AutoContextError: ``model_missing`` when there is no such folder, ``model_invalid`` when it holds no
                static model that can be read.
        """
        if not folder.is_dir():
            raise AutoContextError("model_missing", f"there is no folder {folder}")
        tokenizer = load_tokenizer(folder / TOKENIZER_FILE)
        vocabulary = tokenizer.get_vocab_size(with_added_tokens=True)
        vectors, rows = _matrix(folder / WEIGHTS_FILE, vocabulary)
        rows[[at for at in silent_tokens(tokenizer) if at < vocabulary]] = -1
        identity = [POOLING_VERSION, *(file_hash(folder / name, None) for name in (WEIGHTS_FILE, TOKENIZER_FILE))]
        return cls(vectors, rows, tokenizer, hashlib.sha256(json.dumps(identity).encode()).hexdigest())

    def pool(self, bags: Sequence[Sequence[str]]) -> Vectors:
        """One vector per bag of words: identifiers as they stand in a text, in any case. Repeats count.

        Returns:
            float32 [len(bags), dim], rows of length 1; a row of zeros for a bag of which nothing is known.
        """
        if len(self._known) > _MOST_WORDS:
            self._known, self._own = {}, _Words()
        new = list(set().union(*bags) - self._known.keys())
        if new:
            self._known.update(zip(new, self._add(self._own, new).tolist(), strict=True))
        get = self._known.__getitem__
        ids = [np.fromiter(map(get, bag), np.int32, len(bag)) for bag in bags]
        return self._pool(self._own, ids)

    def word_ids(self, words: Sequence[str]) -> NDArray[np.int32]:
        """Tokenise words as ``pool`` does, for a caller that remembers their ids: each call makes new ones.

        Returns:
            int32 [len(words)], for ``pool_ids``, until ``forget``.
        """
        return self._add(self._handed_out, words)

    def pool_ids(self, bags: Sequence[NDArray[np.int32]]) -> Vectors:
        """As ``pool``, of ids that ``word_ids`` gave."""
        return self._pool(self._handed_out, bags)

    def forget(self) -> None:
        """Drop the words of ``word_ids`` (about 15 bytes each): the ids given are void. ``pool`` has its own."""
        self._handed_out = _Words()

    def _add(self, words: _Words, new: Sequence[str]) -> NDArray[np.int32]:
        taken = [parts(word) if len(word) <= _LONGEST else [] for word in new]
        pieces = self._pieces_of(set().union(*taken))
        rows = [[row for part in some for row in pieces[part]] for some in taken]
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        return words.add(np.fromiter(chain.from_iterable(rows), np.int32, int(lengths.sum())), lengths)

    def _pieces_of(self, wanted: set[str]) -> dict[str, list[int]]:
        """The rows of parts of words. There are far fewer parts than words, and tokenising is what costs."""
        if len(self._pieces) > _MOST_WORDS:
            self._pieces = {}
        fresh = list(wanted - self._pieces.keys())
        if fresh:
            texts = [self._prefix + part for part in fresh]
            for part, item in zip(
                fresh, self._tokenizer.encode_batch_fast(texts, add_special_tokens=False), strict=True
            ):
                self._pieces[part] = [row for row in self._rows[item.ids].tolist() if row >= 0]
        return self._pieces

    def _pool(self, words: _Words, bags: Sequence[NDArray[np.int32]]) -> Vectors:
        """Bag by bag into a buffer that stays in the processor's cache; bags of a few words, all of a block at once.

        Measured: of long bags ``reduceat`` takes twice as long, of short ones a fifth.
        """
        pooled = np.zeros((len(bags), self.dim), np.float32)
        for at in range(0, len(bags), _BLOCK):
            block = bags[at : at + _BLOCK]
            rows, counts, ends = self._counted(words, block)
            begins = np.concatenate([[0], ends[:-1]]).astype(np.int64)
            if len(rows) < _SHORT * len(block):
                some = np.flatnonzero(ends > begins)
                near = self._vectors[rows] * counts[:, None]
                pooled[at + some] = np.add.reduceat(near, begins[some], axis=0) if len(some) else 0.0
                continue
            for bag, (first, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True), at):
                for part in range(first, end, _GATHERED):
                    size = min(end - part, _GATHERED)
                    near = np.take(self._vectors, rows[part : part + size], 0, self._buffer[:size], "clip")
                    pooled[bag] += counts[part : part + size] @ near
        return unit(pooled)

    def _counted(
        self, words: _Words, bags: Sequence[NDArray[np.int32]]
    ) -> tuple[NDArray[Any], Vectors, NDArray[np.int64]]:
        """The distinct token rows of all bags one after the other, the roots of their counts, and each bag's end."""
        rows, lengths = words.rows(np.concatenate(bags))
        which = np.repeat(np.arange(len(bags)), np.fromiter(map(len, bags), np.int64, len(bags)))
        keys = np.repeat(which, lengths) * len(self._vectors) + rows
        keys.sort()
        begins = np.flatnonzero(np.diff(keys, prepend=-1))
        counts = np.sqrt(np.diff(begins, append=len(keys))).astype(np.float32)
        which, rows = np.divmod(keys[begins], len(self._vectors))
        return rows, counts, np.searchsorted(which, np.arange(len(bags)), "right")


class _Words:
    """The token rows of words that were numbered one after the other: flat, with a start for each."""

    def __init__(self) -> None:
        self._pieces = np.zeros(1024, np.int32)
        self._starts = np.zeros(1024, np.int64)
        self._count = self._filled = 0

    def add(self, rows: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.int32]:
        """Number words whose rows follow each other in ``rows``."""
        first, end = self._count, self._count + len(lengths)
        filled = self._filled + len(rows)
        self._pieces = _grown(self._pieces, filled)
        self._starts = _grown(self._starts, end + 1)
        self._pieces[self._filled : filled] = rows
        self._starts[first + 1 : end + 1] = self._filled + np.cumsum(lengths)
        self._count, self._filled = end, filled
        return np.arange(first, end, dtype=np.int32)

    def rows(self, words: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The rows of all ``words`` one after the other, and how many each has."""
        starts = self._starts[words]
        lengths = self._starts[words + 1] - starts
        ends = np.cumsum(lengths)
        at = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
        return self._pieces[at], lengths


def with_symbols(bodies: Vectors, symbols: Vectors) -> Vectors:
    """The vectors of chunks, [n, dim]: of their text, and half as much of their symbols.

    On the development sets that is worth 0.04 NDCG@10 of files and 0.09 of lines; as much of both is worse.
    """
    return unit(bodies + _SYMBOL_WEIGHT * symbols)


def distilled_folder(spec: ModelSpec, cache_dir: Path) -> Path:
    """Where the static model distilled from a transformer lies, or will."""
    return cache_dir / "static" / f"{spec.fingerprint[:32]}-{DISTIL_VERSION}"


def ready(spec: ModelSpec, cache_dir: Path) -> Path | None:
    """The folder of the distilled model, if it is there and its files are those that were written."""
    folder = distilled_folder(spec, cache_dir)
    with contextlib.suppress(OSError, ValueError, AttributeError, RecursionError, AutoContextError):
        written = json.loads((folder / CONFIG_FILE).read_text("utf-8")).get("sha256")
        if written == {name: file_hash(folder / name, cache_dir) for name in (WEIGHTS_FILE, TOKENIZER_FILE)}:
            return folder
    return None


def locate_static(settings: Settings, spec: ModelSpec, cache_dir: Path) -> Path | None:
    """The folder of the static model to use: the configured one, else the one distilled from the transformer.

    Returns:
        None when there is none yet: ``distil.distil_steps`` makes it.

    Raises:
        AutoContextError: ``model_missing`` or ``model_invalid`` for a configured one.
    """
    if not settings.static_model:
        return ready(spec, cache_dir)
    folder = locate_model(settings.static_model)
    for name in (WEIGHTS_FILE, TOKENIZER_FILE):
        if not (folder / name).is_file():
            raise AutoContextError("model_invalid", f"{folder} is no static model: it has no {name}")
    return folder


def load_tokenizer(path: Path) -> Any:
    """A tokeniser without limits of its own.

    Raises:
        AutoContextError: ``model_invalid``.
    """
    from tokenizers import Tokenizer  # noqa: PLC0415 - native code, only once something is pooled

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise AutoContextError("model_invalid", f"{path} cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def silent_tokens(tokenizer: Any) -> set[int]:
    """Marks such as [CLS], and the one for unknown words: they say nothing of a text and have no vector."""
    special = {at for at, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    special.update(tokenizer.encode("").ids)
    unknown = tokenizer.token_to_id(getattr(tokenizer.model, "unk_token", None) or "")
    return special if unknown is None else special | {unknown}


def _grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """The array, or a larger copy that holds ``size``."""
    if size <= len(array):
        return array
    larger = np.zeros(max(size, len(array) * 2), array.dtype)
    larger[: len(array)] = array
    return larger


def _word_prefix(tokenizer: Any) -> str:
    """What a word needs before it to be tokenised as within a text: a space, where the tokeniser marks word starts."""
    within = tokenizer.encode("word word", add_special_tokens=False).ids
    alone = tokenizer.encode("word", add_special_tokens=False).ids
    spaced = tokenizer.encode(" word", add_special_tokens=False).ids
    return " " if within == alone + spaced and alone != spaced else ""


def _matrix(path: Path, vocabulary: int) -> tuple[Vectors, NDArray[np.int32]]:
    """The token vectors [rows, dim], and each token's row (-1: it has none)."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - native code

    try:
        with safe_open(path, framework="numpy") as file:  # checks the header against the file's size
            names = set(file.keys())
            if "embeddings" not in names:
                raise AutoContextError("model_invalid", f"{path} has no tensor 'embeddings': it is no static model")
            vectors: NDArray[Any] = _mapped(path, "embeddings")
            mapping = file.get_tensor("mapping") if "mapping" in names else np.arange(len(vectors))
            weights = file.get_tensor("weights") if "weights" in names else None
    except (OSError, SafetensorError, TypeError, ValueError, KeyError) as error:
        raise AutoContextError("model_invalid", f"{path} cannot be read: {error}") from error
    flat = mapping.ndim == 1 and (weights is None or weights.shape == mapping.shape)
    if vectors.ndim != _MATRIX or not vectors.size or not flat or mapping.max(initial=0) >= len(vectors):
        raise AutoContextError("model_invalid", f"{path}: its tensors do not fit each other")
    if weights is not None:  # tokens may share a vector and not its weight: each gets a row of its own
        vectors = vectors[np.maximum(mapping, 0)] * weights[:, None]
        mapping = np.where(mapping < 0, -1, np.arange(len(mapping)))
    rows = np.full(vocabulary, -1, np.int32)
    rows[: len(mapping)] = mapping[:vocabulary]
    return np.asarray(vectors, np.float32), rows


def _mapped(path: Path, name: str) -> NDArray[Any]:
    """One tensor of a safetensors file (https://github.com/huggingface/safetensors#format) without copying it."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(size))[name]
    if entry["dtype"] not in _DTYPES:
        raise ValueError(f"vectors of type {entry['dtype']} are not supported")
    at = 8 + size + entry["data_offsets"][0]
    return np.memmap(path, _DTYPES[entry["dtype"]], "r", at, tuple(entry["shape"]))
