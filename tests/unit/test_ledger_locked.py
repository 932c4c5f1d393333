"""A lock that keeps readers out for a moment, and what a job asks for meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from gigq_core.worker import ledger as ledger_module
from gigq_core.worker.claims import Claim
from gigq_core.worker.ledger import Ledger, LockBusy

# What a job asks of the file; see `Knows`.
ASKED = ("saved_of", "parents_of")


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Ledger]:
    """The ledger of a file that nobody else has open."""
    queue = JobQueue(tmp_path / "jobs.db")
    queue.submit(Job("j", FunctionReference("m", "f")))
    queue.close()
    held = Ledger(tmp_path / "jobs.db", runs_script=False)
    # What is in memory of the file would hide that it is locked.
    held.conn.execute("PRAGMA journal_mode = DELETE")
    yield held
    held.close()


def claim() -> Claim:
    return Claim("j", "a", "j", "m", "f", "{}", ("p",), 1, 1, 300.0, 0.0, None)


def lock_out(path: Path) -> sqlite3.Connection:
    """As a commit does in a rollback journal."""
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("BEGIN EXCLUSIVE")
    return conn


@pytest.mark.parametrize("asked", ASKED)
def test_what_a_job_asks_for_waits_for_a_lock_that_passes(
    held: Ledger, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    expected: Any = getattr(held, asked)(claim())
    other = lock_out(held.path)
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            other.execute("COMMIT")

    monkeypatch.setattr(ledger_module.time, "sleep", pause)
    assert getattr(held, asked)(claim()) == expected
    assert len(waited) == 3
    other.close()


@pytest.mark.parametrize("asked", ASKED)
def test_but_not_for_ever(held: Ledger, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setattr(ledger_module, "GIVE_UP_S", 0.05)
    other = lock_out(held.path)
    with pytest.raises(LockBusy):
        getattr(held, asked)(claim())
    other.close()
