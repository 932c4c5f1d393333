"""What a line says at a given hour: the true state, and why, in plain words."""

from __future__ import annotations

from datetime import datetime

from gigq_core.blame import Culprit
from gigq_core.moments import clock_time, due_words
from gigq_core.progress import percent_of, whole_percent
from gigq_core.spans import MAX_TIME_S, MINUTE_S, estimate, span
from gigq_tui.store.models import Health, JobRow, Progress, State
from gigq_tui.store.statuses import CANCELLED, COMPLETED, FAILED, PENDING, RUNNING, TIMEOUT

SHORT_ID = 8

_FINAL = {
    COMPLETED: State.COMPLETED,
    FAILED: State.FAILED,
    TIMEOUT: State.TIMEOUT,
    CANCELLED: State.CANCELLED,
}

WAITING_STATES = frozenset(
    {State.READY, State.BLOCKED, State.DELAYED, State.RETRYING, State.DOOMED}
)
# How a decision begins that ended a job, and one that its attempts tell as well.
_NOT_RETRIED = "not retried: "
_USED_UP = f"{_NOT_RETRIED}its attempts are used up"
# The rate of an attempt that has gone on for less is chance.
LEAST_PACE_S = 1.0
RUNNING_STATES = frozenset({State.RUNNING, State.OVERDUE, State.STOPPING, State.ORPHANED})


def state_of(row: JobRow, now: datetime) -> State:
    """Where a job truly stands at `now`."""
    if row.status == PENDING:
        return _waiting_state(row, now)
    if row.status == RUNNING:
        return _running_state(row, now)
    return _FINAL.get(row.status, State.UNKNOWN)


def _waiting_state(row: JobRow, now: datetime) -> State:
    if row.doomed:
        return State.DOOMED
    if row.blocked:
        return State.BLOCKED
    if row.attempts > 0:
        return State.RETRYING
    if row.due is not None and row.due > now:
        return State.DELAYED
    return State.READY


def _running_state(row: JobRow, now: datetime) -> State:
    if row.holder in (Health.LOST, Health.STOPPED):
        return State.ORPHANED
    if row.stop_requested:
        return State.STOPPING
    elapsed = run_seconds(row, now)
    if elapsed is not None and elapsed > row.timeout_s:
        return State.OVERDUE
    return State.RUNNING


def wait_seconds(row: JobRow, now: datetime) -> float | None:
    """Seconds from submission to the start of the last attempt, or until now."""
    return _between(row.created_at, row.started_at or (now if row.status == PENDING else None))


def run_seconds(row: JobRow, now: datetime) -> float | None:
    """Seconds that the last attempt has been running, or ran; None while the job waits."""
    if row.status == PENDING:
        return None
    return _between(row.started_at, now if row.status == RUNNING else row.completed_at)


def timeout_share(row: JobRow, now: datetime) -> float | None:
    """Elapsed time over timeout of a running job (1.0 is the timeout); None for others."""
    elapsed = run_seconds(row, now) if row.status == RUNNING else None
    return None if elapsed is None else elapsed / row.timeout_s


def done_share(row: JobRow) -> float | None:
    """How much of its work a running job has done, from 0 to 1; None where it doesn't tell."""
    told = row.progress
    percent = None if told is None else percent_of(told.done, told.total)
    return None if percent is None else percent / 100


def left_seconds(row: JobRow, now: datetime) -> float | None:
    """Seconds until a running job will have done all, at its mean rate; None if nobody can tell."""
    told, share = row.progress, done_share(row)
    if told is None or not told.total or not share or share >= 1:
        return None
    begun_with, began = (0.0, row.started_at)
    if told.resumed:
        begun_with, began = told.first or (0.0, None)
    took, gained = _between(began, told.at), share - begun_with / told.total
    if took is None or took < LEAST_PACE_S or gained <= 0:
        return None
    left = took / gained * (1 - share) - (now - told.at).total_seconds()
    return left if 0 < left < MAX_TIME_S else None


def done_words(told: Progress) -> str:
    """How far a job is, in as few words as there are: `42%`, or `1,200 done` without a total."""
    percent = percent_of(told.done, told.total)
    return f"{told.done:,.12g} done" if percent is None else f"{whole_percent(percent)}%"


def ticks(row: JobRow) -> bool:
    """Whether the line changes with every second, and not only with the file."""
    return row.status == RUNNING or (row.status == PENDING and row.due is not None)


def why(row: JobRow, now: datetime) -> str:
    """The WHY / LAST ERROR column: why the job is where it is, or nothing to say."""
    state = state_of(row, now)
    if state in WAITING_STATES:
        return _why_waiting(row, state, now)
    if state in RUNNING_STATES:
        return _why_running(row, state, now)
    return _why_ended(row, state, now)


def first_line(error: str) -> str:
    """The first line of a text that holds anything."""
    return next((line.strip() for line in error.splitlines() if line.strip()), "")


def shown_name(culprit: Culprit) -> str:
    """What a culprit is called: its name, or the beginning of its id."""
    return culprit.name or culprit.id[:SHORT_ID]


def doom_reason(culprit: Culprit) -> str:
    """What happened to the ancestor because of which a job never runs."""
    name = shown_name(culprit)
    if culprit.problem == "missing":
        return f"parent {name} is not in the queue"
    if culprit.problem == "cycle":
        return f"dependency cycle through {name}"
    words = {
        FAILED: "failed",
        TIMEOUT: "timed out",
        CANCELLED: "was cancelled",
    }
    return f"{name} {words.get(culprit.problem, culprit.problem)}"


