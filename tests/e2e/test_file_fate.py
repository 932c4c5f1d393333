"""The queue file misbehaves under the running console: it says so, keeps what it has, recovers."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gigq_core import Job, JobQueue
from gigq_core.system.identity import process_start
from tests import unprivileged
from tests.e2e.terminal import ConsoleTerminal
from tests.store_files import Writer, gigq_copy
from tests.waiting import wait_until

LIVE = r"(?m)live 1s *$"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A queue with three failed jobs, in a folder of its own, whole in one file."""
    folder = tmp_path / "queues"
    folder.mkdir()
    return queue_of(folder / "jobs.db", 3)


def queue_of(path: Path, failed: int) -> Path:
    writer = Writer(path)
    writer.many(failed, "bad", "failed", error="no such letter")
    writer.close()
    return path


def elsewhere(code: str, *words: str | Path) -> None:
    """Run Python in another process."""
    subprocess.run([sys.executable, "-c", code, *map(str, words)], check=True, timeout=60)


def pids_of(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    try:
        return [pid for (pid,) in connection.execute("SELECT pid FROM core_workers")]
    finally:
        connection.close()


def open_things(console: ConsoleTerminal) -> tuple[int, int]:
    """How many descriptors and threads the console has."""
    process = psutil.Process(console.process.pid)
    return process.num_fds(), process.num_threads()


def still_works(console: ConsoleTerminal, reason: str) -> None:
    """In trouble, the last rows stay, keys are answered, and what can't be done is said."""
    assert "bad0" in console.text()
    console.press("G")
    console.wait_for(r"^ *> +\w+ +bad0 ")
    console.press("\r")
    console.wait_for(r"> Job > ")
    console.wait_for(reason)
    console.press("\x1b")
    console.wait_for(r"\[1 All 3\]")
    console.press("r")
    console.wait_for(r"Retry 1 job\?")
    console.press("y")
    console.wait_for(rf"(?m)^ .*({reason})[^\n]*\n[^\n]*(\? help|open)")
    console.press("g")
    console.wait_for(r"^ *> +\w+ +bad2 ")


def test_a_file_that_goes_comes_back_and_is_another(path: Path, tmp_path: Path) -> None:
    with ConsoleTerminal(path, cwd=tmp_path) as console:
        console.wait_for(r"\[1 All 3\]")
        console.wait_for(r"bad0")
        still_open = open_things(console)
        away = tmp_path / "away"

        path.parent.rename(away)
        console.wait_for(r"stale \d+s: the file is gone")
        still_works(console, "gone|There is no file")
        assert not path.exists()
        away.rename(path.parent)
        console.wait_for(LIVE)

        path.rename(tmp_path / "away.db")
        console.wait_for(r"stale \d+s: the file is gone")
        path.mkdir()
        console.wait_for(r"stale \d+s: the file is a directory")
        path.rmdir()
        path.touch()
        console.wait_for(r"stale \d+s: the file is empty")
        console.press("r")
        console.wait_for(r"Retry 1 job\?")
        console.press("y")
        console.wait_for(r"(?m)^ .*is empty")
        assert path.stat().st_size == 0
        path.write_text("no database at all " * 300)
        console.wait_for(r"stale \d+s: the file is not an SQLite file")
        assert "bad2" in console.text()
        (tmp_path / "away.db").rename(path)
        console.wait_for(LIVE)

        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        queue_of(tmp_path / "other.db", 5).replace(path)
        console.wait_for(r"\[1 All 5\]")
        # A thread of an act that has ended may stay for the next one.
        wait_until(lambda: open_things(console)[0] <= still_open[0], what="descriptors as before")
        console.press("q")
        assert console.wait_for_end() == 0
        assert console.restored()


def test_a_file_that_is_locked_damaged_and_full(tmp_path: Path) -> None:
    path = gigq_copy(tmp_path, "gigq-0.1.0.db")  # in `delete` mode a writer shuts readers out
    with ConsoleTerminal(path, cwd=tmp_path) as console:
        console.wait_for(r"\[1 All (\d+)\]")
        console.wait_for(LIVE)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute("DELETE FROM jobs WHERE status = 'pending'")
        console.wait_for(r"stale \d+s: the file is locked by another process")
        console.press("4")
        console.wait_for(r"\[4 Fail")
        console.press("?")
        console.wait_for(r"Help")
        console.press("\x1b")
        console.wait_for(r"\[4 Fail")
        console.press("1")
        console.wait_for(r"\[1 All")
        holder.execute("COMMIT")
        holder.close()
        console.wait_for(LIVE)
        console.wait_for(r"2 Wait\w* 0")

        whole = Path(shutil.copy(path, tmp_path / "whole.db"))
        elsewhere(
            "import os, sys; s = os.path.getsize(sys.argv[1])\n"
            "with open(sys.argv[1], 'r+b') as f: f.write(os.urandom(s))",
            path,
        )
        console.press("\x12")
        console.wait_for(r"stale \d+s: the file")
        elsewhere(
            "import sys; d = open(sys.argv[2], 'rb').read()\n"
            "with open(sys.argv[1], 'r+b') as f: f.write(d)",
            path,
            whole,
        )
        console.wait_for(LIVE)
        console.press("q")
        assert console.wait_for_end() == 0


def test_a_disk_without_room_and_a_file_that_may_not_be_written(path: Path, tmp_path: Path) -> None:
    with ConsoleTerminal(path, cwd=tmp_path) as console:
        console.wait_for(r"\[1 All 3\]")
        console.wait_for(LIVE)
        before = resource.prlimit(console.process.pid, resource.RLIMIT_FSIZE)
        # Nothing can grow beyond this: for SQLite, the disk has no room for the WAL.
        resource.prlimit(console.process.pid, resource.RLIMIT_FSIZE, (64, before[1]))
        retry(console)
        console.wait_for(r"(?m)^ .*(its disk is full|disk I/O error)")
        resource.prlimit(console.process.pid, resource.RLIMIT_FSIZE, before)
        assert JobQueue(path).stats()["failed"] == 3

        # The write version of the file's header: one that SQLite doesn't know is read only.
        read_only(path, True)
        retry(console)
        console.wait_for(r"(?m)^ .*may not be written")
        assert "live" in console.text()
        read_only(path, False)
        retry(console)
        console.wait_for(r"bad2 +\. ready")
        console.press("q")
        assert console.wait_for_end() == 0


def retry(console: ConsoleTerminal) -> None:
    console.press("r")
    console.wait_for(r"Retry 1 job\?")
    console.press("y")


def read_only(path: Path, on: bool) -> None:
    """Take the file's WAL in, and mark it as written by a later SQLite, or by this one."""
    elsewhere(
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1])\n"
        "c.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall(); c.close()\n"
        "with open(sys.argv[1], 'r+b') as f: f.seek(18); f.write(bytes([int(sys.argv[2])]))",
        path,
        "3" if on else "2",
    )


