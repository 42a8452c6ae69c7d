"""Requests of one Neovim carried to the service on daemon threads, and their answers carried back.

Threads and not asyncio: the service's client blocks, and a thread that blocks must not keep Neovim from its host.
"""

from __future__ import annotations

import queue
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auto_context.errors import AutoContextError

from .buffers import Buffers
from .follow import Follower, Submit
from .lease import Lease

if TYPE_CHECKING:
    from auto_context.service.client import ServiceClient

Reply = Callable[[int, dict[str, str] | None, Any], None]
Event = Callable[[str, dict[str, Any]], None]


_ASKS = {
    "search": ("POST", "/search", "refine"),
    "nearby": ("POST", "/nearby", "search"),
    "similar": ("GET", "/similar", "refine"),
    "context": ("POST", "/context", "refine"),
    "status": ("GET", "/status", "general"),
    "stats": ("GET", "/stats", "general"),
    "doctor": ("GET", "/doctor", "general"),
}
"""Methods that only ask: verb, route and lane."""


_REMOVAL_S = 600.0
"""How long the removal of indexes may take."""


@dataclass(slots=True)
class _Saves:
    """Saved paths of one root that wait for their turn: one job for all of them."""

    requests: list[int] = field(default_factory=list)
    paths: dict[str, None] = field(default_factory=dict)


