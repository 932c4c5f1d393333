"""The slots of schedules: which become jobs, whichever worker comes first.

A slot is one job, whoever fires it and however often: its id is made of the file's, the schedule's
name and the slot. Each slot ends as a job, or as a skip that is told.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gigq_core import agenda
from gigq_core.changes import actions
from gigq_core.duplicate_job import DuplicateJob
from gigq_core.job import Job
from gigq_core.reasons.why import SHORT_ID
from gigq_core.rows.decoding import as_float, as_json, as_text
from gigq_core.schedules.cron import MOST_COUNTED, Rule
from gigq_core.schedules.slot_text import fill_slot
from gigq_core.schema import schedule_statements as sql
from gigq_core.schema.features import Feature, make
from gigq_core.schema.transaction import is_passing, savepoint
from gigq_core.status import JobStatus
from gigq_core.submitting.definition import Definition
from gigq_core.submitting.insertion import submit_within
from gigq_core.submitting.new_rows import row_of
from gigq_core.units.times import Moment

logger = logging.getLogger("gigq_core.schedules")

# A slot that is missed by no more than this, in seconds, is as good as on time: a worker was
# started anew, or was busy.
GRACE_S = 60.0
# So many missed slots are caught up at once, and so many jobs of a schedule stand in line.
MOST_AT_ONCE = 100
# Of the skips of a schedule so many are kept.
SKIPS_KEPT = 100
# The clock may go so far back, in seconds, before that is thought of.
STEP_S = 1.0
MOST_STRETCHES = 50

# What a damaged row, or a zone that is not known here, is refused with.
UNREADABLE = (TypeError, ValueError, OverflowError, OSError)

_RUNNING = JobStatus.RUNNING.value


def entry_of(name: str) -> str:
    """The schedule's entry on the agenda."""
    return f"schedule:{name}"


def file_id(conn: sqlite3.Connection) -> str:
    """The file's own id, which goes along with its copies."""
    row = conn.execute(sql.FILE_ID).fetchone()
    return as_text(row[0]) if row else ""


def job_id_of(file: str, name: str, slot: float) -> str:
    """The id of a slot's job."""
    try:
        space = uuid.UUID(file)
    except ValueError:
        space = uuid.uuid5(uuid.NAMESPACE_OID, file)
    return str(uuid.uuid5(space, f"{name}@{slot:.0f}"))


def job_of_slot(
    definition: Definition, name: str, rule: Rule, slot: float, id: str | None = None
) -> Job:
    """The job that a slot becomes, checked.

    Raises:
        TypeError: As for `Job`.
        ValueError: As for `Job`.
    """
    job = definition.job(id=id, params=fill_slot(definition.params, rule.local(slot)))
    job.schedule, job.slot = name, slot
    return job


# --- what is worked out before the file is locked --------------------------------------------


@dataclass(frozen=True)
class Plan:
    """What is to become of the slots that are due.

    Attributes:
        edition, next_at: Of the schedule that it was worked out for.
        jobs: The slots that are to become jobs, in order.
        missed: How many are not, since it is too late for them; from `first` to `last`.
        after: The slot that comes next.
        trouble: Why nothing can be done; a sentence, or nothing.
    """

    edition: int
    next_at: float | None
    jobs: tuple[tuple[float, Job], ...] = ()
    missed: int = 0
    first: float = 0.0
    last: float = 0.0
    after: float | None = None
    trouble: str = ""


def _plan(row: sqlite3.Row, file: str, now: Moment) -> Plan:
    edition, next_at = row["edition"], row["next_at"]
    if row["paused_at"] is not None or next_at is None or next_at > now.utc:
        return Plan(edition, next_at, after=next_at)
    try:
        rule = Rule.of(row["rule"], row["zone"])
        most = MOST_AT_ONCE if row["catch_up"] == "all" else 1
        # One more, to know where those that are missed end.
        due = rule.between(next_at, now.utc, most + 1)
        slots = due.newest[-most:]
        if row["catch_up"] == "none":
            slots = tuple(slot for slot in slots if now.utc - slot <= GRACE_S)
        definition = Definition.decode(row["definition"])
        name = as_text(row["name"])
        jobs = []
        for slot in slots:
            job = job_of_slot(definition, name, rule, slot, job_id_of(file, name, slot))
            row_of(job, now)
            jobs.append((slot, job))
        # Beyond what is counted nobody knows how many they are.
        missed = due.count if due.count > MOST_COUNTED else due.count - len(slots)
        earlier = [slot for slot in due.newest if slot not in slots]
        return Plan(
            edition,
            next_at,
            tuple(jobs),
            missed,
            due.first,
            earlier[-1] if earlier else due.first,
            rule.next(now.utc),
        )
    except UNREADABLE as problem:
        return Plan(edition, next_at, trouble=agenda.trouble_of(problem))


