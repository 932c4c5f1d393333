"""The agenda: what is due is done once; what goes wrong with one entry is its own affair."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gigq_core import agenda
from gigq_core.agenda import Duty
from gigq_core.schema.attach import open_for_work
from gigq_core.schema.transaction import write
from gigq_core.units.times import Moment, utc_now

ALL = "SELECT what, at, trouble FROM core_agenda ORDER BY what"
NOTE = "INSERT INTO core_meta (key, value) VALUES (?, '')"
NOTES = "SELECT key FROM core_meta WHERE key LIKE 'done:%' ORDER BY key"


class Noting:
    """Notes in the file that an entry was worked off, and does what else it is told."""

    def __init__(
        self,
        again: float | None = None,
        prepare: Callable[[], object] = lambda: None,
        perform: Callable[[], object] = lambda: None,
        takes_s: float = 0.0,
    ) -> None:
        self.takes_s = takes_s
        self._again, self._prepare, self._perform = again, prepare, perform

    def prepare(self, conn: sqlite3.Connection, name: str, now: Moment) -> object:
        return self._prepare()

    def perform(
        self, conn: sqlite3.Connection, name: str, prepared: Any, now: Moment
    ) -> float | None:
        conn.execute(NOTE, (f"done:{name}:{prepared}",))
        self._perform()
        return self._again

    def recheck(self, conn: sqlite3.Connection, now: Moment) -> None:
        agenda.enter(conn, "good:later", now.utc + 5, anew=True)
        self._perform()


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_for_work(tmp_path / "q.db", create=True)) as conn:
        yield conn


def entered(conn: sqlite3.Connection, **entries: float) -> None:
    with write(conn):
        for what, at in entries.items():
            agenda.enter(conn, what.replace("_", ":"), at)


def work_off(conn: sqlite3.Connection, **duties: Duty) -> int:
    @contextmanager
    def writing() -> Iterator[sqlite3.Connection]:
        with write(conn):
            yield conn

    return agenda.work_off(conn, writing, duties.get)


def notes(conn: sqlite3.Connection) -> list[str]:
    return [row[0] for row in conn.execute(NOTES)]


def fail() -> None:
    raise RuntimeError("it went wrong")


def test_what_is_due_is_done_and_what_is_not_waits(conn: sqlite3.Connection) -> None:
    later = utc_now() + 60
    entered(conn, good_a=1.0, good_b=2.0, good_c=later)
    assert work_off(conn, good=Noting(prepare=lambda: "p")) == 2
    assert notes(conn) == ["done:a:p", "done:b:p"]
    assert [tuple(row) for row in conn.execute(ALL)] == [("good:c", later, None)]
    assert work_off(conn, good=Noting()) == 0


def test_an_entry_that_comes_again_is_due_at_its_next_time(conn: sqlite3.Connection) -> None:
    again = utc_now() + 900
    entered(conn, good_a=1.0)
    assert work_off(conn, good=Noting(again=again)) == 1
    assert [tuple(row) for row in conn.execute(ALL)] == [("good:a", again, None)]


def test_of_two_moments_the_earlier_one_stays(conn: sqlite3.Connection) -> None:
    entered(conn, good_a=50.0)
    entered(conn, good_a=90.0)
    assert conn.execute(ALL).fetchone()["at"] == 50
    entered(conn, good_a=20.0)
    assert conn.execute(ALL).fetchone()["at"] == 20
    with write(conn):
        agenda.enter(conn, "good:a", 70.0, anew=True)
    assert conn.execute(ALL).fetchone()["at"] == 70
    with write(conn):
        agenda.strike(conn, "good:a")
    assert conn.execute(ALL).fetchone() is None


@pytest.mark.parametrize("step", ["prepare", "perform", "unknown"])
def test_what_goes_wrong_is_told_and_stops_nothing_else(
    conn: sqlite3.Connection, step: str
) -> None:
    entered(conn, bad_first=1.0, good_second=2.0)
    duties: dict[str, Duty] = {"good": Noting()}
    if step != "unknown":
        how: dict[str, Any] = {step: fail}
        duties["bad"] = Noting(**how)
    before = utc_now()
    assert work_off(conn, **duties) == 2
    assert notes(conn) == ["done:second:None"]
    (left,) = conn.execute(ALL).fetchall()
    assert left["what"] == "bad:first"
    assert before + 59 < left["at"] < utc_now() + 61
    assert left["trouble"] == (
        "nobody here knows how to do 'bad'" if step == "unknown" else "it went wrong"
    )
    # Once it works again nothing is told any more.
    with write(conn):
        conn.execute("UPDATE core_agenda SET at = 1")
    assert work_off(conn, bad=Noting(again=utc_now() + 9)) == 1
    assert conn.execute(ALL).fetchone()["trouble"] is None


@pytest.mark.parametrize(
    "what", ["x'ff'", "x'676f6f643aff'", "'no colon'", "''", "x'00'", "'a b:c'"]
)
def test_a_damaged_entry_is_forgotten_and_keeps_nobody_busy(
    conn: sqlite3.Connection, what: str
) -> None:
    conn.execute(f"INSERT INTO core_agenda (what, at) VALUES (CAST({what} AS TEXT), 1)")
    entered(conn, good_a=2.0)
    work_off(conn, good=Noting())
    assert notes(conn) == ["done:a:None"]
    assert conn.execute(ALL).fetchall() == []


@pytest.mark.parametrize("step", ["prepare", "perform"])
def test_a_full_disk_is_the_callers_to_endure(conn: sqlite3.Connection, step: str) -> None:
    def full() -> None:
        raise sqlite3.OperationalError("database or disk is full")

    entered(conn, bad_first=1.0)
    how: dict[str, Any] = {step: full}
    with pytest.raises(sqlite3.OperationalError, match="full"):
        work_off(conn, bad=Noting(**how))
    assert tuple(conn.execute(ALL).fetchone()) == ("bad:first", 1.0, None)


@pytest.mark.parametrize("takes_s", [0.0, 30.0])
def test_two_who_come_at_once_do_it_once(
    conn: sqlite3.Connection, tmp_path: Path, takes_s: float
) -> None:
    """The second one does it all between the first one's preparation and its lock."""
    entered(conn, good_a=1.0)
    with closing(open_for_work(tmp_path / "q.db", create=False)) as other:
        second = Noting(prepare=lambda: "second", takes_s=takes_s)
        counts = []

        def meanwhile() -> str:
            counts.append(work_off(other, good=second))
            return "first"

        work_off(conn, good=Noting(prepare=meanwhile, takes_s=takes_s))
    # Whoever takes an entry for a while has it, and else whoever is done first.
    assert notes(conn) == ["done:a:first" if takes_s else "done:a:second"]
    assert counts == [0 if takes_s else 1]
    assert conn.execute(ALL).fetchone() is None


