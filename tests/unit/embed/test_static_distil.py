"""Distilling: a tiny random model against the plainest computation of the same thing, then the bundled one."""

import re
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from auto_context.config import Settings
from auto_context.embed import __main__ as command
from auto_context.embed import distil
from auto_context.embed.backend import load
from auto_context.embed.distil import distil_steps, pca_steps, vocabulary, zipf_weights
from auto_context.embed.encoder import Encoder
from auto_context.embed.model import BUNDLED, load_spec, locate_model
from auto_context.embed.static import StaticModel, ready
from auto_context.errors import AutoContextError
from sandbox import CACHE
from tiny_models import SPECIAL, WORDS

MakeModel = Callable[..., Path]
FILES = ["config.json", "model.safetensors", "tokenizer.json"]


def finish(steps: Generator[None, None, Path]) -> tuple[Path, int]:
    """The result, and how often it yielded."""
    count = 0
    while True:
        try:
            next(steps)
            count += 1
        except StopIteration as end:
            return end.value, count


@pytest.fixture
def encoder(make_model: MakeModel, tmp_path: Path) -> Encoder:
    spec = load_spec(make_model(), tmp_path)
    return Encoder(spec, load(spec, tmp_path, "torch", "fp32"))


def principal(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """By singular values; the number of directions is that of the rank."""
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    rank = int((values > values[0] * 1e-6).sum())
    spread: NDArray[np.float64] = left[:, :rank] * values[:rank] ** 0.5 * len(vectors) ** 0.25
    return spread


def test_each_word_through_the_model_alone_reduced_and_weighted(encoder: Encoder, tmp_path: Path) -> None:
    folder, yielded = finish(distil_steps(encoder, tmp_path))
    assert yielded >= 3
    ids = [at for at, word in enumerate(WORDS) if word not in SPECIAL[1:]]
    wanted = principal(run(encoder, ids)) * zipf_weights(len(ids))[:, None]
    tensors = load_file(folder / "model.safetensors")
    rows = tensors["embeddings"][tensors["mapping"][ids]]
    assert rows.dtype == np.float32
    np.testing.assert_allclose(
        rows @ rows.T, wanted @ wanted.T, rtol=1e-3, atol=1e-6
    )  # a direction may be turned round
    assert not tensors["embeddings"][tensors["mapping"][[1, 2, 3]]].any()
    model = StaticModel.load(folder)
    assert model.fingerprint != encoder.spec.fingerprint
    at = ids.index(WORDS.index("heron"))
    np.testing.assert_allclose(model.pool([["heron"]])[0], rows[at] / np.linalg.norm(rows[at]), atol=1e-5)


def run(encoder: Encoder, ids: list[int]) -> NDArray[np.float32]:
    steps = encoder.encode_ids_steps([[2, at, 3] for at in ids])
    while True:
        try:
            next(steps)
        except StopIteration as end:
            vectors: NDArray[np.float32] = end.value
            return vectors


def test_it_makes_the_same_bytes_again(encoder: Encoder, tmp_path: Path) -> None:
    one, other = (finish(distil_steps(encoder, tmp_path / name))[0] for name in ("one", "other"))
    assert sorted(path.name for path in one.iterdir()) == FILES
    assert [(one / name).read_bytes() for name in FILES] == [(other / name).read_bytes() for name in FILES]


def test_what_is_there_is_taken_and_what_is_damaged_made_again(encoder: Encoder, tmp_path: Path) -> None:
    assert ready(encoder.spec, tmp_path) is None
    folder, _ = finish(distil_steps(encoder, tmp_path))
    assert ready(encoder.spec, tmp_path) == folder
    assert finish(distil_steps(encoder, tmp_path)) == (folder, 0)
    whole = {name: (folder / name).read_bytes() for name in FILES}
    for name, data in whole.items():
        half = len(data) // 2
        for damage in (b"", data[:-1], data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :], None):
            if name == "config.json" and damage:
                continue  # only what it says of the other two decides
            (folder / name).unlink()
            if damage is not None:
                (folder / name).write_bytes(damage)
            assert ready(encoder.spec, tmp_path) is None, (name, damage)
            assert finish(distil_steps(encoder, tmp_path))[0] == folder
            assert {file: (folder / file).read_bytes() for file in FILES} == whole
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_two_at_once_do_not_harm_each_other(encoder: Encoder, tmp_path: Path) -> None:
    running = [distil_steps(encoder, tmp_path) for _ in range(3)]
    found = []
    while running:
        for steps in list(running):
            try:
                next(steps)
            except StopIteration as end:
                found.append(end.value)
                running.remove(steps)
    assert len(set(found)) == 1
    assert ready(encoder.spec, tmp_path) == found[0]
    assert [path.name for path in found[0].parent.iterdir()] == [found[0].name]


def test_given_up_half_way_it_leaves_nothing(encoder: Encoder, tmp_path: Path) -> None:
    steps = distil_steps(encoder, tmp_path)
    next(steps)
    steps.close()
    assert not (tmp_path / "static").exists()


def test_a_folder_that_cannot_be_written_is_named(encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "static").write_text("in the way")
    with pytest.raises(AutoContextError) as caught:
        finish(distil_steps(encoder, tmp_path))
    assert caught.value.code == "storage_failed"
    assert str(tmp_path / "static") in caught.value.message


