"""Somebody deletes the WAL or the index while a queue is in use: what was committed stays."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gigq_core import JobQueue
from gigq_core.errors import FilesLost
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
DELETED = [("-wal",), ("-shm",), ("-wal", "-shm")]
# Without its WAL alone, SQLite lets nobody in while somebody holds the index.
LETS_OTHERS_IN = DELETED[1:]

SUBMITTER = """
import sys
from gigq_core import Job, JobQueue
from gigq_core.errors import DatabaseError
queue = JobQueue(sys.argv[1])
print(queue.submit(Job("early", "tests.integration.chores.nothing")), flush=True)
for line in sys.stdin:
    try:
        print(queue.submit(Job("late", "tests.integration.chores.nothing")), flush=True)
    except DatabaseError as problem:
        print("Refused:", problem, flush=True)
"""


class Scene:
    """A queue file and the processes that a test starts on it."""

    def __init__(self, db: Path) -> None:
        self.db = db
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, *command: str) -> subprocess.Popen[str]:
        log = self.db.with_name(f"said-{len(self._processes)}.log").open("w")
        with log:
            process = subprocess.Popen(
                [sys.executable, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def worker(self, *options: str) -> subprocess.Popen[str]:
        process = self.start("-m", "gigq_core", "--db", str(self.db), "worker", *options)
        # Its beginning is in its log before it is in the file, which nobody else may open here.
        wait_until(lambda: process.poll() is not None or self.is_held_by(process), what="the file")
        return process

    def is_held_by(self, process: subprocess.Popen[str]) -> bool:
        """Whether the process has the index open: it stands in its memory's map."""
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        return f"{self.db}-shm" in maps

    def submit(self, *options: str) -> str:
        command = [sys.executable, "-m", "gigq_core", "--db", str(self.db), "submit", *options]
        answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        return answer.stdout.split()[-1]

    def delete(self, suffixes: tuple[str, ...]) -> None:
        for suffix in suffixes:
            os.unlink(f"{self.db}{suffix}")

    def said(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.db.parent.glob("said-*.log")))

    def ids(self) -> dict[str, str]:
        """Every job with its status, once nobody works on the file; it must be whole."""
        conn = sqlite3.connect(self.db)
        try:
            assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            return dict(conn.execute("SELECT id, status FROM jobs").fetchall())
        finally:
            conn.close()

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                assert stream is not None
                stream.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    if sys.platform != "linux":
        pytest.skip("asks /proc who holds the file")
    made = Scene(tmp_path / "jobs.db")
    yield made
    made.close()


def works_off(scene: Scene) -> dict[str, str]:
    """What becomes of all jobs once a new worker has had them."""
    for _ in range(20):
        command = [sys.executable, "-m", "gigq_core", "--db", str(scene.db), "worker", "--once"]
        answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        if "No jobs" in answer.stdout:
            break
    return scene.ids()


@pytest.mark.parametrize("isolation", ["process", "thread"])
@pytest.mark.parametrize("suffixes", DELETED)
def test_a_worker_whose_wal_is_deleted_ends_and_everything_is_in_the_file(
    scene: Scene, suffixes: tuple[str, ...], isolation: str
) -> None:
    submitter = scene.start("-c", SUBMITTER, str(scene.db))
    assert submitter.stdout is not None
    early = submitter.stdout.readline().strip()
    noted = scene.db.with_name("held")
    held = scene.submit(
        *("tests.integration.chores.hold", "-p", f"path={noted}", "-p", "seconds=1.0")
    )
    worker = scene.worker("--isolation", isolation, "--grace", "1")
    wait_until(noted.exists, what=f"the job to run: {scene.said()}")
    submitter.kill()
    submitter.wait()

    scene.delete(suffixes)

    assert worker.wait(timeout=30) == 1
    # It is told at the first of them.
    assert f"{scene.db.name}{suffixes[0]}" in scene.said()
    assert "deleted or replaced" in scene.said()
    assert "Traceback" not in scene.said()
    assert works_off(scene) == {early: "completed", held: "completed"}


@pytest.mark.parametrize("suffixes", LETS_OTHERS_IN)
def test_a_job_submitted_behind_a_deleted_wal_outlasts_the_worker_that_had_it_open(
    scene: Scene, suffixes: tuple[str, ...]
) -> None:
    scene.submit("tests.integration.chores.nothing")
    worker = scene.worker()
    wait_until(lambda: "completed" in scene.said(), what="the worker to be idle")
    # It can't notice before the submitter is done.
    worker.send_signal(signal.SIGSTOP)
    scene.delete(suffixes)
    late = scene.submit("tests.integration.chores.nothing")
    worker.send_signal(signal.SIGCONT)

    assert worker.wait(timeout=30) == 1
    assert works_off(scene)[late] == "completed"


@pytest.mark.parametrize("suffixes", DELETED)
def test_a_program_is_not_told_that_its_job_was_submitted_into_a_deleted_wal(
    scene: Scene, suffixes: tuple[str, ...]
) -> None:
    program = scene.start("-c", SUBMITTER, str(scene.db))
    assert program.stdin is not None
    assert program.stdout is not None
    early = program.stdout.readline().strip()
    scene.delete(suffixes)

    for _ in range(2):
        program.stdin.write("again\n")
        program.stdin.flush()
        assert "deleted or replaced" in program.stdout.readline()
    late = scene.submit("tests.integration.chores.nothing")
    program.stdin.write("again\n")
    program.stdin.flush()
    assert "deleted or replaced" in program.stdout.readline()
    program.stdin.close()
    program.wait(timeout=20)

    assert set(scene.ids()) == {early, late}


@pytest.mark.parametrize("suffixes", LETS_OTHERS_IN)
def test_an_idle_program_that_ends_takes_no_later_job_with_it(
    scene: Scene, suffixes: tuple[str, ...]
) -> None:
    program = scene.start("-c", SUBMITTER, str(scene.db))
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdout.readline()
    scene.delete(suffixes)
    late = scene.submit("tests.integration.chores.nothing")
    program.stdin.close()
    assert program.wait(timeout=20) == 0
    assert late in scene.ids()


def replaced(db: Path) -> None:
    other = db.with_name("other.db")
    queue = JobQueue(other)
    queue.close()
    os.replace(other, db)


@pytest.mark.parametrize("harm", [Path.unlink, replaced])
def test_a_queue_whose_file_is_deleted_or_replaced_says_so_and_can_be_opened_anew(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    db = tmp_path / "jobs.db"
    queue = JobQueue(db)
    harm(db)
    with pytest.raises(FilesLost, match="deleted or replaced"):
        queue.pause()
    with pytest.raises(FilesLost):
        queue.stats()
    queue.close()
    again = JobQueue(db)
    assert again.stats()["total"] == 0


def test_a_second_thread_does_not_read_the_new_wal_by_the_old_index(tmp_path: Path) -> None:
    db = tmp_path / "jobs.db"
    # What is in the WAL alone goes with it, the tables too.
    JobQueue(db).close()
    queue = JobQueue(db)
    for suffix in ("-wal", "-shm"):
        db.with_name(db.name + suffix).unlink()
    subprocess.run(
        [sys.executable, "-m", "gigq_core", "--db", str(db), "pause"], check=True, cwd=ROOT
    )
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool, pytest.raises(FilesLost):
        pool.submit(queue.stats).result()
