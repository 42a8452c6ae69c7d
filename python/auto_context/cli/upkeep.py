"""``prune``, ``vacuum`` and ``clear``: what takes room on the disk."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from auto_context.cli.index import folder
from auto_context.errors import AutoContextError
from auto_context.service.client import ServiceClient

_PATIENCE_S = 3600.0


def add_commands(commands: Any) -> None:
    """Their parsers."""
    prune = commands.add_parser("prune", help="remove what no branch uses any more")
    prune.add_argument(
        "path",
        type=folder,
        nargs="?",
        metavar="PATH",
        help="any folder of a repository (default: all, within the limit of size)",
    )
    prune.add_argument("--dry-run", action="store_true", help="only tell what would go")
    prune.add_argument("--json", action="store_true")
    prune.set_defaults(run=_prune)

    clear = commands.add_parser("clear", help="delete the index of a repository, or every index")
    clear.add_argument("path", type=folder, nargs="?", metavar="PATH", help="any folder of it (default: this one)")
    clear.add_argument("--all", action="store_true", help="every index of this user")
    clear.add_argument("--yes", action="store_true", help="do not ask")
    clear.add_argument("--json", action="store_true")
    clear.set_defaults(run=_clear)

    vacuum = commands.add_parser("vacuum", help="give the room of what was removed back to the disk")
    vacuum.add_argument("--json", action="store_true")
    vacuum.set_defaults(run=_vacuum)


def _prune(options: argparse.Namespace) -> int:
    body = {"root": options.path, "dry_run": options.dry_run}
    reply = ServiceClient().request("POST", "/index/prune", body=body, timeout_s=_PATIENCE_S)
    if options.json:
        print(json.dumps(reply))
        return 0
    would = "would go" if options.dry_run else "went"
    for item in reply["repositories"]:
        print(f"{item['path']}: {_gone(item, would)}")
    if not reply["repositories"]:
        print("nothing is indexed")
    return 0


def _gone(item: dict[str, Any], would: str) -> str:
    if item["busy"]:
        return "an update is under way; try again when it has ended"
    size = _mebibytes(item["bytes"])
    if item["removed"]:
        return f"the whole index {would}, {size}: its folder does not exist any more"
    branches = f" ({', '.join(item['branches'])})" if item["branches"] else ""
    return (
        f"{item['versions']} versions, {item['vectors']} vectors and "
        f"{len(item['branches'])} branches{branches} {would}, {size}"
    )


def _clear(options: argparse.Namespace) -> int:
    if options.all and options.path is not None:
        raise AutoContextError("bad_request", "clear: a PATH and --all exclude each other")
    body = {"root": None if options.all else options.path or os.getcwd(), "dry_run": True}
    client = ServiceClient()
    if not options.yes:
        found = client.request("POST", "/index/clear", body=body)["repositories"]
        for item in found:
            sys.stderr.write(f"{item['path']}: {_mebibytes(item['bytes'])}\n")
        if found and not _agreed():
            raise AutoContextError("cancelled", "nothing was deleted", "say `y`, or give --yes")
    reply = client.request("POST", "/index/clear", body={**body, "dry_run": False}, timeout_s=_PATIENCE_S)
    if options.json:
        print(json.dumps(reply))
        return 0
    for item in reply["repositories"]:
        state = "an update is under way; try again" if item["busy"] else f"deleted, {_mebibytes(item['bytes'])}"
        print(f"{item['path']}: {state}")
    if not reply["repositories"]:
        print("nothing is indexed")
    return 0


def _agreed() -> bool:
    """Whether a person says yes; without a terminal there is nobody."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("Delete? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def _vacuum(options: argparse.Namespace) -> int:
    reply = ServiceClient().request("POST", "/index/vacuum", body={}, timeout_s=_PATIENCE_S)
    if options.json:
        print(json.dumps(reply))
        return 0
    for item in reply["repositories"]:
        print(f"{item['path']}: {item['before'] / 2**20:.1f} MiB before, {item['after'] / 2**20:.1f} MiB now")
    if not reply["repositories"]:
        print("nothing is indexed")
    return 0
