"""A Hugging Face hub on this machine: the few routes that fetching a model uses, and ways for it to fail."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Serves ``models`` (name to folder). ``asked`` holds (method, path, Range header) of every request."""

    models: dict[str, Path]
    url: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    stall_after: int | None = None
    """Of weights, send this many bytes and no more, until ``let_go`` is set."""
    let_go: threading.Event = field(default_factory=threading.Event)

    def fetched(self, name: str) -> list[str]:
        """The Range headers of what was asked for a file's content."""
        return [span for method, path, span in self.asked if method == "GET" and path.endswith(f"/{name}")]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _answer(self, *, body: bool) -> None:
        path = urlsplit(self.path).path
        span = self.headers.get("Range", "")
        self.hub.asked.append((self.command, path, span))
        listing = re.fullmatch(r"/api/models/([^/]+/[^/]+?)(?:/revision/\w+)?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/\w+/(.+)", path)
        folder = self.hub.models.get((listing or file or [""] * 2)[1])
        if folder is None or (file and not (folder / file[2]).is_file()):
            code = "EntryNotFound" if folder else "RepoNotFound"
            self._send(404, {"X-Error-Code": code, "Content-Length": "0"}, b"")
        elif file:
            self._send_file((folder / file[2]).read_bytes(), file[2], span, body=body)
        else:
            names = sorted(str(item.relative_to(folder)) for item in folder.rglob("*") if item.is_file())
            siblings = [{"rfilename": name, "size": (folder / name).stat().st_size} for name in names]
            data = json.dumps({"id": "x/y", "sha": COMMIT, "siblings": siblings}).encode()
            self._send(200, {"Content-Length": str(len(data)), "Content-Type": "application/json"}, data)

    def _send_file(self, data: bytes, name: str, span: str, *, body: bool) -> None:
        digest = hashlib.sha256(data).hexdigest()
        start = int(span.removeprefix("bytes=").partition("-")[0]) if span else 0
        headers = {
            "ETag": f'"{digest}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
            "Content-Length": str(len(data) - start),
        }
        if span:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        part = data[start:] if body else b""
        if body and name.endswith(".safetensors") and self.hub.stall_after is not None:
            part = part[: self.hub.stall_after]
        self._send(206 if span else 200, headers, part)
        if body and len(part) < len(data) - start:
            self.hub.let_go.wait(30)
            self.close_connection = True

    def _send(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)
            self.wfile.flush()


@contextlib.contextmanager
def serving(models: dict[str, Path]) -> Iterator[Hub]:
    """A hub that answers while inside."""
    hub = Hub(models)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.let_go.set()
        server.shutdown()
        server.server_close()
