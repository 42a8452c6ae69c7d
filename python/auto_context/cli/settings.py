"""``config``: the settings that are in effect in a folder, and where each came from."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from auto_context import config, paths
from auto_context.cli.index import folder, print_warnings
from auto_context.errors import AutoContextError
from auto_context.service.client import ServiceClient


def add_commands(commands: Any) -> None:
    """Its parser."""
    parser = commands.add_parser("config", help="the settings in effect, and where each came from")
    parser.add_argument("path", type=folder, nargs="?", default=".", metavar="PATH", help="a folder (default: .)")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=_config)


def _config(options: argparse.Namespace) -> int:
    here = config.read(paths.config_dir(), os.environ)
    body = ServiceClient().request("GET", "/config", params={"root": options.path})
    mine, used = here.to_dict()["settings"], body["settings"]
    warnings = [warning.to_dict() for warning in here.warnings]
    for name, setting in config.schema().items():
        if "command" in setting.row.by:
            used[name] = mine[name]
        elif here.origins.get(name) == setting.variable and setting.variable not in used[name]["from"]:
            warnings.append(_not_used(setting).to_dict())
    body["warnings"] += warnings
    body["file"] = str(paths.config_dir() / config.FILE_NAME)
    if options.json:
        print(json.dumps(body))
        return 0
    width = max(map(len, used))
    for name, item in used.items():
        print(f"{name:<{width}}  {json.dumps(item['value'], ensure_ascii=False):<30}  {item['from']}")
    print_warnings(body["warnings"])
    return 0


def _not_used(setting: config.Setting) -> AutoContextError:
    return AutoContextError(
        "config_invalid",
        f"{setting.variable} is set here, but the running service was started without it",
        "end the service, then `auto-context service start`; or set it in auto-context.toml",
    )