def test_the_times_are_looked_at_kind_by_kind(conn: sqlite3.Connection) -> None:
    entered(conn, bad_a=1.0, good_a=2.0, unknown_a=3.0)

    @contextmanager
    def writing() -> Iterator[sqlite3.Connection]:
        with write(conn):
            yield conn

    duties: dict[str, Duty] = {"bad": Noting(perform=fail), "good": Noting()}
    agenda.recheck(conn, writing, duties.get)
    whats = [row["what"] for row in conn.execute(ALL)]
    assert whats == ["bad:a", "good:a", "good:later", "unknown:a"]


def test_a_clock_that_was_ahead_puts_nothing_off_for_so_long(conn: sqlite3.Connection) -> None:
    @contextmanager
    def writing() -> Iterator[sqlite3.Connection]:
        with write(conn):
            yield conn

    entered(conn, bad_first=1.0, good_later=utc_now() + 9_000, bad_other=1.0)
    assert work_off(conn, bad=Noting(perform=fail)) == 2
    conn.execute("UPDATE core_agenda SET at = at + 3e7 WHERE what = 'bad:first'")
    agenda.recheck(conn, writing, lambda kind: None)
    found = {row["what"]: row["at"] - utc_now() for row in conn.execute(ALL)}
    assert found["bad:first"] <= 0
    # What waits for its time, or for less than a minute, goes on to do so.
    assert 50 < found["bad:other"] <= 60
    assert found["good:later"] > 8_000
