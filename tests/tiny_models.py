"""Tiny models with random weights, laid out as real ones are."""

import json
import re
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    ModernBertConfig,
    ModernBertModel,
    MPNetConfig,
    MPNetModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [*SPECIAL, *re.findall(r"\S+", "query passage : red green blue heron basket upload retry login token the a of")]


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token=SPECIAL[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    # What a published tokenizer.json may carry and must not decide anything.
    tokenizer.enable_padding(length=8, pad_id=0, pad_token=SPECIAL[0])
    tokenizer.enable_truncation(4)
    return tokenizer


def _network(kind: str) -> Any:
    torch.manual_seed(7)
    sizes: dict[str, Any] = {
        "vocab_size": len(WORDS),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    if kind == "modernbert":
        special: dict[str, Any] = {
            "pad_token_id": 0,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "cls_token_id": 2,
            "sep_token_id": 3,
        }
        # Windows much shorter than the texts, as the published one's 128 tokens are.
        special |= {"local_attention": 8, "global_attn_every_n_layers": 2}
        return ModernBertModel(ModernBertConfig(**sizes, **special, intermediate_size=64, max_position_embeddings=64))
    if kind == "xlm-roberta":
        # As published: its padding is token 1, and its positions start behind it.
        return XLMRobertaModel(
            XLMRobertaConfig(**sizes, intermediate_size=64, max_position_embeddings=66, pad_token_id=1)
        )
    if kind == "mpnet":
        return MPNetModel(MPNetConfig(**sizes, intermediate_size=64, max_position_embeddings=66, pad_token_id=1))
    return BertModel(BertConfig(**sizes, intermediate_size=64, max_position_embeddings=64))


def write_model(
    parent: Path, kind: str = "bert", *, pooling: str | None = "mean_tokens", files: dict[str, Any] | None = None
) -> Path:
    """Write a model's folder below ``parent``: its kind, pooling, and the files beside it as JSON."""
    folder = parent / f"tiny-{kind}-{pooling}"
    _network(kind).save_pretrained(folder, safe_serialization=True)
    _tokenizer().save(str(folder / "tokenizer.json"))
    extra = dict(files or {})
    if pooling is not None:
        types = "sentence_transformers.models."
        extra["modules.json"] = [
            {"path": "", "type": f"{types}Transformer"},
            {"path": "1_Pooling", "type": f"{types}Pooling"},
        ]
        extra["1_Pooling/config.json"] = {"word_embedding_dimension": 32, f"pooling_mode_{pooling}": True}
    for name, content in extra.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    return folder
