"""The command line: parses, asks the service, prints. Exit status 0 hits, 1 none, 2 error.

Imports nothing heavy: a warm search is mostly Python's own start.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys

from auto_context import __version__
from auto_context.cli import answers, doctor, index, upkeep
from auto_context.errors import AutoContextError

_INTERRUPTED = 130


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
    except Exception as fault:  # noqa: BLE001 - no traceback reaches a person
        return _fail(AutoContextError.wrap(fault), as_json=getattr(options, "json", False))
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

    index.add_commands(commands)
    answers.add_commands(commands)
    upkeep.add_commands(commands)
    doctor.add_commands(commands)
    return parser


def _fail(error: AutoContextError, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": error.to_dict()}))
    sys.stderr.write(f"auto-context: {error.message} ({error.code})\n  {error.hint}\n")
    return error.spec.exit_status
