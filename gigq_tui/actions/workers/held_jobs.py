"""What became of jobs that a worker held, as the file tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gigq_core.status import JobStatus
from gigq_tui.format import plural
from gigq_tui.store.held_jobs import HeldJob, states_of

NAMED = 3
_BECAME = {
    JobStatus.PENDING.value: "went back to the queue",
    JobStatus.COMPLETED.value: "completed",
    JobStatus.FAILED.value: "failed",
    JobStatus.TIMEOUT.value: "timed out",
    JobStatus.CANCELLED.value: "was cancelled",
}


@dataclass(frozen=True)
class JobFate:
    """What became of such a job; `status` is empty where it is no longer in the file."""

    job: HeldJob
    status: str
    worker_id: str | None = None

    def said(self, worker_id: str) -> str:
        """What became of it since `worker_id` held it, as it follows its name."""
        if not self.status:
            return "is no longer in the file"
        if self.status == JobStatus.RUNNING.value:
            return (
                "is not released yet"
                if self.worker_id == worker_id
                else f"runs on {self.worker_id}"
            )
        return _BECAME.get(self.status, f"is {self.status}")


def fates_of(path: Path, jobs: Sequence[HeldJob]) -> tuple[JobFate, ...]:
    """What has become of jobs, in the order asked.

    Raises:
        DatabaseError: The file can't be read now.
    """
    found = states_of(path, jobs)
    return tuple(JobFate(job, *found.get(job.id, ("", None))) for job in jobs)


def describe_fates(fates: Sequence[JobFate], worker_id: str) -> str:
    """What became of the jobs that a worker held, in a clause; nothing where it had none."""
    if not fates:
        return ""
    if len(fates) == 1:
        return f"its job {fates[0].job.name} {fates[0].said(worker_id)}"
    said = Counter(fate.said(worker_id) for fate in fates)
    if len(said) == 1:
        verb, _, rest = next(iter(said)).partition(" ")
        verb = {"was": "were", "is": "are", "runs": "run"}.get(verb, verb)
        return f"its {plural(len(fates), 'job')} {verb} {rest}".rstrip()
    if len(fates) <= NAMED:
        return ", ".join(f"{fate.job.name} {fate.said(worker_id)}" for fate in fates)
    counts = ", ".join(f"{number} {clause}" for clause, number in said.most_common())
    return f"of its {len(fates)} jobs {counts}"
