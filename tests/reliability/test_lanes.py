"""Lanes among real processes, killed ones, and clocks that are set: their limits hold."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from gigq_core.worker.claims import Ending, Fate, Wish
from tests.clock import HOUR_S, YEAR_S, MovedClock
from tests.integration.conftest import Place
from tests.lane_work import Work, work_on
from tests.reliability import tasks
from tests.reliability.test_crashes import assert_whole, start
from tests.waiting import wait_until

WORKERS = 3
LIMITS = {"one": 1, "two": 2}
RATE, PER_S, BURST = "20/s", 20.0, 2
EACH = 30


# --- a race ------------------------------------------------------------------------------------


def test_three_processes_race_for_lanes_and_one_is_killed(place: Place) -> None:
    """No lane is exceeded at any time, none stands still, and each job completes once."""
    for lane, running in LIMITS.items():
        place.queue.set_lane(lane, running=running)
    place.queue.set_lane("rate", rate=RATE, burst=BURST)
    where = place.folder / "stamps"
    ids = [
        place.submit(
            tasks.stamped,
            name=f"{lane} {n}",
            params={"path": str(where), "label": lane, "seconds": 0.02},
            lane=lane,
            priority=n % 3,
            max_attempts=10,
        )
        for n in range(EACH)
        for lane in (*LIMITS, "rate")
    ]
    workers = [place.worker("--concurrency", "3", wait=False) for _ in range(WORKERS)]
    wait_until(lambda: place.queue.stats()["completed"] >= len(ids) // 3, timeout_s=60)
    victim = workers[1]
    held = "SELECT e.id FROM job_executions e JOIN core_workers w ON w.id = e.worker_id "
    running = f"{held} WHERE w.pid = ? AND e.status = 'running'"
    wait_until(lambda: place.rows(running, victim.pid), what="the victim to run a job")
    os.kill(victim.pid, signal.SIGKILL)
    died_at = time.monotonic()
    victim.wait()
    place.ended(*ids, timeout_s=60)
    assert {place.status(job_id) for job_id in ids} == {"completed"}
    found = tasks.runs(where)
    pids = {run.pid for runs in found.values() for run in runs}
    most = tasks.most_at_once(where, dict.fromkeys(pids, died_at))
    # As many as there may be, and no more.
    assert {lane: most[lane] for lane in LIMITS} == LIMITS
    assert_rate_kept(place)
    assert_whole(place.db)


def assert_rate_kept(place: Place) -> None:
    starts = [
        row["began"]
        for row in place.rows(
            "SELECT e.began FROM job_executions e JOIN jobs j ON j.id = e.job_id "
            "WHERE j.lane = 'rate' ORDER BY e.began"
        )
    ]
    assert len(starts) >= EACH
    for first, since in enumerate(starts):
        for n, until in enumerate(starts[first:], 1):
            assert n <= BURST + (until - since) * PER_S + 0.01


# --- killed at each step -----------------------------------------------------------------------


def prepared(path: Path) -> None:
    with work_on(path) as work:
        work.queue.set_lane("db", running=2)
        work.queue.set_lane("api", rate="100/s", burst=3)
        work.queue.set_lane("gpu", running=1, reserved=True)
        for n in range(5):
            for lane in ("db", "api", "gpu", "free"):
                work.add(f"{lane} {n}", lane, priority=n % 2, max_attempts=9)
        work.add("plain")


def assert_within_limits(work: Work) -> None:
    for lane, most in (("db", 2), ("gpu", 1)):
        running = work.rows(
            "SELECT count(*) FROM jobs WHERE lane = ? AND status = 'running'", lane
        )[0][0]
        shown = len(work.shown(lane))
        assert running + shown <= most, lane
    assert len(work.shown("api")) <= 3
    assert work.seen_by_gigq() == len(
        work.rows("SELECT 1 FROM jobs WHERE name = 'plain' AND status = 'pending'")
    )


def drained(work: Work, clock: MovedClock) -> None:
    """All that is left completes, within the limits."""
    work.queue.set_lane("gpu", running=1)
    for _ in range(200):
        clock.move(1.0)
        work.turn()
        claims = work.claim()
        assert_within_limits(work)
        work.complete(*claims)
        if not work.rows("SELECT 1 FROM jobs WHERE status <> 'completed' LIMIT 1"):
            return
    raise AssertionError(work.rows("SELECT name, status FROM jobs WHERE status <> 'completed'"))


@pytest.mark.parametrize("most", [14, pytest.param(10_000, marks=pytest.mark.long)])
def test_whoever_looks_at_lanes_is_killed_at_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Each place is taken or free, nothing waits for ever, and no limit is exceeded."""
    blank, first = tmp_path / "blank.db", tmp_path / "first.db"
    prepared(blank)
    fold(blank)
    shutil.copy(blank, first)
    now = time.time()
    counting = start("show", str(first), str(now), "0")
    total = int(counting.communicate(timeout=60)[0])
    assert counting.returncode == 0
    assert total > 40
    clock = MovedClock(now).standing_in(monkeypatch)
    steps = sorted({1 + (total - 1) * n // (most - 1) for n in range(most)})
    for step in steps:
        db = tmp_path / f"step-{step}.db"
        shutil.copy(blank, db)
        process = start("show", str(db), str(now), str(step))
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, step
        assert_whole(db)
        clock.now = now + 1
        with work_on(db) as work:
            assert_within_limits(work)
            running = work.rows("SELECT id FROM jobs WHERE status = 'running'")
            given = work.queue.release_jobs([job_id for (job_id,) in running])
            assert all(outcome.done for outcome in given)
            assert_within_limits(work)
            drained(work, clock)
        assert_whole(db)


def fold(db: Path) -> None:
    """All of it in the one file."""
    from gigq_core import close_connections

    close_connections()
    conn = sqlite3.connect(db)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()


# --- the clock ---------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    return MovedClock(1_790_000_000.0).standing_in(monkeypatch)


# An hour on, an hour and a year back; and a laptop that slept for a night.
MOVES = [HOUR_S, -HOUR_S, -YEAR_S, 8 * HOUR_S]


@pytest.mark.parametrize("by_s", MOVES)
def test_whatever_the_clock_does_a_rate_is_kept_and_used(
    tmp_path: Path, clock: MovedClock, by_s: float
) -> None:
    """In the minute after it no more start than in any other, and no fewer."""
    with work_on(tmp_path / "jobs.db") as work:
        work.queue.set_lane("api", rate="30/m", burst=3)
        work.fill("api", 200)
        for _ in range(10):
            work.complete(*work.claim())
            clock.move(2.0)
        clock.move(by_s)
        work.ledger.recheck_agenda()
        work.turn()
        started = 0
        for _ in range(60):
            claims = work.claim()
            work.complete(*claims)
            started += len(claims)
            clock.move(1.0)
        assert 30 - 3 <= started <= 30 + 3


@pytest.mark.parametrize("by_s", MOVES)
def test_whatever_the_clock_does_a_shut_lane_opens(
    tmp_path: Path, clock: MovedClock, by_s: float
) -> None:
    with work_on(tmp_path / "jobs.db") as work:
        work.fill("api", 9)
        (claim,) = work.claim(1)
        wish = Wish("retry", 30.0, True)
        work.end(Ending(claim, Fate.FAILED, error="429", raised=("app.Busy",), wish=wish))
        assert work.shown("api") == []
        clock.move(by_s)
        work.ledger.recheck_agenda()
        work.turn()
        # The clock was not set back: the time is over. Else it begins anew, and is no longer.
        assert bool(work.claim(1)) is (by_s > 0)
        clock.move(30.1)
        work.turn()
        assert work.claim(1)
        assert work.lane("api").opens_at is None


def test_a_night_asleep_earns_no_more_than_a_burst(tmp_path: Path, clock: MovedClock) -> None:
    with work_on(tmp_path / "jobs.db") as work:
        work.queue.set_lane("api", rate="5/s", burst=4)
        work.fill("api", 100)
        work.complete(*work.claim())
        clock.move(8 * HOUR_S)
        work.turn()
        assert len(work.shown("api")) == 4
        assert len(work.claim()) == 4
        assert len(work.claim()) == 0
