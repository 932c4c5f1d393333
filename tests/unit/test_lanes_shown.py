"""Lanes in the console: why a laned job waits, what needs attention, and the screen's own lines."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from gigq_core.lanes.rules import Lane
from gigq_core.reasons.why import why
from gigq_tui.actions.lanes import RuleText, applies_to
from gigq_tui.screens.lanes.lines import Table, head_line
from gigq_tui.screens.lanes.order import in_order, matches
from gigq_tui.screens.lanes.words import (
    lane_words,
    limit_words,
    rate_words,
    standing_words,
)
from gigq_tui.screens.workers.entries import describe_lanes, describe_wait
from gigq_tui.store.clock import SYSTEM_CLOCK
from gigq_tui.store.history.arranged import Arranged
from gigq_tui.store.history.attention import Concern, concerns
from gigq_tui.store.lanes import LanesReading, Standing, standing_of, trouble
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Counts
from gigq_tui.store.reader import Reader
from gigq_tui.store.workers import FileWorkers
from gigq_tui.widgets.lines import line_width
from tests.lane_work import Work, work_on
from tests.lanes import AT, LANES, OLDEST
from tests.store_files import reading
from tests.unit.test_overview import FILE

WIDTHS = [40, 50, 60, 72, 80, 99, 100, 120, 140, 200]


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    with work_on(tmp_path / "jobs.db") as work:
        yield work


def enlist(work: Work) -> None:
    """Have the worker in the register."""
    work.ledger.commit(work.own, [], [], claim=False, stage=False, beat=True)


def whys(work: Work) -> dict[str, str]:
    """Why each waiting job waits, as the list says it; and as the job's own screen does."""
    with reading(work.queue.db_path, clock=SYSTEM_CLOCK, is_dead=lambda _: False) as reader:
        now = datetime.now(timezone.utc)
        rows = reader.snapshot(View()).window.rows
        told = {row.name: why(row, now) for row in rows if row.status == "pending"}
        for row in rows:
            detail, graph = reader.detail(row.id), reader.graph(row.id)
            assert detail is not None
            assert graph is not None
            if row.status == "pending" and "next start" not in told[row.name]:
                assert why(detail.row, now) == told[row.name]
                node = graph.nodes[row.id].row
                assert node is not None
                assert why(node, now) == told[row.name]
    return told


def test_a_job_says_what_of_its_lane_holds_it(work: Work) -> None:
    enlist(work)
    work.queue.set_lane("db", running=2)
    work.queue.set_lane("fetch:*", rate="10/h")
    work.queue.set_lane("gpu", reserved=True)
    work.queue.set_lane("mail", running=5)
    work.queue.pause_lane("mail")
    for lane, number in (("db", 3), ("fetch:a", 2), ("gpu", 1), ("mail", 1), ("free", 1)):
        work.fill(lane, number)
    assert len(work.claim(3)) == 3
    told = whys(work)
    assert told["db 2"] == "lane db: 2 of 2 run"
    assert told["fetch:a 1"].startswith("lane fetch:a: next start in ")
    assert told["fetch:a 1"].endswith("(10/h)")
    assert told["gpu 0"] == "lane gpu: no worker takes it"
    assert told["mail 0"] == "lane mail is paused"
    assert "lane" not in told["free 0"]


def test_workers_of_some_lanes_alone_leave_the_others(tmp_path: Path) -> None:
    with work_on(tmp_path / "jobs.db", only_lanes='["db"]') as work:
        enlist(work)
        work.fill("db", 1)
        work.fill("mail", 1)
        work.add("plain")
        told = whys(work)
        assert told["plain"] == "ready: the workers take jobs of other lanes alone"
        assert told["mail 0"] == "lane mail: no worker takes it"
        assert "lane" not in told["db 0"]
        with reading(work.queue.db_path, is_dead=lambda _: False) as reader:
            (worker,) = reader.snapshot(View()).workers
            assert worker.only_lanes == ("db",)
            assert describe_lanes(worker) == "only db"
            assert (
                describe_lanes(replace(worker, only_lanes=(), lanes=("a", "b"))) == "also a and b"
            )


