"""The queue: submitting jobs, asking after them, and acting upon them."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from gigq_core.connections import close_connection, get_connection
from gigq_core.decoding import decoded_execution, decoded_job
from gigq_core.errors import CycleError, DuplicateJob
from gigq_core.job import Job
from gigq_core.schema import statements as sql
from gigq_core.schema.attach import ensure_attached
from gigq_core.schema.opening import explain
from gigq_core.schema.transaction import write
from gigq_core.status import Change, JobStatus, Outcome
from gigq_core.times import now_text

logger = logging.getLogger("gigq_core.queue")

_STANDING = {
    "pending": "it is already waiting",
    "completed": "it has already completed",
    "failed": "it has already failed",
    "timeout": "it has already timed out",
    "cancelled": "it is already cancelled",
}

WorkerRequest = Literal["pause", "resume", "drain", "stop"]


class JobQueue:
    """A job queue in one SQLite file. Every thread gets a connection of its own.

    Args:
        db_path: the file; it is made if there is none.
        initialize: open the file at once. False leaves it alone until the first call.

    Raises:
        DatabaseError: the file can't be used as a queue; the message says why.
    """

    def __init__(self, db_path: str | Path, initialize: bool = True) -> None:
        self.db_path = db_path
        self._initialize = initialize
        if initialize:
            self._connection()

    # --- submitting --------------------------------------------------------------------------

    def submit(self, job: Job) -> str:
        """Put a job into the queue; when this returns, it is on disk.

        Returns:
            The job's id.

        Raises:
            TypeError, ValueError: the job can't be stored as it now is; nothing was written.
            CycleError: the job would wait for itself.
            DuplicateJob: it was submitted before.
            DatabaseError: the file can't be written.
        """
        return self.submit_many([job])[0]

    def submit_many(self, jobs: Iterable[Job]) -> list[str]:
        """Put jobs into the queue in one transaction: all of them, or none.

        They may stand in any order, children before their parents too.

        Returns:
            Their ids, in the order given.

        Raises:
            As `submit`.
        """
        batch = list(jobs)
        now = now_text()
        rows = [_row_of(job, now) for job in batch]
        _refuse_cycle_within(batch)
        with self._writing() as conn:
            for job in batch:
                if job.dependencies:
                    _refuse_cycle_with_file(conn, job, batch)
            try:
                conn.executemany(sql.INSERT_JOB, rows)
            except sqlite3.IntegrityError as problem:
                raise DuplicateJob(
                    f"A job can be submitted once, and one of these already was ({problem}): "
                    "make a new Job."
                ) from None
        if logger.isEnabledFor(logging.INFO):
            for job in batch:
                logger.info("Job submitted: %s (%s)", job.id, job.name)
        return [job.id for job in batch]

    # --- acting ------------------------------------------------------------------------------

    def cancel(self, job_id: str) -> bool:
        """Cancel a job that waits, or ask the worker of a running one to stop it.

        Unlike GigQ, which leaves running jobs alone. See `cancel_jobs` for the reason.

        Returns:
            True if the job is cancelled or its worker has been asked; False if it could not be.
        """
        return self.cancel_jobs([job_id])[0].done

    def cancel_jobs(self, job_ids: Iterable[str]) -> list[Outcome]:
        """Cancel jobs in one transaction; one outcome for each id, in the order given.

        A waiting job is `cancelled` at once. A running one is `stopping`: the wish is on disk, and
        its worker stops it. The rest is `refused`, with the reason.
        """
        with self._writing() as conn:
            return [_cancel_one(conn, job_id, now_text()) for job_id in job_ids]

    def requeue_job(self, job_id: str) -> bool:
        """Let a failed, timed out or cancelled job run again, its attempts counted anew.

        Returns:
            True if it waits again, False if it could not be requeued.
        """
        return self.requeue_jobs([job_id])[0].done

    def requeue_jobs(self, job_ids: Iterable[str]) -> list[Outcome]:
        """Requeue jobs in one transaction; one outcome for each id, in the order given."""
        with self._writing() as conn:
            return [_requeue_one(conn, job_id, now_text()) for job_id in job_ids]

    def release_jobs(self, job_ids: Iterable[str]) -> list[Outcome]:
        """Give back running jobs whose worker is certainly dead, in one transaction.

        A job with attempts left waits again; otherwise it has failed. A job whose worker lives,
        or can't be judged from this machine, is refused.
        """
        from gigq_core.worker.rescue import release_dead

        wanted = list(job_ids)
        with self._writing() as conn:
            return release_dead(conn, wanted)

    def clear_completed(self, before_timestamp: str | None = None) -> int:
        """Delete completed and cancelled jobs.

        Args:
            before_timestamp: only those that completed before this time, in ISO 8601.

        Returns:
            How many were deleted.
        """
        with self._writing() as conn:
            if before_timestamp:
                return conn.execute(sql.CLEAR_FINISHED_BEFORE, (before_timestamp,)).rowcount
            return conn.execute(sql.CLEAR_FINISHED).rowcount

    # --- the queue as a whole ----------------------------------------------------------------

    def pause(self) -> None:
        """Let no worker of ours claim another job, until `resume`. GigQ's workers go on."""
        with self._writing() as conn:
            conn.execute(sql.PAUSE, (now_text(),))

    def resume(self) -> None:
        """End a pause."""
        with self._writing() as conn:
            conn.execute(sql.RESUME)

    def is_paused(self) -> bool:
        """Whether the queue is paused."""
        return self._one(sql.IS_PAUSED) is not None

    def request_worker(self, worker_id: str, request: WorkerRequest) -> bool:
        """Ask a worker, wherever it runs, to pause, resume, drain or stop.

        Returns:
            True if the wish is on disk, False if no such worker is at work.
        """
        if request not in ("pause", "resume", "drain", "stop"):
            raise ValueError(f"A worker can't {request!r}: ask for pause, resume, drain or stop.")
        with self._writing() as conn:
            return conn.execute(sql.REQUEST_OF_WORKER, (request, worker_id)).rowcount > 0

    # --- asking ------------------------------------------------------------------------------

    def get_status(self, job_id: str) -> dict[str, Any]:
        """Everything about a job: its row, decoded, with `exists` and its `executions`.

        An unknown id gives `{"exists": False}`.
        """
        row = self._one(sql.JOB_BY_ID, job_id)
        if row is None:
            return {"exists": False}
        job = decoded_job(row)
        job["exists"] = True
        job["executions"] = [decoded_execution(r) for r in self._all(sql.EXECUTIONS_OF, job_id)]
        return job

    def get_result(self, job_id: str) -> Any:
        """The result of a completed job; None while there is none.

        Raises:
            KeyError: there is no such job.
        """
        row = self._one(sql.RESULT_OF, job_id)
        if row is None:
            raise KeyError(f"There is no job {job_id!r} in the queue.")
        if row["status"] != JobStatus.COMPLETED.value or not row["result"]:
            return None
        return json.loads(row["result"])

    def list_jobs(
        self, status: JobStatus | str | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """The newest jobs first, decoded; at most `limit`, of one status or of all."""
        if isinstance(status, JobStatus):
            status = status.value
        if status:
            rows = self._all(sql.NEWEST_JOBS_WITH_STATUS, status, limit)
        else:
            rows = self._all(sql.NEWEST_JOBS, limit)
        return [decoded_job(row) for row in rows]

    def stats(self) -> dict[str, int]:
        """How many jobs have which status, and `total`. Costs the same however many there are."""
        counts = {status.value: 0 for status in JobStatus}
        total = 0
        for state, n in self._all(sql.COUNTERS):
            status = JobStatus.PENDING.value if state in ("ready", "blocked", "delayed") else state
            if n or status in counts:
                counts[status] = counts.get(status, 0) + n
            total += n
        counts["total"] = total
        return counts

    def close(self) -> None:
        """Close the current thread's connection to the file."""
        close_connection(self.db_path)

    # --- the connection ----------------------------------------------------------------------

    def _connection(self) -> sqlite3.Connection:
        return get_connection(self.db_path, create=self._initialize)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        conn = self._connection()
        try:
            with write(conn):
                # Somebody may have detached the file since this queue was opened.
                ensure_attached(conn)
                yield conn
        except sqlite3.OperationalError as problem:
            raise explain(problem, Path(self.db_path)) from problem

    def _one(self, statement: str, *values: object) -> sqlite3.Row | None:
        return next(iter(self._all(statement, *values)), None)

    def _all(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """Everything is fetched at once: an open reader would keep the WAL growing."""
        try:
            return self._connection().execute(statement, values).fetchall()
        except sqlite3.OperationalError as problem:
            if "no such" not in str(problem):
                raise explain(problem, Path(self.db_path)) from problem
        with self._writing() as conn:
            return conn.execute(statement, values).fetchall()


def _row_of(job: Job, now: str) -> dict[str, Any]:
    encoded = job.encoded()
    passing = job.pass_parent_results
    return {
        "id": job.id,
        "name": job.name,
        "function_name": encoded.function.name,
        "function_module": encoded.function.module,
        "params": encoded.params,
        "priority": job.priority,
        "dependencies": encoded.dependencies,
        "max_attempts": job.max_attempts,
        "timeout": job.timeout,
        "description": job.description,
        "created_at": job.created_at,
        "updated_at": now,
        "pass_parent_results": None if passing is None else int(passing),
        "retry_delay": job.retry_delay,
        "on_crash": job.on_crash,
    }


def _refuse_cycle_within(batch: list[Job]) -> None:
    """Kahn's algorithm: what can't be ordered stands in a circle, or behind one."""
    if not any(job.dependencies for job in batch):
        return
    by_id = {job.id: job for job in batch}
    waits = {
        job.id: len({parent for parent in job.dependencies if parent in by_id}) for job in batch
    }
    children: dict[str, list[str]] = {}
    for job in batch:
        for parent in set(job.dependencies):
            if parent in by_id:
                children.setdefault(parent, []).append(job.id)
    ordered = [job_id for job_id, n in waits.items() if n == 0]
    for job_id in ordered:
        for child in children.get(job_id, ()):
            waits[child] -= 1
            if waits[child] == 0:
                ordered.append(child)
    left = waits.keys() - set(ordered)
    if left:
        names = ", ".join(sorted(repr(by_id[job_id].name) for job_id in left)[:5])
        raise CycleError(
            f"These jobs depend on each other in a circle, so none could ever run: {names}"
            f"{' and others' if len(left) > 5 else ''}. Remove one of the dependencies."
        )


def _refuse_cycle_with_file(conn: sqlite3.Connection, job: Job, batch: list[Job]) -> None:
    """A circle through the file needs a child that was submitted before this, its parent."""
    if conn.execute(sql.HAS_CHILDREN, (job.id,)).fetchone() is None:
        return
    by_id = {other.id: other for other in batch}
    seen: set[str] = set()
    stack = list(job.dependencies)
    while stack:
        parent = stack.pop()
        if parent == job.id:
            raise CycleError(
                f"{job.name!r} waits for a job that already waits for it, so neither could ever "
                "run: remove one of the dependencies."
            )
        if parent in seen:
            continue
        seen.add(parent)
        if parent in by_id:
            stack.extend(by_id[parent].dependencies)
        stack.extend(row[0] for row in conn.execute(sql.PARENTS_OF, (parent,)))


def _cancel_one(conn: sqlite3.Connection, job_id: str, now: str) -> Outcome:
    values = {"id": job_id, "now": now}
    if conn.execute(sql.CANCEL_PENDING, values).rowcount:
        logger.info("Job cancelled: %s", job_id)
        return Outcome(job_id, Change.CANCELLED)
    if conn.execute(sql.REQUEST_STOP, values).rowcount:
        logger.info("Asked to stop: %s", job_id)
        return Outcome(job_id, Change.STOPPING, "its worker has been asked to stop it")
    return _refusal(conn, job_id, "a worker of GigQ runs it, and can't be asked to stop")


def _requeue_one(conn: sqlite3.Connection, job_id: str, now: str) -> Outcome:
    if conn.execute(sql.REQUEUE, {"id": job_id, "now": now}).rowcount:
        return Outcome(job_id, Change.REQUEUED)
    return _refusal(conn, job_id)


def _refusal(
    conn: sqlite3.Connection, job_id: str, if_running: str = "it is still running"
) -> Outcome:
    row = conn.execute(sql.JOB_STANDING, (job_id,)).fetchone()
    if row is None:
        return Outcome(job_id, Change.REFUSED, "there is no such job")
    status = row["status"]
    unknown = f"its status is {status!r}, which this release does not know"
    reason = if_running if status == JobStatus.RUNNING.value else _STANDING.get(status, unknown)
    return Outcome(job_id, Change.REFUSED, reason)
