"""Where a job truly stands at a given hour, and why, in words: the list's, and the commands'."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Protocol

from gigq_core.graph.blame import Culprit
from gigq_core.lanes.rules import InLane, in_lane_words
from gigq_core.rows.progress import amount_words, percent_of, whole_percent
from gigq_core.status import JobStatus
from gigq_core.units.moments import clock_time, due_words
from gigq_core.units.spans import MAX_TIME_S, MINUTE_S, estimate, span
from gigq_core.units.times import local, moment_of

PENDING, RUNNING = JobStatus.PENDING.value, JobStatus.RUNNING.value
COMPLETED, FAILED = JobStatus.COMPLETED.value, JobStatus.FAILED.value
TIMEOUT, CANCELLED = JobStatus.TIMEOUT.value, JobStatus.CANCELLED.value

SHORT_ID = 8


class State(Enum):
    """Where a job truly stands: the raw status, told apart by what holds or threatens it."""

    READY = "ready"
    BLOCKED = "blocked"
    DELAYED = "delayed"
    RETRYING = "retrying"
    DOOMED = "doomed"
    RUNNING = "running"
    OVERDUE = "overdue"
    STOPPING = "stopping"
    ORPHANED = "orphaned"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Health(Enum):
    """Whether a worker lives, as far as this machine can tell."""

    ALIVE = "alive"
    LOST = "lost"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


class Halt(Enum):
    """Why no job of the queue is claimed now, however ready it is."""

    PAUSED = "the queue is paused"
    NO_WORKER = "no workers running"
    UNSEEN = "no workers visible"
    NONE_CLAIMS = "no worker takes new jobs"
    HIDDEN = "hidden from GigQ's workers, and no others take jobs"
    LANES_ALONE = "the workers take jobs of other lanes alone"


class Report(Protocol):
    """What an attempt reported last; see `Progress` of the console for what each part means."""

    @property
    def done(self) -> float: ...
    @property
    def total(self) -> float | None: ...
    @property
    def note(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def resumed(self) -> str: ...
    @property
    def first(self) -> tuple[float, datetime] | None: ...


class Link(Protocol):
    """The agent that runs a job, as its worker sees it; see `AgentSeen`."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def began(self) -> float | None: ...
    @property
    def heard(self) -> float | None: ...
    @property
    def trouble(self) -> str | None: ...


