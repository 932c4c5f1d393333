"""Where a running job is, right now: the stack of the process that runs it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gigq_core.errors import StackUnavailable
from gigq_core.identity import ProcessIdentity, is_dead
from gigq_core.paths import stack_prefix
from gigq_core.schema.opening import explain, open_read_only
from gigq_core.schema.statements import RUNNING_PROCESS_OF
from gigq_core.status import JobStatus
from gigq_core.worker.process_stack import ANSWER_TIMEOUT_S, stack_of_process


def stack_of(db_path: str | Path, job_id: str, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
    """The stack of a running job, one block for each of its threads, most recent call last.

    Args:
        db_path: the queue's file.
        job_id: a job that runs in a worker process on this machine.
        timeout_s: how long to wait for the answer.

    Raises:
        StackUnavailable: the job doesn't run, or not where it could be asked.
        DatabaseError: the file can't be read.
    """
    worker_id, pid = _process_of(Path(db_path), job_id)
    return stack_of_process(stack_prefix(db_path, worker_id), pid, timeout_s)


def _process_of(path: Path, job_id: str) -> tuple[str, int]:
    """The worker and process that run the job, made sure to be what they were."""
    conn = open_read_only(path)
    try:
        row = conn.execute(RUNNING_PROCESS_OF, (job_id,)).fetchone()
    except sqlite3.OperationalError as problem:
        if "no such" in str(problem):
            raise StackUnavailable("This is GigQ's own file: its workers can't be asked.") from None
        raise explain(problem, path) from None
    finally:
        conn.close()
    if row is None:
        raise StackUnavailable(f"There is no job {job_id}.")
    if row["status"] != JobStatus.RUNNING.value:
        raise StackUnavailable(f"It is not running: its status is {row['status']}.")
    if row["worker"] is None:
        raise StackUnavailable("A GigQ worker runs it, which can't be asked.")
    if row["isolation"] != "process":
        raise StackUnavailable("It runs in a thread of a script, which can't be asked.")
    dead = is_dead(ProcessIdentity.of_row(row))
    if dead is None:
        raise StackUnavailable(f"It runs on {row['host']}, or in another container: ask there.")
    if dead or row["job_pid"] is None or _parent_of(row["job_pid"]) != row["pid"]:
        raise StackUnavailable(f"Its worker {row['worker']} is gone.")
    return row["worker"], row["job_pid"]


def _parent_of(pid: int) -> int | None:
    import psutil

    try:
        return psutil.Process(pid).ppid()
    except psutil.Error:
        return None
