"""Keeps the service alive while this Neovim uses it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from auto_context.errors import AutoContextError

_RENEW_S = 30.0
_TTL_S = 90


def client_name() -> str:
    """What the service knows this Neovim by."""
    return f"nvim-{os.getppid()}"


class Lease:
    """A lease taken at the first answer of the service and renewed on a daemon thread."""

    def __init__(self, request: Callable[..., dict[str, Any]]) -> None:
        """``request`` speaks to the service."""
        self._request = request
        self._wanted = threading.Event()
        self._started = False
        self._lock = threading.Lock()

    def hold(self) -> None:
        """Hold the lease from now on."""
        self._wanted.set()
        with self._lock:
            if not self._started:
                self._started = True
                threading.Thread(target=self._renew, name="lease", daemon=True).start()

    def pause(self) -> None:
        """Let go of it until the next `hold`: the service was asked to end."""
        self._wanted.clear()

    def _renew(self) -> None:
        body = {"client": client_name(), "ttl_s": _TTL_S}
        pause = threading.Event()
        while True:
            self._wanted.wait()
            # Never starts a service: one that ended meanwhile is started by the next real request.
            with suppress(AutoContextError):
                self._request("POST", "/lease", body=body, start=False)
            pause.wait(_RENEW_S)