def test_detached_attached_and_altered_while_it_is_looked_at(path: Path, tmp_path: Path) -> None:
    core = [sys.executable, "-m", "gigq_core", "--db", str(path)]
    with ConsoleTerminal(path, cwd=tmp_path) as console:
        console.wait_for(r"\[1 All 3\]")
        subprocess.run([*core, "detach"], check=True, capture_output=True, timeout=60)
        console.wait_for(r"GigQ's own file")
        console.press("\r")
        console.wait_for(r"no such letter")
        elsewhere(
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
            "c.execute('ALTER TABLE jobs ADD COLUMN colour TEXT DEFAULT \"grey-blue\"');"
            "c.execute('VACUUM'); c.commit()",
            path,
        )
        console.press("7")
        console.wait_for(r"\[7 Raw\]")
        console.press("G")
        console.wait_for(r"colour +grey-blue")
        console.press("\x1b")
        console.wait_for(r"\[1 All 3\]")
        subprocess.run([*core, "attach"], check=True, capture_output=True, timeout=60)
        console.wait_until_gone(r"GigQ's own file")
        console.press("q")
        assert console.wait_for_end() == 0


def test_a_storm_of_sizes_and_the_end_of_the_line(path: Path, tmp_path: Path) -> None:
    """The terminal is dragged about, then the connection breaks while a worker runs."""
    with ConsoleTerminal(path, cwd=tmp_path) as console:
        console.wait_for(r"\[1 All 3\]")
        for number in range(60):
            console.resize(20 + 37 * number % 180, 3 + 11 * number % 60)
            console.take()
        console.resize(100, 30)
        console.wait_for(r"\[1 All 3\]")
        console.wait_for(r"^ +ID\S* +NAME +ST")
        console.press("+")
        console.wait_for(r"Workers 1 ")
        (worker,) = wait_until(lambda: pids_of(path), what="the worker's row")
        console.hang_up()
        wait_until(lambda: process_start(console.process.pid) is None, what="the console's end")
    assert process_start(worker) is not None
    os.kill(worker, signal.SIGKILL)


