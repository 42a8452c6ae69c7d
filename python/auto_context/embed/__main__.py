"""``python -m auto_context.embed``: makes this machine ready for the configured model, once."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from auto_context import config, paths
from auto_context.embed.model import load_spec, locate_model
from auto_context.embed.static import StaticModel, locate_static
from auto_context.errors import AutoContextError

_INTERRUPTED = 130


def main() -> int:
    """Distil the static model unless it is there; say what was done. Returns the exit status."""
    try:
        sys.stdout.write(prepare(config.load(paths.config_dir()), paths.cache_dir() / "models") + "\n")
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as fault:  # noqa: BLE001 - no traceback reaches a person
        error = AutoContextError.wrap(fault)
        sys.stderr.write(f"{error.code}: {error.message} ({error.hint})\n")
        return error.spec.exit_status
    return 0


def prepare(settings: config.Settings, cache_dir: Path) -> str:
    """Make ready what the settings ask for.

    Returns:
        One line for a person: which static model, and what it took.
    """
    spec = load_spec(locate_model(settings.model), cache_dir)
    found = locate_static(settings, spec, cache_dir)
    if found is not None:
        model = StaticModel.load(found)
        return f"static model ready: {found} ({model.dim} dimensions)"
    # torch, seconds of import: only when something is distilled.
    from auto_context.embed.distil import distil_steps  # noqa: PLC0415
    from auto_context.embed.encoder import Encoder  # noqa: PLC0415

    began = time.monotonic()
    steps = distil_steps(Encoder(spec, settings.precision), cache_dir, _show)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return f"static model distilled from {spec.name} in {time.monotonic() - began:.0f} s: {end.value}"


def _show(share: float) -> None:
    """The share done, rewritten on one line of a terminal; nothing elsewhere."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        sys.stderr.write("\r\033[K" if share >= 1 else f"\rdistilling the static model {share:.0%}")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
