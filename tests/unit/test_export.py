"""`gigq-core export`: all that a file knows of its jobs, as lines of JSON."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gigq_core import Backoff, Job, JobQueue, Unique
from gigq_core.cli.main import cli
from gigq_core.inspection.export import Export
from gigq_core.schema import export_statements, opening
from tests.integration import chores
from tests.reliability.odd_rows import OddRows
from tests.waiting import wait_until

NOTHING = "tests.integration.chores.nothing"
OLD = sorted((Path(__file__).parents[1] / "data").glob("gigq-*.db"))
# What is told by other words, or not at all since it is a mark of the file's own.
OTHERWISE = {
    "function_module": "function",
    "function_name": "function",
    "dependencies": "depends_on",
    "retry_policy": "retry",
    "unique_key": "unique",
    "unique_until": "unique",
    "unique_within": "unique",
    "retry_after": "run_at",
}


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


def export(db: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--db", str(db), "export", *words])


def lines(db: Path, *words: str) -> list[dict[str, Any]]:
    result = export(db, "--jsonl", *words)
    assert result.exit_code == 0, (result.exception, result.stderr)
    assert result.stdout.isascii()
    return [json.loads(line) for line in result.stdout.splitlines()]


def jobs(db: Path, *words: str) -> list[dict[str, Any]]:
    return [line for line in lines(db, *words) if line["gigq"] == "job"]


def columns(conn: sqlite3.Connection, table: str) -> dict[str, str]:
    rows = conn.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
    return dict(rows.fetchall())


def distinct(column: str, kind: str, at: int) -> Any:
    """A value that is found again by itself."""
    if column in ("params", "result"):
        return json.dumps({column: f"in {column}"})
    if column.endswith("_at"):
        return f"2031-01-{at:02}T12:00:00"
    if kind in ("INTEGER", "REAL"):
        return 1_000_000 + at
    return f"in {column}"


def said(value: Any) -> str:
    return json.dumps(value)


def test_every_column_of_jobs_and_attempts_is_told(db: Path) -> None:
    """So that a column that comes later is not forgotten."""
    queue = JobQueue(db)
    job = queue.submit(Job("a", NOTHING))
    queue.close()
    conn = sqlite3.connect(db, isolation_level=None)
    for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        conn.execute(f"DROP TRIGGER {name}")
    given: dict[str, dict[str, Any]] = {}
    for table in ("jobs", "job_executions"):
        kinds = columns(conn, table)
        given[table] = {
            name: distinct(name, kind, at) for at, (name, kind) in enumerate(kinds.items(), 1)
        }
    given["jobs"] |= {
        "id": job,
        "status": "pending",
        "dependencies": json.dumps([PARENT]),
        "pass_parent_results": 1,
        "retry_after": None,
        "retry_policy": json.dumps({"retry": [11.0, 22.0]}),
        "on_crash": "fail",
        "on_parent_failure": "run",
        "unique_until": "started",
        "lane": "gpu",
    }
    given["job_executions"] |= {"job_id": job, "result": '{"of": "attempt"}'}
    for table, values in given.items():
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        conn.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", values)
    conn.close()
    (told,) = jobs(db)
    (attempt,) = told.pop("executions")
    for table, line in (("jobs", told), ("job_executions", attempt)):
        for column, value in given[table].items():
            if column in ("retry_after", "job_id", "dependencies", "retry_policy", "retry_delay"):
                continue
            if column.endswith("_at"):
                assert line[column].endswith("+00:00"), column
                continue
            key = OTHERWISE.get(column, column)
            assert key in line, column
            found = said(line[key])
            wanted = value if not isinstance(value, str) or value[:1] != "{" else json.loads(value)
            assert (
                (found == "true")
                if column == "pass_parent_results"
                else (said(wanted).strip('"') in found)
            ), column
    assert told["depends_on"] == [PARENT]
    assert told["retry"] == [11.0, 22.0]
    assert "damaged" not in told


PARENT = "00000000-0000-4000-8000-000000000000"


def test_the_first_line_says_what_it_is_and_the_last_that_it_is_whole(db: Path) -> None:
    queue = JobQueue(db)
    queue.submit_many([Job(str(n), NOTHING) for n in range(3)])
    queue.cancel(queue.submit(Job("no", NOTHING)))
    before = time.time()
    first, *_, last = lines(db)
    assert first["gigq"] == "export"
    assert first["format"] == 1
    assert first["jobs"] == 4
    assert first["by_status"] == {"pending": 3, "cancelled": 1}
    assert before <= first["exported"] <= time.time()
    assert first["exported_at"].endswith("+00:00")
    assert last == {"gigq": "end", "jobs": 4, "damaged": 0}


def test_options_stand_there_as_a_line_of_jsonl_gives_them(db: Path) -> None:
    queue = JobQueue(db)
    parent = queue.submit(Job("parent", NOTHING))
    queue.submit(
        Job(
            "child",
            chores.nothing,
            priority=3,
            dependencies=[parent],
            retry=Backoff(30, factor=2, most=3600),
            retry_on=["OSError"],
            on_parent_failure="cancel",
            run_at="2040-01-31T08:00+01:00",
            lane="fetch",
            unique=Unique("key", within=60),
            batch="b",
            memory="1G",
        )
    )
    _, child = jobs(db)
    assert child["function"] == "tests.integration.chores.nothing"
    assert child["depends_on"] == [parent]
    assert child["parents"] == [{"id": parent, "status": "pending", "met": False}]
    assert child["retry"] == {"base": 30.0, "factor": 2.0, "most": 3600.0, "jitter": 0.0}
    assert child["retry_on"] == ["builtins.OSError"]
    assert child["run_at"] == "2040-01-31T07:00:00+00:00"
    assert child["due"] == 2211606000.0
    assert child["unique"] == {"key": "key", "until": "ended", "within": 60.0}
    assert (child["lane"], child["ours"], child["batch"]) == ("fetch", True, "b")
    assert (child["memory"], child["on_parent_failure"]) == (2**30, "cancel")
    assert child["blocked"] is True
    assert "retry_delay" not in child


def test_some_jobs_alone_are_chosen_as_with_the_other_commands(db: Path) -> None:
    queue = JobQueue(db)
    ids = [queue.submit(Job(n, NOTHING, batch=n[0])) for n in ("a1", "a2", "b1", "b2")]
    queue.cancel(ids[1])
    queue.cancel(ids[3])

    def names(*words: str) -> list[str]:
        return [job["name"] for job in jobs(db, "-", *words)]

    assert names() == ["a1", "a2", "b1", "b2"]
    assert names("--status", "pending") == ["a1", "b1"]
    assert names("--status", "pending,cancelled") == ["a1", "a2", "b1", "b2"]
    assert names("--status", "failed", "--status", "cancelled", "--batch", "a") == ["a2"]
    assert names("--batch", "nowhere") == []
    assert names("--workflow", "nowhere") == []
    assert names("--failure", "00") == []
    assert lines(db, "-", "--batch", "b")[0]["selection"] == {"batch": "b"}
    wrong = export(db, "--jsonl", "--status", "done")
    assert wrong.exit_code == 2
    assert "'done' is not a status: choose from pending, running" in wrong.output


@pytest.mark.parametrize("source", OLD, ids=lambda path: path.name)
def test_a_file_of_gigqs_own_is_told_as_it_stands(tmp_path: Path, source: Path) -> None:
    old = Path(shutil.copy(source, tmp_path))
    before = old.read_bytes()
    first, *told, last = lines(old)
    assert first["attached"] is False
    assert old.read_bytes() == before
    conn = sqlite3.connect(old)
    rows = conn.execute("SELECT id, status FROM jobs ORDER BY rowid").fetchall()
    assert [(job["id"], job["status"]) for job in told] == rows
    attempts = conn.execute("SELECT count(*) FROM job_executions").fetchone()[0]
    assert sum(len(job.get("executions", ())) for job in told) == attempts
    assert all("created" in job and job["created_at"].endswith("+00:00") for job in told)
    assert last["jobs"] == len(rows)
    assert last["damaged"] == 0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("attached", [True, False], ids=["attached", "gigq"])
def test_damaged_rows_are_told_and_none_is_lost(tmp_path: Path, seed: int, attached: bool) -> None:
    db = tmp_path / "jobs.db"
    if attached:
        queue = JobQueue(db)
        queue.submit_many([Job(str(n), "shop.load", {"n": n}) for n in range(5)])
        queue.close()
    else:
        shutil.copy(OLD[-1], db)
    OddRows(db, seed).write(60, triggers=False, changes=4)
    conn = sqlite3.connect(db)
    conn.text_factory = bytes
    (count,) = conn.execute("SELECT count(*) FROM jobs").fetchone()
    told = jobs(db)
    assert len(told) == count
    raw = conn.execute("SELECT params, name FROM jobs ORDER BY rowid").fetchall()
    seen = 0
    for job, (params, name) in zip(told, raw, strict=True):
        damaged = job.get("damaged", {})
        if isinstance(params, bytes) and params and params[:1] not in b"{":
            # It is nothing that a function could be called with: it stands there as it was.
            assert job["params"] is None
            assert "params" in damaged
            seen += 1
        if isinstance(name, bytes):
            try:
                name.decode()
            except UnicodeDecodeError:
                assert "base64" in damaged["name"]
                seen += 1
    assert seen


def test_a_file_is_written_whole_or_not_at_all(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = JobQueue(db)
    queue.submit_many([Job(str(n), NOTHING) for n in range(2_000)])
    target = tmp_path / "out" / "jobs.jsonl"
    assert "There is no folder" in export(db, "--jsonl", str(target)).output
    target.parent.mkdir()
    answer = export(db, "--jsonl", str(target))
    assert answer.stdout.startswith(f"2,000 jobs written to {target} (")
    assert target.stat().st_mode & 0o777 == 0o600
    whole = target.read_text()
    assert json.loads(whole.splitlines()[-1]) == {"gigq": "end", "jobs": 2000, "damaged": 0}
    target.chmod(0o640)
    parts = Export.parts

    def broken(self: Export) -> Iterator[str]:
        for part in parts(self):
            yield part
            raise KeyboardInterrupt

    monkeypatch.setattr(Export, "parts", broken)
    assert export(db, "--jsonl", str(target)).exit_code != 0
    assert target.read_text() == whole
    assert os.listdir(target.parent) == ["jobs.jsonl"]
    monkeypatch.undo()
    assert export(db, "--jsonl", str(target)).exit_code == 0
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_half_written(db: Path, tmp_path: Path, number: int) -> None:
    JobQueue(db).submit(Job("a", NOTHING))
    folder = tmp_path / "out"
    folder.mkdir()
    program = f"""if True:
        import os
        from gigq_core.cli.main import main
        from gigq_core.inspection.export import Export

        def parts(self):
            yield "half of it"
            os.kill(os.getpid(), {int(number)})
            yield "the rest"

        Export.parts = parts
        main()
    """
    words = ["--db", str(db), "export", "--jsonl", str(folder / "jobs.jsonl")]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, timeout=60)
    assert done.returncode == 128 + number, done.stderr
    assert os.listdir(folder) == []


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
def test_the_queue_itself_is_not_written_over(db: Path, end: str) -> None:
    JobQueue(db).submit(Job("a", NOTHING))
    answer = export(db, "--jsonl", f"{db}{end}")
    assert answer.exit_code == 2
    assert "is the queue's own file: name another." in answer.output
    assert JobQueue(db).stats()["total"] == 1


def test_what_is_no_file_is_not_replaced(db: Path, tmp_path: Path) -> None:
    JobQueue(db).submit(Job("a", NOTHING))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, what in ((fifo, "not a regular file"), (tmp_path, "a folder")):
        answer = export(db, "--jsonl", str(path))
        assert answer.exit_code == 1
        assert f"{path} is {what}: name a file, or - for stdout." in answer.output
    assert fifo.is_fifo()


def test_settings_are_told_if_asked(db: Path) -> None:
    queue = JobQueue(db)
    queue.schedule("nightly", "30 2 * * *", Job("n", NOTHING), zone="Europe/Berlin")
    queue.set_lane("fetch:*", running=2, rate="10/m")
    queue.pause_lane("gpu")
    queue.hook("failed", Job("h", "shop.tell"), match="fn:etl.*", every=60, name="tell")
    queue.keep(completed=60)
    assert [line["gigq"] for line in lines(db)] == ["export", "end"]
    kinds = [line["gigq"] for line in lines(db, "-", "--settings")]
    assert kinds == ["export", "schedule", "lane", "lane", "hook", "keeping", "end"]
    _, schedule, fetch, gpu, hook, keeping, _ = lines(db, "-", "--settings")
    assert (schedule["name"], schedule["when"]) == ("nightly", "30 2 * * *")
    assert (fetch["pattern"], fetch["running"], fetch["rate"]) == ("fetch:*", 2, "10/m")
    assert (gpu["pattern"], gpu["paused_at"] is not None) == ("gpu", True)
    assert (hook["name"], hook["match"]) == ("tell", "fn:etl.*")
    assert keeping["completed"] == 60.0


def test_it_is_of_one_moment_and_the_file_is_let_go_of(db: Path) -> None:
    """A slow reader of the lines holds neither a lock nor the WAL."""
    queue = JobQueue(db)
    queue.submit_many([Job(str(n), NOTHING) for n in range(500)])
    parts = Export(db).parts()
    told = next(parts)
    queue.submit_many([Job("late", NOTHING) for _ in range(10)])
    conn = sqlite3.connect(db)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not (db.parent / f"{db.name}-wal").stat().st_size
    told += "".join(parts)
    assert told.count('"gigq": "job"') == 500
    assert "late" not in told


def test_a_file_that_is_written_to_while_it_is_copied_is_of_one_moment(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = JobQueue(db)
    queue.submit_many([Job(str(n), "shop.load", {"text": "x" * 500}) for n in range(300)])
    writes = 0

    def write(*_: int) -> None:
        nonlocal writes
        writes += 1
        queue.submit(Job("late", "shop.load"))

    monkeypatch.setattr(opening, "_PAGES_AT_ONCE", 5)
    monkeypatch.setattr(opening, "_go_on", write)
    assert [job["name"] for job in jobs(db)] == [str(n) for n in range(300)]
    assert writes > 10


def test_no_room_for_the_copy_is_one_sentence(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = JobQueue(db)
    queue.submit_many([Job("x" * 1000, NOTHING) for n in range(200)])
    least = (*export_statements.AS_FAST_AS_CAN_BE, "PRAGMA max_page_count = 10")
    monkeypatch.setattr(export_statements, "AS_FAST_AS_CAN_BE", least)
    answer = export(db, "--jsonl")
    assert answer.exit_code == 2
    assert "folder for temporary files is full" in answer.output


def test_a_reader_that_goes_ends_it_quietly_and_had_whole_lines(db: Path) -> None:
    queue = JobQueue(db)
    queue.submit_many([Job("x" * 500, NOTHING) for n in range(2_000)])
    command = [sys.executable, "-m", "gigq_core", "--db", str(db), "export", "--jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["jobs"] == 2_000
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


def test_ctrl_c_leaves_whole_lines(db: Path) -> None:
    queue = JobQueue(db)
    queue.submit_many([Job("x" * 500, NOTHING) for n in range(4_000)])
    command = [sys.executable, "-m", "gigq_core", "--db", str(db), "export", "--jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        # It stands in the middle of a part, since nobody reads.
        wait_until(lambda: sleeps(process.pid), what="the export to wait for its reader")
        process.send_signal(2)
        rest = process.stdout.read()
        assert process.wait() == 130
    assert rest.endswith(b"}\n")
    assert all(json.loads(line)["gigq"] == "job" for line in rest.splitlines())
    assert len(rest.splitlines()) < 4_000


def sleeps(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "S"
