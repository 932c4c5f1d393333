"""What workers hold, and what became of it afterwards, as the file tells it."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gigq_core.schema.opening import explain, is_attached, open_read_only
from gigq_tui.format import plural
from gigq_tui.store import queries

NAMED = 3
_BECAME = {
    "pending": "went back to the queue",
    "completed": "completed",
    "failed": "failed",
    "timeout": "timed out",
    "cancelled": "was cancelled",
}


@dataclass(frozen=True)
class HeldJob:
    """A job that a worker held."""

    id: str
    name: str


@dataclass(frozen=True)
class JobFate:
    """What became of such a job; `status` is empty where it is no longer in the file."""

    job: HeldJob
    status: str
    worker_id: str | None = None

    def said(self, worker_id: str) -> str:
        """What became of it since `worker_id` held it, as it follows its name."""
        if not self.status:
            return "is no longer in the file"
        if self.status == "running":
            return (
                "is not released yet"
                if self.worker_id == worker_id
                else f"runs on {self.worker_id}"
            )
        return _BECAME.get(self.status, f"is {self.status}")


def busy_workers(path: Path) -> set[str]:
    """The ids of those that hold a job.

    Raises:
        DatabaseError: The file can't be read now. So for the functions below.
    """
    return {str(row[0]) for row in _read(path, queries.BUSY_WORKERS)}


def held_by(path: Path, worker_id: str) -> tuple[HeldJob, ...]:
    """The jobs that a worker holds now."""
    return tuple(
        HeldJob(str(row[0]), str(row[1])) for row in _read(path, queries.HELD_BY, (worker_id,))
    )


def fates_of(path: Path, jobs: Sequence[HeldJob]) -> tuple[JobFate, ...]:
    """What has become of jobs, in the order asked."""
    if not jobs:
        return ()
    rows = _read(path, queries.FATES, (json.dumps([job.id for job in jobs]),))
    found = {str(row[0]): row for row in rows}
    return tuple(
        JobFate(job, str(found[job.id][1]), found[job.id][2])
        if job.id in found
        else JobFate(job, "")
        for job in jobs
    )


def describe_fates(fates: Sequence[JobFate], worker_id: str) -> str:
    """What became of the jobs that a worker held, in a clause; nothing where it had none."""
    if not fates:
        return ""
    if len(fates) == 1:
        return f"its job {fates[0].job.name} {fates[0].said(worker_id)}"
    said = Counter(fate.said(worker_id) for fate in fates)
    if len(said) == 1:
        verb, _, rest = next(iter(said)).partition(" ")
        verb = {"was": "were", "is": "are", "runs": "run"}.get(verb, verb)
        return f"its {plural(len(fates), 'job')} {verb} {rest}".rstrip()
    if len(fates) <= NAMED:
        return ", ".join(f"{fate.job.name} {fate.said(worker_id)}" for fate in fates)
    counts = ", ".join(f"{number} {clause}" for clause, number in said.most_common())
    return f"of its {len(fates)} jobs {counts}"


def _read(path: Path, statement: str, values: Iterable[str] = ()) -> list[sqlite3.Row]:
    connection = open_read_only(path)
    try:
        if not is_attached(connection):
            return []
        return connection.execute(statement, tuple(values)).fetchall()
    except sqlite3.Error as problem:
        raise explain(problem, path) from None
    finally:
        connection.close()
