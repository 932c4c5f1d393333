"""What the console does to schedules, the commands that do the same, and what is read of them."""

from __future__ import annotations

import shlex
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gigq_core import Job, JobQueue, Unique
from gigq_core.cli.main import cli
from gigq_core.errors import DatabaseBusy, GigQError
from gigq_core.schedules.rules import Schedule
from gigq_tui.actions import shell_command
from gigq_tui.actions.schedules import ScheduleActions, for_each, request_of
from gigq_tui.actions.undo_log import DoneChange, UndoLog
from gigq_tui.store import queries
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.reader import Reader
from gigq_tui.store.schedules import MOST_RUNS, past_slots
from tests import timetable
from tests.store_files import Writer
from tests.timetable import skip

OPTIONS: list[dict[str, Any]] = [
    {},
    {"name": "another", "priority": -3, "timeout": 90, "max_attempts": 7, "retry_delay": 2.5},
    {"retry": "30x2..1h", "retry_on": ["OSError", "KeyError"], "on_timeout": "fail"},
    {"retry": [10, 60, 300.5], "give_up_on": [ValueError], "on_crash": "fail"},
    {"run_after": 600, "batch": "a b", "description": "it's two words", "stall_timeout": 5},
    {"lane": "fetch:a", "memory": "2G"},
    {"unique": True},
    {"unique": "a key", "ours": True},
]
PARAMS: list[dict[str, Any]] = [
    {"obj": "{slot:%Y-%m-%d}"},
    {"obj": {"deep": ["{slot:%H}", 17, None, "17", True]}, "indent": 2},
    {"obj": 'it\'s $(x) "q"'},
]


