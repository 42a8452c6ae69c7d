"""The worker process: frames on a pipe around the scheduler. Reads and computes; never touches a store.

A frame is four bytes of length, big-endian, then msgpack: {id, op, params, priority} or {cancel: id} in, {id, result |
error} out, and {alive} now and then while an operation takes its steps.
It ends when its input ends, so a service that was killed leaves no orphan.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, BinaryIO

from auto_context import config
from auto_context.errors import AutoContextError
from auto_context.store.records import pack, unpack

ALIVE_EVERY_S = 5.0

_LENGTH = struct.Struct(">I")


def write_frame(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Write one message and flush."""
    data = pack(message)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read_frame(stream: BinaryIO) -> dict[str, Any] | None:
    """Read one message, None at the end of the stream."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    size = _LENGTH.unpack(head)[0]
    data = stream.read(size)
    if len(data) < size:
        return None
    message: dict[str, Any] = unpack(data)
    return message


def serve(source: BinaryIO, sink: BinaryIO, settings: config.Settings, cache_dir: Path) -> None:
    """Answer frames until the source ends."""
    # Imported here: `supervisor` uses the frames above without the engine's scheduler.
    from auto_context.engine.work import Scheduler  # noqa: PLC0415

    lock = threading.Lock()
    told_at = time.monotonic()

    def tell_alive() -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= ALIVE_EVERY_S:
            told_at = time.monotonic()
            with lock:
                write_frame(sink, {"alive": True})

    scheduler = Scheduler(settings, cache_dir, tell_alive, low_priority=True)
    running: dict[int, Future[dict[str, Any]]] = {}

    def answer(number: int) -> Callable[[Future[dict[str, Any]]], None]:
        def send(future: Future[dict[str, Any]]) -> None:
            running.pop(number, None)
            if future.cancelled():
                return  # nobody waits for it
            error = future.exception()
            message: dict[str, Any] = {"id": number}
            if error is None:
                message["result"] = future.result()
            else:
                message["error"] = AutoContextError.wrap(error).to_dict()
            with lock:
                write_frame(sink, message)

        return send

    while (message := read_frame(source)) is not None:
        if "cancel" in message:
            given_up = running.get(message["cancel"])
            if given_up is not None:
                given_up.cancel()
            continue
        future = scheduler.submit(message["op"], message["params"], message["priority"])
        running[message["id"]] = future
        future.add_done_callback(answer(message["id"]))


def main() -> None:
    """Entry point of the process: ``python -m auto_context.service.worker CONFIG_DIR CACHE_DIR``."""
    # A signal ends it like a kill: nothing here is to be finished or cleaned up.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not land among the frames.
    os.dup2(2, 1)
    settings = config.read(Path(sys.argv[1]), os.environ).settings
    serve(source, sink, settings, Path(sys.argv[2]))
    # Threads of native libraries have nothing left to do.
    os._exit(0)


if __name__ == "__main__":
    main()
