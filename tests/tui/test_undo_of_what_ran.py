"""What `u` asks, and says, of jobs that were retried and have gone on since."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from tests.tui.at_once import console_on
from tests.tui.harness import jobs_screen, press, running, screen_text, until

JOBS = 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Jobs that are failed."""
    path = tmp_path / "q.db"
    queue = JobQueue(path)
    queue.submit_many([Job(f"j{at}", FunctionReference("shop", "charge")) for at in range(JOBS)])
    queue.close()
    complete(path, JOBS, "failed")
    return path


def complete(path: Path, number: int, status: str = "completed") -> None:
    conn = sqlite3.connect(path)
    with conn:
        conn.execute(
            "UPDATE jobs SET status = ?, began = 100.0, ended = 100.6 "
            "WHERE id IN (SELECT id FROM jobs ORDER BY rowid LIMIT ?)",
            (status, number),
        )
    conn.close()


@pytest.mark.parametrize("gone_on", [0, 3, JOBS])
async def test_an_undo_is_offered_of_those_alone_that_wait_yet(path: Path, gone_on: int) -> None:
    app = console_on(path)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "*", "r", "y")
        await until(pilot, lambda: f"retried {JOBS}" in screen_text(app), "the retry")
        if gone_on:
            complete(path, gone_on)
            await until(pilot, lambda: f"{gone_on} completed" in screen_text(app), "their ends")
        await press(pilot, "u")
        if gone_on == JOBS:
            # Nothing is asked that could come to nothing.
            await until(pilot, lambda: "not undone" in screen_text(app), "why not")
            said = jobs_screen(app).notice_line.text
            assert said == f"not undone, retry of {JOBS} jobs: {JOBS} have completed since"
            assert jobs_screen(app).panel.question is None
            return
        question = jobs_screen(app).panel.question
        assert question is not None
        assert question.choices[1].label == f"Undo {JOBS - gone_on} job" + "s" * (gone_on < 3)
        assert (f"{gone_on} jobs have gone on since." in question.details) is (gone_on > 0)
