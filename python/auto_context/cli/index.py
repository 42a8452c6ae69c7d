"""``index``, ``status`` and ``service``."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from typing import Any

from auto_context.cli.progress import PAUSED, ProgressLine, duration, progress_text
from auto_context.errors import AutoContextError
from auto_context.service.client import ServiceClient

_POLL_MS = 500
_CANCEL_LIMIT_S = 2.0
SEARCHABLE = ("embed", "done")
"""Phases of an update in which everything is searchable by words, names and static vectors."""


def add_commands(commands: Any) -> None:
    """Their parsers."""
    index = commands.add_parser("index", help="index a folder, or bring its index up to date")
    index.add_argument(
        "path", type=folder, nargs="?", default=".", metavar="PATH", help="any folder of a repository (default: .)"
    )
    index.add_argument("--force", action="store_true", help="read every file again")
    index.add_argument("--yes", action="store_true", help="index even the home folder or a very large tree")
    index.add_argument(
        "--tier",
        choices=("all", "static"),
        default="all",
        help="static: return once everything is searchable, and let the service embed the rest behind (default: all)",
    )
    index.add_argument("--json", action="store_true", help="print the report as JSON")
    index.set_defaults(run=_index)

    status = commands.add_parser("status", help="what is indexed, and how the service is")
    status.add_argument("path", type=folder, nargs="?", default=".", metavar="PATH")
    status.add_argument("--json", action="store_true")
    status.set_defaults(run=_status)

    service = commands.add_parser("service", help="start, stop or look at the background service")
    service.add_argument("action", choices=("start", "stop", "status"))
    service.add_argument("--json", action="store_true")
    service.set_defaults(run=_service)


def folder(text: str) -> str:
    """A path of the command line, absolute. An empty one is a variable that was not set, never the folder we are in."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return os.path.abspath(text)


def _index(options: argparse.Namespace) -> int:
    client = ServiceClient()
    report = update(client, options.path, force=options.force, confirmed=options.yes, tier=options.tier)
    if options.tier == "static" and "report" not in report:
        print_warnings(client.request("GET", "/status", params={"root": options.path})["repository"]["warnings"])
        return _print_searchable(report, as_json=options.json)
    report = report["report"]
    print_warnings(report["warnings"])
    if options.json:
        print(json.dumps(report))
        return 0
    print(
        f"{report['files']} files, {report['chunks']} chunks on {report['branch']}; "
        f"{report['changed']} changed, {report['removed']} removed, {report['embedded_chunks']} chunks embedded "
        f"in {report['took_s']:.1f} s"
    )
    if report["skipped"]:
        print("by name only or not at all: " + counts(report["skipped"]))
    if report.get("redacted"):
        print(_redacted(report["redacted"]))
    if report["pending_chunks"]:
        print(f"{report['pending_chunks']} chunks still wait for the model; the next update goes on with them")
    return 0


def _print_searchable(progress: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(progress))
        return 0
    found = progress["coverage"]["static"]
    print(
        f"{progress['chunks_total']} chunks are searchable by words, names and static vectors ({found:.0%}) after "
        f"{progress['took_s']:.1f} s; the service embeds the rest behind: `auto-context status` says how far it is"
    )
    return 0


def update(
    client: ServiceClient, root: str, *, force: bool, confirmed: bool, tier: str = "all", patience_s: float = 0.0
) -> dict[str, Any]:
    """Run an update, with its progress on stderr; Ctrl-C cancels it.

    Args:
        client: asks the service.
        root: the folder.
        force: read every file again.
        confirmed: even what should be asked about first.
        tier: ``all`` or ``static``.
        patience_s: with ``static``, how long after the beginning to wait for the rest as well, if that is near.

    Returns:
        ``{"report": ...}`` at its end; with tier ``static`` the last progress and ``took_s``, as soon as everything is
        searchable while it goes on in the service.

    Raises:
        AutoContextError: what the job failed with.
    """
    began = time.monotonic()
    body = {"root": root, "force": force, "confirmed": confirmed}
    job = client.request("POST", "/index/update", body=body)["job"]
    line = ProgressLine()
    try:
        while True:
            state = client.request("GET", f"/jobs/{job}", params={"wait_ms": _POLL_MS})
            if state["error"]:
                raise AutoContextError.from_dict(state["error"])
            if state["report"]:
                return {"report": state["report"]}
            progress: dict[str, Any] = state["progress"]
            if tier == "static" and progress["phase"] in SEARCHABLE and not _worth_waiting(progress, began, patience_s):
                return progress | {"took_s": round(time.monotonic() - began, 3)}
            line.show(progress)
    except KeyboardInterrupt:
        # A second Ctrl-C must not interrupt the cancellation.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(AutoContextError):
            client.request("DELETE", f"/jobs/{job}", timeout_s=_CANCEL_LIMIT_S, start=False)
        sys.stderr.write("\ncancelled: what was done is kept\n")
        raise
    finally:
        line.end()


