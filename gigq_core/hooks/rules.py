"""Hooks: jobs that are submitted because others have failed, or completed.

Triggers count what ended for each hook that is about it, whoever wrote the end, and keep the first
of these jobs as they were. A worker makes one job of it when the hook is due, by the agenda. What a
hook's own job ends with tells no hook, nor do the jobs that it submitted.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from gigq_core import agenda
from gigq_core.failures import MOST_MESSAGE, failure_of
from gigq_core.hooks.match import EVENTS, read_match
from gigq_core.job import Job, check_job, check_text
from gigq_core.rows.decoding import as_float, as_int, as_text
from gigq_core.schema import features
from gigq_core.schema import hook_statements as sql
from gigq_core.schema.ddl import CALM_S, MOST_NAMED
from gigq_core.schema.features import Feature
from gigq_core.submitting.definition import Definition
from gigq_core.submitting.insertion import submit_within
from gigq_core.submitting.new_rows import row_of
from gigq_core.units.durations import seconds_of
from gigq_core.units.times import Moment

# While more of it ends, a hook with an interval waits on for so long, in seconds.
PATIENCE_S = 10.0
LONGEST_NAME = 100

_TELLING = {"failed": Feature.HOOKS_FAILED, "completed": Feature.HOOKS_COMPLETED}
# The parameters that a hook's function gets beside its own.
GIVEN = {"jobs": [], "count": 0}
# Where the functions stand that come with us.
READY_MADE = ("gigq_core", "gigq_core.notify")


@dataclass(frozen=True)
class Hook:
    """A hook as it stands in the file; moments are in UTC seconds.

    Attributes:
        name: What it is called.
        event: What it is about: jobs that "failed", or "completed".
        match: Which of them, as it was written; empty for all.
        every: The least seconds between two of its jobs; 0 for none.
        function: What its jobs call, as `package.module.function`.
        params: Its own parameters.
        options: How its jobs differ from others, by the names of `JobOptions`.
        paused_at: Since when it submits nothing; None if it does.
        waiting: How many ended jobs it has yet to report.
        next_at: When its next job is due; None while nothing waits.
        last_at: When it submitted its last job; None if it never has.
        last_job_id: The newest of its jobs, that of a test too.
        last_status: How that job is, or how it ended if it was deleted since; empty if unknown.
        failures_in_a_row: How many of its own jobs have failed since one completed.
        problem: Why its job could not be submitted; it is tried again each minute.
        jobs: How many jobs it has submitted.
        told: How many jobs that ended these were about.
        made_at: When it was made.
    """

    name: str
    event: str
    match: str = ""
    every: float = 0.0
    function: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    paused_at: float | None = None
    waiting: int = 0
    next_at: float | None = None
    last_at: float | None = None
    last_job_id: str = ""
    last_status: str = ""
    failures_in_a_row: int = 0
    problem: str = ""
    jobs: int = 0
    told: int = 0
    made_at: float = 0.0


# --- reading ---------------------------------------------------------------------------------


def read_hooks(conn: sqlite3.Connection) -> list[Hook]:
    """All hooks of a file, by name; none where it has no table of them."""
    try:
        return [_hook_of(row) for row in conn.execute(sql.HOOKS)]
    except sqlite3.OperationalError as problem:
        if "no such" not in str(problem):
            raise
        return []


def _hook_of(row: sqlite3.Row) -> Hook:
    problem = as_text(row["trouble"])
    try:
        definition = Definition.decode(row["definition"])
        function, params, options = definition.path, definition.params, definition.options
    except ValueError as wrong:
        function, params, options = "", {}, {}
        problem = problem or str(wrong)
    return Hook(
        name=as_text(row["name"]),
        event=as_text(row["event"]),
        match=as_text(row["match"]),
        every=as_float(row["every"]),
        function=function,
        params=dict(params),
        options=dict(options),
        paused_at=None if row["paused"] is None else as_float(row["paused"]),
        waiting=as_int(row["waiting"]),
        next_at=as_float(row["next_at"]) or None if _is_due_some_time(row) else None,
        last_at=as_float(row["last"]) or None,
        last_job_id=as_text(row["last_job"]),
        last_status=as_text(row["job_status"]) or as_text(row["last_status"]),
        failures_in_a_row=as_int(row["failures"]),
        problem=problem,
        jobs=as_int(row["jobs"]),
        told=as_int(row["told"]),
        made_at=as_float(row["made"]),
    )


def _is_due_some_time(row: sqlite3.Row) -> bool:
    return bool(row["waiting"]) and row["paused"] is None


# --- making and changing, within the caller's transaction ------------------------------------


@dataclass(frozen=True)
class NewHook:
    """A hook that is to be made, checked.

    Args:
        event: "failed" or "completed".
        job: What its jobs are like.
        match: Which jobs it is about.
        every: The seconds between two of its jobs.
        name: What it is called; empty for a name made of the job's.

    Raises:
        TypeError: a value is of the wrong type, or the function does not take `jobs` and `count`.
        ValueError: a value is out of range, or the match can't be understood.
    """

    event: str
    job: Job
    match: str = ""
    every: float | str = 0
    name: str = ""

    def __post_init__(self) -> None:
        if self.event not in EVENTS:
            said = " or ".join(map(repr, EVENTS))
            raise ValueError(f"A hook's event is {self.event!r}: say {said}.")
        check_job("A hook", self.job)
        if self.job.dependencies:
            raise ValueError("A hook's job can't wait for other jobs: leave dependencies out.")
        if self.job.run_at is not None:
            raise ValueError(
                "A hook's job can't wait for a time of its own: leave run_at out, or say run_after."
            )
        if self.job.unique:
            raise ValueError(
                "A hook's job can't be unique, since each reports other jobs: leave unique out, "
                "and give every."
            )
        _check_takes_what_it_is_given(self.job)
        read_match(self.match)
        object.__setattr__(self, "every", float(seconds_of(self.every, "every")))
        if self.name:
            check_name(self.name)


def check_name(name: str) -> None:
    """Refuse what can't be the name of a hook.

    Raises:
        TypeError: it is no text.
        ValueError: it is too long, or has spaces around it or characters that can't be printed.
    """
    if not isinstance(name, str):
        raise TypeError(f"A hook's name must be a string, not {type(name).__name__}.")
    check_text("A hook's name", name)
    if not name or name != name.strip() or not name.isprintable():
        raise ValueError(
            f"A hook's name is {name[:40]!r}: give printable text without spaces around it."
        )
    if len(name) > LONGEST_NAME:
        raise ValueError(
            f"A hook's name has {len(name):,} characters: {LONGEST_NAME} are the most."
        )


def _check_takes_what_it_is_given(job: Job) -> None:
    own = job.params
    job.check()
    try:
        job.params = {**own, **GIVEN}
        # So it has to be a job that can be submitted.
        row_of(job, Moment.now())
    except TypeError as problem:
        raise TypeError(
            f"{problem} A hook's function is called with the parameters jobs and count."
        ) from None
    finally:
        job.params = own


def put(conn: sqlite3.Connection, new: NewHook, now: Moment) -> str:
    """Make a hook, or let it stand in place of the one of its name. Returns the name.

    Without a name, one that is the same already is that hook.
    """
    definition = Definition.of(new.job)
    # A job that needs them was given some; a hook's jobs get others.
    own = {name: value for name, value in definition.params.items() if name not in GIVEN}
    definition = replace(definition, params=own)
    if definition.function.module in READY_MADE:
        # Where GigQ's workers run, this package may not be installed.
        definition = replace(definition, options={**definition.options, "ours": True})
    values = {
        "event": new.event,
        "match": new.match,
        "every": new.every,
        "definition": definition.encode(),
        "utc": now.utc,
    }
    name = new.name
    if not name:
        same = conn.execute(sql.SAME_HOOK, values).fetchone()
        name = same[0] if same else _free_name(conn, new.job.name)
    features.use(conn, Feature.HOOKS)
    features.use(conn, _TELLING[new.event])
    conn.execute(sql.PUT_HOOK, {**values, "name": name})
    conn.execute(sql.PUT_DEFINITION, (name, values["definition"]))
    conn.execute(sql.FORGET_TERMS, (name,))
    for clause, terms in enumerate(read_match(new.match)):
        for place, term in enumerate(terms):
            where = {"hook": name, "clause": clause, "place": place}
            conn.execute(sql.ADD_TERM, {**term._asdict(), **where})
    _drop_what_is_unused(conn)
    _enter(conn, name, now)
    return name


def _free_name(conn: sqlite3.Connection, wanted: str) -> str:
    base = "".join(c if c.isprintable() else " " for c in wanted).strip() or "hook"
    for number in count(1):
        name = base[:LONGEST_NAME] if number == 1 else f"{base[: LONGEST_NAME - 10]}-{number}"
        if conn.execute(sql.HAS_HOOK, (name,)).fetchone() is None:
            break
    return name


def remove(conn: sqlite3.Connection, name: str) -> bool:
    """Remove a hook, and forget what it had still to tell; whether there was one."""
    if conn.execute(sql.HAS_HOOK, (name,)).fetchone() is None:
        return False
    for statement in sql.FORGET_HOOK:
        conn.execute(statement, (name,))
    agenda.strike(conn, f"hook:{name}")
    _drop_what_is_unused(conn)
    return True


def pause(conn: sqlite3.Connection, name: str, now: Moment) -> bool:
    """Let a hook submit nothing until it is resumed: it goes on counting; whether there is one."""
    if not conn.execute(sql.PAUSE_HOOK, {"name": name, "utc": now.utc}).rowcount:
        return False
    agenda.strike(conn, f"hook:{name}")
    return True


def resume(conn: sqlite3.Connection, name: str, now: Moment) -> bool:
    """End a hook's pause: what was counted is told; whether there is one."""
    if not conn.execute(sql.RESUME_HOOK, (name,)).rowcount:
        return False
    _enter(conn, name, now)
    return True