# --- what is done ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Skipped:
    """Slots that made no job, from the first to the last of them."""

    first: float
    last: float
    count: int
    why: str


class Came(NamedTuple):
    """What came of the slots of a schedule that were due."""

    schedule: str
    made: list[Job]
    skipped: list[Skipped]


class ScheduleDuty:
    """The agenda's entries of schedules.

    Args:
        tell: is called with what came of the slots that were due.
    """

    takes_s = 0.0

    def __init__(self, tell: Callable[[Came], object] | None = None) -> None:
        self._tell = tell

    def prepare(self, conn: sqlite3.Connection, name: str, now: Moment) -> Plan | None:
        """Work out which slots are due, and make their jobs."""
        row = conn.execute(sql.SCHEDULE, (name,)).fetchone()
        return None if row is None else _plan(row, file_id(conn), now)

    def perform(
        self, conn: sqlite3.Connection, name: str, prepared: Plan | None, now: Moment
    ) -> float | None:
        """Put them into the queue, and move the schedule on."""
        row = conn.execute(sql.SCHEDULE, (name,)).fetchone()
        if row is None or row["paused_at"] is not None or row["next_at"] is None:
            return None
        plan = prepared
        if plan is None or (row["edition"], row["next_at"]) != (plan.edition, plan.next_at):
            # Somebody else was here, or has changed it.
            return float(row["next_at"])
        trouble = plan.trouble
        if not trouble:
            try:
                with savepoint(conn):
                    came = _fire_all(conn, row, plan, now)
                if self._tell:
                    self._tell(came)
                return plan.after
            except Exception as problem:
                if not conn.in_transaction or is_passing(problem):
                    raise
                if str(problem).startswith("no such index: "):
                    # Somebody dropped it: it is made again, and this is tried again.
                    make(conn, Feature.SCHEDULES)
                    return now.utc
                trouble = agenda.trouble_of(problem)
        conn.execute(sql.NOTE_TROUBLE, (trouble, now.utc, name))
        logger.error("Schedule %s: its job can't be submitted: %s", name, trouble)
        return now.utc + agenda.PUT_OFF_S

    def recheck(self, conn: sqlite3.Connection, now: Moment) -> None:
        """Where the clock was set back, the slots in between come once more."""
        for row in conn.execute(sql.COUNTED_AHEAD, (now.utc + STEP_S,)).fetchall():
            try:
                slot = Rule.of(row["rule"], row["zone"]).next(now.utc)
                slot = row["next_at"] if slot is None else min(slot, row["next_at"])
            except UNREADABLE:
                continue
            conn.execute(sql.COUNT_ANEW, (slot, now.utc, row["name"]))
            agenda.enter(conn, entry_of(as_text(row["name"])), slot, anew=True)


DUTY = ScheduleDuty()


def _fire_all(conn: sqlite3.Connection, row: sqlite3.Row, plan: Plan, now: Moment) -> Came:
    """Make the jobs of a plan, and move on; returns what came of it."""
    made = []
    skipped = []
    name = as_text(row["name"])
    if plan.missed:
        more = plan.missed > MOST_COUNTED
        said = f"more than {MOST_COUNTED:,}" if more else f"{plan.missed:,}"
        skipped.append(Skipped(plan.first, plan.last, plan.missed, f"{said} missed"))
        note_skip(conn, name, skipped[-1], now)
    stretches = Stretches.read(row["fired"])
    overlap = as_text(row["overlap"])
    if len(plan.jobs) > 1 and overlap == "skip":
        # All of them are wanted, but never two at once.
        overlap = "queue"
    for place, (slot, job) in enumerate(plan.jobs):
        why = _why_not(conn, name, stretches, slot, job)
        if not why:
            why = put_in(conn, name, job, overlap, now)
        if why:
            skipped.append(Skipped(slot, slot, 1, why))
            note_skip(conn, name, skipped[-1], now)
        else:
            logger.info("Schedule %s: job %s was submitted", name, job.id)
            made.append(job)
        if not why or plan.missed:
            stretches.add(slot, anew=bool(plan.missed) and not place)
    values = {"name": name, "next_at": plan.after, "counted": now.utc, "fired": stretches.text()}
    conn.execute(sql.MOVE_ON, values)
    return Came(name, made, skipped)


def _why_not(
    conn: sqlite3.Connection, name: str, stretches: Stretches, slot: float, job: Job
) -> str:
    """Why a slot may not become a job any more: it did already."""
    if conn.execute(sql.JOB_OF_SLOT, {"id": job.id}).fetchone() is not None:
        return "has run already"
    # What is known of jobs that were deleted is not kept for ever.
    return "was over before the clock was set back" if slot in stretches else ""


