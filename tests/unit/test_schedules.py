"""Schedules: each slot ends as one job or as a skip that is told, whatever the clock does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue, Unique
from gigq_core.schedules.rules import Schedule, fill_slot, read_schedule, read_schedules
from gigq_core.schema import schedule_statements as sql
from gigq_core.schema.opening import open_read_only
from tests.clock import DAY_S, HOUR_S, YEAR_S, MovedClock, at, look_at_clock, work_off

NIGHTLY = "30 2 * * *"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    return MovedClock(at("2026-11-28T12:00:10")).standing_in(monkeypatch)


@pytest.fixture
def queue(tmp_path: Path, clock: MovedClock) -> JobQueue:
    return JobQueue(tmp_path / "q.db")


def job(**options: Any) -> Job:
    return Job("load", "shop.etl.load", {"day": "{slot:%Y-%m-%d}"}, **options)


def schedule(queue: JobQueue, name: str = "nightly") -> Schedule:
    return next(one for one in queue.schedules() if one.name == name)


def slots(queue: JobQueue, name: str = "nightly") -> list[float]:
    """The slots of its jobs, in order."""
    return [one["slot"] for one in made(queue, name)]


def made(queue: JobQueue, name: str = "nightly") -> list[dict[str, Any]]:
    jobs = [one for one in queue.list_jobs(limit=10_000) if one["schedule"] == name]
    return sorted(jobs, key=lambda one: float(one["slot"]))


def end(queue: JobQueue, *, status: str = "completed") -> None:
    """All that waits or runs ends so."""
    with closing(sqlite3.connect(queue.db_path)) as conn, conn:
        conn.execute("UPDATE jobs SET status = ? WHERE status IN ('pending', 'running')", (status,))


def begin(queue: JobQueue) -> None:
    """All that waits runs, at a worker of GigQ's."""
    with closing(sqlite3.connect(queue.db_path)) as conn, conn:
        conn.execute("UPDATE jobs SET status = 'running' WHERE status = 'pending'")


def path_of(queue: JobQueue) -> Path:
    return Path(queue.db_path)


def whys(queue: JobQueue, name: str = "nightly") -> list[str]:
    return [skip.why for skip in schedule(queue, name).skips]


# --- making, changing, removing --------------------------------------------------------------


def test_a_schedule_is_what_was_given(queue: JobQueue, clock: MovedClock) -> None:
    given = queue.schedule(
        " nightly ", "30  2 * * *", job(priority=3), "Europe/Berlin", "none", "queue"
    )
    assert given == schedule(queue)
    assert (given.name, given.when, given.zone) == ("nightly", NIGHTLY, "Europe/Berlin")
    assert (given.catch_up, given.overlap) == ("none", "queue")
    assert (given.function, given.job_name) == ("shop.etl.load", "load")
    assert (given.params, given.options) == ({"day": "{slot:%Y-%m-%d}"}, {"priority": 3})
    assert given.next_at == at("2026-11-29T01:30")
    assert (given.last_slot, given.last_job_id, given.last_status) == (None, None, None)
    assert (given.trouble, given.skipped, given.skips) == ("", 0, ())


