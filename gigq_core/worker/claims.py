"""What a worker has claimed, one attempt at a job each, and how that ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from gigq_core.fleet.elsewhere import Elsewhere
from gigq_core.units.times import Moment

if TYPE_CHECKING:
    from gigq_core.retry import RetryPolicy
    from gigq_core.worker.outbox import Outbox


class Fate(Enum):
    """How an attempt ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    # It asked to be run again later; the attempt does not count.
    SNOOZED = "put off"
    # Failed in a way that another attempt can't mend.
    HOPELESS = "hopeless"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    # The process that ran it died.
    CRASHED = "crashed"
    # The worker was told to stop now; the attempt does not count.
    GIVEN_BACK = "given back"
    # It was claimed ahead, and its turn did not come.
    NOT_BEGUN = "not begun"

    # By identity, which there is one of: an enum's own is a call of Python's for each look-up.
    __hash__ = object.__hash__


@dataclass(frozen=True)
class Claim:
    """A job that this worker has claimed; `execution_id` is the token that proves it."""

    job_id: str
    execution_id: str
    name: str
    module: str
    function: str
    params: str | None
    dependencies: tuple[str, ...]
    attempt: int
    max_attempts: float
    timeout_s: float
    retry_delay_s: float
    pass_parent_results: bool | None
    on_crash: str | None = None
    # What decides on further attempts; None for GigQ's plain way.
    policy: RetryPolicy | None = None
    # An attempt that shows no sign of life for so long is stopped; None for never.
    stall_timeout_s: float | None = None
    # The most memory that its processes may take, in bytes; None for any.
    memory: int | None = None
    broken: str = ""
    # The lane that it is in, or None.
    lane: str | None = None
    # Its last worker died soon after it had begun, so that it may have been the reason.
    lost: bool = False
    # The names that its policy has for exceptions.
    asked: tuple[str, ...] = ()

    @property
    def facts(self) -> tuple[str, int, float, float]:
        """What the job is told of itself: id, attempt, most attempts, timeout in seconds."""
        # In a damaged row the id may be no text.
        job_id: object = self.job_id
        told = job_id if isinstance(job_id, str) else repr(job_id)
        return told, self.attempt, self.max_attempts, self.timeout_s

    @property
    def timeout_text(self) -> str:
        """The sentence GigQ writes for an attempt that ran too long."""
        return f"Job timed out after {self.timeout_s} seconds"


class Wish(NamedTuple):
    """What a job asked for by the exception that it raised: "retry", "snooze" or "give_up"."""

    kind: str
    # Seconds until the next attempt; None where the job's own delay is meant.
    after_s: float | None = None
    # Whether no other job of its lane is to begin before that.
    lane: bool = False


@dataclass(frozen=True)
class Ending:
    """How an attempt ended, with what it left."""

    claim: Claim
    fate: Fate
    result: str | None = None
    error: str | None = None
    traceback: str | None = None
    output: str | None = None
    # Of an attempt that was claimed ahead: when it began, and in which process.
    begun: Moment | None = None
    pid: int | None = None
    # Of an attempt that failed after a signal which ends processes, and which the worker did not
    # send: that signal's number.
    signal: int | None = None
    # The names of what was raised, from its own type to the most general one, with their modules.
    raised: tuple[str, ...] = ()
    wish: Wish | None = None
    # What it has submitted, of one that completed.
    outbox: Outbox | None = None
    # Of one that an agent ran.
    agent: Elsewhere | None = None


def sentence_for(claim: Claim, fate: Fate) -> str | None:
    """The sentence for an attempt that its worker ended; None where something else tells why."""
    return {
        Fate.TIMEOUT: claim.timeout_text,
        Fate.CANCELLED: "it was stopped on request",
        Fate.GIVEN_BACK: "the worker was stopped",
    }.get(fate)


class Begun(NamedTuple):
    """That an attempt which was claimed ahead has begun; or where, of one that an agent runs."""

    claim: Claim
    at: Moment
    pid: int
    agent: Elsewhere | None = None
