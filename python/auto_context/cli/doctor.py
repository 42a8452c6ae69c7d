"""``doctor``: what this installation is made of, and whether its parts work."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from typing import Any

from auto_context import __version__, paths
from auto_context.cli.index import print_service
from auto_context.errors import AutoContextError
from auto_context.service.client import ServiceClient

_FINGERPRINT = 16


def add_commands(commands: Any) -> None:
    """Its parser."""
    doctor = commands.add_parser("doctor", help="versions, models, the service, stores and limits")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    here = {
        "version": __version__,
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "folders": {
            "config": str(paths.config_dir()),
            "data": str(paths.data_dir()),
            "cache": str(paths.cache_dir()),
            "log": str(paths.log_dir()),
        },
    }
    try:
        body = {"client": here, **ServiceClient().request("GET", "/doctor")}
    except AutoContextError as error:
        # What is known without the service is what helps to find out why there is none.
        if options.json:
            print(json.dumps({"client": here, "error": error.to_dict()}))
        else:
            _print_here(here)
            sys.stderr.write(f"auto-context: {error.message} ({error.code})\n  {error.hint}\n")
        return error.spec.exit_status
    faults = [part["error"] for part in (body["model"], body["static"]) if part and "error" in part]
    if options.json:
        print(json.dumps(body))
    else:
        _print_here(here)
        _print_models(body)
        _print_service_and_stores(body)
        for fault in faults:
            sys.stderr.write(f"auto-context: {fault['message']} ({fault['code']})\n  {fault['hint']}\n")
    return AutoContextError.from_dict(faults[0]).spec.exit_status if faults else 0


def _print_here(here: dict[str, Any]) -> None:
    print(f"auto-context {here['version']}, Python {here['python']['version']} ({here['python']['executable']})")
    for name, folder in here["folders"].items():
        print(f"  {name:<7}{folder}")


def _print_models(body: dict[str, Any]) -> None:
    model, static, embedder = body["model"], body["static"], body["embedder"]
    print("packages " + ", ".join(f"{name} {found}" for name, found in body["packages"].items()))
    if "error" in model:
        print(f"model {model['name']}: cannot be used")
        return
    print(f"model {model['name']}, {model['dim']} dimensions, {model['max_length']} tokens, {_short(model)}")
    print(f"  {model['folder']}")
    if static["ready"]:
        print(f"static model, {static['dim']} dimensions, {_short(static)}")
        print(f"  {static['folder']}")
    else:
        print("static model: not there; the next `auto-context index` makes it")
    print(f"embedder {embedder['backend']}, precision {embedder['precision']}, by {embedder['by']}")
    for measured in embedder["candidates"]:
        named = f"{measured['backend']} {measured['precision']}"
        print(f"  {named}: {measured['tokens_per_s']:.0f} tokens/s, cosine to fp32 {measured['cosine']:.4f}")


def _short(model: dict[str, Any]) -> str:
    return f"fingerprint {model['fingerprint'][:_FINGERPRINT]}"


def _print_service_and_stores(body: dict[str, Any]) -> None:
    print_service(body["service"])
    for store in body["stores"]:
        print(f"store {store['bytes'] / 2**20:.1f} MiB of {store['path'] or '?'} in {store['folder']}")
    print("settings " + ", ".join(f"{name} {json.dumps(value)}" for name, value in body["settings"].items()))
