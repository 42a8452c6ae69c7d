"""Every way of running a model gives the same vectors, from any thread; which one is used is measured once."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from auto_context.chunk import chunk
from auto_context.embed import backend, openvino_backend, torch_backend
from auto_context.embed.backend import Choice, choice, describe, load, prepare_steps, remember
from auto_context.embed.compose import chunk_text, path_text
from auto_context.embed.encoder import Encoder, batches, drain, padded
from auto_context.embed.model import ModelSpec, load_spec, locate_model
from auto_context.errors import AutoContextError

MakeModel = Callable[..., Path]
TEXTS = ["the red heron", "basket", "retry the upload of a token", "login", "green blue " * 12, ""]
SOURCES = sorted(Path(backend.__file__).parent.parent.rglob("*.py"))
STRACE = shutil.which("strace")
RUN = """
import sys
from pathlib import Path
from auto_context.embed.backend import load
from auto_context.embed.encoder import Encoder
from auto_context.embed.model import load_spec
folder, cache, backend = sys.argv[1:]
spec = load_spec(Path(folder), Path(cache))
encoder = Encoder(spec, load(spec, Path(cache), backend, "fp32"))
encoder.encode(["red heron"], "query")
print(encoder.backend, [name for name in ("torch", "transformers", "openvino_telemetry") if sys.modules.get(name)])
"""


def reference(spec: ModelSpec, texts: list[str]) -> np.ndarray[Any, Any]:
    """One text at a time, no padding, fp32, plain transformers."""
    network = AutoModel.from_pretrained(spec.folder, local_files_only=True).eval()
    tokenizer = Tokenizer.from_file(str(spec.folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(spec.max_length)
    rows = []
    for text in texts:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode():
            hidden = network(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        row = {"mean": hidden.mean(0), "cls": hidden[0], "lasttoken": hidden[-1]}[spec.pooling]
        rows.append((row / row.norm()).numpy())
    return np.stack(rows)


def opened(folder: Path, cache_dir: Path, name: str, precision: str = "fp32") -> Encoder:
    spec = load_spec(folder, cache_dir)
    return Encoder(spec, load(spec, cache_dir, name, precision))


@pytest.mark.parametrize("name", ["torch", "openvino"])
@pytest.mark.parametrize(
    ("kind", "pooling"),
    [
        ("bert", "mean_tokens"),  # MiniLM
        ("bert", "cls_token"),  # bge
        ("xlm-roberta", "mean_tokens"),  # multilingual-e5
        ("mpnet", "mean_tokens"),
        ("modernbert", "cls_token"),  # gte-modernbert-base
        ("modernbert", "mean_tokens"),
        ("bert", "lasttoken"),
    ],
)
def test_each_kind_of_model_gives_what_plain_transformers_gives(
    make_model: MakeModel, tmp_path: Path, kind: str, pooling: str, name: str
) -> None:
    prompts = {"prompts": {"query": "query : ", "passage": "passage : "}}
    encoder = opened(
        make_model(kind, pooling=pooling, files={"config_sentence_transformers.json": prompts}), tmp_path, name
    )
    for what, prefix in (("query", "query : "), ("document", "passage : ")):
        expected = reference(encoder.spec, [prefix + text for text in TEXTS])
        np.testing.assert_allclose(encoder.encode(TEXTS, what), expected, atol=1e-4)  # type: ignore[arg-type]  # both are kinds


@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_a_query_beside_the_bulk_gets_its_own_vector(make_model: MakeModel, tmp_path: Path, name: str) -> None:
    encoder = opened(make_model(), tmp_path, name)
    alone = [encoder.encode([text], "query") for text in TEXTS]
    bulk = encoder.encode(TEXTS * 40, "document")
    done, wrong = threading.Event(), []

    def ask() -> None:
        asked = 0
        while not done.is_set() or asked < len(TEXTS):
            found = encoder.encode([TEXTS[asked % len(TEXTS)]], "query")
            wrong.extend([asked] * int(not np.allclose(found, alone[asked % len(TEXTS)], atol=1e-5)))
            asked += 1

    others = [threading.Thread(target=ask) for _ in range(2)]
    for other in others:
        other.start()
    together = [encoder.encode(TEXTS * 40, "document") for _ in range(4)]
    done.set()
    for other in others:
        other.join()
    assert wrong == []
    for found in together:
        np.testing.assert_allclose(found, bulk, atol=1e-5)


def test_a_hurried_step_is_a_quarter_on_one_thread(make_model: MakeModel, tmp_path: Path) -> None:
    encoder = opened(make_model(), tmp_path, "torch")
    texts = ["red green blue heron basket"] * 400
    plain, steps = steps_of(encoder, texts)
    encoder.hurry = True
    hurried, more = steps_of(encoder, texts)
    assert 3.5 <= more / steps <= 5
    np.testing.assert_allclose(plain, hurried, atol=1e-5)


def steps_of(encoder: Encoder, texts: list[str]) -> tuple[np.ndarray[Any, Any], int]:
    running, count = encoder.encode_ids_steps(drain(encoder.tokenise_steps(texts, "document"))), 0
    while True:
        try:
            next(running)
        except StopIteration as end:
            return end.value, count
        count += 1


def test_padding_is_below_a_twentieth_on_real_code_and_its_paths(tmp_path: Path) -> None:
    texts = [path_text(str(path)) for path in SOURCES]
    for path in SOURCES:
        text = path.read_text()
        cut = chunk(text, "python")
        texts += [chunk_text(text, part, "python", cut.symbols) for part in cut.chunks]
    encoder = opened(locate_model("all-MiniLM-L6-v2"), tmp_path, "torch")
    rows = drain(encoder.tokenise_steps(texts, "document"))
    lengths = [padded(len(row), encoder.spec.max_length) for row in rows]
    area = sum(max(lengths[at] for at in batch) * len(batch) for batch in batches(lengths, encoder._lane_tokens, 128))
    assert area < sum(map(len, rows)) / 0.95


@pytest.mark.parametrize(
    ("name", "precision", "least"),
    [("torch", "int8", 0.94), ("openvino", "fp32", 0.99999), ("openvino", "mixed", 0.999)],
)
def test_the_bundled_model_in_other_arithmetic(tmp_path: Path, name: str, precision: str, least: float) -> None:
    folder = locate_model("all-MiniLM-L6-v2")
    texts = [text[:900] for path in SOURCES[:40] if (text := path.read_text())]
    exact = opened(folder, tmp_path, "torch").encode(texts, "document")
    other = opened(folder, tmp_path, name, precision)
    assert (other.backend, other.precision) == (name, precision)
    assert (other.encode(texts, "document") * exact).sum(1).min() >= least


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "mpnet", "modernbert"])
def test_mixed_is_int8_in_the_feed_forward_layers_alone(make_model: MakeModel, tmp_path: Path, kind: str) -> None:
    folder = make_model(kind)
    coarse = opened(folder, tmp_path, "openvino", "mixed").encode(TEXTS, "document")
    assert (coarse * opened(folder, tmp_path, "torch").encode(TEXTS, "document")).sum(1).min() > 0.999
    copy = openvino_backend.copy_folder(load_spec(folder, tmp_path), "mixed", tmp_path)
    # Two layers; of each the one product that has as many inputs as share a scale.
    assert (copy / "model.xml").read_text().count('element_type="i8"') == 2


def test_a_converted_model_needs_no_torch_and_a_damaged_one_is_converted_again(
    make_model: MakeModel, tmp_path: Path
) -> None:
    folder, cache = make_model(), tmp_path / "cache"
    expected = opened(folder, cache, "openvino").encode(TEXTS, "document")
    spec = load_spec(folder, cache)
    copy = openvino_backend.copy_folder(spec, "fp32", cache)
    assert {path.name for path in copy.iterdir()} == {"model.xml", "model.bin", "compiled", "made.json"}
    assert run(folder, cache, "openvino") == "openvino []"
    assert list(prepare_steps(spec, cache, "openvino", "fp32")) == []  # nothing to wait for
    blob = str(next((copy / "compiled").iterdir()).relative_to(copy))
    # Copied elsewhere and back: other stats, the same bytes.
    for path in list(copy.rglob("*.*")):
        shutil.copy(path, tmp_path / "moved")
        (tmp_path / "moved").replace(path)
    assert openvino_backend.whole(copy)
    opened(folder, cache, "openvino")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(openvino_backend, "checksum", lambda path: pytest.fail(f"{path} was read again"))
        assert openvino_backend.whole(copy)
    for name, damage in (("model.bin", b"short"), ("made.json", b"{"), (blob, b"\0" * 4096), ("model.xml", None)):
        path = copy / name
        path.unlink()
        if damage is not None:
            path.write_bytes(damage)
        assert not openvino_backend.whole(copy)
        np.testing.assert_allclose(opened(folder, cache, "openvino").encode(TEXTS, "document"), expected, atol=1e-5)
        assert openvino_backend.whole(copy)
    assert [path.name for path in cache.iterdir() if path.name.startswith("openvino")] == [copy.name]


def test_of_what_was_compiled_for_other_paths_the_last_few_are_kept(make_model: MakeModel, tmp_path: Path) -> None:
    folder, cache = make_model(), tmp_path / "cache"
    expected = opened(folder, cache, "openvino").encode(TEXTS, "document")
    copy = openvino_backend.copy_folder(load_spec(folder, cache), "fp32", cache)
    for at in range(6):
        (tmp_path / f"seen as {at}").symlink_to(cache)
        again = opened(folder, tmp_path / f"seen as {at}", "openvino").encode(TEXTS, "document")
        np.testing.assert_allclose(again, expected, atol=1e-5)
    assert len(list((copy / "compiled").iterdir())) == 4
    assert openvino_backend.whole(copy)


def run(folder: Path, cache: Path, name: str) -> str:
    command = [sys.executable, "-c", RUN, str(folder), str(cache), name]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_fastest_that_is_near_enough_is_chosen_once(make_model: MakeModel, tmp_path: Path) -> None:
    spec = load_spec(make_model(), tmp_path)
    first = load(spec, tmp_path)
    told = describe(spec, tmp_path)
    assert {(item["backend"], item["precision"]) for item in told["candidates"]} >= {
        ("torch", "fp32"),
        ("openvino", first.precision),
    }
    assert (told["backend"], told["precision"]) == (first.name, first.precision)
    near = [item for item in told["candidates"] if item["cosine"] >= 0.999]
    mine = next(item for item in near if (item["backend"], item["precision"]) == (first.name, first.precision))
    assert mine["tokens_per_s"] * 1.11 > max(item["tokens_per_s"] for item in near)
    assert told["by"] == "measurement"
    assert told["measured_at"]
    assert list(prepare_steps(spec, tmp_path, "auto", "auto")) == []
    assert len(list(tmp_path.glob("openvino-*"))) == (first.name == "openvino")  # the copies of the others are gone
    kept = next(tmp_path.glob("backend-*.json"))
    for nonsense in ("", "[]", '{"machine": []}', kept.read_text().replace("measured_at", "measured_when")):
        before = kept.read_text()
        kept.write_text(nonsense)
        assert describe(spec, tmp_path)["by"] == "default"
        kept.write_text(before)


def test_a_copy_that_is_there_keeps_no_other_from_being_measured(make_model: MakeModel, tmp_path: Path) -> None:
    spec = load_spec(make_model(), tmp_path)
    name, precision = backend.candidates()[2]
    load(spec, tmp_path, name, precision)
    load(spec, tmp_path)
    measured = {(item["backend"], item["precision"]) for item in describe(spec, tmp_path)["candidates"]}
    assert measured >= {(name, precision), ("openvino", "mixed")}


def test_what_is_quick_and_wrong_is_never_chosen(make_model: MakeModel, tmp_path: Path) -> None:
    spec = load_spec(make_model(), tmp_path)
    measured(
        spec,
        tmp_path,
        ("torch", "fp32", 10.0, 1.0),
        ("torch", "bf16", 20.0, 0.9999),
        ("openvino", "bf16", 90.0, 0.9989),
    )
    assert chosen(spec, tmp_path) == ("torch", "bf16")
    assert chosen(spec, tmp_path, precision="fp32") == ("torch", "fp32")
    assert chosen(spec, tmp_path, precision="int8") == ("torch", "int8")
    assert chosen(spec, tmp_path, precision="mixed") == ("openvino", "mixed")
    assert chosen(spec, tmp_path, "openvino", "bf16") == ("openvino", "bf16")
    assert describe(spec, tmp_path, "openvino", "fp32")["by"] == "settings"


@pytest.mark.parametrize(
    ("bf16", "fp32", "mixed", "expected"),
    [
        (30.0, 20.0, 32.0, ("openvino", "bf16")),
        (30.0, 20.0, 34.0, ("openvino", "mixed")),
        (21.0, 20.0, 21.5, ("openvino", "fp32")),
        (9.0, 8.0, 9.0, ("torch", "fp32")),
    ],
)
def test_a_coarser_precision_must_be_worth_it(
    make_model: MakeModel, tmp_path: Path, bf16: float, fp32: float, mixed: float, expected: tuple[str, str]
) -> None:
    spec = load_spec(make_model(), tmp_path)
    measured(
        spec, tmp_path, ("torch", "fp32", 10.0, 1.0), ("openvino", "bf16", bf16, 0.9999),
        ("openvino", "fp32", fp32, 1.0), ("openvino", "mixed", mixed, 0.9995),
    )  # fmt: skip
    assert chosen(spec, tmp_path) == expected


def measured(spec: ModelSpec, cache: Path, *rows: tuple[str, str, float, float]) -> None:
    """Say what was measured: backend, precision, tokens a second, cosine."""
    keys = ("backend", "precision", "tokens_per_s", "cosine")
    remember(spec, cache, Choice("", "", tuple(dict(zip(keys, row, strict=True)) for row in rows), "2026-01-01"))


def chosen(spec: ModelSpec, cache: Path, name: str = "auto", precision: str = "auto") -> tuple[str, str]:
    found = choice(spec, cache, name, precision)
    return found.backend, found.precision


@pytest.mark.parametrize(
    ("cuda", "mps", "bf16", "device", "precision"),
    [
        (True, False, True, "cuda", True),
        (True, False, False, "cuda", False),
        (False, True, True, "mps", False),
        (False, False, True, "cpu", True),
    ],
)
def test_a_gpu_is_used_where_torch_finds_one(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, bf16: bool, device: str, precision: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bf16)
    monkeypatch.setattr(torch_backend, "native_bf16", lambda: bf16)
    assert torch_backend._device() == device
    assert torch_backend._bf16(device) is precision


def test_a_device_of_its_own_takes_one_large_batch_after_the_other(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another name of the processor: to the code it is a device like a GPU.
    monkeypatch.setattr(torch_backend, "_device", lambda: "cpu:0")
    encoder = opened(make_model(), tmp_path, "torch", "auto")
    assert (encoder._backend.lanes, encoder._backend.tokens, encoder.precision) == (1, 16_384, "fp32")
    np.testing.assert_allclose(encoder.encode(TEXTS, "document"), reference(encoder.spec, TEXTS), atol=1e-4)


def test_another_machine_measures_for_itself(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = load_spec(make_model(), tmp_path)
    remember(spec, tmp_path, Choice("", "", (), "2026-01-01"))
    assert describe(spec, tmp_path)["measured_at"] == "2026-01-01"
    monkeypatch.setattr(backend, "processor", lambda: "another")
    assert describe(spec, tmp_path)["measured_at"] == ""


def test_what_cannot_be_had_is_said_with_a_hint(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = load_spec(make_model(), tmp_path)
    for name, precision in (("openvino", "int8"), ("torch", "mixed")):
        with pytest.raises(AutoContextError) as caught:
            load(spec, tmp_path, name, precision)
        assert caught.value.code == "config_invalid"
    monkeypatch.setattr(backend, "has_openvino", lambda: False)
    for name, precision in (("openvino", "auto"), ("auto", "mixed")):
        with pytest.raises(AutoContextError) as caught:
            load(spec, tmp_path, name, precision)
        assert "auto-context[openvino]" in caught.value.hint
    assert ("openvino", "fp32") not in backend.candidates()


def test_a_model_that_cannot_be_converted_is_refused_with_its_reason(make_model: MakeModel, tmp_path: Path) -> None:
    folder = make_model()
    (folder / "model.safetensors").write_bytes(b"\0" * 64)
    for name in ("openvino", "auto"):
        with pytest.raises(AutoContextError) as caught:
            opened(folder, tmp_path, name)
        assert caught.value.code == "model_invalid"
        assert str(folder) in caught.value.message


@pytest.mark.skipif(STRACE is None, reason="strace is not installed: that nothing connects was NOT checked")
@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_no_backend_opens_a_connection(make_model: MakeModel, tmp_path: Path, name: str) -> None:
    folder, log = make_model(), tmp_path / "calls"
    # Both times: while it is converted, and from the cache.
    for _ in range(2):
        assert traced([sys.executable, "-c", RUN, str(folder), str(tmp_path), name], log) == []


@pytest.mark.skipif(STRACE is None, reason="strace is not installed: the test above could not be trusted")
def test_a_connection_would_be_seen(tmp_path: Path) -> None:
    connect = "import socket; socket.socket(socket.AF_INET).connect_ex(('127.0.0.1', 9))"
    assert traced([sys.executable, "-c", connect], tmp_path / "calls")


def traced(command: list[str], log: Path) -> list[str]:
    """The calls of a command and its children that concern the internet."""
    trace = [str(STRACE), "-f", "-qq", "-e", "trace=socket,connect,sendto", "-o", str(log)]
    subprocess.run([*trace, *command], check=True, capture_output=True, env={**os.environ, "CI": ""})
    return [line for line in log.read_text().splitlines() if "AF_INET" in line]
