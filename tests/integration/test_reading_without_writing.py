"""A file that may be read and not written is read, or the sentence says what reading needs."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.schema.still_file import StillFile
from tests import unprivileged
from tests.waiting import wait_until

pytestmark = unprivileged.needs_another_user
COMMANDS = {
    "stats": ("-m", "gigq_core", "stats"),
    "list": ("-m", "gigq_core", "list", "--json"),
    "doctor": ("-m", "gigq_core", "doctor"),
    "once": ("-m", "gigq_tui", "--once", "--json"),
}


def beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def queue_in(folder: Path, jobs: int = 3) -> Path:
    """A queue of which all stands in the file itself."""
    folder.mkdir()
    path = folder / "jobs.db"
    queue = JobQueue(path)
    for number in range(jobs):
        queue.submit(Job(f"job {number}", "os.getcwd"))
    queue.close()
    assert not beside(path, "-wal").exists()
    return path


def torn_from_a_worker(folder: Path, *ends: str) -> Path:
    """A copy of a queue that is in use, with what is told of the files beside it."""
    source = queue_in(folder.with_name("source"))
    holder = sqlite3.connect(source)
    holder.execute("SELECT * FROM jobs").fetchall()
    JobQueue(source).submit(Job("job 3", "os.getcwd"))
    folder.mkdir()
    for end in ("", *ends):
        shutil.copy(beside(source, end), beside(folder / "jobs.db", end))
    holder.close()
    return folder / "jobs.db"


def whole(folder: Path) -> Path:
    return queue_in(folder)


def with_an_empty_wal(folder: Path) -> Path:
    path = queue_in(folder)
    beside(path, "-wal").touch()
    return path


def with_wal_and_index(folder: Path) -> Path:
    return torn_from_a_worker(folder, "-wal", "-shm")


def with_a_wal_alone(folder: Path) -> Path:
    return torn_from_a_worker(folder, "-wal")


def with_a_hot_journal(folder: Path) -> Path:
    """Killed in the middle of a change, in GigQ's old journal mode."""
    path = queue_in(folder)
    code = (
        "import os, sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA journal_mode = DELETE'); c.execute('PRAGMA cache_size = 1')\n"
        "c.execute('BEGIN'); c.execute('CREATE TABLE much (x)')\n"
        "c.executemany('INSERT INTO much VALUES (?)', [('x' * 3000,)] * 500)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert beside(path, "-journal").stat().st_size
    return path


def with_an_unreadable_index(folder: Path) -> Path:
    path = with_wal_and_index(folder)
    beside(path, "-shm").chmod(0)
    return path


# Which make takes which permissions of files and folder, and what comes of it: how many jobs are
# shown, or a part of the sentence.
SITUATIONS: list[tuple[Callable[[Path], Path], int, int, int | str]] = [
    (whole, 0o444, 0o555, 3),
    (whole, 0o444, 0o777, 3),
    (whole, 0o666, 0o555, 3),
    (with_an_empty_wal, 0o444, 0o555, 3),
    (with_wal_and_index, 0o444, 0o555, 4),
    (with_a_wal_alone, 0o444, 0o555, "needs jobs.db-shm"),
    (with_an_unreadable_index, 0o444, 0o555, "needs jobs.db-shm"),
    (with_a_hot_journal, 0o444, 0o555, "left in the middle of a change"),
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("situation", range(len(SITUATIONS)))
def test_what_can_be_read_is_read_and_nothing_old_is_shown(
    tmp_path: Path, situation: int, command: str
) -> None:
    make, files, itself, expected = SITUATIONS[situation]
    path = make(tmp_path / "theirs")
    unreadable = [p for p in path.parent.iterdir() if not p.stat().st_mode & 0o444]
    unprivileged.give_away(path.parent, files=files, itself=itself)
    for hidden in unreadable:
        hidden.chmod(0)
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}

    module, *words = COMMANDS[command][1:]
    file = [str(path)] if module == "gigq_tui" else ["--db", str(path)]
    done = unprivileged.run("-m", module, *file, *words)

    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before
    if isinstance(expected, str):
        assert done.returncode == 2
        assert expected in done.stderr
        assert done.stdout == ""
        return
    assert done.returncode in (0, 1) if command == "doctor" else done.returncode == 0
    if command == "list":
        assert len(json.loads(done.stdout)) == expected
    if command == "once":
        answer = json.loads(done.stdout)
        assert answer["counts"]["total"] == expected
        assert (answer["file"]["journal_mode"] == "immutable") == (expected == 3)
    if command == "stats":
        assert f"total      {expected}" in done.stdout
        assert ("read as it is" in done.stderr) == (expected == 3)


@pytest.mark.parametrize("make", [whole, with_wal_and_index])
def test_what_writes_says_that_it_may_not_and_leaves_nothing_beside_it(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    """A WAL that somebody else owns would keep the owner's workers out."""
    path = make(tmp_path / "theirs")
    unprivileged.give_away(path.parent, itself=0o777)
    before = sorted(p.name for p in path.parent.iterdir())
    for words in (["submit", "os.getcwd"], ["pause"], ["worker", "--once"]):
        done = unprivileged.run("-m", "gigq_core", "--db", path, *words)
        assert done.returncode == 2
        assert "may not be written" in done.stderr
    assert sorted(p.name for p in path.parent.iterdir()) == before


def test_a_live_worker_is_read_along_with(tmp_path: Path) -> None:
    path = queue_in(tmp_path / "theirs")
    holder = sqlite3.connect(path)
    holder.execute("SELECT * FROM jobs").fetchall()
    unprivileged.give_away(path.parent)
    JobQueue(path).submit(Job("new", "os.getcwd"))
    done = unprivileged.run("-m", "gigq_tui", path, "--once", "--json")
    holder.close()
    answer = json.loads(done.stdout)
    assert answer["counts"]["total"] == 4
    assert answer["file"]["journal_mode"] == "wal"


@pytest.fixture
def still(tmp_path: Path) -> tuple[Path, StillFile]:
    path = queue_in(tmp_path / "queue")
    return path, StillFile(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a writer opens it": lambda path: sqlite3.connect(path).execute("SELECT * FROM jobs"),
    "a journal appears": lambda path: beside(path, "-journal").write_text("x"),
    "it is written": lambda path: path.open("r+b").write(path.read_bytes()[:100]),
    "it is touched": lambda path: os.utime(path),
    "it grows": lambda path: path.open("ab").write(b"x"),
    "another takes its place": lambda path: (
        shutil.copy(path, path.with_name("n")) and os.replace(path.with_name("n"), path)
    ),
    "it goes": lambda path: path.unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_a_still_file_is_seen(still: tuple[Path, StillFile], change: str) -> None:
    path, seen = still
    assert not seen.changed()
    held = CHANGES[change](path)
    wait_until(seen.changed, 2, "the change to be seen")
    del held
