"""The `gigq-core` command, without workers: options, exit codes, output, and what it leaves."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gigq_core import Job, JobQueue, JobStatus
from gigq_core.cli.main import cli
from gigq_core.job import FunctionReference
from gigq_core.system.paths import attempt_output
from tests.store_files import instants

EVIL = "a\x1b[31mred\x1b[0m [bold]b[/] \u202ec\n\x00d"
READERS = (["list"], ["stats"], ["status", "abcd1234"], ["logs", "abcd1234"], ["workers"])
ACTORS = (["cancel", "abcd1234"], ["requeue", "abcd1234"], ["release", "abcd1234"], ["clear"])
WHOLE = (["pause"], ["resume"], ["attach"], ["detach"], ["ask", "w1", "drain"])


def runner() -> CliRunner:
    """stdout and stderr apart, which older releases of click must be asked for."""
    try:
        return CliRunner(mix_stderr=False)  # type: ignore[call-arg, unused-ignore]
    except TypeError:
        return CliRunner()


def run(db: Path, *args: str, env: dict[str, str] | None = None) -> Result:
    return runner().invoke(cli, ["--db", str(db), *args], env=env)


@pytest.fixture
def db(tmp_path: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path for a queue; the current folder holds `pipeline.py`."""
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(data_folder / "pipeline.py", work)
    monkeypatch.chdir(work)
    monkeypatch.syspath_prepend(str(work))
    return tmp_path / "q.db"


def add(db: Path, name: str = "n", **options: Any) -> str:
    return JobQueue(db).submit(Job(name, FunctionReference("pipeline", "extract"), **options))


def end(db: Path, job_id: str, status: str, **columns: object) -> None:
    """Bring a waiting job to its end as a worker would."""
    columns = {**instants("jobs", columns), **columns}
    with sqlite3.connect(db) as conn:
        sets = "".join(f", {column} = ?" for column in columns)
        conn.execute(
            f"UPDATE jobs SET status = ?{sets} WHERE id = ?", (status, *columns.values(), job_id)
        )
    conn.close()


def attempt(db: Path, job_id: str, number: int, output: str | None, status: str = "failed") -> str:
    """Record an attempt, and what it printed."""
    execution_id = f"execution-{number}"
    with sqlite3.connect(db) as conn:
        conn.execute(
            "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, output,"
            " traceback) VALUES (?, ?, 'w', ?, ?, ?, ?)",
            (
                execution_id,
                job_id,
                status,
                f"2026-01-01T00:00:0{number}",
                None if output is None else f"attempts/{execution_id}.log",
                f"Traceback {number}\nValueError: x",
            ),
        )
    conn.close()
    if output is not None:
        file = attempt_output(db, execution_id)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(output)
    return execution_id


def one_sentence(result: Result) -> str:
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


# --- submit ----------------------------------------------------------------------------------


@pytest.mark.parametrize("group", ["", "hook", "lane", "schedule"])
def test_the_help_names_each_command_once_with_a_whole_sentence(group: str) -> None:
    found = runner().invoke(cli, [*group.split(), "--help"], terminal_width=80).output
    commands = cli.commands if not group else cli.commands[group].commands  # type: ignore[attr-defined]
    told = re.findall(
        r"^  ([a-z-]+)  +(\S.*)$", found.partition("Show this message")[2], re.MULTILINE
    )
    assert [name for name, _ in told] == list(commands)
    assert [
        sentence for _, sentence in told if not re.fullmatch(r"[A-Z].*\w\)?`?\.", sentence)
    ] == []


def test_submit_stores_every_option(db: Path) -> None:
    parent = add(db, "parent")
    result = run(
        db,
        *("submit", "pipeline.extract", "--name", "x", "-p", "source=orders", "--param", "rows=7"),
        *("--priority", "5", "--max-attempts", "2", "--timeout", "0.5", "--description", "note"),
        *("--retry-delay", "1.5", "--depends-on", parent[:6], "--json"),
    )
    assert result.exit_code == 0, result.stderr
    job = JobQueue(db).get_status(json.loads(result.stdout)["id"])
    assert job["params"] == {"source": "orders", "rows": 7}
    assert (job["function_module"], job["function_name"]) == ("pipeline", "extract")
    assert (job["name"], job["priority"], job["max_attempts"]) == ("x", 5, 2)
    assert (job["timeout"], job["retry_delay"], job["description"]) == (0.5, 1.5, "note")
    assert job["dependencies"] == [parent]


