"""Jobs that wait for each other in a circle: how they are found, and how they are refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Protocol

from gigq_core.errors import CycleError
from gigq_core.schema import statements as sql


class Waiting(Protocol):
    """A job, and the ids of those that it waits for."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def dependencies(self) -> Sequence[str]: ...


def in_circles(waiting: Iterable[tuple[str, str]]) -> set[str]:
    """The jobs that stand in a circle, or behind one.

    Args:
        waiting: Ids of a child and of a parent that it waits for, each pair once.
    """
    waits: dict[str, int] = {}
    children: dict[str, list[str]] = {}
    for child, parent in waiting:
        waits[child] = waits.get(child, 0) + 1
        children.setdefault(parent, []).append(child)
    # Kahn's algorithm: what can't be ordered is what is asked for.
    ordered = [parent for parent in children if parent not in waits]
    for parent in ordered:
        for child in children.get(parent, ()):
            waits[child] -= 1
            if waits[child] == 0:
                ordered.append(child)
    return {job_id for job_id, n in waits.items() if n}


def refuse_cycle_within(batch: Sequence[Waiting]) -> None:
    """Refuse jobs of one batch that wait for each other in a circle.

    Raises:
        CycleError: the sentence names some of them.
    """
    if not any(job.dependencies for job in batch):
        return
    by_id = {job.id: job for job in batch}
    left = in_circles(
        (job.id, parent) for job in batch for parent in set(job.dependencies) if parent in by_id
    )
    if left:
        names = ", ".join(sorted(repr(by_id[job_id].name) for job_id in left)[:5])
        raise CycleError(
            f"These jobs form a dependency cycle, so none could ever run: {names}"
            f"{' and others' if len(left) > 5 else ''}. Remove one of the dependencies."
        )


def refuse_cycle_with_file(
    conn: sqlite3.Connection, job: Waiting, batch: Sequence[Waiting]
) -> None:
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