def test_progress_rises_to_the_end(encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distil, "_STEP", 4)
    said: list[float] = []
    finish(distil_steps(encoder, tmp_path, said.append))
    assert len(said) > 3
    assert said == sorted(said)
    assert said[-1] == 1


def test_of_a_large_vocabulary_the_most_frequent(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distil, "MOST_TOKENS", 6)
    model = StaticModel.load(finish(distil_steps(encoder, tmp_path))[0])
    # [PAD], which this tokeniser does not mark as special, query, passage, a colon, red, green
    assert model.pool([[word] for word in ("query", "passage", "red", "green", "blue", "heron")]).any(1).tolist() == [
        *[True] * 4,
        *[False] * 2,
    ]


def test_marks_and_unused_entries_have_no_vector() -> None:
    file = locate_model(BUNDLED) / "tokenizer.json"
    ids, before, after = vocabulary(file)
    tokenizer = Tokenizer.from_file(str(file))
    assert (before, after) == ([101], [102])
    assert ids == sorted(ids)
    names = [tokenizer.id_to_token(at) or "" for at in ids]
    assert not [name for name in names if name.startswith("[unused") or name in ("[PAD]", "[UNK]", "[CLS]", "[MASK]")]
    assert len(ids) == tokenizer.get_vocab_size() - 994 - 5
    assert names.index("the") < names.index("of") < names.index("syntax")


def test_frequent_tokens_weigh_less() -> None:
    weights = zipf_weights(30_000)
    assert weights.dtype == np.float32
    assert (np.diff(weights) > 0).all()
    share = 1 / np.arange(2, 30_002)
    share /= share.sum()
    np.testing.assert_allclose(weights[[0, 999, -1]], 1e-4 / (1e-4 + share[[0, 999, -1]]), rtol=1e-6)


def test_directions_are_ordered_and_half_whitened() -> None:
    generator = np.random.default_rng(5)
    vectors = (generator.standard_normal((3000, 24)) * np.linspace(1, 9, 24) + 4).astype(np.float32)
    steps = pca_steps(vectors, 10)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            reduced = end.value
            break
    assert reduced.shape == (3000, 10)
    np.testing.assert_allclose(reduced.mean(0), 0, atol=1e-4)
    covariance = np.cov(reduced.T, bias=True)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-3)
    largest = np.linalg.eigvalsh(np.cov(vectors.T, bias=True))[::-1][:10]
    np.testing.assert_allclose(np.diag(covariance), np.sqrt(largest), rtol=1e-3)


def test_the_command_makes_the_machine_ready(
    sandbox: dict[str, str],
    make_model: MakeModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AUTO_CONTEXT_CACHE_DIR", str(tmp_path / "cache"))
    settings = Path(sandbox["AUTO_CONTEXT_CONFIG_DIR"]) / "auto-context.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    model = make_model()
    settings.write_text(f'model = "{model}"\n')
    assert command.main() == 0
    first = capsys.readouterr()
    assert re.match(
        rf"{model.name} runs on (torch|openvino) in (fp32|bf16|mixed); static model distilled in ", first.out
    )
    assert first.out.count("\n") == 1
    assert first.err == ""
    made = Path(first.out.strip().rpartition(": ")[2])
    assert made.parent == tmp_path / "cache" / "models" / "static"
    assert command.main() == 0
    assert f"; static model ready: {made} (" in capsys.readouterr().out
    settings.write_text(f'model = "{model}"\nstatic_model = "{made}"\n')
    assert command.main() == 0
    assert str(made) in capsys.readouterr().out
    for text, code in (("modle = 1", "config_invalid"), (f'static_model = "{tmp_path}"', "model_invalid")):
        settings.write_text(text)
        assert command.main() == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith(f"{code}: ")
        assert said.err.count("\n") == 1


def test_the_bundled_model_distils_to_one_that_knows_what_is_alike() -> None:
    cache = CACHE / "models"
    command.prepare(Settings(), cache)
    spec = load_spec(locate_model(BUNDLED), cache)
    folder = ready(spec, cache)
    assert folder is not None
    model = StaticModel.load(folder)
    assert model.dim == distil.DIM
    assert (folder / "model.safetensors").stat().st_size < 32_000_000
    questions = ["remove a user account", "retry when the network connection fails", "read the configuration file"]
    code = ["def delete_member(self, login): ...", "class HttpBackoff: attempts = 5", "fn loadSettings(path: &Path)"]
    near = model.pool([text.split() for text in questions]) @ model.pool([_words(text) for text in code]).T
    assert near.argmax(1).tolist() == [0, 1, 2]
    # Once it is there, the command is done in a moment: nothing of torch is imported.
    script = "import runpy, sys\ntry: runpy.run_module('auto_context.embed', run_name='__main__')\n"
    script += "finally: print('torch' in sys.modules, 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    ready_line, imported = done.stdout.splitlines()
    assert ready_line.endswith(f"; static model ready: {folder} (256 dimensions)")
    assert imported == "False False"


def _words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() or letter == "_" else " " for letter in text).split()
