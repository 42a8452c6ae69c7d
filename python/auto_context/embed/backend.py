"""Which of the installed ways to run a model is used: chosen by the settings, else by a short measurement, once.

The measurement runs in a process of its own (``embed.prepare``): it needs torch, which the chosen one may not. What it
found is kept in the cache folder until a package, the processor or the model changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from auto_context.embed.environment import OPENVINO_HINT, cores, has_openvino, native_bf16, processor, version_of
from auto_context.embed.model import ModelSpec
from auto_context.errors import AutoContextError
from auto_context.paths import require_writable

Array = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]

MAX_LANES = 8
NEAREST_COSINE = 0.999
"""Vectors this near to fp32's are interchangeable with them; a candidate further off is never chosen by itself."""
_FINEST_FIRST = ("fp32", "bf16", "mixed")
_WORTH = 1.1
"""How much quicker a coarser precision must be: a measurement of a second varies by some per cent."""
_POLL_S = 0.05


class Backend(Protocol):
    """Runs a model. Any number of threads may call ``run`` at once."""

    name: str
    precision: str
    lanes: int
    """How many calls at once make the most of this machine."""
    tokens: int
    """Tokens of one call of about 40 ms, for a model of a 6-layer MiniLM's size."""
    parameters: int
    """Of the layers, without embeddings; 0 when unknown."""

    def run(self, ids: Array, mask: Array) -> Vectors:
        """Token ids [n, t] and their mask, padding on the right, to float32 [n, dim], each row of length 1."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What runs a model here."""

    backend: str
    precision: str
    candidates: tuple[dict[str, Any], ...] = ()
    """What was measured: backend, precision, tokens_per_s, cosine (to fp32, the least)."""
    measured_at: str = ""
    """ISO 8601; empty when nothing was."""


def prepare_steps(spec: ModelSpec, cache_dir: Path, backend: str, precision: str) -> Iterator[None]:
    """Make what ``load`` needs, yielding about every 50 ms: a measurement, a converted copy. Nothing when it is there.

    Raises:
        AutoContextError: ``config_invalid`` for settings that no backend fulfils, ``model_invalid``; ``storage_failed``
            when it could not be kept.
    """
    _check(backend, precision)
    if _ready(spec, cache_dir, backend, precision):
        return
    require_writable(cache_dir)
    job = _Preparation.of(spec, cache_dir, backend, precision)
    while not job.wait(_POLL_S):
        yield


def stop_preparing() -> None:
    """End what ``prepare_steps`` began in this process; nobody waits for it any more."""
    for one in _Preparation.all():
        one.stop()


def load(spec: ModelSpec, cache_dir: Path, backend: str = "auto", precision: str = "auto") -> Backend:
    """The backend for a model, prepared first where needed.

    Raises:
        AutoContextError: as ``prepare_steps``.
    """
    for _ in prepare_steps(spec, cache_dir, backend, precision):
        pass
    chosen = choice(spec, cache_dir, backend, precision)
    if chosen.backend == "openvino":
        from auto_context.embed import openvino_backend  # noqa: PLC0415 - only where it was chosen

        copy = openvino_backend.copy_folder(spec, chosen.precision, cache_dir)
        try:
            return openvino_backend.OpenVinoBackend(copy, chosen.precision)
        except RuntimeError as error:
            reason = str(error).strip().rpartition("\n")[2]
            raise AutoContextError("model_invalid", f"OpenVINO cannot run {spec.name}: {reason}") from error
    from auto_context.embed.torch_backend import TorchBackend  # noqa: PLC0415 - as above

    return TorchBackend(spec, chosen.precision)


def choice(spec: ModelSpec, cache_dir: Path, backend: str, precision: str) -> Choice:
    """What runs a model by the settings and by what was measured; nothing is measured here."""
    usual = precision if precision != "auto" else ("bf16" if native_bf16() else "fp32")
    if backend == "torch" or precision == "int8":
        return Choice("torch", precision)
    if backend == "openvino" or precision == "mixed":
        return Choice("openvino", usual)
    measured = _measured(spec, cache_dir)
    if measured is None:
        return Choice("torch", precision)
    best = _best([item for item in measured.candidates if item["cosine"] >= NEAREST_COSINE])
    return replace(measured, backend=best["backend"], precision=best["precision"] if precision == "auto" else precision)


