"""The model at work, against the plainest computation of the same thing."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModel

from auto_context.embed.backend import Vectors
from auto_context.embed.encoder import Encoder, batches
from auto_context.embed.model import load_spec, locate_model
from auto_context.embed.torch_backend import TorchBackend, pool
from auto_context.errors import AutoContextError

MakeModel = Callable[..., Path]
TEXTS = ["the red heron", "basket", "retry the upload of a token", "login", "green blue " * 20, ""]


def encoder_of(folder: Path, cache_dir: Path) -> Encoder:
    spec = load_spec(folder, cache_dir)
    return Encoder(spec, TorchBackend(spec, "fp32"))


def reference(folder: Path, texts: list[str], pooling: str, max_length: int) -> np.ndarray[Any, Any]:
    """One text at a time, no padding, fp32."""
    network = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    rows = []
    for text in texts:
        with torch.inference_mode():
            hidden = network(input_ids=torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0]
        row = {"mean": hidden.mean(0), "cls": hidden[0], "max": hidden.amax(0), "lasttoken": hidden[-1]}[pooling]
        rows.append((row / row.norm()).numpy())
    return np.stack(rows)


@pytest.mark.parametrize("kind", ["bert", "modernbert"])
@pytest.mark.parametrize(("flag", "pooling"), [("mean_tokens", "mean"), ("cls_token", "cls"), ("max_tokens", "max")])
def test_batches_with_padding_give_what_one_at_a_time_gives(
    make_model: MakeModel, tmp_path: Path, kind: str, flag: str, pooling: str
) -> None:
    folder = make_model(kind, pooling=flag)
    vectors = encoder_of(folder, tmp_path).encode(TEXTS, "document")
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), 32)
    np.testing.assert_allclose(vectors, reference(folder, TEXTS, pooling, 64), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_the_last_token_is_the_last_of_each_text(make_model: MakeModel, tmp_path: Path) -> None:
    folder = make_model(pooling="lasttoken")
    vectors = encoder_of(folder, tmp_path).encode(TEXTS, "document")
    np.testing.assert_allclose(vectors, reference(folder, TEXTS, "lasttoken", 64), atol=1e-4)


def test_weighted_mean_counts_later_tokens_more() -> None:
    hidden = torch.tensor([[[1.0], [4.0], [9.0]]])
    pooled = pool(hidden, torch.tensor([[1, 1, 0]]), "weightedmean")
    assert pooled.item() == pytest.approx((1 * 1 + 2 * 4) / 3)


def test_prompts_precede_what_they_are_for(make_model: MakeModel, tmp_path: Path) -> None:
    prompts = {"prompts": {"query": "query : ", "document": "passage : "}}
    folder = make_model(files={"config_sentence_transformers.json": prompts})
    encoder = encoder_of(folder, tmp_path)
    for kind, prefix in (("query", "query : "), ("document", "passage : ")):
        expected = reference(folder, [prefix + "red heron"], "mean", 64)
        np.testing.assert_allclose(encoder.encode(["red heron"], kind), expected, atol=1e-4)  # type: ignore[arg-type]  # both are kinds


def test_text_is_cut_at_the_models_length_and_lowered_when_it_asks(make_model: MakeModel, tmp_path: Path) -> None:
    files = {"sentence_bert_config.json": {"max_seq_length": 6, "do_lower_case": True}}
    folder = make_model(files=files)
    encoder = encoder_of(folder, tmp_path)
    long, short = encoder.encode(["RED green blue heron basket upload", "red green blue heron"], "document")
    np.testing.assert_allclose(long, short, atol=1e-5)


def test_nothing_gives_nothing_and_odd_text_gives_a_vector(make_model: MakeModel, tmp_path: Path) -> None:
    encoder = encoder_of(make_model(), tmp_path)
    assert encoder.encode([], "document").shape == (0, 32)
    assert np.isfinite(encoder.encode(["\udcff", "\0", "  ", "e\u0301"], "document")).all()


def test_steps_are_small_and_keep_the_order(make_model: MakeModel, tmp_path: Path) -> None:
    encoder = encoder_of(make_model(), tmp_path)
    encoder._lane_tokens = 8
    steps, texts = encoder.encode_steps(TEXTS * 3, "document"), 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            vectors = end.value
            break
        texts += 1
    assert texts >= 9
    np.testing.assert_allclose(vectors[: len(TEXTS)], vectors[-len(TEXTS) :], atol=1e-5)


def test_batches_hold_texts_of_like_length_within_the_budget() -> None:
    lengths = [int(length) for length in np.random.default_rng(3).integers(20, 256, 200)] + [300, 2000, 6, 5, 7]
    found = batches(lengths, 1024, 128)
    assert sorted(at for batch in found for at in batch) == list(range(len(lengths)))
    padded = 0
    for batch in found:
        area = max(lengths[at] for at in batch) * len(batch)
        assert area <= 1024 or len(batch) == 1
        padded += area
    assert padded <= 1.05 * sum(lengths)
    assert batches([], 1024, 128) == []


def test_no_more_texts_run_at_once_than_the_settings_say(make_model: MakeModel, tmp_path: Path) -> None:
    spec = load_spec(make_model(), tmp_path)
    assert [len(batch) for batch in batches([5] * 10, 1024, 4)] == [4, 4, 2]
    encoder = Encoder(spec, TorchBackend(spec, "fp32"), most=2)
    seen: list[int] = []
    forward = encoder._forward

    def noted(rows: list[list[int]]) -> Vectors:
        seen.append(len(rows))
        return forward(rows)

    encoder._forward = noted  # type: ignore[method-assign]  # to see what runs at once
    vectors = encoder.encode(TEXTS * 3, "document")
    assert max(seen) == 2
    assert sum(seen) == len(vectors) == 3 * len(TEXTS)


def test_bf16_points_where_fp32_points(make_model: MakeModel, tmp_path: Path) -> None:
    spec = load_spec(make_model(), tmp_path)
    coarse, fine = (Encoder(spec, TorchBackend(spec, precision)) for precision in ("bf16", "fp32"))
    assert (coarse.precision, fine.precision) == ("bf16", "fp32")
    cosine = (coarse.encode(TEXTS, "document") * fine.encode(TEXTS, "document")).sum(1)
    assert cosine.min() > 0.999


def test_weights_that_lack_a_part_are_refused(make_model: MakeModel, tmp_path: Path) -> None:
    folder = make_model()
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(AutoContextError) as caught:
        encoder_of(folder, tmp_path)
    assert caught.value.code == "model_invalid"
    assert "encoder.layer.1.output.dense.weight" in caught.value.message


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_broken_files_are_refused_with_a_code(make_model: MakeModel, tmp_path: Path, name: str) -> None:
    folder = make_model()
    (folder / name).write_bytes(b"\x00" * 64)
    with pytest.raises(AutoContextError) as caught:
        encoder_of(folder, tmp_path)
    assert caught.value.code == "model_invalid"


def test_a_width_that_is_not_the_models_is_refused(make_model: MakeModel, tmp_path: Path) -> None:
    spec = dataclasses.replace(load_spec(make_model(), tmp_path), dim=16)
    with pytest.raises(AutoContextError) as caught:
        Encoder(spec, TorchBackend(spec, "fp32")).encode(["red"], "document")
    assert caught.value.code == "model_invalid"


def test_the_bundled_model_gives_what_plain_transformers_gives(tmp_path: Path) -> None:
    folder = locate_model("all-MiniLM-L6-v2")
    encoder = encoder_of(folder, tmp_path)
    texts = [
        "log a user in with name and password",
        "def authenticate(username, secret): return check_hash(username, secret)",
        "def draw_circle(x, y, radius): canvas.arc(x, y, radius)",
    ]
    vectors = encoder.encode(texts, "document")
    np.testing.assert_allclose(vectors, reference(folder, texts, "mean", 256), atol=1e-4)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_the_libraries_are_kept_from_every_hub() -> None:
    code = (
        "import os; from auto_context.embed import encoder;"
        "from huggingface_hub import constants;"
        "print(constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_TELEMETRY, os.environ['TRANSFORMERS_OFFLINE'])"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    done = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "1"]


def test_vectors_that_are_no_numbers_are_a_fault_of_the_model(make_model: MakeModel, tmp_path: Path) -> None:
    folder = make_model()
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.1.output.dense.bias"].fill_(float("nan"))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(AutoContextError, match="no numbers") as caught:
        encoder_of(folder, tmp_path).encode(TEXTS, "document")
    assert caught.value.code == "model_invalid"
