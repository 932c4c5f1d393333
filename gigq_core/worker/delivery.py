"""The endings of attempts that submitted jobs: these are there if the attempt completed, or not.

Each stands in a savepoint of its own, behind the plain endings: whatever is wrong with what it
submits fails that job alone.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from gigq_core.errors import CycleError
from gigq_core.job import Job
from gigq_core.rows.decoding import as_json, as_optional_text
from gigq_core.schema import outbox_statements as sql
from gigq_core.schema.statements import PARENTS_OF
from gigq_core.schema.transaction import is_passing, savepoint
from gigq_core.submitting import insertion as submitting
from gigq_core.submitting.insertion import Prepared
from gigq_core.units.times import Moment
from gigq_core.worker import outcomes, runner
from gigq_core.worker.claims import Ending, Fate
from gigq_core.worker.outbox import Order
from gigq_core.worker.outcomes import Written

logger = logging.getLogger("gigq_core.worker")

# So many times, at most, one job is noted as waiting for another: each of those that wait for the
# submitting job, for each that they are to wait for.
MOST_EDGES = 100_000


class Undeliverable(Exception):
    """What an attempt submitted can't be stored; the message says why."""


def prepare(conn: sqlite3.Connection, endings: Iterable[Ending], now: Moment) -> None:
    """Make the jobs and their rows, before the write lock is taken; what is wrong is told by `end`.

    Raises:
        sqlite3.OperationalError: the file can't be read for now.
    """
    for ending in endings:
        outbox = ending.outbox
        if outbox is None or outbox.new is not None:
            continue
        holder = _holder(conn, ending)
        if holder is None:
            # Whoever took the job from this attempt will not give it back.
            continue
        try:
            outbox.new = _prepared(ending.claim.job_id, holder, outbox.orders(), now)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is about this one alone
            outbox.new = problem


def _holder(conn: sqlite3.Connection, ending: Ending) -> sqlite3.Row | None:
    """What the jobs inherit, of an attempt that is still its job's own."""
    values = {"job": ending.claim.job_id, "execution": ending.claim.execution_id}
    row: sqlite3.Row | None = conn.execute(sql.HOLDER, values).fetchone()
    return row


def _prepared(job_id: str, holder: sqlite3.Row, orders: list[Order], now: Moment) -> Prepared:
    columns = ("workflow", "workflow_id", "batch", "hook")
    workflow, workflow_id, batch, hook = (as_optional_text(holder[name]) for name in columns)
    for job, _ in orders:
        job.workflow, job.workflow_id, job.hook = workflow, workflow_id, hook
        job.batch = job.batch or batch or ""
        job.submitted_by = job_id
    return submitting.prepare([order.job for order in orders], now)


def end(conn: sqlite3.Connection, endings: Iterable[Ending], now: Moment) -> Written:
    """Write how attempts ended, and the jobs that they submitted; see `outcomes.end_each`."""
    written = Written([], [])
    for ending in endings:
        try:
            with savepoint(conn):
                found = _end(conn, ending, now)
        except Exception as problem:
            if is_passing(problem) or not conn.in_transaction:
                raise
            logger.error("Job %s can't be ended as it is: %s", ending.claim.job_id, problem)
            found = outcomes.end_each(conn, [_failed(ending, problem)], now)
        written.endings.extend(found.endings)
        written.superseded.extend(found.superseded)
    return written


def _failed(ending: Ending, problem: Exception) -> Ending:
    """How an attempt is stored that can't be stored with what it submitted."""
    plain = replace(ending, outbox=None)
    if not isinstance(problem, Undeliverable):
        # Then that is not the reason.
        return outcomes.unstorable(plain, problem)
    sentence = f"what it submitted can't be stored: {problem}"
    error = runner.clipped(runner.storable(sentence))
    return replace(plain, fate=Fate.HOPELESS, result=None, error=error)


def _end(conn: sqlite3.Connection, ending: Ending, now: Moment) -> Written:
    outbox = ending.outbox
    if outbox is None or outbox.new is None or _holder(conn, ending) is None:
        # It was taken from this attempt.
        return outcomes.end(conn, [replace(ending, outbox=None)], now)
    try:
        if isinstance(outbox.new, Exception):
            raise outbox.new
        _submit(conn, ending.claim.job_id, outbox.new, outbox.orders(), now)
    except Exception as problem:
        if is_passing(problem) or not conn.in_transaction:
            raise
        raise Undeliverable(str(problem) or type(problem).__name__) from problem
    return outcomes.end(conn, [ending], now)


def _submit(
    conn: sqlite3.Connection, parent: str, new: Prepared, orders: list[Order], now: Moment
) -> None:
    # Before those that are submitted along are there, which may wait for the job too.
    is_waited_for = any(order.before_dependents for order in orders)
    dependents = conn.execute(sql.DEPENDENTS, (parent,)).fetchall() if is_waited_for else []
    ids = submitting.submit_prepared(conn, new)
    first = [job_id for job_id, order in zip(ids, orders, strict=True) if order.before_dependents]
    if dependents:
        _let_wait(conn, dependents, first, new.jobs, now)


def _let_wait(
    conn: sqlite3.Connection,
    dependents: list[sqlite3.Row],
    first: list[str],
    jobs: list[Job],
    now: Moment,
) -> None:
    """Let those that wait for a job wait for others too.

    Args:
        conn: the queue file.
        dependents: those that wait.
        first: the ids of the others.
        jobs: all that are submitted along.
        now: the moment.

    Raises:
        CycleError: one of the others waits for one of those.
        ValueError: they are too many.
    """
    if len(dependents) * len(first) > MOST_EDGES:
        raise ValueError(
            f"{len(dependents):,} jobs would wait for {len(first):,} others each: let one job "
            "wait for these, and submit that one alone with before_dependents"
        )
    _refuse_cycle(conn, first, jobs, {row["id"]: row["name"] for row in dependents})
    for row in dependents:
        named = as_json(row["dependencies"])
        if not isinstance(named, list):
            # A damaged row: its edges hold it all the same.
            continue
        there = {one for one in named if isinstance(one, str)}
        text = json.dumps([*named, *(job_id for job_id in first if job_id not in there)])
        values = {"place": row["place"], "dependencies": text, "now": now.text}
        conn.execute(sql.NAME_PARENTS, values)
    edges = (
        {"child": row["id"], "parent": job_id, "on_failure": row["on_failure"]}
        for row in dependents
        for job_id in first
    )
    conn.executemany(sql.WAIT_FOR, edges)


def _refuse_cycle(
    conn: sqlite3.Connection, first: list[str], jobs: list[Job], dependents: dict[str, str]
) -> None:
    by_id = {job.id: job for job in jobs}
    seen: set[str] = set()
    stack = list(first)
    while stack:
        job_id = stack.pop()
        if job_id in dependents:
            raise CycleError(
                f"{dependents[job_id]!r} waits for this job, and is to wait for one that waits for "
                "it in turn: remove one of the dependencies, or submit without before_dependents"
            )
        if job_id in seen:
            continue
        seen.add(job_id)
        if job_id in by_id:
            stack.extend(by_id[job_id].dependencies)
        else:
            stack.extend(row[0] for row in conn.execute(PARENTS_OF, (job_id,)))
