"""Updates as jobs: two lanes for every repository, so that a saved file never waits for a whole index."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from auto_context.errors import AutoContextError
from auto_context.types import JobState, Progress, UpdateReport

log = logging.getLogger(__name__)

_REMEMBERED = 100
Kind = Literal["update", "incremental"]
Run = Callable[["Job"], UpdateReport]


@dataclass(slots=True)
class Job:
    """One update, from its request to its end."""

    id: str
    kind: Kind
    root: str
    key: str
    options: dict[str, Any]
    state: JobState = "queued"
    progress: Progress = field(default_factory=lambda: Progress("scan"))
    report: UpdateReport | None = None
    error: AutoContextError | None = None
    cancel: threading.Event = field(default_factory=threading.Event)
    changes: int = 0
    again: bool = False
    """Whether it was asked for once more while it ran: what changed meanwhile it may have looked at before."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("done", "cancelled", "failed")

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "id": self.id,
            "kind": self.kind,
            "root": self.root,
            "state": self.state,
            "progress": asdict(self.progress),
            "report": self.report.to_dict() if self.report else None,
            "error": self.error.to_dict() if self.error else None,
        }


class Jobs:
    """Runs jobs. Those of one repository and kind take turns, one that only repeats a queued one joins it.

    Args:
        run: does the work of a job, in a thread of its lane; raises ``AutoContextError``.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._changed = threading.Condition()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._queues: dict[tuple[str, Kind], list[Job]] = {}
        self._closed = False

    def submit(self, kind: Kind, root: str, key: str, options: dict[str, Any]) -> Job:
        """Queue a job, or join one.

        Args:
            kind: update or incremental.
            root: the folder asked for.
            key: the repository.
            options: ``force``, or ``paths``.

        Raises:
            AutoContextError: ``cancelled`` when the service is closing.
        """
        with self._changed:
            if self._closed:
                raise AutoContextError("cancelled", "the service is closing")
            lane = self._queues.get((key, kind))
            for job in lane or []:
                if self._join(job, root, options):
                    return job
            job = Job(secrets.token_hex(8), kind, root, key, options)
            self._remember(job)
            if lane is None:
                self._queues[key, kind] = [job]
                threading.Thread(target=self._work, args=(key, kind), name=f"jobs-{kind}", daemon=True).start()
            else:
                lane.append(job)
            return job

    @staticmethod
    def _join(job: Job, root: str, options: dict[str, Any]) -> bool:
        """Whether a job does what is asked as well, after taking on what it may."""
        # One that ended stays first in its lane until its thread takes it away.
        if job.root != root or job.ended or job.cancel.is_set():
            return False
        if job.kind == "update":
            if not job.options["force"] and options["force"]:
                return False
            if job.state == "queued":
                # Later ones come first: they are what somebody looks at now.
                opened = [*options.get("open_paths", ()), *job.options.get("open_paths", ())]
                job.options["open_paths"] = list(dict.fromkeys(opened))
            else:
                job.again = True
            return True
        if job.state != "queued":
            return False
        job.options["paths"] = list(dict.fromkeys([*job.options["paths"], *options["paths"]]))
        return True

    def _remember(self, job: Job) -> None:
        self._jobs[job.id] = job
        ended = [number for number, one in self._jobs.items() if one.ended]
        for number in ended[: max(0, len(self._jobs) - _REMEMBERED)]:
            del self._jobs[number]

    def get(self, number: str) -> Job:
        """A job by its id.

        Raises:
            AutoContextError: ``job_missing``.
        """
        with self._changed:
            job = self._jobs.get(number)
        if job is None:
            raise AutoContextError("job_missing", f"no job {number!r} is known")
        return job

    def wait(self, job: Job, seconds: float) -> None:
        """Return when the job has news or ended, or after some seconds."""
        with self._changed:
            seen = job.changes
            self._changed.wait_for(lambda: job.ended or job.changes != seen, seconds)

    def wait_ended(self, job: Job, seconds: float) -> None:
        """Return when the job ended, or after some seconds."""
        with self._changed:
            self._changed.wait_for(lambda: job.ended, seconds)

    def cancel(self, job: Job) -> None:
        """Ask a job to stop at its next step; one that has not begun ends at once."""
        with self._changed:
            job.cancel.set()
            if job.state == "queued":
                self._end(job, "cancelled", AutoContextError("cancelled", "cancelled before it began"))

    def of(self, key: str) -> Job | None:
        """The whole update that runs or waits for a repository, else any other job of it."""
        with self._changed:
            alive = [job for job in self._jobs.values() if job.key == key and not job.ended]
        return next((job for job in alive if job.kind == "update"), alive[0] if alive else None)

    @property
    def busy(self) -> bool:
        """Whether any job runs or waits."""
        with self._changed:
            return any(not job.ended for job in self._jobs.values())

    def close(self, seconds: float) -> None:
        """Cancel everything and wait a moment for it to stop."""
        with self._changed:
            self._closed = True
        self.cancel_all(None, seconds)

    def cancel_all(self, key: str | None, seconds: float) -> None:
        """Cancel the jobs of a repository, or all when None, and wait a moment for them to stop."""
        with self._changed:
            alive = [job for job in self._jobs.values() if not job.ended and key in (None, job.key)]
        for job in alive:
            self.cancel(job)
        deadline = time.monotonic() + seconds
        for job in alive:
            self.wait_ended(job, max(0.0, deadline - time.monotonic()))

    def _work(self, key: str, kind: Kind) -> None:
        """Run a lane until it is empty."""
        while True:
            with self._changed:
                lane = self._queues[key, kind]
                while lane and lane[0].ended:
                    lane.pop(0)
                if not lane:
                    del self._queues[key, kind]
                    return
                job = lane[0]
                job.state = "running"
                self._tell(job)
            self._execute(job)
            with self._changed:
                lane.pop(0)

    def _execute(self, job: Job) -> None:
        while self._execute_once(job):
            pass

    def _execute_once(self, job: Job) -> bool:
        """Whether to do so again."""
        try:
            report = self._run(job)
        except AutoContextError as error:
            state: JobState = "cancelled" if error.code == "cancelled" else "failed"
            log.info("%s of %s: %s", job.kind, job.root, error)
            with self._changed:
                self._end(job, state, error)
        except Exception as error:
            log.exception("%s of %s failed", job.kind, job.root)
            with self._changed:
                self._end(job, "failed", AutoContextError.wrap(error))
        else:
            with self._changed:
                if job.again and not job.cancel.is_set():
                    job.again = False
                    return True
                job.report = report
                self._end(job, "done", None)
        return False

    def report_progress(self, job: Job, progress: Progress) -> None:
        """Note how far a job is."""
        with self._changed:
            job.progress = progress
            self._tell(job)

    def _end(self, job: Job, state: JobState, error: AutoContextError | None) -> None:
        job.state, job.error = state, error
        self._tell(job)

    def _tell(self, job: Job) -> None:
        job.changes += 1
        self._changed.notify_all()
