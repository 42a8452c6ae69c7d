"""Figures of indexing one tree: the first time, a save, nothing changed, another branch, and its interruption."""

from __future__ import annotations

import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

from auto_context.service.client import ServiceClient
from report import Figure, spread
from running import ALIVE, follow, index, search, start_index
from trees import commit_all

DIFFERING = 500
"""Files that differ between the two branches."""
_SAVES = 25
_LAST_SHARE = 0.05
"""Of a run: so close to its end an estimate says nothing any more."""
_EDITABLE = frozenset({".py", ".pyi", ".h", ".hpp", ".c", ".cpp", ".rs", ".lua", ".js", ".ts", ".go", ".md"})
_PATIENCE_S = 60.0
_LOOK_EVERY_S = 0.02
"""Searches for the other branch: more often they would take much of the service from the update they wait for."""
_PHASES = ("chunk", "embed", "done")

Sample = tuple[float, dict[str, Any]]
"""Seconds since the request, and the job's progress then."""


def first_index(client: ServiceClient, root: Path, name: str) -> list[Figure]:
    """A complete first index, its progress watched."""
    began = time.perf_counter()
    job = start_index(client, root)
    samples: list[Sample] = []

    def note(body: dict[str, Any]) -> bool:
        samples.append((time.perf_counter() - began, body["progress"]))
        return False

    report = follow(client, job, note)["report"]
    seconds = time.perf_counter() - began
    rates = {"files/s until words are searchable": _until_words(samples, report)}
    rates["chunks embedded/s"] = report["embedded_chunks"] / max(1e-9, report["stages_s"].get("embed", seconds))
    figures = [Figure(f"{name}: complete first index", seconds, "s", note=f"{report['files']} files")]
    figures += [Figure(f"{name}: {key}", value) for key, value in rates.items()]
    return [*figures, eta_error(name, samples, seconds)]


def _until_words(samples: list[Sample], report: dict[str, Any]) -> float:
    at = next((when for when, progress in samples if progress["phase"] in ("embed", "done")), samples[-1][0])
    return float(report["files"] / max(at, 1e-9))


def eta_error(name: str, samples: list[Sample], seconds: float) -> Figure:
    """How wrong the estimates were from halfway on, in per cent of what was left: the worst of them."""
    late = [(when, progress["eta_s"]) for when, progress in samples if 0.5 * seconds <= when]
    errors = [
        100 * abs(eta - (seconds - when)) / (seconds - when)
        for when, eta in late
        if eta is not None and when <= (1 - _LAST_SHARE) * seconds
    ]
    what = f"{name}: error of the time left, from halfway on, worst"
    if not errors:
        return Figure(what, None, note="the run was too short for an estimate")
    return Figure(what, max(errors), "%", 25, note=f"{len(errors)} estimates, p50 {statistics.median(errors):.0f} %")


def nothing_changed(client: ServiceClient, root: Path, name: str, bar: float | None) -> list[Figure]:
    """A whole update of a tree as it was: the request until the job's end; median of 5."""
    taken, embedded = [], 0
    for _ in range(5):
        began = time.perf_counter()
        report = index(client, root)
        taken.append(time.perf_counter() - began)
        embedded += report["embedded_chunks"] + report["embedded_paths"] + report["changed"]
    what = f"{name}: update with nothing changed"
    return [
        Figure(what, statistics.median(taken), "s", bar, note=f"median of 5, worst {max(taken):.2f} s"),
        Figure(f"{what}, changed or embedded", embedded, "", 0),
    ]


def saves(client: ServiceClient, root: Path, name: str, bar: float | None, rounds: int = _SAVES) -> list[Figure]:
    """From the debounced save's request until a search finds the new text first, and until the job ended."""
    found, ended = [], []
    target = root / "auto_context_bench_probe.py"
    for turn in range(rounds + 1):
        word = f"zanzibar{turn}quokka"
        target.write_text(f"def {word}():\n    '''A marmot whistles at {word}.'''\n    return {turn}\n", "utf-8")
        began = time.perf_counter()
        body = {"root": str(root), "paths": [str(target)]}
        job = client.request("POST", "/index/incremental", body=body)["job"]
        seen = _until_first(client, root, word, target.name) - began
        follow(client, job)
        if turn:  # the first starts the worker
            found.append(1000 * seen)
            ended.append(1000 * (time.perf_counter() - began))
    target.unlink()
    follow(client, client.request("POST", "/index/incremental", body=body)["job"])
    bars = {} if bar is None else {"p95": bar}
    what = f"{name}: save to searchable"
    return [*spread(what, found, "ms", bars, "by words"), *spread(f"{what} by every leg", ended, "ms", bars, "job")]


