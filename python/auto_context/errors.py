"""The one error type and the one table of codes.

Every fault that reaches a person is an ``AutoContextError``: a code, what happened, and what to do.

    AutoContextError
        code     a key of CODES, the same in Python, JSON and Lua
        message  what happened, one line
        hint     what to do about it, one line

``CODES`` maps a code to its notify level in Neovim, its exit status and its HTTP status.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["info", "warn", "error"]


@dataclass(frozen=True, slots=True)
class Code:
    """How one error code shows itself at each edge, and the hint given when the raiser has none."""

    level: Level
    exit_status: int
    http_status: int
    hint: str


CODES: dict[str, Code] = {
    "bad_request": Code("warn", 2, 400, "check the option named in the message; `auto-context --help` lists them"),
    "path_missing": Code("warn", 2, 404, "check the spelling; the path must exist and be a folder"),
    "outside_root": Code("warn", 2, 403, "give a path inside the folder that is indexed"),
    "not_indexed": Code("info", 2, 404, "run `auto-context index` (in Neovim `:AutoContext index`) there first"),
    "too_large": Code("warn", 2, 409, "confirm with `auto-context index --yes`, or index a smaller folder"),
    "bare_repository": Code("warn", 2, 400, "give a work tree: a bare repository has no files to search"),
    "git_failed": Code("warn", 2, 500, "run the git command in the message by hand to see what it needs"),
    "git_busy": Code("info", 2, 409, "finish or abort the rebase, bisect or merge; the index catches up afterwards"),
    "config_invalid": Code("warn", 2, 400, "correct the key named in the message in auto-context.toml"),
    "model_missing": Code("error", 2, 404, "give a folder with the model's files, or a name in the local model cache"),
    "model_invalid": Code("error", 2, 422, "use a model with safetensors weights and its tokenizer.json"),
    "download_failed": Code("warn", 2, 502, "check the network and try again: it continues where it ended"),
    "worker_down": Code("warn", 2, 503, "search goes on without vectors; `auto-context doctor` and the log say why"),
    "store_newer": Code("error", 2, 409, "update auto-context: this index was written by a newer version"),
    "store_damaged": Code("error", 2, 500, "run `auto-context clear`, then index again"),
    "disk_full": Code("error", 2, 507, "make room on that disk: what was done is kept, and the next update goes on"),
    "storage_failed": Code("error", 2, 500, "make the folder in the message writable, or choose another"),
    "job_missing": Code("info", 2, 404, "the job ended long ago or the service was restarted; look at `status`"),
    "cancelled": Code("info", 2, 409, "start it again: what was done is kept"),
    "timed_out": Code("warn", 2, 504, "ask again, or give it more time: the first answer may wait for the model"),
    "service_unreachable": Code("error", 2, 503, "run `auto-context service start` and read the log it names"),
    "service_failed": Code("error", 2, 503, "read the service's log for the cause"),
    "service_newer": Code("error", 2, 409, "update this client: a newer service is running"),
    "unsafe_directory": Code("error", 2, 500, "remove the folder in the message, or set AUTO_CONTEXT_RUNTIME_DIR"),
    "unsupported_platform": Code("error", 2, 501, "use Linux or macOS (on Windows: WSL)"),
    "python_missing": Code("error", 2, 500, "run `:AutoContext install` in Neovim, or set `python` in setup()"),
    "install_failed": Code("error", 2, 500, "`:AutoContext log` has all of it; what worked before still does"),
    "host_failed": Code("error", 2, 500, "`:AutoContext log` shows why; `:AutoContext index` tries again"),
    "internal": Code("error", 2, 500, "this is a bug; please report it with the log"),
}


class AutoContextError(Exception):
    """A fault with a code of ``CODES``, a message for a person, and a hint.

    Raises:
        KeyError: the code is not in ``CODES`` (a programming error).
    """

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = CODES[code].hint if hint is None else hint

    def __str__(self) -> str:
        return f"{self.message} ({self.code}); {self.hint}"

    @property
    def spec(self) -> Code:
        """The code's row of the table."""
        return CODES[self.code]

    def to_dict(self) -> dict[str, str]:
        """The wire form, the same in HTTP bodies, CLI JSON and Lua."""
        return {"code": self.code, "message": self.message, "hint": self.hint}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> AutoContextError:
        """Rebuild an error from its wire form; a code of a newer version becomes ``internal``."""
        code = data.get("code", "internal")
        message = str(data.get("message", "unknown error"))
        if code not in CODES:
            return cls("internal", f"{code}: {message}", data.get("hint"))
        return cls(code, message, data.get("hint"))

    @classmethod
    def wrap(cls, error: BaseException) -> AutoContextError:
        """Any exception as a coded one."""
        if isinstance(error, cls):
            return error
        if isinstance(error, OSError) and error.errno is not None:
            of_disk = of_system(error.errno, error.filename)
            if of_disk is not None:
                return of_disk
        return cls("internal", f"{type(error).__name__}: {error}")


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NO_WRITING = (errno.EROFS, errno.EIO)


def of_system(number: int, place: object) -> AutoContextError | None:
    """A fault of the disk under a place by the system's number, None when it is something else."""
    if number in _NO_ROOM:
        return AutoContextError("disk_full", f"no room is left on the disk of {place or 'an index'}")
    if number in _NO_WRITING:
        return AutoContextError("storage_failed", f"{place or 'a folder'} cannot be used: {os.strerror(number)}")
    return None


def nearest(word: str, words: Iterable[str]) -> str:
    """The one of some words that was most likely meant, "" when none is near."""
    import difflib  # noqa: PLC0415 - only for who made a mistake

    return next(iter(difflib.get_close_matches(word, list(words), n=1)), "")