def test_submit_has_gigqs_defaults_and_says_the_id(db: Path) -> None:
    result = run(db, "submit", "pipeline.transform")
    job = JobQueue(db).get_status(result.stdout.removeprefix("Job submitted: ").strip())
    assert (job["name"], job["params"], job["priority"]) == ("transform", {}, 0)
    assert (job["max_attempts"], job["timeout"], job["retry_delay"]) == (3, 300, 0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("url=1", 1),
        ("url=[1, null]", [1, None]),
        ("url=word", "word"),
        ('url="1"', "1"),
        ("url=", ""),
        ("url=b=c", "b=c"),
        ("url=NaN", "NaN"),
        ("url=-Infinity", "-Infinity"),
    ],
)
def test_a_parameter_is_json_or_else_text(db: Path, text: str, value: object) -> None:
    result = run(db, "submit", "pipeline.flaky", "-p", text, "--json")
    assert JobQueue(db).get_status(json.loads(result.stdout)["id"])["params"] == {"url": value}


@pytest.mark.parametrize(
    "args",
    [
        ["pipeline.extract", "--timeout", "0"],
        ["pipeline.extract", "--timeout", "-1"],
        ["pipeline.extract", "--timeout", "nan"],
        ["pipeline.extract", "--timeout", "soon"],
        ["pipeline.extract", "--retry-delay", "-1"],
        ["pipeline.extract", "--max-attempts", "0"],
        ["pipeline.extract", "--name", " "],
        ["pipeline.extract", "-p", "no-equals-sign"],
        ["extract"],
        ["pipeline.not-a-name"],
        [],
    ],
)
def test_a_definition_that_could_not_run_is_wrong_usage(db: Path, args: list[str]) -> None:
    result = run(db, "submit", *args)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert not db.exists()


@pytest.mark.parametrize("function", ["pipeline.nothing", "no_such_module.f", "os.sep", "quits.f"])
def test_a_function_that_can_not_be_imported_is_refused(db: Path, function: str) -> None:
    Path("quits.py").write_text("print('noise')\nraise SystemExit('not today')\n")
    result = run(db, "submit", function, "--json")
    assert result.exit_code == 1
    assert function in result.stderr
    assert result.stdout == ""
    assert not db.exists()


def test_a_decorated_task_can_be_submitted(db: Path) -> None:
    Path("tasks.py").write_text("from gigq_core import task\n@task\ndef go(): ...\n")
    result = run(db, "submit", "tasks.go", "--json")
    job = JobQueue(db).get_status(json.loads(result.stdout)["id"])
    assert (job["function_module"], job["function_name"]) == ("tasks", "go")


def test_a_full_id_may_be_submitted_later_but_a_short_one_must_be_there(db: Path) -> None:
    later = "00000000-0000-4000-8000-000000000000"
    assert run(db, "submit", "pipeline.transform", "--depends-on", later).exit_code == 0
    result = run(db, "submit", "pipeline.transform", "--depends-on", "1234abcd")
    assert result.exit_code == 1
    assert JobQueue(db).stats()["total"] == 1


# --- which file ------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [*READERS, *ACTORS, *WHOLE], ids=lambda args: args[0])
def test_a_typing_error_creates_no_file(db: Path, args: list[str]) -> None:
    result = run(db, *args)
    assert result.exit_code == 2
    assert str(db) in one_sentence(result)
    assert list(db.parent.glob("q.db*")) == []


@pytest.mark.parametrize("args", [*READERS, *ACTORS, *WHOLE], ids=lambda args: args[0])
@pytest.mark.parametrize("kind", ["directory", "text", "other tables"])
def test_a_file_that_is_no_queue_gets_one_sentence(db: Path, args: list[str], kind: str) -> None:
    if kind == "directory":
        db.mkdir()
    elif kind == "text":
        db.write_text("not a database, but long enough to look like one " * 50)
    else:
        conn = sqlite3.connect(db)
        conn.execute("CREATE TABLE notes (text)")
        conn.close()
    before = None if kind == "directory" else db.read_bytes()
    result = run(db, *args)
    assert result.exit_code == 2
    assert str(db) in one_sentence(result)
    assert before is None or db.read_bytes() == before


