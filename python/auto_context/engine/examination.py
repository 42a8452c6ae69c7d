"""What an installation is made of: versions, models, stores, limits. Loads no model and opens no store."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from auto_context.config import Settings
from auto_context.embed.backend import describe
from auto_context.embed.model import configured_spec
from auto_context.embed.static import StaticModel, locate_static
from auto_context.errors import AutoContextError

PACKAGES = (
    "diskcache", "faiss-cpu", "fastapi", "msgpack", "numpy", "openvino", "psutil", "pynvim", "rapidfuzz", "safetensors",
    "tantivy", "tokenizers", "torch", "transformers", "tree-sitter", "tree-sitter-language-pack", "uvicorn",
)  # fmt: skip
"""Those on which speed and results depend."""


def examine(settings: Settings, cache_dir: Path, stores: Path) -> dict[str, Any]:
    """All of it as plain data; what is wrong with a part stands in it as ``error``."""
    return {
        "python": {"version": platform.python_version(), "executable": sys.executable, "platform": platform.platform()},
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        **_models(settings, cache_dir),
        "stores": _stores(stores),
        "settings": asdict(settings),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _models(settings: Settings, cache_dir: Path) -> dict[str, Any]:
    """``model``, ``static`` and ``embedder``."""
    try:
        spec = configured_spec(settings, cache_dir)
    except AutoContextError as error:
        return {"model": {"name": settings.model, "error": error.to_dict()}, "static": None, "embedder": None}
    model = {
        "name": spec.name,
        "folder": str(spec.folder),
        "dim": spec.dim,
        "max_length": spec.max_length,
        "fingerprint": spec.fingerprint,
    }
    static: dict[str, Any]
    try:
        folder = locate_static(settings, spec, cache_dir)
        made = StaticModel.load(folder) if folder is not None else None
        static = {"ready": made is not None}
        if made is not None:
            static |= {"folder": str(folder), "dim": made.dim, "fingerprint": made.fingerprint}
    except AutoContextError as error:
        static = {"ready": False, "error": error.to_dict()}
    embedder = describe(spec, cache_dir, settings.backend, settings.precision)
    return {"model": model, "static": static, "embedder": embedder}


def _stores(folder: Path) -> list[dict[str, Any]]:
    """Path and bytes of every store, the largest first."""
    found = []
    for mark in folder.glob("*/identity.json"):
        try:
            path = str(json.loads(mark.read_text("utf-8", errors="surrogateescape"))["path"])
        except (OSError, ValueError, TypeError, KeyError):
            path = ""
        size = sum(_size(item) for item in mark.parent.rglob("*"))
        found.append({"path": path, "folder": str(mark.parent), "bytes": size})
    return sorted(found, key=lambda store: (-store["bytes"], store["folder"]))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except OSError:  # a merge may remove it while it is counted
        return 0
