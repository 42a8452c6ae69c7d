"""A home of its own for whatever runs in it: no test sees the user's folders, settings, or running service."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from auto_context.errors import AutoContextError

REMOVED = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY",  # a hook's
    "NVIM", "NVIM_LISTEN_ADDRESS", "VIMRUNTIME", "VIMINIT", "MYVIMRC",  # an editor's terminal's
    "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "VIRTUAL_ENV", "PYTHONPATH",
)  # fmt: skip
END_LIMIT_S = 10.0
CACHE = Path(__file__).resolve().parents[1] / ".cache/auto-context"
"""Models made ready once for all tests: what is in it depends on nothing but the models and this machine."""


@contextlib.contextmanager
def sandboxed(folder: Path) -> Iterator[dict[str, str]]:
    """Point every user folder below ``folder`` while inside; a service started there is ended on the way out.

    Yields the variables that were set, for a child whose environment is built by hand.
    """
    # Not below `folder`: a Unix socket's path holds about 100 bytes and pytest's folders use most of them.
    runtime = tempfile.mkdtemp(prefix="ac-")
    xdg = {name: folder / name for name in ("config", "data", "state", "cache")}
    for path in xdg.values():
        path.mkdir(parents=True, exist_ok=True)
    (folder / "gitconfig").write_text(
        "[user]\n\tname = t\n\temail = t@example.org\n[init]\n\tdefaultBranch = main\n[commit]\n\tgpgsign = false\n"
    )
    variables = {
        "HOME": str(folder),
        "AUTO_CONTEXT_DATA_DIR": str(xdg["data"] / "auto-context"),
        "AUTO_CONTEXT_CONFIG_DIR": str(xdg["config"] / "auto-context"),
        "AUTO_CONTEXT_LOG_DIR": str(xdg["state"] / "auto-context"),
        "AUTO_CONTEXT_CACHE_DIR": str(CACHE),
        "AUTO_CONTEXT_RUNTIME_DIR": runtime,
        "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
        **{f"XDG_{name.upper()}_HOME": str(path) for name, path in xdg.items()},
        "XDG_RUNTIME_DIR": runtime,
    }
    before = dict(os.environ)
    for name in REMOVED:
        os.environ.pop(name, None)
    os.environ.update(variables)
    try:
        yield variables
    finally:
        try:
            if list(Path(runtime).glob("*.sock")):
                stop_service()
        finally:
            os.environ.clear()
            os.environ.update(before)
            shutil.rmtree(runtime, ignore_errors=True)


def stop_service() -> None:
    """End the service of the present environment, if one answers, and wait until it is gone."""
    from auto_context.service.client import ServiceClient  # noqa: PLC0415 - not for tests without a service

    client = ServiceClient()
    try:
        pid = int(client.request("GET", "/version", start=False, timeout_s=END_LIMIT_S)["pid"])
        client.request("POST", "/service/stop", start=False, timeout_s=END_LIMIT_S)
    except AutoContextError:
        return  # a socket nobody listens on: the service was killed
    finally:
        client.close()
    deadline = time.monotonic() + END_LIMIT_S
    while alive(pid):
        if time.monotonic() > deadline:
            os.kill(pid, 9)
            raise AssertionError(f"the service (process {pid}) did not end within {END_LIMIT_S} s")
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except FileNotFoundError:  # gone meanwhile; on a system without /proc the signal was the answer
        return not Path("/proc/self").exists()
    return state != "Z"