def test_the_file_comes_from_the_environment_unless_it_is_named(db: Path) -> None:
    add(db)
    env = {"GIGQ_DB": str(db)}
    counted = runner().invoke(cli, ["stats", "--json"], env=env)
    assert json.loads(counted.stdout)["total"] == 1
    assert run(db.with_name("other.db"), "stats", env=env).exit_code == 2


def test_the_default_is_gigqs_file_in_the_current_folder(db: Path) -> None:
    assert "gigq.db" in one_sentence(runner().invoke(cli, ["list"], env={"GIGQ_DB": None}))
    add(Path("gigq.db"))
    assert runner().invoke(cli, ["list"], env={"GIGQ_DB": None}).exit_code == 0


@pytest.mark.parametrize("release", ["0.1.0", "0.5.1"])
def test_looking_at_gigqs_own_file_changes_nothing(
    db: Path, data_folder: Path, release: str
) -> None:
    shutil.copy(data_folder / f"gigq-{release}.db", db)
    before = db.read_bytes()
    jobs = json.loads(run(db, "list", "--json").stdout)
    failed = next(job for job in jobs if job["status"] == "failed")
    assert len(jobs) == 23
    assert json.loads(run(db, "stats", "--json").stdout)["total"] == 23
    shown = run(db, "status", failed["id"], "--show-executions", "--show-traceback")
    assert shown.exit_code == 0
    assert "HTTP 503" in shown.stdout
    assert run(db, "logs", failed["id"]).exit_code == 0
    assert "No workers" in run(db, "workers").stdout
    assert run(db, "list", "--status", "pending").exit_code == 0
    assert db.read_bytes() == before


# --- looking ---------------------------------------------------------------------------------


def test_status_shows_what_gigqs_does_and_more_when_asked(db: Path) -> None:
    job_id = add(db, "load", params={"source": "orders"})
    end(db, job_id, "failed", error="no such host", result='{"rows": 3}', attempts=2)
    attempt(db, job_id, 1, None)
    brief = run(db, "status", job_id).stdout
    for part in (f"Job: load ({job_id})", "Status: failed", "Attempts: 2 / 3", "no such host"):
        assert part in brief
    assert "orders" not in brief
    whole = run(
        db,
        *("status", job_id, "--show-params", "--show-result", "--show-executions"),
        "--show-traceback",
    ).stdout
    for part in ("  source: orders", "  rows: 3", "execution-1", "  ValueError: x"):
        assert part in whole


def test_status_says_what_a_job_waits_for(db: Path) -> None:
    parent = add(db, "parent")
    child = add(db, "child", dependencies=[parent, "gone"])
    shown = run(db, "status", child).stdout
    assert f"Waits for: {parent} parent (pending)" in shown
    assert "Waits for: gone (missing)" in shown
    assert "9999" not in shown
    told = json.loads(run(db, "status", child, "--json").stdout)
    assert told["blocked"] is True
    assert told["retry_after"] is None


def test_status_as_json_has_the_documented_keys(db: Path) -> None:
    job_id = add(db)
    told = json.loads(run(db, "status", job_id, "--json").stdout)
    of_api = JobQueue(db).get_status(job_id)
    internal = {"execution_id"}
    assert told == {**{k: v for k, v in of_api.items() if k not in internal}, "blocked": False}


def test_an_unknown_id_exits_with_1(db: Path) -> None:
    add(db)
    result = run(db, "status", "feedbeef")
    assert result.exit_code == 1
    assert "feedbeef not found" in one_sentence(result)
    result = run(db, "status", "feedbeef", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"id": "feedbeef", "exists": False}


def test_the_beginning_of_an_id_is_enough_while_it_is_the_only_one(db: Path) -> None:
    queue = JobQueue(db)
    for job_id in ("abcd1111", "abcd2222"):
        job = Job("n", FunctionReference("pipeline", "extract"))
        job.id = job_id
        queue.submit(job)
    assert "abcd1111" in run(db, "status", "abcd1").stdout
    both = run(db, "status", "abcd")
    assert both.exit_code == 1
    assert "abcd1111, abcd2222" in one_sentence(both)
    assert "first 4 characters" in one_sentence(run(db, "status", "abc"))


