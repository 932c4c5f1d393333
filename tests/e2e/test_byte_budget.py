"""What the console sends over the line: nothing at rest, little for a step or a question."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pexpect
import pytest

from tests import scene
from tests.e2e.terminal import terminal_environment

START_S = 60.0
QUIET_S = 1.0
REST_S = 2.5
FIRST_PAINT_BYTES = 20_000
STEP_BYTES = 2_500
QUESTION_BYTES = 2_000
SCREEN_BYTES = 20_000
CHANGE_BYTES = 1_000
FORM_BYTES = 8_000
LETTER_BYTES = 400
# A second in which a job runs and reports: the bar, its words, and how long it has run.
BAR_BYTES = 600


class Line:
    """The terminal's end of the line, which counts."""

    def __init__(self, path: Path) -> None:
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "gigq_tui", str(path)],
            env=terminal_environment(),
            dimensions=(32, 120),
            encoding=None,
        )

    def read(self, quiet_s: float = QUIET_S, limit_s: float = 20.0) -> bytes:
        """Read until nothing has come for `quiet_s` seconds."""
        read = b""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            try:
                read += self.child.read_nonblocking(65536, timeout=quiet_s)
            except pexpect.TIMEOUT:
                return read
        return read

    def after(self, key: str) -> int:
        """How many bytes a key costs, once its answer has begun."""
        self.child.send(key)
        return len(self.answer())

    def answer(self, within_s: float = 20.0) -> bytes:
        """What comes within that time, until nothing more comes."""
        try:
            first = self.child.read_nonblocking(65536, timeout=within_s)
        except pexpect.TIMEOUT:
            return b""
        return bytes(first) + self.read()

    def rests(self) -> bool:
        """Whether nothing is sent. A chart moves on by one bar at a time, which may be just then:
        the next time, it isn't."""
        return self.read(REST_S) == b"" or self.read(REST_S) == b""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The scene with nothing running and nothing due: a queue at rest."""
    path = scene.build(tmp_path / scene.FILE_NAME)
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE jobs SET status = 'completed', execution_id = NULL WHERE status = 'running'"
    )
    connection.execute(
        "UPDATE jobs SET retry_after = NULL, due = NULL, status = 'cancelled'"
        " WHERE status = 'pending' AND retry_after < '9999'"
    )
    connection.commit()
    connection.close()
    return path


@pytest.fixture
def line(path: Path) -> Iterator[Line]:
    line = Line(path)
    try:
        painted = b""
        deadline = time.monotonic() + START_S
        while b"live" not in painted:
            assert time.monotonic() < deadline, painted[-500:]
            painted += line.read()
        painted += line.read(REST_S)
        assert len(painted) < FIRST_PAINT_BYTES
        yield line
    finally:
        line.child.close(force=True)


def test_reading_costs_what_changes(line: Line) -> None:
    line.child.send("4\r")
    assert b"Attempts" in line.answer()
    assert line.rests()
    for key in ("/", "e", "\r", "n", "W", "l"):
        assert 0 < line.after(key) < STEP_BYTES
    assert line.rests()


def test_a_bar_that_moves_costs_its_own_cells(line: Line, path: Path) -> None:
    now = time.time()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO jobs (id, name, function_module, function_name, status, created_at, "
            "updated_at, started_at, created, began, attempts, max_attempts, timeout, worker_id, "
            "execution_id, dependencies) VALUES ('told', 'told', 'a', 'b', 'running', "
            "datetime('now', 'localtime'), datetime('now', 'localtime'), "
            "datetime('now', 'localtime'), ?, ?, 1, 3, 300, 'w1', 'x', '[]')",
            (now, now),
        )
        line.read(limit_s=2.0)
        costs = []
        for done in range(10, 16):
            connection.execute(
                "INSERT OR REPLACE INTO core_progress VALUES ('told', 'x', ?, 100, 'rows', ?)",
                (done, time.time()),
            )
            costs.append(len(line.read(limit_s=1.0)))
    # The first brings the words beside the bar. Two may come in one second, and none in another.
    told = costs[1:]
    assert 0 < sum(told) < BAR_BYTES * len(told), costs


def test_the_budget(line: Line, path: Path) -> None:
    assert line.rests()
    assert 0 < line.after("j") < STEP_BYTES
    assert 0 < line.after("c") < QUESTION_BYTES
    assert 0 < line.after("n") < QUESTION_BYTES
    # What is read or worked out in steps comes a moment later; then nothing does.
    assert 0 < line.after("o") + len(line.read(REST_S)) < SCREEN_BYTES + CHANGE_BYTES
    assert line.rests()
    assert 0 < line.after("q") < SCREEN_BYTES
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE jobs SET priority = priority + 1 WHERE rowid = (SELECT max(rowid) FROM jobs)"
        )
    connection.close()
    assert 0 < len(line.answer()) < CHANGE_BYTES
    assert 0 < line.after("n") < FORM_BYTES
    # To the note: a field that changes nothing but itself and the preview.
    line.child.send("\x1b[Z" * 4)
    assert line.answer()
    line.after("a")
    assert 0 < line.after("b") < LETTER_BYTES
    assert 0 < line.after("\x1b") < QUESTION_BYTES
    assert line.after("y")
    line.child.send("q")
    line.child.expect(pexpect.EOF, timeout=10)
    line.child.close()
    assert line.child.exitstatus == 0