@unprivileged.needs_another_user
def test_a_file_that_may_not_be_written_is_shown_and_followed(tmp_path: Path) -> None:
    path = tmp_path / "theirs" / "jobs.db"
    path.parent.mkdir()
    queue_of(path, 3)
    unprivileged.give_away(path.parent)
    with ConsoleTerminal(path, cwd=tmp_path, program=unprivileged.CONSOLE) as console:
        console.wait_for(r"\[1 All 3\]")
        console.wait_for("NO WRITE ACCESS")
        console.press("r")
        console.wait_for(r"Retry 1 job\?")
        console.press("y")
        console.wait_for("may not be written")
        # A writer comes: from here on it is read along with, as any other file.
        queue = JobQueue(path)
        queue.submit(Job("one", "os.getcwd"))
        console.wait_for(r"\[1 All 4\]")
        console.wait_until_gone("NO WRITE ACCESS")
        queue.submit(Job("two", "os.getcwd"))
        console.wait_for(r"\[1 All 5\]")
        queue.close()
        elsewhere(
            "import sys; from gigq_core import Job, JobQueue\n"
            "JobQueue(sys.argv[1]).submit(Job('three', 'os.getcwd'))",
            path,
        )
        console.wait_for(r"\[1 All 6\]")
        console.wait_for(LIVE)
        console.press("q")
        assert console.wait_for_end() == 0


@unprivileged.needs_another_user
def test_a_still_file_that_others_write_again_and_again_is_never_shown_old(tmp_path: Path) -> None:
    path = tmp_path / "theirs" / "jobs.db"
    path.parent.mkdir()
    queue_of(path, 1)
    unprivileged.give_away(path.parent)
    with ConsoleTerminal(path, cwd=tmp_path, program=unprivileged.CONSOLE) as console:
        console.wait_for(r"\[1 All 1\]")
        for number in range(2, 12):
            elsewhere(
                "import sys; from gigq_core import Job, JobQueue\n"
                "queue = JobQueue(sys.argv[1])\n"
                "queue.submit(Job('more', 'os.getcwd')); queue.close()",
                path,
            )
            console.wait_for(rf"\[1 All {number}\]")
        console.wait_for(LIVE)
        console.press("q")
        assert console.wait_for_end() == 0


@pytest.mark.parametrize("ends", [("-wal",), ("-shm",), ("-wal", "-shm")])
def test_a_wal_that_was_deleted_under_a_program_is_told_until_that_program_has_ended(
    path: Path, tmp_path: Path, ends: tuple[str, ...]
) -> None:
    code = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM jobs').fetchall()\n"
        "print('open', flush=True); sys.stdin.readline()\n"
    )
    words = [sys.executable, "-c", code, str(path)]
    with (
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder,
        ConsoleTerminal(path, cwd=tmp_path) as console,
    ):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        console.wait_for(r"\[1 All 3\]")
        console.wait_for(LIVE)
        for end in ends:
            path.with_name(path.name + end).unlink()
        console.wait_for(r"stale \d+s: the file lost its -wal or -shm")
        console.press("g")
        assert "bad0" in console.text()
        assert not re.search(LIVE, console.take())
        holder.kill()
        console.wait_for(LIVE)
        console.press("q")
        assert console.wait_for_end() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked who holds the lock")
def test_a_write_lock_that_stays_and_its_holder_are_named(path: Path, tmp_path: Path) -> None:
    code = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE')\n"
        "print('held', flush=True); sys.stdin.readline(); c.execute('ROLLBACK')\n"
        "print('free', flush=True); sys.stdin.readline()\n"
    )
    words = [sys.executable, "-c", code, str(path)]
    with (
        ConsoleTerminal(path, cwd=tmp_path) as console,
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder,
    ):
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        console.wait_for(rf"WRITE LOCK: pid {holder.pid}", 30)
        console.press("o")
        console.wait_for(rf"nobody can write: pid {holder.pid} .* keeps the write lock")
        console.press("\x1b")
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "free\n"
        console.wait_until_gone("WRITE LOCK")
        holder.kill()
        console.press("q")
        assert console.wait_for_end() == 0


def test_a_worker_whose_wal_was_deleted_loses_nothing_that_the_console_shows(
    path: Path, tmp_path: Path
) -> None:
    with ConsoleTerminal(path, cwd=tmp_path) as console:
        console.wait_for(r"\[1 All 3\]")
        console.press("+")
        console.wait_for(r"Workers 1 ")
        (pid,) = wait_until(lambda: pids_of(path), what="the worker's row")
        core = [sys.executable, "-m", "gigq_core", "--db", str(path)]
        subprocess.run([*core, "submit", "os.getcwd", "--name", "before"], check=True, timeout=60)
        console.wait_for(r"before +\+ done")
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink()
        # The worker notices it, brings what it holds into the file, and ends; the console may look
        # only then.
        wait_until(lambda: process_start(pid) is None, 60, "the worker's end")
        console.wait_for(LIVE)
        console.wait_for(r"before +\+ done")
        console.press("q")
        console.wait_for_end()
