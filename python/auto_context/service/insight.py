"""The routes that tell how everything is: status, settings, health, figures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from pydantic import AfterValidator

from auto_context.service.statistics import CONTENT_TYPE, exposition

if TYPE_CHECKING:
    from auto_context.service.server import Service


def _absolute(path: str) -> str:
    # The service stands at "/": a path relative to whoever asks would be another one here.
    if not os.path.isabs(path):
        raise ValueError("must be an absolute path")
    return path


Root = Annotated[str, AfterValidator(_absolute)]


def add_routes(app: FastAPI, service: Service) -> None:
    """Add them to an app over a service."""

    @app.get("/status")
    def status(root: Root | None = None) -> dict[str, Any]:
        """The service, and what is known of a folder."""
        body: dict[str, Any] = {"service": service.describe(), "repository": None, "job": None}
        if root is not None:
            body |= {"repository": service.engine.status(Path(root)).to_dict(), "job": _job(service, root)}
        return body

    @app.get("/config")
    def config(root: Root) -> dict[str, Any]:
        """The settings in effect for a folder, and where each came from."""
        narrowed = service.engine.narrowed(Path(root))
        return narrowed.over(service.config).to_dict()

    @app.get("/doctor")
    def doctor(root: Root | None = None) -> dict[str, Any]:
        """What this installation is made of and what it takes, and ``checks`` of whether its parts work."""
        found = service.engine.examine(None if root is None else Path(root))
        return {"service": service.describe(), **found}

    @app.get("/stats")
    def stats(root: Root) -> dict[str, Any]:
        """Figures of a folder's index, of what was embedded, and of the service."""
        return {
            "service": _service(service),
            "repository": _repository(service, Path(root)),
            "job": _job(service, root),
        }

    @app.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> PlainTextResponse:
        """The same of every folder in use, in Prometheus' text format."""
        roots = service.engine.searched_roots()
        text = exposition(_service(service), [_repository(service, root) for root in roots])
        return PlainTextResponse(text, media_type=CONTENT_TYPE)


def _service(service: Service) -> dict[str, Any]:
    return service.describe() | {"caches": service.engine.caches(), "searches": service.statistics.searches()}


def _repository(service: Service, root: Path) -> dict[str, Any]:
    known = service.engine.stats(root)
    return known | {"embedding": service.statistics.embedding(known["top"])}


def _job(service: Service, root: str) -> dict[str, Any] | None:
    found = service.jobs.of(service.engine.repository_key(Path(root)))
    return found.to_dict() if found else None
