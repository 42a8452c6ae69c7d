"""Answers in place of the remote plugin's, for states of the picker that a real service is in for an instant only."""

from __future__ import annotations

from typing import Any

from harness import Child

_STUB = """
    _G.asked, _G.answers = {}, ...
    local rpc = require('auto_context.rpc')
    rpc.request = function(method, params, callback)
      table.insert(_G.asked, { method = method, params = params })
      local answer, live = _G.answers[method], true
      if answer then
        vim.schedule(function()
          if live then
            callback(answer.error, answer.reply and vim.deepcopy(answer.reply))
          end
        end)
      end
      return function()
        live = false
      end
    end
"""


def answer_with(child: Child, **answers: dict[str, Any]) -> None:
    """Every request of a method gets this ``reply`` or ``error``; the others never hear anything."""
    child.lua("require('auto_context').setup({ auto_update = false })")
    child.lua(_STUB, answers)


def change(child: Child, method: str, answer: dict[str, Any]) -> None:
    """Another answer from now on."""
    child.lua("local method, answer = ... _G.answers[method] = answer", method, answer)


def asked(child: Child, method: str) -> list[dict[str, Any]]:
    """The parameters of every request of a method so far."""
    found: list[dict[str, Any]] = child.lua(
        """
        local method = ...
        local found = {}
        for _, each in ipairs(_G.asked) do
          if each.method == method then
            found[#found + 1] = each.params
          end
        end
        return found
        """,
        method,
    )
    return found


def hit(path: str, line: int, symbol: str = "", **fields: Any) -> dict[str, Any]:
    """One hit."""
    usual = {"path": path, "start_line": line, "end_line": line + 5, "focus": [line, line + 1], "symbol": symbol}
    usual |= {"kind": "function", "language": "python", "score": 1.0, "legs": ["lexical", "vector"], "fresh": True}
    return usual | {"text": "first line\nsecond line"} | fields


def found(*hits: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A reply to a search."""
    legs = {"lexical": "ok", "path": "ok", "static": "ok", "vector": "ok"}
    usual = {"query": "retry upload", "root": "/", "branch": "main", "took_ms": 1.0, "legs": legs}
    usual |= {"coverage": {"static": 1.0, "vector": 1.0}, "terms": ["retry", "upload"], "hits": list(hits)}
    return {"reply": usual | fields}


def status(*, indexed: bool = True) -> dict[str, Any]:
    """What is known of a repository."""
    known = {"indexed": indexed, "updated_at": 1, "files": 12, "chunks": 30, "vectors": 30, "static_vectors": 30}
    return {"reply": {"service": {"pid": 1}, "repository": known | {"branch": "main"}}}
