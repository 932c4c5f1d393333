"""The past of a queue: what ended when, read once each, whatever happens to the rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from gigq_core.schema.attach import detach
from gigq_core.units.times import parse_time
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.history import account, attempts
from gigq_tui.store.history.account import DELETED, OTHERS, Account
from gigq_tui.store.history.tally import End, Tally, merged
from gigq_tui.store.list.view import View
from tests.attempts import AttemptWriter, followed, look, window_work
from tests.store_files import GIGQ_FILES, NOW, Writer, ago, both_kinds, digest, gigq_copy, reading


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@contextmanager
def written(path: Path, attached: bool = True) -> Iterator[AttemptWriter]:
    writer = AttemptWriter(path, attached)
    try:
        yield writer
    finally:
        writer.close()


def ends(seen: Account) -> dict[End, int]:
    return seen.total.ends


def test_run_times_are_told_to_one_per_cent() -> None:
    tally = Tally()
    runs = [0.0, *(0.001 * 1.13**n for n in range(100))]
    for run_s in runs:
        tally.add(End.DONE, run_s, None)
    for share in (0.01, 0.5, 0.95, 1.0):
        exact = sorted(runs)[max(0, round(share * len(runs) + 0.4999) - 1)]
        assert tally.run_s(share) == pytest.approx(exact, rel=0.0101, abs=1e-9)
    assert Tally().run_s(0.5) is None
    assert merged([tally, Tally()]).run_s(0.5) == tally.run_s(0.5)
    assert merged([tally, tally]).done == 2 * tally.done


@both_kinds
def test_every_end_is_counted_once_in_its_bucket(attached: bool, path: Path) -> None:
    with written(path, attached) as writer:
        for n, status in enumerate(["completed", "failed", "timeout", "crashed", "cancelled"]):
            writer.job(f"j{n}", "completed", attempts=1, started_at=ago(40))
            writer.attempt(f"j{n}", status, began=40, took=10 + n)
        writer.attempt("j0", "superseded", began=40, took=10)
        writer.attempt("gone", "completed", began=200, took=100)
        writer.done("early", began=3_000, took=1)
        writer.done("before", began=9_000, took=1)
        with reading(path) as reader:
            seen = look(reader)
            assert look(reader).total == seen.total  # nothing is counted twice
    assert ends(seen) == {
        End.DONE: 3,
        End.FAILED: 1,
        End.TIMEOUT: 1,
        End.CRASHED: 1,
        End.CANCELLED: 1,
        End.OTHER: 1,
    }
    assert (sum(bar.done for bar in seen.bars), sum(bar.failed for bar in seen.bars)) == (3, 3)
    assert seen.bars[-1 - 50].done == 1
    assert seen.total.longest_s == 100
    assert seen.longest == DELETED
    by_name = seen.functions
    assert (by_name["tasks.work"].done, by_name["tasks.work"].failed) == (2, 3)
    assert seen.total.waits == 7


@pytest.mark.parametrize("length_s", [60, 300, 900, 3_600, 21_600, 86_400, 7 * 86_400])
def test_each_window_holds_what_ended_in_it(length_s: int, path: Path) -> None:
    with written(path) as writer:
        for share in (0.1, 0.5, 0.9, 1.1):
            writer.done(f"j{share}", began=share * length_s + 1, took=1)
        with reading(path) as reader:
            seen = look(reader, length_s)
    done = [bar.done for bar in seen.bars]
    assert sum(done) == 3
    assert len(done) <= 61
    places = [index / len(done) for index, n in enumerate(done) if n]
    assert places == pytest.approx([0.1, 0.5, 0.9], abs=0.05)


def test_afterwards_only_what_is_new_is_read(path: Path) -> None:
    with written(path) as writer:
        for n in range(50):
            writer.done(f"old{n}")
        writer.job("long", "running", attempts=1)
        execution = writer.attempt("long", "running", took=None)
        with reading(path) as reader:
            work = window_work()
            assert followed(reader, work).total.done == 50
            writer.done("new")
            writer.end(execution, "failed", 5)
            asked: list[str] = []
            reader._door.conn.set_trace_callback(asked.append)
            seen = followed(reader, work)
            reader._door.conn.set_trace_callback(None)
            # One more look, with nothing new: the attempts that run are not asked for either.
            again: list[str] = []
            reader._door.conn.set_trace_callback(again.append)
            followed(reader, work)
            reader._door.conn.set_trace_callback(None)
    assert ends(seen) == {End.DONE: 51, End.FAILED: 1}
    read = [sql for sql in asked if "WITH attempt" in sql]
    assert len(read) == 2
    assert sum("json_each" in sql for sql in read) == 1
    assert sum("BETWEEN 52 AND 52" in sql for sql in read) == 1
    assert not any("WITH attempt" in sql for sql in again)


def test_rowids_that_are_used_again_confuse_nothing(path: Path) -> None:
    with written(path) as writer:
        writer.done("a")
        for n in range(5):  # claimed ahead, and never begun
            writer.job(f"b{n}", "running", attempts=1)
            writer.attempt(f"b{n}", "running", took=None)
        with reading(path) as reader:
            work = window_work()
            assert ends(followed(reader, work)) == {End.DONE: 1}
            writer.conn.execute("DELETE FROM job_executions WHERE status = 'running'")
            for n in range(3):
                writer.done(f"c{n}")
            assert ends(followed(reader, work)) == {End.DONE: 4}
            writer.conn.execute("DELETE FROM job_executions WHERE job_id = 'c2'")
            writer.done("d")
            # What had ended happened, whatever was deleted since.
            assert ends(followed(reader, work)) == {End.DONE: 5}


def test_a_file_whose_attempts_are_all_others_is_read_anew(path: Path) -> None:
    with written(path) as writer:
        for n in range(10):
            writer.done(f"a{n}")
        with reading(path) as reader:
            work = window_work()
            assert ends(followed(reader, work)) == {End.DONE: 10}
            writer.conn.execute("DELETE FROM job_executions")
            for n in range(3):
                writer.done(f"b{n}")
            assert ends(followed(reader, work)) == {End.DONE: 3}
            writer.conn.execute("DELETE FROM job_executions WHERE job_id = 'b0'")
            writer.conn.execute("DELETE FROM job_executions WHERE job_id = 'b1'")
            writer.conn.execute("VACUUM")  # which may number the rows anew
            writer.done("c")
            assert ends(followed(reader, work))[End.DONE] in (2, 4)
            writer.conn.execute("DELETE FROM job_executions")
            assert ends(followed(reader, work)) == {}


def test_what_an_undo_puts_back_is_not_counted_again(path: Path) -> None:
    with written(path) as writer:
        writer.done("a", began=900)
        writer.done("b", began=800)
        with reading(path) as reader:
            work = window_work()
            assert ends(followed(reader, work)) == {End.DONE: 2}
            rows = writer.conn.execute("SELECT * FROM job_executions WHERE job_id = 'a'").fetchall()
            writer.conn.execute("DELETE FROM job_executions WHERE job_id = 'a'")
            followed(reader, work)
            writer.conn.execute(
                f"INSERT INTO job_executions VALUES ({','.join('?' * len(rows[0]))})",
                tuple(rows[0]),
            )
            assert ends(followed(reader, work)) == {End.DONE: 2}


@pytest.mark.parametrize("name", GIGQ_FILES)
def test_the_past_of_a_gigq_file_is_known_and_survives_attach_and_detach(
    name: str, path: Path, tmp_path: Path
) -> None:
    gigq_copy(tmp_path, name)
    with sqlite3.connect(path) as conn:
        newest = parse_time(
            conn.execute("SELECT max(completed_at) FROM job_executions").fetchone()[0]
        )
        assert newest is not None
        by_status = dict(
            conn.execute(
                "SELECT status, count(*) FROM job_executions"
                " WHERE completed_at IS NOT NULL GROUP BY status"
            ).fetchall()
        )
    conn.close()
    before = digest(path)

    clock = FrozenClock(newest + timedelta(seconds=5))
    with reading(path, clock=clock) as reader:
        seen = look(reader, 86_400)
        assert {end.value: n for end, n in ends(seen).items()} == by_status
        assert seen.functions
        assert digest(path) == before
        Writer(path).close()
        assert look(reader, 86_400).total == seen.total
        detach(path)
        assert look(reader, 86_400).total == seen.total


def test_damaged_rows_are_stepped_over(path: Path) -> None:
    with written(path) as writer:
        writer.done("good")
        for n, values in enumerate(
            (
                {"started_at": "yesterday"},
                {"completed_at": "x" * 5_000},
                {"completed_at": None},
                {"status": "\x1b[31m"},
                {"status": b"\xff\xfe"},
                {"id": None},
                {"job_id": b"\xff"},
                {"started_at": "9999-99-99"},
                {"started_at": "0001-01-01T00:00:00+14:00"},
            )
        ):
            writer.attempt("good", **({"id": f"x{n}", "status": "completed"} | values))
        writer.set("good", function_module=b"\xff", created_at="never", attempts="many")
        with reading(path) as reader:
            seen = look(reader)
            assert look(reader).total == seen.total
    # Without a time of its end an attempt has no place; without a beginning it has no run time.
    assert seen.total.done == 6
    assert ends(seen)[End.OTHER] == 2
    assert sum(seen.total.runs.values()) == 3


def test_a_clock_that_is_set_back_loses_and_doubles_nothing(path: Path) -> None:

    clock = FrozenClock(NOW)
    with written(path) as writer:
        writer.done("a", began=40)
        with reading(path, clock=clock) as reader:
            assert ends(look(reader)) == {End.DONE: 1}
            clock.advance(-600)
            writer.done("b", began=620, took=5)
            seen = look(reader)
            # What ended later than now is not of the last hour, yet.
            assert ends(seen) == {End.DONE: 1}
            assert all(bar.waiting is None or bar.waiting >= 0 for bar in seen.bars)
            clock.advance(600)
            assert ends(look(reader)) == {End.DONE: 2}
            clock.advance(365 * 86_400)
            assert ends(look(reader, 86_400)) == {}
            clock.advance(-365 * 86_400)
            writer.done("c", began=20, took=5)
            assert ends(look(reader)) == {End.DONE: 3}
            # An attempt that ended before it began has an end, and no run time.
            writer.done("d", began=20, took=-5)
            seen = look(reader)
            assert (seen.total.done, sum(seen.total.runs.values())) == (4, 3)


def test_more_than_a_chunk_of_news_is_read_over_several_looks(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "CHUNK", 20)
    with written(path) as writer, reading(path) as reader:
        reader.snapshot(View())
        for n in range(50):
            writer.done(f"j{n}")
        reader.snapshot(View())
        assert reader.owed_in() == 0.0
        reader.snapshot(View())
        reader.snapshot(View())
        assert reader.owed_in() is None
        assert len(reader._history.recent()) == 50


def test_an_attempt_that_runs_since_long_ago_is_counted_when_it_ends(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "FIRST_ATTEMPTS", 5)
    with written(path) as writer:
        writer.job("long", "running", attempts=1, execution_id="long-x")
        writer.attempt("long", "running", began=50_000, took=None, id="long-x")
        for n in range(20):
            writer.done(f"j{n}")
        with reading(path) as reader:
            work = window_work()
            reader.snapshot(View())
            writer.set("long", execution_id=None, status="completed", completed_at=ago(1))
            writer.end("long-x", "completed", 1)
            assert followed(reader, work).total.done == 21
            assert look(reader, 86_400).total.done == 21
            assert followed(reader, work).total.longest_s == 49_999


def test_attempts_that_never_end_are_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "MAX_OPEN", 10)
    with written(path) as writer:
        for n in range(30):
            writer.job(f"j{n}", "running")
            writer.attempt(f"j{n}", "running", took=None, id=f"e{n}")
        with reading(path) as reader:
            work = window_work()
            followed(reader, work)
            for n in (0, 29):
                writer.end(f"e{n}", "completed", 1)
            assert ends(followed(reader, work)) == {End.DONE: 1}


def test_too_many_functions_are_counted_together(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "MAX_FUNCTIONS", 3)
    with written(path) as writer:
        for n in range(10):
            writer.done(f"j{n}", function_name=f"f{n}")
        with reading(path) as reader:
            lines = {name: tally.done for name, tally in look(reader).functions.items()}
    assert lines[OTHERS] == 7
    assert len(lines) == 4


# --- the backlog ------------------------------------------------------------------------------


@both_kinds
def test_the_backlog_before_the_first_look_is_reckoned(attached: bool, path: Path) -> None:
    with written(path, attached) as writer:
        # Ten jobs came 50 minutes ago; four began 30 minutes ago, two of them came back for
        # another attempt 20 minutes ago, and one of those ran again 10 minutes ago.
        for n in range(6):
            writer.job(f"w{n}", created_at=ago(3_000))
        for n in range(2):
            writer.job(
                f"d{n}", "completed", created_at=ago(3_000), attempts=1, started_at=ago(1_800)
            )
            writer.attempt(f"d{n}", began=1_800, took=60)
        writer.job("retrying", created_at=ago(3_000), attempts=1, started_at=ago(1_800))
        writer.attempt("retrying", "failed", began=1_800, took=600)
        writer.job("again", "failed", created_at=ago(3_000), attempts=2, started_at=ago(600))
        writer.attempt("again", "failed", began=1_800, took=600)
        writer.attempt("again", "failed", began=600, took=60)
        # One was given up before it began.
        writer.job(
            "off", "cancelled", created_at=ago(2_400), started_at=None, completed_at=ago(300)
        )
        with reading(path) as reader:
            waiting = [bar.waiting for bar in look(reader).bars]

    def at(minutes_ago: float) -> int | None:
        return waiting[-1 - round(minutes_ago)]

    assert at(58) == 0
    assert at(45) == 10
    assert at(35) == 11
    assert at(25) == 7
    assert at(15) == 9
    assert at(8) == 8
    assert at(0) == 7


def test_the_backlog_since_the_first_look_is_what_was_seen(path: Path) -> None:

    clock = FrozenClock(NOW)
    with written(path) as writer, reading(path, clock=clock) as reader:
        writer.many(5)
        work = window_work()

        def waiting() -> list[int | None]:
            return [bar.waiting for bar in followed(reader, work).bars]

        waiting()
        clock.advance(120)
        writer.conn.execute("DELETE FROM jobs")  # leaves no trace
        waiting()
        clock.advance(120)
        assert waiting()[-5:] == [5, 5, 5, 0, 0]
        clock.advance(7_200)
        assert set(waiting()) == {0}
        writer.many(3, "m", created_at=ago(-7_440))
        assert waiting()[-2:] == [0, 3]
        assert followed(reader, work).pace == pytest.approx(3 / 10)
        clock.advance(30)
        assert followed(reader, work).pace == pytest.approx(3 / 60)
