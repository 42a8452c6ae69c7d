"""The model run by OpenVINO, from a converted copy in the cache. Neither torch nor transformers is imported.

A copy is a folder named by the model's fingerprint, the precision and OpenVINO's version. It holds the converted
network (``model.xml``, ``model.bin``), what OpenVINO compiled of it for this processor, and ``made.json``, checksums of
the others: when one differs the copy is made again. They are computed for files whose stat has changed since.
Making a copy needs torch (``embed.openvino_convert``, in a process of its own).
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from auto_context.embed.backend import MAX_LANES, Array, Vectors
from auto_context.embed.environment import cores, import_openvino, native_bf16, version_of
from auto_context.embed.model import ModelSpec

_TOKENS = {"bf16": 384, "fp32": 192, "mixed": 384}
"""Tokens one thread takes through a 6-layer MiniLM in about 40 ms."""
MIXED_GROUP = 64
"""Inputs of a layer that share a scale. Twice as many are hardly faster, and of texts of a word or two the least cosine
to fp32 is 0.998, not 0.9992."""
MANIFEST = "made.json"
_READ_BYTES = 1 << 20
_MOST_COMPILED = 4
"""Kept of what was compiled: OpenVINO makes another for another path of the copy, and for other options."""


class OpenVinoBackend:
    """See ``Backend``. One stream of one thread for each lane, and one more for a query beside them.

    Args:
        copy: a folder for which ``whole`` is true.
        precision: ``bf16``, ``fp32``, or ``mixed``: feed-forward layers in int8, the rest in bf16 where the processor
            has it, else in fp32.
    """

    name = "openvino"

    def __init__(self, copy: Path, precision: str) -> None:
        self.precision = precision
        self.lanes = min(cores(), MAX_LANES)
        self.tokens = _TOKENS[precision]
        self.parameters = int(_manifest(copy).get("parameters") or 0)
        self._compiled = compile_copy(copy, precision, self.lanes + 1)
        self._own = threading.local()
        # The binding sets itself up for numpy at the first array it meets. Two threads that do so at once wait for each
        # other for ever: one for the interpreter's lock, one for the binding's.
        self.run(np.zeros((1, 1), np.int64), np.ones((1, 1), np.int64))

    def run(self, ids: Array, mask: Array) -> Vectors:
        """See ``Backend``. An infer request serves one thread."""
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        request = self._own.request
        request.infer([ids, mask])
        vectors: Vectors = np.array(request.get_output_tensor(0).data, np.float32)
        return vectors


def copy_folder(spec: ModelSpec, precision: str, cache_dir: Path) -> Path:
    """Where the converted copy of a model is, or will be."""
    return cache_dir / f"openvino-{spec.fingerprint[:16]}-{precision}-{version_of('openvino')}"


def whole(copy: Path) -> bool:
    """Whether all of a copy is there, undamaged."""
    known = _manifest(copy).get("files")
    if not isinstance(known, dict) or not {"model.xml", "model.bin"} <= known.keys():
        return False
    try:
        return all(_stat(copy / name) == stat or checksum(copy / name) == crc for name, (crc, *stat) in known.items())
    except (OSError, TypeError, ValueError):
        return False


def compile_copy(copy: Path, precision: str, streams: int) -> Any:
    """OpenVINO's compiled model. What it compiles it keeps in the copy, and does not check when it reads it again."""
    openvino = import_openvino()
    bf16 = precision == "bf16" or (precision == "mixed" and native_bf16())
    options = {
        "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": MIXED_GROUP,  # of layers whose weights are int8
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": streams,
        "ENABLE_CPU_PINNING": False,  # others use these cores too
        "CACHE_DIR": str(copy / "compiled"),
    }
    compiled = openvino.Core().compile_model(str(copy / "model.xml"), "CPU", options)
    _seal(copy)
    return compiled


def write_manifest(copy: Path, parameters: int) -> None:
    """Write down what a copy holds now."""
    files = [path for path in copy.rglob("*") if path.is_file() and path.name != MANIFEST]
    sums = {str(path.relative_to(copy)): [checksum(path), *_stat(path)] for path in files}
    handle, temporary = tempfile.mkstemp(dir=copy.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"parameters": parameters, "files": sums}, file)
    os.replace(temporary, copy / MANIFEST)


def _stat(path: Path) -> list[int]:
    info = path.stat()
    return [info.st_size, info.st_mtime_ns, info.st_ino]


def checksum(path: Path) -> int:
    """CRC-32 of a file, against damage."""
    value = 0
    with open(path, "rb") as file:
        while data := file.read(_READ_BYTES):
            value = zlib.crc32(data, value)
    return value


def _seal(copy: Path) -> None:
    """Note what was compiled just now, and stats that have changed. Best effort: without it the same is done again."""
    known = _manifest(copy)
    with contextlib.suppress(OSError):
        blobs = sorted((copy / "compiled").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        files = {str(path.relative_to(copy)): path for path in (*copy.glob("model.*"), *blobs)}
        noted = {name: stat for name, (_, *stat) in known.get("files", {}).items()}
        if all(noted.get(name) == _stat(path) for name, path in files.items()):
            return
        for old in blobs[:-_MOST_COMPILED]:
            old.unlink()
        write_manifest(copy, int(known.get("parameters") or 0))


def _manifest(copy: Path) -> dict[str, Any]:
    try:
        data = json.loads((copy / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
