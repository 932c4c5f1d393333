"""Instants hold in any zone: GigQ and ours on one file, the zone changed at every step."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import cycle
from pathlib import Path
from typing import Any

import gigq
import pytest

import gigq_core
from gigq_core import JobQueue
from gigq_core.lane_names import HIDDEN
from gigq_core.schema import ddl
from gigq_core.schema.attach import open_for_work
from tests.integration import chores
from tests.integration.conftest import Place
from tests.waiting import wait_until

WALKS = 16
STEPS = 40
# What one clock may be off another by, in seconds: SQLite's counts milliseconds.
NEAR_S = 0.01
FINAL = ("completed", "failed", "timeout", "cancelled")
ACTED_ON = {"cancel": ("pending", "running"), "requeue": ("failed", "timeout", "cancelled")}
Row = dict[str, Any]


def zones(now: datetime) -> list[str]:
    """Some zones of the world, and those in which this very hour comes twice, or never comes."""
    found = [
        *("UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham"),
        *("Antarctica/Troll", "America/Santiago"),
    ]
    for minutes in (-30, 0, 30):
        at = now + timedelta(minutes=minutes)
        back = at + timedelta(hours=1)
        found.append(f"STD0DST-1,0/0,{day_of(back)}/{back:%H:%M}")
        found.append(f"STD0DST-1,{day_of(at)}/{at:%H:%M},J365/23")
    return found


def day_of(at: datetime) -> str:
    """As a rule of a zone names a day: 29 February has no number."""
    number = at.timetuple().tm_yday
    return f"J{number - (at.year % 4 == 0 and number > 59)}"


@pytest.fixture
def zone() -> Iterator[None]:
    """The zone of this process, which is put back."""
    before = os.environ.get("TZ")
    yield
    if before is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = before
    time.tzset()


def move_to(name: str) -> None:
    os.environ["TZ"] = name
    time.tzset()


class Walk:
    """One file, and what is done to it by the public package and by ours."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self.path = path
        self.chance = chance
        self.ours = JobQueue(path)
        self.theirs = gigq.JobQueue(str(path))
        self.their_worker = gigq.Worker(str(path), worker_id="theirs")
        self.our_worker = gigq_core.Worker(path, worker_id="ours")
        self.conn = sqlite3.connect(path, isolation_level=None)
        self.conn.row_factory = sqlite3.Row
        self._shuffle_triggers()

    def close(self) -> None:
        self.our_worker.close()
        self.conn.close()
        gigq.close_connections()
        gigq_core.close_connections()

    def _shuffle_triggers(self) -> None:
        """SQLite runs triggers of one kind in an order of its own, which nothing may rely upon."""
        names = list(ddl.TRIGGERS)
        self.chance.shuffle(names)
        for name in names:
            self.conn.execute(f"DROP TRIGGER {name}")
            self.conn.execute(ddl.TRIGGERS[name])

    def rows(self) -> dict[str, Row]:
        return {row["id"]: dict(row) for row in self.conn.execute("SELECT * FROM jobs")}

    def some(self, *statuses: str) -> str | None:
        ids = [row["id"] for row in self.rows().values() if row["status"] in statuses]
        return self.chance.choice(ids) if ids else None

    def step(self) -> str:
        """Do something; tells what."""
        act = self.chance.choice(
            ["submit", "submit", "theirs", "theirs", "ours", "ours", "cancel", "requeue", "wait"]
        )
        package: Any = self.chance.choice([gigq, gigq_core])
        queue: Any = self.theirs if package is gigq else self.ours
        if act == "submit":
            function = self.chance.choice([chores.nothing, chores.fail])
            delay = self.chance.choice([0, 0, 1, 3600])
            parents = [p for p in [self.some("pending", "failed", "completed")] if p]
            options: dict[str, Any] = {"retry_delay": delay, "max_attempts": 2}
            if self.chance.random() < 0.3:
                options["dependencies"] = parents
            queue.submit(package.Job("job", function, **options))
        elif act == "theirs":
            self.their_worker.process_one()
        elif act == "ours":
            self.our_worker.process_one()
        elif act == "wait":
            # GigQ reads its text in the zone of the hour; ours goes by the instant.
            time.sleep(0.05)
        elif (job_id := self.some(*ACTED_ON[act])) is not None:
            (queue.cancel if act == "cancel" else queue.requeue_job)(job_id)
        return f"{act} {package.__name__}"


