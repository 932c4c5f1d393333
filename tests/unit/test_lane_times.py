"""What a lane does by the clock: its rate, the time that a job shuts it for, a clock set back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigq_core import Retry
from gigq_core.lanes.rules import Rate, allowed_now, lane_words
from gigq_core.schema import ddl
from gigq_core.worker.claims import Claim, Ending, Fate, Wish
from tests.lane_work import Work, work_on


class Clock:
    """The wall clock, which stands still until it is moved."""

    def __init__(self) -> None:
        self.utc = time.time()

    def __call__(self) -> float:
        return self.utc


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gigq_core.units.times.time.time", clock)
    return clock


@pytest.fixture
def work(tmp_path: Path, clock: Clock) -> Iterator[Work]:
    with work_on(tmp_path / "jobs.db") as work:
        yield work


def asks_for_its_lane(claim: Claim, seconds: float | None) -> Ending:
    return Ending(
        claim, Fate.FAILED, error="429", raised=("app.Busy",), wish=Wish("retry", seconds, True)
    )


# --- rates -----------------------------------------------------------------------------------


def test_a_rate_lets_one_start_each_time(work: Work, clock: Clock) -> None:
    work.queue.set_lane("api", rate="10/m")
    work.fill("api", 5)
    started = []
    begin = clock.utc
    for _ in range(60):
        started += [clock.utc - begin] * len(work.claim())
        clock.utc += 1.0
    assert started == [0.0, 6.0, 12.0, 18.0, 24.0]


def test_a_burst_may_start_at_once_and_is_earned_again(work: Work, clock: Clock) -> None:
    work.queue.set_lane("api", rate="1/s", burst=3)
    work.fill("api", 20)
    assert len(work.claim()) == 3
    assert len(work.claim()) == 0
    clock.utc += 2.0
    assert len(work.claim()) == 2
    # No more than the burst, however long it was quiet.
    clock.utc += 60.0
    assert len(work.claim()) == 3


def test_the_agenda_says_when_the_next_may_start(work: Work, clock: Clock) -> None:
    work.queue.set_lane("api", rate="10/m")
    work.fill("api", 2)
    work.claim()
    assert work.ledger.pending_work("w1", 8).agenda == pytest.approx(clock.utc + 6.0)
    lane = work.lane("api")
    assert lane.next_start == pytest.approx(clock.utc + 6.0)
    assert lane_words(lane, clock.utc + 3.0) == "next start in 3s (10/m)"
    clock.utc += 6.0
    work.turn()
    assert len(work.shown("api")) == 1
    work.claim()
    # Nobody is to be woken for a lane in which nothing waits.
    assert work.ledger.pending_work("w1", 8).agenda > clock.utc + 1e9


def test_no_worker_is_woken_again_and_again_for_what_is_earned(work: Work, clock: Clock) -> None:
    work.queue.set_lane("api", rate="1/s", burst=2)
    work.fill("api", 9)
    work.claim(1)
    clock.utc += 50.0
    work.turn()
    assert len(work.shown("api")) == 2
    assert work.ledger.pending_work("w1", 8).agenda > clock.utc


def test_another_attempt_is_another_start(work: Work, clock: Clock) -> None:
    work.queue.set_lane("api", rate="1/m")
    work.fill("api", 1)
    (claim,) = work.claim()
    work.end(Ending(claim, Fate.FAILED, error="no"))
    assert work.claim() == []
    clock.utc += 60.0
    (again,) = work.claim()
    # The limit burns no attempts.
    assert again.attempt == 2


def test_a_start_that_was_given_back_stays_spent(work: Work, clock: Clock) -> None:
    work.queue.set_lane("api", rate="1/m")
    work.fill("api", 1)
    (claim,) = work.claim()
    work.end(Ending(claim, Fate.GIVEN_BACK, error="stopped"))
    assert work.claim() == []
    clock.utc += 60.0
    assert work.claim()[0].attempt == 1


@pytest.mark.parametrize("burst", [1, 2, 5])
@pytest.mark.parametrize("unbegun", [1, 2, 3])
def test_a_start_of_what_has_not_begun_is_not_counted(
    work: Work, clock: Clock, burst: int, unbegun: int
) -> None:
    work.queue.set_lane("api", rate="1/m", burst=burst)
    work.fill("api", 9)
    for _ in range(unbegun):
        claims = work.claim()
        assert len(claims) == burst
        work.end(*(Ending(claim, Fate.NOT_BEGUN) for claim in claims))
    assert [claim.attempt for claim in work.claim()] == [1] * burst
    assert work.claim() == []
    clock.utc += 60.0
    assert len(work.claim()) == 1


def test_a_rate_and_a_limit_hold_together(work: Work, clock: Clock) -> None:
    work.queue.set_lane("api", running=2, rate="1/s", burst=5)
    work.fill("api", 9)
    claims = work.claim()
    assert len(claims) == 2
    work.complete(*claims)
    assert len(work.claim()) == 2


def test_a_delayed_job_waits_for_its_time_and_then_for_its_lane(work: Work, clock: Clock) -> None:
    work.queue.set_lane("db", running=1)
    work.add("later", "db", run_after=30)
    work.add("now", "db")
    (now,) = work.claim()
    clock.utc += 31.0
    assert work.claim() == []
    lane = work.lane("db")
    assert (lane.delayed, lane.held) == (0, 1)
    work.complete(now)
    assert [claim.name for claim in work.claim()] == ["later"]


def test_a_retrying_job_waits_for_its_delay_and_leaves_its_place(work: Work, clock: Clock) -> None:
    work.queue.set_lane("db", running=1)
    work.fill("db", 2, retry_delay=10)
    (first,) = work.claim()
    (second,) = work.claim(8, Ending(first, Fate.FAILED, error="no"))
    assert second.name == "db 1"
    clock.utc += 11.0
    assert work.claim() == []
    work.complete(second)
    assert [claim.name for claim in work.claim()] == ["db 0"]


@pytest.mark.parametrize("burst", [1, 2, 7])
@pytest.mark.parametrize("starts", [0.5, 1, 3, 1000])
def test_over_any_time_no_more_start_than_the_rate_allows(starts: float, burst: int) -> None:
    rate, tat, now, started = Rate(starts, 1.0), None, 1.7e9, 0
    for step in range(2000):
        now += (step % 7) * 0.13 / starts
        free = allowed_now(rate, burst, tat, now)
        assert 0 <= free <= burst
        if free:
            tat = max(tat or 0.0, now) + free * rate.apart_s
            started += free
        assert started <= (now - 1.7e9) * starts + burst + 0.5
    # What is earned between two looks beyond the burst is lost.
    assert burst == 1 or started >= (now - 1.7e9) * starts - 1


# --- a lane that a job shuts -----------------------------------------------------------------


@pytest.mark.parametrize("limits", [{}, {"running": 4}, {"rate": "100/s", "burst": 9}])
def test_one_job_can_shut_its_lane(work: Work, clock: Clock, limits: dict[str, object]) -> None:
    if limits:
        work.queue.set_lane("api", **limits)  # type: ignore[arg-type]
    work.fill("api", 6)
    other = work.add("other")
    first, second = work.claim(2)
    work.end(asks_for_its_lane(first, 30.0))
    assert work.shown("api") == []
    lane = work.lane("api")
    assert (lane.opens_at, lane.shut_for) == (pytest.approx(clock.utc + 30), 30)
    assert lane_words(lane, clock.utc + 0.5) == "shut for 30s, as a job asked"
    # What runs goes on, other lanes too; and what comes is held.
    assert [claim.job_id for claim in work.claim()] == [other]
    work.add("new", "api", priority=9)
    work.complete(second)
    assert work.claim() == []
    clock.utc += 29.0
    assert work.claim() == []
    clock.utc += 1.1
    assert work.claim(1)[0].name == "new"
    assert work.lane("api").opens_at is None


def test_the_longer_of_two_times_stands(work: Work, clock: Clock) -> None:
    work.fill("api", 6)
    first, second, third = work.claim(3)
    work.end(asks_for_its_lane(first, 30.0))
    clock.utc += 1
    work.end(asks_for_its_lane(second, 5.0), asks_for_its_lane(third, None))
    assert work.lane("api").opens_at == pytest.approx(clock.utc + 29)


def test_the_last_attempt_shuts_the_lane_too_but_none_that_was_superseded(
    work: Work, clock: Clock
) -> None:
    work.fill("api", 4, max_attempts=1)
    first, second = work.claim(2)
    work.write("UPDATE jobs SET execution_id = 'taken' WHERE id = ?", first.job_id)
    work.end(asks_for_its_lane(first, 60.0))
    assert work.lane("api").opens_at is None
    work.end(asks_for_its_lane(second, 60.0))
    assert work.lane("api").opens_at == pytest.approx(clock.utc + 60)
    assert work.queue.get_status(second.job_id)["status"] == "failed"


def test_a_job_outside_of_lanes_shuts_none(work: Work, clock: Clock) -> None:
    work.fill("api", 1)
    work.add("plain", priority=5)
    plain, _ = work.claim(2)
    work.end(asks_for_its_lane(plain, 60.0))
    assert work.rows("SELECT count(*) FROM core_lane_states WHERE opens_at IS NOT NULL") == [(0,)]


def test_what_retry_says_of_a_lane_is_checked() -> None:
    assert Retry(lane=True).lane is True
    with pytest.raises(TypeError, match="lane must be True or False"):
        Retry(5, lane="api")  # type: ignore[arg-type]


# --- the clock ---------------------------------------------------------------------------------


@pytest.mark.parametrize("back_s", [3600.0, 365 * 86400.0])
def test_a_clock_set_back_lengthens_nothing(work: Work, clock: Clock, back_s: float) -> None:
    work.queue.set_lane("api", rate="10/m", burst=2)
    work.fill("api", 9)
    work.fill("shut", 3)
    api = work.claim(2)
    (first,) = work.claim(1)
    assert (len(api), first.name) == (2, "shut 0")
    work.end(asks_for_its_lane(first, 30.0))
    clock.utc -= back_s
    work.ledger.recheck_agenda()
    work.turn()
    assert work.lane("shut").opens_at == pytest.approx(clock.utc + 30)
    assert work.lane("api").next_start == pytest.approx(clock.utc + 6)
    clock.utc += 6.01
    assert [claim.name for claim in work.claim()] == ["api 2"]
    clock.utc += 25.0
    assert {claim.name for claim in work.claim()} >= {"shut 1", "shut 2"}


def test_a_clock_set_forward_opens_what_was_shut(work: Work, clock: Clock) -> None:
    work.queue.set_lane("api", rate="1/d")
    work.fill("api", 3)
    work.claim()
    clock.utc += 86401
    assert len(work.claim()) == 1


def test_a_new_rate_waits_for_no_old_one(work: Work, clock: Clock) -> None:
    work.queue.set_lane("api", rate="1/d")
    work.fill("api", 3)
    work.claim()
    work.queue.set_lane("api", rate="10/s")
    clock.utc += 0.11
    assert len(work.claim()) == 1


def test_states_of_lanes_without_jobs_are_forgotten(work: Work, clock: Clock) -> None:
    from gigq_core.lanes.settling import FORGET_EVERY_S, LaneDuty
    from gigq_core.units.times import Moment

    for n in range(5):
        work.fill(f"host:{n}", 1)
    work.complete(*work.claim(4))
    duty = LaneDuty()
    duty._forgotten_at -= FORGET_EVERY_S + 1
    with work.ledger.writing() as conn:
        duty.recheck(conn, Moment.now())
    assert work.rows("SELECT lane FROM core_lane_states") == [("host:4",)]
    # What comes again is held until somebody looks, and then shown.
    work.fill("host:0", 2)
    assert len(work.shown("host:0")) == 2
    assert ddl.HELD not in {word for (word,) in work.rows("SELECT word FROM core_lane_states")}