def test_nothing_is_made_before_its_time(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", NIGHTLY, job())
    clock.now = at("2026-11-29T02:29:59")
    work_off(path_of(queue))
    assert queue.stats()["total"] == 0


def test_a_slot_becomes_a_job_once(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", NIGHTLY, job(priority=3), "Europe/Berlin")
    clock.now = at("2026-11-29T01:30:00.200")
    for _ in range(3):
        work_off(path_of(queue))
    (one,) = made(queue)
    assert (one["slot"], one["schedule"], one["priority"]) == (at("2026-11-29T01:30"), "nightly", 3)
    assert one["params"] == {"day": "2026-11-29"}
    now = schedule(queue)
    assert (now.last_slot, now.last_job_id, now.last_status) == (one["slot"], one["id"], "pending")
    assert now.next_at == at("2026-11-30T01:30")
    assert now.skips == ()


def test_a_script_may_say_it_again_each_time_it_starts(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", NIGHTLY, job())
    clock.now = at("2026-11-29T05:00")  # the slot has passed, and nobody was there
    queue.schedule("nightly", NIGHTLY, job())
    queue.schedule("nightly", NIGHTLY, job(priority=9))
    work_off(path_of(queue))
    assert [one["priority"] for one in made(queue)] == [9]
    assert slots(queue) == [at("2026-11-29T02:30")]


def test_another_rule_tells_the_slots_that_it_leaves_behind(
    queue: JobQueue, clock: MovedClock
) -> None:
    queue.schedule("nightly", NIGHTLY, job())
    clock.move(2 * DAY_S)
    queue.schedule("nightly", "0 3 * * *", job())
    work_off(path_of(queue))
    assert slots(queue) == []
    assert whys(queue) == ["2 passed before it was changed"]
    assert schedule(queue).next_at == at("2026-12-01T03:00")


def test_a_schedule_that_is_removed_makes_no_more_jobs(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", NIGHTLY, job())
    clock.move(DAY_S)
    work_off(path_of(queue))
    clock.move(DAY_S)
    assert queue.remove_schedule("nightly") is True
    assert queue.remove_schedule("nightly") is False
    work_off(path_of(queue))
    assert len(slots(queue)) == 1
    assert queue.schedules() == []


def test_a_paused_schedule_lets_its_slots_pass(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", NIGHTLY, job())
    assert queue.pause_schedule("nightly") is True
    assert queue.pause_schedule("nightly") is False
    assert schedule(queue).paused_at == clock.now
    assert schedule(queue).next_at is None
    clock.move(3 * DAY_S)
    work_off(path_of(queue))
    queue.schedule("nightly", NIGHTLY, job(priority=1))
    work_off(path_of(queue))
    assert slots(queue) == []
    assert queue.resume_schedule("nightly") is True
    assert queue.resume_schedule("nightly") is False
    assert whys(queue) == ["3 passed while it was paused"]
    assert schedule(queue).skipped == 3
    clock.move(DAY_S)
    work_off(path_of(queue))
    assert slots(queue) == [at("2026-12-02T02:30")]


def test_what_is_not_there_is_said(queue: JobQueue) -> None:
    assert queue.pause_schedule("nightly") is False
    assert queue.resume_schedule("nightly") is False
    with pytest.raises(KeyError, match="no schedule 'nightly'"):
        queue.run_schedule("nightly")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": "a\nb"}, "on a line"),
        ({"name": "a\udc80"}, "can't be stored"),
        ({"name": "x" * 201}, "200 characters"),
        ({"name": 7}, "must be text"),
        ({"when": "61 * * * *"}, "minute"),
        ({"when": "0 0 30 2 *"}, "write five fields"),
        ({"zone": "local"}, "Europe/Berlin"),
        ({"zone": "Mars/Base"}, "does not know"),
        ({"catch_up": "first"}, "say 'last', 'none' or 'all'"),
        ({"overlap": "run"}, "say 'skip', 'queue', 'replace' or 'allow'"),
        ({"job": "shop.etl.load"}, "task.to_job"),
        ({"job": Job("a", "shop.etl.load", dependencies=["b"])}, "leave out dependencies"),
        ({"job": Job("a", "shop.etl.load", run_at="2030-01-01T00:00Z")}, "leave out run_at"),
        ({"job": Job("a", "shop.etl.load", {"x": ["{slot:%Q}"]})}, "%Q"),
        ({"job": Job("a", "shop.etl.load", {"x": {"y": "{slot:%}"}})}, "can't be filled"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    queue: JobQueue, given: dict[str, Any], words: str
) -> None:
    values = {"name": "nightly", "when": NIGHTLY, "job": job(), **given}
    with pytest.raises((TypeError, ValueError)) as problem:
        queue.schedule(**values)
    assert words in str(problem.value)
    assert queue.schedules() == []


@pytest.mark.parametrize(
    ("given", "filled"),
    [
        ("{slot}", "2026-11-29T02:30:00+01:00"),
        ("{slot:%Y-%m-%d}", "2026-11-29"),
        ("{slot:%H:%M %z}{slot:%d}", "02:30 +010029"),
        ("{slot:}", "2026-11-29T02:30:00+01:00"),
        ("100%", "100%"),
        ("{slot:%%}", "%"),
        (
            "{0} {} {slots} {slot!r} {slot.year} {{slot:%d}}",
            "{0} {} {slots} {slot!r} {slot.year} {29}",
        ),
        (
            ["{slot:%d}", {"k": "{slot:%m}", "{slot}": 1}, 5, None],
            ["29", {"k": "11", "{slot}": 1}, 5, None],
        ),
    ],
)
def test_the_slot_is_filled_by_pattern_alone(
    queue: JobQueue, clock: MovedClock, given: Any, filled: Any
) -> None:
    queue.schedule("nightly", NIGHTLY, Job("a", "shop.etl.load", {"x": given}), "Europe/Berlin")
    clock.now = at("2026-11-29T01:30:01")
    work_off(path_of(queue))
    assert made(queue)[0]["params"] == {"x": filled}


def test_parameters_that_are_nested_too_deeply_are_refused_in_a_sentence() -> None:
    value: list[Any] = []
    for _ in range(5_000):
        value = [value]
    with pytest.raises(ValueError, match="nested too deeply"):
        fill_slot({"x": value}, datetime.now(timezone.utc))


# --- slots that passed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("catch_up", "late_s", "fired", "missed"),
    [
        ("last", 4 * DAY_S, 1, 3),
        ("last", DAY_S, 1, 0),
        ("none", 4 * DAY_S, 0, 4),
        ("none", at("2026-11-29T02:30:59") - at("2026-11-28T12:00:10"), 1, 0),
        ("none", at("2026-11-29T02:31:01") - at("2026-11-28T12:00:10"), 0, 1),
        ("all", 4 * DAY_S, 4, 0),
        ("all", 130 * DAY_S, 100, 30),
    ],
)
def test_slots_that_passed_are_caught_up_as_was_said(
    queue: JobQueue, clock: MovedClock, catch_up: Any, late_s: float, fired: int, missed: int
) -> None:
    queue.schedule("nightly", NIGHTLY, job(), catch_up=catch_up, overlap="allow")
    clock.move(late_s)
    work_off(path_of(queue))
    first = at("2026-11-29T02:30")
    every = [first + n * DAY_S for n in range(fired + missed)]
    assert slots(queue) == every[missed:]
    assert whys(queue) == ([f"{missed} missed"] if missed else [])
    for skip in schedule(queue).skips:
        assert (skip.first, skip.slot, skip.count) == (every[0], every[missed - 1], missed)
    assert schedule(queue).skipped == missed
    days = [datetime.fromtimestamp(slot, timezone.utc) for slot in slots(queue)]
    assert [one["params"]["day"] for one in made(queue)] == [f"{day:%Y-%m-%d}" for day in days]


def test_very_many_slots_that_passed_are_not_counted_to_the_end(
    queue: JobQueue, clock: MovedClock
) -> None:
    queue.schedule("nightly", "* * * * *", job())
    clock.move(YEAR_S)
    work_off(path_of(queue))
    assert slots(queue) == [clock.now - 10]
    assert whys(queue) == ["more than 10,000 missed"]


def test_a_sleep_of_eight_hours_costs_one_job(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", "*/15 * * * *", job())
    clock.move(8 * HOUR_S)
    work_off(path_of(queue))
    assert slots(queue) == [at("2026-11-28T20:00")]
    assert whys(queue) == ["31 missed"]


def test_all_that_is_caught_up_runs_one_after_another(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", NIGHTLY, job(), catch_up="all")
    clock.move(4 * DAY_S)
    work_off(path_of(queue))
    jobs = made(queue)
    assert [one["dependencies"] for one in jobs] == [[], *([one["id"]] for one in jobs[:-1])]
    assert {one["on_parent_failure"] for one in jobs[1:]} == {"run"}


# --- overlap ---------------------------------------------------------------------------------


@pytest.mark.parametrize("alive", ["pending", "running"])
@pytest.mark.parametrize("overlap", ["skip", "queue", "replace", "allow"])
def test_a_slot_beside_a_job_that_is_alive(
    queue: JobQueue, clock: MovedClock, overlap: Any, alive: str
) -> None:
    queue.schedule("nightly", NIGHTLY, job(), overlap=overlap)
    clock.move(DAY_S)
    work_off(path_of(queue))
    if alive == "running":
        begin(queue)
    clock.move(DAY_S)
    work_off(path_of(queue))
    first, *others = made(queue)
    if overlap == "skip":
        assert others == []
        word = "runs" if alive == "running" else "waits"
        assert whys(queue) == [f"{first['id'][:8]} still {word}"]
        return
    (second,) = others
    assert whys(queue) == []
    if overlap == "queue":
        assert second["dependencies"] == [first["id"]]
        assert queue.get_status(second["id"])["retry_after"] is None
    elif overlap == "replace":
        # What runs at a worker of GigQ's goes on, and is waited for.
        assert first["status"] == ("running" if alive == "running" else "cancelled")
        assert second["dependencies"] == ([first["id"]] if alive == "running" else [])
    else:
        assert second["dependencies"] == []
    end(queue, status="failed")
    clock.move(DAY_S)
    work_off(path_of(queue))
    assert len(slots(queue)) == 3


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "timeout", "deleted"])
def test_what_has_ended_or_is_gone_is_not_alive(
    queue: JobQueue, clock: MovedClock, status: str
) -> None:
    queue.schedule("nightly", NIGHTLY, job())
    clock.move(DAY_S)
    work_off(path_of(queue))
    end(queue, status="cancelled" if status == "deleted" else status)
    if status == "deleted":
        queue.clear_jobs([made(queue)[0]["id"]])
        assert schedule(queue).last_status == "deleted"
    else:
        assert schedule(queue).last_status == status
    clock.move(DAY_S)
    work_off(path_of(queue))
    assert slots(queue)[-1] == at("2026-11-30T02:30")
    assert whys(queue) == []


def test_equal_skips_stand_on_one_line_and_are_bounded(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", "* * * * *", job())
    clock.move(60)
    work_off(path_of(queue))
    for _ in range(5):
        clock.move(60)
        work_off(path_of(queue))
    (skip,) = schedule(queue).skips
    assert (skip.count, skip.first, skip.slot) == (
        5,
        at("2026-11-28T12:02"),
        at("2026-11-28T12:06"),
    )
    for _ in range(105):
        end(queue)
        clock.move(180)  # two missed, and one that fires
        work_off(path_of(queue))
    now = schedule(queue)
    assert len(now.skips) == 100
    assert now.skipped == 5 + 2 * 105
    assert [one.slot for one in now.skips] == sorted((one.slot for one in now.skips), reverse=True)


def test_a_queue_of_a_schedule_has_an_end(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", "* * * * *", job(), overlap="queue")
    for _ in range(103):
        clock.move(60)
        work_off(path_of(queue))
    assert len(slots(queue)) == 100
    (skip,) = schedule(queue).skips
    assert (skip.count, skip.why) == (3, "100 jobs wait already")


# --- run now ---------------------------------------------------------------------------------


def test_a_schedule_can_be_run_now(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", NIGHTLY, job(), "Europe/Berlin")
    queue.pause_schedule("nightly")
    first = queue.run_schedule("nightly")
    (one,) = made(queue)
    assert (one["id"], one["params"], one["status"]) == (first, {"day": "2026-11-28"}, "pending")
    assert schedule(queue).last_job_id == first
    # Never two at once.
    second = queue.run_schedule("nightly")
    assert queue.get_status(second)["dependencies"] == [first]
    assert schedule(queue).next_at is None


def test_a_run_now_takes_no_slot_away(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", NIGHTLY, job())
    clock.now = at("2026-11-29T02:30")
    queue.run_schedule("nightly")
    end(queue)
    work_off(path_of(queue))
    assert slots(queue) == [at("2026-11-29T02:30")] * 2


# --- the clock -------------------------------------------------------------------------------


@pytest.mark.parametrize("back_s", [2, HOUR_S, DAY_S, YEAR_S])
@pytest.mark.parametrize("kept", [True, False])
def test_a_clock_that_is_set_back_repeats_no_slot_and_loses_none(
    queue: JobQueue, clock: MovedClock, back_s: float, kept: bool
) -> None:
    queue.schedule("nightly", "0 * * * *", job(), overlap="allow")
    for _ in range(6):
        clock.move(HOUR_S)
        work_off(path_of(queue))
    before = slots(queue)
    assert len(before) == 6
    if not kept:
        end(queue)
        queue.clear_completed()
    clock.move(-back_s)
    look_at_clock(path_of(queue))
    told = schedule(queue).skipped
    known = set(before)
    start = clock.now
    for _ in range(30):
        clock.move(HOUR_S / 2)
        work_off(path_of(queue))
    fired = slots(queue)
    assert len(fired) == len(set(fired))
    if not kept:
        assert not known & set(fired)
    # Each slot of that time is a job, or a skip that is told.
    wanted = {
        float(one) for one in range(int(start) // 3600 * 3600 + 3600, int(clock.now) + 1, 3600)
    }
    assert wanted - known == set(fired) - known
    assert schedule(queue).skipped - told == len(wanted & known)


def test_a_slot_stays_over_when_its_tombstone_has_gone(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", "0 * * * *", job(), overlap="allow")
    for _ in range(3):
        clock.move(HOUR_S)
        work_off(path_of(queue))
    end(queue)
    queue.clear_completed()
    with closing(sqlite3.connect(queue.db_path)) as conn, conn:
        conn.execute("DELETE FROM core_tombstones")
    clock.move(-3 * HOUR_S)
    look_at_clock(path_of(queue))
    for _ in range(3):
        clock.move(HOUR_S)
        work_off(path_of(queue))
    assert slots(queue) == []
    (skip,) = schedule(queue).skips
    assert (skip.count, skip.why) == (3, "was over before the clock was set back")


def test_a_clock_that_was_a_year_ahead_silences_nothing(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", NIGHTLY, job(), overlap="allow")
    clock.move(DAY_S)
    work_off(path_of(queue))
    clock.move(YEAR_S)
    work_off(path_of(queue))
    assert len(slots(queue)) == 2
    assert whys(queue) == ["364 missed"]
    clock.move(-YEAR_S)
    look_at_clock(path_of(queue))
    for _ in range(5):
        clock.move(DAY_S)
        work_off(path_of(queue))
    assert len(slots(queue)) == 7
    assert whys(queue) == ["364 missed"]


def test_a_small_step_back_is_no_reason_to_tell_anything(
    queue: JobQueue, clock: MovedClock
) -> None:
    queue.schedule("nightly", NIGHTLY, job())
    clock.now = at("2026-11-29T02:30:00.300")
    work_off(path_of(queue))
    clock.move(-0.6)
    look_at_clock(path_of(queue))
    work_off(path_of(queue))
    clock.move(1)
    work_off(path_of(queue))
    assert (len(slots(queue)), whys(queue)) == (1, [])


# --- trouble ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("definition = '{'", "can't be read"),
        ('definition = \'{"function": "a.b", "options": {"colour": 1}}\'', "'colour'"),
        ('definition = \'{"function": "a.b", "options": {"timeout": -1}}\'', "negative"),
        ("zone = 'Mars/Base'", "does not know"),
        ("rule = '61 * * * *'", "minute"),
        ("overlap = x'ff', definition = x'ff'", "names no function"),
    ],
)
def test_what_can_not_be_submitted_is_told_and_stops_nobody_else(
    queue: JobQueue, clock: MovedClock, change: str, words: str
) -> None:
    for name in ("broken", "nightly", "others"):
        queue.schedule(name, NIGHTLY, job())
    with closing(sqlite3.connect(queue.db_path)) as conn, conn:
        conn.execute(f"UPDATE core_schedules SET {change} WHERE name = 'broken'")
    clock.now = at("2026-11-29T02:30:01")
    work_off(path_of(queue))
    assert (slots(queue, "broken"), len(slots(queue)), len(slots(queue, "others"))) == ([], 1, 1)
    assert words in schedule(queue, "broken").trouble
    assert schedule(queue).trouble == ""
    # Once it is put right, the slot is made up for.
    queue.schedule("broken", NIGHTLY, job())
    assert schedule(queue, "broken").trouble == ""
    clock.move(61)
    work_off(path_of(queue))
    if "zone" not in change and "rule" not in change:
        assert slots(queue, "broken") == [at("2026-11-29T02:30")]
    clock.move(DAY_S)
    end(queue)
    work_off(path_of(queue))
    assert slots(queue, "broken")[-1] == at("2026-11-30T02:30")


def test_what_is_put_off_by_a_clock_that_is_a_year_ahead_is_not_put_off_for_a_year(
    queue: JobQueue, clock: MovedClock
) -> None:
    queue.schedule("nightly", "@hourly", job())
    clock.move(YEAR_S)
    with closing(sqlite3.connect(queue.db_path)) as conn, conn:
        conn.execute("UPDATE core_schedules SET definition = '{'")
    work_off(path_of(queue))
    assert schedule(queue).trouble
    clock.move(-YEAR_S)
    look_at_clock(path_of(queue))
    with closing(sqlite3.connect(queue.db_path)) as conn, conn:
        good = '{"function": "shop.etl.load"}'
        conn.execute("UPDATE core_schedules SET definition = ?", (good,))
    clock.move(HOUR_S)
    work_off(path_of(queue))
    assert (slots(queue), schedule(queue).trouble) == ([at("2026-11-28T13:00")], "")


def test_a_job_that_the_file_refuses_is_told(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", NIGHTLY, job())
    queue.schedule("others", NIGHTLY, job())
    with closing(sqlite3.connect(queue.db_path)) as conn, conn:
        conn.execute(
            "CREATE TRIGGER theirs BEFORE INSERT ON jobs WHEN NEW.schedule = 'nightly' "
            "BEGIN SELECT RAISE(ABORT, 'not here'); END"
        )
    clock.now = at("2026-11-29T02:30:01")
    work_off(path_of(queue))
    assert (len(slots(queue)), len(slots(queue, "others"))) == (0, 1)
    assert "not here" in schedule(queue).trouble
    with closing(sqlite3.connect(queue.db_path)) as conn, conn:
        conn.execute("DROP TRIGGER theirs")
    clock.move(61)
    work_off(path_of(queue))
    assert (slots(queue), schedule(queue).trouble) == ([at("2026-11-29T02:30")], "")


@pytest.mark.parametrize("conflict", ["existing", "error"])
def test_a_unique_job_that_waits_already_is_a_skip(
    queue: JobQueue, clock: MovedClock, conflict: Any
) -> None:
    other = queue.submit(Job("other", "shop.etl.load", unique="load"))
    queue.schedule("nightly", NIGHTLY, job(unique=Unique("load", conflict=conflict)))
    clock.move(DAY_S)
    work_off(path_of(queue))
    assert slots(queue) == []
    assert whys(queue) == [f"{other[:8]} has the key that it is to have alone"]
    assert schedule(queue).trouble == ""


@pytest.mark.parametrize("conflict", ["existing", "error"])
def test_what_runs_is_not_stopped_where_nothing_may_take_its_place(
    queue: JobQueue, clock: MovedClock, conflict: Any
) -> None:
    unique = Unique("load", conflict=conflict)
    queue.schedule("nightly", NIGHTLY, job(unique=unique), overlap="replace")
    clock.move(DAY_S)
    work_off(path_of(queue))
    begin(queue)
    with closing(sqlite3.connect(queue.db_path)) as conn, conn:
        conn.execute("UPDATE jobs SET execution_id = 'ours'")
    clock.move(DAY_S)
    work_off(path_of(queue))
    (first,) = made(queue)
    assert whys(queue) == [f"{first['id'][:8]} has the key that it is to have alone"]
    with closing(sqlite3.connect(queue.db_path)) as conn:
        assert conn.execute("SELECT status, stop_requested_at FROM jobs").fetchall() == [
            ("running", None)
        ]


# --- cost ------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", [sql.ALIVE, sql.ENDS_OF_LINE])
def test_what_has_ended_is_not_gone_through(queue: JobQueue, statement: str) -> None:
    queue.schedule("nightly", NIGHTLY, job())
    values: Any = {"name": "nightly"} if ":name" in statement else ("nightly", 5)
    with closing(sqlite3.connect(queue.db_path)) as conn:
        plan = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert "core_schedule_alive" in plan[0]


def test_an_index_that_somebody_dropped_is_made_again(queue: JobQueue, clock: MovedClock) -> None:
    queue.schedule("nightly", NIGHTLY, job())
    with closing(sqlite3.connect(queue.db_path)) as conn, conn:
        conn.execute("DROP INDEX core_schedule_alive")
    clock.move(DAY_S)
    work_off(path_of(queue))
    assert (len(slots(queue)), schedule(queue).trouble) == (1, "")


# --- reading ---------------------------------------------------------------------------------


def test_a_file_without_schedules_has_none(tmp_path: Path, queue: JobQueue) -> None:
    gigqs = tmp_path / "gigq.db"
    with closing(sqlite3.connect(gigqs)) as conn, conn:
        conn.execute(
            "CREATE TABLE jobs (id TEXT PRIMARY KEY, name TEXT, function_name TEXT, "
            "function_module TEXT, params TEXT, dependencies TEXT, status TEXT)"
        )
    for path in (gigqs, path_of(queue)):
        with closing(open_read_only(path)) as conn:
            assert read_schedules(conn) == []
            assert read_schedule(conn, "nightly") is None


def test_a_copy_of_the_file_makes_the_same_jobs(
    queue: JobQueue, clock: MovedClock, tmp_path: Path
) -> None:
    queue.schedule("nightly", NIGHTLY, job())
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(queue.db_path)) as conn:
        conn.execute("VACUUM INTO ?", (str(copy),))
    clock.move(DAY_S)
    work_off(path_of(queue))
    work_off(copy)
    other = JobQueue(copy)
    assert [one["id"] for one in made(queue)] == [one["id"] for one in made(other)]


def test_detached_files_forget_their_schedules(queue: JobQueue, clock: MovedClock) -> None:
    from gigq_core.schema.attach import detach

    queue.schedule("nightly", NIGHTLY, job())
    queue.close()
    detach(queue.db_path)
    with closing(sqlite3.connect(queue.db_path)) as conn:
        names = [row[0] for row in conn.execute("SELECT name FROM sqlite_master")]
    assert [name for name in names if name.startswith("core_")] == []
    assert JobQueue(queue.db_path).schedules() == []


def test_so_many_skips_are_read_as_are_wanted(queue: JobQueue, clock: MovedClock) -> None:
    for name in ("few", "many"):
        queue.schedule(name, "@hourly", job())
    for number in range(30):
        end(queue)
        clock.move((number % 7 + 2) * HOUR_S)
        work_off(path_of(queue))
        if number == 3:
            queue.pause_schedule("few")
    with closing(open_read_only(queue.db_path)) as conn:
        whole = {one.name: one for one in read_schedules(conn)}
        for most in (0, 1, 4, 5, 100):
            for one in read_schedules(conn, most):
                assert one.skips == whole[one.name].skips[:most]
                assert read_schedule(conn, one.name) == whole[one.name]
    assert [len(one.skips) for one in whole.values()] == [4, 30]
