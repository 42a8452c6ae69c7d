"""``search``, ``similar`` and ``context``."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable
from typing import Any

from auto_context import config, paths, render
from auto_context.cli.index import counts, folder, print_fault, print_warnings, update
from auto_context.config import schema
from auto_context.errors import AutoContextError
from auto_context.service.client import ServiceClient

_NONE = 1
_LINES_SHOWN = 6
_PATIENCE_S = 4.0
"""How long the first search of a folder waits for all of its index: a small one gets the better answer at once."""
_DIM, _BOLD, _CYAN, _YELLOW, _RESET = "\033[2m", "\033[1m", "\033[36m", "\033[33m", "\033[0m"
_PLACE = re.compile(r"(?P<path>.*?)(?::(?P<line>\d+))?(?::(?P<column>\d+))?:?$", re.DOTALL)


def add_commands(commands: Any) -> None:
    """Their parsers."""
    search = commands.add_parser("search", help="search; indexes the folder first if it never was")
    search.add_argument("query", metavar="QUERY", help="a sentence, a name or a file name; operators: see README")
    search.add_argument("--root", type=folder, default=".", metavar="PATH", help="folder to search in (default: .)")
    add_setting(search, "limit", "N")
    search.add_argument("--path", metavar="GLOB", help="only files that match, as in .gitignore")
    search.add_argument("--language", metavar="L", help="only files of this language, such as python")
    search.add_argument(
        "--tests", choices=("with", "without", "only"), default="with", help="whether tests may answer (default: with)"
    )
    add_setting(search, "threshold", "X")
    search.add_argument(
        "--per-file", type=_per_file, default=4, metavar="N", help="hits of one file in ten (default: 4)"
    )
    add_setting(search, "wait_ms", "MS")
    search.add_argument("--explain", action="store_true", help="say how each hit came to its place")
    search.add_argument("--json", action="store_true", help="print the reply as JSON")
    search.set_defaults(run=_search)

    similar = commands.add_parser("similar", help="code like the code at a line, or like a whole file")
    similar.add_argument("place", metavar="FILE[:LINE]")
    similar.add_argument(
        "--root", type=folder, metavar="PATH", help="folder to search in (default: the file's repository)"
    )
    add_setting(similar, "limit", "N")
    similar.add_argument("--json", action="store_true", help="print the reply as JSON")
    similar.set_defaults(run=_similar)

    context = commands.add_parser("context", help="what is needed to work at a place, as Markdown")
    context.add_argument("place", metavar="FILE:LINE[:COL]")
    context.add_argument(
        "--root", type=folder, metavar="PATH", help="folder to look in (default: the file's repository)"
    )
    context.add_argument("--budget", type=_budget, default=2_000, metavar="TOKENS", help="at most (default: 2000)")
    context.add_argument("--json", action="store_true", help="print the reply as JSON")
    context.set_defaults(run=_context)


def add_setting(parser: argparse.ArgumentParser, name: str, metavar: str) -> None:
    """An option for a setting; None where it is not given."""
    setting = schema()[name]

    def value(text: str) -> Any:
        try:
            return setting.parse(text)
        except AutoContextError:
            raise argparse.ArgumentTypeError(f"must be {setting.allowed}, not {text!r}") from None

    described = f"{setting.row.text} (default: {setting.default:g})"
    parser.add_argument(f"--{name.replace('_', '-')}", type=value, metavar=metavar, help=described)


def _chosen(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Settings of one call: its options, else the environment of whoever asks, else the user's file."""
    found = config.read(paths.config_dir(), os.environ)
    print_warnings([warning.to_dict() for warning in found.warnings])
    values = {name: getattr(options, name) for name in names}
    return {name: getattr(found.settings, name) if value is None else value for name, value in values.items()}


def _per_file(text: str) -> int:
    return int(_number(text, 1, 200))


def _budget(text: str) -> int:
    return int(_number(text, 50, 100_000))


def _number(text: str, low: int, high: int) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a number: {text!r}") from None
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"must be between {low} and {high}")
    return value


def _search(options: argparse.Namespace) -> int:
    client = ServiceClient()
    root = options.root
    params = {
        "query": options.query,
        "root": root,
        **_chosen(options, "limit", "threshold", "wait_ms"),
        "path": options.path,
        "language": options.language,
        "tests": options.tests,
        "per_file": options.per_file,
        "explain": "true" if options.explain else None,
    }
    reply = _asked(client, root, lambda: client.request("GET", "/search", params=params))
    if options.json:
        print(json.dumps(reply))
    else:
        _print_hits(reply["hits"])
        _print_notes(reply)
    return 0 if reply["hits"] else _NONE


