"""What fires slots in each peer, as its own scheduler does: run as a process of its own too.

python -m benchmarks.periodic PEER FILE SECONDS
"""

from __future__ import annotations

import logging
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.figures import APSCHEDULER, CORE, HUEY

FIRST_MINUTE = datetime(2027, 1, 1)
WORK = "benchmarks.jobs.stamp"


def nothing() -> None:
    """What a slot calls: nothing, and beside it a mark that it was called."""


def marked(path: str) -> None:
    """As `nothing`, and leaves a line."""
    with open(path, "a", encoding="utf-8") as marks:
        marks.write(f"{time.time_ns()}\n")


# --- ours ------------------------------------------------------------------------------------


def core_schedules(path: Path, count: int, rule: str = "every 1s", **terms: Any) -> None:
    """A queue with so many schedules."""
    from gigq_core import Job, JobQueue

    queue = JobQueue(path)
    for number in range(count):
        queue.schedule(f"s{number}", rule, Job("tick", WORK), overlap="allow", **terms)
    queue.close()


def core_fire(path: Path) -> None:
    """What a worker does where something is due."""
    from gigq_core import agenda
    from gigq_core.duties import duty_of
    from gigq_core.schema.attach import open_for_work
    from gigq_core.schema.transaction import write

    with closing(open_for_work(path, create=False)) as conn:

        @contextmanager
        def writing() -> Iterator[sqlite3.Connection]:
            with write(conn):
                yield conn

        while agenda.work_off(conn, writing, duty_of):
            pass


def core_made(path: Path) -> int:
    """How many jobs were made."""
    return count(path, "SELECT count(*) FROM jobs")


# --- huey ------------------------------------------------------------------------------------


def huey_periodic(path: Path, count: int) -> Any:
    """A huey with so many tasks that are due each minute."""
    from huey import SqliteHuey, crontab

    huey = SqliteHuey("periodic", filename=str(path))
    for number in range(count):
        huey.periodic_task(crontab(minute="*"), name=f"task_{number}")(nothing)
    return huey


def huey_fire(huey: Any, minute: datetime) -> None:
    """What its consumer's scheduler does at each minute."""
    for task in huey.read_periodic(minute):
        huey.enqueue(task)


# --- APScheduler -----------------------------------------------------------------------------


def apscheduler_of(path: Path) -> Any:
    """A scheduler with its jobs in SQLite."""
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.background import BackgroundScheduler

    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    stores = {"default": SQLAlchemyJobStore(url=f"sqlite:///{path}")}
    return BackgroundScheduler(jobstores=stores, timezone="UTC")


def apscheduler_jobs(path: Path, count: int, seconds: float, **more: Any) -> Any:
    """One with so many jobs in its file, not running yet."""
    scheduler = apscheduler_of(path)
    scheduler.start(paused=True)
    for number in range(count):
        scheduler.add_job(nothing, "interval", seconds=seconds, id=f"j{number}", **more)
    return scheduler


def count(path: Path, statement: str) -> int:
    with closing(sqlite3.connect(path)) as conn:
        return int(conn.execute(statement).fetchone()[0])


# --- two at once -----------------------------------------------------------------------------


def main(peer: str, path: str, seconds: str) -> None:
    """Fire what is due in this file for so long, as one of several processes does."""
    until = time.monotonic() + float(seconds)
    if peer == CORE:
        while time.monotonic() < until:
            core_fire(Path(path))
            time.sleep(0.01)
    elif peer == HUEY:
        # Each minute of as many as there are seconds: nothing in it looks at the clock.
        huey = huey_periodic(Path(path), 1)
        for number in range(int(float(seconds))):
            huey_fire(huey, FIRST_MINUTE + timedelta(minutes=number))
    elif peer == APSCHEDULER:
        scheduler = apscheduler_of(Path(path))
        scheduler.start()
        while time.monotonic() < until:
            time.sleep(0.05)
        scheduler.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
