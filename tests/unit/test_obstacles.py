"""Held locks and a full disk are noticed, and what passes by is not."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest

from gigq_core.inspection.doctor import NO_SPACE_BYTES
from gigq_core.system.file_locks import LockHolders, lock_holders, process_words
from gigq_tui.store import obstacles as module
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.list.view import View
from gigq_tui.store.obstacles import (
    READ_TOLD_S,
    WRITE_TOLD_S,
    Obstacles,
    ObstacleWatch,
)
from gigq_tui.store.reader import Reader
from tests.store_files import Writer
from tests.waiting import wait_until

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked")
HOLDER = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
c.execute(sys.argv[2])
c.execute("SELECT * FROM jobs").fetchall()
print("held", flush=True)
sys.stdin.readline()
"""


class Scene:
    """A watch whose clock, locks and disk the test moves."""

    def __init__(self) -> None:
        self.clock = FrozenClock(datetime(2026, 1, 1, tzinfo=timezone.utc))
        self.holders: LockHolders | None = LockHolders()
        self.room: int | None = 10**9
        self.watch = ObstacleWatch(
            Path("jobs.db"), self.clock, lambda _: self.holders, lambda _: self.room
        )

    def looks(self, seconds: float, version: int = 1) -> Obstacles:
        """Look once a second for so long."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            self.watch.look(version)
        return self.watch.now


@contextmanager
def held(path: Path, statement: str) -> Iterator[int]:
    """Another process in a transaction; its pid."""
    words = [sys.executable, "-c", HOLDER, str(path), statement]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield other.pid
        other.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.db"
    Writer(path).close()
    return path


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_write_lock_that_stays_is_told_and_forgotten_when_it_goes(scene: Scene) -> None:
    scene.holders = LockHolders(writer=7)
    assert scene.looks(WRITE_TOLD_S).writer is None
    assert scene.looks(2).writer == 7
    assert scene.watch.changed()
    assert scene.watch.tell().writer == 7
    assert not scene.watch.changed()
    scene.holders = LockHolders()
    assert scene.looks(1).writer is None
    assert scene.watch.changed()


def test_a_busy_writer_that_commits_holds_nobody_up(scene: Scene) -> None:
    scene.holders = LockHolders(writer=7)
    for version in range(100):
        assert scene.looks(1, version).writer is None


def test_writers_that_follow_each_other_are_no_obstacle(scene: Scene) -> None:
    for number in range(100):
        scene.holders = LockHolders(writer=7 + number % 2)
        assert scene.looks(1).writer is None


def test_a_reader_that_stays_is_told_and_those_who_come_and_go_are_not(scene: Scene) -> None:
    for number in range(int(READ_TOLD_S) + 1):
        scene.holders = LockHolders(readers=frozenset({7, 100 + number % 2}))
        scene.looks(1)
    assert scene.watch.now.reader == 7
    scene.holders = LockHolders(readers=frozenset({100}))
    assert scene.looks(2).reader is None


@pytest.mark.parametrize(
    ("room", "full"),
    [(None, False), (0, True), (NO_SPACE_BYTES - 1, True), (NO_SPACE_BYTES, False)],
)
def test_a_disk_without_room_is_told(scene: Scene, room: int | None, full: bool) -> None:
    scene.room = room
    assert scene.looks(1).disk_full is full


def test_where_locks_cannot_be_told_nothing_is(scene: Scene) -> None:
    scene.holders = None
    assert scene.looks(100) == Obstacles()


@linux_only
@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "BEGIN"])
def test_the_kernel_tells_who_holds_which_lock(path: Path, statement: str) -> None:
    with held(path, statement) as pid:
        found = lock_holders(path)
        assert found is not None
        assert found.writer == (pid if "IMMEDIATE" in statement else None)
        assert found.readers == {pid}
        assert process_words(pid).startswith(f"pid {pid} (")
    after = lock_holders(path)
    assert after in (None, LockHolders())
    assert process_words(2**22 + 1) == f"pid {2**22 + 1}"


@linux_only
def test_asking_who_holds_locks_drops_none(path: Path) -> None:
    own = sqlite3.connect(path, isolation_level=None)
    own.execute("BEGIN IMMEDIATE")
    assert lock_holders(path) == LockHolders(os.getpid(), frozenset({os.getpid()}))
    other = subprocess.run(
        [sys.executable, "-c", HOLDER, str(path), "BEGIN IMMEDIATE"],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert other.returncode != 0
    own.execute("COMMIT")
    own.close()


def test_nobody_holds_a_file_that_nobody_has_open(path: Path, tmp_path: Path) -> None:
    assert lock_holders(path) is None
    assert lock_holders(tmp_path / "none.db") is None


@linux_only
def test_a_snapshot_tells_of_a_lock_that_nothing_was_written_under(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WRITE_TOLD_S", 0.1)
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.05)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    reader = Reader(link)
    reader.snapshot(View())
    with held(path, "BEGIN IMMEDIATE") as pid:
        wait_until(reader.liveness_changed, what="the lock to be noticed")
        assert reader.snapshot(View()).info.obstacles.writer == pid
        assert not reader.liveness_changed()
    wait_until(reader.liveness_changed, what="the lock to be gone")
    assert reader.snapshot(View()).info.obstacles == Obstacles()
    reader.close()
