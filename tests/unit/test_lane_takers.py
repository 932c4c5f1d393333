"""Which workers take the jobs of which lanes; lanes that are paused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gigq_core import Worker
from gigq_core.lanes.rules import lane_words
from gigq_core.lanes.settling import shut
from gigq_core.units.times import utc_now
from gigq_core.worker.claims import Claim
from gigq_core.worker.lane_claims import Takes
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register
from tests.lane_work import Work, work_on


class Taker:
    """A worker that names lanes."""

    def __init__(self, work: Work, worker_id: str, **takes: Any) -> None:
        found = Takes(**{name: tuple(lanes) for name, lanes in takes.items()})
        self.ledger = Ledger(work.queue.db_path, runs_script=False, takes=found)
        self.own = Register(
            *(worker_id, "cli", "process", 8, "python", "/", None),
            **{name: __import__("json").dumps(lanes) for name, lanes in takes.items()},
        )

    def ready(self, most: int = 100) -> int:
        return self.ledger.pending_work(self.own.id, most).ready

    def claim(self, slots: int = 100, ahead: int = 0, lost: bool = True) -> list[Claim]:
        self.ledger.pending_work(self.own.id, slots)
        done = self.ledger.commit(
            *(self.own, [], list(range(slots))),
            claim=True,
            stage=True,
            beat=True,
            ahead=ahead,
            lost=lost,
        )
        return done.claims


def names(claims: list[Claim]) -> list[str]:
    return [claim.name for claim in claims]


@pytest.fixture
def filled(tmp_path: Path) -> Any:
    with work_on(tmp_path / "jobs.db") as work:
        work.queue.set_lane("gpu", reserved=True)
        work.queue.set_lane("gpu:*", running=2, reserved=True)
        work.add("plain")
        work.fill("gpu", 2)
        work.fill("gpu:a", 3, priority=5)
        work.fill("other", 2, priority=-1)
        yield work


def test_a_reserved_lane_is_left_to_workers_that_name_it(filled: Work) -> None:
    assert filled.seen_by_gigq() == 1
    assert names(filled.claim()) == ["plain", "other 0", "other 1"]
    assert filled.ledger.pending_work("w1", 9).ready == 0


@pytest.mark.parametrize(
    ("takes", "wanted"),
    [
        ({"lanes": ["gpu"]}, ["plain", "gpu 0", "gpu 1", "other 0", "other 1"]),
        ({"lanes": ["gpu:*"]}, ["gpu:a 0", "gpu:a 1", "plain", "other 0", "other 1"]),
        ({"lanes": ["nothing"]}, ["plain", "other 0", "other 1"]),
        (
            {"lanes": ["gpu", "gpu:*"]},
            ["gpu:a 0", "gpu:a 1", "plain", "gpu 0", "gpu 1", "other 0", "other 1"],
        ),
        ({"only_lanes": ["gpu"]}, ["gpu 0", "gpu 1"]),
        ({"only_lanes": ["gpu:*", "other"]}, ["gpu:a 0", "gpu:a 1", "other 0", "other 1"]),
        ({"only_lanes": ["nothing", "no:*"]}, []),
    ],
)
def test_a_worker_takes_the_lanes_that_it_names(
    filled: Work, takes: dict[str, list[str]], wanted: list[str]
) -> None:
    taker = Taker(filled, "w2", **takes)
    assert taker.ready() == len(wanted)
    # One by one they come in the same order as all at once.
    assert names(taker.claim(1)) + names(taker.claim(2)) + names(taker.claim()) == wanted
    assert taker.ready() == 0
    taker.ledger.close()


def test_none_is_claimed_ahead_of_the_lanes_that_it_names(filled: Work) -> None:
    taker = Taker(filled, "w2", only_lanes=["gpu"])
    assert names(taker.claim(1, ahead=5)) == ["gpu 0"]
    taker.ledger.close()


def test_a_job_that_may_end_its_worker_is_left_out_where_it_has_to_be(filled: Work) -> None:
    filled.write("UPDATE jobs SET error = 'worker w9 (pid 1) died' WHERE name = 'gpu 0'")
    taker = Taker(filled, "w2", only_lanes=["gpu"])
    assert names(taker.claim(lost=False)) == ["gpu 1"]
    taker.ledger.close()


def test_reserving_a_lane_takes_from_others_what_they_could_see(filled: Work) -> None:
    filled.queue.set_lane("other", reserved=True)
    assert names(filled.claim()) == ["plain"]
    filled.queue.remove_lane("other")
    assert names(filled.claim()) == ["other 0", "other 1"]


def test_lanes_say_who_takes_them(filled: Work) -> None:
    now = 0.0
    lanes = {lane.name: lane for lane in filled.queue.lanes()}
    assert {lane.takers for lane in lanes.values()} == {()}
    assert lane_words(lanes["gpu"], now) == "no worker takes it"
    filled.claim(1)
    taker = Taker(filled, "w2", lanes=["gpu"])
    alone = Taker(filled, "w3", only_lanes=["gpu:*"])
    taker.claim(0)
    alone.claim(0)
    lanes = {lane.name: lane for lane in filled.queue.lanes()}
    assert sorted(lanes["gpu"].takers) == ["w2"]
    assert sorted(lanes["gpu:a"].takers) == ["w3"]
    assert sorted(lanes["other"].takers) == ["w1", "w2"]
    taker.ledger.close()
    alone.ledger.close()


@pytest.mark.parametrize("limits", [None, {"running": 2}, {"rate": "9/s", "burst": 9}])
def test_a_paused_lane_shows_nothing_and_keeps_its_limits(
    tmp_path: Path, limits: dict[str, Any] | None
) -> None:
    with work_on(tmp_path / "jobs.db") as work:
        if limits is not None:
            work.queue.set_lane("fetch:*", **limits)
        work.fill("fetch:a", 5)
        shown = work.shown("fetch:a")
        assert work.queue.pause_lane("fetch:a") is True
        assert work.queue.pause_lane("fetch:a") is False
        work.fill("fetch:a", 1, priority=9)
        assert work.shown("fetch:a") == work.claim() == []
        lane = work.lane("fetch:a")
        assert lane.is_paused
        assert (lane.paused_by, lane_words(lane, 0.0)) == ("fetch:a", "paused")
        assert lane.pattern == (None if limits is None else "fetch:*")
        assert work.queue.resume_lane("fetch:a") is True
        assert work.queue.resume_lane("fetch:a") is False
        assert len(work.shown("fetch:a")) in (len(shown), len(shown) + 1)
        assert work.lane("fetch:a").pattern == (None if limits is None else "fetch:*")


def test_a_pause_of_a_prefix_holds_all_its_lanes_and_those_to_come(tmp_path: Path) -> None:
    with work_on(tmp_path / "jobs.db") as work:
        work.fill("fetch:a", 2)
        work.fill("other", 1)
        work.queue.pause_lane("fetch:*")
        work.fill("fetch:b", 2)
        assert names(work.claim()) == ["other 0"]
        assert work.lane("fetch:b").paused_by == "fetch:*"
        # A pause of one of them is none of the others, and ends by its own name.
        work.queue.pause_lane("fetch:b")
        work.queue.resume_lane("fetch:*")
        assert names(work.claim()) == ["fetch:a 0", "fetch:a 1"]
        work.queue.resume_lane("fetch:b")
        assert names(work.claim()) == ["fetch:b 0", "fetch:b 1"]


def test_what_a_job_has_shut_is_opened_by_hand_unless_it_is_paused(tmp_path: Path) -> None:
    with work_on(tmp_path / "jobs.db") as work:
        work.queue.set_lane("fetch:*", running=2)
        for lane in ("fetch:a", "fetch:b", "other"):
            work.fill(lane, 3)
            with work.ledger.writing() as conn:
                shut(conn, lane, 9e9, utc_now())
        assert work.claim() == []
        work.queue.pause_lane("fetch:*")
        # What is over is the pause: somebody who pauses and resumes takes no brake off.
        assert work.queue.resume_lane("fetch:*") is True
        assert work.claim() == []
        assert work.queue.resume_lane("fetch:a") is True
        assert work.lane("fetch:a").opens_at is None
        assert names(work.claim()) == ["fetch:a 0", "fetch:a 1"]
        assert work.queue.resume_lane("fetch:*") is True
        assert names(work.claim()) == ["fetch:b 0", "fetch:b 1"]
        assert work.queue.resume_lane("fetch:*") is False
        assert work.lane("other").shut_for == 9e9


def test_a_rule_or_a_pause_without_jobs_is_told(tmp_path: Path) -> None:
    with work_on(tmp_path / "jobs.db") as work:
        work.queue.set_lane("fetch:*", running=2)
        work.queue.pause_lane("db")
        told = [(lane.name, lane.is_rule_only, lane.is_paused) for lane in work.queue.lanes()]
        assert told == [("db", True, True), ("fetch:*", True, False)]
        work.fill("fetch:a", 1)
        assert [lane.name for lane in work.queue.lanes()] == ["db", "fetch:a"]


@pytest.mark.parametrize(
    ("takes", "problem", "sentence"),
    [
        ({"lanes": ["a"], "only_lanes": ["b"]}, ValueError, "give one of the two"),
        ({"lanes": ["*"]}, ValueError, "a lane's name, or a prefix"),
        ({"only_lanes": ["-"]}, ValueError, "reserved for jobs without one"),
        ({"lanes": "gpu"}, TypeError, "must be a list of lanes"),
        ({"lanes": None}, TypeError, "lanes must be a list of lanes, not NoneType"),
        ({"only_lanes": 3}, TypeError, "only_lanes must be a list of lanes, not int"),
    ],
)
def test_what_a_worker_can_t_take_is_refused(
    tmp_path: Path, takes: dict[str, Any], problem: type[Exception], sentence: str
) -> None:
    with pytest.raises(problem, match=sentence):
        Worker(tmp_path / "jobs.db", **takes)
