"""Unsaved buffers on their way to the service, and the searches that must find them there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from .lease import client_name

_PATIENCE_S = 2.0
"""How long a search waits for buffers that are on their way: they are cut by a reader."""


class Buffers:
    """The texts by root, kept so that a service that began anew gets them again. Called from the bridge's threads."""

    def __init__(self, request: Callable[..., dict[str, Any]]) -> None:
        """``request`` speaks to the service."""
        self._request = request
        self._lock = threading.Lock()
        self._texts: dict[str, dict[str, str]] = {}
        self._coming: dict[str, threading.Event] = {}

    def take(self, params: dict[str, Any]) -> Callable[[], Any]:
        """Note what Lua sent: ``files``, texts by absolute path, False for one that is saved or closed.

        Returns:
            The work of sending it on.
        """
        root, files = str(params.get("root") or ""), params.get("files") or {}
        news = {path: None if text is False else text for path, text in files.items()}
        done = threading.Event()
        with self._lock:
            before = self._coming.get(root)
            self._coming[root] = done
            texts = self._texts.setdefault(root, {})
            for path, text in news.items():
                if text is None:
                    texts.pop(path, None)
                else:
                    texts[path] = text

        def send() -> Any:
            try:
                if before is not None:
                    before.wait(_PATIENCE_S)  # what was typed last counts
                return self._send(root, news)
            finally:
                done.set()

        return send

    def of(self, params: dict[str, Any]) -> bool:
        """Whether a search is one of a root with buffers, or with some on their way."""
        return str(params.get("root") or "") in self._coming

    def search(self, params: dict[str, Any]) -> dict[str, Any]:
        """Search with what is not saved."""
        root = str(params["root"])
        self._coming[root].wait(_PATIENCE_S)
        body = {**params, "client": client_name()}
        reply = self._request("POST", "/search", body=body)
        texts = dict(self._texts[root])
        if texts and not reply.get("held"):
            # The service began anew and knows of none, or none of them may be indexed.
            held = self._send(root, texts)["held"]
            reply = self._request("POST", "/search", body=body) if held else reply
        return reply

    def _send(self, root: str, files: Mapping[str, str | None]) -> dict[str, Any]:
        return self._request("POST", "/buffers", body={"client": client_name(), "root": root, "files": files})
