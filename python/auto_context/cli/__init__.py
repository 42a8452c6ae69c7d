"""The command line: parses, asks the service, prints. Exit status 0 hits, 1 none, 2 error.

Imports nothing heavy: a warm search is mostly Python's own start.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import sys
import threading
from typing import Any, NoReturn

from auto_context import __version__
from auto_context.cli import answers, doctor, index, settings, stats, upkeep
from auto_context.errors import AutoContextError, nearest

_INTERRUPTED, _TERMINATED = 130, 143


class _Terminated(KeyboardInterrupt):
    """The process was asked to end: whatever undoes an interrupted command does so then as well."""


def main(arguments: list[str] | None = None) -> int:
    """Entry point. Returns the exit status; never raises."""
    _accept_any_text()
    given = sys.argv[1:] if arguments is None else arguments
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        options = _parser().parse_args(given)
        status: int = options.run(options)
        sys.stdout.flush()
    except AutoContextError as error:
        return _fail(error, as_json="--json" in given)
    except KeyboardInterrupt as stop:
        return _TERMINATED if isinstance(stop, _Terminated) else _INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has enough; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as fault:  # noqa: BLE001 - no traceback reaches a person
        return _fail(AutoContextError.wrap(fault), as_json="--json" in given)
    return status


def _terminate(*_: object) -> None:
    raise _Terminated


def _accept_any_text() -> None:
    """File names need not be UTF-8, nor the terminal: print the bytes of the one, escapes on the other."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            is_utf8 = stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")


class _Parser(argparse.ArgumentParser):
    """Faults of usage are coded errors, with the nearest of what would have been right."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As ever; but an unknown option is said by the command that does not know it."""
        known, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return known, rest

    def error(self, message: str) -> NoReturn:
        """Raise ``bad_request``, after the usage."""
        self.print_usage(sys.stderr)
        wrong = re.search(r"unrecognized arguments: (-\S+)|invalid choice: '([^']*)'", message)
        near = ""
        if wrong:
            right = self.format_help() if wrong[1] else message.partition("choose from")[2]
            near = nearest(wrong[1] or wrong[2], re.findall(r"[\w-]+", right))
        raise AutoContextError("bad_request", message, f"did you mean {near}?" if near else None)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="auto-context", description="Search code by meaning, by name and by file, locally.")
    parser.add_argument("--version", action="version", version=f"auto-context {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    index.add_commands(commands)
    answers.add_commands(commands)
    upkeep.add_commands(commands)
    doctor.add_commands(commands)
    stats.add_commands(commands)
    settings.add_commands(commands)
    return parser


def _fail(error: AutoContextError, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": error.to_dict()}))
    index.print_fault(error)
    return error.spec.exit_status