def _enter(conn: sqlite3.Connection, name: str, now: Moment) -> None:
    """Put what waits on the agenda as it is due now."""
    row = conn.execute(sql.HOOK_BY_NAME, (name,)).fetchone()
    if _is_due_some_time(row):
        agenda.enter(conn, f"hook:{name}", _due(row, now.utc), anew=True)


def _due(row: sqlite3.Row, utc: float) -> float:
    """When a hook's next job is due of which something waits; as its trigger says it."""
    every, last = as_float(row["every"]), as_float(row["last"])
    return max(utc + min(CALM_S, every), min(last, utc) + every)


def _drop_what_is_unused(conn: sqlite3.Connection) -> None:
    events = {row[0] for row in conn.execute(sql.EVENTS)}
    for event, feature in _TELLING.items():
        if event not in events:
            features.drop(conn, feature)
    if not events:
        features.drop(conn, Feature.HOOKS)


# --- telling ---------------------------------------------------------------------------------


def submit_test(conn: sqlite3.Connection, name: str, now: Moment) -> str | None:
    """Submit a hook's job with a made-up failure; its id, or None if there is no such hook."""
    row = conn.execute(sql.HOOK_BY_NAME, (name,)).fetchone()
    if row is None:
        return None
    failed = row["event"] == "failed"
    named = {
        "id": "00000000-0000-4000-8000-000000000000",
        "name": f"test of hook {name}",
        "function": "gigq_core.test_hook",
        "status": row["event"],
        "error_type": "HookTest" if failed else None,
        "error_message": "This is a test: no job has failed." if failed else None,
        "attempts": 1,
        "max_attempts": 1,
        "ended": now.utc,
        "worker": "",
        "lane": "",
        "workflow": "",
        "batch": "",
        "schedule": "",
        "now": "deleted",
    }
    job_id = _submit(conn, row, [named], 1, now)
    conn.execute(sql.NOTE_TRIED, {"name": name, "job": job_id})
    return job_id


