"""The schedules of a file, each with its last job, and what became of the last slots of one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gigq_core.rows.decoding import as_text
from gigq_core.schedules.rules import Schedule, Skip, read_schedules
from gigq_tui.store import queries
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.graph.ancestors import read_lines
from gigq_tui.store.models import JobRow
from gigq_tui.store.workers import FileWorkers, with_holders

# Of how many slots of a schedule it is told what became of them.
MOST_RUNS = 10
# A slot that is over for longer is late: somebody should have submitted its job.
LATE_S = 60.0


@dataclass(frozen=True)
class PastSlot:
    """What became of a slot, or of several that were skipped together: a job, or a skip.

    `slot` is its moment in UTC seconds, the newest of several. `job` is None where there was none,
    or where it has been deleted.
    """

    slot: float
    job: JobRow | None = None
    skip: Skip | None = None


@dataclass(frozen=True)
class ListedSchedule:
    """A schedule, and the last job that it made; None where it made none, or that is deleted."""

    schedule: Schedule
    last: JobRow | None = None

    @property
    def name(self) -> str:
        """The name of the schedule."""
        return self.schedule.name


@dataclass(frozen=True)
class Schedules:
    """All schedules by name, and the last slots of the one that was asked for, newest first."""

    taken_at: datetime
    listed: tuple[ListedSchedule, ...] = ()
    chosen: str = ""
    past: tuple[PastSlot, ...] = ()
    by_name: dict[str, ListedSchedule] = field(default_factory=dict, compare=False)


def is_late(schedule: Schedule, now: float) -> bool:
    """Whether its next slot is over, and nobody has submitted the job.

    Args:
        schedule: The schedule.
        now: In UTC seconds.
    """
    at = schedule.next_at
    return schedule.paused_at is None and at is not None and now - at >= LATE_S


def read_listed(
    conn: sqlite3.Connection,
    schema: FileSchema,
    staff: FileWorkers,
    now: datetime,
    chosen: str,
) -> Schedules:
    """Read the schedules, and what became of the last slots of one of them.

    Args:
        conn: A connection, in a transaction that reads.
        schema: What the file has.
        staff: Who works on it.
        now: The present moment.
        chosen: The name of the schedule whose last slots are wanted.
    """
    found = read_schedules(conn, MOST_RUNS)
    known = {schedule.name: schedule for schedule in found}
    made = _made_by(conn, schema, chosen) if chosen in known else []
    ids = [schedule.last_job_id for schedule in found if schedule.last_job_id]
    rows = read_lines(conn, schema, list(dict.fromkeys([*ids, *(id for id, _ in made)])))
    rows = {row.id: row for row in with_holders(rows.values(), staff)}
    listed = tuple(
        ListedSchedule(schedule, rows.get(schedule.last_job_id or "")) for schedule in found
    )
    past: tuple[PastSlot, ...] = ()
    if chosen in known:
        past = past_slots([(slot, rows[id]) for id, slot in made if id in rows], known[chosen])
    return Schedules(now, listed, chosen, past, {one.name: one for one in listed})


def past_slots(jobs: Sequence[tuple[float, JobRow]], schedule: Schedule) -> tuple[PastSlot, ...]:
    """Jobs and skips together, the newest slot first, as many as are told.

    Args:
        jobs: The slots that made jobs, and those jobs.
        schedule: The schedule, with its skips.
    """
    slots = [PastSlot(slot, job=job) for slot, job in jobs]
    slots += [PastSlot(skip.slot, skip=skip) for skip in schedule.skips]
    return tuple(sorted(slots, key=lambda one: -one.slot)[:MOST_RUNS])


def _made_by(conn: sqlite3.Connection, schema: FileSchema, name: str) -> list[tuple[str, float]]:
    """The newest jobs of a schedule, by id, with their slots."""
    if not {"schedule", "slot"}.issubset(schema.job_columns):
        return []
    found = conn.execute(queries.JOBS_OF_SCHEDULE, (name, MOST_RUNS)).fetchall()
    return [
        (as_text(record["id"]), record["slot"])
        for record in found
        if isinstance(record["slot"], (int, float))
    ]
