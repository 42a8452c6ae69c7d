"""The engine: index a folder, keep the index current, search it. An ordinary class; no process is needed.

engine = Engine(paths.data_dir(), config.load(paths.config_dir()))
engine.update(Path("."))
engine.search(SearchRequest("where do we retry", root="."))

``Engine`` is imported when it is asked for: a worker process takes this package's operations alone, and must not
wait for the libraries of the indexes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auto_context.engine.engine import Engine
    from auto_context.engine.update import Options

__all__ = ["Engine", "Options"]


def __getattr__(name: str) -> Any:
    if name == "Engine":
        from auto_context.engine.engine import Engine  # noqa: PLC0415 - see above

        return Engine
    if name == "Options":
        from auto_context.engine.update import Options  # noqa: PLC0415 - as above

        return Options
    raise AttributeError(name)
