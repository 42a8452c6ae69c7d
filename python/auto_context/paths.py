"""Where things live on this machine: configuration, data, logs, and the service's socket.

Linux follows the XDG base directories; macOS keeps the same XDG folders, as command-line tools do there.
Each folder can be moved by one environment variable, which tests use to stay out of the user's home.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

from auto_context.errors import AutoContextError, of_system

_PRIVATE = 0o700
_SOCKET_PATH_LIMIT = 100
"""Bytes: sun_path holds 108 on Linux and 104 on macOS, ending in a NUL."""


def require_supported_platform() -> None:
    """Raise ``unsupported_platform`` on Windows, where Unix sockets and file locks differ."""
    if sys.platform == "win32":
        raise AutoContextError("unsupported_platform", "auto-context runs on Linux and macOS only")


def _xdg(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    # The XDG specification: a relative path is invalid and must be ignored.
    return Path(value) if os.path.isabs(value) else Path.home() / fallback


def config_dir() -> Path:
    """The user's configuration: ``$AUTO_CONTEXT_CONFIG_DIR``, else ``$XDG_CONFIG_HOME/auto-context``."""
    override = os.environ.get("AUTO_CONTEXT_CONFIG_DIR")
    return Path(override) if override else _xdg("XDG_CONFIG_HOME", ".config") / "auto-context"


def data_dir() -> Path:
    """Indexes of all repositories: ``$AUTO_CONTEXT_DATA_DIR``, else ``$XDG_DATA_HOME/auto-context``."""
    override = os.environ.get("AUTO_CONTEXT_DATA_DIR")
    return Path(override) if override else _xdg("XDG_DATA_HOME", ".local/share") / "auto-context"


def cache_dir() -> Path:
    """What can be made again: models made ready. ``$AUTO_CONTEXT_CACHE_DIR``, else ``$XDG_CACHE_HOME/auto-context``."""
    override = os.environ.get("AUTO_CONTEXT_CACHE_DIR")
    return Path(override) if override else _xdg("XDG_CACHE_HOME", ".cache") / "auto-context"


def log_dir() -> Path:
    """Rotating logs: ``$AUTO_CONTEXT_LOG_DIR``, else ``$XDG_STATE_HOME/auto-context``."""
    override = os.environ.get("AUTO_CONTEXT_LOG_DIR")
    return Path(override) if override else _xdg("XDG_STATE_HOME", ".local/state") / "auto-context"


def private_dir(path: Path) -> Path:
    """Make ``path`` a folder only this user can enter, and return it.

    Raises:
        AutoContextError: ``unsafe_directory`` when it is a link, a file or belongs to someone else; ``disk_full`` or
            ``storage_failed`` when it cannot be made.
    """
    try:
        path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        info = path.lstat()
        if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
            raise _unsafe(path, "it is a link or belongs to another user")
        if stat.S_IMODE(info.st_mode) != _PRIVATE:
            path.chmod(_PRIVATE)
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def cannot_write(path: Path, error: OSError) -> AutoContextError:
    """Why nothing can be written at a path, naming the variable that moves its folder."""
    if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.ELOOP):
        return _unsafe(path, str(error.strerror))
    fault = of_system(error.errno or 0, path)
    if fault is not None and fault.code == "disk_full":
        return fault
    variable = _variable(path)
    return AutoContextError(
        "storage_failed",
        f"{path} cannot be written: {error.strerror}",
        f"make it writable, or set {variable} to a folder that is" if variable else None,
    )


def require_writable(folder: Path) -> None:
    """Before work whose result goes there: better now than after it.

    Raises:
        AutoContextError: as ``cannot_write``.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise cannot_write(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _unsafe(path: Path, why: str) -> AutoContextError:
    variable = _variable(path)
    hint = f"remove it, or set {variable} to another folder" if variable else "remove it"
    return AutoContextError("unsafe_directory", f"{path} is not used: {why}", hint)


def _variable(path: Path) -> str:
    """The environment variable that moves the folder which a path is in, "" when it is in none of ours."""
    folders = (
        ("AUTO_CONTEXT_DATA_DIR", data_dir), ("AUTO_CONTEXT_CACHE_DIR", cache_dir), ("AUTO_CONTEXT_LOG_DIR", log_dir),
        ("AUTO_CONTEXT_CONFIG_DIR", config_dir), ("AUTO_CONTEXT_RUNTIME_DIR", _runtime_path),
    )  # fmt: skip
    whole = Path(os.path.abspath(path))
    return next((name for name, folder in folders if whole.is_relative_to(os.path.abspath(folder()))), "")


def runtime_dir() -> Path:
    """The 0700 folder of sockets and locks: ``$AUTO_CONTEXT_RUNTIME_DIR``, ``$XDG_RUNTIME_DIR``, else a private one.

    A path too long for a Unix socket moves to the system's temporary folder.

    Raises:
        AutoContextError: ``unsafe_directory`` when the folder belongs to someone else, or even that one is too long;
            and those of ``private_dir``.
    """
    path = _runtime_path()
    if _too_long(path):
        raise AutoContextError(
            "unsafe_directory",
            f"the path of a socket in {path} would be too long",
            "set AUTO_CONTEXT_RUNTIME_DIR to a folder with a shorter path",
        )
    return private_dir(path)


def _runtime_path() -> Path:
    override = os.environ.get("AUTO_CONTEXT_RUNTIME_DIR")
    xdg = os.environ.get("XDG_RUNTIME_DIR", "")
    fallback = Path(tempfile.gettempdir()) / f"auto-context-{os.getuid()}"
    if override:
        path = Path(override)
    elif os.path.isabs(xdg) and os.path.isdir(xdg):
        path = Path(xdg) / "auto-context"
    else:
        path = fallback
    return fallback if _too_long(path) else path


def _too_long(folder: Path) -> bool:
    return len(os.fsencode(folder / ("0" * 16 + ".sock"))) > _SOCKET_PATH_LIMIT


def service_name(data: Path, protocol: int) -> str:
    """The stem shared by one service's socket and lock: one per data folder and protocol major."""
    identity = f"{os.path.realpath(data)}\0{protocol}".encode(errors="surrogateescape")
    return hashlib.sha256(identity).hexdigest()[:16]
