"""Whatever becomes of the file under the feed: it says so, and comes back by itself."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core.schema.attach import detach
from gigq_tui.store import feed as feed_module
from gigq_tui.store.clock import SYSTEM_CLOCK, Clock
from gigq_tui.store.feed import Feed
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Snapshot
from gigq_tui.store.reader import Reader
from tests.store_files import Writer, gigq_copy
from tests.waiting import wait_until


class Ear:
    """Hears a feed: what stands in the header, and what was last shown."""

    def __init__(self) -> None:
        self.said: list[str | Snapshot] = []

    def snapshot(self, snapshot: Snapshot) -> None:
        self.said.append(snapshot)

    def trouble(self, text: str, since: object) -> None:
        self.said.append(text)

    @property
    def trouble_now(self) -> str:
        last = self.said[-1] if self.said else ""
        return last if isinstance(last, str) else ""

    @property
    def last(self) -> Snapshot:
        return next(said for said in reversed(self.said) if isinstance(said, Snapshot))

    def wait_for_trouble(self, words: str) -> None:
        wait_until(lambda: words in self.trouble_now, 10, words)

    def wait_for_jobs(self, count: int) -> None:
        def shown() -> bool:
            last = self.said[-1] if self.said else None
            return isinstance(last, Snapshot) and last.counts.total == count

        wait_until(shown, 10, f"{count} jobs")


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def feed_of(ear: Ear) -> Iterator[Callable[..., Feed]]:
    feeds: list[Feed] = []

    def start(path: Path, **options: Any) -> Feed:
        feed = Feed(path, SYSTEM_CLOCK, ear.snapshot, ear.trouble, **options)
        feeds.append(feed)
        feed.start()
        return feed

    yield start
    for feed in feeds:
        feed.close()


def queue_with(path: Path, jobs: int) -> Path:
    """A whole queue in one file, without a WAL beside it."""
    writer = Writer(path)
    writer.many(jobs)
    writer.close()
    return path


def elsewhere(code: str, *words: str | Path) -> None:
    """Run Python in another process: one that has the file open must not open it by itself."""
    subprocess.run([sys.executable, "-c", code, *map(str, words)], check=True, timeout=60)


def put_into(path: Path, source: Path) -> None:
    """Write what is in `source` over what is in `path`, which stays the same file."""
    code = (
        "import sys; data = open(sys.argv[2], 'rb').read()\n"
        "with open(sys.argv[1], 'r+b') as file: file.write(data); file.truncate()"
    )
    elsewhere(code, path, source)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("at", [0, 4096], ids=["header", "pages"])
def test_a_damaged_file_is_read_again_once_it_is_whole(
    at: int, tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    whole = queue_with(tmp_path / "whole.db", 3)
    data = whole.read_bytes()
    path = tmp_path / "jobs.db"
    path.write_bytes(data[:at] + b"\xa5" * (len(data) - at))
    feed_of(path)
    wait_until(lambda: ear.trouble_now)
    assert path.name in ear.trouble_now
    # In place: of the same file a reader may keep bad pages for ever.
    put_into(path, whole)
    ear.wait_for_jobs(3)


def test_a_file_that_is_emptied(tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]) -> None:
    whole = queue_with(tmp_path / "whole.db", 3)
    path = Path(shutil.copy(whole, tmp_path / "jobs.db"))
    feed = feed_of(path)
    ear.wait_for_jobs(3)
    elsewhere("import os, sys; os.truncate(sys.argv[1], 0)", path)
    feed.refresh()
    ear.wait_for_trouble("jobs.db")
    assert ear.last.counts.total == 3
    put_into(path, whole)
    ear.wait_for_jobs(3)


@pytest.mark.parametrize("kind", ["empty", "text", "directory", "pipe", "other"])
def test_something_else_in_its_place(
    kind: str, tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = queue_with(tmp_path / "jobs.db", 3)
    feed_of(path)
    ear.wait_for_jobs(3)
    other = tmp_path / "other"
    if kind == "directory":
        other.mkdir()
    elif kind == "pipe":
        os.mkfifo(other)
    elif kind == "other":
        sqlite3.connect(other).execute("CREATE TABLE t (a)").connection.close()
    else:
        other.write_text("" if kind == "empty" else "no database " * 500)
    path.rename(tmp_path / "away.db")
    other.rename(path)
    ear.wait_for_trouble("jobs.db")
    path.rename(tmp_path / "odd")
    (tmp_path / "away.db").rename(path)
    ear.wait_for_jobs(3)


def test_a_folder_that_goes_and_comes_is_watched_again(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "queues"
    folder.mkdir()
    path = queue_with(folder / "jobs.db", 1)
    feed_of(path)
    ear.wait_for_jobs(1)
    shutil.rmtree(folder)
    ear.wait_for_trouble("gone")
    folder.mkdir()
    queue_with(path, 2)
    ear.wait_for_jobs(2)
    # From here on only an event of the folder can tell of a change in time.
    monkeypatch.setattr(feed_module, "FLOOR_S", 600.0)
    wait_until(lambda: ear.last.counts.total == 2)
    time_passes(1.2)
    writer = Writer(path)
    writer.job("new")
    ear.wait_for_jobs(3)
    writer.close()


def time_passes(seconds: float) -> None:
    """Let a feed come to the pause it begins when nothing happens."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until)


