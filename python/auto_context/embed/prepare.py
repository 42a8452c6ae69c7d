"""The process that makes a model ready: ``python -m auto_context.embed.prepare REQUEST`` (JSON of ``embed.backend``).

It converts the model for OpenVINO and measures what is installed; both need torch, which it takes to its grave.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from auto_context.embed import backend, openvino_backend
from auto_context.embed.backend import Backend, Choice, Vectors
from auto_context.embed.encoder import Encoder, drain
from auto_context.embed.environment import has_openvino, import_openvino
from auto_context.embed.model import ModelSpec
from auto_context.errors import AutoContextError

_MEASURED_S = 0.6
"""Of each candidate."""
_SAMPLES, _SAMPLE_CHARACTERS = 48, 900
_BATCH = 8


def main() -> None:
    """Entry point. A fault is one line of JSON and status 1."""
    request = json.loads(sys.argv[1])
    spec = ModelSpec(**{**request["spec"], "folder": Path(request["spec"]["folder"])})
    try:
        prepare(spec, Path(request["cache_dir"]), request["backend"], request["precision"])
    except Exception as error:  # noqa: BLE001 - whatever it is, whoever asked is told
        print(json.dumps(AutoContextError.wrap(error).to_dict()), flush=True)  # noqa: T201 - the answer
        sys.exit(1)


def prepare(spec: ModelSpec, cache_dir: Path, asked: str, precision: str) -> None:
    """Measure when the settings leave it open and it was not done before, and convert what will be run."""
    if has_openvino():
        # Before a copy is run: loaded without its converter, it does not get it later.
        import_openvino(converter=True)
    made: set[Path] = set()
    if backend.not_settled(asked, precision) and backend.describe(spec, cache_dir)["measured_at"] == "":
        copies = {openvino_backend.copy_folder(spec, kind, cache_dir) for _, kind in backend.candidates()}
        made = {copy for copy in copies if not copy.exists()}
        backend.remember(spec, cache_dir, measure(spec, cache_dir))
    chosen = backend.choice(spec, cache_dir, asked, precision)
    if chosen.backend == "openvino":
        made.discard(_converted(spec, cache_dir, chosen.precision))
    for copy in made:
        shutil.rmtree(copy, ignore_errors=True)


def measure(spec: ModelSpec, cache_dir: Path) -> Choice:
    """Tokens per second of each candidate on the same texts, and its cosine to torch in fp32.

    One that cannot run is left out, unless it is torch in fp32.
    """
    texts = _samples()
    reference: Vectors | None = None
    found: list[dict[str, Any]] = []
    for name, precision in backend.candidates():
        near = {(item["backend"], item["precision"]) for item in found if item["cosine"] >= backend.NEAREST_COSINE}
        if (name, precision) == ("openvino", "fp32") and ("openvino", "bf16") in near:
            continue  # slower for sure, and converting takes seconds
        try:
            with Encoder(spec, _loaded(spec, cache_dir, name, precision)) as encoder:
                rate, vectors = _rate(encoder, texts)
        except Exception:
            if reference is None:
                raise
            continue
        reference = vectors if reference is None else reference
        # Each embedded as many as it had time for.
        both = min(len(vectors), len(reference))
        cosine = float((vectors[:both] * reference[:both]).sum(1).min())
        found.append({"backend": name, "precision": precision, "tokens_per_s": round(rate, 1), "cosine": cosine})
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return Choice("", "", tuple(found), now)


def _loaded(spec: ModelSpec, cache_dir: Path, name: str, precision: str) -> Backend:
    if name == "openvino":
        return openvino_backend.OpenVinoBackend(_converted(spec, cache_dir, precision), precision)
    from auto_context.embed.torch_backend import TorchBackend  # noqa: PLC0415 - only for its own sake

    return TorchBackend(spec, precision)


def _converted(spec: ModelSpec, cache_dir: Path, precision: str) -> Path:
    copy = openvino_backend.copy_folder(spec, precision, cache_dir)
    if not openvino_backend.whole(copy):
        from auto_context.embed.openvino_convert import convert  # noqa: PLC0415 - as above

        convert(spec, copy, precision)
    return copy


def _samples() -> list[str]:
    """The same texts on every machine: this package's own code in pieces, which is what is embedded in earnest."""
    sources = sorted(Path(__file__).parent.parent.rglob("*.py"))
    whole = "\n".join(path.read_text("utf-8") for path in sources)
    size = _SAMPLE_CHARACTERS
    return [whole[at : at + size] for at in range(0, min(len(whole), _SAMPLES * size), size)]


def _rate(encoder: Encoder, texts: Sequence[str]) -> tuple[float, Vectors]:
    """Tokens per second of the quickest batch (others may be at work here), and vectors of what was tried."""
    rows = drain(encoder.tokenise_steps(texts, "document"))
    drain(encoder.encode_ids_steps(rows[:_BATCH]))
    end, best, vectors = time.perf_counter() + _MEASURED_S, 0.0, []
    for at in range(0, len(rows), _BATCH):
        batch = rows[at : at + _BATCH]
        began = time.perf_counter()
        vectors.append(drain(encoder.encode_ids_steps(batch)))
        best = max(best, sum(map(len, batch)) / (time.perf_counter() - began))
        if time.perf_counter() > end:
            break
    return best, np.concatenate(vectors)


if __name__ == "__main__":
    main()
