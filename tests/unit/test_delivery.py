"""The ending of a job that submits: what goes wrong with it passes, or is its own alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core.submitting import insertion as submitting
from gigq_core.worker import delivery
from gigq_core.worker.claims import Claim, Ending, Fate
from gigq_core.worker.ledger import CommitResult, Ledger
from gigq_core.worker.outbox import Outbox
from gigq_core.worker.register import Register
from tests.integration.chores import nothing


class Turn:
    """A queue whose jobs are claimed, and end when a test says so."""

    def __init__(self, db: Path) -> None:
        self.queue = JobQueue(db)
        self.ledger = Ledger(db, runs_script=False)
        self.own = Register("ours", "script", "thread", 9, None, None, None)

    def claims(self, count: int) -> list[Claim]:
        for number in range(count):
            self.queue.submit(Job(f"job {number}", nothing))
        found = self.ledger.commit(
            self.own, [], [1] * count, claim=True, stage=False, beat=False
        ).claims
        assert len(found) == count
        return found

    def end(self, *endings: Ending) -> CommitResult:
        return self.ledger.commit(self.own, endings, [], claim=False, stage=False, beat=False)

    def status(self, claim: Claim) -> str:
        return str(self.queue.get_status(claim.job_id)["status"])


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[Turn]:
    made = Turn(tmp_path / "jobs.db")
    yield made
    made.ledger.close()
    made.queue.close()


def with_children(claim: Claim, *jobs: Job, before: bool = False) -> Ending:
    outbox = Outbox()
    for job in jobs:
        outbox.keep(job, before)
    return Ending(claim, Fate.COMPLETED, "1", outbox=outbox)


def test_passing_trouble_is_passed_on_and_nothing_is_lost_or_twice(
    turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, fans = turn.claims(2)
    endings = [Ending(plain, Fate.COMPLETED), with_children(fans, Job("child", nothing))]
    plainly = submitting.submit_prepared
    left = 2

    def full(*what: Any) -> Any:
        nonlocal left
        plainly(*what)
        if left:
            left -= 1
            raise sqlite3.OperationalError("database or disk is full")
        return []

    monkeypatch.setattr(submitting, "submit_prepared", full)
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="disk is full"):
            turn.end(*endings)
        assert [turn.status(one) for one in (plain, fans)] == ["running"] * 2
        assert turn.queue.stats()["total"] == 2
    monkeypatch.setattr(submitting, "submit_prepared", plainly)
    turn.end(*endings)
    assert [turn.status(one) for one in (plain, fans)] == ["completed"] * 2
    assert turn.queue.stats()["total"] == 3


@pytest.mark.parametrize(
    "problem",
    [
        sqlite3.IntegrityError("no"),
        sqlite3.OperationalError("no such table: x"),
        ValueError("no"),
        KeyError("no"),
        RecursionError("no"),
        MemoryError(),
        OSError(5, "no"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("place", ["prepare", "submit_prepared"])
def test_any_other_trouble_fails_that_job_alone(
    turn: Turn, monkeypatch: pytest.MonkeyPatch, place: str, problem: Exception
) -> None:
    plain, fans, another = turn.claims(3)

    def refuse(*_: Any) -> Any:
        if refused:
            return plainly(*_)
        refused.append(True)
        raise problem

    refused: list[bool] = []
    plainly = getattr(submitting, place)
    monkeypatch.setattr(submitting, place, refuse)
    done = turn.end(
        with_children(fans, Job("child", nothing)),
        Ending(plain, Fate.COMPLETED),
        with_children(another, Job("child", nothing)),
    )
    assert sorted(one.fate.value for one in done.endings) == ["completed", "completed", "hopeless"]
    assert [turn.status(one) for one in (plain, another)] == ["completed"] * 2
    job = turn.queue.get_status(fans.job_id)
    assert (job["status"], job["result"]) == ("failed", None)
    assert job["error"].startswith("what it submitted can't be stored: ")
    assert [one["submitted_by"] for one in turn.queue.list_jobs() if one["name"] == "child"] == [
        another.job_id
    ]


def test_a_result_that_cant_be_stored_is_told_as_of_any_job(turn: Turn) -> None:
    (fans,) = turn.claims(1)
    ending = with_children(fans, Job("child", nothing))
    turn.end(Ending(fans, Fate.COMPLETED, "\udce9", outbox=ending.outbox))
    job = turn.queue.get_status(fans.job_id)
    assert job["status"] == "failed"
    assert job["error"].startswith("its result can't be stored: ")
    assert turn.queue.stats()["total"] == 1


def test_too_many_dependencies_are_refused_in_a_sentence(
    turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MOST_EDGES", 5)
    (fans,) = turn.claims(1)
    for _ in range(2):
        turn.queue.submit(Job("waits", nothing, dependencies=[fans.job_id]))
    turn.end(with_children(fans, *(Job("child", nothing) for _ in range(3)), before=True))
    error = turn.queue.get_status(fans.job_id)["error"]
    assert error == (
        "what it submitted can't be stored: 2 jobs would wait for 3 others each: let one job wait "
        "for these, and submit that one alone with before_dependents"
    )
    assert turn.queue.stats()["total"] == 3


def test_damaged_dependencies_of_one_that_waits_stand_as_they_are(turn: Turn) -> None:
    (fans,) = turn.claims(1)
    waits = turn.queue.submit(Job("waits", nothing, dependencies=[fans.job_id]))
    with turn.ledger.writing() as conn:
        conn.execute("UPDATE jobs SET dependencies = '{' WHERE id = ?", (waits,))
    child = Job("child", nothing)
    turn.end(with_children(fans, child, before=True))
    assert turn.status(fans) == "completed"
    edges = turn.ledger.conn.execute(
        "SELECT parent_id, met FROM core_edges WHERE child_id = ?", (waits,)
    )
    assert {tuple(row) for row in edges} == {(fans.job_id, 1), (child.id, 0)}