def put_in(conn: sqlite3.Connection, name: str, job: Job, overlap: str, now: Moment) -> str:
    """Put a schedule's job into the queue, as its overlap says.

    Args:
        conn: within the caller's transaction.
        name: the schedule's.
        job: its job.
        overlap: "skip", "queue", "replace" or "allow".
        now: when.

    Returns:
        Why it was not, in a few words; or nothing.

    Raises:
        TypeError: As for `Job`.
        ValueError: As for `Job`.
        GigQError: As for `JobQueue.submit`.
    """
    if overlap != "allow":
        alive = conn.execute(sql.ALIVE, (name, MOST_AT_ONCE)).fetchall()
        if alive and overlap == "skip":
            running = next((one for one in alive if one["status"] == _RUNNING), None)
            shown = as_text((running or alive[0])["id"])[:SHORT_ID]
            return f"{shown} still {'runs' if running else 'waits'}"
        if len(alive) >= MOST_AT_ONCE and overlap == "queue":
            return f"{MOST_AT_ONCE} jobs wait already"
    try:
        # What was to be replaced goes on where nothing takes its place.
        with savepoint(conn):
            if overlap != "allow":
                _line_up(conn, name, job, [as_text(one["id"]) for one in alive], overlap)
            (found,) = submit_within(conn, [job], now)
            if found != job.id:
                raise DuplicateJob("another job has its key", found)
    except DuplicateJob as problem:
        if not problem.duplicate_of:
            raise
        return f"{problem.duplicate_of[:SHORT_ID]} has the key that it is to have alone"
    conn.execute(sql.NOTE_LAST, (job.slot, job.id, name))
    return ""


def _line_up(conn: sqlite3.Connection, name: str, job: Job, alive: list[str], overlap: str) -> None:
    """Let a schedule's job wait for those that are alive, which end first if it replaces them."""
    if alive and overlap == "replace":
        actions.cancel(conn, alive)
    # What is replaced may take a moment to end.
    ends = [as_text(one[0]) for one in conn.execute(sql.ENDS_OF_LINE, {"name": name})]
    if ends:
        job.dependencies = ends
        job.on_parent_failure, job.pass_parent_results = "run", False


def note_skip(conn: sqlite3.Connection, name: str, skipped: Skipped, now: Moment) -> None:
    """Keep that slots made no job, and why."""
    first, last, count, why = skipped.first, skipped.last, skipped.count, skipped.why
    conn.execute(sql.COUNT_SKIPS, (count, name))
    values = {"name": name, "slot": last, "first": first, "count": count, "why": why, "at": now.utc}
    newest = conn.execute(sql.NEWEST_SKIP, (name,)).fetchone()
    if newest is not None and newest["why"] == why and count == 1 and last > newest["slot"]:
        conn.execute(sql.ADD_TO_SKIP, {**values, "place": newest["place"]})
        return
    conn.execute(sql.ADD_SKIP, values)
    conn.execute(sql.FORGET_SKIPS, {"name": name, "most": SKIPS_KEPT})
    logger.info("Schedule %s: no job for %s: %s", name, _slots(count), why)


class Stretches:
    """The slots that made jobs, as stretches: few numbers, however many they are.

    A stretch ends where slots were missed. So a clock that was wrong for a while, a year ahead,
    say, leaves no more behind than the slots that did become jobs by it.
    """

    def __init__(self, pairs: Sequence[tuple[float, float]]) -> None:
        self._pairs = sorted(pairs)

    @classmethod
    def read(cls, text: object) -> Stretches:
        """Those that a file holds; a damaged one has none."""
        held = as_json(text)
        pairs = held if isinstance(held, list) else []
        return cls(
            [
                (as_float(pair[0]), as_float(pair[1]))
                for pair in pairs
                if isinstance(pair, list) and len(pair) == 2
            ]
        )

    def __contains__(self, slot: float) -> bool:
        return any(first <= slot <= last for first, last in self._pairs)

    def add(self, slot: float, anew: bool) -> None:
        """Add a slot that became a job.

        Args:
            slot: which.
            anew: whether slots before it were missed.
        """
        place = max((n for n, (first, _) in enumerate(self._pairs) if first <= slot), default=None)
        if place is None or anew:
            if slot not in self:
                self._pairs.append((slot, slot))
        else:
            first, last = self._pairs[place]
            self._pairs[place] = (first, max(last, slot))
        self._pairs.sort()
        while len(self._pairs) > MOST_STRETCHES:
            (first, _), (_, last) = self._pairs[:2]
            self._pairs[:2] = [(first, last)]

    def text(self) -> str:
        """They as a file holds them."""
        return json.dumps(self._pairs)


def _slots(count: int) -> str:
    return "a slot" if count == 1 else f"{count:,} slots"
