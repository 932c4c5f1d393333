"""Files of every GigQ release: looked at, attached, worked off, detached; raced and interrupted."""

from __future__ import annotations

import json
import multiprocessing
import random
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gigq
import pytest

from gigq_core import JobQueue
from gigq_core.schema import attach as attach_module
from gigq_core.schema import ddl
from gigq_core.schema.attach import detach, open_for_work
from gigq_core.schema.opening import open_read_only
from gigq_tui.store.list.view import View
from gigq_tui.store.reader import Reader
from tests.integration.conftest import ROOT, Place
from tests.reliability import attaching
from tests.waiting import wait_until

DATA = ROOT / "tests" / "data"
RELEASES = ("0.1.0", "0.1.1", "0.2.0", "0.2.1", "0.3.0", "0.4.0", "0.5.0", "0.5.1")
# The first one whose jobs can wait between two attempts.
KNOWS_DELAYS = ("0.5.0", "0.5.1")
GIGQ_OBJECTS = {
    "idx_jobs_priority",
    "idx_jobs_status",
    "job_executions",
    "jobs",
    "sqlite_autoindex_job_executions_1",
    "sqlite_autoindex_jobs_1",
}
MANY = 3_000
RACES = 24
KILLS_BY_STEP = 14
KILLS_BY_TIME = 12
KILLS_OF_DETACH = 8
KILLS_OF_MAKING = 8


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def file(release: str, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(DATA / f"gigq-{release}.db", tmp_path / "jobs.db"))


def everything(path: Path) -> dict[str, Any]:
    """All of GigQ's rows by its own columns, and the names of all that is in the file."""
    conn = sqlite3.connect(path)
    conn.row_factory = sqlite3.Row
    ours = {(table, column) for table, column, _ in ddl.OUR_COLUMNS}
    found: dict[str, Any] = {}
    for table in ("jobs", "job_executions"):
        found[table] = {
            row["id"]: {k: row[k] for k in row.keys() if (table, k) not in ours}  # noqa: SIM118
            for row in conn.execute(f"SELECT * FROM {table}")
        }
    found["objects"] = {row[0] for row in conn.execute("SELECT name FROM sqlite_master")}
    assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    conn.close()
    return found


def assert_sound(path: Path) -> None:
    """The file is whole, and attached wholly."""
    conn = sqlite3.connect(path)
    assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    names = {row[0] for row in conn.execute("SELECT name FROM sqlite_master")}
    assert names >= {*ddl.OUR_TABLES, *ddl.INDEXES, *ddl.TRIGGERS}
    for table, column, _ in ddl.OUR_COLUMNS:
        assert column in {row[1] for row in conn.execute(f"PRAGMA table_info({table})")}
    kept = dict(conn.execute("SELECT state, n FROM core_counts WHERE n <> 0"))
    states = f"SELECT {ddl.state_of('jobs')}, COUNT(*) FROM jobs GROUP BY 1"
    assert kept == dict(conn.execute(states))
    waiting = conn.execute(
        "SELECT COUNT(*) FROM jobs WHERE status = 'pending' AND (retry_after IS NOT ?)"
        " AND id IN (SELECT child_id FROM core_edges WHERE met = 0)",
        (ddl.PARKED,),
    )
    assert waiting.fetchone()[0] == 0
    conn.close()


def assert_untouched(path: Path) -> None:
    """The file is whole, and nothing of ours is in it."""
    found = everything(path)
    assert found["objects"] == GIGQ_OBJECTS
    assert ddl.PARKED not in {row.get("retry_after") for row in found["jobs"].values()}
    conn = sqlite3.connect(path)
    for table, column, _ in ddl.OUR_COLUMNS:
        assert column not in {row[1] for row in conn.execute(f"PRAGMA table_info({table})")}
    conn.close()


# --- every release ----------------------------------------------------------------------------


