"""The `gigq-core` command as a process: pipes, terminals, signals, and what it loads."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from tests.waiting import wait_until

COMMAND = [sys.executable, "-m", "gigq_core"]


@pytest.fixture
def db(tmp_path: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path for a queue; the current folder holds `pipeline.py` and a job that never ends."""
    shutil.copy(data_folder / "pipeline.py", tmp_path)
    (tmp_path / "endless.py").write_text(
        "def run(mark):\n    open(mark, 'w').close()\n    while True: pass\n"
        "def until(mark, end):\n    import os\n    open(mark, 'w').close()\n"
        "    while not os.path.exists(end): pass\n    return 'done'\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "q.db"


def run(db: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--db", str(db), *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def start(db: Path, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "--db", str(db), *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def add(db: Path, function: str, **options: object) -> str:
    reference = FunctionReference.parse(function)
    return JobQueue(db).submit(Job(reference.name, reference, **options))  # type: ignore[arg-type]


def on_a_terminal(db: Path, *args: str) -> str:
    """What the command writes to a terminal of 80 columns."""
    ours, its = pty.openpty()
    env = {**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [*COMMAND, "--db", str(db), *args],
        stdin=its,
        stdout=its,
        stderr=its,
        env=env,
        close_fds=True,
    )
    os.close(its)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    assert process.wait(30) == 0
    return written.decode()


def test_help_and_submit_load_neither_rich_nor_the_workers() -> None:
    ask = (
        "import sys\nfrom gigq_core.cli.main import cli\n"
        "try: cli.main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in sys.modules if name.split('.')[0] in"
        " ('rich', 'psutil', 'watchfiles', 'textual', 'gigq_tui')"
        " or name.startswith('gigq_core.worker')])"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_terminal_gets_a_table_and_a_pipe_gets_text(db: Path) -> None:
    queue = JobQueue(db)
    job_id = queue.submit(Job("[bold red]x[/] \x1b[31m", FunctionReference("pipeline", "extract")))
    shown = on_a_terminal(db, "list")
    assert "\x1b[" in shown
    assert "[bold red]x[/] \\x1b[31m" in shown
    assert job_id not in shown
    assert job_id[:8] in shown
    piped = run(db, "list").stdout
    assert "\x1b" not in piped
    assert job_id in piped


def test_a_reader_that_goes_away_is_no_error(db: Path) -> None:
    queue = JobQueue(db)
    function = FunctionReference("pipeline", "extract")
    queue.submit_many([Job(f"job{n}" * 20, function) for n in range(2_000)])
    process = start(db, "list", "--limit", "2000")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_following_ends_quietly_with_ctrl_c(db: Path) -> None:
    job_id = add(db, "endless.run", params={"mark": "m"})
    import sqlite3

    conn = sqlite3.connect(db)
    with conn:
        conn.execute(
            "INSERT INTO job_executions (id, job_id, worker_id, status, started_at)"
            " VALUES ('e1', ?, 'w', 'running', '2026-01-01T00:00:00')",
            (job_id,),
        )
    conn.close()
    output = Path(f"{db}-logs/attempts/e1.log")
    output.parent.mkdir(parents=True)
    output.write_text("so far\n")
    process = start(db, "logs", job_id, "--follow")
    assert process.stdout is not None
    assert process.stdout.readline() == "so far\n"
    with output.open("a") as more:
        more.write("and on\n")
    assert process.stdout.readline() == "and on\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out.strip(), err.strip()) == (130, "", "")


def test_a_worker_runs_one_job_and_ends(db: Path) -> None:
    job_id = add(db, "pipeline.extract", params={"source": "x"})
    first = run(db, "worker", "--once")
    assert (first.returncode, first.stdout) == (0, "Processed one job.\n"), first.stderr
    assert JobQueue(db).get_result(job_id) == {"source": "x", "rows": 100}
    second = run(db, "worker", "--once", "--json")
    assert json.loads(second.stdout) == {"processed": False}


def test_a_worker_finishes_what_runs_when_it_is_asked_to_end(db: Path) -> None:
    job_id = add(db, "endless.until", params={"mark": "started", "end": "end"})
    later = add(db, "pipeline.extract", params={"source": "x"}, priority=-1)
    worker = start(db, "worker", "--worker-id", "w1")
    wait_until(Path("started").exists, what="the job to start")
    told = json.loads(run(db, "workers", "--json").stdout)
    assert [(w["id"], w["pid"], w["alive"], w["owner"]) for w in told] == [
        ("w1", worker.pid, True, "cli")
    ]
    refused = run(db, "detach")
    assert refused.returncode == 1
    assert "w1" in refused.stderr
    worker.send_signal(signal.SIGTERM)
    wait_until(
        lambda: json.loads(run(db, "workers", "--json").stdout)[0]["state"] == "draining",
        what="the worker to drain",
    )
    Path("end").touch()
    worker.communicate(timeout=30)
    assert worker.returncode == 0
    queue = JobQueue(db)
    assert queue.get_result(job_id) == "done"
    assert queue.get_status(later)["status"] == "pending"
    assert run(db, "workers").stdout == "No workers found.\n"
    assert run(db, "detach").returncode == 0


def test_a_second_signal_gives_the_job_back(db: Path) -> None:
    job_id = add(db, "endless.run", params={"mark": "started"})
    worker = start(db, "worker", "--grace", "0.2")
    wait_until(Path("started").exists, what="the job to start")
    worker.send_signal(signal.SIGTERM)
    wait_until(
        lambda: json.loads(run(db, "workers", "--json").stdout)[0]["state"] == "draining",
        what="the worker to drain",
    )
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=30)
    assert worker.returncode == 128 + signal.SIGTERM
    found = JobQueue(db).get_status(job_id)
    assert (found["status"], found["attempts"]) == ("pending", 0)


def test_cancel_stops_a_running_job(db: Path) -> None:
    job_id = add(db, "endless.run", params={"mark": "started"})
    worker = start(db, "worker", "--grace", "0.2")
    wait_until(Path("started").exists, what="the job to start")
    said = run(db, "cancel", job_id)
    assert said.stdout == f"Job {job_id} is being cancelled.\n"
    queue = JobQueue(db)
    wait_until(lambda: queue.get_status(job_id)["status"] == "cancelled", what="the job to stop")
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=30)
    assert worker.returncode == 0


def test_two_workers_can_not_have_one_id(db: Path) -> None:
    add(db, "pipeline.extract", params={"source": "x"})
    worker = start(db, "worker", "--worker-id", "w1")
    wait_until(lambda: "w1" in run(db, "workers").stdout, what="the worker")
    second = run(db, "worker", "--worker-id", "w1")
    assert second.returncode == 1
    assert "w1" in second.stderr
    assert "Traceback" not in second.stderr
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=30)


@pytest.mark.parametrize(
    "args",
    [
        ["--concurrency", "0"],
        ["--chdir", "nowhere"],
        ["--isolation", "magic"],
        ["--polling-interval", "nan"],
        ["--json"],
    ],
)
def test_a_worker_is_not_started_on_wrong_usage(db: Path, args: list[str]) -> None:
    result = run(db, "worker", *args)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert not db.exists()
