"""Runs the model: batches of texts of like length, in steps short enough that a query never waits long.

Imports torch, and transformers on the first ``Encoder``; nothing else in the package does.
"""

from __future__ import annotations

import os

# Before either library is imported: they read these once. Nothing may look anything up on a hub.
os.environ.update(
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    DO_NOT_TRACK="1",
    TOKENIZERS_PARALLELISM="false",
    TRANSFORMERS_VERBOSITY="error",
    # OpenMP spins at barriers by default: with another program on the same two cores one query took 480 ms, not 5.
    OMP_WAIT_POLICY=os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
)

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tokenizers import Tokenizer

from auto_context.embed.model import ModelSpec
from auto_context.errors import AutoContextError

Kind = Literal["query", "document"]
Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]

_STEP_TOKENS = {"bf16": 384, "fp32": 128}
"""Tokens of one step per thread, about 40 ms, for a model of ``_STEP_PARAMETERS`` (a 6-layer MiniLM's layers)."""
_STEP_PARAMETERS = 10_650_000
_MIN_TOKENS, _MAX_THREADS = 64, 8
_ALONE = 128
"""Up to this many tokens one thread does nearly as well as two, and waits for no core that others use."""
_TEXTS_PER_TOKENISING = 32
_LENGTH_STEP = 16
"""oneDNN keeps memory for every shape: with all lengths a worker grows from 0.5 to 1 GB, with these it does not."""
_ENTRY = 3
"""So short a row is not padded: an entry of a vocabulary between its marks, of which distilling makes thousands."""
_NATIVE_BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
_HURRIED = 4
_PADDING = 0.05
"""Largest share of padding in a batch, unless it is less than ``_FREE_PADDING`` tokens: cheaper than another call."""
_FREE_PADDING = 32