def test_a_worker_of_any_words_is_shown(work: Work) -> None:
    """What stands in the register was written by somebody."""
    enlist(work)
    for stored in ("[", "{}", "7", '["a", 7, null]', "x" * 10_000, b"\xff"):
        work.write("UPDATE core_workers SET lanes = ?, only_lanes = ?", stored, stored)
        with reading(work.queue.db_path, is_dead=lambda _: False) as reader:
            (worker,) = reader.snapshot(View()).workers
            assert isinstance(describe_lanes(worker), str)


def test_an_idle_worker_says_that_lanes_hold_what_is_ready(work: Work) -> None:
    def waits() -> str:
        with reading(work.queue.db_path, clock=SYSTEM_CLOCK, is_dead=lambda _: False) as reader:
            snapshot = reader.snapshot(View())
        return describe_wait(snapshot.workers[0], snapshot)

    enlist(work)
    assert waits() == "nothing waits"
    work.queue.pause_lane("db")
    work.fill("db", 3)
    assert waits() == "3 ready, held by their lanes"
    work.queue.resume_lane("db")
    assert waits() == "3 ready, not claimed yet"
    work.queue.set_lane("db", reserved=True)
    assert waits() == "3 ready, held by their lanes"
    work.fill("", 1)
    assert waits() == "4 ready, not claimed yet"


def test_the_oldest_job_of_a_lane_is_found_whatever_its_priority(work: Work) -> None:
    work.queue.set_lane("db", running=1)
    for number, priority in enumerate((0, 5, 2, 5)):
        work.add(f"j{number}", "db", priority=priority)
    for number, created in enumerate((400.0, 100.0, 300.0, 200.0)):
        work.write("UPDATE jobs SET created = ? WHERE name = ?", created, f"j{number}")
    with reading(work.queue.db_path) as reader:
        reading_lanes = LanesReading()
        while not (so_far := reader.step(reading_lanes)).done:
            assert so_far.value.lanes
        assert so_far.value.oldest == {"db": 100.0}


def test_a_file_without_lanes_has_none(tmp_path: Path) -> None:
    path = tmp_path / "gigq.db"
    conn = sqlite3.connect(path)
    conn.executescript(
        "CREATE TABLE jobs (id TEXT PRIMARY KEY, name TEXT, function_name TEXT, function_module "
        "TEXT, params TEXT, priority INTEGER, dependencies TEXT, max_attempts INTEGER, timeout "
        "INTEGER, description TEXT, status TEXT, created_at TEXT, updated_at TEXT, attempts "
        "INTEGER, result TEXT, error TEXT, started_at TEXT, completed_at TEXT, worker_id TEXT);"
        "CREATE TABLE job_executions (id TEXT PRIMARY KEY, job_id TEXT, worker_id TEXT, status "
        "TEXT, started_at TEXT, completed_at TEXT, result TEXT, error TEXT);"
    )
    conn.close()
    with reading(path) as reader:
        so_far = reader.step(LanesReading())
        assert so_far.done
        assert so_far.value.lanes == ()


# --- what needs attention ---------------------------------------------------------------------


def of_lanes(lanes: Sequence[Lane]) -> dict[str, Concern]:
    found = concerns(
        FileWorkers(), Counts(), FILE, overdue=0, starved=False, arranged=Arranged(lanes=lanes)
    )
    return {one.key: one for one in found}


