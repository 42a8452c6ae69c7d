"""``doctor``: what this installation is made of, and whether its parts work."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from typing import Any

from auto_context import __version__, paths
from auto_context.cli.index import folder, print_fault, print_service
from auto_context.errors import AutoContextError
from auto_context.service.client import ServiceClient

_FINGERPRINT = 16
_FAULTY = 2
_MARKS = {"ok": "ok     ", "info": "note   ", "warn": "WARNING", "error": "ERROR  "}


def add_commands(commands: Any) -> None:
    """Its parser."""
    doctor = commands.add_parser("doctor", help="whether everything works, and what it is made of")
    doctor.add_argument(
        "path", type=folder, nargs="?", default=".", metavar="PATH", help="a folder whose index is checked (default: .)"
    )
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
        client = ServiceClient()
        client.request("GET", "/version")  # which starts the service where none runs
        began = time.perf_counter()
        version = client.request("GET", "/version")["version"]
        round_trip = time.perf_counter() - began
        body = {"client": here, **client.request("GET", "/doctor", params={"root": options.path})}
        body["checks"].insert(0, _service_check(version, round_trip))
    except AutoContextError as error:
        # What is known without the service is what helps to find out why there is none.
        if options.json:
            print(json.dumps({"client": here, "error": error.to_dict()}))
        else:
            _print_here(here)
            print_fault(error)
        return error.spec.exit_status
    if options.json:
        print(json.dumps(body))
    else:
        _print_here(here)
        _print_models(body)
        _print_service_and_stores(body)
        _print_checks(body["checks"])
    return _FAULTY if any(check["level"] == "error" for check in body["checks"]) else 0


def _service_check(version: str, round_trip_s: float) -> dict[str, str]:
    text = f"version {version}, answers in {round_trip_s * 1000:.1f} ms"
    if version == __version__:
        return {"name": "service", "level": "ok", "text": text, "fix": ""}
    fix = "end it: `auto-context service stop`; the next command starts this version's"
    return {"name": "service", "level": "warn", "text": f"{text}; this command is {__version__}", "fix": fix}


def _print_checks(checks: list[dict[str, str]]) -> None:
    print()
    for check in checks:
        print(f"{_MARKS[check['level']]} {check['name']}: {check['text']}")
        if check["fix"]:
            print(f"        {check['fix']}")


def _print_here(here: dict[str, Any]) -> None:
    print(f"auto-context {here['version']}, Python {here['python']['version']} ({here['python']['executable']})")
    for name, path in here["folders"].items():
        print(f"  {name:<7}{path}")


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
