"""Jobs of one lane: who joins which."""

from __future__ import annotations

from typing import Any

from auto_context.service.jobs import Job, Jobs
from auto_context.types import UpdateReport

OPTIONS: dict[str, Any] = {"force": False, "open_paths": []}


class AskedAtTheEnd(Jobs):
    """Asked for the same once more between a job's end and the next look at its lane."""

    second: Job | None = None

    def _execute(self, job: Job) -> None:
        super()._execute(job)
        if self.second is None:
            self.second = self.submit("update", job.root, job.key, dict(OPTIONS))


def run(job: Job) -> UpdateReport:
    """A report that says nothing."""
    return UpdateReport(
        root=job.root, branch="main", files=0, chunks=0, changed=0, removed=0, embedded_chunks=0, embedded_paths=0,
        skipped={}, fallbacks={}, took_s=0.0, stages_s={}, pending_chunks=0,
    )  # fmt: skip


def test_one_that_ended_is_joined_by_nobody() -> None:
    jobs = AskedAtTheEnd(run)
    first = jobs.submit("update", "/shop", "/shop", dict(OPTIONS))
    jobs.wait_ended(first, 10)
    with jobs._changed:
        assert jobs._changed.wait_for(lambda: jobs.second is not None and jobs.second.ended, 10)
    assert jobs.second is not None
    assert jobs.second is not first
    assert (first.state, jobs.second.state) == ("done", "done")