def told_reason(culprit: Culprit) -> str:
    """What a parent's failure is about to bring about."""
    what = "it is cancelled next" if culprit.told == "cancel" else "it goes on all the same"
    return f"{doom_reason(culprit)}: {what}"


def _doom_words(culprit: Culprit | None) -> str:
    """The same in as few words as a column has room for."""
    if culprit is None:
        return "a job upstream did not complete"
    if culprit.problem == "missing":
        return f"parent {shown_name(culprit)} is missing"
    if culprit.problem == "cycle":
        return f"dependency cycle with {shown_name(culprit)}"
    return doom_reason(culprit)


def _why_waiting(row: JobRow, state: State, now: datetime) -> str:
    if state is State.DOOMED:
        return f"never runs: {_doom_words(row.culprit)}"
    if state is State.BLOCKED:
        return _why_blocked(row)
    if row.in_script:
        return "defined in a script; only that script can run it"
    comes = row.due if row.due is not None and row.due > now else None
    error = first_line(row.error)
    if comes is not None and row.started_at is not None and not error:
        return f"snoozed, due {due_words(comes, now)}"
    if state is State.RETRYING:
        if comes is not None:
            when = f"{_next_attempt(row)} at {clock_time(comes, now)}"
        else:
            when = f"{_next_attempt(row)} due" + (f", {row.halt.value}" if row.halt else "")
        return f"{when}: {error}" if error else when
    if comes is not None:
        return f"due {due_words(comes, now)}"
    if row.culprit is not None:
        return f"parent {shown_name(row.culprit)} is missing: it counts as completed"
    return _why_ready(row)


def _next_attempt(row: JobRow) -> str:
    return f"retry {row.attempts + 1} of {max(row.attempts + 1, row.max_attempts)}"


def _why_ready(row: JobRow) -> str:
    if row.halt is not None:
        return f"ready: {row.halt.value}"
    if row.line:
        return "next to be claimed" if row.line == 1 else f"about {_ordinal(row.line)} in line"
    return ""


def _ordinal(number: int) -> str:
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 10 <= number % 100 <= 20 else suffix}"


def _why_blocked(row: JobRow) -> str:
    if row.culprit is None:
        count = f"{row.unmet} jobs" if row.unmet > 1 else "a job"
        return f"waits for {count} to complete"
    if row.culprit.told:
        return told_reason(row.culprit)
    more = f" and {row.unmet - 1:,} more" if row.unmet > 1 else ""
    return f"waits for {shown_name(row.culprit)} ({row.culprit.problem}){more}"


def _why_running(row: JobRow, state: State, now: datetime) -> str:
    if state is State.ORPHANED:
        if row.holder is Health.STOPPED:
            return f"ORPHAN: worker {row.worker_id} has stopped"
        return f"ORPHAN: worker pid {row.holder_pid} is not alive"
    if row.holder_suspended:
        over = f"OVER timeout {span(row.timeout_s)}, " if state is State.OVERDUE else ""
        return f"{over}worker pid {row.holder_pid} is suspended: kill -CONT {row.holder_pid}"
    if state is State.STOPPING:
        return "cancelling, not ended yet"
    if state is State.OVERDUE:
        far = f", {done_words(row.progress)}" if row.progress is not None else ""
        return f"OVER timeout {span(row.timeout_s)}, {_holder_words(row)}{far}"
    if row.progress is not None:
        return _why_reporting(row, row.progress, now)
    if row.worker_id is None:
        return "running, but its worker is not recorded"
    error = first_line(row.error)
    if row.attempts > 1 and error:
        return f"attempt {row.attempts}, last: {error}"
    share = timeout_share(row, now)
    if share is None:
        return "running, start time unknown"
    return f"{max(0, int(share * 100))}% of timeout {span(row.timeout_s)}"


def _why_reporting(row: JobRow, told: Progress, now: datetime) -> str:
    said, took, left = done_words(told), run_seconds(row, now), left_seconds(row, now)
    if took is not None and took >= 1:
        # In whole minutes as soon as there are some: what ticks is drawn anew.
        said += f" in {span(float(int(took) if took < MINUTE_S else took // MINUTE_S * MINUTE_S))}"
    if left is not None:
        said += f", {'under 5s' if left < 5 else f'about {estimate(left)}'} left"
    note = first_line(told.note)
    return f"{said}: {note}" if note else said


def _holder_words(row: JobRow) -> str:
    """Whether the worker of a job over its timeout lives."""
    if row.holder is Health.ALIVE:
        return "still alive"
    if row.worker_id is None:
        return "its worker is not recorded"
    if row.holder_pid is None:  # none of ours: GigQ keeps no register
        return f"GigQ worker {row.worker_id} is silent"
    return f"worker {row.worker_id} is not visible from here"


def _why_ended(row: JobRow, state: State, now: datetime) -> str:
    took = run_seconds(row, now)
    error = first_line(row.error)
    if state is State.COMPLETED:
        return f"done in {span(took)}" if took is not None else "done, run time unknown"
    if row.decision.startswith(_NOT_RETRIED) and not row.decision.startswith(_USED_UP):
        return f"{row.decision}; {error}" if error else row.decision
    if state is State.FAILED:
        return error or "failed without a message"
    if state is State.TIMEOUT:
        return error or f"ran longer than its timeout of {span(row.timeout_s)}"
    if state is State.CANCELLED:
        if error:
            return error
        return f"cancelled after {span(took)}" if took is not None else "cancelled before it ran"
    return f"status {row.status!r} is not one this console knows"


def _between(start: datetime | None, end: datetime | None) -> float | None:
    if start is None or end is None:
        return None
    return (end - start).total_seconds()
