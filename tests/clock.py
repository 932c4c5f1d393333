"""A clock of the queue's that a test moves, and the turns of a worker that goes by it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from gigq_core import agenda
from gigq_core.duties import duty_of
from gigq_core.schema.attach import open_for_work
from gigq_core.schema.transaction import write
from gigq_core.units import times

HOUR_S, DAY_S, YEAR_S = 3_600, 86_400, 365 * 86_400


def at(text: str) -> float:
    """UTC seconds of a time in UTC, as `2027-03-28T01:30`."""
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


class MovedClock:
    """What the queue takes for the present moment, in UTC seconds."""

    def __init__(self, now: float) -> None:
        self.now = now

    def move(self, seconds: float) -> None:
        """Let time pass, or set the clock back."""
        self.now += seconds

    def standing_in(self, monkeypatch: pytest.MonkeyPatch) -> MovedClock:
        """It, in place of the system's, until the test is over."""
        stand_in = SimpleNamespace(**{**vars(time), "time": lambda: self.now})
        monkeypatch.setattr(times, "time", stand_in)
        return self


def work_off(path: Path) -> int:
    """What a worker does where something on the agenda is due, until nothing is any more."""
    with closing(open_for_work(path, create=False)) as conn:
        rounds = 0
        while agenda.work_off(conn, lambda: _writing(conn), duty_of):
            rounds += 1
            assert rounds < 1_000
        return rounds


def look_at_clock(path: Path) -> None:
    """What a worker does each minute, and where it notices that the clock was set."""
    with closing(open_for_work(path, create=False)) as conn:
        agenda.recheck(conn, lambda: _writing(conn), duty_of)


@contextmanager
def _writing(conn: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    with write(conn):
        yield conn
