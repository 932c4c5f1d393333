"""The words for the state of a job, an attempt or a worker, and for what became of an action."""

from __future__ import annotations

from enum import Enum
from typing import Literal, NamedTuple


class JobStatus(Enum):
    """What `jobs.status` can hold: GigQ's six words and no other."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"


FINAL_STATUSES = (
    JobStatus.COMPLETED,
    JobStatus.FAILED,
    JobStatus.TIMEOUT,
    JobStatus.CANCELLED,
)


class ExecutionStatus(Enum):
    """What `job_executions.status` can hold: one word for each end an attempt can have."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    CRASHED = "crashed"
    SUPERSEDED = "superseded"


# What `core_workers.state` can hold, and `core_workers.request`.
WorkerState = Literal["running", "paused", "draining", "stopping", "stopped"]
WorkerRequest = Literal["pause", "resume", "drain", "stop"]


class Change(Enum):
    """What an act did to one job."""

    CANCELLED = "cancelled"
    STOPPING = "stopping"
    REQUEUED = "requeued"
    RELEASED = "released"
    REPRIORITIZED = "reprioritized"
    CLEARED = "cleared"
    RESTORED = "restored"
    REFUSED = "refused"


class Outcome(NamedTuple):
    """What became of one act on one job.

    `reason` is empty, or one sentence for a person: why it was refused, or what comes next. `name`
    is the job's, cut to size; empty where it is not known.
    """

    job_id: str
    change: Change
    reason: str = ""
    name: str = ""

    @property
    def done(self) -> bool:
        """Whether the act had, or will have, the effect that was asked for."""
        return self.change is not Change.REFUSED
