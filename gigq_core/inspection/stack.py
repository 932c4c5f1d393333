"""Where a running job is, right now: the stack of the process that runs it, here or elsewhere."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from gigq_core.errors import StackUnavailable
from gigq_core.fleet.agents_seen import BY_AGENTS, knows_agents, read_agents
from gigq_core.fleet.asks import ask_worker
from gigq_core.reasons.agent_words import why_not_heard
from gigq_core.schema import statements as sql
from gigq_core.schema.opening import explain, open_read_only
from gigq_core.status import JobStatus
from gigq_core.system.identity import ProcessIdentity, is_dead, is_suspended
from gigq_core.system.paths import stack_prefix
from gigq_core.text import sentence
from gigq_core.units.times import utc_now
from gigq_core.worker.process_stack import ANSWER_TIMEOUT_S, stack_of_process

# The way to an agent and back leads through the file and over a link: so much more, in seconds.
WAY_TIMEOUT_S = 3.0


def stack_of(
    db_path: str | Path,
    job_id: str,
    timeout_s: float = ANSWER_TIMEOUT_S,
    *,
    read_only: bool = False,
) -> str:
    """The stack of a running job, one block for each of its threads, most recent call last.

    The worker of a job that runs elsewhere is asked through the file, and asks its agent.

    Args:
        db_path: the queue's file.
        job_id: a job that runs in a worker process on this machine, or at an agent.
        timeout_s: how long to wait for the answer of its process.
        read_only: whether the file must not be written.

    Raises:
        StackUnavailable: the job doesn't run, or not where it could be asked.
        DatabaseError: the file can't be read, or not be written to ask through it.
    """
    path = Path(db_path)
    row = _running(path, job_id)
    if row["isolation"] == BY_AGENTS:
        return _stack_elsewhere(path, row, timeout_s + WAY_TIMEOUT_S, read_only)
    if row["isolation"] != "process":
        raise StackUnavailable("It runs in a thread of a script, which can't be asked.")
    dead = is_dead(ProcessIdentity.of_row(row))
    if dead is None:
        raise StackUnavailable(f"It runs on {row['host']}, or in another container: ask there.")
    if dead or row["job_pid"] is None or _parent_of(row["job_pid"]) != row["pid"]:
        raise StackUnavailable(f"Its worker {row['worker']} is gone.")
    return stack_of_process(stack_prefix(db_path, row["worker"]), row["job_pid"], timeout_s)


def _running(path: Path, job_id: str) -> sqlite3.Row:
    """What runs the job, of a job that is run by a worker of ours."""
    with closing(open_read_only(path)) as conn:
        try:
            statement = sql.RUNNING_PROCESS_OF
            if not knows_agents(conn):
                statement = sql.RUNNING_PROCESS_WITHOUT_AGENTS
            row: sqlite3.Row | None = conn.execute(statement, (job_id,)).fetchone()
        except sqlite3.OperationalError as problem:
            if "no such" in str(problem):
                raise StackUnavailable(
                    "This is GigQ's own file: its workers can't be asked."
                ) from None
            raise explain(problem, path) from None
    if row is None:
        raise StackUnavailable(f"There is no job {job_id}.")
    if row["status"] != JobStatus.RUNNING.value:
        raise StackUnavailable(f"It is not running: its status is {row['status']}.")
    if row["worker"] is None:
        raise StackUnavailable("A GigQ worker runs it, which can't be asked.")
    return row


def _stack_elsewhere(path: Path, row: sqlite3.Row, timeout_s: float, read_only: bool) -> str:
    if is_dead(ProcessIdentity.of_row(row)):
        raise StackUnavailable(f"Its worker {row['worker']} is gone.")
    if read_only:
        raise StackUnavailable(
            "Its agent is asked through the file, which is only read here: ask where it may be "
            "written."
        )
    answer = ask_worker(path, row["worker"], row["execution_id"], "stack", timeout_s)
    if answer is None:
        raise StackUnavailable(_why_no_answer(path, row, timeout_s))
    if answer.text is None:
        raise StackUnavailable(sentence(answer.trouble or "its agent can't tell"))
    return answer.text


def _why_no_answer(path: Path, row: sqlite3.Row, timeout_s: float) -> str:
    worker = ProcessIdentity.of_row(row)
    dead = is_dead(worker)
    if dead:
        return f"Its worker {row['worker']} is gone."
    if dead is False and is_suspended(worker.pid):
        return (
            f"Its worker {row['worker']} is suspended, and can't ask its agent: kill -CONT "
            f"{worker.pid}."
        )
    with closing(open_read_only(path)) as conn:
        agents = [
            agent
            for agent in read_agents(conn)
            if agent.worker_id == row["worker"] and row["agent"] in (None, agent.host)
        ]
    return why_not_heard(agents, utc_now()) or (
        f"Its worker {row['worker']} did not answer within {timeout_s:g} seconds."
    )


def _parent_of(pid: int) -> int | None:
    import psutil

    try:
        return psutil.Process(pid).ppid()
    except psutil.Error:
        return None
