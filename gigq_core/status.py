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
    SNOOZED = "snoozed"
    SUPERSEDED = "superseded"


# What `core_workers.state` can hold, and `core_workers.request`.
WorkerState = Literal["running", "paused", "draining", "stopping", "stopped"]
WorkerRequest = Literal["pause", "resume", "drain", "stop"]


class Change(Enum):
    """What an action did to one job. The value is what JSON calls it.

    Attributes:
        sentence: What follows the job's name: "Job 5f0f6e3c is being cancelled". `{reason}` in it
            stands for the outcome's.
        counted: The same of `{n}` jobs: "cancelling 3".
        word: The same in one word, beside a job.
    """

    SUBMITTED = "submitted", "submitted", "submitted {n}", "submitted"
    CANCELLED = "cancelled", "cancelled", "cancelled {n}", "cancelled"
    STOPPING = "stopping", "is being cancelled", "cancelling {n}", "cancelling"
    REQUEUED = "requeued", "queued for retry", "queued {n} for retry", "queued"
    RELEASED = "released", "released: {reason}", "released {n}", "released"
    REPRIORITIZED = "reprioritized", "has {reason}", "changed the priority of {n}", "changed"
    CLEARED = "cleared", "cleared", "cleared {n}", "cleared"
    RESTORED = "restored", "restored", "undone for {n}", "undone"
    REFUSED = "refused", "refused: {reason}", "refused {n}", "not done"

    sentence: str
    counted: str
    word: str

    def __new__(cls, value: str, sentence: str, counted: str, word: str) -> Change:
        change = object.__new__(cls)
        change._value_ = value
        change.sentence, change.counted, change.word = sentence, counted, word
        return change


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
