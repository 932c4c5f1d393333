"""One job a slot without a leader: races, kills at each step, and clocks that are set."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from tests.clock import MovedClock, at
from tests.integration.conftest import ROOT
from tests.reliability.test_crashes import assert_whole, start
from tests.reliability.theirs import Theirs
from tests.waiting import wait_until

WORK = FunctionReference("tests.integration.chores", "nothing")
BEGIN = at("2026-11-28T12:00")


def made(queue: JobQueue, name: str) -> list[dict[str, Any]]:
    jobs = [one for one in queue.list_jobs(limit=10_000) if one["schedule"] == name]
    return sorted(jobs, key=lambda one: float(one["slot"]))


def test_three_processes_over_200_slots_make_200_jobs(tmp_path: Path, monkeypatch: Any) -> None:
    db = tmp_path / "q.db"
    queue = JobQueue(db)
    clock = MovedClock(BEGIN).standing_in(monkeypatch)
    for name in ("one", "other"):
        queue.schedule(name, "every 1s", Job("tick", WORK), overlap="allow", catch_up="all")
    # 20 slots a second; the last one is due in ten.
    begun, speed, until = time.time() + 1.0, 20.0, BEGIN + 200.5
    words = (str(begun), str(BEGIN), str(speed), str(until + 20))
    racers = [start("race", str(db), *words) for _ in range(3)]
    for racer in racers:
        racer.communicate(timeout=120)
        assert racer.returncode == 0
    clock.now = until
    for name in ("one", "other"):
        jobs = made(queue, name)[:200]
        assert [one["slot"] for one in jobs] == [BEGIN + n for n in range(1, 201)]
        assert len({one["id"] for one in made(queue, name)}) == len(made(queue, name))
    assert [one.skips for one in queue.schedules()] == [(), ()]
    assert_whole(db)


def prepared(db: Path, clock: MovedClock) -> float:
    """A file with schedules of each kind of overlap, of which slots are due; when."""
    queue = JobQueue(db)
    clock.now = BEGIN
    for overlap, catch_up in (("queue", "all"), ("skip", "last"), ("replace", "last")):
        queue.schedule(overlap, "@hourly", Job(overlap, WORK), overlap=overlap, catch_up=catch_up)  # type: ignore[arg-type]
    queue.schedule("broken", "@hourly", Job("broken", WORK))
    with closing(sqlite3.connect(db)) as conn, conn:
        conn.execute("UPDATE core_schedules SET definition = '{' WHERE name = 'broken'")
    # One of each is alive already.
    for name in ("queue", "skip", "replace"):
        queue.run_schedule(name)
    queue.close()
    return BEGIN + 3 * 3600 + 1


def state(db: Path) -> list[Any]:
    """All that firing changes, but for when it did and what is random."""
    with closing(sqlite3.connect(db)) as conn:
        return [
            conn.execute(statement).fetchall()
            for statement in (
                "SELECT CASE WHEN slot > ? THEN id END, name, status, schedule, slot, "
                "dependencies = '[]' FROM jobs ORDER BY schedule, slot".replace(
                    "?", str(BEGIN + 1)
                ),
                "SELECT name, next_at, last_slot, fired, skipped, trouble FROM core_schedules "
                "ORDER BY name",
                "SELECT schedule, slot, first, count, substr(why, 9) FROM core_schedule_skips "
                "ORDER BY schedule, place",
                "SELECT what, at, trouble FROM core_agenda ORDER BY what",
            )
        ]


@pytest.mark.parametrize("most", [10, pytest.param(1_000, marks=pytest.mark.long)])
def test_whoever_fires_is_killed_at_each_step_and_no_slot_is_lost_or_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    clock = MovedClock(BEGIN).standing_in(monkeypatch)
    first = tmp_path / "first.db"
    due = prepared(first, clock)
    blank = tmp_path / "blank.db"
    shutil.copy(first, blank)
    counting = start("fire", str(first), str(due), "0")
    total = int(counting.communicate(timeout=60)[0])
    assert counting.returncode == 0
    wanted = state(first)
    assert [row[3] for row in wanted[0]].count("queue") == 4
    for step in sorted({1 + (total - 1) * number // (most - 1) for number in range(most)}):
        db = tmp_path / f"step-{step}.db"
        shutil.copy(blank, db)
        process = start("fire", str(db), str(due), str(step))
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        assert_whole(db)
        after = start("fire", str(db), str(due), "0")
        after.communicate(timeout=60)
        assert after.returncode == 0
        assert state(db) == wanted, step


_WORKER = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from gigq_core.units import times
ahead = Path(sys.argv[1])
moved = lambda: time.time() + float(ahead.read_text() or 0)
vars(times)["time"] = SimpleNamespace(**{**vars(time), "time": moved})
from gigq_core.cli.main import main
sys.argv = ["gigq-core", *sys.argv[2:]]
main()
"""


