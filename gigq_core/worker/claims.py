"""What a worker has claimed, one attempt at a job each, and how that ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from gigq_core.job import DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_S
from gigq_core.lane_names import HIDDEN
from gigq_core.retry import RetryPolicy
from gigq_core.times import Moment
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

    @property
    def asked(self) -> tuple[str, ...]:
        """The names that the job's policy has for exceptions."""
        return () if self.policy is None else self.policy.retry_on + self.policy.give_up_on

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


def sentence_for(claim: Claim, fate: Fate) -> str | None:
    """The sentence for an attempt that its worker ended; None where something else tells why."""
    return {
        Fate.TIMEOUT: claim.timeout_text,
        Fate.CANCELLED: "it was stopped on request",
        Fate.GIVEN_BACK: "the worker was stopped",
    }.get(fate)


class Begun(NamedTuple):
    """That an attempt which was claimed ahead has begun."""

    claim: Claim
    at: Moment
    pid: int


class BrokenRow(ValueError):
    """A column of the row holds what it can't hold; the message is the reason for a person."""


def claim_of_row(row: Mapping[str, Any]) -> Claim:
    """Read a claimed row; whatever is wrong with it is said in `broken`."""
    reasons: list[str] = []
    dependencies: tuple[str, ...] = ()
    timeout_s: float = DEFAULT_TIMEOUT_S
    max_attempts, retry_delay_s, stall_timeout_s, memory = 1.0, 0.0, 0.0, 0.0
    policy: RetryPolicy | None = None
    try:
        dependencies = _dependencies(row["dependencies"])
        timeout_s = _number(row["timeout"], "timeout", DEFAULT_TIMEOUT_S) or DEFAULT_TIMEOUT_S
        retry_delay_s = _number(row["retry_delay"], "retry_delay", 0)
        max_attempts = _number(row["max_attempts"], "max_attempts", DEFAULT_MAX_ATTEMPTS)
        if row["retry_policy"] is not None:
            policy = _policy(row["retry_policy"])
        stall_timeout_s = _number(row["stall_timeout"], "stall_timeout", 0)
        memory = _number(row["memory"], "memory", 0)
    except BrokenRow as problem:
        reasons.append(str(problem))
    params = row["params"]
    if params is not None and not isinstance(params, str):
        reasons.append("its parameters are not text")
        params = None
    passing = row["pass_parent_results"]
    return Claim(
        job_id=row["id"],
        execution_id=row["execution_id"],
        name=str(row["name"]),
        module=str(row["function_module"]),
        function=str(row["function_name"]),
        params=params,
        dependencies=dependencies,
        attempt=row["attempts"] if isinstance(row["attempts"], int) else 1,
        max_attempts=max_attempts,
        timeout_s=timeout_s,
        retry_delay_s=retry_delay_s,
        pass_parent_results=None if passing is None else bool(passing),
        on_crash=row["on_crash"],
        policy=policy,
        stall_timeout_s=stall_timeout_s if stall_timeout_s > 0 else None,
        lane=row["lane"] if row["lane"] != HIDDEN else None,
        memory=int(memory) if 0 < memory < 2**63 else None,
        broken="; ".join(reasons),
    )


def _dependencies(text: Any) -> tuple[str, ...]:
    if text is None or text in ("", "[]"):
        return ()
    try:
        parents = json.loads(text)
    except (TypeError, ValueError, RecursionError) as problem:
        raise BrokenRow(f"its dependencies are not JSON: {problem}") from None
    if not isinstance(parents, list) or not all(isinstance(parent, str) for parent in parents):
        raise BrokenRow(f"its dependencies are not a list of job ids: {text[:80]}")
    return tuple(parents)


def _policy(text: Any) -> RetryPolicy | None:
    try:
        return RetryPolicy.decode(text)
    except ValueError as problem:
        raise BrokenRow(f"its retry policy can't be read: {problem}") from None


def _number(value: Any, column: str, default: float) -> float:
    if value is None:
        return default
    if not isinstance(value, (int, float)):
        raise BrokenRow(f"its {column} is not a number: {str(value)[:80]!r}")
    return value