def test_lanes_that_let_nothing_start_need_attention() -> None:
    found = of_lanes(LANES)
    assert found["lanes untaken"].text == "no worker takes lane gpu: 6 jobs wait"
    assert found["lanes paused"].text == "lane mail is paused: 1,204 jobs wait"
    shut = found["lanes shut"]
    assert shut.text == "lane fetch:example.org is shut, as a job asked: 214 jobs wait"
    assert {one.lead.screen for key, one in found.items() if "lanes" in key} == {"lanes"}
    both = [replace(lane, paused_at=1.0, paused_by="*") for lane in LANES[:2]]
    one = of_lanes(both)["lanes paused"]
    assert one.text == "2 lanes are paused: 252 jobs wait"
    # Nothing waits there: nothing is wrong.
    still = [replace(lane, ready=0, held=0) for lane in LANES]
    assert not [key for key in of_lanes(still) if "lanes" in key]


# --- standing, order and words ----------------------------------------------------------------


def lane(**facts: object) -> Lane:
    return replace(Lane(name="x", takers=("w",)), **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "standing", "said", "shortly"),
    [
        ({"ready": 1}, Standing.OPEN, "open", "open"),
        ({}, Standing.EMPTY, "no jobs", "no jobs"),
        (
            {"running_limit": 2, "running": 2, "held": 1},
            Standing.FULL,
            "full: 2 of 2 run",
            "full: 2 of 2 run",
        ),
        (
            {"rate": "10/m", "held": 1, "next_start": AT + 2.1},
            Standing.RATED,
            "next start in 3s (10/m)",
            "next start in 3s",
        ),
        ({"rate": "10/m", "held": 1, "next_start": AT - 1}, Standing.OPEN, "open", "open"),
        (
            {"held": 1, "opens_at": AT + 90},
            Standing.SHUT,
            "shut for 1m30s, as a job asked",
            "shut for 1m30s",
        ),
        ({"held": 1, "opens_at": AT}, Standing.OPEN, "open", "open"),
        ({"held": 1, "paused_at": 1.0}, Standing.PAUSED, "paused", "paused"),
        (
            {"held": 1, "takers": ()},
            Standing.UNTAKEN,
            "no worker takes it",
            "no worker takes it",
        ),
    ],
)
def test_how_a_lane_stands(
    facts: dict[str, object], standing: Standing, said: str, shortly: str
) -> None:
    one = lane(**facts)
    assert standing_of(one, AT) is standing
    assert standing_words(one, AT) == said
    assert standing_words(one, AT, short=True) == shortly


def test_trouble_comes_first_and_what_is_quiet_last() -> None:
    names = [lane.name for lane in in_order(LANES, OLDEST, "trouble", AT)]
    assert names == [
        *("gpu", "fetch:example.org", "mail", "fetch:archive.org", "fetch:example.com"),
        *("import", "reports", "night:*", "thumbs:*"),
    ]
    assert [lane.name for lane in in_order(LANES, OLDEST, "waiting", AT)][:2] == [
        "mail",
        "fetch:example.org",
    ]
    assert [lane.name for lane in in_order(LANES, OLDEST, "oldest", AT)][:2] == ["gpu", "mail"]
    numbered = [lane(name=f"w{n}") for n in (10, 2, 1)]
    assert [one.name for one in in_order(numbered, {}, "name", AT)] == ["w1", "w2", "w10"]
    assert trouble(lane(paused_at=1.0, held=1), AT) < trouble(lane(ready=1), AT)
    assert trouble(lane(ready=1), AT) < trouble(lane(paused_at=1.0), AT)


@pytest.mark.parametrize(
    ("text", "number"),
    [("fetch", 3), ("FETCH org", 2), ("paused", 2), ("night", 1), ("fetch:*", 3), ("zz", 0)],
)
def test_the_list_is_narrowed_by_name_rule_and_state(text: str, number: int) -> None:
    assert sum(matches(lane, text, AT) for lane in LANES) == number


def test_limits_in_words() -> None:
    assert limit_words(2, "10/m", 1, reserved=False) == "at most 2 at a time, 10 starts a minute"
    assert limit_words(None, None, 1, reserved=False) == "no limit"
    assert rate_words("1/d") == "1 start a day"
    assert rate_words("100/h") == "100 starts an hour"
    gpu, org = LANES[3], LANES[0]
    assert lane_words(gpu).startswith("gpu: at most 1 at a time, only for workers that name it")
    assert "rule fetch:*" in lane_words(org)
    assert "taken by w1 and w2" in lane_words(org)


