"""Keeping: killed at each step, and walked through at random against a plain model."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core.keeping import rules as keepings
from gigq_core.system.paths import attempt_output
from gigq_core.worker.ledger import Ledger
from tests.reliability.keeping_until import in_a_child
from tests.reliability.test_crashes import assert_whole

NOTHING = "tests.integration.chores.nothing"
ADD = "tests.integration.chores.add"
DAY = 86_400.0
JOBS = 12
WALKS = 40
STEPS = 60
FINAL = ("completed", "failed", "timeout", "cancelled")


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many jobs at a time as there may be, however busy the machine is; and no clock was set."""
    monkeypatch.setattr(keepings.DUTY, "_last", None)
    monkeypatch.setattr(keepings.DUTY, "_most", keepings.JOBS_AT_ONCE)
    monkeypatch.setattr(keepings, "HELD_S", 1e9)


def archived(folder: Path) -> dict[str, dict[str, Any]]:
    """The jobs of an archive by their ids; half a line at the end of a file is none."""
    found: dict[str, dict[str, Any]] = {}
    for file in folder.iterdir():
        *lines, rest = file.read_bytes().split(b"\n")
        assert b"\n" not in rest
        for line in lines:
            job = json.loads(line)
            seen = found.setdefault(job["id"], job)
            assert seen["ended"] == job["ended"]
    return found


