"""What workers hold and what waits for one, read at once and not by the feed: for actions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gigq_core.schema.opening import explained, is_attached, open_read_only
from gigq_tui.store import queries


@dataclass(frozen=True)
class HeldJob:
    """A job that a worker held."""

    id: str
    name: str


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


def states_of(path: Path, jobs: Sequence[HeldJob]) -> dict[str, tuple[str, str | None]]:
    """The status of jobs and who holds them now, by their ids; one that is gone is left out."""
    if not jobs:
        return {}
    rows = _read(path, queries.FATES, (json.dumps([job.id for job in jobs]),))
    return {str(row[0]): (str(row[1]), row[2]) for row in rows}


def waiting_functions(path: Path) -> list[str]:
    """The functions of some jobs that wait, as they are imported."""
    with explained(path), closing(open_read_only(path)) as connection:
        rows = connection.execute(queries.SOME_WAITING_FUNCTIONS).fetchall()
    return [f"{module}.{name}" for module, name in rows]


def _read(path: Path, statement: str, values: Iterable[str] = ()) -> list[sqlite3.Row]:
    with explained(path), closing(open_read_only(path)) as connection:
        if not is_attached(connection):
            return []
        return connection.execute(statement, tuple(values)).fetchall()