class Ahead:
    """A worker whose clock is so far ahead of the true one; that can be changed as it works."""

    def __init__(self, db: Path) -> None:
        self._file = db.with_suffix(".ahead")
        self.set(0.0)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(self._file), "--db", str(db), "worker"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def set(self, seconds: float) -> None:
        """Set its clock."""
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._file)


@contextmanager
def ahead(db: Path) -> Iterator[Ahead]:
    worker = Ahead(db)
    try:
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait()


def test_a_worker_fires_and_wakes_for_it_by_itself(tmp_path: Path) -> None:
    db = tmp_path / "q.db"
    queue = JobQueue(db)
    with ahead(db):
        queue.schedule("tick", "every 1s", Job("tick", WORK), overlap="allow")
        wait_until(lambda: queue.stats()["completed"] >= 3, timeout_s=30)
    jobs = made(queue, "tick")
    late = [one["created"] - one["slot"] for one in jobs]
    # It wakes for the slot, and does not find it at its next look.
    assert min(late) < 0.2
    assert all(one >= 0 for one in late)


def test_a_worker_whose_host_slept_for_eight_hours_makes_one_job_of_them(tmp_path: Path) -> None:
    db = tmp_path / "q.db"
    queue = JobQueue(db)
    queue.schedule("hourly", "@hourly", Job("tick", WORK))
    with ahead(db) as worker:
        wait_until(lambda: db.exists() and len(queue_workers(db)) == 1, timeout_s=30)
        worker.set(8 * 3600)
        wait_until(lambda: queue.stats()["completed"] >= 1, timeout_s=30)
    (only,) = queue.schedules()
    assert len(made(queue, "hourly")) == 1
    assert [skip.why for skip in only.skips] == ["7 missed"]


def queue_workers(db: Path) -> list[Any]:
    with closing(sqlite3.connect(db)) as conn:
        return conn.execute("SELECT id FROM core_workers").fetchall()


@pytest.mark.parametrize("back_s", [3600.0, 365 * 86400.0])
def test_a_worker_whose_clock_is_set_back_repeats_no_slot(tmp_path: Path, back_s: float) -> None:
    db = tmp_path / "q.db"
    queue = JobQueue(db)
    with ahead(db) as worker:
        worker.set(back_s)
        queue.schedule("tick", "every 1s", Job("tick", WORK), overlap="allow")
        with closing(sqlite3.connect(db)) as conn, conn:
            # As it was made by that clock.
            conn.execute("UPDATE core_schedules SET next_at = next_at + ?", (back_s,))
            conn.execute("UPDATE core_schedules SET counted = counted + ?", (back_s,))
            conn.execute("UPDATE core_agenda SET at = at + ?", (back_s,))
        wait_until(lambda: queue.stats()["completed"] >= 2, timeout_s=30)
        worker.set(0.0)
        before = time.time()
        wait_until(
            lambda: any(one["slot"] < before + 60 for one in made(queue, "tick")), timeout_s=30
        )
    slots = [one["slot"] for one in made(queue, "tick")]
    assert len(slots) == len(set(slots))


def test_gigqs_workers_run_scheduled_jobs_unless_they_are_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = tmp_path / "q.db"
    queue = JobQueue(db)
    queue.schedule("seen", "every 1s", Job("seen", WORK), overlap="queue")
    queue.schedule("hidden", "every 1s", Job("hidden", WORK, ours=True), overlap="allow")
    first = queue.run_schedule("seen")
    second = queue.run_schedule("seen")
    hidden = queue.run_schedule("hidden")
    theirs = Theirs(db, tmp_path)
    process = theirs.worker()
    try:
        wait_until(lambda: queue.get_status(first)["status"] == "completed", timeout_s=30)
        # The one behind it is released by what is in the file.
        wait_until(lambda: queue.get_status(second)["status"] == "completed", timeout_s=30)
    finally:
        process.terminate()
        process.wait()
    assert queue.get_status(hidden)["status"] == "pending"