def _best(near: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The quickest of some candidates; of much the same, the most exact."""
    best: dict[str, Any] = {"backend": "torch", "precision": "fp32", "tokens_per_s": 0.0}
    for precision in _FINEST_FIRST:
        of_this = [item for item in near if item["precision"] == precision]
        quickest = max(of_this, key=lambda item: item["tokens_per_s"], default=best)
        if quickest["tokens_per_s"] > _WORTH * best["tokens_per_s"]:
            best = quickest
    return best


def describe(spec: ModelSpec, cache_dir: Path, backend: str = "auto", precision: str = "auto") -> dict[str, Any]:
    """What a person is told. Nothing is measured.

    Returns:
        backend, precision, by (settings, measurement or default), candidates (see ``Choice``), measured_at, installed
        (package to version), native_bf16.
    """
    _check(backend, precision)
    measured = _measured(spec, cache_dir)
    chosen = choice(spec, cache_dir, backend, precision)
    return {
        "backend": chosen.backend,
        "precision": chosen.precision,
        "by": "settings" if backend != "auto" else "measurement" if measured else "default",
        "candidates": list(measured.candidates) if measured else [],
        "measured_at": measured.measured_at if measured else "",
        "installed": {name: version_of(name) for name in ("torch", "openvino") if version_of(name)},
        "native_bf16": native_bf16(),
    }


def not_settled(backend: str, precision: str) -> bool:
    """Whether the settings leave it to a measurement: only one backend has int8, and only one has mixed."""
    return backend == "auto" and precision not in {"int8", "mixed"}


def candidates() -> list[tuple[str, str]]:
    """What is worth measuring on this machine: (backend, precision), torch in fp32 first."""
    coarse = ["bf16"] if native_bf16() else []
    found = [("torch", precision) for precision in ["fp32", *coarse]]
    return found + ([("openvino", precision) for precision in [*coarse, "fp32", "mixed"]] if has_openvino() else [])


def remember(spec: ModelSpec, cache_dir: Path, found: Choice) -> None:
    """Keep a measurement. Best effort: a folder that cannot be written only means measuring again."""
    with contextlib.suppress(OSError):
        cache_dir.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=cache_dir)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"machine": _machine(), **asdict(found)}, file)
        os.replace(temporary, _file(spec, cache_dir))


def _check(backend: str, precision: str) -> None:
    if backend == "openvino" and precision == "int8":
        raise AutoContextError(
            "config_invalid", "the backend openvino has no precision int8", "set backend to torch, or precision to auto"
        )
    if backend == "torch" and precision == "mixed":
        raise AutoContextError(
            "config_invalid",
            "the backend torch has no precision mixed",
            "set backend to openvino, or precision to auto",
        )
    if (backend == "openvino" or precision == "mixed") and not has_openvino():
        raise AutoContextError("model_invalid", "the backend openvino is not installed", OPENVINO_HINT)


def _ready(spec: ModelSpec, cache_dir: Path, backend: str, precision: str) -> bool:
    if not_settled(backend, precision) and _measured(spec, cache_dir) is None:
        return False
    chosen = choice(spec, cache_dir, backend, precision)
    if chosen.backend != "openvino":
        return True
    from auto_context.embed import openvino_backend  # noqa: PLC0415 - only where it was chosen

    return openvino_backend.whole(openvino_backend.copy_folder(spec, chosen.precision, cache_dir))


def _measured(spec: ModelSpec, cache_dir: Path) -> Choice | None:
    """The remembered measurement, if it was made of this model with these packages on this machine."""
    try:
        data = json.loads(_file(spec, cache_dir).read_text("utf-8"))
        if data.pop("machine") != _machine():
            return None
        kept = Choice(**{**data, "candidates": tuple(data["candidates"])})
        if all(isinstance(item["tokens_per_s"] + item["cosine"], float) for item in kept.candidates):
            return kept
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return None


def _file(spec: ModelSpec, cache_dir: Path) -> Path:
    return cache_dir / f"backend-{spec.fingerprint[:16]}.json"


def _machine() -> list[Any]:
    """What a measurement depends on."""
    gpu = os.path.exists("/dev/nvidiactl")
    libraries = [version_of(name) for name in ("torch", "transformers", "openvino")]
    return [processor(), cores(), gpu, *libraries, *(" ".join(candidate) for candidate in candidates())]


class _Preparation:
    """A running ``embed.prepare``. Whoever in this process needs the same waits for the same one."""

    _lock = threading.Lock()
    _running: ClassVar[dict[tuple[str, ...], _Preparation]] = {}

    def __init__(self, key: tuple[str, ...], request: dict[str, Any]) -> None:
        self._key = key
        # A file, not a pipe: nobody reads while it runs. It is gone once closed.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `wait`
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "auto_context.embed.prepare", json.dumps(request)],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.DEVNULL,
        )
        self._error: AutoContextError | None = None
        self._ended = False

    @classmethod
    def of(cls, spec: ModelSpec, cache_dir: Path, backend: str, precision: str) -> _Preparation:
        """The one that runs, else a new one."""
        key = (spec.fingerprint, str(cache_dir), backend, precision)
        request = {
            "spec": {**asdict(spec), "folder": str(spec.folder)},
            "cache_dir": str(cache_dir),
            "backend": backend,
            "precision": precision,
        }
        with cls._lock:
            if key not in cls._running:
                cls._running[key] = cls(key, request)
            return cls._running[key]

    @classmethod
    def all(cls) -> list[_Preparation]:
        """All that run."""
        with cls._lock:
            return list(cls._running.values())

    def stop(self) -> None:
        """End it without a result."""
        self._process.kill()
        self._process.wait()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended.

        Raises:
            AutoContextError: what it failed of.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        if self._process.poll() is None:
            return False
        with self._lock:
            if not self._ended:
                self._ended = True
                self._running.pop(self._key, None)
                self._error = self._outcome()
        if self._error is not None:
            raise self._error
        return True

    def _outcome(self) -> AutoContextError | None:
        with self._said:
            self._said.seek(0)
            last = self._said.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        if self._process.returncode == 0:
            return None
        try:
            return AutoContextError.from_dict(json.loads(last))
        except (ValueError, AttributeError):
            return AutoContextError("model_invalid", f"making the model ready failed ({self._process.returncode})")
