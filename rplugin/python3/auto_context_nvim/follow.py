"""Follows index jobs of the service: progress events while they run, one ``indexed`` event when they end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from auto_context.errors import AutoContextError

Submit = Callable[[], dict[str, Any]]

_POLL_MS = 500
_PROGRESS_S = 0.25
"""Neovim hears of progress at most this often."""
_PAUSE_S = 0.05
"""Between two polls, should the service answer at once every time."""
_RESUBMITS = 2
"""How often a job is handed in again when the service that ran it is gone."""
_LOST = ("job_missing", "service_unreachable", "service_failed")


class Follower:
    """One daemon thread for each job that runs."""

    def __init__(self, request: Callable[..., dict[str, Any]], event: Callable[[str, dict[str, Any]], None]) -> None:
        """``request`` speaks to the service; ``event`` tells Neovim."""
        self._request = request
        self._event = event
        self._lock = threading.Lock()
        self._jobs: set[tuple[str, str]] = set()

    def follow(self, job: str, kind: str, root: str, submit: Submit) -> None:
        """Follow ``job`` unless it is being followed; ``submit`` hands the same work in again."""
        with self._lock:
            if (job, root) in self._jobs:
                return
            self._jobs.add((job, root))
        threading.Thread(target=self._run, args=(job, kind, root, submit), name=f"job {job}", daemon=True).start()

    def _run(self, job: str, kind: str, root: str, submit: Submit) -> None:
        end: dict[str, Any] = {"root": root, "job": job, "kind": kind}
        try:
            body = self._until_end(job, root, submit)
            report = body.get("report")
            if body["state"] == "done" and report:
                end |= {"branch": report["branch"], "report": report}
            else:
                end["error"] = body.get("error") or AutoContextError("cancelled", "indexing was cancelled").to_dict()
        except Exception as error:  # noqa: BLE001 - Neovim must hear of the end, however it came
            end["error"] = AutoContextError.wrap(error).to_dict()
        with self._lock:
            # Told under the lock: who joins the job after this line starts a follower of its own.
            self._jobs.discard((job, root))
            self._event("indexed", end)

    def _until_end(self, job: str, root: str, submit: Submit) -> dict[str, Any]:
        """Poll until the job ends, and return its body. A job lost with its service is handed in again."""
        current, resubmits, told, told_at = job, 0, None, 0.0
        while True:
            try:
                body = self._request("GET", f"/jobs/{current}", params={"wait_ms": _POLL_MS}, start=False)
            except AutoContextError as error:
                if error.code not in _LOST or resubmits == _RESUBMITS:
                    raise
                resubmits += 1
                current = str(submit()["job"])
                continue
            if body["state"] not in ("queued", "running"):
                return body
            progress = {key: value for key, value in (body.get("progress") or {}).items() if value is not None}
            now = time.monotonic()
            if progress != told and now - told_at >= _PROGRESS_S:
                told, told_at = progress, now
                self._event("progress", {"root": root, "job": job, "state": body["state"], **progress})
            time.sleep(_PAUSE_S)
