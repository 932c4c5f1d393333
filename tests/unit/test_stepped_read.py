"""Reading in steps: on a file that is written and replaced meanwhile, and a screen's pace."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_tui.keys.looking_actions import OPEN, WORKERS
from gigq_tui.screens.parts.stepped_read import PACE_S, SteppedRead
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.door import Interrupted
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.reader import Reader
from gigq_tui.store.stepwise import SoFar
from gigq_tui.store.throttle import PATIENCE
from tests.scene import NOW

_STEP = 3


class Names:
    """Reads the names of all jobs, a few at each step."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.began = self.renewed = 0

    def begin(self) -> None:
        self.began += 1
        self.names = []

    def renew(self) -> None:
        self.renewed += 1

    def step(self, conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> SoFar[list[str]]:
        (total,) = conn.execute("SELECT count(*) FROM jobs").fetchone()
        statement = "SELECT name FROM jobs ORDER BY rowid LIMIT ? OFFSET ?"
        found = conn.execute(statement, (_STEP, len(self.names))).fetchall()
        self.names = self.names + [row["name"] for row in found]
        return SoFar(list(self.names), len(self.names), total)


def job(name: str) -> Job:
    return Job(name=name, function="pipeline.images.resize_image", params={"src": "a"})


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    queue = JobQueue(str(tmp_path / "jobs.db"))
    for number in range(7):
        queue.submit(job(f"job {number}"))
    yield queue
    queue.close()


@pytest.fixture
def reader(queue: JobQueue, tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path / "jobs.db")
    yield reader
    reader.close()


def test_each_step_tells_what_is_known_and_of_how_much(reader: Reader) -> None:
    work = Names()
    told = [reader.step(work) for _ in range(3)]
    assert [(part.read, part.total, part.done) for part in told] == [
        (3, 7, False),
        (6, 7, False),
        (7, 7, True),
    ]
    assert told[-1].value == [f"job {number}" for number in range(7)]
    assert told[0].share == pytest.approx(3 / 7)
    assert work.began == 1


def test_a_table_that_changed_or_another_reader_begins_anew(
    reader: Reader, queue: JobQueue, tmp_path: Path
) -> None:
    work = Names()
    reader.step(work)
    with sqlite3.connect(tmp_path / "jobs.db") as conn:
        conn.execute("CREATE INDEX somebodys_own ON jobs (name)")
    assert reader.step(work).read == _STEP
    another = Reader(tmp_path / "jobs.db")
    assert another.step(work).read == _STEP
    another.close()
    assert work.began == 3


def test_a_step_that_was_broken_off_is_read_again(reader: Reader) -> None:
    work = Names()
    reader.step(work)
    conn, execute = reader._door.conn, []

    class Breaks(Names):
        def step(self, conn: Any, schema: Any, now: Any) -> Any:
            if not execute:
                execute.append(conn)
                raise sqlite3.OperationalError("interrupted")
            return super().step(conn, schema, now)

    breaks = Breaks()
    with pytest.raises(Interrupted):
        reader.step(breaks)
    assert not conn.in_transaction
    assert reader.step(breaks).value == ["job 0", "job 1", "job 2"]


# A screen's pace


class AScreen:
    """Keeps what is asked, to be answered later."""

    def __init__(self) -> None:
        self.reads, self.is_current, self.paused = self, True, False
        self.asked: list[tuple[Callable[[Any], Any], Callable[[Any], None], Any]] = []
        self.got: list[SoFar[int]] = []
        self.failed: list[str] = []

    def ask(self, read: Any, got: Any, failed: Any) -> None:
        self.asked.append((read, got, failed))

    def answer(self, read: int, total: int) -> Numbers:
        """Answer the oldest question, and return who read."""
        question, got, _ = self.asked.pop(0)
        reader = AReader(SoFar(read, read, total))
        got(question(reader))
        return reader.stepped[0]

    def fail(self) -> None:
        self.asked.pop(0)[2]("It can't be read.")


class Numbers:
    def __init__(self) -> None:
        self.renewed = 0

    def begin(self) -> None: ...

    def renew(self) -> None:
        self.renewed += 1

    def step(self, conn: Any, schema: Any, now: Any) -> SoFar[int]:
        raise NotImplementedError


class AReader:
    def __init__(self, so_far: SoFar[int]) -> None:
        self._so_far = so_far
        self.stepped: list[Numbers] = []

    def step(self, work: Numbers) -> SoFar[int]:
        self.stepped.append(work)
        return self._so_far


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def screen() -> AScreen:
    return AScreen()


@pytest.fixture
def part(screen: AScreen, clock: FrozenClock) -> SteppedRead[int]:
    return SteppedRead(screen, screen, clock, screen.got.append, screen.failed.append)


def test_all_is_read_step_by_step_and_each_is_told(part: SteppedRead[int], screen: AScreen) -> None:
    part.read(Numbers())
    for read in (10, 20, 30):
        assert len(screen.asked) == 1
        screen.answer(read, 30)
    assert [each.read for each in screen.got] == [10, 20, 30]
    assert screen.asked == []
    assert part.is_whole


def test_news_are_read_once_ten_times_the_cost_has_passed(
    part: SteppedRead[int], screen: AScreen, clock: FrozenClock
) -> None:
    work = Numbers()
    part.read(work)
    clock.advance(2.0)
    screen.answer(5, 5)
    part.take_news()
    clock.advance(2.0 * PATIENCE - 0.1)
    part.keep_up()
    assert screen.asked == []
    clock.advance(0.2)
    part.keep_up()
    assert screen.answer(6, 6) is work
    assert work.renewed == 1
    clock.advance(PACE_S * PATIENCE)
    part.keep_up()
    assert screen.asked == []  # no news


def test_what_is_cheap_is_read_at_the_pace_of_the_screen(
    part: SteppedRead[int], screen: AScreen, clock: FrozenClock
) -> None:
    part.read(Numbers())
    screen.answer(5, 5)
    part.take_news()
    assert screen.asked == []
    clock.advance(PACE_S)
    part.keep_up()
    assert len(screen.asked) == 1


def test_another_work_takes_the_place_of_one_that_is_being_read(
    part: SteppedRead[int], screen: AScreen
) -> None:
    first, second = Numbers(), Numbers()
    part.read(first)
    part.read(second)
    assert screen.answer(1, 9) is first
    assert screen.got == []
    assert screen.answer(2, 2) is second
    assert [each.read for each in screen.got] == [2]


def test_a_screen_in_the_back_and_a_paused_view_ask_for_nothing(
    part: SteppedRead[int], screen: AScreen, clock: FrozenClock
) -> None:
    part.read(Numbers())
    screen.is_current = False
    screen.answer(1, 3)
    part.keep_up()
    assert screen.asked == []
    screen.is_current = screen.paused = True
    part.keep_up()
    screen.answer(3, 3)  # what has begun is read to its end
    part.take_news()
    clock.advance(PACE_S)
    part.keep_up()
    assert screen.asked == []
    screen.paused = False
    part.keep_up()
    assert len(screen.asked) == 1


def test_a_step_that_fails_is_told_and_tried_again(part: SteppedRead[int], screen: AScreen) -> None:
    part.read(Numbers())
    screen.fail()
    assert screen.failed == ["It can't be read."]
    assert screen.asked == []
    part.keep_up()
    screen.answer(4, 4)
    assert part.is_whole


def test_keys_about_rows_wait_for_the_first_step_only(
    part: SteppedRead[int], screen: AScreen
) -> None:
    assert not part.awaits(OPEN)
    part.read(Numbers())
    assert part.awaits(OPEN)
    assert not part.awaits(WORKERS)
    screen.answer(1, 9)
    assert not part.awaits(OPEN)