def _worth_waiting(progress: dict[str, Any], began: float, patience_s: float) -> bool:
    """Whether the rest of an update is nearly done, as far as one can tell."""
    left = began + patience_s - time.monotonic()
    return left > 0 and (progress["eta_s"] is None or progress["eta_s"] < left)


def print_fault(error: AutoContextError) -> None:
    """A coded fault, and what to do about it."""
    sys.stderr.write(f"auto-context: {error.message} ({error.code})\n  {error.hint}\n")


def _redacted(counts: dict[str, int]) -> str:
    return "a marker stands for {secrets} secrets in {files} files".format(**counts)


def print_warnings(warnings: list[dict[str, str]]) -> None:
    """Coded faults that kept nothing from going on."""
    for warning in warnings:
        sys.stderr.write(f"warning: {warning['message']} ({warning['code']})\n  {warning['hint']}\n")


def counts(values: dict[str, Any]) -> str:
    """``a 1, b 2``."""
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items()))


def _status(options: argparse.Namespace) -> int:
    body = ServiceClient().request("GET", "/status", params={"root": options.path})
    if options.json:
        print(json.dumps(body))
        return 0
    known, job = body["repository"], body["job"]
    print(f"{known['top']} on {known['branch']}")
    if known["indexed"]:
        shares = [known[leg] / known["chunks"] if known["chunks"] else 1.0 for leg in ("static_vectors", "vectors")]
        updated = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(known["updated_at"]))
        print(f"  {known['files']} files, {known['chunks']} chunks, {shares[1]:.0%} embedded, updated {updated}")
        print(
            f"  searchable by words and names, by static vectors {shares[0]:.0%}, by the transformer's {shares[1]:.0%}"
        )
        print(f"  store {known['store_bytes'] / 2**20:.1f} MiB in {known['store']}")
        if known["skipped"]:
            print(f"  by name only or not at all: {counts(known['skipped'])}")
        if known.get("redacted"):
            print(f"  {_redacted(known['redacted'])}")
    else:
        print("  not indexed: run `auto-context index`")
    if job:
        print(f"  {job['kind']} {job['state']}: {progress_text(job['progress'])}")
    print_service(body["service"])
    print_warnings(known["warnings"])
    return 0


def _service(options: argparse.Namespace) -> int:
    # Who starts it on purpose may configure it.
    client = ServiceClient(configures=options.action == "start")
    if options.action == "stop":
        print("stopped" if client.stop() else "no service is running")
        return 0
    body = client.request("GET", "/status", start=options.action == "start")["service"]
    if options.json:
        print(json.dumps(body))
    else:
        print_service(body)
    return 0


def print_service(body: dict[str, Any]) -> None:
    """The service's part of a status."""
    own, worker, readers = (body[key] / 2**20 for key in ("rss_bytes", "worker_rss_bytes", "reader_rss_bytes"))
    print(f"service {body['version']}, pid {body['pid']}, up {duration(body['uptime_s'])}, {own:.0f} MiB")
    print(f"  worker {body['worker']}, {worker:.0f} MiB; {len(body['reader_pids'])} readers, {readers:.0f} MiB")
    print(f"  {body['memory_bytes'] / 1e6:.0f} of {body['memory_limit_bytes'] / 1e6:.0f} MB taken; log {body['log']}")
    if body["paused"]:
        print(f"  the transformer is paused: {PAUSED[body['paused']]}")
