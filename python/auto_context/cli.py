"""The command line: parses, asks the service, prints. Exit status 0 hits, 1 none, 2 error.

Imports nothing heavy: a warm search is mostly Python's own start.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import signal
import sys
import time
from typing import Any

from auto_context import __version__
from auto_context.errors import AutoContextError
from auto_context.service.client import ServiceClient

_POLL_MS = 500
_PLAIN_PROGRESS_EVERY_S = 5.0
_NONE, _ERROR, _INTERRUPTED = 1, 2, 130
_LINES_SHOWN = 6
_DIM, _BOLD, _CYAN, _YELLOW, _RESET = "\033[2m", "\033[1m", "\033[36m", "\033[33m", "\033[0m"


def main(arguments: list[str] | None = None) -> int:
    """Entry point. Returns the exit status; never raises."""
    _accept_any_text()
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except AutoContextError as error:
        return _fail(error, as_json=getattr(options, "json", False))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has enough; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _accept_any_text() -> None:
    """File names need not be UTF-8, nor the terminal: print the bytes of the one, escapes on the other."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            is_utf8 = stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="auto-context", description="Search code by meaning, by name and by file, locally."
    )
    parser.add_argument("--version", action="version", version=f"auto-context {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    index = commands.add_parser("index", help="index a folder, or bring its index up to date")
    index.add_argument("path", nargs="?", default=".", metavar="PATH", help="any folder of a repository (default: .)")
    index.add_argument("--force", action="store_true", help="read every file again")
    index.add_argument("--yes", action="store_true", help="index even the home folder or a very large tree")
    index.add_argument("--json", action="store_true", help="print the report as JSON")
    index.set_defaults(run=_index)

    search = commands.add_parser("search", help="search; indexes the folder first if it never was")
    search.add_argument("query", metavar="QUERY", help="a sentence, a name or a file name")
    search.add_argument("--root", default=".", metavar="PATH", help="folder to search in (default: .)")
    search.add_argument("--limit", type=_limit, default=10, metavar="N", help="most hits to print (default: 10)")
    search.add_argument("--path", metavar="GLOB", help="only files that match, as in .gitignore")
    search.add_argument("--language", metavar="L", help="only files of this language, such as python")
    search.add_argument("--threshold", type=_similarity, metavar="X", help="smallest cosine similarity, -1 to 1")
    search.add_argument("--wait-ms", type=_wait, default=10_000, metavar="MS", help="wait this long for the model")
    search.add_argument("--json", action="store_true", help="print the reply as JSON")
    search.set_defaults(run=_search)

    status = commands.add_parser("status", help="what is indexed, and how the service is")
    status.add_argument("path", nargs="?", default=".", metavar="PATH")
    status.add_argument("--json", action="store_true")
    status.set_defaults(run=_status)

    service = commands.add_parser("service", help="start, stop or look at the background service")
    service.add_argument("action", choices=("start", "stop", "status"))
    service.add_argument("--json", action="store_true")
    service.set_defaults(run=_service)
    return parser


def _limit(text: str) -> int:
    return int(_number(text, 1, 200))


def _wait(text: str) -> int:
    return int(_number(text, 0, 60_000))


def _similarity(text: str) -> float:
    return _number(text, -1, 1)


def _number(text: str, low: int, high: int) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a number: {text!r}") from None
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"must be between {low} and {high}")
    return value


