"""Endings in one transaction: what can't be stored costs its own job, and no other."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core.worker.claims import Claim, Ending, Fate
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register


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


OWN = ("w", "cli", "process", 3, sys.executable, "/", None)


def claim(queue: JobQueue, ledger: Ledger, own: Register, names: list[str]) -> list[Claim]:
    queue.submit_many([Job(name, "tasks.any", max_attempts=3) for name in names])
    result = ledger.commit(own, [], [1] * len(names), claim=True, stage=False, beat=False)
    return result.claims


def end(ledger: Ledger, own: Register, *endings: Ending) -> list[Ending]:
    return ledger.commit(own, endings, [], claim=False, stage=False, beat=False).endings


UNSTORABLE: dict[str, dict[str, Any]] = {
    "a surrogate in the error": {"fate": Fate.FAILED, "error": "caf\udcc3"},
    "a surrogate in the traceback": {"fate": Fate.FAILED, "error": "x", "traceback": "\ud800"},
    "a surrogate in the result": {"fate": Fate.COMPLETED, "result": "\udcc3"},
    "a value of no type that SQLite has": {"fate": Fate.COMPLETED, "result": object()},
    "a number that is too large": {"fate": Fate.COMPLETED, "pid": 2**63},
}


@pytest.mark.parametrize("how", UNSTORABLE.values(), ids=UNSTORABLE.keys())
def test_what_cannot_be_stored_fails_its_job_and_keeps_no_other(
    queue: JobQueue, ledger: Ledger, how: dict[str, Any]
) -> None:
    own = Register(*OWN)
    first, bad, last = claim(queue, ledger, own, ["first", "bad", "last"])
    stored = end(
        ledger,
        own,
        Ending(first, Fate.COMPLETED, "1"),
        Ending(bad, **how),
        Ending(last, Fate.FAILED, error="ValueError: x"),
    )
    jobs = [queue.get_status(claim.job_id) for claim in (first, bad, last)]
    assert [job["status"] for job in jobs] == ["completed", "failed", "pending"]
    assert "can't be stored" in jobs[1]["error"]
    assert jobs[1]["executions"][0]["status"] == "failed"
    assert [ending.fate for ending in stored] == [Fate.COMPLETED, Fate.HOPELESS, Fate.FAILED]
    assert (own.done, own.failed) == (1, 2)


def test_a_value_beyond_the_limit_of_sqlite_fails_its_job(queue: JobQueue, ledger: Ledger) -> None:
    own = Register(*OWN)
    first, bad = claim(queue, ledger, own, ["first", "bad"])
    if not hasattr(ledger.conn, "setlimit"):
        pytest.skip("this Python can't lower the limit")
    ledger.conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)
    big = Ending(bad, Fate.COMPLETED, '"' + "x" * 200_000 + '"')
    end(ledger, own, big, Ending(first, Fate.COMPLETED, "1"))
    failed = queue.get_status(bad.job_id)
    assert (failed["status"], failed["attempts"]) == ("failed", 1)
    assert "its result can't be stored: string or blob too big" in failed["error"]
    assert "xxx" in failed["error"]
    assert queue.get_status(first.job_id)["status"] == "completed"


def test_a_trigger_of_somebody_elses_holds_one_job_only(queue: JobQueue, ledger: Ledger) -> None:
    own = Register(*OWN)
    first, bad, last = claim(queue, ledger, own, ["first", "bad", "last"])
    ledger.conn.execute(
        "CREATE TRIGGER vetoes BEFORE UPDATE OF status ON jobs WHEN OLD.name = 'bad'"
        " BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    stored = end(ledger, own, *(Ending(a, Fate.COMPLETED, "1") for a in (bad, first, last)))
    assert [ending.claim for ending in stored] == [first, last]
    states = [queue.get_status(a.job_id)["status"] for a in (first, bad, last)]
    assert states == ["completed", "running", "completed"]
    assert own.done == 2


def test_a_full_disk_is_no_fault_of_the_ending(queue: JobQueue, ledger: Ledger) -> None:
    own = Register(*OWN)
    (only,) = claim(queue, ledger, own, ["only"])
    pages = ledger.conn.execute("PRAGMA page_count").fetchone()[0]
    ledger.conn.execute(f"PRAGMA max_page_count = {pages}")
    ending = Ending(only, Fate.COMPLETED, '"' + "x" * 1_000_000 + '"')
    with pytest.raises(sqlite3.OperationalError, match="full"):
        end(ledger, own, ending)
    ledger.conn.execute("PRAGMA max_page_count = 1000000")
    assert end(ledger, own, ending) == [ending]
    assert queue.get_status(only.job_id)["status"] == "completed"