@pytest.mark.parametrize(
    "words", [["list"], ["workflows"], ["failures"], ["count", "--by", "state"]], ids=lambda w: w[0]
)
def test_a_limit_beyond_any_number_of_rows_is_none(db: Path, words: list[str]) -> None:
    JobQueue(db).close()
    result = run(db, *words, "--limit", str(10**30), "--json")
    assert result.exit_code == 0, result.output
    assert result.stdout == run(db, *words, "--limit", "1000", "--json").stdout


def test_list_is_newest_first_limited_and_filtered(db: Path) -> None:
    ids = [add(db, f"job{n}") for n in range(4)]
    end(db, ids[2], "failed")
    assert [j["id"] for j in json.loads(run(db, "list", "--json").stdout)] == ids[::-1]
    assert [j["name"] for j in json.loads(run(db, "list", "--limit", "2", "--json").stdout)] == [
        "job3",
        "job2",
    ]
    failed = run(db, "list", "--status", "failed").stdout.splitlines()
    assert failed[0].split() == ["ID", "Name", "Status", "Priority", "Created", "Updated"]
    assert failed[1].split()[:4] == [ids[2], "job2", "failed", "0"]
    assert "No jobs found." in run(db, "list", "--status", "timeout").stdout
    assert run(db, "list", "--status", "lost").exit_code == 2


def test_stats_counts_every_status(db: Path) -> None:
    end(db, add(db), "completed")
    add(db)
    counts = json.loads(run(db, "stats", "--json").stdout)
    assert counts == {**{s.value: 0 for s in JobStatus}, "pending": 1, "completed": 1, "total": 2}
    lines = [line.split() for line in run(db, "stats").stdout.splitlines()]
    assert lines[0] == ["Status", "Count"]
    assert lines[1:] == [[status, str(n)] for status, n in counts.items()]


def test_what_a_job_says_can_not_steer_the_terminal(db: Path) -> None:
    job_id = add(db, EVIL, params={EVIL: EVIL}, description=EVIL)
    end(db, job_id, EVIL, error=EVIL, result=json.dumps(EVIL), worker_id=EVIL)
    attempt(db, job_id, 1, EVIL)
    for args in (
        ["list"],
        ["status", job_id, "--show-params", "--show-result", "--show-executions"],
        ["status", job_id, "--json"],
        ["logs", job_id],
        ["logs", job_id, "--json"],
        ["cancel", job_id],
        ["cancel", EVIL],
    ):
        result = run(db, *args)
        for char in "\x1b\x00\u202e":
            assert char not in result.output, args
            assert char not in result.stderr, args
    assert "\\x1b[31mred\\x1b[0m [bold]b[/]" in run(db, "list").stdout


def test_a_result_that_json_has_no_word_for_does_not_spoil_the_output(db: Path) -> None:
    job_id = add(db)
    end(db, job_id, "completed", result="[NaN, Infinity]", params="{broken")
    told = json.loads(run(db, "status", job_id, "--json").stdout)
    assert told["result"] == ["nan", "inf"]
    assert told["params"] == "{broken"
    assert run(db, "status", job_id, "--show-params", "--show-result").exit_code == 0


# --- acting ----------------------------------------------------------------------------------


def test_cancel_and_requeue_take_several_ids_and_tell_of_each(db: Path) -> None:
    first, second, done = add(db), add(db), add(db)
    end(db, done, "completed")
    result = run(db, "cancel", first[:8], done, "feedbeef", second, "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert [(o["id"], o["change"], o["done"]) for o in told] == [
        (first, "cancelled", True),
        (done, "refused", False),
        ("feedbeef", "refused", False),
        (second, "cancelled", True),
    ]
    assert told[1]["reason"]
    result = run(db, "requeue", first, second)
    assert result.exit_code == 0
    assert result.stdout == f"Job {first} queued for retry.\nJob {second} queued for retry.\n"
    assert JobQueue(db).stats()["pending"] == 2


def test_a_refused_act_exits_with_1_and_says_why(db: Path) -> None:
    job_id = add(db)
    result = run(db, "requeue", job_id)
    assert result.exit_code == 1
    assert f"Could not retry job {job_id}: it is already waiting" in one_sentence(result)
    assert run(db, "cancel").exit_code == 2