def _fail(error: AutoContextError, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": error.to_dict()}))
    sys.stderr.write(f"auto-context: {error.message} ({error.code})\n  {error.hint}\n")
    return error.spec.exit_status


# index


def _index(options: argparse.Namespace) -> int:
    client = ServiceClient()
    root = os.path.abspath(options.path)
    report = _update(client, root, force=options.force, confirmed=options.yes)
    if options.json:
        print(json.dumps(report))
        return 0
    print(
        f"{report['files']} files, {report['chunks']} chunks on {report['branch']}; "
        f"{report['changed']} changed, {report['removed']} removed, {report['embedded_chunks']} chunks embedded "
        f"in {report['took_s']:.1f} s"
    )
    if report["skipped"]:
        print("by name only or not at all: " + _counts(report["skipped"]))
    if report["pending_chunks"]:
        print(f"{report['pending_chunks']} chunks still wait for the model; the next update goes on with them")
    return 0


def _update(client: ServiceClient, root: str, *, force: bool, confirmed: bool) -> dict[str, Any]:
    """Run an update to its end, with its progress on stderr; Ctrl-C cancels it.

    Raises:
        AutoContextError: what the job failed with.
    """
    body = {"root": root, "force": force, "confirmed": confirmed}
    job = client.request("POST", "/index/update", body=body)["job"]
    line = _ProgressLine()
    try:
        while True:
            state = client.request("GET", f"/jobs/{job}", params={"wait_ms": _POLL_MS})
            if state["error"]:
                raise AutoContextError.from_dict(state["error"])
            if state["report"]:
                report: dict[str, Any] = state["report"]
                return report
            line.show(state["progress"])
    except KeyboardInterrupt:
        # A second Ctrl-C must not interrupt the cancellation.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with contextlib.suppress(AutoContextError):
            client.request("DELETE", f"/jobs/{job}")
        sys.stderr.write("\ncancelled: what was done is kept\n")
        raise
    finally:
        line.end()


class _ProgressLine:
    """One line on a terminal, rewritten; elsewhere a line now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._shown_at = 0.0
        self._open = False

    def show(self, progress: dict[str, Any]) -> None:
        """Print how far it is."""
        now = time.monotonic()
        if not self._terminal and now - self._shown_at < _PLAIN_PROGRESS_EVERY_S:
            return
        self._shown_at = now
        text = progress_text(progress)
        if self._terminal:
            width = os.get_terminal_size(sys.stderr.fileno()).columns or 80  # 0: a terminal that does not know
            sys.stderr.write(f"\r\033[K{text[: width - 1]}")
            self._open = True
        else:
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the line to whatever follows."""
        if self._open:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def progress_text(progress: dict[str, Any]) -> str:
    """``chunking 120/900 files, 2400 chunks, 13%`` or ``embedding 2400/9000 chunks of 900 files, 41%, 2 min left``."""
    percent = f"{progress['percent']:.0f}%"
    if progress["phase"] == "scan":
        return "looking for files"
    if progress["phase"] == "chunk":
        done, total = progress["files_done"], progress["files_total"]
        return f"reading {done}/{total} files, {progress['chunks_total']} chunks, {percent}"
    eta = progress["eta_s"]
    left = "" if eta is None else f", {_duration(eta)} left"
    done, total = progress["chunks_done"], progress["chunks_total"]
    files = f", {progress['files_total']} files read" if progress["files_total"] else ""
    return f"embedding {done}/{total} chunks{files}, {percent}{left}"


def _duration(seconds: float) -> str:
    minute = 60
    return f"{seconds:.0f} s" if seconds < minute * 1.5 else f"{seconds / minute:.0f} min"


# search


def _search(options: argparse.Namespace) -> int:
    client = ServiceClient()
    root = os.path.abspath(options.root)
    params = {
        "query": options.query,
        "root": root,
        "limit": options.limit,
        "path": options.path,
        "language": options.language,
        "threshold": options.threshold,
        "wait_ms": options.wait_ms,
    }
    try:
        reply = client.request("GET", "/search", params=params)
    except AutoContextError as error:
        if error.code != "not_indexed":
            raise
        sys.stderr.write(f"{root} is not indexed yet: doing that first\n")
        _update(client, root, force=False, confirmed=False)
        reply = client.request("GET", "/search", params=params)
    if options.json:
        print(json.dumps(reply))
    else:
        _print_hits(reply)
    return 0 if reply["hits"] else _NONE


def _print_hits(reply: dict[str, Any]) -> None:
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def paint(text: str, code: str) -> str:
        return f"{code}{text}{_RESET}" if colour else text

    for hit in reply["hits"]:
        place = f"{hit['path']}:{hit['start_line']}-{hit['end_line']}"
        stale = "" if hit["fresh"] else paint("  stale", _YELLOW)
        print(f"{paint(place, _CYAN)}  {paint(hit['symbol'], _BOLD)}  {paint(' '.join(hit['legs']), _DIM)}{stale}")
        first = hit["focus"][0] - hit["start_line"]
        last = hit["focus"][1] - hit["start_line"]
        for line in hit["text"].split("\n")[first : last + 1][:_LINES_SHOWN]:
            print(f"    {line}")
    missing = {leg: state for leg, state in reply["legs"].items() if state not in ("ok", "off")}
    if missing:
        covered = f"; {reply['coverage']:.0%} of the chunks have a vector" if "vector" in missing else ""
        sys.stderr.write(f"note: {_counts(missing)}{covered}\n")
    if not reply["hits"]:
        sys.stderr.write("no hits\n")


def _counts(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items()))


# status and service


def _status(options: argparse.Namespace) -> int:
    body = ServiceClient().request("GET", "/status", params={"root": os.path.abspath(options.path)})
    if options.json:
        print(json.dumps(body))
        return 0
    known, job = body["repository"], body["job"]
    print(f"{known['top']} on {known['branch']}")
    if known["indexed"]:
        share = known["vectors"] / known["chunks"] if known["chunks"] else 1.0
        updated = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(known["updated_at"]))
        print(f"  {known['files']} files, {known['chunks']} chunks, {share:.0%} embedded, updated {updated}")
        print(f"  store {known['store_bytes'] / 2**20:.1f} MiB in {known['store']}")
        if known["skipped"]:
            print(f"  by name only or not at all: {_counts(known['skipped'])}")
    else:
        print("  not indexed: run `auto-context index`")
    if job:
        print(f"  {job['kind']} {job['state']}: {progress_text(job['progress'])}")
    _print_service(body["service"])
    return 0


def _service(options: argparse.Namespace) -> int:
    client = ServiceClient()
    if options.action == "stop":
        print("stopped" if client.stop() else "no service is running")
        return 0
    body = client.request("GET", "/status", start=options.action == "start")["service"]
    if options.json:
        print(json.dumps(body))
    else:
        _print_service(body)
    return 0


def _print_service(body: dict[str, Any]) -> None:
    memory, worker_memory = (body[key] / 2**20 for key in ("rss_bytes", "worker_rss_bytes"))
    print(f"service {body['version']}, pid {body['pid']}, up {_duration(body['uptime_s'])}, {memory:.0f} MiB")
    print(f"  worker {body['worker']}, {worker_memory:.0f} MiB; log {body['log']}")
