"""``python -m auto_context.embed``: makes this machine ready for the configured model, once."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from auto_context import config, paths
from auto_context.embed.backend import choice, load, prepare_steps, stop_preparing
from auto_context.embed.download import fetch_steps
from auto_context.embed.model import configured_spec
from auto_context.embed.static import StaticModel, locate_static
from auto_context.errors import AutoContextError


class _Stop:
    """Turns SIGINT and SIGTERM into ``KeyboardInterrupt``, and remembers which: native code may swallow the one."""

    number = 0

    def __init__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._met)

    def _met(self, number: int, _: object) -> None:
        self.number = number
        raise KeyboardInterrupt


def main() -> int:
    """Make ready what is not; say what was done. Returns the exit status."""
    stop = _Stop()
    try:
        sys.stdout.write(prepare(config.load(paths.config_dir()), paths.cache_dir() / "models") + "\n")
    except (Exception, KeyboardInterrupt) as fault:  # noqa: BLE001 - no traceback reaches a person
        if stop.number:
            stop_preparing()
            sys.stderr.write("\ninterrupted: nothing is left half made; run it again\n")
            return 128 + stop.number
        error = AutoContextError.wrap(fault)
        sys.stderr.write(f"{error.code}: {error.message} ({error.hint})\n")
        return error.spec.exit_status
    return 0


def prepare(settings: config.Settings, cache_dir: Path) -> str:
    """Make ready what the settings ask for: the model itself, what runs it, and the static model.

    Returns:
        One line for a person: which, and what it took.
    """
    began = time.monotonic()
    for done, total in fetch_steps(settings.model):
        _show(f"fetching {settings.model}", done / total if total else 0.0)
    spec = configured_spec(settings, cache_dir)
    chosen = (settings.backend, settings.precision)
    for _ in prepare_steps(spec, cache_dir, *chosen):
        pass
    run_by = choice(spec, cache_dir, *chosen)
    said = f"{spec.name} runs on {run_by.backend} in {run_by.precision}"
    found = locate_static(settings, spec, cache_dir)
    if found is not None:
        return f"{said}; static model ready: {found} ({StaticModel.load(found).dim} dimensions)"
    # numpy's and torch's seconds of import: only when something is distilled.
    from auto_context.embed.distil import distil_steps  # noqa: PLC0415
    from auto_context.embed.encoder import Encoder, drain  # noqa: PLC0415

    with Encoder(spec, load(spec, cache_dir, *chosen)) as encoder:
        made = drain(distil_steps(encoder, cache_dir, lambda share: _show("distilling the static model", share)))
    return f"{said}; static model distilled in {time.monotonic() - began:.0f} s: {made}"


def _show(what: str, share: float) -> None:
    """The share done, rewritten on one line of a terminal; nothing elsewhere."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        sys.stderr.write("\r\033[K" if share >= 1 else f"\r\033[K{what} {share:.0%}")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
