"""Lanes: which of their jobs are shown to workers, by each of their rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gigq import JobQueue as GigqQueue
from gigq import Worker as GigqWorker

from gigq_core.lanes.rules import check_pattern, matches, patterns_for, rate_of, rate_text, rule_of
from gigq_core.schema import lane_statements as sql
from gigq_core.schema import worker_statements as worker_sql
from gigq_core.schema.features import Feature
from gigq_core.worker.claims import Ending, Fate
from tests.lane_work import Work, work_on


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    with work_on(tmp_path / "jobs.db") as work:
        yield work


def test_no_more_run_than_the_limit_and_one_that_ends_makes_room(work: Work) -> None:
    work.queue.set_lane("db", running=2)
    work.fill("db", 5)
    claims = work.claim()
    assert [claim.name for claim in claims] == ["db 0", "db 1"]
    assert work.claim() == []
    # In the commit that ends it.
    work.complete(claims[0])
    assert work.shown("db") == ["db 2"]
    assert work.lane("db").running == 1


def test_a_turn_that_ends_one_claims_the_next(work: Work) -> None:
    work.queue.set_lane("db", running=1)
    work.fill("db", 3)
    (first,) = work.claim()
    (second,) = work.claim(8, Ending(first, Fate.COMPLETED, result="null"))
    assert (first.name, second.name) == ("db 0", "db 1")


@pytest.mark.parametrize(
    ("lane", "limit"),
    [
        ("fetch:example.org", 5),
        ("fetch:example.org:8080", 2),
        ("fetch:example.org:8080:x", 2),
        ("fetch:other.org", 3),
        ("fetch", None),
        ("fetcher:other.org", None),
        ("gpu", None),
    ],
)
def test_the_exact_name_wins_then_the_longest_prefix(
    work: Work, lane: str, limit: int | None
) -> None:
    work.queue.set_lane("fetch:*", running=3)
    work.queue.set_lane("fetch:example.org", running=5)
    work.queue.set_lane("fetch:example.org:*", running=2)
    work.fill(lane, 10)
    assert len(work.shown(lane)) == (limit or 10)
    assert work.lane(lane).running_limit == limit
    assert len(work.claim(20)) == (limit or 10)


def test_each_lane_of_a_prefix_has_the_limit_for_itself(work: Work) -> None:
    work.queue.set_lane("fetch:*", running=2)
    for host in ("a", "b", "c"):
        work.fill(f"fetch:{host}", 3)
    assert len(work.claim(20)) == 6


def test_the_best_are_shown_and_a_better_one_takes_the_place(work: Work) -> None:
    work.queue.set_lane("db", running=1)
    work.add("low", "db")
    assert work.shown("db") == ["low"]
    work.add("high", "db", priority=5)
    assert work.shown("db") == ["high"]
    low = work.rows("SELECT id FROM jobs WHERE name = 'low'")[0][0]
    work.queue.set_priority([low], 9)
    assert work.shown("db") == ["low"]
    work.queue.cancel(low)
    assert work.shown("db") == ["high"]
    work.queue.requeue_job(low)
    assert work.shown("db") == ["low"]


def test_limits_can_be_set_changed_and_removed_at_any_time(work: Work) -> None:
    work.fill("db", 10)
    assert len(work.shown("db")) == 10
    work.queue.set_lane("db", running=3)
    assert work.shown("db") == ["db 0", "db 1", "db 2"]
    work.queue.set_lane("db", running=1)
    assert work.shown("db") == ["db 0"]
    assert work.queue.remove_lane("db") is True
    assert work.queue.remove_lane("db") is False
    work.turn()
    assert len(work.shown("db")) == 10


def test_a_lowered_limit_stops_nothing_that_runs(work: Work) -> None:
    work.queue.set_lane("db", running=3)
    work.fill("db", 6)
    claims = work.claim()
    work.queue.set_lane("db", running=1)
    work.complete(claims[0])
    assert (work.lane("db").running, work.shown("db")) == (2, [])
    work.complete(*claims[1:])
    assert len(work.shown("db")) == 1


def test_no_more_than_so_many_are_shown_however_many_may_run(work: Work) -> None:
    work.queue.set_lane("db", running=1000)
    work.fill("db", 600)
    assert len(work.shown("db")) == 256
    assert len(work.claim(600)) == 256
    assert len(work.claim(600)) == 256
    assert len(work.claim(600)) == 88


def test_a_lane_without_a_limit_is_not_looked_at_again(work: Work) -> None:
    work.fill("free", 1)
    work.fill("free", 3)
    assert len(work.shown("free")) == 4
    changes = work.rows("SELECT at FROM core_agenda WHERE what = 'lanes:'")
    assert changes[0][0] > 1e12
    work.complete(*work.claim(2))
    assert work.rows("SELECT count(*) FROM core_lane_dirty") == [(0,)]


def test_gigqs_workers_never_see_a_job_in_a_lane(work: Work) -> None:
    work.queue.set_lane("db", running=1)
    ids = work.fill("db", 3) + work.fill("free", 2)
    gigq = GigqQueue(str(work.queue.db_path))
    assert GigqWorker(str(work.queue.db_path)).process_one() is False
    assert work.seen_by_gigq() == 0
    # Its cancel and its requeue are settled by whoever comes first.
    for job_id in ids:
        assert gigq.cancel(job_id)
    assert work.shown("db") == work.shown("free") == []
    for job_id in ids:
        assert gigq.requeue_job(job_id)
        assert work.seen_by_gigq() == 0
    assert len(work.shown("db")) == 0
    assert len(work.shown("free")) == 2
    work.turn()
    assert work.shown("db") == ["db 0"]
    assert GigqWorker(str(work.queue.db_path)).process_one() is False


def test_gigqs_requeue_of_what_failed_counts_anew(work: Work) -> None:
    work.queue.set_lane("db", running=1)
    work.fill("db", 3, max_attempts=1)
    gigq = GigqQueue(str(work.queue.db_path))
    (first,) = work.claim()
    (second,) = work.claim(8, Ending(first, Fate.FAILED, error="no"))
    # It stands in the file as it was claimed, and must not be one more that is shown.
    assert gigq.requeue_job(first.job_id)
    assert work.shown("db") == []
    assert work.claim() == []
    work.complete(second)
    assert work.shown("db") == ["db 0"]


def test_a_child_in_a_lane_waits_for_its_parent_then_for_its_place(work: Work) -> None:
    work.queue.set_lane("db", running=1)
    parent = work.add("parent")
    work.add("child", "db", dependencies=[parent])
    work.add("free child", "free", dependencies=[parent])
    work.add("other", "db")
    assert work.lane("db").blocked == 1
    assert work.shown("db") == ["other"]
    (first, other) = work.claim()
    work.complete(first)
    assert work.seen_by_gigq() == 0
    assert (work.shown("db"), work.shown("free")) == ([], ["free child"])
    work.complete(other)
    assert work.shown("db") == ["child"]


def test_gigqs_completion_of_a_parent_releases_a_child_to_its_lane(work: Work) -> None:
    work.queue.set_lane("db", running=1)
    parent = work.add("parent")
    work.add("child", "db", dependencies=[parent])
    work.add("free child", "free", dependencies=[parent])
    assert GigqWorker(str(work.queue.db_path)).process_one() is True
    assert GigqWorker(str(work.queue.db_path)).process_one() is False
    assert work.shown("free") == ["free child"]
    work.turn()
    assert work.shown("db") == ["child"]


def test_laned_jobs_are_not_claimed_ahead(work: Work) -> None:
    work.fill("free", 4)
    work.ledger.pending_work("w1", 8)
    done = work.ledger.commit(work.own, [], [1], claim=True, stage=False, beat=False, ahead=5)
    assert len(done.claims) == 1


def test_only_a_file_that_uses_lanes_has_what_they_need(work: Work) -> None:
    def parts() -> set[str]:
        found = work.rows("SELECT name FROM sqlite_master WHERE type IN ('index', 'trigger')")
        return {name for (name,) in found}

    wanted = {*Feature.LANES.triggers, *Feature.LANES.indexes}
    work.add("plain")
    work.add("hidden", ours=True)
    assert not wanted & parts()
    work.add("laned", "db")
    assert wanted <= parts()


def test_counters_call_what_its_lane_holds_ready(work: Work) -> None:
    work.queue.set_lane("db", running=1)
    work.fill("db", 3)
    work.add("later", "db", run_after=600)
    counts = dict(work.rows("SELECT state, n FROM core_counts WHERE n > 0"))
    assert counts == {"ready": 3, "delayed": 1}
    lane = work.lane("db")
    assert (lane.ready, lane.held, lane.delayed) == (1, 2, 1)


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("*", "write a lane's name, or a prefix as in fetch:"),
        (":*", "write a lane's name, or a prefix as in fetch:"),
        ("fetch*", "write a lane's name, or a prefix as in fetch:"),
        ("a:*:*", "write a lane's name, or a prefix as in fetch:"),
        ("*:a", "write a lane's name, or a prefix as in fetch:"),
        ("-", "reserved for jobs without one"),
        ("", "give a name"),
        (" a", "without spaces"),
    ],
)
def test_what_is_no_pattern_is_refused(work: Work, pattern: str, sentence: str) -> None:
    for act in (work.queue.set_lane, work.queue.pause_lane):
        with pytest.raises(ValueError, match=sentence):
            act(pattern)
    assert work.queue.lanes() == []


@pytest.mark.parametrize(
    ("rate", "starts", "period_s", "text"),
    [
        ("10/m", 10, 60, "10/m"),
        (" 0.5 / s ", 0.5, 1, "0.5/s"),
        ("100/h", 100, 3600, "100/h"),
        ("1/d", 1, 86400, "1/d"),
        ("5.0/1s", 5, 1, "5/s"),
    ],
)
def test_a_rate_is_so_many_in_a_time(rate: str, starts: float, period_s: float, text: str) -> None:
    assert rate_of(rate) == (starts, period_s)
    assert rate_text(rate) == text


def test_the_lane_of_a_rule_holds_no_parameter(work: Work) -> None:
    with pytest.raises(ValueError, match="write the name that it becomes, or a prefix"):
        work.queue.set_lane("fetch:{host}", running=1)
    assert work.queue.lanes() == []


@pytest.mark.parametrize("rate", ["0.001/d", "0.0015/s", "999999.9/s", "1000000/h"])
def test_a_rate_that_is_taken_is_kept(work: Work, rate: str) -> None:
    work.queue.set_lane("db", rate=rate)
    (lane,) = work.queue.lanes()
    assert lane.rate is not None
    assert rate_of(lane.rate) == rate_of(rate)


@pytest.mark.parametrize(
    "rate",
    ["", "10", "10/", "/m", "-1/s", "0/s", "1e3/s", "nan/s", "5/w", "0.00001/s", "1000001/s"],
)
def test_what_is_no_rate_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="5/s, 10/m, 100/h or 1/d"):
        rule_of("db", rate=rate)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"running": 0}, ValueError),
        ({"running": -1}, ValueError),
        ({"running": 1.5}, TypeError),
        ({"running": True}, TypeError),
        ({"burst": 0, "rate": "1/s"}, ValueError),
        ({"burst": 2}, ValueError),
        ({"reserved": 1}, TypeError),
        ({"rate": 10}, TypeError),
    ],
)
def test_what_is_no_limit_is_refused(options: dict[str, object], problem: type[Exception]) -> None:
    with pytest.raises(problem):
        rule_of("db", **options)  # type: ignore[arg-type]


def test_patterns_stand_in_the_order_in_which_they_win() -> None:
    assert patterns_for("a:b:c") == ["a:b:c", "a:b:*", "a:*"]
    for lane in ("a:b:c", "a:", "plain"):
        for pattern in patterns_for(lane):
            assert check_pattern(pattern) == pattern
            assert matches(pattern, lane)
    assert not matches("a:*", "ab:c")


def test_a_child_that_waits_again_leaves_its_place(work: Work) -> None:
    work.queue.set_lane("db", running=1)
    parent = work.add("parent", max_attempts=1)
    work.add("child", "db", dependencies=[parent], on_parent_failure="run", priority=5)
    work.add("other", "db")
    claim, other = work.claim(2)
    work.end(Ending(other, Fate.GIVEN_BACK, error="no"), Ending(claim, Fate.FAILED, error="no"))
    work.ledger.tell_children()
    assert work.shown("db") == ["child"]
    work.queue.requeue_job(parent)
    assert work.shown("db") == ["other"]


# --- how the file is asked ---------------------------------------------------------------------


def plan_of(work: Work, statement: str, **values: object) -> list[str]:
    names = dict.fromkeys(("lane", "room", "most", "word", "places", "functions", "low"), 1)
    names |= {"high": "z", "slots": 1, "names": "[]", "chosen": "[]", "worker": "w", "utc": 0.0}
    names |= {"now": "", "functions": "[]", **values}
    rows = work.ledger.conn.execute(f"EXPLAIN QUERY PLAN {statement}", names).fetchall()
    return [row[3] for row in rows]


def test_what_is_claimed_is_walked_in_order_and_never_sorted(work: Work) -> None:
    work.fill("db", 1)
    for statement in (worker_sql.CLAIM, worker_sql.CLAIM_AHEAD.replace(":ahead", "1")):
        plan = plan_of(work, statement)
        assert any("core_open" in step for step in plan)
        assert not any("TEMP B-TREE" in step for step in plan), plan
    for kind in ((True, True), (False, True), (True, False), (False, False)):
        plan = plan_of(work, sql.BEST_OF_LANE[kind])
        index = "core_lane_open" if kind[0] else "core_lane_reserved"
        assert any(f"{index} (lane=?)" in step for step in plan), plan
        assert not any("TEMP B-TREE" in step for step in plan), plan


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (sql.SHOWN_IN, "core_lane_open (lane=?)"),
        (sql.SHOW_BEST, "core_lane_held (lane=?)"),
        (sql.HIDE_ALL, "core_lane_open (lane=?)"),
        (sql.HAS_HELD, "core_lane_held (lane=?)"),
        (sql.BEST_IN, "core_lane_held (lane=?)"),
        (sql.OPEN_LANES_BETWEEN[True], "core_lane_open (lane>? AND lane<?)"),
        (sql.OPEN_LANES_BETWEEN[False], "core_lane_reserved (lane>? AND lane<?)"),
        (sql.READY_BETWEEN[True, True], "core_lane_open (lane>? AND lane<?)"),
        (sql.READY_BETWEEN[False, True], "core_lane_reserved (lane>? AND lane<?)"),
        (sql.NEXT, "core_lane_next"),
    ],
)
def test_a_lane_is_looked_up_and_not_looked_for(work: Work, statement: str, index: str) -> None:
    work.fill("db", 1)
    plan = plan_of(work, statement)
    assert any(index in step for step in plan), plan
    assert not any(step.startswith("SCAN jobs") and "core_lane" not in step for step in plan), plan
    if statement is not sql.BEST_IN:
        assert not any("TEMP B-TREE" in step for step in plan), plan
