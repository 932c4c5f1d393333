"""What is stored of a job when it is submitted, and the circles that are refused."""

from __future__ import annotations

import sqlite3
from typing import Any

from gigq_core.errors import CycleError
from gigq_core.job import OPTION_NAMES, Job
from gigq_core.schema import statements as sql

INSERT_JOB = sql.insert_job(
    (
        *("id", "function_name", "function_module", "params"),
        *OPTION_NAMES,
        *("created_at", "updated_at"),
    )
)


def row_of(job: Job, now: str) -> dict[str, Any]:
    """The values of a job's new row."""
    encoded = job.encoded()
    job.check_call(encoded.function)
    passing = job.pass_parent_results
    row: dict[str, Any] = {name: getattr(job, name) for name in OPTION_NAMES}
    row.update(
        id=job.id,
        function_name=encoded.function.name,
        function_module=encoded.function.module,
        params=encoded.params,
        dependencies=encoded.dependencies,
        pass_parent_results=None if passing is None else int(passing),
        created_at=job.created_at,
        updated_at=now,
    )
    return row


def refuse_cycle_within(batch: list[Job]) -> None:
    """Refuse jobs of one batch that wait for each other in a circle.

    Raises:
        CycleError: the sentence names some of them.
    """
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
    # Kahn's algorithm: what can't be ordered stands in a circle, or behind one.
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


def refuse_cycle_with_file(conn: sqlite3.Connection, job: Job, batch: list[Job]) -> None:
    """Refuse a job that waits for jobs of the file which wait for it.

    Raises:
        CycleError: the sentence names the job.
    """
    # A circle through the file needs a child that was submitted before this, its parent.
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
