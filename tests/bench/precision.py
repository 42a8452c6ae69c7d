"""Tokens per second of stock transformers in fp32 and of this project's encoder, in one process, in turn."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

# First: it says how torch's threads wait, before torch is loaded.
from auto_context.embed.encoder import Encoder  # isort: skip
import torch
from transformers import AutoModel, AutoTokenizer

from auto_context.embed.model import load_spec, locate_model

_BATCH = 32
_ROUNDS = 3


def texts() -> list[str]:
    """Source of this project in pieces of 1,200 characters."""
    sources = sorted((Path(__file__).parent.parent.parent / "python").rglob("*.py"))
    whole = "\n".join(path.read_text("utf-8") for path in sources)
    return [whole[at : at + 1200] for at in range(0, 96 * 1200, 1200)]


def stock(pieces: list[str], model: Any, tokenizer: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """What a reader of the model's card would write: fp32, batches of 32 as they come, mean pooling."""
    out = []
    for at in range(0, len(pieces), _BATCH):
        batch = tokenizer(pieces[at : at + _BATCH], padding=True, truncation=True, max_length=256, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None]
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        out.append(torch.nn.functional.normalize(pooled, dim=1).numpy())
    return np.concatenate(out)


def measure() -> dict[str, Any]:
    """The figures."""
    folder = locate_model("all-MiniLM-L6-v2")
    pieces = texts()
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokens = sum(len(ids) for ids in tokenizer(pieces, truncation=True, max_length=256)["input_ids"])
    with tempfile.TemporaryDirectory() as cache:
        encoder = Encoder(load_spec(folder, Path(cache)), "auto")
    rates: dict[str, list[float]] = {"stock_fp32": [], "ours": []}
    for turn in range(_ROUNDS + 1):
        began = time.perf_counter()
        reference = stock(pieces, model, tokenizer)
        middle = time.perf_counter()
        vectors = encoder.encode(pieces, "document")
        end = time.perf_counter()
        if turn:  # the first warms up
            rates["stock_fp32"].append(tokens / (middle - began))
            rates["ours"].append(tokens / (end - middle))
    cosine = (reference * vectors).sum(1)
    ratios = [ours / theirs for ours, theirs in zip(rates["ours"], rates["stock_fp32"], strict=True)]
    return {
        "precision": encoder.precision,
        "stock_fp32_tokens_per_s": round(statistics.median(rates["stock_fp32"])),
        "ours_tokens_per_s": round(statistics.median(rates["ours"])),
        "ratio": round(statistics.median(ratios), 2),
        "cosine_min": round(float(cosine.min()), 5),
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
