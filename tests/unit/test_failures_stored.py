"""What failed stands beside each failed attempt, whoever ended it, and beside no other."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core.failures import failure_of
from gigq_core.schema import ddl
from gigq_core.schema import worker_statements as sql
from gigq_core.units.times import Moment
from gigq_core.worker import rescue, upkeep
from gigq_core.worker.claims import Claim, Ending, Fate
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register
from gigq_core.worker.upkeep import Upkeep

OWN = ("w", "cli", "process", 3, sys.executable, "/", None)
COLUMNS = "status, error_type, error_message, fingerprint"
TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/feeds.py", line 17, in fetch
    row = rows["customer"]
KeyError: 'customer'"""


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    made = JobQueue(tmp_path / "jobs.db")
    yield made
    made.close()


@pytest.fixture
def ledger(queue: JobQueue, tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "jobs.db", runs_script=False)
    yield made
    made.close()


def claimed(queue: JobQueue, ledger: Ledger, own: Register, **options: Any) -> Claim:
    queue.submit(Job("a", "tasks.any", **options))
    (found,) = ledger.commit(own, [], [1], claim=True, stage=False, beat=False).claims
    return found


def ended(ledger: Ledger, own: Register, ending: Ending) -> None:
    ledger.commit(own, [ending], [], claim=False, stage=False, beat=False)


def attempts(ledger: Ledger) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in ledger.conn.execute(f"SELECT {COLUMNS} FROM job_executions ORDER BY rowid")
    ]


FAILED: dict[str, tuple[dict[str, Any], str | None, str]] = {
    "an exception": (
        {
            "fate": Fate.FAILED,
            "error": "KeyError: 'customer'",
            "traceback": TRACEBACK,
            "raised": ("builtins.KeyError", "builtins.LookupError", "builtins.Exception"),
        },
        "KeyError",
        "'customer'",
    ),
    "an exception of a package": (
        {
            "fate": Fate.FAILED,
            "error": "requests.exceptions.Refused: by 10.0.0.1",
            "raised": ("requests.exceptions.Refused",),
        },
        "requests.exceptions.Refused",
        "by 10.0.0.1",
    ),
    "a result that can't be stored": (
        {"fate": Fate.HOPELESS, "error": "its result can't be stored"},
        None,
        "its result can't be stored",
    ),
    "a timeout": (
        {"fate": Fate.TIMEOUT, "error": "Job timed out after 3 seconds"},
        None,
        "Job timed out after 3 seconds",
    ),
    "a crash": (
        {"fate": Fate.CRASHED, "error": "the process died: SIGSEGV"},
        None,
        "the process died: SIGSEGV",
    ),
}


@pytest.mark.parametrize("how", FAILED)
@pytest.mark.parametrize("most", [1, 3])
def test_a_failed_attempt_says_what_failed(
    queue: JobQueue, ledger: Ledger, how: str, most: int
) -> None:
    values, kind, message = FAILED[how]
    own = Register(*OWN)
    ended(ledger, own, Ending(claimed(queue, ledger, own, max_attempts=most), **values))
    raised = values.get("raised", ("",))[0]
    failure = failure_of(values["error"], values.get("traceback"), raised)
    ((_, *found),) = attempts(ledger)
    assert found == [kind, message, failure.fingerprint]


@pytest.mark.parametrize(
    "ending",
    [
        {"fate": Fate.COMPLETED, "result": "1"},
        {"fate": Fate.CANCELLED, "error": "it was stopped on request"},
        {"fate": Fate.GIVEN_BACK, "error": "the worker was stopped"},
    ],
    ids=["completed", "cancelled", "given back"],
)
def test_an_attempt_that_did_not_fail_says_nothing(
    queue: JobQueue, ledger: Ledger, ending: dict[str, Any]
) -> None:
    own = Register(*OWN)
    ended(ledger, own, Ending(claimed(queue, ledger, own), **ending))
    ((_, *found),) = attempts(ledger)
    assert found == [None, None, None]


def test_a_late_failure_says_nothing(queue: JobQueue, ledger: Ledger) -> None:
    own = Register(*OWN)
    claim = claimed(queue, ledger, own)
    ledger.conn.execute("UPDATE jobs SET execution_id = 'another'")
    ended(ledger, own, Ending(claim, Fate.FAILED, error="KeyError: 1"))
    assert attempts(ledger) == [("superseded", None, None, None)]


def test_what_a_dead_worker_leaves_says_what_failed(queue: JobQueue, ledger: Ledger) -> None:
    own = Register(*OWN)
    claimed(queue, ledger, own)
    (row,) = ledger.conn.execute(sql.RUNNING_JOBS).fetchall()
    with ledger.writing() as conn:
        rescue.give_back(conn, row)
    ((status, kind, message, fingerprint),) = attempts(ledger)
    assert (status, kind) == ("crashed", None)
    assert message == queue.get_status(row["id"])["error"]
    assert fingerprint == failure_of("worker other-9 (pid 99) died").fingerprint