@pytest.mark.parametrize("width", WIDTHS)
def test_lines_fit_and_align_at_any_width(width: int) -> None:
    odd = (
        *LANES,
        Lane(name="\x1b[31m" + "x" * 300, held=10**9, running=10**6, running_limit=10**6),
        Lane(name="日本語" * 20, ready=3),
    )
    table = Table(odd, OLDEST, AT, width)
    heading = line_width(table.heading())
    for one in odd:
        line = table.line(one, marked=True)
        # The list has three cells more at its left, and the bar at its right.
        assert line_width(line) + 3 == heading
        assert heading < max(width, 44)
        assert "\x1b" not in "".join(text for text, _ in line)
    assert line_width(head_line(odd, 3, "fetch", "2 marked", AT, width)) <= width


# --- rules as they are typed ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (RuleText("fetch*"), ["pattern"]),
        (RuleText("-"), ["pattern"]),
        (RuleText("x", "-1", "", "0"), ["running", "burst"]),
        (RuleText("x", "1" * 30), ["running"]),
        (RuleText("x", "", "10"), ["rate"]),
        (RuleText("x", "", "0/s"), ["rate"]),
        (RuleText("x", "", "", "2"), ["burst"]),
        (RuleText("", "x", "x", "x", "x"), ["pattern", "running", "rate", "burst", "reserved"]),
    ],
)
def test_each_mistake_is_told_at_its_own_field(text: RuleText, where: list[str]) -> None:
    rule, troubles = text.read()
    assert rule is None
    assert sorted(troubles) == sorted(where)
    assert all(troubles.values())


def test_what_is_typed_right_is_a_rule_in_its_one_form() -> None:
    rule, troubles = RuleText("fetch:*", "2", "10 / m", "3", "YES").read()
    assert not troubles
    assert rule is not None
    assert (rule.running, rule.rate, rule.burst, rule.reserved) == (2, "10/m", 3, True)


@pytest.mark.parametrize(
    ("pattern", "present", "applies"),
    [
        ("fetch:*", None, True),
        ("fetch:*", "fetch:*", True),
        ("fetch:*", "fetch:a:*", False),
        ("fetch:a:*", "fetch:*", True),
        ("fetch:*", "fetch:a:b", False),
        ("fetch:a:b", "fetch:*", True),
        ("gpu", None, False),
    ],
)
def test_whom_a_rule_would_be_for(pattern: str, present: str | None, applies: bool) -> None:
    assert applies_to(pattern, Lane(name="fetch:a:b", pattern=present)) is applies


# --- what it costs ----------------------------------------------------------------------------


def test_a_refresh_costs_the_same_whether_jobs_wait_in_a_lane_or_not(tmp_path: Path) -> None:
    """The list never counts what is held: by the steps of SQLite, which no busy machine changes."""

    def steps(reader: Reader) -> int:
        taken = 0

        def count() -> int:
            nonlocal taken
            taken += 1
            return 0

        conn = reader._door.conn
        conn.set_progress_handler(count, 100)
        reader.snapshot(View())
        conn.set_progress_handler(None, 0)
        return taken

    cost = {}
    for lane, number in (("", 2_000), ("db", 2_000), ("db", 8_000)):
        with work_on(tmp_path / f"{lane}{number}.db") as work:
            work.queue.set_lane("db", running=1)
            work.fill(lane, number)
            with reading(work.queue.db_path, clock=SYSTEM_CLOCK) as reader:
                reader.snapshot(View())
                work.write("UPDATE jobs SET priority = 1 WHERE rowid = 1")
                cost[lane, number] = steps(reader)
    assert cost["db", 2_000] <= cost["", 2_000] * 1.1, cost
    assert cost["db", 8_000] <= cost["db", 2_000] * 1.1, cost
