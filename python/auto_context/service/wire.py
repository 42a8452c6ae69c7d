"""How names of files that are no UTF-8 cross the wire, in both directions."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams


class Json(JSONResponse):
    """JSON in ASCII: a file name that is no UTF-8 has characters that only escapes can carry."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, separators=(",", ":")).encode("ascii")


class _Request(Request):
    """A request whose query may name files that are no UTF-8, as `Json` does in the other direction."""

    @property
    def query_params(self) -> QueryParams:
        """The parameters behind the question mark."""
        query = self.scope["query_string"].decode("latin-1")
        return QueryParams(parse_qsl(query, keep_blank_values=True, errors="surrogateescape"))


class Route(APIRoute):
    """A route that gets such requests."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            return await handle(_Request(request.scope, request.receive))

        return answer