def test_what_ran_beyond_its_time_says_what_failed(queue: JobQueue, ledger: Ledger) -> None:
    own = Register(*OWN)
    claimed(queue, ledger, own, timeout=7)
    (row,) = ledger.conn.execute(sql.RUNNING_JOBS).fetchall()
    with ledger.writing() as conn:
        rescue.time_out(conn, row, "its worker was hung")
    fingerprint = failure_of("Job timed out after 300 seconds: its worker was hung").fingerprint
    message = "Job timed out after 7 seconds: its worker was hung"
    assert attempts(ledger) == [("timeout", None, message, fingerprint)]


# --- what others recorded ----------------------------------------------------------------------


def recorded(
    ledger: Ledger, n: int, status: str, error: str | None, traceback: str | None = None
) -> None:
    """Attempts as GigQ, or the release before, leaves them."""
    now = Moment.now().text
    rows = [(f"{status}-{error}-{i}", status, now, now, error, traceback) for i in range(n)]
    with ledger.writing() as conn:
        conn.executemany(
            "INSERT INTO job_executions "
            "(id, job_id, worker_id, status, started_at, completed_at, error, traceback) "
            "VALUES (?, 'j', 'theirs', ?, ?, ?, ?, ?)",
            rows,
        )


def test_failures_of_others_are_read_in_bounded_steps(
    queue: JobQueue, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "RESCUE_EVERY_S", 0.0)
    monkeypatch.setattr(upkeep, "READ_FOR_S", 60.0)
    recorded(ledger, 450, "failed", "HTTP 503 from https://example.invalid/feed?id=1")
    recorded(ledger, 1, "failed", "'customer'", TRACEBACK)
    recorded(ledger, 1, "crashed", "worker x (pid 3) died")
    recorded(ledger, 1, "timeout", "Job timed out after 300 seconds")
    recorded(ledger, 1, "cancelled", "it was stopped")
    recorded(ledger, 1, "superseded", "KeyError: 1")
    recorded(ledger, 1, "completed", None)
    steps: list[int] = []
    before = ledger.conn.total_changes

    def count(statement: str) -> None:
        nonlocal before
        if statement == "COMMIT" and ledger.conn.total_changes > before:
            steps.append(ledger.conn.total_changes - before)
            before = ledger.conn.total_changes

    ledger.conn.set_trace_callback(count)
    looker = Upkeep(ledger, "w")
    looker.run_if_due(1.0)
    assert [step for step in steps if step > 1] == [200, 200, 53]
    assert ledger.unread_failures(1000, float("inf")) == []
    steps.clear()
    looker.run_if_due(2.0)
    assert steps == []
    ledger.conn.set_trace_callback(None)
    found = {row[1:] for row in attempts(ledger) if row[0] in ("failed", "crashed", "timeout")}
    known = failure_of("KeyError: 'customer'", TRACEBACK, "builtins.KeyError")
    assert ("KeyError", "'customer'", known.fingerprint) in found
    assert len(found) == 4
    assert all(row[2] for row in found)
    others = [row for row in attempts(ledger) if row[0] in ("cancelled", "superseded", "completed")]
    assert all(row[1:] == (None, None, None) for row in others)


def test_reading_them_stops_in_time(
    queue: JobQueue, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "RESCUE_EVERY_S", 0.0)
    monkeypatch.setattr(upkeep, "READ_FOR_S", 0.0)
    recorded(ledger, 50, "failed", "'" * 1000)
    looker = Upkeep(ledger, "w")
    for now in range(3):
        looker.run_if_due(float(now + 1))
        assert len(ledger.unread_failures(1000, float("inf"))) == 49 - now


def test_what_is_damaged_is_read_once(queue: JobQueue, ledger: Ledger) -> None:
    with ledger.writing() as conn:
        for number, error in enumerate(
            (b"\xff\xfe", 17, 2.5, "", "\ud800".encode("utf-8", "surrogatepass"))
        ):
            conn.execute(
                "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, error) "
                "VALUES (?, 'j', 'w', 'failed', 'then', ?)",
                (number, error),
            )
    looker = Upkeep(ledger, "w")
    looker.run_if_due(1e9)
    assert ledger.unread_failures(1000, float("inf")) == []


def test_looking_for_them_reads_nothing_where_there_are_none(queue: JobQueue) -> None:
    conn = sqlite3.connect(queue.db_path)
    plan = " ".join(
        row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {sql.UNREAD_FAILURES}", (1,))
    )
    conn.close()
    assert plan == "SEARCH job_executions USING INDEX core_failures (fingerprint=?)"


def test_an_index_that_is_gone_is_made_again(queue: JobQueue, ledger: Ledger) -> None:
    ledger.conn.execute("DROP INDEX core_failures")
    assert ledger.unread_failures(1, float("inf")) == []
    names = {row[0] for row in ledger.conn.execute("SELECT name FROM sqlite_master")}
    assert set(ddl.INDEXES) <= names