def test_clear_deletes_what_ended_before(db: Path) -> None:
    old, new = add(db), add(db)
    end(db, old, "completed", completed_at="2020-01-01T00:00:00")
    end(db, new, "completed", completed_at="2999-01-01T00:00:00")
    assert json.loads(run(db, "clear", "--before", "30", "--json").stdout)["cleared"] == 1
    assert run(db, "clear").stdout == "Cleared 1 job: 1 completed.\n"
    assert run(db, "clear", "--before", "999999999").exit_code == 2


def test_pause_and_resume_hold_the_whole_queue(db: Path) -> None:
    add(db)
    assert run(db, "pause").exit_code == 0
    assert JobQueue(db).is_paused()
    assert json.loads(run(db, "resume", "--json").stdout) == {"paused": False}
    assert not JobQueue(db).is_paused()


def test_asking_a_worker_that_is_not_there_is_refused(db: Path) -> None:
    add(db)
    result = run(db, "ask", "w1", "drain")
    assert result.exit_code == 1
    assert "Worker w1 is not running" in one_sentence(result)
    assert run(db, "ask", "w1", "dance").exit_code == 2


def test_attach_names_missing_parents_and_detach_takes_everything_back(
    db: Path, data_folder: Path
) -> None:
    shutil.copy(data_folder / "gigq-0.1.0.db", db)
    said = run(db, "attach", str(db)).stdout
    assert "is attached" in said
    assert "00000000-0000-0000-0000-000000000000" in said
    told = json.loads(run(db, "attach", "--json").stdout)
    assert [m["name"] for m in told["missing_parents"]] == ["needs_nobody"]
    assert run(db, "detach").exit_code == 0
    conn = sqlite3.connect(db)
    names = [row[0] for row in conn.execute("SELECT name FROM sqlite_master")]
    parked = conn.execute("SELECT COUNT(*) FROM jobs WHERE retry_after LIKE '9999%'").fetchone()
    conn.close()
    assert not [name for name in names if name.startswith("core_")]
    assert parked == (0,)


# --- logs ------------------------------------------------------------------------------------


def test_logs_prints_the_latest_attempt_or_the_one_asked_for(db: Path) -> None:
    job_id = add(db)
    attempt(db, job_id, 1, "first\n")
    attempt(db, job_id, 2, "second\tline\nnaïve\n")
    assert run(db, "logs", job_id[:8]).stdout == "second\tline\nnaïve\n"
    assert run(db, "logs", job_id, "--attempt", "1").stdout == "first\n"
    told = json.loads(run(db, "logs", job_id, "--json").stdout)
    assert told == {
        "id": job_id,
        "attempt": 2,
        "attempts": 2,
        "execution_id": "execution-2",
        "status": "failed",
        "output": "second\tline\nnaïve\n",
    }
    assert run(db, "logs", job_id, "--follow").stdout == "second\tline\nnaïve\n"
    assert run(db, "logs", job_id, "--attempt", "3").exit_code == 1


def test_logs_shows_what_a_terminal_would_unless_the_bytes_are_asked_for(db: Path) -> None:
    job_id = add(db)
    printed = "1%\r99%\n\x1b[31mred\x1b[2J\n"
    attempt(db, job_id, 1, printed)
    assert run(db, "logs", job_id).stdout == "99%\nred\\x1b[2J\n"
    assert run(db, "logs", job_id, "--follow").stdout == "99%\nred\\x1b[2J\n"
    assert run(db, "logs", job_id, "--raw").stdout_bytes == printed.encode()
    assert json.loads(run(db, "logs", job_id, "--json").stdout)["output"] == printed


def test_logs_of_an_attempt_that_printed_nothing(db: Path) -> None:
    job_id = add(db)
    assert run(db, "logs", job_id).exit_code == 1
    attempt(db, job_id, 1, None)
    result = run(db, "logs", job_id)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "printed nothing" in result.stderr


@pytest.mark.parametrize("name", ["../../secret.txt", "/etc/passwd", "..", "nul\x00"])
def test_logs_does_not_follow_a_name_out_of_its_folder(db: Path, name: str) -> None:
    (db.parent / "secret.txt").write_text("secret")
    job_id = add(db)
    attempt(db, job_id, 1, "x")
    conn = sqlite3.connect(db)
    with conn:
        conn.execute("UPDATE job_executions SET output = ?", (name,))
    conn.close()
    assert run(db, "logs", job_id).stdout == ""
