"""The forecast of a file with lanes: what is held, what is shown, and who takes it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gigq_core.forecasting import outlook
from gigq_core.forecasting.forecast import Forecast
from gigq_core.forecasting.outlook import LeftReader, Outlook
from tests.lane_work import Work, work_on
from tests.unit.test_core_cli import run


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    """A worker of eight slots, and twenty past runs of a second each."""
    with work_on(tmp_path / "jobs.db") as work:
        work.fill("", 20)
        while claims := work.claim():
            work.complete(*claims)
        work.write("UPDATE job_executions SET ended = began + 1.0")
        yield work


def reading(work: Work) -> closing[sqlite3.Connection]:
    conn = sqlite3.connect(f"file:{work.queue.db_path}?mode=ro", uri=True)
    conn.row_factory = sqlite3.Row
    return closing(conn)


def told(work: Work, *of: str) -> Forecast:
    with reading(work) as conn:
        steps = Outlook(of).read(conn, time.time())
        while True:
            try:
                next(steps)
            except StopIteration as ended:
                found: Forecast = ended.value[0]
                return found


def seconds(work: Work) -> float:
    end = told(work).end
    assert end is not None
    return end.p50


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 400 / 8),
        ({"running": 1}, 400),
        ({"running": 2}, 200),
        ({"rate": "10/m"}, 2_400),
        ({"rate": "10/m", "burst": 100}, 1_800),
        ({"running": 3, "reserved": True}, 0),
    ],
    ids=str,
)
def test_the_end_is_that_of_the_lane(
    work: Work, limits: dict[str, object], expected: float
) -> None:
    work.queue.set_lane("a", **limits)  # type: ignore[arg-type]
    work.fill("a", 400)
    work.turn()
    if expected:
        assert seconds(work) == pytest.approx(expected, rel=0.1)
    else:
        found = told(work)
        assert (found.end, found.reason) == (None, "lane a: no worker takes it")


def test_reserved_jobs_are_for_workers_that_name_their_lane(tmp_path: Path, work: Work) -> None:
    work.queue.set_lane("gpu:*", reserved=True)
    work.fill("gpu:a", 40)
    work.turn()
    assert told(work).end is None
    work.write("UPDATE core_workers SET lanes = ?", json.dumps(["gpu:*"]))
    assert seconds(work) == pytest.approx(40 / 8, rel=0.1)
    work.write("UPDATE core_workers SET lanes = NULL, only_lanes = ?", json.dumps(["gpu:a"]))
    assert seconds(work) == pytest.approx(40 / 8, rel=0.1)
    plain = work.add("plain")
    assert told(work, plain).held == {plain: "the workers take jobs of other lanes alone"}


def test_a_pause_is_told_and_its_end(work: Work) -> None:
    ids = work.fill("a", 3)
    other = work.add("other")
    work.queue.pause_lane("a")
    work.turn()
    found = told(work, ids[2], other)
    assert found.held == {ids[2]: "lane a is paused"}
    assert set(found.windows) == {other}
    text = run(Path(work.queue.db_path), "why", ids[2]).output
    assert "Forecast: not known: lane a is paused." in text
    assert "in line" not in text
    as_json = json.loads(run(Path(work.queue.db_path), "why", ids[2], "--json").output)
    assert as_json["forecast"]["ends"] is None
    assert as_json["forecast"]["reason"] == "lane a is paused"
    assert as_json["line"] is None
    work.queue.resume_lane("a")
    work.turn()
    found = told(work, ids[2])
    assert not found.held
    assert found.windows[ids[2]].end.p50 == pytest.approx(1.0, rel=0.3)


def test_a_shut_lane_opens(work: Work) -> None:
    work.fill("a", 8)
    work.turn()
    opens = time.time() + 600
    work.write(
        "INSERT OR REPLACE INTO core_lane_states (lane, word, shows, opens_at, shut_for) "
        "SELECT lane, word, shows, ?, 600.0 FROM core_lane_states WHERE lane = 'a'",
        opens,
    )
    work.queue.set_lane("a", running=8)
    work.turn()
    assert seconds(work) == pytest.approx(601, rel=0.05)


def test_the_place_of_a_held_job_is_not_promised(work: Work) -> None:
    work.queue.set_lane("a", running=1)
    first, *_, last = work.fill("a", 5)
    work.turn()
    path = Path(work.queue.db_path)
    lines = [json.loads(run(path, "why", job, "--json").output)["line"] for job in (first, last)]
    assert lines == [1, None]
    begins = told(work, last).windows[last].begin
    assert begins.p50 == pytest.approx(4.0, rel=0.1)


def test_what_is_not_read_is_counted(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each lane and priority some jobs are read, and the others are taken to be like them."""
    for name in ("MOST_OF_A_LANE", "MOST_READY"):
        monkeypatch.setattr(outlook, name, 100)
    for name in ("LEAST_OF_A_LANE", "READY_A_STEP", "HELD_A_STEP", "COUNTED_A_STEP"):
        monkeypatch.setattr(outlook, name, 7)
    wanted = {}
    for number in range(10):
        lane = f"l:{number}"
        wanted[lane] = 20 * number + 3
        work.fill(lane, wanted[lane] - 1, priority=number % 3)
        work.fill(lane, 1, priority=-1)
    work.queue.set_lane("l:*", running=1)
    work.queue.set_lane("l:3", reserved=True)
    work.turn()
    reader = LeftReader()
    with reading(work) as conn:
        for _ in reader.read(conn, time.time()):
            pass
    counts: dict[str, int] = {}
    for job in reader.jobs:
        counts[job.lane] = counts.get(job.lane, 0) + job.count
    assert counts == wanted


def test_a_job_of_a_lane_is_told_one_by_one(work: Work) -> None:
    work.queue.set_lane("a", running=1)
    ids = work.fill("a", 5)
    work.turn()
    reader = LeftReader(of=(ids[0], ids[3]))
    with reading(work) as conn:
        for _ in reader.read(conn, time.time()):
            pass
    assert {job.id for job in reader.jobs} >= {ids[0], ids[3]}
    assert sum(job.count for job in reader.jobs) == 5
    assert {job.lane for job in reader.jobs} == {"a"}


def test_statements_go_along_the_indexes_of_lanes(work: Work) -> None:
    work.fill("a", 3)
    with reading(work) as conn:
        for which in outlook.sql.HELD_BY_LANES:
            statements = [
                (outlook.sql.next_held(*which), ("", 0, 10)),
                (outlook.sql.held_groups(*which), ("a", 0, 0, 10)),
                (outlook.sql.count_held(*which), ("a", 0, 0, 10)),
            ]
            for statement, values in statements:
                plan = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
                assert not [line for line in plan if line.startswith("SCAN jobs")], plan
                used = [line for line in plan if which[0] in line]
                assert used, plan
                assert all("lane" in line for line in used), plan