class Facts(Protocol):
    """What has to be known of a job, such as a row of the console.

    `holder` says whether the worker that runs it lives, `halt` why no job is claimed now, and
    `line` is its place among those that are claimed next, from 1. `in_lane` is the lane in which it
    waits. `host` is where an agent runs it, or an empty text, and `link` is that agent, where it is
    known.
    """

    @property
    def status(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def max_attempts(self) -> int: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def created_at(self) -> datetime | None: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def completed_at(self) -> datetime | None: ...
    @property
    def due(self) -> datetime | None: ...
    @property
    def worker_id(self) -> str | None: ...
    @property
    def error(self) -> str: ...
    @property
    def stop_requested(self) -> bool: ...
    @property
    def blocked(self) -> bool: ...
    @property
    def doomed(self) -> bool: ...
    @property
    def unmet(self) -> int: ...
    @property
    def culprit(self) -> Culprit | None: ...
    @property
    def holder(self) -> Health: ...
    @property
    def holder_suspended(self) -> bool: ...
    @property
    def holder_pid(self) -> int | None: ...
    @property
    def in_script(self) -> bool: ...
    @property
    def halt(self) -> Halt | None: ...
    @property
    def line(self) -> int: ...
    @property
    def progress(self) -> Report | None: ...
    @property
    def decision(self) -> str: ...
    @property
    def in_lane(self) -> InLane | None: ...
    @property
    def host(self) -> str: ...
    @property
    def link(self) -> Link | None: ...


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


def state_of(row: Facts, now: datetime) -> State:
    """Where a job truly stands at `now`."""
    if row.status == PENDING:
        return _waiting_state(row, now)
    if row.status == RUNNING:
        return _running_state(row, now)
    return _FINAL.get(row.status, State.UNKNOWN)


def _waiting_state(row: Facts, now: datetime) -> State:
    if row.doomed:
        return State.DOOMED
    if row.blocked:
        return State.BLOCKED
    if row.attempts > 0:
        return State.RETRYING
    if row.due is not None and row.due > now:
        return State.DELAYED
    return State.READY


def _running_state(row: Facts, now: datetime) -> State:
    if row.holder in (Health.LOST, Health.STOPPED):
        return State.ORPHANED
    if row.stop_requested:
        return State.STOPPING
    elapsed = run_seconds(row, now)
    if elapsed is not None and elapsed > row.timeout_s:
        return State.OVERDUE
    return State.RUNNING


def wait_seconds(row: Facts, now: datetime) -> float | None:
    """Seconds from submission to the start of the last attempt, or until now."""
    return _between(row.created_at, row.started_at or (now if row.status == PENDING else None))


def run_seconds(row: Facts, now: datetime) -> float | None:
    """Seconds that the last attempt has been running, or ran; None while the job waits."""
    if row.status == PENDING:
        return None
    return _between(row.started_at, now if row.status == RUNNING else row.completed_at)


def timeout_share(row: Facts, now: datetime) -> float | None:
    """Elapsed time over timeout of a running job (1.0 is the timeout); None for others."""
    elapsed = run_seconds(row, now) if row.status == RUNNING else None
    return None if elapsed is None else elapsed / row.timeout_s


def done_share(row: Facts) -> float | None:
    """How much of its work a running job has done, from 0 to 1; None where it doesn't tell."""
    told = row.progress
    percent = None if told is None else percent_of(told.done, told.total)
    return None if percent is None else percent / 100


def left_seconds(row: Facts, now: datetime) -> float | None:
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


def done_words(told: Report) -> str:
    """How far a job is, in as few words as there are: `42%`, or `1,200 done` without a total."""
    percent = percent_of(told.done, told.total)
    return f"{amount_words(told.done)} done" if percent is None else f"{whole_percent(percent)}%"


def ticks(row: Facts) -> bool:
    """Whether the line changes with every second, and not only with the file."""
    if row.status == PENDING and row.in_lane is not None:
        lane = row.in_lane.lane
        if lane.next_start is not None or lane.opens_at is not None:
            return True
    return row.status == RUNNING or (row.status == PENDING and row.due is not None)


def why(row: Facts, now: datetime, *, dated: bool = False) -> str:
    """Why the job is where it is, or nothing to say.

    Args:
        row: the job.
        now: the present moment.
        dated: whether what comes is told by its date, which stays true, and not as `in 22s`.
    """
    state = state_of(row, now)
    if state in WAITING_STATES:
        return _why_waiting(row, state, now, dated)
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


def _why_waiting(row: Facts, state: State, now: datetime, dated: bool) -> str:
    if state is State.DOOMED:
        return f"never runs: {_doom_words(row.culprit)}"
    if state is State.BLOCKED:
        return _why_blocked(row)
    if row.in_script:
        advice = "; define it in a module that workers can import" if dated else ""
        return f"defined in a script; only that script can run it{advice}"
    comes = row.due if row.due is not None and row.due > now else None
    error = first_line(row.error)
    if comes is not None and row.started_at is not None and not error:
        return f"snoozed, due {_due(comes, now, dated)}"
    if state is State.RETRYING:
        if comes is not None:
            when = f"{_next_attempt(row)} at {_clock(comes, now, dated)}"
        else:
            held = row.halt.value if row.halt else _lane_words(row, now)
            when = f"{_next_attempt(row)} due" + (f", {held}" if held else "")
        return f"{when}: {error}" if error else when
    if comes is not None:
        return f"due {_due(comes, now, dated)}"
    if row.culprit is not None:
        return f"parent {shown_name(row.culprit)} is missing: it counts as completed"
    return _why_ready(row, now)


def _lane_words(row: Facts, now: datetime) -> str:
    return "" if row.in_lane is None else in_lane_words(row.in_lane, now.timestamp())


def _due(moment: datetime, now: datetime, dated: bool) -> str:
    return f"at {_clock(moment, now, dated)}" if dated else due_words(moment, now)


def _clock(moment: datetime, now: datetime, dated: bool) -> str:
    return f"{local(moment):%Y-%m-%d %H:%M:%S}" if dated else clock_time(moment, now)


def _next_attempt(row: Facts) -> str:
    return f"retry {row.attempts + 1} of {max(row.attempts + 1, row.max_attempts)}"


def _why_ready(row: Facts, now: datetime) -> str:
    if row.halt is not None:
        return f"ready: {row.halt.value}"
    if lane := _lane_words(row, now):
        return lane
    if row.line:
        return "next to be claimed" if row.line == 1 else f"about {_ordinal(row.line)} in line"
    return ""


def _ordinal(number: int) -> str:
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 10 <= number % 100 <= 20 else suffix}"


