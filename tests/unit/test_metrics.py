"""Numbers for Prometheus, read back by its own parser."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import gigq
import pytest
from click.testing import CliRunner, Result
from prometheus_client.parser import text_string_to_metric_families

from gigq_core import Job, JobQueue
from gigq_core.cli.main import cli
from gigq_core.inspection import metrics as metrics_module
from gigq_core.system.identity import current_identity

DATA = Path(__file__).parents[1] / "data"
DOCS = Path(__file__).parents[2] / "docs" / "pages"
NOTHING = "tests.integration.chores.nothing"

Numbers = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def told(db: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--db", str(db), "metrics", *words])


def numbers(text: str) -> Numbers:
    return {
        (sample.name, tuple(sorted(k for k in sample.labels.items() if k[0] != "file"))): (
            sample.value
        )
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
    told_of = {dict(labels)["lane"] for name, labels in numbers(text) if name == "gigq_lane_jobs"}
    assert told_of == {"c", "d"}


OLD = [*sorted(DATA.glob("gigq-*.db")), DATA / "gigq_core-schema-1.zip"]
# By the release before, which is in the archive.
SUBMITS = """
import sys
sys.path.insert(0, sys.argv[1])
from gigq_core import Job, JobQueue
JobQueue(sys.argv[2]).submit(Job("j", __import__("os").getcwd))
"""


@pytest.mark.parametrize("source", OLD, ids=lambda path: path.name)
def test_a_file_of_any_release_is_read_and_left_alone(tmp_path: Path, source: Path) -> None:
    if source.suffix == ".zip":
        db = tmp_path / "jobs.db"
        words = [sys.executable, "-c", SUBMITS, str(source), str(db)]
        subprocess.run(words, check=True, cwd=tmp_path)
    else:
        db = Path(shutil.copy(source, tmp_path))
    before = db.read_bytes()
    answer = told(db)
    assert answer.exit_code == 0, answer.output
    found = numbers(answer.output)
    jobs = sum(n for (name, _), n in found.items() if name == "gigq_jobs")
    conn = sqlite3.connect(db)
    assert jobs == conn.execute("SELECT count(*) FROM jobs").fetchone()[0]
    conn.close()
    assert db.read_bytes() == before


def write(db: Path, statement: str, *values: object) -> None:
    conn = sqlite3.connect(db, isolation_level=None)
    conn.execute(statement, values)
    conn.close()


def test_only_what_has_an_appointment_is_late(tmp_path: Path) -> None:
    db = tmp_path / "jobs.db"
    queue = JobQueue(db)
    queue.set_lane("web", running=1)
    first, *_ = [queue.submit(Job("j", NOTHING, lane="web")) for _ in range(3)]
    # Nobody of ours has looked at the lane since.
    gigq.JobQueue(str(db)).cancel(first)
    assert numbers(told(db).output)["gigq_agenda_late_seconds", ()] == 0
    queue.schedule("often", "every 1s", Job("n", NOTHING))
    write(db, "UPDATE core_agenda SET at = ? WHERE what = 'schedule:often'", time.time() - 100)
    late = numbers(told(db).output)["gigq_agenda_late_seconds", ()]
    assert late == pytest.approx(100, abs=10)


def test_what_can_not_be_submitted_is_told(tmp_path: Path) -> None:
    db = tmp_path / "jobs.db"
    queue = JobQueue(db)
    queue.schedule("nightly", "30 2 * * *", Job("n", NOTHING))
    queue.hook("failed", Job("page", "shop.page"), name="pager")
    schedule = "gigq_schedule_trouble", (("schedule", "nightly"),)
    hook = "gigq_hook_trouble", (("hook", "pager"),)
    found = numbers(told(db).output)
    assert (found[schedule], found[hook]) == (0, 0)
    write(db, "UPDATE core_schedules SET trouble = 'no such zone'")
    write(db, "INSERT INTO core_agenda (what, at, trouble) VALUES ('hook:pager', 0, 'full')")
    found = numbers(told(db).output)
    assert (found[schedule], found[hook]) == (1, 1)


def test_each_number_says_of_which_file_it_is(tmp_path: Path) -> None:
    """Those of two queues may come together."""
    db = tmp_path / "jobs.db"
    JobQueue(db).submit(Job("j", NOTHING, lane="web"))
    families = list(text_string_to_metric_families(told(db).output))
    assert {one.labels["file"] for family in families for one in family.samples} == {str(db)}
    for family in families:
        timed = re.search("_age_|duration|timestamp|longest|late", family.name)
        assert (timed is None) or family.name.endswith("_seconds")
        assert family.documentation.endswith(".")


def test_the_oldest_is_the_first_that_is_ready(tmp_path: Path) -> None:
    db = tmp_path / "jobs.db"
    queue = JobQueue(db)
    age = ("gigq_oldest_ready_job_age_seconds", ())
    assert numbers(told(db).output)[age] == 0
    blocked = Job("j", NOTHING, dependencies=["none"])
    ids = queue.submit_many(
        [blocked, Job("j", NOTHING, priority=-1), Job("j", NOTHING, priority=5, lane="web")]
    )
    for job_id, seconds in zip(ids, (5_000, 900, 300), strict=True):
        write(db, "UPDATE jobs SET created = created - ? WHERE id = ?", seconds, job_id)
    assert 900 <= numbers(told(db).output)[age] < 1_000
    # A clock that was set back.
    write(db, "UPDATE jobs SET created = created + 99999")
    assert numbers(told(db).output)[age] == 0


def test_durations_are_of_attempts_that_ended_lately(tmp_path: Path) -> None:
    db = tmp_path / "jobs.db"
    JobQueue(db)
    now = time.time()
    conn = sqlite3.connect(db, isolation_level=None)
    add = (
        "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, began, ended) "
        "VALUES (?, 'j', 'w', ?, 'x', ?, ?)"
    )
    conn.execute("BEGIN")
    for n in range(200):
        conn.execute(add, (f"recent {n}", "completed", now - 10 - n, now - 10))
        conn.execute(add, (f"past {n}", "failed", now - 5_000, now - 4_000))
        conn.execute(add, (f"ahead {n}", "failed", now, now + 900))
    conn.execute("COMMIT")
    found = numbers(told(db).output)
    assert found["gigq_recent_attempts", (("outcome", "completed"),)] == 200
    assert found["gigq_recent_attempts", (("outcome", "failed"),)] == 0
    for share, seconds in {"0.5": 99, "0.9": 179, "0.99": 197}.items():
        took = found["gigq_recent_attempt_duration_seconds", (("quantile", share),)]
        assert took == pytest.approx(seconds, abs=0.01)
    # Of very many only the newest are looked at.
    conn.execute("BEGIN")
    more = metrics_module.RECENT_MOST + 50
    conn.executemany(add, [(f"more {n}", "timeout", now - 9, now - 8) for n in range(more)])
    conn.execute("COMMIT")
    conn.close()
    found = numbers(told(db).output)
    assert found["gigq_recent_attempts", (("outcome", "timeout"),)] == metrics_module.RECENT_MOST
    assert found["gigq_recent_attempts", (("outcome", "completed"),)] == 0


def test_functions_are_named_as_far_as_there_are_not_too_many(tmp_path: Path) -> None:
    db = tmp_path / "jobs.db"
    most = metrics_module.MOST_FUNCTIONS
    jobs = [Job("j", f"a.f{n:03}") for n in range(most + 20)]
    JobQueue(db).submit_many([*jobs, Job("j", "a.often"), Job("j", "a.often")])
    write(db, "UPDATE jobs SET status = CASE rowid % 2 WHEN 0 THEN 'failed' ELSE 'timeout' END")
    write(db, "UPDATE jobs SET function_module = ? WHERE rowid = 5", 'a"\\\x1b[31m\n' + "x" * 500)
    write(db, "UPDATE jobs SET function_module = CAST(x'ff41' AS TEXT) WHERE rowid = 6")
    text = told(db).output
    assert "\x1b" not in text
    found = {labels: n for (name, labels), n in numbers(text).items() if name == "gigq_failed_jobs"}
    assert len(found) == most + 1
    assert found[(("function", "a.often"),)] == 2
    assert found[(("function", ""),)] == 21
    assert sum(found.values()) == most + 22


def test_lanes_workers_and_keys_are_told(tmp_path: Path) -> None:
    db = tmp_path / "jobs.db"
    queue = JobQueue(db)
    queue.set_lane("web", running=7)
    queue.pause_lane("web")
    queue.submit_many([Job("j", NOTHING, lane="web"), Job("j", NOTHING, unique="a")])
    queue.submit(Job("j", NOTHING, unique="b"))
    write(db, "UPDATE jobs SET unique_key = 'a' WHERE unique_key = 'b'")
    gone = current_identity()._replace(pid=4_194_303, pid_started="1")
    write(
        db,
        "INSERT INTO core_workers (id, owner, isolation, slots, state, started_at, host, pid, "
        "pid_started, boot_id, pid_namespace) "
        "VALUES ('w', 'cli', 'process', 4, 'running', '2030-01-01', ?, ?, ?, ?, ?)",
        *gone,
    )
    found = numbers(told(db).output)
    assert found["gigq_lane_running_limit", (("lane", "web"),)] == 7
    assert found["gigq_lane_paused", (("lane", "web"),)] == 1
    assert (found["gigq_lost_workers", ()], found["gigq_worker_slots", ()]) == (1, 0)
    assert found["gigq_shared_unique_keys", ()] == 1


def test_what_somebody_is_to_be_woken_for_is_there_while_nobody_works(tmp_path: Path) -> None:
    """An alert on a number that is not there never comes."""
    page = (DOCS / "metrics.md").read_text()
    (alerts,) = re.findall(r"^Worth an alert: (?:.+\n)+", page, re.M)
    names = set(re.findall(r"gigq_\w+", alerts))
    assert {"gigq_workers", "gigq_agenda_late_seconds"} <= names
    db = tmp_path / "jobs.db"
    queue = JobQueue(db)
    queue.schedule("nightly", "@daily", Job("j", NOTHING))
    found = numbers(told(db).output)
    assert names <= {name for name, _ in found}
    states = {labels[0][1]: n for (name, labels), n in found.items() if name == "gigq_workers"}
    assert states == {"running": 0, "paused": 0, "draining": 0, "stopping": 0}


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


@pytest.mark.parametrize("end", ["", "-wal"])
def test_the_queue_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    db = tmp_path / "jobs.db"
    JobQueue(db).submit(Job("j", NOTHING))
    monkeypatch.chdir(tmp_path)
    answer = told(db, "--textfile", f"jobs.db{end}")
    assert answer.exit_code == 2
    assert f"jobs.db{end} is the queue's own file: name another." in answer.output
    assert numbers(told(db).output)["gigq_jobs", (("state", "ready"),)] == 1


def test_without_the_package_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    JobQueue(tmp_path / "jobs.db")
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = told(tmp_path / "jobs.db")
    assert answer.exit_code == 1
    assert "install it with pip install 'gigq-tui[metrics]'" in answer.output
