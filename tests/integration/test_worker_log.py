"""The worker's own log: nobody who does not read it holds up a job, and it has an end."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from gigq_tui.actions.workers.pool import WorkerPool
from gigq_tui.actions.workers.setup import WorkerSetup
from tests.integration import chores
from tests.integration.conftest import ROOT, Place
from tests.waiting import wait_until

# Their lines are several times what a pipe or a terminal takes in.
MANY = 1500


def start(place: Place, stderr: int, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gigq_core", "--db", str(place.db), "worker"]
    return subprocess.Popen(
        [*command, "--chdir", str(ROOT), "--concurrency", "2", *options],
        stdin=subprocess.DEVNULL,
        stdout=stderr,
        stderr=stderr,
        start_new_session=True,
    )


def run_many(place: Place) -> None:
    jobs = [Job(f"job {n}", chores.nothing) for n in range(MANY)]
    place.queue.submit_many(jobs)
    wait_until(
        lambda: place.queue.stats()["completed"] == MANY, timeout_s=60, what="all jobs to end"
    )


def end(place: Place, worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """It beats, drains with a job at work, and ends."""
    job_id = place.submit(chores.note_twice, params={"path": str(tmp_path / "held")})
    place.lines("held")
    os.kill(worker.pid, signal.SIGTERM)
    wait_until(
        lambda: place.rows("SELECT 1 FROM core_workers WHERE state = 'draining'"), what="the drain"
    )
    (tmp_path / "held.go").touch()
    assert worker.wait(timeout=20) == 0
    assert place.status(job_id) == "completed"
    assert place.live_workers() == set()


@pytest.mark.parametrize("where", ["pipe", "terminal"])
def test_a_reader_that_does_not_read_holds_up_nothing(
    place: Place, tmp_path: Path, where: str
) -> None:
    if where == "pipe":
        reads, writes = os.pipe()
    else:
        reads, writes = pty.openpty()
        # As ctrl+s does.
        termios.tcflow(writes, termios.TCOOFF)
    worker = start(place, writes)
    try:
        run_many(place)
        end(place, worker, tmp_path)
    finally:
        worker.kill()
        worker.wait()
        os.close(reads)
        os.close(writes)


def test_one_that_reads_late_gets_every_line(place: Place, tmp_path: Path) -> None:
    reads, writes = os.pipe()
    worker = start(place, writes)
    os.close(writes)
    try:
        run_many(place)
        os.kill(worker.pid, signal.SIGTERM)
        with open(reads, "rb") as file:
            lines = file.read().decode().splitlines()
        assert worker.wait(timeout=20) == 0
    finally:
        worker.kill()
        worker.wait()
    assert sum(line.endswith(" completed") for line in lines) == MANY
    assert lines[0].startswith("Starting worker")


def test_a_reader_that_is_gone_holds_up_nothing(place: Place, tmp_path: Path) -> None:
    reads, writes = os.pipe()
    worker = start(place, writes)
    os.close(reads)
    os.close(writes)
    try:
        run_many(place)
        end(place, worker, tmp_path)
    finally:
        worker.kill()
        worker.wait()


def test_what_it_can_not_go_on_with_reaches_a_reader(place: Place) -> None:
    place.worker("--worker-id", "same")
    command = [sys.executable, "-m", "gigq_core", "--db", str(place.db), "worker"]
    done = subprocess.run(
        [*command, "--worker-id", "same", "--log-file", str(place.folder / "own.log")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    sentence = "Error: A worker same already works on this file"
    assert done.returncode == 1
    assert sentence in done.stderr
    assert sentence in (place.folder / "own.log").read_text()
    assert "Traceback" not in done.stderr


def test_a_log_file_begins_anew_when_it_is_full(place: Place) -> None:
    log = place.folder / "own.log"
    place.worker("--log-file", str(log), "--log-size", "4K", "--log-keep", "2")
    place.ended(*[place.submit(chores.nothing) for _ in range(200)])
    wait_until(lambda: (place.folder / "own.log.2").exists(), what="the second file")
    sizes = [path.stat().st_size for path in place.folder.glob("own.log*")]
    assert len(sizes) == 3
    assert all(size <= 4096 for size in sizes)
    row = place.rows("SELECT log_path FROM core_workers")[0]
    assert row["log_path"] == str(log)
    # Nothing of it on stderr.
    assert "completed" not in place.log()


def test_sighup_opens_a_log_file_anew_and_ends_nobody(place: Place) -> None:
    log = place.folder / "own.log"
    worker = place.worker("--log-file", str(log))
    place.end(place.submit(chores.nothing))
    wait_until(lambda: "completed" in log.read_text(), what="the line")
    os.rename(log, place.folder / "moved.log")
    os.kill(worker.pid, signal.SIGHUP)
    wait_until(log.exists, what="a new file")
    job_id = place.submit(chores.nothing, name="after")
    place.end(job_id)
    wait_until(lambda: "after" in log.read_text(), what="the line in the new file")
    assert "after" not in (place.folder / "moved.log").read_text()
    assert place.rows("SELECT state FROM core_workers") == [{"state": "running"}]
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(timeout=20) == 0


@pytest.mark.parametrize("size", ["", "ten", "-1", "1X", "1e3", "M"])
def test_a_size_that_is_none_is_refused(place: Place, size: str) -> None:
    log = place.folder / "worker.log"
    command = [sys.executable, "-m", "gigq_core", "--db", str(place.db), "worker", "--once"]
    done = subprocess.run(
        [*command, "--log-file", str(log), f"--log-size={size}"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "is not a size: write 500K, 16M or 2G" in done.stderr
    assert not log.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--max-result", "513M"),
        ("--max-result", "0"),
        ("--isolation", "thread", "--jobs-per-child", "2"),
        ("--isolation", "thread", "--max-child-memory", "1G"),
        ("--concurrency", "0"),
        ("--grace", "-1"),
        ("--stop-within", "-1"),
        ("--log-keep", "-1"),
        ("--chdir", "no/such/folder"),
        ("--json",),
    ],
    ids=" ".join,
)
def test_what_is_refused_leaves_no_log(tmp_path: Path, words: tuple[str, ...]) -> None:
    log = tmp_path / "worker.log"
    command = [sys.executable, "-m", "gigq_core", "--db", str(tmp_path / "jobs.db"), "worker"]
    done = subprocess.run(
        [*command, "--log-file", str(log), *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_log_file_that_can_not_be_written_is_said(place: Place) -> None:
    command = [sys.executable, "-m", "gigq_core", "--db", str(place.db), "worker", "--once"]
    done = subprocess.run(
        [*command, "--log-file", str(place.folder / "no" / "such")], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "can't be written: No such file or directory" in done.stderr


def test_a_worker_of_the_console_keeps_one_whole_log(place: Place, tmp_path: Path) -> None:
    """What it logs, and what goes past its logging, stands in one file."""
    (tmp_path / "printing.py").write_text(
        "import os\n\n\ndef say():\n    os.write(2, b'of the job\\n')\n"
    )
    pool = WorkerPool(place.db, WorkerSetup(sys.executable, tmp_path))
    worker = pool.spawn()
    try:
        queue = JobQueue(place.db)
        job_id = queue.submit(Job("says", FunctionReference("printing", "say")))
        place.end(job_id)
        wait_until(lambda: "completed" in worker.log_path.read_text(), what="the line")
        text = worker.log_path.read_text()
        assert text.startswith(f"Starting worker {worker.worker_id}...\n")
        assert text.count("\n") == len([line for line in text.splitlines() if line])
    finally:
        pool.end_all(10)
