"""The feed: told at once, told seldom, told of trouble, and quick to end."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gigq_core.errors import DatabaseError, FilesLost, NotAQueue
from gigq_core.reasons.why import Health
from gigq_tui.store import feed as feed_module
from gigq_tui.store.clock import SYSTEM_CLOCK, Clock
from gigq_tui.store.feed import Feed
from gigq_tui.store.filter.language import parse
from gigq_tui.store.list.view import View
from gigq_tui.store.models import JobDetail, Snapshot, Tab
from gigq_tui.store.reader import Reader
from tests.attempts import AttemptWriter
from tests.store_files import GIGQ_FILES, Writer, digest, gigq_copy
from tests.waiting import wait_until


class Ear:
    """Hears a feed, and keeps what it said."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self.troubles: list[tuple[str, datetime]] = []
        self.threads: set[str] = set()

    def snapshot(self, snapshot: Snapshot) -> None:
        self.threads.add(threading.current_thread().name)
        self.snapshots.append(snapshot)

    def trouble(self, text: str, since: datetime) -> None:
        self.troubles.append((text, since))

    @property
    def last(self) -> Snapshot:
        return self.snapshots[-1]


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


def pass_time(seconds: float) -> None:
    """Let a feed do what it does in that time."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until)


def test_a_change_is_told_by_its_hint(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    # Without a hint it would be looked at in ten minutes.
    monkeypatch.setattr(feed_module, "FLOOR_S", 600.0)
    feed_of(path)
    wait_until(lambda: ear.snapshots)
    pass_time(0.3)
    writer.job("new")
    wait_until(lambda: ear.last.counts.ready == 1)
    assert ear.threads == {"feed"}
    writer.close()


def test_no_answer_comes_after_the_end(tmp_path: Path, feed_of: Callable[..., Feed]) -> None:
    path = tmp_path / "jobs.db"
    Writer(path).close()
    began, may_end = threading.Event(), threading.Event()

    class Slow(Reader):
        def resolve(self, prefix: str) -> tuple[str, ...]:
            began.set()
            assert may_end.wait(10)
            return ()

    feed = feed_of(path, reader_factory=Slow)
    heard: list[object] = []
    feed.ask(lambda reader: reader.resolve("a"), heard.append, heard.append)
    assert began.wait(10)
    feed.close()
    may_end.set()
    wait_until(lambda: not feed._thread.is_alive())
    assert heard == []


@pytest.mark.parametrize("name", GIGQ_FILES)
def test_a_gigq_file_is_followed_and_not_changed(
    name: str, tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = gigq_copy(tmp_path, name)
    before = digest(path)
    feed = feed_of(path)
    wait_until(lambda: ear.snapshots)
    pass_time(1.2)
    feed.close()
    assert digest(path) == before
    conn = sqlite3.connect(path)
    feed = feed_of(path)
    conn.execute("DELETE FROM jobs WHERE status = 'pending'")
    conn.commit()
    wait_until(lambda: ear.last.counts.pending == 0)
    conn.close()


def test_nothing_is_told_when_nothing_changes(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.worker("w1")
    writer.job("a", "running", worker_id="w1")
    feed = feed_of(path, reader_factory=living)
    wait_until(lambda: ear.snapshots)
    pass_time(0.3)
    count = len(ear.snapshots)
    feed.show(View())
    pass_time(2.5)
    assert len(ear.snapshots) == count
    feed.refresh()
    wait_until(lambda: len(ear.snapshots) == count + 1)
    writer.close()


def living(path: Path, clock: Clock) -> Reader:
    return Reader(path, clock, is_dead=lambda process: False)


def test_a_flood_is_told_in_a_few_snapshots(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    feed_of(path)
    wait_until(lambda: ear.snapshots)
    began = time.monotonic()
    number = 0
    while time.monotonic() - began < 1.5:
        writer.job(f"n{number}")
        number += 1
    wait_until(lambda: ear.last.counts.total == number)
    assert len(ear.snapshots) <= 2 + (time.monotonic() - began) / 0.1
    writer.close()


def test_a_worker_that_dies_is_told_without_any_change_of_the_file(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.worker("w1")
    dead = threading.Event()
    feed_of(path, reader_factory=lambda p, c: Reader(p, c, is_dead=lambda _: dead.is_set()))
    wait_until(lambda: ear.snapshots)
    assert ear.last.workers[0].health is Health.ALIVE
    dead.set()
    wait_until(lambda: ear.last.workers[0].health is Health.LOST, timeout_s=5)
    writer.close()


def test_another_view_is_shown_at_once(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.job("a", "failed")
    writer.job("b")
    feed = feed_of(path)
    wait_until(lambda: ear.snapshots)
    feed.show(View(Tab.FAILED, parse("a")))
    wait_until(lambda: ear.last.tab is Tab.FAILED)
    assert ear.last.filter_text == "a"
    assert [row.id for row in ear.last.window.rows] == ["a"]
    writer.close()


def test_questions_are_answered_in_their_order(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.job("a1")
    writer.job("a2", parents=["a1"])
    feed = feed_of(path)
    answers: list[Any] = []
    feed.ask(lambda reader: reader.detail("a1"), answers.append, answers.append)
    feed.ask(lambda reader: reader.detail("nobody"), answers.append, answers.append)
    feed.ask(lambda reader: reader.graph("a2"), answers.append, answers.append)
    feed.ask(lambda reader: reader.resolve("a"), answers.append, answers.append)
    feed.ask(lambda reader: reader.matching_ids(View()), answers.append, answers.append)
    feed.ask(
        lambda reader: reader.matching_ids(View(tab=Tab.FAILED)), answers.append, answers.append
    )
    wait_until(lambda: len(answers) == 6)
    assert isinstance(answers[0], JobDetail)
    assert answers[1] is None
    assert set(answers[2].nodes) == {"a1", "a2"}
    assert answers[3] == ("a1", "a2")
    assert answers[4:] == [("a2", "a1"), ()]
    writer.close()


def test_a_question_does_not_swallow_a_change(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    feed = feed_of(path)
    wait_until(lambda: ear.snapshots)
    for number in range(20):
        writer.job(f"n{number}")
        feed.ask(lambda reader: reader.detail("n0"), lambda answer: None, lambda problem: None)
    wait_until(lambda: ear.last.counts.total == 20)
    writer.close()


def test_a_file_that_vanishes_and_comes_back(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.job("a")
    writer.close()
    feed = feed_of(path)
    wait_until(lambda: ear.snapshots)
    path.rename(tmp_path / "away.db")
    wait_until(lambda: ear.troubles)
    text, since = ear.troubles[0]
    assert "gone" in text
    answers: list[Any] = []
    feed.ask(lambda reader: reader.detail("a"), answers.append, answers.append)
    wait_until(lambda: answers)
    assert isinstance(answers[0], DatabaseError)
    count = len(ear.snapshots)
    (tmp_path / "away.db").rename(path)
    wait_until(lambda: len(ear.snapshots) > count)
    assert ear.last.counts.ready == 1
    assert [trouble for trouble in ear.troubles if trouble[1] != since] == []


def test_a_file_that_is_replaced_is_read_anew(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = tmp_path / "jobs.db"
    old = Writer(path)
    old.job("old")
    old.close()
    feed_of(path)
    wait_until(lambda: ear.snapshots)
    fresh = tmp_path / "fresh.db"
    new = Writer(fresh)
    new.many(3)
    new.close()
    fresh.replace(path)
    wait_until(lambda: ear.last.counts.ready == 3)


def test_a_file_that_becomes_something_else(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = tmp_path / "jobs.db"
    Writer(path).close()
    feed_of(path)
    wait_until(lambda: ear.snapshots)
    other = tmp_path / "other"
    other.write_text("no database, and long enough for SQLite to see that: " * 40)
    other.replace(path)
    wait_until(lambda: ear.troubles)
    assert "not an SQLite file" in ear.troubles[-1][0]


def test_a_locked_file_is_told_once_and_recovers(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = gigq_copy(tmp_path, "gigq-0.1.0.db")  # in `delete` mode a writer shuts readers out
    feed_of(path)
    wait_until(lambda: ear.snapshots)
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("BEGIN EXCLUSIVE")
    conn.execute("DELETE FROM jobs WHERE status = 'pending'")
    wait_until(lambda: ear.troubles)
    assert "locked" in ear.troubles[0][0]
    pass_time(2.5)
    assert len(ear.troubles) == 1
    conn.execute("COMMIT")
    wait_until(lambda: ear.last.counts.pending == 0)
    conn.close()


def test_a_missing_file_is_trouble_from_the_start(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = tmp_path / "jobs.db"
    feed_of(path)
    wait_until(lambda: ear.troubles)
    assert not path.exists()
    Writer(path).close()
    wait_until(lambda: ear.snapshots)


class LateReader(Reader):
    """A reader whose file goes away in the middle of a read, which fails for one reason more."""

    reason: type[DatabaseError] = FilesLost
    away: Path | None = None

    def snapshot(self, view: View) -> Snapshot:
        if LateReader.away is not None:
            Path(self._path).rename(LateReader.away)
            LateReader.away = None
            raise self.reason("something of it was deleted")
        return super().snapshot(view)


@pytest.mark.parametrize("reason", [FilesLost, DatabaseError, NotAQueue])
def test_a_file_that_vanishes_during_a_read_is_gone_too(
    tmp_path: Path,
    ear: Ear,
    feed_of: Callable[..., Feed],
    reason: type[DatabaseError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, away = tmp_path / "jobs.db", tmp_path / "away.db"
    writer = Writer(path)
    writer.job("a")
    writer.close()
    monkeypatch.setattr(LateReader, "reason", reason)
    monkeypatch.setattr(LateReader, "away", None)
    feed = feed_of(path, reader_factory=LateReader)
    wait_until(lambda: ear.snapshots)
    LateReader.away = away
    feed.refresh()
    wait_until(lambda: ear.troubles)
    assert ear.troubles[0][0] == "jobs.db is gone: this was read before."
    count = len(ear.snapshots)
    away.rename(path)
    wait_until(lambda: len(ear.snapshots) > count)
    assert ear.last.counts.ready == 1


# --- with a reader that is watched ------------------------------------------------------------


class SlowReader(Reader):
    """Takes for ever for a filtered snapshot, until it is interrupted."""

    started = threading.Event()

    def snapshot(self, view: View) -> Snapshot:
        if not view.filter:
            return super().snapshot(view)
        SlowReader.started.set()
        with self._door._explained():
            self._door.conn.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                "SELECT COUNT(*) FROM n"
            ).fetchone()
        raise AssertionError("it never ends by itself")


def test_a_stale_search_is_given_up(tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]) -> None:
    path = tmp_path / "jobs.db"
    Writer(path).close()
    SlowReader.started.clear()
    feed = feed_of(path, reader_factory=SlowReader)
    wait_until(lambda: ear.snapshots)
    feed.show(View(filter=parse("slow")))
    assert SlowReader.started.wait(10)
    pass_time(0.1)
    feed.show(View(Tab.FAILED))
    wait_until(lambda: ear.last.tab is Tab.FAILED)
    assert not ear.troubles


def test_closing_gives_up_what_goes_on(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = tmp_path / "jobs.db"
    Writer(path).close()
    SlowReader.started.clear()
    feed = feed_of(path, reader_factory=SlowReader)
    feed.show(View(filter=parse("slow")))
    assert SlowReader.started.wait(10)
    pass_time(0.1)
    feed.close()
    names = {"feed", "change-hints"}
    wait_until(lambda: not names & {thread.name for thread in threading.enumerate()})
    feed.close()


def test_a_feed_that_never_began_can_be_closed(tmp_path: Path) -> None:
    Feed(tmp_path / "jobs.db").close()


def test_a_rate_fades_when_nothing_ends_any_more(
    tmp_path: Path, ear: Ear, feed_of: Callable[..., Feed]
) -> None:
    path = tmp_path / "jobs.db"
    writer = AttemptWriter(path)
    feed_of(path)
    wait_until(lambda: ear.snapshots)
    pass_time(1.1)
    for n in range(30):
        writer.done(f"done{n}")
    wait_until(lambda: ear.last.finished_per_s)

    def highest() -> float:
        return max(seen.finished_per_s or 0 for seen in ear.snapshots)

    # It may rise for a while, as the feed hears of more of them.
    wait_until(lambda: (ear.last.finished_per_s or 0) < highest(), timeout_s=60)
    writer.close()


def test_a_fault_of_whoever_is_told_does_not_end_the_feed(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    Writer(path).close()
    told: list[Snapshot] = []
    troubles: list[str] = []

    def once_bad(snapshot: Snapshot) -> None:
        told.append(snapshot)
        if len(told) == 1:
            raise ZeroDivisionError("a fault")

    feed = Feed(path, SYSTEM_CLOCK, once_bad, lambda text, since: troubles.append(text))
    feed.start()
    try:
        wait_until(lambda: len(told) > 1)
        assert "ZeroDivisionError: a fault" in troubles[0]
    finally:
        feed.close()
