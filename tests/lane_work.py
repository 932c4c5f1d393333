"""A worker's transactions on a file with lanes, one by one, and what of it stands in the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from gigq_core.lanes.rules import Lane
from gigq_core.schema import ddl
from gigq_core.worker.claims import Claim, Ending, Fate
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register

WORK = FunctionReference("json", "dumps")
# As GigQ looks for a job, but for what is due.
SEEN_BY_GIGQ = "status = 'pending' AND (retry_after IS NULL OR retry_after < '9999')"


class Work:
    """One queue, and a worker on it that does what it is told."""

    def __init__(self, path: Path, **register: Any) -> None:
        self.queue = JobQueue(path)
        self.ledger = Ledger(path, runs_script=False)
        self.own = Register(
            id="w1",
            owner="cli",
            isolation="process",
            slots=8,
            python="python",
            chdir="/",
            log_path=None,
            **register,
        )

    def close(self) -> None:
        self.ledger.close()
        self.queue.close()

    def add(self, name: str, lane: str = "", **options: Any) -> str:
        return self.queue.submit(Job(name, WORK, lane=lane, params={"obj": 1}, **options))

    def fill(self, lane: str, count: int, **options: Any) -> list[str]:
        jobs = [
            Job(f"{lane} {n}", WORK, lane=lane, params={"obj": n}, **options) for n in range(count)
        ]
        return self.queue.submit_many(jobs)

    def claim(self, slots: int = 8, *endings: Ending) -> list[Claim]:
        """One turn: write what ended, then claim what there is."""
        self.ledger.pending_work(self.own.id, slots)
        done = self.ledger.commit(
            self.own, endings, list(range(slots)), claim=True, stage=True, beat=True
        )
        return done.claims

    def turn(self) -> None:
        """What an idle worker does: the agenda, and nothing else."""
        while self.ledger.work_off_agenda():
            pass

    def complete(self, *claims: Claim) -> None:
        endings = [Ending(claim, Fate.COMPLETED, result="null") for claim in claims]
        self.end(*endings)

    def end(self, *endings: Ending) -> None:
        self.ledger.commit(self.own, endings, [], claim=False, stage=False, beat=False)

    def write(self, statement: str, *values: object) -> None:
        """As another program writes it."""
        conn = sqlite3.connect(self.queue.db_path, isolation_level=None)
        conn.execute(statement, values)
        conn.close()

    def rows(self, statement: str, *values: object) -> list[Any]:
        return [tuple(row) for row in self.queue._all(statement, *values)]

    def shown(self, lane: str) -> list[str]:
        """The jobs of a lane that workers may take, best first."""
        found = self.rows(
            "SELECT name FROM jobs WHERE lane = ? AND status = 'pending' "
            "AND retry_after IN (?, ?) ORDER BY priority DESC, rowid",
            *(lane, ddl.OURS, ddl.RESERVED),
        )
        return [name for (name,) in found]

    def lane(self, name: str) -> Lane:
        return next(lane for lane in self.queue.lanes() if lane.name == name)

    def seen_by_gigq(self) -> int:
        return int(self.rows(f"SELECT count(*) FROM jobs WHERE {SEEN_BY_GIGQ}")[0][0])


@contextmanager
def work_on(path: Path, **register: Any) -> Iterator[Work]:
    work = Work(path, **register)
    try:
        yield work
    finally:
        work.close()
