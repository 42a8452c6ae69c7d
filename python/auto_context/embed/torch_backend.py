"""The model run by torch and transformers: on the processor, or on a GPU that torch finds."""

from __future__ import annotations

import warnings
from typing import Any

from auto_context.embed.environment import cores, native_bf16  # isort: skip - before torch is loaded
import torch

from auto_context.embed.backend import MAX_LANES, Array, Vectors
from auto_context.embed.model import ModelSpec
from auto_context.errors import AutoContextError

_TOKENS = {"bf16": 256, "fp32": 128, "int8": 192}
"""Tokens one thread takes through a 6-layer MiniLM in about 40 ms."""
_GPU_TOKENS = 16_384


class TorchBackend:
    """See ``Backend``. Each call runs on the thread that makes it, alone: lanes do not wait for each other.

    Args:
        spec: which model.
        precision: ``fp32``, ``bf16``, ``int8`` (weights of linear layers, processor only), or ``auto``: bf16 where the
            device computes it natively.

    Raises:
        AutoContextError: ``model_invalid`` when transformers cannot load it whole.
    """

    name = "torch"

    def __init__(self, spec: ModelSpec, precision: str = "auto") -> None:
        self._pooling = spec.pooling
        self.device = "cpu" if precision == "int8" else _device()
        self.precision = precision if precision != "auto" else ("bf16" if _bf16(self.device) else "fp32")
        network = load_network(spec, torch.bfloat16 if self.precision == "bf16" else torch.float32)
        self.parameters = sum(
            parameter.numel() for name, parameter in network.named_parameters() if "embedding" not in name.lower()
        )
        if self.precision == "int8":
            network = _quantised(network)
        self._network = network.to(self.device)
        self.lanes, self.tokens = (min(cores(), MAX_LANES), _TOKENS[self.precision])
        if self.device != "cpu":
            self.lanes, self.tokens = 1, _GPU_TOKENS
        # Lanes instead of OpenMP's teams, whose members wait for each other at every layer. Process-wide, so said once.
        torch.set_num_threads(1)

    def run(self, ids: Array, mask: Array) -> Vectors:
        """See ``Backend``."""
        torch.set_num_threads(1)  # OpenMP counts per calling thread
        tokens, known = (torch.from_numpy(item).to(self.device) for item in (ids, mask))
        with torch.inference_mode():
            vectors: Vectors = embed(self._network, tokens, known, self._pooling).cpu().numpy()
        return vectors


def embed(network: Any, ids: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """One unit vector per row: ids and mask [n, tokens] to float32 [n, dim]."""
    hidden = network(input_ids=ids, attention_mask=mask).last_hidden_state.float()
    return torch.nn.functional.normalize(pool(hidden, mask, pooling), dim=1)


def pool(hidden: torch.Tensor, mask: torch.Tensor, mode: str) -> torch.Tensor:
    """One vector per row: [n, tokens, dim] and its [n, tokens] mask, padding on the right, to [n, dim]."""
    if mode == "cls":
        return hidden[:, 0]
    if mode == "lasttoken":
        return hidden[torch.arange(hidden.shape[0]), mask.sum(1) - 1]
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    # What stands at padding may be no number: nothing is near enough to it where attention reaches only a few tokens.
    hidden = hidden.masked_fill(weights == 0, 0)
    if mode == "max":
        return hidden.masked_fill(weights == 0, float("-inf")).amax(1)
    if mode == "weightedmean":
        weights = weights * torch.cumsum(weights, 1)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)


def load_network(spec: ModelSpec, dtype: torch.dtype) -> Any:
    """The transformers module of a model, in evaluation mode.

    Raises:
        AutoContextError: ``model_invalid``.
    """
    from transformers import AutoModel  # noqa: PLC0415 - a second of import, only once something is embedded
    from transformers.utils import logging  # noqa: PLC0415

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it bare
    try:
        network, info = AutoModel.from_pretrained(
            spec.folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
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
    return network.eval()


def _device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _bf16(device: str) -> bool:
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and native_bf16()


def _quantised(network: Any) -> Any:
    """Linear layers with int8 weights, activations quantised as they come.

    A scale for each channel: of MiniLM's vectors the least cosine to fp32 is 0.95, with one for each layer 0.86.
    """
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic  # noqa: PLC0415 - only if asked for

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its successor is a package of its own, torchao
        return quantize_dynamic(network, {torch.nn.Linear: per_channel_dynamic_qconfig})  # type: ignore[no-untyped-call]  # torch leaves it bare