def _asked(client: ServiceClient, root: str, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """An answer; a folder that has no index gets one first."""
    try:
        return ask()
    except AutoContextError as error:
        if error.code != "not_indexed":
            raise
    sys.stderr.write(f"{root} is not indexed yet: doing that first\n")
    update(client, root, force=False, confirmed=False, tier="static", patience_s=_PATIENCE_S)
    return ask()


def _print_hits(hits: list[dict[str, Any]]) -> None:
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def paint(text: str, code: str) -> str:
        return f"{code}{text}{_RESET}" if colour else text

    for hit in hits:
        place = f"{hit['path']}:{hit['start_line']}-{hit['end_line']}"
        stale = "" if hit["fresh"] else paint("  stale", _YELLOW)
        commit = hit.get("last_commit")
        changed = paint(time.strftime("  %Y-%m-%d", time.localtime(commit["time"])), _DIM) if commit else ""
        found = paint(" ".join(hit["legs"]), _DIM)
        print(f"{paint(place, _CYAN)}  {paint(hit['symbol'], _BOLD)}  {found}{changed}{stale}")
        if "explain" in hit:
            print(f"    {paint(_explanation(hit['explain']), _DIM)}")
        first = hit["focus"][0] - hit["start_line"]
        last = hit["focus"][1] - hit["start_line"]
        for line in hit["text"].split("\n")[first : last + 1][:_LINES_SHOWN]:
            print(f"    {line}")


def _explanation(explain: dict[str, Any]) -> str:
    """``prose: lexical #3 (12.1), vector #1 (0.61) = 0.84; definition x1.60, noise x0.40 = 0.54``."""
    legs = ", ".join(f"{leg} #{item['rank']} ({item['score']:g})" for leg, item in explain["legs"].items())
    steps = ", ".join(f"{item['step']} x{item['factor']:.2f}" for item in explain["steps"])
    moved = f"; {steps} = {explain['score']:.3f}" if steps else ""
    return f"{explain['intent']}: {legs} = {explain['fused']:.3f}{moved}"


def _print_notes(reply: dict[str, Any]) -> None:
    missing = {leg: state for leg, state in reply["legs"].items() if state not in ("ok", "off")}
    if missing:
        shares = reply.get("coverage", {})
        parts = [f"{leg} {shares[leg]:.0%} of the chunks" for leg in missing if shares.get(leg, 1.0) < 1.0]
        covered = f"; {', '.join(parts)}" if parts else ""
        sys.stderr.write(f"note: {counts(missing)}{covered}\n")
    if missing.get("vector") == "down":
        print_fault(AutoContextError("worker_down", "the transformer does not answer"))
    if not reply["hits"]:
        wordless = "" if any(map(str.isalnum, reply.get("query", "x"))) else ": the query has no word to look for"
        sys.stderr.write(f"no hits{wordless}\n")


def _similar(options: argparse.Namespace) -> int:
    path, line, _ = _place(options.place)
    client = ServiceClient()
    root = _root_of(client, options.root, path)
    params = {"path": path, "line": line, "root": root, **_chosen(options, "limit")}
    reply = _asked(client, root, lambda: client.request("GET", "/similar", params=params))
    if options.json:
        print(json.dumps(reply))
    else:
        _print_hits(reply["hits"])
        if reply["copies"]:
            print("copies:")
            _print_hits(reply["copies"])
        _print_notes(reply)
    return 0 if reply["hits"] or reply["copies"] else _NONE


def _context(options: argparse.Namespace) -> int:
    path, line, column = _place(options.place)
    if line is None:
        raise AutoContextError("bad_request", f"{options.place}: a line is missing", "write FILE:LINE or FILE:LINE:COL")
    client = ServiceClient()
    root = _root_of(client, options.root, path)
    body = {"root": root, "path": path, "line": line, "column": column, "budget": options.budget}
    reply = _asked(client, root, lambda: client.request("POST", "/context", body=body))
    if options.json:
        print(json.dumps({key: value for key, value in reply.items() if key != "markdown"}))
    else:
        print(render.context(reply["items"]), end="")
        about = "" if reply["exact"] else "about "
        sys.stderr.write(f"{len(reply['items'])} snippets, {about}{reply['tokens']} of {reply['budget']} tokens\n")
    return 0


def _place(text: str) -> tuple[str, int | None, int | None]:
    """``a/b.py:12:3`` as an absolute path, a line and a column. A file whose name ends so is that file."""
    if os.path.exists(text):
        return os.path.abspath(text), None, None
    found = _PLACE.fullmatch(text)
    if found is None or not found["path"]:
        raise AutoContextError("bad_request", f"not a place: {text!r}", "write FILE:LINE")
    line, column = (int(found[name]) if found[name] else None for name in ("line", "column"))
    return os.path.abspath(found["path"]), line, column


def _root_of(client: ServiceClient, asked: str | None, path: str) -> str:
    """The folder that was asked for, else the top of the repository that a file is in."""
    if asked is not None:
        return asked
    if not os.path.isfile(path):
        raise AutoContextError("path_missing", f"there is no file {path}", "check the spelling")
    known: dict[str, Any] = client.request("GET", "/status", params={"root": os.path.dirname(path)})["repository"]
    return str(known["top"])
