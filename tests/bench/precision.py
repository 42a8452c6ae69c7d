"""Stock transformers in fp32 and this project's backends on the same texts, in turn: tokens per second.

Beside them, of a new process each: seconds to its first query, and the memory it held at most.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from auto_context.embed.encoder import Encoder, batches, padded  # isort: skip - it speaks to torch before it is loaded
import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from auto_context.chunk import chunk
from auto_context.config import Settings
from auto_context.embed.backend import candidates, load
from auto_context.embed.compose import chunk_text
from auto_context.embed.encoder import drain
from auto_context.embed.model import BUNDLED, ModelSpec, load_spec, locate_model
from auto_context.source import Content, discover, language_of, read, resolve_root

Matrix = np.ndarray[Any, np.dtype[np.float32]]

HERE = Path(__file__).resolve().parent
_BATCH = 32
_CHILD = """
import sys, time
began = time.perf_counter()
from pathlib import Path
from auto_context.embed.backend import load
from auto_context.embed.encoder import Encoder
from auto_context.embed.model import load_spec, locate_model
import json
cache, model, backend, precision, texts = sys.argv[1:]
spec = load_spec(locate_model(model), Path(cache))
encoder = Encoder(spec, load(spec, Path(cache), backend, precision))
encoder.encode(["where are failed uploads tried again"], "query")
first, cpu = time.perf_counter() - began, time.process_time()
took = []
for _ in range(20):
    at = time.perf_counter()
    encoder.encode(["where are failed uploads tried again"], "query")
    took.append(time.perf_counter() - at)
if texts:
    encoder.encode(json.loads(Path(texts).read_text()), "document")
# Not getrusage: a child begins with its parent's peak.
peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps({
    "first_query_s": round(first, 3), "first_query_cpu_s": round(cpu, 3),
    "query_ms": round(sorted(took)[10] * 1000, 1), "peak_mb": round(peak),
    "imported": [name for name in ("torch", "transformers", "openvino") if name in sys.modules],
}))
"""


def texts_of(folder: Path, most: int) -> list[str]:
    """What would be embedded of a repository: chunks of its files, every few of them."""
    found: list[str] = []
    root = resolve_root(folder)
    for batch in discover(root, Settings()):
        for item in batch:
            content = None if item.skip else read(root.path, item.path, 1 << 20)
            if isinstance(content, Content):
                language = language_of(item.path, content.text[:200].split("\n", 1)[0])
                cut = chunk(content.text, language)
                found.extend(chunk_text(content.text, part, language, cut.symbols) for part in cut.chunks)
    return found[:: max(1, len(found) // most)][:most]


def stock(spec: ModelSpec) -> Callable[[list[str]], Matrix]:
    """What sentence-transformers' ``encode`` does: fp32, the longest texts first, batches of 32, mean pooling."""
    model = AutoModel.from_pretrained(spec.folder, local_files_only=True, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(spec.folder, local_files_only=True)
    threads = torch.get_num_threads()

    def encode(pieces: list[str]) -> Matrix:
        torch.set_num_threads(threads)
        order = sorted(range(len(pieces)), key=lambda at: -len(pieces[at]))
        out = np.zeros((len(pieces), spec.dim), np.float32)
        for at in range(0, len(order), _BATCH):
            chosen = order[at : at + _BATCH]
            inputs = tokenizer(
                [pieces[number] for number in chosen],
                padding=True,
                truncation=True,
                max_length=spec.max_length,
                return_tensors="pt",
            )
            with torch.inference_mode():
                hidden = model(**inputs).last_hidden_state
            mask = inputs["attention_mask"][..., None]
            pooled = (hidden * mask).sum(1) / mask.sum(1)
            out[chosen] = torch.nn.functional.normalize(pooled, dim=1).numpy()
        return out

    return encode


def measure(pieces: list[str], rounds: int, cache: Path) -> dict[str, Any]:
    """The figures."""
    spec = load_spec(locate_model(BUNDLED), cache)
    plain = stock(spec)
    ours = {f"{name} {precision}": (name, precision) for name, precision in candidates()}
    ours["torch int8"] = ("torch", "int8")
    encoders = {name: Encoder(spec, load(spec, cache, *what)) for name, what in ours.items()}
    rows = drain(next(iter(encoders.values())).tokenise_steps(pieces, "document"))
    tokens = sum(map(len, rows))
    rates: dict[str, list[float]] = {name: [] for name in ["stock fp32", *encoders]}
    busy: dict[str, list[float]] = {name: [] for name in rates}
    cosine: dict[str, float] = {}
    for turn in range(rounds + 1):
        for name, found in rates.items():
            began, cpu = time.perf_counter(), time.process_time()
            vectors = plain(pieces) if name == "stock fp32" else encoders[name].encode(pieces, "document")
            if turn:  # the first warms up
                found.append(tokens / (time.perf_counter() - began))
                busy[name].append(tokens / (time.process_time() - cpu))
            if name == "stock fp32":
                reference = vectors
            cosine[name] = float((reference * vectors).sum(1).min())
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(pieces, file)
        file.flush()
        alone = {name: _alone(cache, *what, file.name) for name, what in ours.items()}
    return {
        "texts": len(pieces),
        "tokens": tokens,
        "padding": round(_padding(rows, spec.max_length), 4),
        "backends": {
            name: {
                "tokens_per_s": round(statistics.median(rates[name])),
                "ratio": round(
                    statistics.median(a / b for a, b in zip(rates[name], rates["stock fp32"], strict=True)), 2
                ),
                "tokens_per_cpu_s": round(statistics.median(busy[name])),
                "cpu_ratio": round(statistics.median(busy[name]) / statistics.median(busy["stock fp32"]), 2),
                "cosine_min": round(cosine[name], 6),
                **alone.get(name, {}),
            }
            for name in rates
        },
    }


def _padding(rows: list[list[int]], most: int) -> float:
    """Share of the tokens computed that stand for nothing."""
    lengths = [padded(len(row), most) for row in rows]
    computed = sum(max(lengths[at] for at in batch) * len(batch) for batch in batches(lengths, 256, 128))
    return 1 - sum(map(len, rows)) / computed


def _alone(cache: Path, backend: str, precision: str, texts: str) -> dict[str, Any]:
    """Figures of new processes: the quickest of three, and the memory of one that embeds everything."""
    runs = []
    for bulk in (texts, "", ""):
        command = [sys.executable, "-c", _CHILD, str(cache), BUNDLED, backend, precision, bulk]
        runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    best: dict[str, Any] = min(runs, key=lambda run: run["first_query_s"])
    return {**best, "query_ms": min(run["query_ms"] for run in runs), "peak_mb": runs[0]["peak_mb"]}


def main() -> None:
    """``precision.py [FOLDER] [--texts N] [--rounds N]``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent.parent)
    parser.add_argument("--texts", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        print(json.dumps(measure(texts_of(options.folder, options.texts), options.rounds, Path(cache))))


if __name__ == "__main__":
    main()
