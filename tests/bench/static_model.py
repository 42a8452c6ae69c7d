"""A static model for semble, in model2vec's layout: its own comes from a hub, and nothing here goes to a network.

Each entry of the vocabulary goes through the bundled transformer by itself, is reduced by PCA and weighted by its rank
(model2vec's distillation, with its constants). Semble's speed depends on the size of the table, not on what is in it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from transformers import AutoModel

from auto_context.embed.model import locate_model

DIM = 256
"""That of semble's own model, potion-code-16M."""
_SIF = 1e-4
_BATCH = 1024


def distilled(folder: Path) -> Path:
    """A folder with ``model.safetensors``, ``tokenizer.json`` and ``config.json``, made when it is missing."""
    if (folder / "config.json").exists():
        return folder
    source = locate_model("all-MiniLM-L6-v2")
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    model = AutoModel.from_pretrained(source, local_files_only=True).eval()
    first, last = (float(tokenizer.token_to_id(name) or 0) for name in ("[CLS]", "[SEP]"))
    rows = []
    with torch.inference_mode():
        for at in range(0, tokenizer.get_vocab_size(), _BATCH):
            part = torch.arange(at, min(at + _BATCH, tokenizer.get_vocab_size()))
            ids = torch.stack([torch.full_like(part, first), part, torch.full_like(part, last)], 1)
            rows.append(model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.mean(1))
    table = torch.cat(rows).numpy().astype(np.float64)
    table -= table.mean(0)
    _, vectors = np.linalg.eigh(table.T @ table)
    odds = 1 / np.arange(2, len(table) + 2)
    weights = _SIF / (_SIF + odds / odds.sum())
    reduced = (table @ vectors[:, ::-1][:, :DIM] * weights[:, None]).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"embeddings": np.ascontiguousarray(reduced)}, folder / "model.safetensors")
    shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")
    # Last: it says that the folder is whole.
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True, "hidden_dim": DIM}))
    return folder
