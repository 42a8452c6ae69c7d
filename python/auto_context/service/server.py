"""The HTTP API: routes over one engine. FastAPI describes it at /openapi.json."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from auto_context import __version__
from auto_context.config import Effective
from auto_context.engine import Engine, Options
from auto_context.engine.pace import Pace
from auto_context.errors import CODES, AutoContextError
from auto_context.service import asking, insight, memory
from auto_context.service.api import LEASE_TTL_S, PROTOCOL
from auto_context.service.insight import Root
from auto_context.service.jobs import Job, Jobs
from auto_context.service.pressure import Minder
from auto_context.service.statistics import Statistics
from auto_context.service.wire import Json, Route
from auto_context.service.workers import Workers
from auto_context.types import Cleared, UpdateReport

log = logging.getLogger(__name__)

_THREADS = 64
"""Searches and long polls each hold one."""
_LONGEST_POLL_MS = 30_000
_CLOSE_LIMIT_S = 3.0
_COLLECT_S = 0.5
"""Every five seconds while garbage is being collected: a tenth of the time."""


class UpdateBody(BaseModel):
    """Ask for a whole update."""

    root: Root
    force: bool = False
    confirmed: bool = False
    open_paths: list[str] = Field(default=[], max_length=1_000)
    """Absolute, or relative to the root: what is open in an editor is embedded first."""


class IncrementalBody(BaseModel):
    """Ask for an update of single files, absolute or relative to the root."""

    root: Root
    paths: list[str] = Field(max_length=10_000)


class PruneBody(BaseModel):
    """Ask for the removal of what nothing uses any more; of every repository without a root."""

    root: Root | None = None
    dry_run: bool = False


class ClearBody(BaseModel):
    """Ask for the deletion of an index; of every index without a root."""

    root: Root | None = None
    dry_run: bool = False


class LeaseBody(BaseModel):
    """Keep the service alive."""

    client: str = Field(max_length=200)
    ttl_s: float = Field(default=LEASE_TTL_S, gt=0, le=3600)


class Service:
    """The state behind the routes.

    Args:
        engine: answers and indexes; given a factory, because it calls back into the jobs.
        worker: the engine's worker, for its state.
        log_file: named in the status.
        config: the user's settings, and where each came from.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        engine: Callable[[Callable[[Path, float], None]], Engine],
        worker: Workers,
        log_file: Path,
        config: Effective = Effective(),  # noqa: B008 - a frozen record
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.jobs = Jobs(self._run)
        self.engine = engine(self._refresh)
        self.worker = worker
        self.pace = Pace()
        self.config = config
        self.settings = config.settings
        self.minder = Minder(self.settings, self.engine, worker, self.pace, clock)
        self.stop: Callable[[], None] = lambda: None
        self.log_file = log_file
        self.statistics = Statistics(log_file.parent)
        self.clock = clock
        self.started = clock()
        self.started_at = time.time()
        self.used_at = clock()
        self._leases: dict[str, float] = {}
        self._lock = threading.Lock()

    def _run(self, job: Job) -> UpdateReport:
        def progress(news: Any) -> None:
            self.jobs.report_progress(job, news)

        root = Path(job.root)
        options = Options(job.cancel, progress, open_paths=job.options.get("open_paths", ()), pace=self.pace)
        if job.kind == "incremental":
            report = self.engine.update_paths(root, job.options["paths"], options)
        else:
            report = self.engine.update(root, force=job.options["force"], confirmed=True, options=options)
        self.statistics.updated(report, self.engine.top(root))
        return report

    def limit(self, asked: int | None) -> int:
        """Most hits of an answer."""
        return self.settings.limit if asked is None else asked

    def update(self, root: str, *, force: bool, confirmed: bool, open_paths: Sequence[str] = ()) -> Job:
        """Queue a whole update after asking what a person should confirm."""
        self.engine.check(Path(root), confirmed=confirmed)
        options = {"force": force, "open_paths": list(open_paths)}
        return self.jobs.submit("update", root, self.engine.repository_key(Path(root)), options)

    def incremental(self, root: str, paths: list[str]) -> Job:
        """Queue an update of single files."""
        return self.jobs.submit("incremental", root, self.engine.repository_key(Path(root)), {"paths": paths})

    def clear(self, root: Path | None, *, dry_run: bool) -> list[Cleared]:
        """Delete the index of a folder, or all; what is being indexed there is cancelled first."""
        if not dry_run:
            self.jobs.cancel_all(None if root is None else self.engine.repository_key(root), _CLOSE_LIMIT_S)
        return self.engine.clear(root, dry_run=dry_run)

    def collect(self) -> None:
        """Remove a little of what nothing uses any more, unless there is something better to do. Call now and then."""
        if self.jobs.busy:
            return
        try:
            self.engine.collect(_COLLECT_S)
        except Exception:
            # Who calls this looks after the worker as well, and must go on.
            log.exception("garbage was not collected")

    def _refresh(self, root: Path, seconds: float) -> None:
        """A search met a branch the view is not of: update, and wait as long as the caller would."""
        job = self.update(str(root), force=False, confirmed=True)
        if seconds > 0:
            self.jobs.wait_ended(job, seconds)

    def lease(self, client: str, ttl_s: float) -> None:
        """Stay alive for a client."""
        with self._lock:
            self._leases[client] = self.clock() + ttl_s

    def leases(self) -> int:
        """How many clients hold the service alive."""
        now = self.clock()
        with self._lock:
            self._leases = {client: end for client, end in self._leases.items() if end > now}
            held = set(self._leases)
        self.engine.overlays.drop(self.engine.overlays.clients() - held)
        return len(held)

    def idle_for(self) -> float:
        """Seconds without a request, a job or a lease."""
        if self.leases() or self.jobs.busy:
            self.used_at = self.clock()
        return self.clock() - self.used_at

    def look_after(self) -> None:
        """End what is idle, kill what hangs, keep within the limits. Call now and then."""
        self.worker.look_after()
        self.minder.look()

    def close(self) -> None:
        """Stop jobs, worker and engine. What was committed stays."""
        self.jobs.close(_CLOSE_LIMIT_S)
        self.worker.close()
        self.engine.close()

    def describe(self) -> dict[str, Any]:
        """The service part of the status."""
        pid = self.worker.embedder.pid
        readers = [reader.pid for reader in self.worker.readers if reader.pid is not None]
        return {
            "version": __version__,
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "uptime_s": round(self.clock() - self.started, 1),
            "worker": self.worker.state,
            "worker_pid": pid,
            "rss_bytes": memory.resident(os.getpid()),
            "worker_rss_bytes": memory.resident(pid) if pid else 0,
            "reader_pids": readers,
            "reader_rss_bytes": sum(map(memory.resident, readers)),
            "memory_bytes": self.minder.taken(),
            "memory_limit_bytes": self.minder.limit,
            "paused": self.pace.held,
            "leases": self.leases(),
            "log": str(self.log_file),
        }


