"""What workers were asked for: judged by their rows, and what they held by the jobs' rows."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from gigq_core.errors import DatabaseMissing
from gigq_core.reasons.why import Health
from gigq_tui.actions.workers import announcements, held_jobs, pending_requests
from gigq_tui.actions.workers.held_jobs import JobFate
from gigq_tui.actions.workers.pending_requests import (
    ANSWER_WITHIN_S,
    Answer,
    PendingRequests,
    Request,
)
from gigq_tui.actions.workers.pool import Ended
from gigq_tui.store import held_jobs as stored
from gigq_tui.store.held_jobs import HeldJob
from gigq_tui.store.models import WorkerRow
from tests import scene

JOB = HeldJob("a", "resize")
PAUSE = Request("w1", "pause", 100.0, (JOB,))
RELEASE = "w, then r on its line, releases its jobs"
DRAIN = Request("w1", "drain", 100.0, (JOB,))
OURS = Request("w1", "drain", 100.0, (JOB,), by_signal=True)
LATE = 100.0 + ANSWER_WITHIN_S

ROW = WorkerRow(
    id="w1",
    owner="console",
    host="elsewhere",
    pid=4101,
    isolation="process",
    slots=1,
    state="running",
    request=None,
    health=Health.ALIVE,
    started_at=None,
    stopped_at=None,
    done=0,
    failed=0,
    last_claim_at=None,
    log_path=None,
)
STOPPED = replace(ROW, state="stopped", health=Health.STOPPED)
LOST = replace(ROW, health=Health.LOST)


def waiting_for(asked: Request) -> PendingRequests:
    waiting = PendingRequests()
    waiting.add(asked)
    return waiting


@pytest.mark.parametrize(
    ("asked", "row", "now", "word", "settled"),
    [
        # Not read since it was asked, or asked and not answered: there is time.
        (PAUSE, ROW, 101.0, "", False),
        (PAUSE, replace(ROW, request="pause"), 101.0, "", False),
        (PAUSE, replace(ROW, state="paused"), 101.0, "paused", True),
        (replace(PAUSE, request="resume"), replace(ROW, state="paused"), 101.0, "", False),
        (replace(PAUSE, request="resume"), ROW, 101.0, "resumed", True),
        (PAUSE, replace(ROW, request="pause"), LATE, "silent", False),
        (PAUSE, replace(ROW, state="draining"), LATE, "otherwise", True),
        (PAUSE, LOST, 101.0, "lost", True),
        # What ends does so when its job has, however long that takes.
        (DRAIN, replace(ROW, state="draining"), LATE, "", False),
        (DRAIN, STOPPED, LATE, "ended", True),
        (DRAIN, None, 101.0, "ended", True),
        # A process of our own is seen to end by whoever started it.
        (OURS, ROW, 101.0, "", False),
        (OURS, ROW, LATE, "silent", False),
        (OURS, replace(ROW, state="draining"), LATE, "", False),
        (OURS, STOPPED, LATE, "", False),
        (OURS, LOST, LATE, "", False),
        (OURS, None, LATE, "", False),
    ],
)
def test_an_answer_is_what_the_row_says(
    asked: Request, row: WorkerRow | None, now: float, word: str, settled: bool
) -> None:
    waiting = waiting_for(asked)
    answers = waiting.look([row] if row is not None else [], now)
    assert [answer.word for answer in answers] == ([word] if word else [])
    assert waiting.waiting is not settled


def test_silence_is_told_once_and_a_late_answer_too() -> None:
    waiting = waiting_for(PAUSE)
    asked = replace(ROW, request="pause")
    assert [a.word for a in waiting.look([asked], LATE)] == ["silent"]
    told = waiting.of("w1")
    assert told is not None
    assert told.told_silent
    assert waiting.look([asked], LATE + 60) == []
    assert [a.word for a in waiting.look([replace(ROW, state="paused")], LATE + 60)] == ["paused"]
    assert not waiting.waiting


def test_what_is_told_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replace(ROW, request="pause")
    (answer,) = waiting_for(PAUSE).look([asked], LATE)
    assert answer.why == "its heartbeat has stopped"
    monkeypatch.setattr(pending_requests.socket, "gethostname", lambda: "elsewhere")
    monkeypatch.setattr(pending_requests, "is_suspended", lambda pid: pid == 4101)
    (answer,) = waiting_for(PAUSE).look([asked], LATE)
    assert "4101 is suspended: resume it with kill -CONT 4101" in answer.why


def test_processes_that_are_gone_are_forgotten() -> None:
    waiting = waiting_for(OURS)
    waiting.add(replace(PAUSE, worker_id="w2"))
    waiting.drop_gone(["w1"])
    assert waiting.of("w1") == OURS
    waiting.drop_gone([])
    assert waiting.of("w1") is None
    assert waiting.of("w2") is not None


# --- what became of the jobs -------------------------------------------------------------------


def fate(name: str, status: str, worker_id: str | None = None) -> JobFate:
    return JobFate(HeldJob(name, name), status, worker_id)


@pytest.mark.parametrize(
    ("fates", "said"),
    [
        ([], ""),
        ([fate("a", "pending")], "its job a went back to the queue"),
        ([fate("a", "running", "w1")], "its job a is not released yet"),
        ([fate("a", "running", "w2")], "its job a runs on w2"),
        ([fate("a", "")], "its job a is no longer in the file"),
        ([fate("a", "pending")] * 2, "its 2 jobs went back to the queue"),
        ([fate("a", "cancelled")] * 2, "its 2 jobs were cancelled"),
        ([fate("a", "failed")] * 2, "its 2 jobs failed"),
        ([fate("a", "completed"), fate("b", "timeout")], "a completed, b timed out"),
        (
            [fate("a", "pending")] * 3 + [fate("b", "completed")],
            "of its 4 jobs 3 went back to the queue, 1 completed",
        ),
    ],
)
def test_fates_in_a_clause(fates: list[JobFate], said: str) -> None:
    assert held_jobs.describe_fates(fates, "w1") == said


def test_what_workers_hold_and_what_became_of_it(tmp_path: Path) -> None:
    path = scene.build(tmp_path / "jobs.db")
    assert {"w1", "w2", "w3", "w9"} <= stored.busy_workers(path)
    (held,) = stored.held_by(path, "w9")
    assert held == HeldJob(scene.job_id("export_parquet"), "export_parquet")
    assert stored.held_by(path, "nobody") == ()
    asked = (
        held,
        HeldJob(scene.job_id("extract_orders"), "extract_orders"),
        HeldJob("none", "none"),
    )
    assert [f.status for f in held_jobs.fates_of(path, asked)] == ["running", "completed", ""]
    with pytest.raises(DatabaseMissing):
        stored.held_by(tmp_path / "gone.db", "w9")


def test_a_worker_of_a_file_that_is_not_attached_holds_nothing(
    tmp_path: Path, data_folder: Path
) -> None:
    path = tmp_path / "old.db"
    path.write_bytes((data_folder / "gigq-0.1.0.db").read_bytes())
    assert stored.busy_workers(path) == set()
    assert stored.held_by(path, "w1") == ()


def test_looking_at_one_workers_jobs_walks_no_table(tmp_path: Path) -> None:
    path = scene.build(tmp_path / "jobs.db")
    connection = sqlite3.connect(path)
    from gigq_tui.store import queries

    for statement, values in (
        (queries.BUSY_WORKERS, ()),
        (queries.HELD_BY, ("w1",)),
        (queries.FATES, ('["a"]',)),
    ):
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
        said = [row[3] for row in plan]
        assert not [line for line in said if line.startswith("SCAN jobs") and "core_" not in line]
    connection.close()


# --- the sentences -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "asked", "text", "tone"),
    [
        (0, None, "worker w9 ended", "ok"),
        (-15, DRAIN, "worker w9 ended; its job resize is no longer in the file", "ok"),
        (143, None, "worker w9 ended with exit code 143, still holding export_parquet: w", "error"),
        (-9, DRAIN, "worker w9 was ended by SIGKILL, still holding export_parquet: w", "error"),
        (-15, PAUSE, "worker w9 was ended by SIGTERM, still holding export_parquet: w", "error"),
    ],
)
def test_how_a_worker_ended(
    tmp_path: Path, code: int, asked: Request | None, text: str, tone: str
) -> None:
    path = scene.build(tmp_path / "jobs.db")
    news = announcements.of_end(path, Ended("w9", code, "the last line"), asked, RELEASE)
    assert news.text.startswith(text)
    assert news.tone == tone


def test_nobody_is_asked_to_release_what_was_rescued_meanwhile(tmp_path: Path) -> None:
    path = scene.build(tmp_path / "jobs.db")
    news = announcements.of_end(path, Ended("w9", -9, ""), None, RELEASE)
    assert announcements.since(path, news) == news
    conn = sqlite3.connect(path)
    with conn:
        conn.execute(
            "UPDATE jobs SET status = 'pending', worker_id = NULL, execution_id = NULL "
            "WHERE worker_id = 'w9' AND status = 'running'"
        )
    conn.close()
    now = announcements.since(path, news)
    assert now.text == (
        "worker w9 was ended by SIGKILL; its job export_parquet went back to the queue"
    )
    assert (now.tone, now.left) == ("warn", None)
    # What can't be read now stays as it was told.
    path.unlink()
    assert announcements.since(path, news) == news


def test_one_that_had_only_just_begun_ends_by_the_signal_itself(tmp_path: Path) -> None:
    path = scene.build(tmp_path / "jobs.db")
    assert announcements.of_end(path, Ended("w77", -15, "", True), None, RELEASE).text == (
        "worker w77 ended"
    )
    assert announcements.of_end(path, Ended("w77", -9, "", True), None, RELEASE).tone == "error"


def test_a_worker_that_held_nothing_is_told_with_its_last_words(tmp_path: Path) -> None:
    path = scene.build(tmp_path / "jobs.db")
    news = announcements.of_end(path, Ended("w77", 2, "no such file"), None, RELEASE)
    assert news.text == "worker w77 ended with exit code 2: no such file"


@pytest.mark.parametrize(
    ("word", "held", "text"),
    [
        ("paused", (), "w1 paused"),
        ("paused", (JOB,), "w1 paused; its running jobs continue"),
        ("resumed", (), "w1 resumed"),
        ("ended", (), "w1 ended"),
        ("lost", (JOB,), "w1 died without answering: w, then r on its line, releases its jobs"),
        ("silent", (), "w1 has not answered for 5s (pause requested): why"),
        ("otherwise", (), "w1 did not pause: it is why"),
    ],
)
def test_what_came_of_a_request(
    tmp_path: Path, word: str, held: tuple[HeldJob, ...], text: str
) -> None:
    asked = replace(PAUSE, held=held)
    assert (
        announcements.of_answer(tmp_path / "jobs.db", Answer(asked, word, "why"), RELEASE).text
        == text
    )


def test_a_file_that_cannot_be_read_does_not_hide_the_end(tmp_path: Path) -> None:
    news = announcements.of_answer(tmp_path / "gone.db", Answer(DRAIN, "ended"), RELEASE)
    assert news.text.startswith("w1 ended; the fate of its jobs can't be read: There is no")