def _until_first(client: ServiceClient, root: Path, word: str, path: str) -> float:
    """When a search for a word first has a file at its head (``perf_counter``)."""
    limit = time.perf_counter() + _PATIENCE_S
    while time.perf_counter() < limit:
        hits = search(client, root, word, 0)["hits"]
        if hits and hits[0]["path"].endswith(path):
            return time.perf_counter()
        time.sleep(0.002)
    raise SystemExit(f"bench: {path} was not found by {word} within {_PATIENCE_S:.0f} s")


def branch_switch(client: ServiceClient, root: Path, name: str, rounds: int = 3) -> list[Figure]:
    """Between two branches that were both indexed: until a search answers from the new one, until all is reconciled."""
    tracked = _git(root, "ls-files", "-z").split("\0")
    files = [path for path in tracked if Path(path).suffix in _EDITABLE][:DIFFERING]
    what = f"{name}: switch to a branch seen before, {len(files)} files differ"
    base = _git(root, "rev-parse", "HEAD").strip()
    for branch in ("bench-one", "bench-two"):
        _git(root, "checkout", "-q", "-B", branch, base)
        for path in files:
            with (root / path).open("a", encoding="utf-8") as file:
                file.write(f"\n# {branch.replace('-', '')}quokka\n")
        commit_all(root, branch)
        index(client, root)
    answered, reconciled, embedded, changed = [], [], 0, 0
    for turn in range(2 * rounds):
        branch = ("bench-one", "bench-two")[turn % 2]
        _git(root, "checkout", "-q", branch)
        began = time.perf_counter()
        _until_branch(client, root, branch)
        answered.append(time.perf_counter() - began)
        job = client.request("GET", "/status", params={"root": str(root)})["job"]
        if job:
            embedded += _embedded(follow(client, job["id"])["report"])
        reconciled.append(time.perf_counter() - began)
        after = index(client, root)
        embedded += _embedded(after)
        changed += after["changed"] + after["removed"]
    count = f"median of {len(answered)}, worst"
    return [
        Figure(f"{what}: answers", statistics.median(answered), "s", 1.0, note=f"{count} {max(answered):.2f} s"),
        Figure(f"{what}: reconciled", statistics.median(reconciled), "s", 1.0, note=f"{count} {max(reconciled):.2f} s"),
        Figure(f"{what}: embedded", embedded, "", 0),
        Figure(f"{what}: found changed by another update", changed, "", 0),
    ]


def _embedded(report: dict[str, Any]) -> int:
    return int(report["embedded_chunks"] + report["embedded_paths"])


def _until_branch(client: ServiceClient, root: Path, branch: str) -> None:
    limit = time.perf_counter() + _PATIENCE_S
    word = f"{branch.replace('-', '')}quokka"
    while time.perf_counter() < limit:
        reply = search(client, root, word, 0)
        if reply["branch"] == branch and any(word in hit["text"] and hit["fresh"] for hit in reply["hits"]):
            return
        time.sleep(_LOOK_EVERY_S)
    raise SystemExit(f"bench: no answer from {branch} within {_PATIENCE_S:.0f} s")


def cancelling(client: ServiceClient, root: Path, name: str) -> list[Figure]:
    """``DELETE /jobs/{id}`` of a first index of ``root`` until the job has ended, in each phase it can be met in."""
    figures = []
    for at, phase in enumerate(_PHASES[:-1]):
        taken: list[float] = []
        for turn in range(5):
            job = start_index(client, root)
            later = _PHASES[at:]
            follow(client, job, lambda body, later=later: body["progress"]["phase"] in later)  # type: ignore[misc]
            time.sleep(0.1 * turn)  # not always at its very beginning
            met = client.request("GET", f"/jobs/{job}")
            began = time.perf_counter()
            client.request("DELETE", f"/jobs/{job}")
            follow(client, job)
            if met["state"] in ALIVE and met["progress"]["phase"] == phase:
                taken.append(1000 * (time.perf_counter() - began))
        what = f"{name}: cancelled while in phase {phase}, to ended"
        if taken:
            figures.append(Figure(f"{what}, worst", max(taken), "ms", 200, note=f"n={len(taken)}"))
        else:
            figures.append(Figure(what, None, note="the phase was over too soon"))
    return figures


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True).stdout
