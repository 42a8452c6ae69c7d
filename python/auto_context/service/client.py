"""The way to the service: finds it, starts it when there is none, and asks it. Standard library only.

One service per user, data folder and protocol. Clients race to start it; a file lock in the service decides.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from auto_context import __version__, config, paths
from auto_context.errors import AutoContextError
from auto_context.service.api import LONGEST_TARGET, PROTOCOL, release

_START_LIMIT_S = 30.0
_STOP_LIMIT_S = 10.0
_HANDSHAKE_LIMIT_S = 2.5
"""A service that lives says its version in a millisecond; it never waits for anything else first."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.2
_FAILED = 400


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Open the socket, if it is this user's."""
        if os.lstat(self._path).st_uid != os.getuid():
            raise AutoContextError("unsafe_directory", f"{self._path} belongs to another user")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class ServiceClient:
    """Asks the service of a data folder. Thread-safe: every thread has a connection of its own.

    Args:
        data_dir: the data folder; the user's by default.
        configures: a service that it starts takes over the settings in this process's environment. Nobody is
            configured in passing by whoever happens to ask first.
    """

    def __init__(self, data_dir: Path | None = None, *, configures: bool = False) -> None:
        paths.require_supported_platform()
        self._configures = configures
        self._data_dir = os.path.abspath(data_dir or paths.data_dir())
        stem = paths.runtime_dir() / paths.service_name(Path(self._data_dir), PROTOCOL)
        self._socket = os.path.abspath(f"{stem}.sock")
        self._local = threading.local()
        self._starting = threading.Lock()
        self._checked = False

    def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        timeout_s: float = 30.0,
        start: bool = True,
    ) -> dict[str, Any]:
        """Send one request and return the JSON object that answers it.

        Args:
            method: GET, POST or DELETE.
            path: a route of the API.
            params: its query; None values are left out.
            body: its JSON body.
            timeout_s: how long to wait for the answer, on top of ``wait_ms`` if that is among the parameters.
            start: start the service when none runs.

        Raises:
            AutoContextError: what the service answered, ``bad_request`` for parameters of over a million bytes, or
                ``service_unreachable``, ``service_failed``, ``service_newer``; ``config_invalid`` when it would not
                start with the user's settings.
        """
        query = {key: value for key, value in (params or {}).items() if value is not None}
        target = f"{path}?{urlencode(query, errors='surrogateescape')}" if query else path
        if len(target) > LONGEST_TARGET:
            raise AutoContextError("bad_request", f"{path}: the request is too long", "ask with fewer words")
        patience = timeout_s + float(query.get("wait_ms", 0)) / 1000
        try:
            self._ensure(start=start)
            return self._send(method, target, body, patience)
        except (OSError, http.client.HTTPException):
            # The service ended under us, or ended long ago and left its socket.
            self._drop()
            self._checked = False
        try:
            self._ensure(start=start)
            return self._send(method, target, body, patience)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def stop(self) -> bool:
        """End the service and wait until it answers no more; False when none ran.

        Raises:
            AutoContextError: ``service_failed`` when it does not end.
        """
        if self._handshake() is None:
            return False
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._send("POST", "/service/stop", {}, _STOP_LIMIT_S)
        self._drop()
        self._checked = False
        if not self._wait(lambda: self._handshake() is None, _STOP_LIMIT_S):
            raise AutoContextError("service_failed", "the running service does not end")
        return True

    def close(self) -> None:
        """Close this thread's connection."""
        self._drop()

    def _send(self, method: str, target: str, body: dict[str, Any] | None, timeout_s: float) -> dict[str, Any]:
        connection: _Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _Connection(self._socket, timeout_s)
        elif connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        payload = None if body is None else json.dumps(body).encode()
        headers = {} if payload is None else {"Content-Type": "application/json"}
        try:
            connection.request(method, target, payload, headers)
            answer = connection.getresponse()
            data = answer.read()
        except TimeoutError as error:
            self._drop()
            raise AutoContextError(
                "service_unreachable", f"the service did not answer {target.partition('?')[0]} within {timeout_s:.0f} s"
            ) from error
        except OSError:
            self._drop()
            raise
        try:
            result: dict[str, Any] = dict(json.loads(data))
        except (ValueError, TypeError) as error:
            raise AutoContextError("bad_request", f"the service refused it: {data[:100]!r}") from error
        if answer.status >= _FAILED:
            raise AutoContextError.from_dict(result.get("error", {}))
        return result

    def _drop(self) -> None:
        connection: _Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    # Starting, and agreeing on a version

    def _ensure(self, *, start: bool) -> None:
        """Once per client, and again after a loss: there is a service, and it is not older than we are."""
        if self._checked:
            return
        with self._starting:
            if self._checked:
                return
            if start:
                # A service that runs may have older ones; whoever asks hears of it all the same.
                config.read(paths.config_dir(), os.environ if self._configures else None)
            version = self._handshake()
            if version is None and not start:
                raise AutoContextError("service_unreachable", "no service is running")
            if version is not None and start and release(version) < release(__version__):
                self.stop()
                version = None
            if version is None:
                self._start()
            self._checked = True

    def _handshake(self) -> str | None:
        """The version of the service that answers, None when none does.

        Raises:
            AutoContextError: ``service_newer`` when it speaks a protocol we do not know, ``service_unreachable`` when
                it hangs.
        """
        try:
            answer = self._send("GET", "/version", None, _HANDSHAKE_LIMIT_S)
        except (OSError, http.client.HTTPException, ValueError):
            self._drop()
            return None
        except AutoContextError as error:
            raise self._hangs() if error.code == "service_unreachable" else error from None
        if answer.get("protocol") != PROTOCOL:
            raise AutoContextError("service_newer", f"the running service speaks protocol {answer.get('protocol')}")
        return str(answer.get("version", "0"))

    def _hangs(self) -> AutoContextError:
        try:
            pid = int(Path(self._socket).with_suffix(".lock").read_text("utf-8"))
        except (OSError, ValueError):
            return AutoContextError("service_unreachable", "the service hangs")
        hint = f"`kill -9 {pid}` ends it: nothing is lost, and the next command starts another"
        return AutoContextError("service_unreachable", f"the service, process {pid}, hangs", hint)

    def _start(self) -> None:
        log_dir = os.path.abspath(paths.private_dir(paths.log_dir()))
        log = Path(log_dir) / "service.err"
        # The service stands elsewhere: a relative folder would be another one there.
        environment = {
            **(os.environ if self._configures else config.without_settings(os.environ)),
            "AUTO_CONTEXT_CONFIG_DIR": os.path.abspath(paths.config_dir()),
            "AUTO_CONTEXT_CACHE_DIR": os.path.abspath(paths.cache_dir()),
            "AUTO_CONTEXT_LOG_DIR": log_dir,
            "AUTO_CONTEXT_RUNTIME_DIR": os.path.dirname(self._socket),
        }
        # -P: the folder we happen to stand in must never be importable.
        command = [sys.executable, "-P", "-m", "auto_context.service", "--data-dir", self._data_dir]

        def spawn() -> subprocess.Popen[bytes]:
            try:
                output = log.open("ab")
            except OSError as error:
                raise paths.cannot_write(log, error) from error
            with output:
                return subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    cwd="/",
                    env=environment,
                )

        before = log.stat().st_size if log.exists() else 0
        child = spawn()

        def settled() -> bool:
            nonlocal child
            if _failed(child):
                return True
            with contextlib.suppress(AutoContextError):  # it listens before it answers; what hangs is said below
                if self._handshake() is not None:
                    return True
            if child.poll() == 0:
                # It met a service that held the lock but answers nobody any more: that one is ending.
                child = spawn()
            return False

        if not self._wait(settled, _START_LIMIT_S) or _failed(child):
            raise _start_fault(log, before)

    @staticmethod
    def _wait(condition: Any, limit_s: float) -> bool:
        pause, deadline = _FIRST_PAUSE_S, time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
        return False

    def _unreachable(self, error: Exception) -> AutoContextError:
        self._drop()
        return AutoContextError(
            "service_unreachable", f"the service cannot be reached: {error or type(error).__name__}"
        )


def _failed(child: subprocess.Popen[bytes]) -> bool:
    """A service that finds another one running ends with 0: that is no failure."""
    return child.poll() not in (None, 0)


def _start_fault(log: Path, before: int) -> AutoContextError:
    """Why a service did not start: its last line says so as JSON, unless it fell over before it could.

    Args:
        log: what it wrote to.
        before: bytes that were there already.
    """
    try:
        line = log.read_bytes()[before:].decode("utf-8", "replace").strip().rpartition("\n")[2]
    except OSError:
        line = ""
    try:
        return AutoContextError.from_dict(json.loads(line))
    except (ValueError, AttributeError):
        why = line or "it left no message"
        return AutoContextError("service_failed", f"the service did not start: {why}", f"read {log}")