class Bridge:
    """Request id -> task, on a few threads in lanes that never block each other.

    search    searches that want an answer now: two threads, so that typing never waits for the answer before
    refine    searches that wait for their meaning, and what needs more than one look
    general   everything else, in order
    """

    _LANES = (("search", 2), ("refine", 2), ("general", 1))

    def __init__(self, reply: Reply, event: Event) -> None:
        """``reply`` and ``event`` are called from any thread."""
        self._reply = reply
        self._lock = threading.Lock()
        self._live: set[int] = set()
        self._saves: dict[str, _Saves] = {}
        self._queues: dict[str, queue.SimpleQueue[tuple[int, Callable[[], Any]]]] = {}
        self._client: ServiceClient | None = None
        self._lease = Lease(self.request)
        self._follower = Follower(self.request, event)
        self._buffers = Buffers(self.request)

    def call(self, request: int, method: str, params: Any) -> None:
        """Queue a request. Never blocks, never raises."""
        with self._lock:
            self._live.add(request)
        try:
            lane, task = self._task(request, method, params)
        except Exception as error:  # noqa: BLE001 - whatever Lua sent, it gets an answer
            self._finish(request, error, None)
            return
        if task is not None:
            self._lane(lane).put((request, task))

    def cancel(self, request: int) -> None:
        """Forget a request."""
        with self._lock:
            self._live.discard(request)

    def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """One request to the service, which is started on need; its client is imported here, off the main thread.

        Raises:
            AutoContextError: whatever the service or the way to it reports.
        """
        with self._lock:
            if self._client is None:
                # Imported late: the host must answer Neovim before anything else is loaded.
                from auto_context.service.client import ServiceClient  # noqa: PLC0415

                self._client = ServiceClient()
        answer: dict[str, Any] = self._client.request(method, path, **options)
        if options.get("start", True):
            self._lease.hold()
        return answer

    def _task(self, request: int, method: str, params: Any) -> tuple[str, Callable[[], Any] | None]:
        """The lane and the work of one request; no work when it rides along with one already queued."""
        if not isinstance(params, dict):
            raise AutoContextError("bad_request", f"{method}: parameters must be a table")
        if method in _ASKS or method == "buffers":
            return self._ask(method, params)
        if method in ("job", "cancel_job"):
            verb = "GET" if method == "job" else "DELETE"
            return "general", lambda: self.request(verb, f"/jobs/{_text(params, 'id')}")
        if method == "update":
            return "general", lambda: self._update(request, params)
        if method == "incremental":
            return "general", self._save(request, params)
        if method == "clear":
            return "general", lambda: self.request("POST", "/index/clear", body=params, timeout_s=_REMOVAL_S)
        if method == "stop":
            return "general", self._stop
        raise AutoContextError("bad_request", f"unknown method {method!r}")

    def _ask(self, method: str, params: dict[str, Any]) -> tuple[str, Callable[[], Any]]:
        if method == "buffers":
            return "search", self._buffers.take(params)
        verb, path, lane = _ASKS[method]
        if method == "search":
            lane = lane if params.get("wait_ms") else "search"
            if self._buffers.of(params):
                return lane, lambda: self._buffers.search(params)
        options = {"body" if verb == "POST" else "params": params}
        return lane, lambda: self.request(verb, path, **options)

    def _update(self, request: int, params: dict[str, Any]) -> None:
        root = _text(params, "root")
        body = {
            "root": root,
            "force": bool(params.get("force")),
            "confirmed": bool(params.get("confirmed")),
            "open_paths": params.get("open_paths") or [],
        }
        self._begin([request], "update", root, lambda: self.request("POST", "/index/update", body=body))

    def _save(self, request: int, params: dict[str, Any]) -> Callable[[], Any] | None:
        root = _text(params, "root")
        with self._lock:
            saves = self._saves.setdefault(root, _Saves())
            saves.requests.append(request)
            saves.paths.update(dict.fromkeys(params.get("paths") or []))
            return (lambda: self._incremental(root)) if len(saves.requests) == 1 else None

    def _incremental(self, root: str) -> None:
        with self._lock:
            saves = self._saves.pop(root)
        body = {"root": root, "paths": list(saves.paths)}
        try:
            self._begin(
                saves.requests, "incremental", root, lambda: self.request("POST", "/index/incremental", body=body)
            )
        except Exception as error:  # noqa: BLE001 - every request that rode along gets the answer
            for request in saves.requests:
                self._finish(request, error, None)

    def _begin(self, requests: list[int], kind: str, root: str, submit: Submit) -> None:
        """Start a job, answer with it, then follow it: in this order, so that Lua knows the job when it ends."""
        accepted = submit()
        for request in requests:
            self._finish(request, None, {"job": accepted["job"]})
        self._follower.follow(str(accepted["job"]), kind, root, submit)

    def _stop(self) -> dict[str, Any]:
        self._lease.pause()
        try:
            return self.request("POST", "/service/stop", start=False)
        except AutoContextError as error:
            if error.code == "service_unreachable":
                return {}  # it was not running
            raise

    def _lane(self, name: str) -> queue.SimpleQueue[tuple[int, Callable[[], Any]]]:
        """The queue of a lane, and its threads on first use. Only the main thread asks."""
        if name not in self._queues:
            self._queues[name] = queue.SimpleQueue()
            for _ in range(dict(self._LANES)[name]):
                threading.Thread(target=self._work, args=(self._queues[name],), name=name, daemon=True).start()
        return self._queues[name]

    def _work(self, tasks: queue.SimpleQueue[tuple[int, Callable[[], Any]]]) -> None:
        while True:
            request, task = tasks.get()
            # A cancelled job is a wish to hear nothing of it, not to undo it: only searches are dropped unasked.
            if request not in self._live and tasks is not self._queues.get("general"):
                continue
            try:
                result, error = task(), None
            except Exception as problem:  # noqa: BLE001 - the thread must live, and Lua must get an answer
                result, error = None, problem
            self._finish(request, error, result)

    def _finish(self, request: int, error: Exception | None, result: Any) -> None:
        """Answer a request once; later calls, and those for a forgotten request, do nothing."""
        with self._lock:
            if request not in self._live:
                return
            self._live.discard(request)
        if error is None:
            self._reply(request, None, without_none(result))
            return
        if not isinstance(error, AutoContextError):
            traceback.print_exception(error, file=sys.stderr)  # Lua puts stderr into the log
        self._reply(request, AutoContextError.wrap(error).to_dict(), None)


def _text(params: dict[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise AutoContextError("bad_request", f"parameter {name!r} must be a text")
    return value


def without_none(value: Any) -> Any:
    """``value`` without the keys whose value is None: in Lua an absent key is nil, a sent None is not."""
    if isinstance(value, dict):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_none(item) for item in value]
    return value