def _why_blocked(row: Facts) -> str:
    if row.culprit is None:
        count = f"{row.unmet} jobs" if row.unmet > 1 else "a job"
        return f"waits for {count} to complete"
    if row.culprit.told:
        return told_reason(row.culprit)
    more = f" and {row.unmet - 1:,} more" if row.unmet > 1 else ""
    return f"waits for {shown_name(row.culprit)} ({row.culprit.problem}){more}"


def _why_running(row: Facts, state: State, now: datetime) -> str:
    if state is State.ORPHANED:
        ends = f", and its agent on {row.host} ends by itself" if row.host else ""
        if row.holder is Health.STOPPED:
            return f"ORPHAN: worker {row.worker_id} has stopped{ends}"
        return f"ORPHAN: worker pid {row.holder_pid} is not alive{ends}"
    if row.holder_suspended:
        over = f"OVER timeout {span(row.timeout_s)}, " if state is State.OVERDUE else ""
        return f"{over}worker pid {row.holder_pid} is suspended: kill -CONT {row.holder_pid}"
    there = f" on {row.host}" if row.host else ""
    if troubled := _link_words(row, now):
        return troubled
    if state is State.STOPPING:
        return f"cancelling{there}, not ended yet"
    if state is State.OVERDUE:
        far = f", {done_words(row.progress)}" if row.progress is not None else ""
        return f"OVER timeout {span(row.timeout_s)}, {_holder_words(row)}{there}{far}"
    if row.progress is not None:
        return _why_reporting(row, row.progress, now)
    if row.worker_id is None:
        return "running, but its worker is not recorded"
    error = first_line(row.error)
    if row.attempts > 1 and error:
        return f"attempt {row.attempts}{there}, last: {error}"
    share = timeout_share(row, now)
    if share is None:
        return f"running{there}, start time unknown"
    done = f"{max(0, int(share * 100))}% of timeout {span(row.timeout_s)}"
    by = f"agent {row.link.id}" if row.link is not None else f"worker {row.worker_id}"
    return f"runs{there}, by {by}: {done}" if there else done


def link_trouble(link: Link, now: datetime) -> str:
    """What is wrong with an agent, as the rest of a sentence that begins with it; or nothing."""
    if link.state == "silent":
        heard = moment_of(link.heard)
        gone_s = None if heard is None else max(0, int((now - heard).total_seconds()))
        lead = "is silent" if gone_s is None else f"has been silent for {span(gone_s)}"
        return f"{lead}: it gets no new jobs until it answers"
    if link.state in _WRONG_LINKS:
        lead = _WRONG_LINKS[link.state]
        return f"{lead}: {link.trouble}" if link.trouble else lead
    return ""


_WRONG_LINKS = {"lost": "is lost", "refused": "is refused"}


def _link_words(row: Facts, now: datetime) -> str:
    """What is wrong with the agent that runs a job."""
    if row.link is None:
        return ""
    if wrong := link_trouble(row.link, now):
        return f"its agent on {row.host} {wrong}"
    began = moment_of(row.link.began)
    if began is None or row.started_at is None or row.started_at >= began:
        return ""
    return f"its link to {row.host} was cut: it is given back once it must have ended"


def _why_reporting(row: Facts, told: Report, now: datetime) -> str:
    said, took, left = done_words(told), run_seconds(row, now), left_seconds(row, now)
    said += f" on {row.host}" if row.host else ""
    if took is not None and took >= 1:
        # In whole minutes as soon as there are some: what ticks is drawn anew.
        said += f" in {span(float(int(took) if took < MINUTE_S else took // MINUTE_S * MINUTE_S))}"
    if left is not None:
        said += f", {'under 5s' if left < 5 else f'about {estimate(left)}'} left"
    note = first_line(told.note)
    return f"{said}: {note}" if note else said


def _holder_words(row: Facts) -> str:
    """Whether the worker of a job over its timeout lives."""
    if row.holder is Health.ALIVE:
        return "still alive"
    if row.worker_id is None:
        return "its worker is not recorded"
    if row.holder_pid is None:  # none of ours: GigQ keeps no register
        return f"GigQ worker {row.worker_id} is silent"
    return f"worker {row.worker_id} is not visible from here"


def _why_ended(row: Facts, state: State, now: datetime) -> str:
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
