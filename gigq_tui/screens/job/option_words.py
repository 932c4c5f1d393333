"""What a job was asked for beyond the usual, in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from gigq_core.lane_names import HIDDEN
from gigq_core.retry import Backoff, RetryPolicy
from gigq_core.unique import words_of
from gigq_core.units.durations import duration_text
from gigq_core.units.moments import due_words
from gigq_core.units.sizes import size_text
from gigq_tui.format import limit, listed
from gigq_tui.store.models import JobDetail

_PARENT_FAILS = {
    "cancel": "cancelled if a parent fails",
    "run": "runs even if a parent fails",
}


def option_words(detail: JobDetail, now: datetime) -> list[str]:
    """Each option that is not as it is by default, in a few words."""
    return [*_retries(policy_of(detail)), *_others(detail, now)]


def delay_words(detail: JobDetail) -> str:
    """How long the job waits between its attempts."""
    policy = policy_of(detail)
    if policy is None or policy.retry is None:
        return f"retry delay {limit(detail.retry_delay_s)}"
    if isinstance(policy.retry, Backoff):
        return f"backoff {policy.retry}"
    return f"retry delays {listed([duration_text(one) for one in policy.retry])}"


def policy_of(detail: JobDetail) -> RetryPolicy | None:
    """The job's retry policy; None where it has none, or none that can be read."""
    try:
        return RetryPolicy.decode(detail.raw.get("retry_policy"))
    except ValueError:
        return None


def _retries(policy: RetryPolicy | None) -> Iterator[str]:
    if policy is None:
        return
    for label, names in (("retried on", policy.retry_on), ("gives up on", policy.give_up_on)):
        if names:
            yield f"{label} {listed([name.removeprefix('builtins.') for name in names])}"
    if policy.on_timeout == "fail":
        yield "fails on a timeout"


def _others(detail: JobDetail, now: datetime) -> Iterator[str]:
    raw, row = detail.raw, detail.row
    if detail.origin:
        yield detail.origin
    if raw.get("on_crash") == "fail":
        yield "fails on a crash"
    stall = raw.get("stall_timeout")
    if isinstance(stall, (int, float)):
        yield f"stall timeout {limit(stall)}"
    if row.blocked and row.due is not None and row.due > now:
        yield f"due {due_words(row.due, now)}"
    on_failure = raw.get("on_parent_failure")
    if on_failure in _PARENT_FAILS:
        yield _PARENT_FAILS[on_failure]
    for label in ("workflow", "batch"):
        if raw.get(label):
            yield f"{label} {raw[label]}"
    lane, memory = raw.get("lane"), raw.get("memory")
    if lane == HIDDEN:
        yield "for this package's workers alone"
    elif lane:
        yield f"lane {lane}"
    if isinstance(memory, int):
        yield f"at most {size_text(memory)} of memory"
    if raw.get("unique_key"):
        key, until, within = (raw.get(f"unique_{part}") for part in ("key", "until", "within"))
        yield f"unique: {words_of(str(key), until, within)}"
