"""Numbers for Prometheus, read back by its own parser."""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

import gigq
import pytest
from click.testing import CliRunner, Result
from prometheus_client.parser import text_string_to_metric_families

from gigq_core import Job, JobQueue
from gigq_core import metrics as metrics_module
from gigq_core.cli.main import cli
from gigq_core.identity import current_identity

NOTHING = "tests.integration.chores.nothing"

Numbers = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def told(db: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--db", str(db), "metrics", *words])


def numbers(text: str) -> Numbers:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_each_number_is_what_the_file_says(tmp_path: Path) -> None:
    db = tmp_path / "jobs.db"
    queue = JobQueue(db)
    queue.set_lane("web", running=1)
    for lane in ("", "", "web", "web", "web"):
        queue.submit(Job("j", NOTHING, lane=lane))
    queue.schedule("nightly", "30 2 * * *", Job("n", NOTHING))
    queue.pause()
    queue.keep(completed="7d")
    conn = sqlite3.connect(db, isolation_level=None)
    conn.execute(
        "INSERT INTO core_workers (id, owner, isolation, slots, state, started_at, host, pid, "
        "pid_started, boot_id, pid_namespace) "
        "VALUES ('w', 'cli', 'process', 4, 'running', '2030-01-01', ?, ?, ?, ?, ?)",
        current_identity(),
    )
    job = queue.submit(Job("r", NOTHING))
    conn.execute("UPDATE jobs SET status = 'running' WHERE id = ?", (job,))
    conn.execute("UPDATE jobs SET began = ? WHERE id = ?", (time.time() - 100, job))
    conn.execute("UPDATE core_keeping SET gone = 12, trouble = 'no'")
    answer = told(db)
    assert answer.exit_code == 0
    found = numbers(answer.output)
    assert found["gigq_jobs", (("state", "ready"),)] == 5
    assert found["gigq_jobs", (("state", "running"),)] == 1
    assert found["gigq_longest_run_seconds", ()] == pytest.approx(100, abs=10)
    assert found["gigq_paused", ()] == 1
    assert found["gigq_workers", (("state", "running"),)] == 1
    assert found["gigq_worker_slots", ()] == 4
    assert found["gigq_lane_jobs", (("lane", "web"), ("state", "ready"))] == 1
    assert found["gigq_lane_jobs", (("lane", "web"), ("state", "held"))] == 2
    next_at = found["gigq_schedule_next_timestamp_seconds", (("schedule", "nightly"),)]
    assert 0 < next_at - time.time() <= 86_400
    assert found["gigq_kept_gone_total", ()] == 12
    assert found["gigq_kept_trouble", ()] == 1
    assert found["gigq_file_bytes", (("part", "file"),)] == db.stat().st_size
    conn.close()


def test_a_file_of_gigqs_own_has_numbers_too(tmp_path: Path) -> None:
    db = tmp_path / "theirs.db"
    gigq.JobQueue(str(db)).submit(gigq.Job("j", function=print))
    before = db.read_bytes()
    found = numbers(told(db).output)
    assert found["gigq_jobs", (("state", "pending"),)] == 1
    assert ("gigq_paused", ()) not in found
    assert db.read_bytes() == before


def test_of_many_lanes_the_fullest_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_module, "MOST_LANES", 2)
    queue = JobQueue(tmp_path / "jobs.db")
    lanes = [lane for number, lane in enumerate("abcd") for _ in range(number + 1)]
    queue.submit_many([Job("j", NOTHING, lane=lane) for lane in lanes])
    text = told(tmp_path / "jobs.db").output
    assert {line[:24] for line in text.splitlines() if line.startswith("gigq_lane_jobs{")} == {
        'gigq_lane_jobs{lane="c",',
        'gigq_lane_jobs{lane="d",',
    }


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    db = tmp_path / "jobs.db"
    JobQueue(db)
    answer = told(db, "--textfile", str(tmp_path / "gigq.prom"))
    assert (answer.exit_code, answer.output) == (0, "")
    assert numbers((tmp_path / "gigq.prom").read_text())["gigq_paused", ()] == 0
    assert sorted(file.name for file in tmp_path.iterdir() if "prom" in file.name) == ["gigq.prom"]
    answer = told(db, "--textfile", str(tmp_path / "nowhere" / "gigq.prom"))
    assert answer.exit_code == 1
    assert "gigq.prom can't be written: No such file or directory." in answer.output


def test_without_the_package_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    JobQueue(tmp_path / "jobs.db")
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = told(tmp_path / "jobs.db")
    assert answer.exit_code == 1
    assert "install it with pip install 'gigq-tui[metrics]'" in answer.output