class Encoder:
    """A loaded model. Used by one thread at a time.

    Args:
        spec: which model.
        precision: ``fp32``, ``bf16``, or ``auto``: bf16 where the processor computes it natively.

    Raises:
        AutoContextError: ``model_invalid`` when transformers cannot load it whole.
    """

    hurry: bool = False
    """While somebody searches: steps of a quarter of the tokens on one thread, so that a core is free for them."""

    def __init__(self, spec: ModelSpec, precision: str = "auto") -> None:
        self.spec = spec
        self.precision = precision if precision != "auto" else ("bf16" if native_bf16() else "fp32")
        self._tokenizer = _load_tokenizer(spec)
        self._model = _load_model(spec, torch.bfloat16 if self.precision == "bf16" else torch.float32)
        pad = getattr(self._model.config, "pad_token_id", None)
        self._pad = pad if isinstance(pad, int) else 0
        layers = sum(
            parameter.numel() for name, parameter in self._model.named_parameters() if "embedding" not in name.lower()
        )
        self.tokens = 0
        """How many were embedded so far."""
        self._threads = torch.get_num_threads()
        most = _STEP_TOKENS[self.precision] * min(self._threads, _MAX_THREADS)
        self._step_tokens = max(_MIN_TOKENS, min(most, most * _STEP_PARAMETERS // max(layers, 1)))

    def encode(self, texts: Sequence[str], kind: Kind) -> Vectors:
        """``encode_steps`` in one go."""
        steps = self.encode_steps(texts, kind)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                vectors: Vectors = end.value
                return vectors

    def encode_steps(self, texts: Sequence[str], kind: Kind) -> Generator[None, None, Vectors]:
        """Embed ``texts``, yielding between steps of about 40 ms at most (on 2 cores, for a small model).

        Returns:
            float32 [len(texts), dim], each row of length 1, in the order given.
        """
        tokens: list[list[int]] = []
        for at in range(0, len(texts), _TEXTS_PER_TOKENISING):
            tokens.extend(self._tokenise(texts[at : at + _TEXTS_PER_TOKENISING], kind))
            yield
        vectors = yield from self.encode_ids_steps(tokens)
        return vectors

    def encode_ids_steps(self, rows: Sequence[list[int]]) -> Generator[None, None, Vectors]:
        """Embed texts given as token ids, special tokens included; else as ``encode_steps``."""
        vectors = np.zeros((len(rows), self.spec.dim), np.float32)
        waiting = batches([self._padded(len(ids)) for ids in rows], self._step_tokens)[::-1]
        while waiting:
            batch = waiting.pop()
            if self.hurry and len(batch) > 1:
                least = max(1, len(batch) // _HURRIED)
                waiting.append(batch[least:])
                batch = batch[:least]
            vectors[batch] = self._forward([rows[at] for at in batch])
            self.tokens += sum(len(rows[at]) for at in batch)
            yield
        return vectors

    def _padded(self, length: int) -> int:
        """Up to the next of few lengths, within the model's positions."""
        if length <= _ENTRY:
            return length
        return max(length, min(-(-length // _LENGTH_STEP) * _LENGTH_STEP, self.spec.max_length))

    def _tokenise(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        prompt = self.spec.query_prompt if kind == "query" else self.spec.document_prompt
        # A lone surrogate (a file name that is no UTF-8) is not text to the tokeniser.
        clean = [(prompt + text).encode("utf-8", "replace").decode("utf-8") for text in texts]
        if self.spec.lower_case:
            clean = [text.lower() for text in clean]
        return [encoding.ids or [self._pad] for encoding in self._tokenizer.encode_batch_fast(clean)]

    def _forward(self, rows: list[list[int]]) -> Vectors:
        length = self._padded(max(map(len, rows)))
        ids = torch.full((len(rows), length), self._pad)
        mask = torch.zeros((len(rows), length), dtype=torch.long)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = torch.tensor(row)
            mask[at, : len(row)] = 1
        torch.set_num_threads(1 if self.hurry or ids.numel() <= _ALONE else self._threads)
        try:
            with torch.inference_mode():
                hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
                pooled = torch.nn.functional.normalize(pool(hidden, mask, self.spec.pooling), dim=1)
        finally:
            torch.set_num_threads(self._threads)
        if pooled.shape[1] != self.spec.dim:
            raise AutoContextError(
                "model_invalid", f"{self.spec.folder}: vectors of {pooled.shape[1]}, not {self.spec.dim}"
            )
        vectors: Vectors = pooled.numpy()
        return vectors


def pool(hidden: torch.Tensor, mask: torch.Tensor, mode: str) -> torch.Tensor:
    """One vector per row: [n, tokens, dim] and its [n, tokens] mask, padding on the right, to [n, dim]."""
    if mode == "cls":
        return hidden[:, 0]
    if mode == "lasttoken":
        return hidden[torch.arange(len(hidden)), mask.sum(1) - 1]
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    if mode == "max":
        return hidden.masked_fill(weights == 0, float("-inf")).amax(1)
    if mode == "weightedmean":
        weights = weights * torch.arange(1, hidden.shape[1] + 1, dtype=hidden.dtype).view(1, -1, 1)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)


def batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices in batches of like length, longest first, of at most ``budget`` tokens with their padding."""
    found: list[list[int]] = []
    longest = padding = 0
    for at in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        area = (len(found[-1]) + 1) * longest if found else 0
        padding += longest - lengths[at]
        if not found or area > budget or padding > max(area * _PADDING, _FREE_PADDING):
            found.append([])
            longest, padding = lengths[at], 0
        found[-1].append(at)
    return found


def native_bf16() -> bool:
    """Whether this processor multiplies bf16 itself; emulated, it is slower than fp32. Linux only: else False."""
    try:
        words = Path("/proc/cpuinfo").read_text("utf-8", "replace").split()
    except OSError:
        return False
    return not _NATIVE_BF16.isdisjoint(words)


def _load_tokenizer(spec: ModelSpec) -> Any:
    try:
        tokenizer = Tokenizer.from_file(str(spec.folder / "tokenizer.json"))
    except Exception as error:  # the library raises bare Exception
        raise AutoContextError("model_invalid", f"{spec.folder}/tokenizer.json cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(spec.max_length)
    return tokenizer


def _load_model(spec: ModelSpec, dtype: torch.dtype) -> Any:
    from transformers import AutoModel  # noqa: PLC0415 - a second of import, only once something is embedded
    from transformers.utils import logging  # noqa: PLC0415

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it bare
    try:
        model, info = AutoModel.from_pretrained(
            spec.folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation="sdpa",
            dtype=dtype,  # else that of the file, which may be fp16
            output_loading_info=True,
        )
    except Exception as error:  # whatever a broken folder makes it raise
        reason = str(error).strip().partition("\n")[0]
        raise AutoContextError("model_invalid", f"{spec.folder} cannot be loaded: {reason}") from error
    # Transformers fills what the weights lack with noise. A pooler is not used; anything else spoils every vector.
    lacking = sorted(name for name in info["missing_keys"] if "pooler." not in name)
    if lacking:
        raise AutoContextError("model_invalid", f"{spec.folder}: its weights lack {lacking[0]}")
    return model.eval()
