"""A row may hold anything: the good jobs beside it run, and nobody ends, hangs or spins over it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gigq_core import Job
from gigq_core.job import FunctionReference
from gigq_core.system.identity import current_identity
from tests.integration.conftest import Place, stop
from tests.reliability import tasks
from tests.reliability.odd_rows import EVIL, OddRows, Text, loosen, loosened, write
from tests.waiting import wait_until

NOTHING = FunctionReference("tests.integration.chores", "nothing")
GOOD = "good-"
STEADY = "steady"
ROUNDS = 2
ROWS = 200
GOOD_JOBS = 4
# An idle worker looks around a few times a second; one that spins takes what it can get of a core.
WINDOW_S = 1.0
MOST_OF_A_CORE = 0.25


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A queue with rows of every kind, as working with it leaves them."""
    folder = tmp_path_factory.mktemp("lived-in")
    place = Place(folder)
    try:
        parent = Job("parent", NOTHING)
        child = Job("child", NOTHING, dependencies=[parent.id], pass_parent_results=True)
        failing = Job("failing", FunctionReference("tests.integration.chores", "missing"))
        orphan = Job("orphan", NOTHING, dependencies=[failing.id])
        gone = Job("gone", NOTHING)
        place.queue.submit_many([parent, child, failing, orphan, gone])
        place.worker()
        place.ended(parent.id, child.id, failing.id, gone.id)
        place.queue.clear_jobs([gone.id])
        place.change("INSERT INTO core_overrides (job_id) VALUES (?)", failing.id)
    finally:
        place.close()
    loosen(place.db)
    return place.db


@pytest.fixture
def odd_place(lived_in: Path, tmp_path: Path) -> Iterator[Place]:
    shutil.copy(lived_in, tmp_path / "jobs.db")
    made = Place(tmp_path)
    yield made
    made.close()