def test_looking_leaves_the_file_as_it_is(file: Path) -> None:
    before = file.read_bytes()
    reader = Reader(file)
    shown = reader.snapshot(View())
    assert len(shown.window.rows) == 23
    assert all(reader.detail(row.id) is not None for row in shown.window.rows)
    reader.close()
    conn = open_read_only(file)
    assert conn.execute("SELECT COUNT(*) FROM jobs").fetchone()[0] == 23
    conn.close()
    assert file.read_bytes() == before


def test_attached_worked_off_and_detached(release: str, file: Path, tmp_path: Path) -> None:
    with sqlite3.connect(file) as conn:
        # The clock of whoever made the file does not matter here.
        conn.execute("UPDATE jobs SET started_at = '2020-01-01' WHERE status = 'running'")
        if release in KNOWS_DELAYS:
            conn.execute("UPDATE jobs SET retry_after = '2999-01-01' WHERE name = 'retry_later'")
    conn.close()
    before = everything(file)

    place = Place(tmp_path)
    try:
        assert_sound(file)
        attached = everything(file)
        for job_id, row in before["jobs"].items():
            now = attached["jobs"][job_id]
            parked = now["name"] in ("publish_feed", "notify")
            assert now["retry_after"] == (ddl.PARKED if parked else row.get("retry_after"))
            assert {k: v for k, v in now.items() if k in row and k != "retry_after"} == {
                k: v for k, v in row.items() if k != "retry_after"
            }
        assert attached["job_executions"] == before["job_executions"]

        worker = place.worker("--concurrency", "4", "--chdir", str(DATA))
        left = 3 if release in KNOWS_DELAYS else 2
        wait_until(lambda: place.queue.stats()["pending"] == left, what="the file to be worked off")
        wait_until(lambda: place.queue.stats()["running"] == 0, what="the last job to end")
        worker.terminate()
        assert worker.wait(20) == 0
    finally:
        place.close()
    done = {row["name"]: row for row in everything(file)["jobs"].values()}
    expected = dict.fromkeys(done, "completed")
    expected |= {"publish_feed": "pending", "notify": "pending", "fetch_feed": "failed"}
    expected |= {"cancel_me": "cancelled", "too_long": "timeout"}
    expected["retry_later"] = "pending" if release in KNOWS_DELAYS else "failed"
    assert {name: row["status"] for name, row in done.items()} == expected
    assert json.loads(done["resize_07"]["result"]) == 0.07
    first = {row["id"]: row for row in before["jobs"].values() if row["status"] == "completed"}
    for job_id, row in first.items():
        now = everything(file)["jobs"][job_id]
        assert {k: now[k] for k in row} == row

    detach(file)
    assert_untouched(file)
    after = everything(file)
    assert {row["name"]: row["status"] for row in after["jobs"].values()} == expected
    queue = gigq.JobQueue(str(file))
    assert queue.stats()["total"] == 23
    assert len(queue.list_jobs()) == 23
    gigq.close_connections()


def test_a_file_of_an_earlier_schema_gets_the_triggers_of_this_one(tmp_path: Path) -> None:
    file = Path(shutil.copyfile(DATA / "gigq-0.5.1.db", tmp_path / "jobs.db"))
    conn = open_for_work(file, create=False)
    rows = conn.execute("SELECT COUNT(*) FROM jobs").fetchone()[0]
    conn.execute("DROP TRIGGER core_fence_final")
    conn.execute(
        "CREATE TRIGGER core_fence_final BEFORE UPDATE ON jobs BEGIN SELECT RAISE(IGNORE); END"
    )
    conn.execute("DROP TRIGGER core_release")
    conn.execute("DROP INDEX core_open")
    conn.execute("UPDATE core_meta SET value = '0' WHERE key = 'schema_version'")
    edges = conn.execute("SELECT * FROM core_edges").fetchall()
    conn.close()
    conn = open_for_work(file, create=False)
    assert_sound(file)
    assert [tuple(row) for row in conn.execute("SELECT * FROM core_edges")] == [
        tuple(row) for row in edges
    ]
    left = {row[0]: row[1] for row in conn.execute("SELECT name, sql FROM sqlite_master")}
    for name, statement in ddl.TRIGGERS.items():
        assert left[name] == statement.strip().replace("IF NOT EXISTS ", "")
    assert conn.execute("SELECT COUNT(*) FROM jobs").fetchone()[0] == rows
    conn.close()


