"""Texts to vectors, on the CPU, in steps short enough that a query never waits long behind an index."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Literal

for _name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ[_name] = "1"  # before transformers is imported: nothing here may reach a network
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import torch
from tokenizers import Tokenizer

from auto_context.embed.model import ModelSpec
from auto_context.errors import AutoContextError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BUDGET = 1024
"""Tokens of one micro-batch for a model of ``_BUDGET_PARAMETERS``; fewer for a larger one."""
_BUDGET_PARAMETERS = 10_700_000
_PADDING = 0.05
_FREE_PADDING = 32
"""Tokens of padding always allowed in a micro-batch: cheaper than another call."""


class Encoder:
    """One loaded model. Not thread-safe: one thread drives it."""

    def __init__(self, spec: ModelSpec, precision: str = "auto") -> None:
        """Load the model.

        Args:
            spec: from ``load_spec``.
            precision: ``auto``, ``bf16`` or ``fp32``; auto is bf16 where the CPU multiplies it natively.

        Raises:
            AutoContextError: ``model_invalid``.
        """
        self.spec = spec
        self.precision: Literal["bf16", "fp32"] = _precision(precision)
        self._dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        try:
            self._tokenizer = Tokenizer.from_file(str(spec.folder / "tokenizer.json"))
        except Exception as error:
            raise AutoContextError("model_invalid", f"{spec.folder}/tokenizer.json cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(spec.max_length)
        self._model = _load(spec, self._dtype)
        pad = getattr(self._model.config, "pad_token_id", None)
        self._pad = pad if isinstance(pad, int) else 0
        inner = sum(p.numel() for name, p in self._model.named_parameters() if "embeddings" not in name)
        self._budget = max(64, min(_BUDGET, _BUDGET * _BUDGET_PARAMETERS // max(inner, 1)))

    def encode(self, texts: list[str], kind: Literal["query", "document"]) -> NDArray[np.float32]:
        """Vectors of all texts: float32 [n, dim], each of length 1."""
        steps = self.encode_steps(texts, kind)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                vectors: NDArray[np.float32] = done.value
                return vectors

    def encode_steps(
        self, texts: list[str], kind: Literal["query", "document"]
    ) -> Generator[None, None, NDArray[np.float32]]:
        """The same, yielding after each micro-batch so that something more urgent can run in between."""
        out = np.zeros((len(texts), self.spec.dim), np.float32)
        prompt = self.spec.query_prompt if kind == "query" else self.spec.document_prompt
        tokens: list[list[int]] = []
        for at in range(0, len(texts), 64):
            part = [prompt + text for text in texts[at : at + 64]]
            if self.spec.lower_case:
                part = [text.lower() for text in part]
            tokens.extend(item.ids or [self._pad] for item in self._tokenizer.encode_batch_fast(part))
            yield
        for batch in plan([len(ids) for ids in tokens], self._budget):
            out[batch] = self._forward([tokens[at] for at in batch])
            yield
        return out

    def _forward(self, batch: list[list[int]]) -> NDArray[np.float32]:
        """One micro-batch through the model: float32 [len(batch), dim]."""
        width = max(map(len, batch))
        ids = torch.tensor([item + [self._pad] * (width - len(item)) for item in batch])
        lengths = torch.tensor([len(item) for item in batch])
        mask = (torch.arange(width)[None, :] < lengths[:, None]).long()
        with torch.inference_mode():
            hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            pooled = pool(hidden, mask, self.spec.pooling)
            unit = torch.nn.functional.normalize(pooled, dim=1)
        vectors: NDArray[np.float32] = unit.numpy()
        if vectors.shape[1] != self.spec.dim:
            raise AutoContextError("model_invalid", f"{self.spec.folder} gives vectors of {vectors.shape[1]} numbers")
        return vectors


def plan(lengths: list[int], budget: int) -> list[list[int]]:
    """Cut texts into micro-batches of similar length.

    Args:
        lengths: tokens of each text.
        budget: most tokens of one micro-batch, padding included; a longer text goes alone.

    Returns:
        Positions, the longest first; under 5 % of padding unless that is only a few tokens.
    """
    batches: list[list[int]] = []
    batch: list[int] = []
    padding = 0
    for at in sorted(range(len(lengths)), key=lambda at: (-lengths[at], at)):
        if batch:
            width = lengths[batch[0]]
            area = width * (len(batch) + 1)
            padding += width - lengths[at]
            if area > budget or padding > max(area * _PADDING, _FREE_PADDING):
                batches.append(batch)
                batch = []
        if not batch:
            padding = 0
        batch.append(at)
    return [*batches, batch] if batch else batches


def pool(hidden: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """One vector per text from its tokens' vectors.

    Args:
        hidden: float32 [n, width, dim].
        mask: int64 [n, width], 1 for tokens and 0 for the padding on the right.
        pooling: as in ``ModelSpec``.

    Returns:
        float32 [n, dim], not normalised.
    """
    if pooling == "cls":
        return hidden[:, 0]
    lengths = mask.sum(1)
    if pooling == "lasttoken":
        return hidden[torch.arange(len(hidden)), lengths - 1]
    weights = mask[..., None].to(hidden.dtype)
    if pooling == "max":
        return hidden.masked_fill(weights == 0, float("-inf")).amax(1)
    if pooling == "weightedmean":
        weights = weights * torch.arange(1, hidden.shape[1] + 1, dtype=hidden.dtype)[None, :, None]
    total = (hidden * weights).sum(1)
    # mean and mean_sqrt_len differ only in length, which normalising removes
    return total / weights.sum(1)


def _precision(asked: str) -> Literal["bf16", "fp32"]:
    if asked == "auto":
        return "bf16" if _native_bf16() else "fp32"
    return "bf16" if asked == "bf16" else "fp32"


def _native_bf16() -> bool:
    """Whether the CPU multiplies bf16 itself; elsewhere it is emulated and slower than fp32."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            flags = next((line for line in file if line.startswith("flags")), "").split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _load(spec: ModelSpec, dtype: torch.dtype) -> Any:
    from transformers import AutoModel  # noqa: PLC0415 - the slowest import of all, after the cheap refusals
    from transformers.utils import logging  # noqa: PLC0415

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model = AutoModel.from_pretrained(
            spec.folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation="sdpa",
            dtype=dtype,
        )
    except Exception as error:
        reason = str(error).strip().split("\n", 1)[0]
        raise AutoContextError("model_invalid", f"{spec.folder} cannot be loaded: {reason}") from error
    return model.eval()
