"""The jobs that are failed now, read in steps of any size from files of any kind."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core.failures import failure_of
from gigq_core.grouping.failed_now import (
    APART_S,
    TREND_BUCKETS,
    By,
    FailedJobs,
    FailedNow,
    FailedNowReading,
    Retried,
    differing,
)
from gigq_core.job import FunctionReference
from gigq_core.schema.opening import open_read_only
from gigq_core.units.times import now_text
from tests.store_files import gigq_copy

ERRORS = ("KeyError: {0}", "OSError: [Errno {0}] full", "ValueError: row {0} of 'x'")
TRACEBACK = 'Traceback (most recent call last):\n  File "/srv/a.py", line {1}, in f\n    g()\n{0}'
BASE = 1_795_000_000.0


def read(path: Path, by: By = "cause", param: str = "$", most: int = 1_000) -> FailedNow:
    with closing(open_read_only(path)) as conn:
        return finish(conn, FailedNowReading(by, param), most)


def finish(conn: sqlite3.Connection, reading: FailedNowReading, most: int) -> FailedNow:
    while not reading.is_done:
        reading.step(conn, most)
        assert reading.read <= reading.total(conn)
    for value in reading.wordless():
        reading.read_words(conn, value)
    return reading.known()


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    conn = sqlite3.connect(path)
    with closing(conn), conn:
        yield conn


def attempt(
    conn: sqlite3.Connection, job: str, number: int, status: str, ended: float, error: str = ""
) -> str:
    """Write an attempt, and return the fingerprint of its failure."""
    said, traceback, kind = None, None, None
    if error:
        said, traceback = error, TRACEBACK.format(error, 7)
        kind = failure_of(said, traceback).fingerprint
    conn.execute(
        "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, completed_at,"
        " began, ended, error, traceback, fingerprint) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            f"{job}-{number}",
            job,
            f"w{number % 2}",
            status,
            now_text(),
            now_text(),
            ended - 1,
            ended,
            said,
            traceback,
            kind,
        ),
    )
    return kind or ""


def made(path: Path, jobs: int) -> list[str]:
    queue = JobQueue(path)
    functions = [FunctionReference("m", name) for name in "fg"]
    ids = queue.submit_many(
        [Job(f"j{n}", functions[n % 2], {"c": n % 3, "n": n}, max_attempts=9) for n in range(jobs)]
    )
    queue.close()
    return ids


def random_history(path: Path, seed: int) -> dict[str, Any]:
    """Write random attempts of forty jobs; what must be told of them, by a plain count."""
    random = Random(seed)
    ids = made(path, 40)
    expected: dict[str, Any] = {
        "jobs": defaultdict(set),
        "waiting": Counter(),
        "retried": defaultdict(Counter),
        "ends": {},
        "by": defaultdict(set),
    }
    at = BASE
    with writing(path) as conn:
        for n, job in enumerate(ids):
            rounds = random.choice((0, 1, 1, 2, 3))
            status, attempts, number, last = "pending", 0, 0, ""
            for this in range(rounds):
                if this and status not in ("failed", "timeout"):
                    break
                attempts = 0
                for _ in range(random.randrange(0 if this else 1, 3)):
                    end = random.choice(("failed", "timeout", "crashed", "completed", "cancelled"))
                    at += random.choice((0.5, 100.0, 5_000.0))
                    number += 1
                    if end == "cancelled":
                        # Given back: it does not count.
                        attempt(conn, job, number, end, at)
                        status = "pending"
                        continue
                    attempts += 1
                    if end == "completed":
                        attempt(conn, job, number, end, at)
                        status = end
                        break
                    error = random.choice(ERRORS).format(n)
                    last = attempt(conn, job, number, end, at, error)
                    expected["ends"][job] = at
                    status = random.choice(("failed", "timeout", "pending"))
                    if status != "pending":
                        break
                else:
                    status = "pending"
            conn.execute(
                "UPDATE jobs SET status = ?, attempts = ?, began = ? WHERE id = ?",
                (status, attempts, at, job),
            )
            if status in ("failed", "timeout"):
                expected["jobs"][last].add(job)
                expected["by"][str(n % 3)].add(job)
            elif status == "pending" and last:
                expected["waiting"][last] += 1
    return expected


@pytest.mark.parametrize("most", [1, 7, 1_000])
@pytest.mark.parametrize("seed", range(6))
def test_any_history_is_counted_in_steps_of_any_size(tmp_path: Path, seed: int, most: int) -> None:
    path = tmp_path / "q.db"
    expected = random_history(path, seed)
    if seed % 2:
        with writing(path) as conn:
            conn.execute("UPDATE job_executions SET fingerprint = NULL WHERE rowid % 3 = 0")
    known = read(path, most=most)
    found = {group.value: group for group in known.groups}
    assert {value: group.jobs for value, group in found.items()} == {
        value: len(jobs) for value, jobs in expected["jobs"].items()
    }
    for value, group in found.items():
        ends = [expected["ends"][job] for job in expected["jobs"][value]]
        assert (group.first, group.last) == (min(ends), max(ends))
        assert sum(group.trend) == len(ends) or known.begins > min(ends)
        assert group.waiting == expected["waiting"][value]
        assert (group.where, group.causes) == ("a.py:7", 1)
    by_param = read(path, "param", "$.c", most)
    assert {group.value: group.jobs for group in by_param.groups} == {
        value: len(jobs) for value, jobs in expected["by"].items()
    }
    assert by_param.jobs == known.jobs == sum(map(len, expected["jobs"].values()))


def retried_group(path: Path) -> FailedJobs:
    known = read(path)
    return next(group for group in known.groups if group.title == "KeyError: #")


def test_what_became_of_the_last_retry_is_told(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    ids = made(path, 12)
    now = BASE + 10 * APART_S
    with writing(path) as conn:
        for job in ids:
            # Three attempts by itself are no retry of anybody's.
            for number in range(3):
                attempt(conn, job, number, "failed", BASE + number, "KeyError: 1")
            conn.execute("UPDATE jobs SET status = 'failed', attempts = 3 WHERE id = ?", (job,))
    assert retried_group(path).retried is None

    queue = JobQueue(path)

    def retry(jobs: list[str], status: str, began: float) -> None:
        queue.requeue_jobs(jobs)
        with writing(path) as conn:
            for job in jobs:
                error = "KeyError: 2" if status == "failed" else ""
                attempt(conn, job, 4, status, began + 1, error)
                conn.execute(
                    "UPDATE jobs SET status = ?, attempts = 1, began = ? WHERE id = ?",
                    (status, began, job),
                )

    retry(ids[:2], "completed", BASE + APART_S)
    assert retried_group(path).retried == Retried(2, 0, 0)
    # Another one, much later: that is the last now.
    retry(ids[2:6], "completed", now)
    retry(ids[6:7], "failed", now + 60)
    assert retried_group(path).retried == Retried(4, 1, 0)
    queue.requeue_jobs(ids[7:9])
    queue.cancel_jobs(ids[8:9])
    assert retried_group(path).retried == Retried(4, 1, 1)
    assert (retried_group(path).jobs, retried_group(path).waiting) == (4, 1)


def test_a_file_of_gigqs_is_grouped_by_what_it_says(tmp_path: Path) -> None:
    path = gigq_copy(tmp_path, "gigq-0.5.1.db")
    with writing(path) as conn:
        before = dict(conn.execute("SELECT status, count(*) FROM jobs GROUP BY status").fetchall())
        conn.executemany(
            "INSERT INTO jobs (id, name, function_name, function_module, params, status,"
            " created_at, updated_at, completed_at, error) VALUES (?, 'n', 'f', 'm', ?, ?,"
            " '2026-11-23T02:00:00', '2026-11-23T02:00:00', ?, ?)",
            [
                (
                    f"more-{n}",
                    json.dumps({"c": n % 2}),
                    ("failed", "timeout")[n % 2],
                    f"2026-11-23T02:0{n}:00",
                    f"no row {n} here",
                )
                for n in range(8)
            ],
        )
    digest = path.read_bytes()
    known = read(path, most=8)
    assert known.jobs == 8 + before.get("failed", 0) + before.get("timeout", 0)
    group = next(group for group in known.groups if group.title == "no row # here")
    assert (group.jobs, group.retried, known.tells_retries) == (8, None, False)
    assert group.differs == ("0", "1", "2", "3", "4", "5", "6")
    assert group.last is not None
    assert group.first is not None
    assert group.last - group.first == pytest.approx(7 * 60, abs=0.01)
    assert path.read_bytes() == digest


def test_few_early_failures_do_not_press_the_trend_together(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    ids = made(path, 100)
    with writing(path) as conn:
        for number, job in enumerate(ids):
            ended = BASE - 86_400 * 20 if number < 2 else BASE + number * 60
            attempt(conn, job, 0, "failed", ended, "KeyError: 1")
            conn.execute("UPDATE jobs SET status = 'failed', attempts = 1 WHERE id = ?", (job,))
    known = read(path)
    (group,) = known.groups
    assert known.begins > BASE - 3_600
    assert sum(group.trend) == 98
    assert sum(1 for n in group.trend if n) > TREND_BUCKETS / 4
    assert group.first == known.first == BASE - 86_400 * 20


@pytest.mark.parametrize(
    "ended", [float("inf"), -float("inf"), 1e300, -1e300, 1e12, -1e12, "never", b"x"]
)
def test_a_time_in_no_calendar_is_not_known(tmp_path: Path, ended: Any) -> None:
    path = tmp_path / "q.db"
    ids = made(path, 3)
    with writing(path) as conn:
        for n, job in enumerate(ids):
            attempt(conn, job, n, "failed", BASE + n, "KeyError: 1")
            conn.execute("UPDATE jobs SET status = 'failed', attempts = 1 WHERE id = ?", (job,))
        conn.execute("UPDATE job_executions SET ended = ? WHERE job_id = ?", (ended, ids[2]))
    known = read(path)
    assert (known.jobs, known.first, known.last) == (3, BASE, BASE + 1)
    assert known.ends < BASE + 10


def test_words_that_are_known_are_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    random_history(path, 1)
    with closing(open_read_only(path)) as conn:
        reading = FailedNowReading()
        known = finish(conn, reading, 100)
        again = reading.anew()
        while not again.is_done:
            again.step(conn, 100)
        assert again.wordless() == []
        assert again.known() == known


@pytest.mark.parametrize(
    ("title", "messages", "expected"),
    [
        ("KeyError: #", ["KeyError: 11", "KeyError: 22", "KeyError: 3"], ("3", "11", "22")),
        ("KeyError: #", ["KeyError: 11", "KeyError: 11"], ()),
        (
            "OSError: [Errno #] x #",
            ["OSError: [Errno 28] x 1", "OSError: [Errno 28] x 'b'"],
            ("1", "b"),
        ),
        ("KeyError: x", ["KeyError: x"], ()),
        ("KeyError: #", ["TypeError: 1", "KeyError: 2"], ()),
        ("a # (b", ["a 1 (b", "a 2  (b"], ("1", "2")),
        ("#" * 40, ["1" * 200], ()),
        # A title that was cut: what can't fit is given up soon.
        ("k=#, " * 60, ["k=1, " * 300, "k=2, " * 300], ()),
    ],
)
def test_a_few_values_are_told_that_differ(title, messages, expected) -> None:
    assert differing(title, messages) == expected
