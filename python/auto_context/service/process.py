"""The service process: elected by a file lock, bound to a private socket, ended when nobody needs it."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import json
import logging
import logging.handlers
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import uvicorn

from auto_context import __version__, config, paths
from auto_context.engine import Engine
from auto_context.errors import AutoContextError
from auto_context.service.api import LONGEST_TARGET, PROTOCOL
from auto_context.service.server import Service, create_app
from auto_context.service.workers import Workers

log = logging.getLogger(__name__)

_LOG_BYTES, _LOG_FILES = 1_000_000, 3
_HEADERS_BYTES = 1 << 16
_LOOK_EVERY_S, _LOOK_BUSY_S = 5.0, 1.0
"""How often the service looks after its processes and their memory, and how often while jobs run."""
_SHUTDOWN_LIMIT_S = 2
_COLLECTOR = 20_000, 20, 20
"""Python's collector looks once in a search, not thirty times: 1 to 2 ms of its 17 at 100,000 chunks."""


def acquire(lock: Path) -> IO[str] | None:
    """Take the lock that makes a process the service; None when another has it.

    The file stays when the process ends: removing it would let two processes lock two files of one name.
    """
    try:
        handle = lock.open("a+", encoding="utf-8")
    except OSError as error:
        raise paths.cannot_write(lock, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    with contextlib.suppress(OSError):  # it is for a person who looks; a full disk need not keep us
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
    return handle


def bind(path: Path) -> socket.socket:
    """A listening socket only this user can open. Call with the lock held: what stands there is stale then."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        listener.bind(str(path))
    except OSError as error:
        raise paths.cannot_write(path, error) from error
    finally:
        os.umask(before)
    listener.listen(128)
    return listener


def start_log(directory: Path) -> Path:
    """A log that rotates; returns its file."""
    paths.private_dir(directory)
    file = directory / "service.log"
    try:
        handler = logging.handlers.RotatingFileHandler(
            file, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, encoding="utf-8"
        )
    except OSError as error:
        raise paths.cannot_write(file, error) from error
    logging.raiseExceptions = False  # a line that finds no room is lost, no more
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    return file


def run(data_dir: Path) -> int:
    """Be the service until told or left alone. Returns the exit status."""
    paths.private_dir(data_dir)
    gc.set_threshold(*_COLLECTOR)
    stem = paths.runtime_dir() / paths.service_name(data_dir, PROTOCOL)
    lock = acquire(stem.with_suffix(".lock"))
    if lock is None:
        return 0
    log_file = start_log(paths.log_dir())
    directory = paths.config_dir()
    stamp = config.stamp(directory)
    chosen = config.read(directory, os.environ)
    settings = chosen.settings
    for warning in chosen.warnings:
        log.warning("%s", warning)
    worker = Workers(directory, paths.cache_dir() / "models")
    service = Service(lambda refresh: Engine(data_dir, settings, worker, refresh), worker, log_file, chosen)
    listener = bind(stem.with_suffix(".sock"))
    app = create_app(service)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            h11_max_incomplete_event_size=LONGEST_TARGET + _HEADERS_BYTES,
            timeout_graceful_shutdown=_SHUTDOWN_LIMIT_S,
        )
    )

    def stop() -> None:
        server.should_exit = True

    service.stop = stop
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises a signal again once it has shut down: by default that would end us before our own end.
        signal.signal(number, lambda *_: stop())
    ended = threading.Event()
    idle_limit_s = settings.idle_minutes * 60.0

    def changed() -> bool:
        return config.stamp(directory) != stamp

    threading.Thread(target=_look_after, args=(service, idle_limit_s, changed, stop, ended), daemon=True).start()
    worker.warm()
    threading.Thread(target=service.engine.warm, name="warm", daemon=True).start()
    log.info("service %s listens on %s", __version__, stem.with_suffix(".sock"))
    try:
        server.run(sockets=[listener])
    finally:
        ended.set()
        with contextlib.suppress(OSError):
            stem.with_suffix(".sock").unlink()
        service.close()
        log.info("service ended")
        lock.close()
    return 0


def _look_after(
    service: Service,
    idle_limit_s: float,
    changed: Callable[[], bool],
    stop: Callable[[], None],
    ended: threading.Event,
) -> None:
    """Until it ended: call its chores, and end it when nobody needs it or the settings are others by now."""
    while not ended.wait(_LOOK_BUSY_S if service.jobs.busy else _LOOK_EVERY_S):
        service.look_after()
        service.collect()
        if service.idle_for() >= idle_limit_s:
            log.info("nobody needs the service: it ends")
            stop()
        elif changed() and not service.jobs.busy:
            log.info("the settings have changed: it ends, and whoever asks next starts it with them")
            stop()


def main() -> int:
    """Entry point: ``python -m auto_context.service``."""
    parser = argparse.ArgumentParser(prog="auto_context.service")
    parser.add_argument("--data-dir", type=Path, default=None)
    options = parser.parse_args()
    try:
        paths.require_supported_platform()
        return run(options.data_dir or paths.data_dir())
    except Exception as fault:
        log.exception("the service cannot start")
        error = AutoContextError.wrap(fault)
        # The last line is for the client that started us.
        sys.stderr.write(f"{json.dumps(error.to_dict())}\n")
        return error.spec.exit_status