@pytest.mark.parametrize("most", [33, pytest.param(10_000, marks=pytest.mark.long)])
def test_a_kill_at_any_moment_leaves_each_job_in_the_file_or_in_the_archive(
    tmp_path: Path, most: int
) -> None:
    """In both, perhaps, and never in neither; no output stays of a job that is gone."""
    source = tmp_path / "source.db"
    queue = JobQueue(source)
    ids = queue.submit_many([Job(f"job {n}", ADD, params={"a": n, "b": 1}) for n in range(JOBS)])
    conn = sqlite3.connect(source, isolation_level=None)
    conn.execute("UPDATE jobs SET status = 'completed', result = '[1]'")
    conn.execute("UPDATE jobs SET ended = ended - 10 * 86400")
    outputs = []
    for job_id in ids[:4]:
        file = attempt_output(source, f"x-{job_id}")
        assert file is not None
        outputs.append(file.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"output of {job_id}")
        conn.execute(
            "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, output) "
            "VALUES (?, ?, 'w', 'completed', '2030-01-01T00:00:00', ?)",
            (f"x-{job_id}", job_id, f"attempts/{file.name}"),
        )
    queue.keep(completed="7d", archive=tmp_path / "archive")
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()
    queue.close()

    def fresh() -> tuple[Path, Path]:
        place = tmp_path / "try"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        db, folder = place / "source.db", place / "archive"
        shutil.copy(source, db)
        shutil.copytree(tmp_path / "source.db-logs", place / "source.db-logs")
        folder.mkdir()
        with sqlite3.connect(db) as conn:
            conn.execute("UPDATE core_keeping SET archive = ?", (str(folder),))
        conn.close()
        return db, folder

    db, folder = fresh()
    moments = in_a_child(db, 0)
    assert moments > 20
    for moment in sorted({1 + (moments - 1) * n // (most - 1) for n in range(most)}):
        db, folder = fresh()
        assert in_a_child(db, moment) == -signal.SIGKILL
        with sqlite3.connect(db) as conn:
            left = {row[0] for row in conn.execute("SELECT id FROM jobs")}
        conn.close()
        assert left | archived(folder).keys() == set(ids), moment
        # The next one goes on where it was.
        assert in_a_child(db, 0) > 0
        assert archived(folder).keys() == set(ids)
        for job_id in ids[:4]:
            (attempt,) = archived(folder)[job_id]["executions"]
            assert attempt["output"] == f"output of {job_id}"
        assert not any((db.parent / "source.db-logs" / "attempts").iterdir()), moment
        assert_whole(db)


class Model:
    """What has to be so, in plain words: when each job ended, and who waits for whom."""

    def __init__(self) -> None:
        self.status: dict[str, str] = {}
        self.ended: dict[str, float] = {}
        self.parents: dict[str, list[str]] = {}
        self.reads: dict[str, bool] = {}

    def needed(self, job: str, among: set[str]) -> bool:
        return any(
            job in self.parents[child]
            and self.status[child] != "completed"
            and (self.status[job] != "completed" or self.reads[child])
            for child in among
        )

    def is_old(self, job: str, ages: dict[str, float | None]) -> bool:
        status = self.status[job]
        age = ages.get("failed" if status == "timeout" else status)
        return age is not None and status in FINAL and time.time() - self.ended[job] > age

    def left(self, ages: dict[str, float | None]) -> set[str]:
        """What stays in the end."""
        stay = set(self.status)
        while going := {j for j in stay if self.is_old(j, ages) and not self.needed(j, stay)}:
            stay -= going
        return stay


@pytest.mark.parametrize("seed", range(WALKS))
def test_nothing_needed_ever_goes_and_everything_old_goes_in_the_end(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(keepings, "JOBS_AT_ONCE", chance.choice([1, 2, 5, 200]))
    monkeypatch.setattr(keepings, "LOOKED_AT_ONCE", chance.choice([1, 3, 10_000]))
    monkeypatch.setattr(keepings, "CHILDREN_AT_ONCE", chance.choice([1, 3, 5000]))
    queue, model = JobQueue(tmp_path / "q.db"), Model()
    conn = sqlite3.connect(tmp_path / "q.db", isolation_level=None)
    ledger = Ledger(tmp_path / "q.db", runs_script=False)
    ages: dict[str, float | None] = {}

    def step() -> None:
        conn.execute("UPDATE core_agenda SET at = 0 WHERE what = 'keep:'")
        conn.execute("UPDATE core_keeping SET walked = NULL WHERE status IS NULL")
        before = in_file()
        ledger.work_off_agenda()
        for job in before - in_file():
            assert model.is_old(job, ages)
            assert not model.needed(job, in_file())
            del model.status[job], model.parents[job], model.reads[job]

    def in_file() -> set[str]:
        return {row[0] for row in conn.execute("SELECT id FROM jobs")}

    def move(job: str, status: str) -> None:
        """Whatever ends, ended some time ago."""
        ended = time.time() - chance.choice([0.1, 5, 50, 500]) * DAY
        old = model.status[job]
        if old in FINAL and status != "pending":
            return
        conn.execute(
            "UPDATE jobs SET status = ?, attempts = 0, error = NULL WHERE id = ?", (status, job)
        )
        if status in FINAL:
            conn.execute("UPDATE jobs SET ended = ? WHERE id = ?", (ended, job))
            model.ended[job] = ended
        model.status[job] = status

    for _ in range(STEPS):
        act = chance.choice(["submit", "submit", "end", "end", "end", "retry", "keep", "step"])
        known = list(model.status)
        if act == "submit":
            parents = chance.sample(known, min(len(known), chance.choice([0, 0, 1, 2])))
            reads = chance.random() < 0.8
            job = Job("j", NOTHING, dependencies=parents, pass_parent_results=reads or False)
            queue.submit(job)
            model.status[job.id], model.parents[job.id] = "pending", parents
            model.reads[job.id] = reads
        elif act == "end" and known:
            move(chance.choice(known), chance.choice(["running", *FINAL]))
        elif act == "retry" and known:
            job_id = chance.choice(known)
            if model.status[job_id] in FINAL[1:]:
                move(job_id, "pending")
        elif act == "keep":
            ages = {
                status: chance.choice([None, DAY, 30 * DAY, 100 * DAY])
                for status in ("completed", "failed", "cancelled")
            }
            queue.keep(**{s: "forever" if age is None else age for s, age in ages.items()})
        else:
            step()
        assert in_file() == set(model.status)
    if any(age is not None for age in ages.values()):
        left = model.left(ages)
        # The run under way may be past a job that ended long ago just now, as none does by itself:
        # the one behind it sees all of them.
        for _ in ("under way", "whole"):
            for _ in range(500):
                step()
                if not queue.keeping().is_running:
                    break
        assert in_file() == left
    assert_counted(conn)
    ledger.close()
    conn.close()


def assert_counted(conn: sqlite3.Connection) -> None:
    kept = dict(conn.execute("SELECT state, n FROM core_counts WHERE n <> 0"))
    total = conn.execute("SELECT count(*) FROM jobs").fetchone()[0]
    assert sum(kept.values()) == total