def schedules(path: Path) -> dict[str, Schedule]:
    with closing(JobQueue(path)) as queue:
        return {schedule.name: schedule for schedule in queue.schedules()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.db"
    with closing(JobQueue(path)) as queue:
        for number, options in enumerate(OPTIONS):
            params = PARAMS[number % len(PARAMS)]
            job = Job(**{"name": "dumps", "function": "json.dumps", "params": params, **options})
            queue.schedule(f"-n {number}" if number % 3 == 2 else f"n{number}", "@daily", job)
        queue.schedule(
            "odd 'one'",
            "*/7 1-5 * jan,feb mon",
            Job("x", "json.dumps", {"obj": 1}),
            zone="Australia/Lord_Howe",
            catch_up="all",
            overlap="replace",
        )
    return path


def test_the_copied_command_adds_the_same_schedule(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    JobQueue(other).close()
    for name, schedule in schedules(path).items():
        words = shlex.split(shell_command.for_submit(other, request_of(schedule)))
        assert words[0] == "gigq-core"
        done = CliRunner().invoke(cli, words[1:])
        assert done.exit_code == 0, (words, done.output)
        made = schedules(other)[name]
        for part in ("when", "zone", "catch_up", "overlap", "definition"):
            assert getattr(made, part) == getattr(schedule, part), (name, part)


@pytest.mark.parametrize("verb", ["pause", "resume", "run", "remove"])
def test_the_commands_do_what_the_console_does(path: Path, verb: str) -> None:
    names = list(schedules(path))
    if verb == "resume":
        acting(path)[0].pause(names, paused=True)
    for line in for_each(path, verb, names).splitlines():
        done = CliRunner().invoke(cli, shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output)
    left = schedules(path)
    assert bool(left) == (verb != "remove")
    assert all((one.paused_at is not None) == (verb == "pause") for one in left.values())
    assert all((one.last_job_id is not None) == (verb == "run") for one in left.values())


def acting(path: Path, **options: Any) -> tuple[ScheduleActions, UndoLog]:
    log = UndoLog()
    return ScheduleActions(path, log, chdir=path.parent, **options), log


def undone(path: Path, log: UndoLog) -> tuple[str, ...]:
    change = log.last
    assert isinstance(change, DoneChange)
    assert log.take(change)
    with closing(JobQueue(path)) as queue:
        return change.put_back(queue)


TOLD = ("when", "zone", "catch_up", "overlap", "definition", "paused_at")


def told(path: Path) -> dict[str, tuple[Any, ...]]:
    return {
        name: tuple(getattr(one, part) for part in TOLD) for name, one in schedules(path).items()
    }


def test_each_act_is_taken_back(path: Path) -> None:
    actions, log = acting(path)
    names = tuple(schedules(path))
    before = told(path)
    for act in (
        lambda: actions.pause(names, paused=True),
        lambda: actions.remove(names[:3]),
        lambda: actions.store(request_of(replace(schedules(path)[names[0]], when="1 1 1 1 1"))),
    ):
        report = act()
        assert report.undoable
        assert told(path) != before
        assert undone(path, log) == ()
        assert told(path) == before


def test_a_paused_schedule_that_was_removed_comes_back_paused(path: Path) -> None:
    actions, log = acting(path)
    actions.pause(["n0"], paused=True)
    actions.remove(["n0"])
    assert undone(path, log) == ()
    assert schedules(path)["n0"].paused_at is not None


def test_what_somebody_else_changed_is_left_alone(path: Path) -> None:
    actions, log = acting(path)
    actions.remove(["n0", "n1"])
    with closing(JobQueue(path)) as queue:
        queue.schedule("n0", "@weekly", Job("x", "json.dumps", {"obj": 2}))
    assert undone(path, log) == ("n0 was changed since",)
    assert schedules(path)["n0"].when == "@weekly"
    assert "n1" in schedules(path)


def test_what_was_so_already_is_said_and_not_undone(path: Path) -> None:
    actions, log = acting(path)
    assert actions.pause(["n0"], paused=False).title == "schedule n0: resumed already"
    assert actions.remove(["none"]).title == "schedule none: removed already"
    assert log.last is None
    with pytest.raises(GigQError, match="no schedule none any more"):
        actions.run(["none"])


def test_a_read_only_console_refuses_them_all(path: Path) -> None:
    actions, _ = acting(path, read_only=True)
    before = told(path)
    for act in (
        lambda: actions.pause(["n0"], paused=True),
        lambda: actions.remove(["n0"]),
        lambda: actions.run(["n0"]),
        lambda: actions.store(request_of(schedules(path)["n0"])),
    ):
        with pytest.raises(GigQError, match="--read-only"):
            act()
    assert told(path) == before


def test_several_run_now_are_told_one_by_one(path: Path) -> None:
    actions, _ = acting(path)
    report = actions.run(["n0", "n1"])
    assert report.title == "submitted 2 jobs"
    assert [outcome.name for outcome in report.outcomes] == ["n0", "n1"]
    with closing(sqlite3.connect(path)) as conn:
        found = conn.execute("SELECT id, schedule FROM jobs ORDER BY rowid").fetchall()
    assert found == [(id, name) for id, name in zip(report.job_ids, ("n0", "n1"), strict=True)]


def test_storing_finds_the_function_first(path: Path) -> None:
    actions, _ = acting(path)
    request = request_of(schedules(path)["n0"])
    for wrong, said in (
        (replace(request, function="json.nothing"), "nothing"),
        (replace(request, params={"zz": 1}), "obj"),
        (replace(request, options=replace(request.options, run_at="2030-01-01T00:00Z")), "run_at"),
    ):
        with pytest.raises(GigQError, match=said):
            actions.store(wrong)


def test_a_locked_file_leaves_the_undo_there(path: Path) -> None:
    actions, log = acting(path)
    actions.pause(["n0"], paused=True)
    change = log.last
    assert isinstance(change, DoneChange)
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    with closing(JobQueue(path)) as queue:
        queue._connection().execute("PRAGMA busy_timeout = 20")
        with pytest.raises(DatabaseBusy):
            change.put_back(queue)
    locker.execute("ROLLBACK")
    locker.close()
    assert undone(path, log) == ()


# Reading


def test_the_past_of_one_is_its_jobs_and_its_skips_by_their_slots(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with closing(JobQueue(path)) as queue:
        queue.schedule("nightly", "@daily", Job("x", "json.dumps", {"obj": 1}))
        queue.schedule("other", "@daily", Job("x", "json.dumps", {"obj": 1}))
    writer = Writer(path)
    for day in range(14):
        slot = timetable.at(day)
        writer.job(f"j{day}", "completed", schedule="nightly", slot=slot)
        writer.job(f"o{day}", "failed", schedule="other", slot=slot - 1)
    writer.close()
    reader = Reader(path, FrozenClock(timetable.NOW))
    read = reader.schedules("nightly")
    assert [one.name for one in read.listed] == ["nightly", "other"]
    assert [one.job.id for one in read.past if one.job] == [f"j{day}" for day in range(MOST_RUNS)]
    assert reader.schedules("none").past == ()
    reader.close()


def test_skips_stand_among_the_jobs(tmp_path: Path) -> None:
    schedule = timetable.schedule(
        skips=(skip(timetable.at(1.5), "x"), skip(timetable.at(20), "y", 3, timetable.at(22)))
    )
    jobs = [(timetable.at(day), timetable.job_at(timetable.at(day), 1.0)) for day in range(3)]
    found = past_slots(jobs, schedule)
    assert [one.slot for one in found] == sorted((one.slot for one in found), reverse=True)
    assert [one.skip.why for one in found if one.skip] == ["x", "y"]


def test_ten_jobs_of_one_are_found_by_an_index(tmp_path: Path) -> None:
    path = timetable.with_schedules(tmp_path / "jobs.db")
    with closing(sqlite3.connect(path)) as conn:
        plan = conn.execute(f"EXPLAIN QUERY PLAN {queries.JOBS_OF_SCHEDULE}", ("n", 10)).fetchall()
    assert len(plan) == 1
    assert "USING INDEX core_schedule_jobs (schedule=?)" in plan[0][3]


def test_a_unique_rule_with_parts_outlives_a_change(path: Path) -> None:
    with closing(JobQueue(path)) as queue:
        job = Job("x", "json.dumps", {"obj": 1}, unique=Unique("k", within=60, conflict="replace"))
        before = queue.schedule("u", "@daily", job)
    actions, _ = acting(path)
    request = request_of(before)
    terms = request.schedule
    assert terms is not None
    actions.store(replace(request, schedule=replace(terms, when="@weekly")))
    assert schedules(path)["u"].definition == before.definition
