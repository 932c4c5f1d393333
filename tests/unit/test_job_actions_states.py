"""Every act of the console on a job in every state, on both kinds of file; and who interferes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gigq_core import JobQueue
from gigq_core import queue as queue_module
from gigq_core.connections import get_connection
from gigq_core.errors import DatabaseBusy, GigQError
from gigq_core.schema import attach
from gigq_core.status import Change
from gigq_tui.actions.jobs import QueueActions
from gigq_tui.actions.report import Report
from gigq_tui.actions.undo_log import DoneAction, DoneChange, UndoLog
from tests.store_files import Writer, both_kinds

Act = Callable[[QueueActions, list[str]], Report]

ACTS: dict[str, Act] = {
    "cancel": lambda jobs, ids: jobs.cancel(ids),
    "retry": lambda jobs, ids: jobs.retry(ids),
    "raise": lambda jobs, ids: jobs.change_priority(ids, 1),
    "clear": lambda jobs, ids: jobs.clear(ids),
}
STATES: dict[str, dict[str, Any]] = {
    "ready": {"status": "pending"},
    "blocked": {"status": "pending", "parents": ["no-such-job"]},
    "delayed": {"status": "pending", "retry_after": "2999-01-01T00:00:00"},
    # It bears no token, so a worker of GigQ runs it.
    "running": {"status": "running", "worker_id": "w"},
    "completed": {"status": "completed", "result": "1"},
    "failed": {"status": "failed", "error": "no", "attempts": 3},
    "timeout": {"status": "timeout", "error": "late", "attempts": 1},
    "cancelled": {"status": "cancelled"},
}
WAITING = ("ready", "blocked", "delayed")
ENDED = ("completed", "failed", "timeout", "cancelled")
# What each act makes of the states it concerns; any other state is refused and stays.
BECOMES = {
    "cancel": dict.fromkeys(WAITING, "cancelled"),
    "retry": dict.fromkeys(("failed", "timeout", "cancelled"), "pending"),
    "raise": dict.fromkeys(WAITING, "pending"),
    "clear": dict.fromkeys(ENDED, None),
}


def facts(path: Path) -> list[tuple[Any, ...]]:
    conn = sqlite3.connect(path)
    try:
        wanted = "id, status, priority, attempts, error, result, completed_at, retry_delay"
        return conn.execute(f"SELECT {wanted} FROM jobs ORDER BY id").fetchall()
    finally:
        conn.close()


@both_kinds
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("verb", ACTS)
def test_each_act_in_each_state(tmp_path: Path, verb: str, state: str, attached: bool) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    writer.job("a", **STATES[state])
    writer.close()
    before = facts(path)
    jobs = QueueActions(path)
    report = ACTS[verb](jobs, ["a"])
    (outcome,) = report.outcomes
    expected = BECOMES[verb].get(state, "refused")
    if expected == "refused":
        assert outcome.change is Change.REFUSED
        assert outcome.reason
        assert report.title == f"a: {outcome.reason}"
        assert facts(path) == before
        assert not report.undoable
        return
    assert outcome.done
    assert report.undoable
    row = JobQueue(path).get_status("a")
    assert row.get("status") == expected
    assert row.get("priority", 0) == (1 if verb == "raise" else 0)
    act = jobs.undoable
    assert act is not None
    undone = jobs.undo(act)
    assert undone.outcomes[0].change is Change.RESTORED
    assert undone.title == f"undone: {act.what}"
    assert facts(path) == before
    assert jobs.undoable is None


def test_a_running_job_of_ours_is_asked_to_stop_and_that_is_not_undone(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "jobs.db")
    writer.job("a", "running", execution_id="t", worker_id="w")
    jobs = QueueActions(writer.path)
    report = jobs.cancel(["a"])
    assert (report.title, report.undoable) == ("cancelling a", False)
    act = jobs.undoable
    assert act is not None
    assert jobs.undo(act).title == ("not undone, cancel of a: its worker was asked to cancel it")
    writer.close()


# --- somebody else was there first --------------------------------------------------------------


def test_a_row_that_changed_between_key_and_act_is_told(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "jobs.db")
    for name in "abc":
        writer.job(name)
    jobs = QueueActions(writer.path)
    captured = ["a", "b", "c"]
    writer.set("a", status="completed")
    writer.conn.execute("DELETE FROM jobs WHERE id = 'b'")
    report = jobs.cancel(captured)
    assert [o.reason for o in report.outcomes] == [
        "it has already completed",
        "there is no such job",
        "",
    ]
    assert report.title == "cancelled 1, 1 has already completed, 1 refused (there is no such job)"
    writer.close()


def test_two_consoles_see_what_the_other_did(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "jobs.db")
    writer.job("a")
    writer.job("b")
    first, second = QueueActions(writer.path), QueueActions(writer.path)
    first.cancel(["a", "b"])
    assert second.cancel(["a"]).title == "a: it is already cancelled"
    assert second.undoable is None
    second.retry(["a"])
    act = first.undoable
    assert act is not None
    report = first.undo(act)
    assert report.title == "cancel of 2 jobs: undone for 1, 1 has been queued again since"
    assert report.mixed
    # What the second did, it can still take back.
    assert second.undoable is not None
    assert second.undo(second.undoable).done
    writer.close()


@contextmanager
def locked_by_another_process(path: Path) -> Iterator[None]:
    code = textwrap.dedent(
        """
        import sqlite3, sys
        conn = sqlite3.connect(sys.argv[1], isolation_level=None)
        conn.execute("BEGIN IMMEDIATE")
        print("locked", flush=True)
        sys.stdin.read()
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, os.fspath(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    try:
        yield
    finally:
        process.communicate("")


@pytest.mark.parametrize("verb", ACTS)
def test_a_locked_file_is_one_sentence_and_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(attach, "BUSY_TIMEOUT_S", 0.05)
    writer = Writer(tmp_path / "jobs.db")
    writer.job("waits")
    writer.job("failed", "failed")
    writer.close()
    before = facts(writer.path)
    jobs = QueueActions(writer.path)
    with locked_by_another_process(writer.path):
        with pytest.raises(DatabaseBusy, match=r"is locked by another process: try again when"):
            ACTS[verb](jobs, ["waits", "failed"])
        assert facts(writer.path) == before
        assert jobs.undoable is None
    ACTS[verb](jobs, ["waits", "failed"])
    act = jobs.undoable
    assert act is not None
    after = facts(writer.path)
    with locked_by_another_process(writer.path), pytest.raises(DatabaseBusy):
        jobs.undo(act)
    assert facts(writer.path) == after
    # It is still there to be taken back.
    assert jobs.undoable is act
    assert jobs.undo(act).done
    assert facts(writer.path) == before


def test_read_only_refuses_them_all(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "jobs.db")
    writer.job("a")
    before = facts(writer.path)
    jobs = QueueActions(writer.path, read_only=True)
    for act in ACTS.values():
        with pytest.raises(GigQError, match="--read-only"):
            act(jobs, ["a"])
    assert facts(writer.path) == before
    writer.close()


# --- the ledger ---------------------------------------------------------------------------------


def done_act(jobs: QueueActions, name: str) -> DoneAction:
    jobs.cancel([name])
    act = jobs.undoable
    assert isinstance(act, DoneAction)
    return act


def test_u_walks_back_and_an_act_is_undone_once(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "jobs.db")
    writer.many(3)
    jobs = QueueActions(writer.path)
    acts = [done_act(jobs, f"n{n}") for n in range(3)]
    assert [act.what for act in acts] == ["cancel of n0", "cancel of n1", "cancel of n2"]
    for act in reversed(acts):
        assert jobs.undoable is act
        jobs.undo(act)
    assert jobs.undoable is None
    assert jobs.undo(acts[0]).title == "that was undone already"
    assert {row[1] for row in facts(writer.path)} == {"pending"}
    writer.close()


def test_what_a_lock_left_of_an_undo_can_be_undone_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(tmp_path / "jobs.db")
    writer.many(5)
    ids = [f"n{n}" for n in range(5)]
    jobs = QueueActions(writer.path)
    jobs.cancel(ids)
    jobs.clear(ids)
    act = jobs.undoable
    assert act is not None
    monkeypatch.setattr(queue_module, "AT_ONCE", 2)
    locker = sqlite3.connect(writer.path, isolation_level=None)

    def lock(_: float) -> None:
        if not locker.in_transaction:
            get_connection(writer.path).execute("PRAGMA busy_timeout = 20")
            locker.execute("BEGIN IMMEDIATE")

    monkeypatch.setattr(queue_module.time, "sleep", lock)
    report = jobs.undo(act)
    assert [outcome.done for outcome in report.outcomes] == [True, True, False, False, False]
    assert report.undoable
    locker.execute("ROLLBACK")
    locker.close()
    monkeypatch.undo()
    rest = jobs.undoable
    assert rest is not None
    assert (rest.what, len(rest)) == (act.what, 3)
    assert jobs.undo(rest).done
    assert len(facts(writer.path)) == 5
    before = jobs.undoable
    assert before is not None
    assert before.what.startswith("cancel")
    writer.close()


def test_old_acts_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path / "jobs.db")
    writer.many(4)
    jobs = QueueActions(writer.path)
    acts = [done_act(jobs, f"n{n}") for n in range(4)]
    writer.close()
    monkeypatch.setattr("gigq_tui.actions.undo_log.MOST_ACTIONS", 2)
    ledger = UndoLog()
    for act in acts:
        ledger.add(act)
    assert ledger.take(acts[3])
    assert ledger.take(acts[2])
    assert ledger.last is None
    monkeypatch.setattr("gigq_tui.actions.undo_log.MOST_ROWS", 1)
    ledger.add(acts[0])
    ledger.add(acts[1])
    assert ledger.last is acts[1]
    assert ledger.take(acts[1])
    assert ledger.last is None


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        ((), "undone: pause of 2 schedules"),
        (("a was changed since",), "not all undone, pause of 2 schedules: a was changed since"),
        (("a is gone", "b is gone"), "not undone, pause of 2 schedules: a is gone, b is gone"),
    ],
)
def test_what_is_no_job_is_put_back_by_whoever_changed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: tuple[str, ...], told: str
) -> None:
    monkeypatch.setattr(attach, "BUSY_TIMEOUT_S", 0.05)
    writer = Writer(tmp_path / "jobs.db")
    jobs = QueueActions(writer.path)
    first = done_act_on_one(writer, jobs)
    put: list[str] = []

    def put_back(queue: JobQueue) -> tuple[str, ...]:
        queue.resume()
        put.append("back")
        return refused

    jobs.undo_log.add(DoneChange("pause of 2 schedules", ("a", "b"), put_back))
    change = jobs.undoable
    assert change is not None
    with locked_by_another_process(writer.path), pytest.raises(DatabaseBusy):
        jobs.undo(change)
    assert put == []
    assert jobs.undo(change).title == told
    assert put == ["back"]
    assert jobs.undoable is first
    assert jobs.undo(change).title == "that was undone already"
    writer.close()


def done_act_on_one(writer: Writer, jobs: QueueActions) -> DoneAction:
    writer.many(1)
    return done_act(jobs, "n0")