def good_jobs(place: Place, number: int) -> list[str]:
    """Submit jobs that leave a trace, two of them parent and child."""
    jobs = []
    for n in range(GOOD_JOBS):
        label = f"{GOOD}{number}-{n}"
        params = {"path": str(place.folder / "traces"), "label": label}
        job = Job(label, tasks.traced, params=params)
        job.id = label
        jobs.append(job)
    jobs[1].dependencies = [jobs[0].id]
    return place.queue.submit_many(jobs)


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """The processor time that a process has taken."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def comes_to_rest(process: subprocess.Popen[bytes]) -> None:
    """Wait for a while in which the worker hardly does anything."""
    since, used = time.monotonic(), cpu_s(process)

    def is_at_rest() -> bool:
        nonlocal since, used
        now = time.monotonic()
        if now - since < WINDOW_S:
            return False
        taken = (cpu_s(process) - used) / (now - since)
        since, used = now, cpu_s(process)
        return taken < MOST_OF_A_CORE

    wait_until(is_at_rest, 60, "a worker at rest")


def steady_worker(place: Place, isolation: str = "process") -> subprocess.Popen[bytes]:
    """A worker that is at work."""
    options = ("--worker-id", STEADY, "--concurrency", "2", "--grace", "0.5")
    worker = place.worker(*options, "--isolation", isolation, wait=False)
    wait_until(
        lambda: worker.poll() is not None or STEADY in place.live_workers(), what="the worker"
    )
    assert worker.poll() is None, place.log()
    return worker


def the_good_ones_run_once(place: Place, seed: int, isolation: str = "process") -> None:
    odd = OddRows(place.db, seed, kept=(GOOD,))
    odd.write(ROWS)
    worker = steady_worker(place, isolation)
    expected = set()
    for number in range(ROUNDS):
        ids = good_jobs(place, number)
        odd.write(ROWS, triggers=number % 2 == 0)
        for job in place.ended(*ids, timeout_s=60):
            assert job["status"] == "completed", job
            assert job["attempts"] == 1, job
        expected |= set(ids)
        assert worker.poll() is None, place.log()
    comes_to_rest(worker)
    assert stop(worker) == 0, place.log()
    runs = tasks.runs(place.folder / "traces")
    assert {label: len(found) for label, found in runs.items()} == dict.fromkeys(expected, 1)
    assert "Traceback" not in place.log()


@pytest.mark.parametrize("seed", range(2))
def test_good_jobs_run_once_beside_rows_of_any_content(odd_place: Place, seed: int) -> None:
    the_good_ones_run_once(odd_place, seed)


@pytest.mark.long
@pytest.mark.parametrize("isolation", ["process", "thread"])
@pytest.mark.parametrize("seed", range(100, 130))
def test_good_jobs_run_once_beside_rows_of_any_content_long(
    odd_place: Place, seed: int, isolation: str
) -> None:
    the_good_ones_run_once(odd_place, seed, isolation)


def test_a_time_that_is_past_as_a_moment_and_to_come_as_text_keeps_nobody_busy(
    odd_place: Place,
) -> None:
    now = datetime.now()
    tomorrow = (now + timedelta(hours=20)).isoformat()
    times = [f"{tomorrow}+23:59", f"{now.year}1231T000000", f"{now.year}-W53-7", b"2026-01-01"]
    for number, due in enumerate(times):
        odd_place.change(
            "INSERT INTO jobs (id, name, function_name, function_module, status, created_at,"
            " updated_at, retry_after) VALUES (?, 'odd', 'dict', 'builtins', 'pending', ?, ?, ?)",
            *(f"odd-{number}", now.isoformat(), now.isoformat(), due),
        )
    worker = steady_worker(odd_place)
    odd_place.ended(*good_jobs(odd_place, 0))
    comes_to_rest(worker)
    assert stop(worker) == 0, odd_place.log()


ODD_IDS = (
    *(None, "", "7", "\0", "a\0b", "../../victim", "x" * 300, "é\u4e2d", EVIL),
    *(Text(b"\xff"), Text(b"\xfe"), b"", b"\xff", b"bytes"),
)


@pytest.mark.parametrize("column", ["id", "execution_id", "worker_id"])
def test_jobs_of_a_killed_worker_are_given_back_whatever_their_ids_are(
    odd_place: Place, column: str
) -> None:
    with loosened(odd_place.db, triggers=True) as conn:
        dead = current_identity()._asdict() | {"pid": 2**22 + 1, "pid_started": "1"}
        more = {"owner": "cli", "isolation": "process", "slots": 1, "state": "running", "beat": 3}
        now = datetime.now().isoformat()
        for number, odd in enumerate(ODD_IDS):
            if column == "worker_id" and not odd:
                continue
            row = {
                "id": f"lost-{number}",
                "name": "lost",
                "function_module": "x",
                "function_name": "y",
                "params": "{}",
                "status": "running",
                "attempts": 1,
                "max_attempts": 1,
                "created_at": now,
                "updated_at": now,
                "started_at": now,
                "execution_id": f"token-{number}",
                "worker_id": f"dead-{number}",
            }
            row[column] = odd
            if column != "execution_id" or odd is not None:
                write(conn, "INSERT INTO jobs", row)
            execution = {"id": row["execution_id"], "job_id": row["id"], "status": "running"}
            execution |= {"worker_id": row["worker_id"], "started_at": now}
            write(conn, "INSERT OR IGNORE INTO job_executions", execution)
            worker = {"id": row["worker_id"], "started_at": now, **more, **dead}
            write(conn, "INSERT INTO core_workers", worker)
    worker = steady_worker(odd_place)
    left = "SELECT count(*) AS n FROM jobs WHERE name = 'lost' AND status = 'running'"
    wait_until(lambda: odd_place.rows(left)[0]["n"] == 0, what="the lost jobs to be given back")
    open_ones = "SELECT count(*) AS n FROM core_workers WHERE state <> 'stopped'"
    wait_until(lambda: odd_place.rows(open_ones)[0]["n"] == 1, what="the dead to be buried")
    assert stop(worker) == 0, odd_place.log()
    assert (
        odd_place.log().count("is given back")
        == odd_place.rows("SELECT count(*) AS n FROM jobs WHERE name = 'lost'")[0]["n"]
    )
