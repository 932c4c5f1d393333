"""Firing schedules without a worker: one look at the agenda, for whoever calls it now and then."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gigq_core import agenda
from gigq_core.duties import duty_of
from gigq_core.lanes.settling import settle
from gigq_core.schedules.rules import read_schedules
from gigq_core.schedules.slots import Came, ScheduleDuty, Skipped
from gigq_core.schema.attach import open_for_work
from gigq_core.schema.features import Feature, is_used
from gigq_core.schema.opening import explained
from gigq_core.schema.transaction import write
from gigq_core.units.times import utc_now

# Each round works off some entries of the agenda; those that can't be done are put off.
MOST_ROUNDS = 1_000


@dataclass(frozen=True)
class Fired:
    """A job that was made of a slot."""

    schedule: str
    slot: float
    job_id: str
    name: str


@dataclass(frozen=True)
class Outcome:
    """What came of a look.

    Attributes:
        fired: The jobs that were made.
        skips: By schedule, the slots that made none now, in order.
        troubles: By schedule, why its slot could not be submitted.
    """

    fired: list[Fired]
    skips: list[tuple[str, Skipped]]
    troubles: list[tuple[str, str]]


def fire_due(db_path: Path) -> Outcome:
    """Do what is due on the agenda, as a worker does: schedules, and whatever else there is.

    Args:
        db_path: The queue's file, which exists.

    Raises:
        DatabaseError: The file can't be used.
    """
    with closing(open_for_work(db_path, create=False)) as conn, explained(db_path):

        @contextmanager
        def writing() -> Iterator[sqlite3.Connection]:
            with write(conn):
                yield conn
                if is_used(conn, Feature.LANES):
                    settle(conn, utc_now())

        came: list[Came] = []
        duty = ScheduleDuty(came.append)

        def telling(kind: str) -> agenda.Duty | None:
            return duty if kind == "schedule" else duty_of(kind)

        agenda.recheck(conn, writing, telling)
        for _ in range(MOST_ROUNDS):
            if not agenda.work_off(conn, writing, telling):
                break
        after = read_schedules(conn, 0)
    return Outcome(
        sorted(
            (
                Fired(job.schedule or "", job.slot or 0.0, job.id, job.name)
                for one in came
                for job in one.made
            ),
            key=lambda fired: (fired.slot, fired.schedule),
        ),
        sorted(
            ((one.schedule, skipped) for one in came for skipped in one.skipped),
            key=lambda skip: skip[0],
        ),
        [(one.name, one.trouble) for one in after if one.trouble],
    )