# --- raced ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the public package with thousands of jobs, in chains."""
    path = tmp_path_factory.mktemp("large") / "large.db"
    queue = gigq.JobQueue(str(path))
    make = gigq.Job("first", time.monotonic)
    queue.submit(make)
    gigq.close_connections()
    conn = sqlite3.connect(path)
    (columns,) = conn.execute("SELECT group_concat(name) FROM pragma_table_info('jobs')")
    conn.execute(
        f"INSERT INTO jobs ({columns[0]}) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
        " SELECT i + 1 FROM n WHERE i < ?) SELECT"
        " 'job-' || i, 'job ' || i, 'monotonic', 'time', '{}', i % 5,"
        " CASE WHEN i % 4 THEN '[\"job-' || (i - 1) || '\"]' ELSE '[]' END, 3, 300, '',"
        " CASE WHEN i % 8 < 4 THEN 'pending' ELSE 'completed' END,"
        " '2026-01-01T00:00:00', '2026-01-01T00:00:00', 0, NULL, NULL, NULL, NULL, NULL, NULL,"
        " 0, NULL FROM n",
        (MANY - 1,),
    )
    conn.commit()
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()
    return path


def test_two_processes_attach_at_once(tmp_path: Path, large: Path) -> None:
    sources = [DATA / f"gigq-{name}.db" for name in RELEASES]
    paths = []
    for number in range(RACES):
        path = tmp_path / f"{number}.db"
        # Every third one is new: two scripts make the queue at once.
        if number % 3:
            shutil.copyfile(large if number % 9 == 1 else sources[number % len(sources)], path)
        paths.append(str(path))
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.Queue()
    racers = [
        context.Process(target=attaching.race, args=(paths, barrier, answers)) for _ in range(2)
    ]
    for racer in racers:
        racer.start()
    troubles = [answers.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join(20)
        assert racer.exitcode == 0
    assert troubles == [[], []]
    for name in paths:
        assert_sound(Path(name))


# --- interrupted ------------------------------------------------------------------------------


def start(act: str, file: Path, step: int | None = None) -> subprocess.Popen[bytes]:
    """A process that has said that it begins."""
    process = subprocess.Popen(
        [sys.executable, "-m", attaching.__name__, act, str(file)]
        + ([] if step is None else [str(step)]),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"go\n"
    return process


def finish(process: subprocess.Popen[bytes], kill_after_s: float | None = None) -> bool:
    """Wait for its end, or kill it after a while; says whether it came to its own end."""
    assert process.stdout is not None
    if kill_after_s is not None:
        select.select([process.stdout], [], [], kill_after_s)
        process.kill()
    done: bool = process.stdout.read() == b"done\n"
    process.stdout.close()
    code = process.wait(20)
    assert code == (0 if done else -signal.SIGKILL) or kill_after_s is not None
    return done


def statements(act: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many statements the act takes."""
    seen: list[str] = []

    def connect_counted(*args: Any) -> sqlite3.Connection:
        conn: sqlite3.Connection = real(*args)
        conn.set_trace_callback(seen.append)
        return conn

    real = attach_module.connect
    with monkeypatch.context() as patch:
        patch.setattr(attach_module, "connect", connect_counted)
        if act == "detach":
            detach(file)
        elif act == "fill":
            attaching.fill(str(file))
        else:
            open_for_work(file, create=act == "create").close()
    return len(seen)


def steps(total: int, n: int) -> Iterator[int]:
    """`n` of them, spread evenly, with the last one, which commits."""
    return (1 + (total - 1) * number // (n - 1) for number in range(n))


def assert_all_or_nothing(file: Path, rows: dict[str, Any]) -> bool:
    """Whether it is attached; anything between fails."""
    conn = sqlite3.connect(file)
    attached = conn.execute("SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'core%'")
    is_attached = attached.fetchone()[0] > 0
    conn.close()
    (assert_sound if is_attached else assert_untouched)(file)
    now = everything(file)
    assert now["jobs"].keys() == rows["jobs"].keys()
    assert now["job_executions"] == rows["job_executions"]
    return is_attached


def test_an_attach_that_is_killed_leaves_all_or_nothing(
    tmp_path: Path, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = everything(large)
    total = statements("attach", Path(shutil.copyfile(large, tmp_path / "a.db")), monkeypatch)
    outcomes = set()
    began = time.monotonic()
    assert finish(start("attach", Path(shutil.copyfile(large, tmp_path / "b.db"))))
    takes_s = time.monotonic() - began
    luck = random.Random(4)
    for number, step in enumerate([*steps(total, KILLS_BY_STEP), *[None] * KILLS_BY_TIME]):
        # The old journal mode is another way to fail half-way.
        source = large if number % 4 else DATA / "gigq-0.1.0.db"
        file = Path(shutil.copyfile(source, tmp_path / f"{number}.db"))
        before = rows if source is large else everything(file)
        process = start("attach", file, step)
        finish(process, None if step else luck.uniform(0, takes_s))
        outcomes.add(assert_all_or_nothing(file, before))
        open_for_work(file, create=False).close()
        assert_sound(file)
        assert JobQueue(file).stats()["total"] == len(before["jobs"])
    assert False in outcomes


def test_a_queue_whose_making_was_killed_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = statements("create", tmp_path / "a.db", monkeypatch)
    for number, step in enumerate(steps(total, KILLS_OF_MAKING)):
        file = tmp_path / f"{number}.db"
        assert not finish(start("create", file, step))
        queue = JobQueue(file)
        assert_sound(file)
        assert queue.stats()["total"] == 0


def test_a_detach_that_is_killed_leaves_all_or_nothing(
    tmp_path: Path, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = everything(large)
    made = Path(shutil.copyfile(large, tmp_path / "made.db"))
    open_for_work(made, create=False).close()
    total = statements("detach", Path(shutil.copyfile(made, tmp_path / "a.db")), monkeypatch)
    for number, step in enumerate(steps(total, KILLS_OF_DETACH)):
        file = Path(shutil.copyfile(made, tmp_path / f"{number}.db"))
        finish(start("detach", file, step))
        assert_all_or_nothing(file, rows)
        detach(file)
        assert_untouched(file)
        assert everything(file)["jobs"] == rows["jobs"]


def test_what_others_made_in_the_file_is_there_after_a_detach(tmp_path: Path) -> None:
    file = Path(shutil.copyfile(DATA / "gigq-0.5.1.db", tmp_path / "jobs.db"))
    made = (
        "CREATE VIEW names AS SELECT name FROM jobs",
        "CREATE TABLE core_users (mail TEXT)",
        "CREATE UNIQUE INDEX core_users_mail ON core_users (mail)",
        'CREATE INDEX "by-name" ON jobs (name)',
        "CREATE TRIGGER mine AFTER INSERT ON Jobs BEGIN DELETE FROM core_users; END",
        "CREATE TRIGGER theirs AFTER INSERT ON core_users"
        " BEGIN UPDATE jobs SET description = '' WHERE 0; END",
    )
    conn = sqlite3.connect(file)
    for statement in made:
        conn.execute(statement)
    conn.close()
    open_for_work(file, create=False).close()
    detach(file)
    conn = sqlite3.connect(file)
    left = {row[0] for row in conn.execute("SELECT sql FROM sqlite_master")}
    assert left >= set(made)
    assert conn.execute("SELECT count(*) FROM names").fetchone() == (23,)
    conn.close()
