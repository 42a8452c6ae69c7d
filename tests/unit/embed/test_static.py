"""Static models: folders that are read, pooling, bytes. Models are written by the test, as model2vec lays them out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from auto_context.config import Settings
from auto_context.embed import static
from auto_context.embed.model import load_spec
from auto_context.embed.quantise import quantise, restore
from auto_context.embed.static import StaticModel, locate_static, with_symbols
from auto_context.errors import AutoContextError

TEXTS = [
    "retry the upload of a broken basket with a token",
    "login session handling for the red heron",
    "the red the heron",
]
PIECES = (
    "the re ##try up ##load of a broken basket with token log ##in session hand ##ling for red heron".split()  # noqa: SIM905 - people read it
)
MERGES = ["t h", "th e", "Ġ r", "e t", "Ġr et", "l o", "a d", "Ġ the", "lo ad", "Ġ u"]


def word_piece() -> Tokenizer:
    """Some words whole, some in pieces; others are unknown, but for those of the letter t."""
    names = ["[PAD]", "[UNK]", "[CLS]", *PIECES, "t", "##t"]
    unknown = names[1]
    tokenizer = Tokenizer(models.WordPiece({name: at for at, name in enumerate(names)}, unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]"])
    return tokenizer


def byte_level() -> Tokenizer:
    """Bytes and a few merges; a word within a text begins with its space."""
    names = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(merge.replace(" ", "") for merge in MERGES)]
    merges = [(left, right) for left, right in map(str.split, MERGES)]
    tokenizer = Tokenizer(models.BPE({name: at for at, name in enumerate(names)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def write(folder: Path, tokenizer: Tokenizer, **tensors: NDArray[Any]) -> Path:
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "model2vec", "normalize": true}')
    return folder


def random(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(3).standard_normal(shape, np.float32)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return scaled


@pytest.mark.parametrize("make", [word_piece, byte_level])
def test_words_give_what_the_whole_text_gives(tmp_path: Path, make: Callable[[], Tokenizer]) -> None:
    tokenizer = make()
    vectors = random(tokenizer.get_vocab_size(), 24)
    model = StaticModel.load(write(tmp_path / "m", tokenizer, embeddings=vectors))
    for text in TEXTS:
        # The first word of a text has no space before it, which a byte-level tokeniser would tell apart.
        found, counts = np.unique(tokenizer.encode(f" {text}").ids, return_counts=True)
        wanted = unit(np.sqrt(counts) @ vectors[found])
        np.testing.assert_allclose(model.pool([text.split()])[0], wanted, atol=1e-6)


def test_without_repeats_it_is_the_mean_of_a_text_without_its_punctuation(tmp_path: Path) -> None:
    tokenizer = word_piece()
    vectors = random(tokenizer.get_vocab_size(), 24)
    model = StaticModel.load(write(tmp_path / "m", tokenizer, embeddings=vectors))
    ids = tokenizer.encode("retry(the.upload) -> session;").ids
    known = [at for at in ids if at != 1]
    assert len(set(known)) == len(known) < len(ids)
    np.testing.assert_allclose(
        model.pool([["retry", "the", "upload", "session"]])[0], unit(vectors[known].mean(0)), atol=1e-6
    )


def test_repeats_count_as_their_root_and_identifiers_as_their_parts(tmp_path: Path) -> None:
    tokenizer = word_piece()
    vectors = random(tokenizer.get_vocab_size(), 24)
    model = StaticModel.load(write(tmp_path / "m", tokenizer, embeddings=vectors))
    sums = {word: vectors[tokenizer.encode(word).ids].sum(0) for word in ("the", "retry", "upload")}
    assert not set(tokenizer.encode("the").ids) & set(tokenizer.encode("retry").ids)
    four = model.pool([["the", "retry", "the", "the", "the"]])
    np.testing.assert_allclose(four[0], unit(2 * sums["the"] + sums["retry"]), atol=1e-6)
    same = model.pool([["retry", "upload"], ["retryUpload"], ["RETRY_UPLOAD"], ["RetryUpload"], ["upload", "retry"]])
    np.testing.assert_array_equal(same, np.tile(same[0], (5, 1)))


def test_nothing_known_is_a_row_of_zeros(tmp_path: Path) -> None:
    tokenizer = word_piece()
    model = StaticModel.load(write(tmp_path / "m", tokenizer, embeddings=random(tokenizer.get_vocab_size(), 8)))
    pooled = model.pool([[], ["漢字"], ["\udcff"], ["the"], ["t" * 61], ["☃", ""]])
    assert pooled.dtype == np.float32
    assert [bool(row.any()) for row in pooled] == [False, False, False, True, False, False]
    assert model.pool([["t" * 60]]).any()
    assert model.pool([]).shape == (0, 8)
    assert model.pool_ids([]).shape == (0, 8)
    assert model.pool([["the", "漢字"]]).tobytes() == pooled[3:4].tobytes()


def test_ids_give_what_words_give_in_any_company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static, "_GATHERED", 2)
    monkeypatch.setattr(static, "_BLOCK", 2)
    tokenizer = word_piece()
    model = StaticModel.load(write(tmp_path / "m", tokenizer, embeddings=random(tokenizer.get_vocab_size(), 24)))
    bags = [text.split() for text in TEXTS] + [[], ["token"]]
    words = sorted({word for bag in bags for word in bag})
    ids = dict(zip(words, model.word_ids(words), strict=True))
    by_id = model.pool_ids([np.array([ids[word] for word in bag], np.int32) for bag in bags])
    by_word = model.pool(bags)
    np.testing.assert_array_equal(by_id, by_word)
    np.testing.assert_array_equal(np.concatenate([model.pool([bag]) for bag in bags]), by_word)
    model.forget()
    assert model.word_ids(["token"]).tolist() == [0]


def test_a_full_table_of_words_starts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = word_piece()
    model = StaticModel.load(write(tmp_path / "m", tokenizer, embeddings=random(tokenizer.get_vocab_size(), 24)))
    monkeypatch.setattr(static, "_MOST_WORDS", 3)
    bags = [text.split() for text in TEXTS]
    held = model.word_ids(["heron"])
    first = model.pool(bags)
    np.testing.assert_array_equal(model.pool(bags[::-1]), first[::-1])
    assert len(model._known) <= len({word for bag in bags for word in bag})
    np.testing.assert_array_equal(model.pool_ids([held]), model.pool([["heron"]]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8])
@pytest.mark.parametrize("extra", [(), ("mapping",), ("weights",), ("mapping", "weights")])
def test_ready_made_layouts(tmp_path: Path, dtype: Any, extra: tuple[str, ...]) -> None:
    tokenizer = word_piece()
    size = tokenizer.get_vocab_size()
    few = (random(size // 2, 8) * 40).astype(dtype)
    mapping = np.arange(size) % len(few)
    weights = np.linspace(0.1, 2, size, dtype=np.float32)
    tensors: dict[str, NDArray[Any]] = {"embeddings": few if "mapping" in extra else few[mapping]}
    tensors |= {name: mapping if name == "mapping" else weights for name in extra}
    model = StaticModel.load(write(tmp_path / "m", tokenizer, **tensors))
    tokens = few[mapping].astype(np.float32) * (weights[:, None] if "weights" in extra else 1)
    words = ["the", "upload", "session"]
    ids = tokenizer.encode(" ".join(words)).ids
    assert len(set(mapping[ids])) == len(ids)  # else two tokens of one vector count as one that occurs twice
    np.testing.assert_allclose(model.pool([words])[0], unit(tokens[ids].sum(0)), atol=1e-5)


def test_a_fingerprint_is_of_what_decides_the_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = word_piece()
    vectors = random(tokenizer.get_vocab_size(), 8)
    one = write(tmp_path / "one", tokenizer, embeddings=vectors)
    first = StaticModel.load(one).fingerprint
    assert len(bytes.fromhex(first)) >= 8
    assert StaticModel.load(write(tmp_path / "two", tokenizer, embeddings=vectors)).fingerprint == first
    assert StaticModel.load(write(tmp_path / "three", tokenizer, embeddings=vectors + 1)).fingerprint != first
    monkeypatch.setattr(static, "POOLING_VERSION", static.POOLING_VERSION + 1)
    assert StaticModel.load(one).fingerprint != first


def test_what_is_no_static_model_says_so(tmp_path: Path) -> None:
    tokenizer = word_piece()
    size = tokenizer.get_vocab_size()
    whole = write(tmp_path / "whole", tokenizer, embeddings=random(size, 8))
    broken = {
        "other": write(tmp_path / "other", tokenizer, tokens=random(size, 8)),
        "flat": write(tmp_path / "flat", tokenizer, embeddings=random(size)),
        "empty": write(tmp_path / "empty", tokenizer, embeddings=random(0, 8)),
        "outside": write(tmp_path / "outside", tokenizer, embeddings=random(4, 8), mapping=np.arange(size)),
        "weights": write(tmp_path / "weights", tokenizer, embeddings=random(size, 8), weights=random(size - 1)),
        "type": write(tmp_path / "type", tokenizer, embeddings=np.ones((size, 8), np.int64)),
        "cut": write(tmp_path / "cut", tokenizer, embeddings=random(size, 8)),
        "words": write(tmp_path / "words", tokenizer, embeddings=random(size, 8)),
        "none": write(tmp_path / "none", tokenizer, embeddings=random(size, 8)),
    }
    data = (whole / "model.safetensors").read_bytes()
    (broken["cut"] / "model.safetensors").write_bytes(data[:-1])
    (broken["words"] / "tokenizer.json").write_text("{")
    (broken["none"] / "model.safetensors").unlink()
    for name, folder in broken.items():
        with pytest.raises(AutoContextError) as caught:
            StaticModel.load(folder)
        assert (name, caught.value.code) == (name, "model_invalid")
        assert str(folder) in caught.value.message
    with pytest.raises(AutoContextError) as caught:
        StaticModel.load(tmp_path / "nowhere")
    assert caught.value.code == "model_missing"


def test_bytes_keep_the_direction() -> None:
    vectors = unit(random(500, 256))
    vectors[7] = 0
    rows = quantise(vectors)
    assert rows.dtype == np.int8
    assert np.abs(rows).max(1)[:7].tolist() == [127] * 7
    back = restore(rows)
    cosine = (back * vectors).sum(1)
    assert np.delete(cosine, 7).min() >= 0.999
    assert not back[7].any()
    np.testing.assert_allclose(np.linalg.norm(np.delete(back, 7, 0), axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(quantise(vectors * 9)[:9], rows[:9])
    assert quantise(vectors[:0]).shape == restore(rows[:0]).shape == (0, 256)


def test_a_symbol_counts_half_as_much_as_the_text() -> None:
    body, symbol = unit(random(2, 2, 8))
    np.testing.assert_allclose(with_symbols(body, symbol), unit(body + symbol / 2), atol=1e-6)
    np.testing.assert_allclose(with_symbols(body, symbol * 0), body, atol=1e-6)


def test_a_configured_model_is_taken_instead(tmp_path: Path, make_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load_spec(make_model(), tmp_path)
    tokenizer = word_piece()
    own = write(tmp_path / "own", tokenizer, embeddings=random(tokenizer.get_vocab_size(), 8))
    assert locate_static(Settings(), spec, tmp_path) is None
    assert locate_static(Settings(static_model=str(own)), spec, tmp_path) == own
    hub = tmp_path / "hub" / "models--someone--potion"
    (hub / "refs").mkdir(parents=True)
    (hub / "refs" / "main").write_text("abc123")
    (hub / "snapshots").mkdir()
    own.rename(hub / "snapshots" / "abc123")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert locate_static(Settings(static_model="someone/potion"), spec, tmp_path) == hub / "snapshots" / "abc123"
    for name, code in (
        (str(own), "model_missing"),
        ("someone/else", "model_missing"),
        (str(tmp_path), "model_invalid"),
    ):
        with pytest.raises(AutoContextError) as caught:
            locate_static(Settings(static_model=name), spec, tmp_path)
        assert (name, caught.value.code) == (name, code)


def test_the_prepared_folder_names_its_files(tmp_path: Path, make_model: Any) -> None:
    spec = load_spec(make_model(), tmp_path)
    folder = static.distilled_folder(spec, tmp_path)
    assert folder.parent == tmp_path / "static"
    folder.mkdir(parents=True)
    for content in ("", "[]", "{", json.dumps({"sha256": {}})):
        (folder / "config.json").write_text(content)
        assert static.ready(spec, tmp_path) is None
