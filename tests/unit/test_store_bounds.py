"""What one refresh may cost: dear counts are held back, and walks up the graph end."""

from __future__ import annotations

from pathlib import Path

import pytest

from gigq_tui.store import counting
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.counting import RateMeter
from gigq_tui.store.filter.language import parse
from gigq_tui.store.graph import ancestors
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Tab
from gigq_tui.store.throttle import Throttle
from tests.store_files import NOW, Writer, both_kinds, reading


class Dear:
    """A value that takes its time; `asked` counts how often."""

    def __init__(self, clock: FrozenClock, cost_s: float) -> None:
        self.clock, self.cost_s, self.asked = clock, cost_s, 0

    def __call__(self) -> int:
        self.asked += 1
        self.clock.advance(self.cost_s)
        return self.asked


def test_a_dear_value_is_not_read_before_ten_times_its_cost() -> None:
    clock = FrozenClock(NOW)
    gate: Throttle[int] = Throttle(clock)
    dear = Dear(clock, 0.5)
    assert gate.get("k", 1, dear) == 1
    assert gate.get("k", 1, dear) == 1
    assert gate.fresh
    assert gate.owed_in() is None
    assert gate.get("k", 2, dear) == 1
    assert not gate.fresh
    assert gate.owed_in() == pytest.approx(5.0)
    clock.advance(4.9)
    assert gate.get("k", 2, dear) == 1
    clock.advance(0.2)
    assert gate.owed_in() == 0.0
    assert gate.get("k", 2, dear) == 2
    assert gate.owed_in() is None
    assert gate.get("other", 2, dear) == 3
    assert gate.get("other", 3, dear) == 3
    gate.skip()
    assert gate.owed_in() is None


def test_counts_of_a_gigq_file_are_held_back_and_owed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached=False)
    clock = FrozenClock(NOW)
    count = counting._count_rows

    def slow(*args: object) -> object:
        clock.advance(0.2)
        return count(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(counting, "_count_rows", slow)
    with reading(path, clock=clock) as reader:
        assert reader.snapshot(View()).counts.total == 0
        writer.job("a")
        snapshot = reader.snapshot(View())
        assert snapshot.counts.total == 0
        assert snapshot.window.total == len(snapshot.window.rows) == 1
        assert reader.owed_in() == pytest.approx(2.0)
        clock.advance(2.1)
        assert reader.owed_in() == 0.0
        assert reader.snapshot(View()).counts.total == 1
        assert reader.owed_in() is None
    writer.close()


def test_too_many_waiting_jobs_of_a_gigq_file_are_not_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached=False)
    writer.job("bad", "failed")
    writer.many(5, "child", parents=["bad"])
    with reading(path) as reader:
        counts = reader.snapshot(View()).counts
        assert (counts.ready, counts.blocked, counts.doomed, counts.told_apart) == (0, 5, 5, True)
    monkeypatch.setattr(counting, "MAX_WAITING", 4)
    with reading(path) as reader:
        counts = reader.snapshot(View()).counts
        assert (counts.ready, counts.blocked, counts.told_apart) == (5, 0, False)
        assert counts.doomed is None
        assert counts.of(Tab.WAITING) == 5
    writer.close()


def test_too_many_dependencies_leave_the_doomed_uncounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.job("bad", "failed")
    writer.many(5, "child", parents=["bad"])
    monkeypatch.setattr(counting, "MAX_EDGES", 4)
    with reading(path) as reader:
        counts = reader.snapshot(View()).counts
    writer.close()
    assert (counts.blocked, counts.doomed) == (5, None)


@both_kinds
def test_a_long_chain_is_doomed_as_far_as_one_refresh_looks(attached: bool, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    writer.conn.execute("BEGIN")
    writer.job("c0", "failed")
    for number in range(1, 1_001):
        writer.job(f"c{number}", parents=[f"c{number - 1}"])
    writer.conn.execute("COMMIT")
    with reading(path) as reader:
        rows = reader.snapshot(View(Tab.WAITING)).window.rows
    writer.close()
    assert len(rows) == 200
    assert {row.culprit.id for row in rows if row.culprit} == {"c0"}
    assert all(row.doomed for row in rows)


@both_kinds
def test_what_lies_beyond_the_bound_counts_as_hopeful(
    attached: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ancestors, "MAX_NODES", 10)
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    writer.job("c0", "failed")
    for number in range(1, 30):
        writer.job(f"c{number}", parents=[f"c{number - 1}"])
    with reading(path) as reader:
        (row,) = reader.snapshot(View(filter=parse("id=c29"))).window.rows
        assert reader.snapshot(View(filter=parse("state:doomed"))).window.total == 29
    writer.close()
    assert row.blocked
    assert not row.doomed
    assert row.culprit is not None
    assert (row.culprit.id, row.culprit.problem) == ("c28", "waiting")


@both_kinds
def test_one_bad_parent_among_thousands_is_found(attached: bool, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    writer.many(3_000, "p", "running")
    writer.set("p2999", status="failed")
    writer.job("end", parents=[f"p{number}" for number in range(3_000)])
    with reading(path) as reader:
        row = reader.snapshot(View(Tab.WAITING)).window.rows[0]
    writer.close()
    assert row.doomed
    assert row.unmet == 3_000
    assert row.culprit is not None
    assert row.culprit.id == "p2999"


def test_what_an_undo_brings_back_has_not_ended_now() -> None:
    meter = RateMeter()
    meter.add(0.0, 20_321, 4, 30_000)
    meter.add(2.0, 0, 4, 30_000)
    meter.add(4.0, 20_321, 4, 30_000)
    assert meter.rate(4.0) == 0.0
    # What ended meanwhile counts still.
    meter.add(5.0, 0, 4, 30_000)
    meter.add(8.0, 20_329, 4, 30_008)
    assert meter.rate(8.0) == pytest.approx(1.0)


def test_a_rate_is_of_the_last_ten_seconds() -> None:
    meter = RateMeter()
    assert meter.rate(0.0) is None
    meter.add(0.0, 100, 5, 1_000)
    assert meter.rate(0.5) is None
    assert meter.rate(2.0) == 0.0
    meter.add(2.0, 120, 5, 1_020)
    assert meter.rate(2.0) == pytest.approx(10.0)
    meter.add(3.0, 0, 5, 1_020)  # cleared
    meter.add(4.0, 20, 0, 1_035)
    assert meter.rate(4.0) == pytest.approx(10.0)
    assert meter.rate(11.9) == pytest.approx(4.0)
    assert meter.rate(13.0) == pytest.approx(2.0)
    assert meter.rate(15.0) == 0.0