def test_vacuum_checkpoint_and_another_schema_are_only_news(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = queue_with(tmp_path / "jobs.db", 3)
    feed_of(path)
    ear.wait_for_jobs(3)
    other = sqlite3.connect(path, isolation_level=None, timeout=10)
    other.execute("DELETE FROM jobs WHERE rowid = 1")
    other.execute("VACUUM")
    ear.wait_for_jobs(2)
    # At rest it holds no lock and no read transaction: all of the WAL can be taken in.
    wait_until(lambda: other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
    assert path.with_name("jobs.db-wal").stat().st_size == 0
    other.execute("ALTER TABLE jobs ADD COLUMN later TEXT DEFAULT 'x'")
    other.execute("DELETE FROM jobs WHERE rowid = 2")
    ear.wait_for_jobs(1)
    other.close()
    assert ear.last.info.attached
    detach(path)
    wait_until(lambda: not ear.last.info.attached)
    Writer(path).close()
    wait_until(lambda: ear.last.info.attached)
    assert not any(isinstance(said, str) for said in ear.said)


def test_a_reader_at_rest_keeps_nobody_out(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = gigq_copy(tmp_path, "gigq-0.1.0.db")  # in `delete` mode a reader shuts writers out
    feed_of(path)
    wait_until(lambda: ear.said)
    other = sqlite3.connect(path, isolation_level=None, timeout=0)

    def alone() -> bool:
        try:
            other.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return False
        other.execute("ROLLBACK")
        return True

    wait_until(alone, 2)
    other.close()


def test_nothing_is_left_open_by_coming_and_going(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = queue_with(tmp_path / "jobs.db", 1)
    feed = feed_of(path)
    ear.wait_for_jobs(1)
    before, threads = descriptors(), threading.active_count()
    for number in range(5):
        path.rename(tmp_path / "away.db")
        feed.refresh()
        ear.wait_for_trouble("gone")
        (tmp_path / "away.db").rename(path)
        feed.refresh()
        ear.wait_for_jobs(1)
        fresh = queue_with(tmp_path / "fresh.db", 2 + number)
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        fresh.replace(path)
        feed.refresh()
        ear.wait_for_jobs(2 + number)
        queue_with(tmp_path / "one.db", 1).replace(path)
        feed.refresh()
        ear.wait_for_jobs(1)
    wait_until(lambda: descriptors() <= before, what="the descriptors to be closed")
    assert threading.active_count() == threads


# --- a read that hangs -------------------------------------------------------------------------


class HangingReader(Reader):
    """Hangs in its next snapshot for as long as it is told to, as on a disk that is away."""

    go_on = threading.Event()
    hung = threading.Event()

    def snapshot(self, view: View) -> Snapshot:
        if not self.go_on.is_set():
            self.hung.set()
            self.go_on.wait(30)
        return super().snapshot(view)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[HangingReader]]:
    monkeypatch.setattr(feed_module, "SLOW_S", 0.3)
    monkeypatch.setattr(feed_module, "WATCH_S", 0.05)
    HangingReader.go_on.set()
    HangingReader.hung.clear()
    yield HangingReader
    HangingReader.go_on.set()


def test_a_read_that_hangs_is_told_and_ends_by_itself(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed], hanging: type[HangingReader]
) -> None:
    path = queue_with(tmp_path / "jobs.db", 3)

    def opened(path: Path, clock: Clock) -> Reader:
        return hanging(path, clock)

    feed = feed_of(path, reader_factory=opened)
    ear.wait_for_jobs(3)
    hanging.go_on.clear()
    feed.refresh()
    ear.wait_for_trouble("still being read")
    said = len(ear.said)
    time_passes(0.5)
    assert len(ear.said) == said
    hanging.go_on.set()
    ear.wait_for_jobs(3)
    # Once more, and this time the file is gone when the read comes back.
    hanging.go_on.clear()
    feed.refresh()
    ear.wait_for_trouble("still being read")
    path.unlink()
    hanging.go_on.set()
    ear.wait_for_trouble("gone")


def test_the_end_does_not_wait_for_a_read_that_hangs(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed], hanging: type[HangingReader]
) -> None:
    path = queue_with(tmp_path / "jobs.db", 3)
    feed = feed_of(path, reader_factory=hanging)
    ear.wait_for_jobs(3)
    hanging.go_on.clear()
    feed.refresh()
    assert hanging.hung.wait(10)
    said = len(ear.said)
    feed.close()
    hanging.go_on.set()
    wait_until(lambda: not feed._thread.is_alive())
    assert len(ear.said) == said
