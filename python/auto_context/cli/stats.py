"""``stats``: figures of a folder's index and of the service."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from auto_context.cli.index import counts, folder
from auto_context.service.client import ServiceClient

_PATIENCE_S = 60.0


def add_commands(commands: Any) -> None:
    """Its parser."""
    stats = commands.add_parser("stats", help="figures: files, chunks, coverage, stale files, speed, caches")
    stats.add_argument("path", type=folder, nargs="?", default=".", metavar="PATH")
    stats.add_argument("--json", action="store_true")
    stats.set_defaults(run=_stats)


def _stats(options: argparse.Namespace) -> int:
    body = ServiceClient().request("GET", "/stats", params={"root": options.path}, timeout_s=_PATIENCE_S)
    if options.json:
        print(json.dumps(body))
        return 0
    known, service = body["repository"], body["service"]
    print(f"{known['top']} on {known['branch']}")
    for name, value in _repository_rows(known) if known["indexed"] else [("index", "none: run `auto-context index`")]:
        print(f"  {name:<12}{value}")
    print("service")
    for name, value in _service_rows(service):
        print(f"  {name:<12}{value}")
    return 0


def _repository_rows(known: dict[str, Any]) -> list[tuple[str, str]]:
    coverage = ", ".join(f"{leg} {share:.0%}" for leg, share in known["coverage"].items())
    made = known["embedding"]
    speed = "nothing embedded yet"
    if made["ms_per_chunk"] is not None:
        speed = (
            f"{made['ms_per_chunk']:.1f} ms a chunk, {made['tokens_per_s']} tokens/s, over {made['updates']} updates"
        )
    branches = ", ".join(f"{item['ref']} ({_when(item['used'])})" for item in known["branches"])
    return [
        ("files", f"{known['files']}, of them {known['stale']} stale"),
        ("chunks", f"{known['chunks']}"),
        ("coverage", coverage),
        ("skipped", counts(known["skipped"]) or "none"),
        (
            "secrets",
            f"{known['redacted']['secrets']} in {known['redacted']['files']} files" if known["redacted"] else "none",
        ),
        ("embedding", speed),
        ("updated", _when(known["updated_at"])),
        ("branches", branches),
        ("store", f"{known['store_bytes'] / 1e6:.1f} MB in {known['store']}"),
    ]


def _service_rows(service: dict[str, Any]) -> list[tuple[str, str]]:
    searches, rows = service["searches"], []
    if searches["count"]:
        rows.append(("searches", f"{searches['count']}, p50 {searches['p50_ms']} ms, p95 {searches['p95_ms']} ms"))
    for name, found in service["caches"].items():
        asked = found["hits"] + found["misses"]
        rows.append(
            (f"{name}", f"{found['hits'] / asked:.0%} of {asked} were there already" if asked else "not asked for")
        )
    rows.append(("memory", f"{service['memory_bytes'] / 1e6:.0f} of {service['memory_limit_bytes'] / 1e6:.0f} MB"))
    return rows


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
