"""The remote plugin: what pynvim's host loads. Exports three methods and owns the way back into Lua.

Lua sends ``auto_context.call(id, method, params)`` and gets ``require('auto_context.rpc')._reply(id, error, result)``;
events come as ``_event(name, data)``. Nothing here runs on the main thread for longer than putting work on a queue.
Only ``rpc_export`` is used, so ``:UpdateRemotePlugins`` finds nothing to register and nothing to conflict with.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

import pynvim

from .bridge import Bridge

_REPLY = "require('auto_context.rpc')._reply(...)"
_EVENT = "require('auto_context.rpc')._event(...)"

_Method = TypeVar("_Method", bound=Callable[..., None])


def _export(name: str) -> Callable[[_Method], _Method]:
    """``pynvim.rpc_export`` for notifications, with a type."""
    return cast("Callable[[_Method], _Method]", pynvim.rpc_export(name, sync=False))


@pynvim.plugin
class AutoContext:
    """The exported methods."""

    def __init__(self, nvim: Any) -> None:
        self._nvim = nvim
        self._bridge = Bridge(partial(self._send, _REPLY), partial(self._send, _EVENT))

    def _send(self, code: str, *args: Any) -> None:
        """Run Lua from any thread. Asynchronous: a blocking request would hang while Neovim stands at a prompt."""
        self._nvim.async_call(lambda: self._nvim.api.exec_lua(code, list(args), async_=True))

    @_export("auto_context.call")
    def call(self, request: int, method: str, params: Any) -> None:
        """Queue one request; ``_reply`` answers it unless it is cancelled."""
        self._bridge.call(request, method, params)

    @_export("auto_context.cancel")
    def cancel(self, request: int) -> None:
        """Forget one request: it is dropped from its queue, or its answer is."""
        self._bridge.cancel(request)

    @_export("auto_context.bye")
    def bye(self) -> None:
        """End at once. Neovim would wait two seconds for threads that are in the middle of a request."""
        os._exit(0)