def check(old: Row | None, new: Row, began: float, ended: float, said: str) -> None:
    """What a step between two moments may leave in a row."""

    def just_now(instant: float | None, more: float = 0.0) -> bool:
        return instant is not None and began - NEAR_S <= instant - more <= ended + NEAR_S

    where = (said, old, new)
    if old is None:
        assert just_now(new["created"]), where
        return
    assert new["created"] == old["created"], where
    if new["attempts"] > old["attempts"]:
        assert just_now(new["began"]), where
    elif new["started_at"] == old["started_at"]:
        assert new["began"] == old["began"], where
    if new["status"] != old["status"] and new["status"] in FINAL:
        assert just_now(new["ended"]), where
    if new["status"] == "pending" and new["attempts"] > old["attempts"]:
        # It failed, and is tried again.
        delay = new["retry_delay"]
        assert just_now(new["due"], delay) if delay else new["due"] is None, where
        assert new["due_in"] == (delay or None), where
    if new["due"] is not None and new["due"] != old["due"] and new["retry_after"] < ddl.FIRST_WORD:
        text = datetime.fromisoformat(new["retry_after"]).timestamp()
        # Who writes the text reads the clock by itself, and whoever is busy meanwhile, later.
        apart = ended - began + 2 * NEAR_S
        # In the hour that comes twice a text stands for two moments.
        assert min(abs(text - new["due"]), abs(abs(text - new["due"]) - 3600)) < apart, where


@pytest.mark.parametrize("seed", range(WALKS))
def test_instants_are_those_of_the_clock_whatever_the_zone(
    tmp_path: Path, zone: None, seed: int
) -> None:
    chance = random.Random(seed)
    names = zones(datetime.now(timezone.utc))
    move_to(chance.choice(names))
    walk = Walk(tmp_path / "jobs.db", chance)
    try:
        before = walk.rows()
        for _ in range(STEPS):
            move_to(name := chance.choice(names))
            began = time.time()
            said = f"{walk.step()} in {name}"
            ended = time.time()
            after = walk.rows()
            for job_id, row in after.items():
                check(before.get(job_id), row, began, ended, said)
            for execution in walk.conn.execute("SELECT * FROM job_executions"):
                assert execution["began"] is not None
                if execution["status"] != "running":
                    assert 0 <= execution["ended"] - execution["began"] < 60, dict(execution)
            before = after
    finally:
        walk.close()


@pytest.mark.parametrize("writer", ["theirs", "ours"])
def test_a_delay_is_as_long_for_a_worker_in_another_zone(
    tmp_path: Path, zone: None, writer: str
) -> None:
    move_to("UTC")
    walk = Walk(tmp_path / "jobs.db", random.Random(1))
    try:
        job_id = walk.ours.submit(gigq_core.Job("job", chores.fail, retry_delay=1, max_attempts=2))
        worker: Any = walk.their_worker if writer == "theirs" else walk.our_worker
        assert worker.process_one()
        failed = time.time()
        places = cycle(("America/New_York", "Pacific/Chatham"))

        def tried_elsewhere() -> bool:
            move_to(next(places))
            return bool(walk.our_worker.process_one())

        wait_until(tried_elsewhere, what="the second attempt")
        assert time.time() - failed >= 1 - 2 * NEAR_S
        assert walk.rows()[job_id]["status"] == "failed"
    finally:
        walk.close()


def test_a_clock_that_was_set_back_makes_no_delay_longer(tmp_path: Path) -> None:
    """The rows are moved an hour ahead instead of the clock an hour back: it looks the same."""
    queue = JobQueue(tmp_path / "jobs.db")
    soon = queue.submit(gigq_core.Job("soon", chores.fail, retry_delay=2, max_attempts=2))
    hidden = queue.submit(gigq_core.Job("hidden", chores.fail, retry_delay=2, max_attempts=2))
    worker = gigq_core.Worker(queue.db_path)
    assert worker.process_one()
    assert worker.process_one()
    worker.close()
    conn = open_for_work(queue.db_path, create=False)
    conn.execute(
        "UPDATE jobs SET due = due + 3600, retry_after = strftime('%Y-%m-%dT%H:%M:%f', due + 3600,"
        " 'unixepoch', 'localtime')"
    )
    conn.execute(
        "UPDATE jobs SET lane = ?, retry_after = ? WHERE id = ?", (HIDDEN, ddl.HELD, hidden)
    )
    set_for = queue.submit(gigq_core.Job("at a time", chores.nothing))
    far = time.time() + 3600
    conn.execute("UPDATE jobs SET due = ?, retry_after = '2030-01-01' WHERE id = ?", (far, set_for))
    place = Place(tmp_path)
    try:
        place.worker()
        wait_until(
            lambda: [place.job(job_id)["attempts"] for job_id in (soon, hidden)] == [2, 2],
            what="the second attempts",
        )
        assert place.status(set_for) == "pending"
    finally:
        place.close()
    (due,) = conn.execute("SELECT due FROM jobs WHERE id = ?", (set_for,)).fetchone()
    assert due == far
    conn.close()
    queue.close()
