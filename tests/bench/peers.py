"""Other tools on the same tree in the same run, in turn with ours: what they include is said beside each figure.

They live in an environment of their own below ``.cache/bench`` and are never a dependency of the project.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from auto_context.embed.model import locate_model
from report import Figure
from running import COMMAND, Searchable, cancel, fresh_service, ready_models, until_searchable
from static_model import distilled
from trees import CACHE, name_of

SEMBLE = "semble==0.7.0"
VECTORCODE = "VectorCode==0.7.20"
ROUNDS = 5
QUERY = "error handling"
_INSTALL_LIMIT_S = 900
_VECTORCODE_LIMIT_S = 900
CONTENTS = ("all", "code")
"""What semble reads: ``all`` is code, documentation and configuration as ours; ``code``, its default, is less."""


class NotInstalledError(Exception):
    """A tool cannot be had here; the message says why."""


class Semble:
    """semble with a static model given by path, as its own comes from a hub.

    Args:
        root: the tree to search.
        contents: see ``CONTENTS``.
    """

    def __init__(self, root: Path, contents: str) -> None:
        self._program = installed("semble", SEMBLE)
        self._cache = CACHE / f"semble-{contents}"
        self._command = [self._program, "search", QUERY, str(root), "--content", contents]
        self._environment = {
            **os.environ,
            "SEMBLE_MODEL_NAME": str(distilled(CACHE / "static")),
            "SEMBLE_CACHE_LOCATION": str(self._cache),
            "HF_HUB_OFFLINE": "1",
        }

    def cold(self) -> float:
        """Seconds of a whole process that finds no index: it makes one, answers, and keeps it."""
        shutil.rmtree(self._cache, ignore_errors=True)
        return self.warm()

    def warm(self) -> float:
        """Seconds of a whole process; after ``cold`` it finds its index."""
        began = time.perf_counter()
        done = subprocess.run(self._command, env=self._environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
        if done.returncode or not json.loads(done.stdout).get("results"):
            raise SystemExit(f"bench: semble failed: {done.stderr[-500:] or done.stdout[:500]}")
        return seconds

    def files(self) -> int:
        """How many files its index holds."""
        metadata = next(self._cache.rglob("metadata.json"))
        return len(json.loads(metadata.read_text("utf-8"))["files"])


def installed(program: str, requirement: str, extra: Sequence[str] = ()) -> str:
    """The path of a peer's program; installed by pip when missing.

    Raises:
        NotInstalledError: pip cannot.
    """
    folder = CACHE / f"peers-{program}"
    path = folder / "bin" / program
    if not path.exists():
        print(f"bench: installing {requirement} into {folder}", flush=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, capture_output=True)
            subprocess.run([*pip, requirement, *extra], check=True, capture_output=True, timeout=_INSTALL_LIMIT_S)
        except (subprocess.SubprocessError, OSError) as error:
            said = getattr(error, "stderr", None) or str(error).encode()
            lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
            raise NotInstalledError(f"{requirement} cannot be installed: {lines[-1] if lines else error}") from error
    return str(path)


class _Times(NamedTuple):
    """Seconds of each round."""

    ours: list[float]
    theirs: dict[str, list[float]]


def semble(root: Path, rounds: int = ROUNDS) -> list[Figure]:
    """Cold and warm, ours and semble's in turn."""
    try:
        peers = {contents: Semble(root, contents) for contents in CONTENTS}
    except NotInstalledError as reason:
        return [Figure(f"semble on {name_of(root)}", None, note=str(reason))]
    ready_models()
    cold, warm = _Times([], {key: [] for key in peers}), _Times([], {key: [] for key in peers})
    for turn in range(rounds):
        print(f"bench: semble, round {turn + 1} of {rounds}", flush=True)
        for contents, peer in peers.items():
            cold.theirs[contents].append(peer.cold())
        with fresh_service() as (client, _):
            taken: Searchable = until_searchable(client, root)
            cold.ours.append(taken.seconds)
            cancel(client, root)
            our_search(root)  # starts the worker if it is not there
            for contents, peer in peers.items():
                warm.ours.append(our_search(root))
                warm.theirs[contents].append(peer.warm())
    files = {contents: peer.files() for contents, peer in peers.items()}
    return [
        *_compared(f"{name_of(root)}: first index to searchable", cold, files, 0.6, taken.how),
        *_compared(f"{name_of(root)}: warm search, whole process", warm, files, 0.3, "service running", 0.15),
    ]


def our_search(root: Path) -> float:
    """Seconds of ``auto-context search`` as a whole process."""
    began = time.perf_counter()
    subprocess.run([*COMMAND, "search", QUERY, "--root", str(root), "--json"], check=True, capture_output=True)
    return time.perf_counter() - began


def _compared(
    what: str, times: _Times, files: dict[str, int], bar: float, note: str, our_bar: float | None = None
) -> list[Figure]:
    ours = statistics.median(times.ours)
    out = [Figure(f"{what}, ours", ours, "s", our_bar, note=f"median of {len(times.ours)}; {note}")]
    for contents, theirs in times.theirs.items():
        median, name = statistics.median(theirs), f"semble --content {contents}"
        out.append(Figure(f"{what}, {name}", median, "s", note=f"median of {len(theirs)}; {files[contents]} files"))
        out.append(Figure(f"{what}, ours / {name}", ours / median, "x", bar))
    return out


def vectorcode(root: Path) -> list[Figure]:
    """VectorCode's first index with the same transformer, once and within a limit: it has no other tier."""
    name = f"{name_of(root)}: first index, {VECTORCODE}"
    try:
        # A newer grammar pack downloads grammars at run time, and a torch of the same version needs no CUDA.
        same_torch = f"torch=={version('torch').partition('+')[0]}"
        program = installed("vectorcode", VECTORCODE, ["tree-sitter-language-pack<1", same_torch])
    except NotInstalledError as reason:
        return [Figure(name, None, note=str(reason))]
    with tempfile.TemporaryDirectory(prefix="auto-context-bench-vectorcode-") as home:
        database, settings = Path(home, "db"), Path(home, ".config/vectorcode/config.json")
        database.mkdir()
        settings.parent.mkdir(parents=True)
        model = {"model_name": str(locate_model("all-MiniLM-L6-v2"))}
        embedding = {"embedding_function": "SentenceTransformerEmbeddingFunction", "embedding_params": model}
        settings.write_text(json.dumps({**embedding, "db_path": str(database)}))
        own = {
            "HOME": home,
            "XDG_CONFIG_HOME": f"{home}/.config",
            "HF_HUB_OFFLINE": "1",
            "ANONYMIZED_TELEMETRY": "False",
        }
        command = [program, "vectorise", "-r", ".", "--project_root", str(root)]
        began = time.perf_counter()
        # It starts a server: both must end, so they have a session of their own.
        child = subprocess.Popen(
            command, cwd=root, env=os.environ | own, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            _, said = child.communicate(timeout=_VECTORCODE_LIMIT_S)
        except subprocess.TimeoutExpired:
            return [Figure(name, None, note=f"not ended after {_VECTORCODE_LIMIT_S} s")]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        seconds = time.perf_counter() - began
    if child.returncode:
        lines = said.decode(errors="replace").strip().splitlines()
        return [Figure(name, None, note=lines[-1][:200] if lines else f"ended with {child.returncode}")]
    return [Figure(name, seconds, "s", note="one run; its only tier is the transformer")]
