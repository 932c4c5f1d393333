"""New jobs into the file, within the caller's transaction: the one way in which ours come there."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gigq_core.duplicate_job import submitted_before
from gigq_core.graph.cycles import Waiting, refuse_cycle_with_file, refuse_cycle_within
from gigq_core.job import Job, jobs_in, named
from gigq_core.schema import statements as sql
from gigq_core.submitting.new_rows import insert, row_of
from gigq_core.units.times import Moment

if TYPE_CHECKING:
    from gigq_core.submitting.key_conflicts import Conflicts


class Prepared(NamedTuple):
    """Jobs that are checked, as far as that can be done without the file."""

    jobs: list[Job]
    rows: list[dict[str, Any]]
    now: Moment


def prepare(jobs: Iterable[Job], now: Moment) -> Prepared:
    """Check jobs, and make their rows, before the file is locked for them.

    Args:
        jobs: In any order, children before their parents too.
        now: When they are submitted.

    Raises:
        TypeError: As for `Job`.
        ValueError: As for `Job`.
        CycleError: They wait for each other in a circle.
    """
    batch = jobs_in("submit", jobs)
    rows = [row_of(job, now) for job in batch]
    refuse_cycle_within(batch)
    return Prepared(batch, rows, now)


def submit_within(conn: sqlite3.Connection, jobs: Iterable[Job], now: Moment) -> list[str]:
    """Put jobs into the file, within the caller's write transaction.

    A job whose key another one holds is not inserted, and has that one's id in `duplicate_of`. What
    this raises may leave a part of its work behind: the caller takes back its transaction, or its
    savepoint.

    Args:
        conn: The queue file, attached.
        jobs: In any order, children before their parents too.
        now: When they are submitted.

    Returns:
        Their ids, in the order given; of one that is there already, that one's.

    Raises:
        TypeError: As for `Job`.
        ValueError: As for `Job`.
        CycleError: Jobs wait for each other in a circle.
        DuplicateJob: One was submitted before; or its key is held, and it asks for this error.
    """
    return submit_prepared(conn, prepare(jobs, now))


def submit_prepared(conn: sqlite3.Connection, new: Prepared) -> list[str]:
    """As `submit_within`, for jobs that `prepare` was given."""
    jobs, rows, now = new
    conflicts = _conflicts(conn, jobs, rows, now)
    waiting: Sequence[Waiting] = jobs
    if conflicts is None:
        for job in jobs:
            job.duplicate_of = None
    else:
        rows, waiting = conflicts.settle()
    for one in waiting:
        if one.dependencies:
            refuse_cycle_with_file(conn, one, waiting)
    try:
        insert(conn, rows)
    except sqlite3.IntegrityError as problem:
        # Others may have constraints of their own in the file.
        which = _which_was(conn, jobs, now) or f"one of these ({problem})"
        raise submitted_before(which) from None
    if conflicts is None:
        return [job.id for job in jobs]
    conflicts.finish()
    return [job.duplicate_of or job.id for job in jobs]


def _which_was(conn: sqlite3.Connection, jobs: list[Job], now: Moment) -> str:
    """Which of some jobs was submitted before, or twice with the others; nothing if none was."""
    by_id = {job.id: job for job in jobs}
    found = conn.execute(sql.THERE_BEFORE, (json.dumps(list(by_id)), now.utc)).fetchone()
    if found is not None:
        twice = by_id.get(found[0])
    else:
        seen = Counter(job.id for job in jobs)
        twice = next((job for job in jobs if seen[job.id] > 1), None)
    return "" if twice is None else named(twice)


def _conflicts(
    conn: sqlite3.Connection, jobs: list[Job], rows: list[dict[str, Any]], now: Moment
) -> Conflicts | None:
    if all(job.unique is False for job in jobs):
        return None
    from gigq_core.submitting.key_conflicts import Conflicts  # most jobs are not unique

    return Conflicts(conn, jobs, rows, now)