def _submit(
    conn: sqlite3.Connection, row: sqlite3.Row, named: list[dict[str, Any]], n: int, now: Moment
) -> str:
    definition = Definition.decode(row["definition"])
    job = definition.job(params={**definition.params, "jobs": named, "count": n})
    job.hook = row["name"]
    submit_within(conn, [job], now)
    return job.id


def _named(row: sqlite3.Row) -> dict[str, Any]:
    """A job that ended, as a hook's function gets it."""
    error_type = error_message = None
    if row["error_message"] is not None:
        error_type, error_message = (
            as_text(row["error_type"]) or None,
            as_text(row["error_message"]),
        )
    elif row["error"] is not None and as_text(row["status"]) != "completed":
        failure = failure_of(as_text(row["error"]))
        error_type, error_message = failure.type, failure.message
    return {
        "id": as_text(row["id"]),
        "name": as_text(row["name"]),
        "function": as_text(row["function"]),
        "status": as_text(row["status"]),
        "error_type": error_type,
        "error_message": None if error_message is None else error_message[:MOST_MESSAGE],
        "attempts": as_int(row["attempts"]),
        "max_attempts": as_int(row["max_attempts"]),
        "ended": as_float(row["ended"]),
        "worker": as_text(row["worker"]),
        "lane": as_text(row["lane"]),
        "workflow": as_text(row["workflow"]),
        "batch": as_text(row["batch"]),
        "schedule": as_text(row["schedule"]),
        "now": as_text(row["now"]) or "deleted",
    }


class HookDuty:
    """Submits the job of a hook that is due; see `agenda.Duty`."""

    takes_s = 0.0

    def prepare(self, conn: sqlite3.Connection, name: str, now: Moment) -> None:
        """Nothing: it is all one read and one row."""

    def perform(
        self, conn: sqlite3.Connection, name: str, prepared: None, now: Moment
    ) -> float | None:
        """Submit it, and forget what it tells; the time to look again while more comes in."""
        row = conn.execute(sql.HOOK_BY_NAME, (name,)).fetchone()
        if row is None or row["paused"] is not None or row["waiting"] <= 0:
            return None
        since = now.utc - as_float(row["first"])
        if row["waiting"] > row["seen"] and 0 <= since < min(row["every"], PATIENCE_S):
            conn.execute(sql.NOTE_SEEN, (name,))
            return now.utc + CALM_S
        named = [_named(one) for one in conn.execute(sql.OUTBOX, (name,)).fetchall()]
        job_id = _submit(conn, row, named[:MOST_NAMED], row["waiting"], now)
        conn.execute(sql.NOTE_TOLD, {"name": name, "job": job_id, "utc": now.utc})
        conn.execute(sql.EMPTY_OUTBOX, (name,))
        return None

    def recheck(self, conn: sqlite3.Connection, now: Moment) -> None:
        """Bring forward what a clock that was set back would keep waiting."""
        for row in conn.execute(sql.TO_RECHECK).fetchall():
            due = _due(row, now.utc)
            latest = max(due, now.utc + agenda.PUT_OFF_S) + 1.0
            if row["at"] is None or row["at"] > latest:
                agenda.enter(conn, f"hook:{row['name']}", due, anew=True)


DUTY = HookDuty()
