"""Texts into vectors: tokens, batches of like length, and steps short enough that whoever waits never waits long.

Which library runs the model is ``backend``'s; none is imported here.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Literal, Self, TypeVar

from auto_context.embed import environment  # noqa: F401  # isort: skip - it speaks to the libraries below
import numpy as np
from tokenizers import Tokenizer

from auto_context.embed.backend import Array, Backend, Vectors
from auto_context.embed.model import ModelSpec
from auto_context.errors import AutoContextError

Kind = Literal["query", "document"]
T = TypeVar("T")

_STEP_PARAMETERS = 10_650_000
"""Of the layers of the model ``Backend.tokens`` speaks of."""
_MIN_TOKENS = 64
_HURRIED = 4
_TEXTS_PER_TOKENISING = 32
_FINE, _COARSE, _FINE_TO = 4, 16, 32
"""Lengths go up to the next multiple, for libraries keep memory for every shape; finely where padding would be half."""
_PADDING = 0.05
"""Largest share of padding in a batch, unless it is less than ``_FREE_PADDING`` tokens: cheaper than another call."""
_FREE_PADDING = 32


class Encoder:
    """A loaded model. Any number of threads may embed at once.

    Args:
        spec: which model.
        backend: what runs it, of ``backend.load``.
        most: texts in one run of it.

    Raises:
        AutoContextError: ``model_invalid`` when the tokeniser cannot be read.
    """

    hurry: bool = False
    """While somebody searches: steps of a quarter of the tokens on one thread, so that a core is free for them."""

    def __init__(self, spec: ModelSpec, backend: Backend, most: int = 128) -> None:
        self.spec = spec
        self._most = most
        self._backend = backend
        self._tokenizer = _load_tokenizer(spec)
        self._pad = spec.pad
        size = backend.tokens * _STEP_PARAMETERS // max(backend.parameters, 1)
        self.tokens = 0
        """How many were embedded so far."""
        self._lane_tokens = max(_MIN_TOKENS, min(backend.tokens, size))
        self._lanes = ThreadPoolExecutor(backend.lanes, "auto-context-embed")

    @property
    def backend(self) -> str:
        """``torch`` or ``openvino``."""
        return self._backend.name

    @property
    def precision(self) -> str:
        """What it computes in: ``bf16``, ``fp32`` or ``int8``."""
        return self._backend.precision

    def close(self) -> None:
        """End its threads."""
        self._lanes.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def encode(self, texts: Sequence[str], kind: Kind) -> Vectors:
        """``encode_steps`` in one go."""
        return drain(self.encode_steps(texts, kind))

    def encode_steps(self, texts: Sequence[str], kind: Kind) -> Generator[None, None, Vectors]:
        """Embed ``texts``, yielding between steps of about 40 ms at most (for a small model).

        Returns:
            float32 [len(texts), dim], each row of length 1, in the order given.
        """
        rows = yield from self.tokenise_steps(texts, kind)
        vectors = yield from self.encode_ids_steps(rows)
        return vectors

    def tokenise_steps(self, texts: Sequence[str], kind: Kind) -> Generator[None, None, list[list[int]]]:
        """The token ids of each text with the model's prompt, special tokens included."""
        rows: list[list[int]] = []
        for at in range(0, len(texts), _TEXTS_PER_TOKENISING):
            rows.extend(self._tokenise(texts[at : at + _TEXTS_PER_TOKENISING], kind))
            if len(texts) > _TEXTS_PER_TOKENISING:
                yield
        return rows

    def encode_ids_steps(self, rows: Sequence[list[int]]) -> Generator[None, None, Vectors]:
        """Embed texts given as token ids, special tokens included; else as ``encode_steps``."""
        vectors = np.zeros((len(rows), self.spec.dim), np.float32)
        waiting = batches([padded(len(ids), self.spec.max_length) for ids in rows], self._lane_tokens, self._most)
        waiting.reverse()
        running: dict[Future[Vectors], list[int]] = {}
        while waiting or running:
            # A single batch runs on the thread that asks: a query waits for no lane.
            if not running and (self.hurry or len(waiting) == 1):
                batch = self._hurried(waiting, rows) if self.hurry else waiting.pop()
                found = self._forward([rows[at] for at in batch])
            else:
                # A lane that is done takes the next batch at once, whatever the others are at.
                while waiting and len(running) < self._backend.lanes and not self.hurry:
                    batch = waiting.pop()
                    running[self._lanes.submit(self._forward, [rows[at] for at in batch])] = batch
                done = next(iter(wait(running, return_when=FIRST_COMPLETED).done))
                batch, found = running.pop(done), done.result()
            vectors[batch] = found
            self.tokens += sum(len(rows[at]) for at in batch)
            yield
        return vectors

    def _hurried(self, waiting: list[list[int]], rows: Sequence[list[int]]) -> list[int]:
        """Take a part of the next batch."""
        batch = waiting.pop()
        longest = padded(len(rows[batch[0]]), self.spec.max_length)
        few = max(1, self._lane_tokens // _HURRIED // longest)
        if len(batch) > few:
            waiting.append(batch[few:])
        return batch[:few]

    def _tokenise(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        prompt = self.spec.query_prompt if kind == "query" else self.spec.document_prompt
        # A lone surrogate (a file name that is no UTF-8) is not text to the tokeniser.
        clean = [(prompt + text).encode("utf-8", "replace").decode("utf-8") for text in texts]
        if self.spec.lower_case:
            clean = [text.lower() for text in clean]
        return [encoding.ids or [self._pad] for encoding in self._tokenizer.encode_batch_fast(clean)]

    def _forward(self, rows: list[list[int]]) -> Vectors:
        """The vectors of one batch."""
        vectors = self._backend.run(*self._padded(rows))
        if vectors.shape[1] != self.spec.dim:
            raise AutoContextError(
                "model_invalid", f"{self.spec.folder}: vectors of {vectors.shape[1]}, not {self.spec.dim}"
            )
        if not np.isfinite(vectors).all():
            raise AutoContextError(
                "model_invalid",
                f"{self.spec.folder}: vectors that are no numbers, from {self.backend} in {self.precision}",
                "set backend or precision to another",
            )
        return vectors

    def _padded(self, rows: list[list[int]]) -> tuple[Array, Array]:
        """Ids and mask, int64 [n, t]."""
        length = padded(max(map(len, rows)), self.spec.max_length)
        ids = np.full((len(rows), length), self._pad, np.int64)
        mask = np.zeros((len(rows), length), np.int64)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = row
            mask[at, : len(row)] = 1
        return ids, mask


def drain(steps: Generator[None, None, T]) -> T:
    """Run steps to their end; returns their result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def padded(length: int, most: int) -> int:
    """Up to the next of few lengths, within the model's positions."""
    step = _FINE if length <= _FINE_TO else _COARSE
    return max(length, min(-(-length // step) * step, most))


def batches(lengths: Sequence[int], budget: int, most: int) -> list[list[int]]:
    """Indices in batches of like length, longest first, of at most ``most`` texts and ``budget`` padded tokens."""
    found: list[list[int]] = []
    longest = padding = 0
    for at in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        area = (len(found[-1]) + 1) * longest if found else 0
        padding += longest - lengths[at]
        full = not found or area > budget or len(found[-1]) >= most
        if full or padding > max(area * _PADDING, _FREE_PADDING):
            found.append([])
            longest, padding = lengths[at], 0
        found[-1].append(at)
    return found


def _load_tokenizer(spec: ModelSpec) -> Any:
    try:
        tokenizer = Tokenizer.from_file(str(spec.folder / "tokenizer.json"))
    except Exception as error:  # the library raises bare Exception
        raise AutoContextError("model_invalid", f"{spec.folder}/tokenizer.json cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(spec.max_length)
    return tokenizer
