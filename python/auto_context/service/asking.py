"""The routes that ask an index: search, files before a word is typed, similar code, context of a place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from auto_context import render
from auto_context.service.api import LEASE_TTL_S
from auto_context.service.insight import Root
from auto_context.service.wire import Json
from auto_context.types import ContextRequest, NearbyRequest, SearchRequest, SimilarRequest

if TYPE_CHECKING:
    from auto_context.service.server import Service

Limit = Annotated[int | None, Query(ge=0, le=200)]
Tests = Literal["with", "without", "only"]


class SearchBody(BaseModel):
    """A search."""

    query: str
    root: Root
    limit: int | None = Field(default=None, ge=0, le=200)
    path: str | None = None
    language: str | None = None
    paths: list[str] | None = Field(default=None, max_length=1_000)
    tests: Tests = "with"
    threshold: float | None = Field(default=None, ge=0, le=1)
    wait_ms: int = Field(default=0, ge=0, le=60_000)
    near: str = ""
    per_file: int = Field(default=4, ge=1, le=200)
    explain: bool = False
    client: str = Field(default="", max_length=200)
    """Whose unsaved buffers stand in place of their files: see ``/buffers``."""


class BuffersBody(BaseModel):
    """Unsaved buffers of a client, held in memory while its lease lasts."""

    client: str = Field(min_length=1, max_length=200)
    root: Root
    files: dict[str, str | None] = Field(max_length=100)
    """Texts by path, absolute or relative to the root; null for one that is saved or closed."""


class NearbyBody(BaseModel):
    """Ask for files before a word is typed; paths are relative to the root."""

    root: Root
    near: str = ""
    open: list[str] = Field(default=[], max_length=1_000)
    recent: list[str] = Field(default=[], max_length=1_000)
    limit: int | None = Field(default=None, ge=0, le=200)


class ContextBody(BaseModel):
    """Ask for what is needed at a place."""

    root: Root
    path: str
    line: int = Field(ge=1)
    column: int | None = Field(default=None, ge=1)
    budget: int = Field(default=2_000, ge=50, le=100_000)


def add_routes(app: FastAPI, service: Service) -> None:
    """Add them."""

    @app.get("/search")
    def search(
        query: str,
        root: Root,
        limit: Limit = None,
        path: str | None = None,
        language: str | None = None,
        tests: Tests = "with",
        threshold: Annotated[float | None, Query(ge=0, le=1)] = None,
        wait_ms: Annotated[int, Query(ge=0, le=60_000)] = 0,
        near: str = "",
        per_file: Annotated[int, Query(ge=1, le=200)] = 4,
        explain: bool = False,
    ) -> JSONResponse:
        """The best hits for a query in a folder; what is not said is as in the service's settings."""
        return ask(
            SearchBody(
                query=query, root=root, limit=limit, path=path, language=language, tests=tests, threshold=threshold,
                wait_ms=wait_ms, near=near, per_file=per_file, explain=explain,
            )
        )  # fmt: skip

    @app.post("/search")
    def ask(body: SearchBody) -> JSONResponse:
        """The same, for what does not fit into an address."""
        settings = service.settings
        asked = body.model_dump(exclude={"limit", "threshold", "paths"})
        request = SearchRequest(
            **asked,
            limit=service.limit(body.limit),
            threshold=settings.threshold if body.threshold is None else body.threshold,
            paths=None if body.paths is None else tuple(body.paths),
        )
        reply = service.engine.search(request)
        service.statistics.searched(reply.took_ms)
        held = {"held": service.engine.held_buffers(body.client, Path(body.root))} if body.client else {}
        return Json(reply.to_dict() | held)

    @app.post("/buffers")
    def buffers(body: BuffersBody) -> dict[str, int]:
        """What a client has not saved: from now on its searches find that in place of the files."""
        service.lease(body.client, LEASE_TTL_S)
        return {"held": service.engine.hold_buffers(body.client, Path(body.root), body.files)}

    @app.post("/nearby")
    def nearby(body: NearbyBody) -> JSONResponse:
        """Files a person may want before a word is typed."""
        request = NearbyRequest(
            body.root, body.near, tuple(body.open), tuple(body.recent), service.limit(body.limit)
        )  # fmt: skip
        return Json(service.engine.nearby(request).to_dict())

    @app.get("/similar")
    def similar(
        path: str,
        root: Root,
        line: Annotated[int | None, Query(ge=1)] = None,
        limit: Limit = None,
    ) -> JSONResponse:
        """Code like the chunk at a line of a file, or like the whole file."""
        return Json(service.engine.similar(SimilarRequest(root, path, line, service.limit(limit))).to_dict())

    @app.post("/context")
    def context(body: ContextBody) -> JSONResponse:
        """What one needs to work at a place, within a budget of tokens; ``markdown`` has the same as one text."""
        request = ContextRequest(body.root, body.path, body.line, body.column, body.budget)
        reply = service.engine.context(request).to_dict()
        return Json(reply | {"markdown": render.context(reply["items"])})