def create_app(service: Service) -> FastAPI:
    """The routes over a service."""
    app = FastAPI(title="auto-context", version=__version__, docs_url=None, redoc_url=None, default_response_class=Json)
    app.router.route_class = Route
    _add_errors(app)
    asking.add_routes(app, service)
    _add_index_routes(app, service)
    _add_store_routes(app, service)
    _add_service_routes(app, service)
    insight.add_routes(app, service)

    app.add_middleware(_NoteUse, service=service)
    return app


class _NoteUse:
    """Notes when the service was used last. Plain ASGI: FastAPI's own kind of middleware takes half a millisecond."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        self._service.used_at = self._service.clock()
        if scope["type"] == "http":
            anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        await self._app(scope, receive, send)


def _add_index_routes(app: FastAPI, service: Service) -> None:
    @app.post("/index/update", status_code=202)
    def update(body: UpdateBody) -> dict[str, str]:
        """Bring a whole worktree up to date."""
        return {
            "job": service.update(body.root, force=body.force, confirmed=body.confirmed, open_paths=body.open_paths).id
        }

    @app.post("/index/incremental", status_code=202)
    def incremental(body: IncrementalBody) -> dict[str, str]:
        """Bring single files up to date."""
        return {"job": service.incremental(body.root, body.paths).id}

    @app.get("/jobs/{number}")
    def job(number: str, wait_ms: Annotated[int, Query(ge=0, le=_LONGEST_POLL_MS)] = 0) -> dict[str, Any]:
        """How far a job is; waits for news when asked to."""
        found = service.jobs.get(number)
        if wait_ms and not found.ended:
            service.jobs.wait(found, wait_ms / 1000)
        return found.to_dict()

    @app.delete("/jobs/{number}")
    def cancel(number: str) -> dict[str, Any]:
        """Ask a job to stop."""
        found = service.jobs.get(number)
        service.jobs.cancel(found)
        return found.to_dict()


def _add_store_routes(app: FastAPI, service: Service) -> None:
    @app.post("/index/prune")
    def prune(body: PruneBody) -> dict[str, Any]:
        """Remove what nothing uses any more, or tell what would go."""
        root = Path(body.root) if body.root is not None else None
        found = service.engine.prune(root, dry_run=body.dry_run)
        return {"dry_run": body.dry_run, "repositories": [item.to_dict() for item in found]}

    @app.post("/index/clear")
    def clear(body: ClearBody) -> dict[str, Any]:
        """Delete an index, or tell which would go."""
        found = service.clear(Path(body.root) if body.root is not None else None, dry_run=body.dry_run)
        return {"dry_run": body.dry_run, "repositories": [item.to_dict() for item in found]}

    @app.post("/index/vacuum")
    def vacuum() -> dict[str, Any]:
        """Give free room in the stores back to the disk."""
        return {"repositories": [item.to_dict() for item in service.engine.vacuum()]}


def _add_service_routes(app: FastAPI, service: Service) -> None:
    @app.get("/version")
    def version() -> dict[str, Any]:
        """Who answers."""
        return {
            "version": __version__,
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "started_at": service.started_at,
        }

    @app.post("/lease")
    def lease(body: LeaseBody) -> dict[str, str]:
        """Keep the service alive for a while."""
        service.lease(body.client, body.ttl_s)
        return {}

    @app.post("/service/stop")
    def stop() -> dict[str, str]:
        """End the service after this answer."""
        service.stop()
        return {}


def _add_errors(app: FastAPI) -> None:
    def answer(error: AutoContextError, status: int | None = None) -> JSONResponse:
        return Json({"error": error.to_dict()}, status or error.spec.http_status)

    @app.exception_handler(AutoContextError)
    def coded(_: Request, error: AutoContextError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][1:]) or "body"
        return answer(AutoContextError("bad_request", f"{name}: {first['msg'].removeprefix('Value error, ')}"))

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        message = f"{request.method} {request.url.path}: {error.detail}"
        return answer(AutoContextError("bad_request", message), error.status_code)

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return answer(AutoContextError.wrap(error), CODES["internal"].http_status)
