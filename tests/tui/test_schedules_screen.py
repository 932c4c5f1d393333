"""The screen of schedules: what it says of each, and what its keys do to a real file."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core import Job, JobQueue
from gigq_core.schedules.rules import Schedule
from gigq_tui.app import ConsoleApp
from gigq_tui.keys import Scope, actions_for
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.schedules.screen import SchedulesScreen
from gigq_tui.screens.submit.screen import SubmitScreen
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.schedules import ListedSchedule, Schedules
from gigq_tui.widgets.lines import TextLines
from tests import timetable
from tests.tui.at_once import console_on
from tests.tui.harness import (
    Console,
    feed_of,
    give,
    press,
    running,
    screen_text,
    settle,
    until,
)

PROJECT = """\
def sync(day: str, region: str = "eu", limit: int = 0) -> None:
    pass


def refuse() -> None:
    pass
"""


# What it says, of schedules made by hand


@asynccontextmanager
async def told(
    console: Console, answer: Callable[[str], Schedules] = timetable.read, **options: Any
) -> AsyncIterator[tuple[ConsoleApp, Pilot[None]]]:
    """The screen on those schedules, at their hour."""
    options = {"clock": FrozenClock(timetable.NOW), **options}
    async with console(**options) as (app, pilot):
        feed_of(app).answers["schedules"] = answer
        await give(pilot, (), taken_at=timetable.NOW)
        await press(pilot, "@")
        yield app, pilot


def line_of(app: ConsoleApp, name: str) -> str:
    """The line of a schedule in the list."""
    return next(
        line for line in screen_text(app).splitlines() if re.match(rf" [> ] [* ] {name} ", line)
    )


def names_of(app: ConsoleApp) -> list[str]:
    """The schedules that are listed, from the top."""
    assert isinstance(app.screen, SchedulesScreen)
    return [name for name, _ in app.screen.roster.rows]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nightly", r"30 2 \* \* \* +Europe/Berlin +Fri 02:30 +4h12m +\+ 4m12s +19h ago +at 02:30"),
        ("feeds", r"\*/5 \* \* \* \* +UTC +21:20 +2m +\* 17m39s +2 skipped: \w{8} still runs"),
        ("report", r"0 9 \* \* 1-5 +America/New_York +Fri 09:00 +15h42m +X 0\.7s +8h ago +SMTPE"),
        ("archive", r"0 4 1 \* \* +UTC +paused +deleted +paused 5d ago"),
        ("scrub", r"every 6h +UTC +21:04:40 +late 13m +- +! timeout is 0: it must"),
    ],
)
async def test_a_line_says_when_it_comes_what_came_of_it_and_what_is_wrong(
    console: Console, name: str, said: str
) -> None:
    async with told(console) as (app, _):
        assert re.search(said, line_of(app, name)), line_of(app, name)


async def test_the_head_counts_what_needs_somebody(console: Console) -> None:
    async with told(console) as (app, _):
        head = screen_text(app).splitlines()[1]
        assert "5 schedules   1 can't be submitted   1 late   1 paused   1 skipping" in head


async def test_a_late_schedule_without_any_worker_says_so(console: Console) -> None:
    late = timetable.schedule(next_at=timetable.NOW.timestamp() - 3_600)

    def answer(chosen: str) -> Schedules:
        return Schedules(timetable.NOW, (ListedSchedule(late),), chosen)

    async with told(console, answer) as (app, _):
        assert re.search(r"late 1h .* late: no workers running", line_of(app, "nightly"))


@pytest.mark.parametrize("size", [(120, 32), (80, 24), (200, 50), (60, 24)])
async def test_the_panel_tells_the_next_slots_and_the_past(
    console: Console, size: tuple[int, int]
) -> None:
    async with told(console, size=size) as (app, pilot):
        await press(pilot, "G", "k")
        text = " ".join(screen_text(app).split())
        for said in (
            "30 2 * * *, at 02:30 every day, in Europe/Berlin",
            "etl.nightly.sync day={slot:%Y-%m-%d} region=eu",
            "After an outage the newest missed slot runs.",
            "Fri 26 Mar 02:30 01:30 here in 4h12m",
            "Sun 28 Mar 03:00 01:00 here in 2d3h",
        ):
            assert said in text, said
        if size[1] > 24 or size[0] == 80:
            assert "does not exist on 28 March: runs 03:00" in text
            assert "Thu 25 Mar 02:30 + done 4m12s" in text
            assert "Wed 24 Mar 02:30 X FAILED 12s" in text
            assert "Tue 23 Mar 02:30 ~ skipped: 2 mis" in text


@pytest.mark.parametrize(("number", "words"), [(1, "1 skipped: x"), (10, "10+ skipped: x")])
async def test_as_many_skips_are_told_as_were_read(
    console: Console, number: int, words: str
) -> None:
    skips = tuple(timetable.skip(timetable.at(day), "x") for day in range(number))
    one = timetable.schedule(skips=skips, skipped=number)

    def answer(chosen: str) -> Schedules:
        return Schedules(timetable.NOW, (ListedSchedule(one),), chosen)

    async with told(console, answer) as (app, _):
        assert words in line_of(app, "nightly")


async def test_a_paused_schedule_tells_which_slots_would_come(console: Console) -> None:
    async with told(console) as (app, pilot):
        await press(pilot, "G")
        text = screen_text(app)
        assert "WOULD COME" in text
        assert "Paused 5d ago: no slot runs until it is resumed." in text


async def test_secrets_in_its_parameters_are_not_told(console: Console) -> None:
    secret = timetable.schedule(params={"api_key": "hunter2", "day": "x"})

    def answer(chosen: str) -> Schedules:
        return Schedules(timetable.NOW, (ListedSchedule(secret),), chosen)

    async with told(console, answer) as (app, pilot):
        assert "hunter2" not in screen_text(app)
        await press(pilot, "r")
        assert "hunter2" not in screen_text(app)


async def test_hostile_names_and_words_stay_on_their_lines(console: Console) -> None:
    hostile = "\x1b[31mn\ni\u202eght"
    one = replace(
        timetable.schedule(),
        name=hostile,
        when="\x1b]0;x\x07",
        zone="No/\x1bWhere",
        function="a\nb",
        params={"\x1b": "\n"},
        trouble="\x1b[2J\nboom",
        next_at=4e18,
        last_slot=-9e18,
        skips=(timetable.skip(9e17, "\x1b[0m\n"),),
        overlap="what",
        catch_up="\n",
    )

    def answer(chosen: str) -> Schedules:
        return Schedules(timetable.NOW, (ListedSchedule(one),), chosen)

    async with told(console, answer) as (app, pilot):
        for key in ("r", "escape", "X", "escape", "y", "escape", "e", "escape"):
            await press(pilot, key)
            text = screen_text(app)
            assert "\x1b" not in text
            assert "\u202e" not in text


async def test_an_empty_file_says_how_to_add_one(console: Console) -> None:
    def answer(chosen: str) -> Schedules:
        return Schedules(timetable.NOW)

    async with told(console, answer) as (app, pilot):
        assert "No schedules in this file." in screen_text(app)
        assert "n adds one" in screen_text(app)
        for key in ("enter", "l", "e", "r", "P", "X"):
            await press(pilot, key)
            assert "There is no schedule under the cursor." in screen_text(app), key
        await press(pilot, "space", "y")
        assert isinstance(app.screen, SchedulesScreen)


async def test_words_narrow_the_list_and_escape_widens_it(console: Console) -> None:
    async with told(console) as (app, pilot):
        await press(pilot, "/", *"berlin")
        assert names_of(app) == ["nightly"]
        await press(pilot, "enter", "escape")
        assert len(names_of(app)) == 5
        await press(pilot, "/", *"zz", "enter")
        assert "No matches" in screen_text(app)


async def test_it_is_sorted_by_what_is_chosen(console: Console) -> None:
    async with told(console) as (app, pilot):
        assert names_of(app) == ["scrub", "report", "feeds", "nightly", "archive"]
        for key, names in (
            ("n", ["archive", "feeds", "nightly", "report", "scrub"]),
            ("d", ["scrub", "feeds", "nightly", "report", "archive"]),
            ("l", ["feeds", "nightly", "report", "archive", "scrub"]),
        ):
            await press(pilot, "s", key)
            assert names_of(app) == names


async def test_the_hour_goes_on_by_itself(console: Console) -> None:
    clock = FrozenClock(timetable.NOW)
    async with told(console, clock=clock) as (app, pilot):
        assert "4h12m" in line_of(app, "nightly")
        clock.advance(3_600)
        assert isinstance(app.screen, SchedulesScreen)
        app.screen._keep_up()
        await settle(pilot)
        assert "3h12m" in line_of(app, "nightly")


# What its keys do, on a real file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "etl.py").write_text(PROJECT)
    path = tmp_path / "jobs.db"
    with closing(JobQueue(path)) as queue:
        job = Job("sync", "etl.sync", {"day": "{slot:%Y-%m-%d}"}, timeout=90)
        queue.schedule("nightly", "30 2 * * *", job, zone="Europe/Berlin", overlap="queue")
        queue.schedule("hourly", "@hourly", Job("hour", "etl.refuse"), catch_up="all")
        queue.run_schedule("hourly")
    return path


@asynccontextmanager
async def shown(path: Path, **options: Any) -> AsyncIterator[tuple[ConsoleApp, Pilot[None]]]:
    """The screen on a real file, sorted by name."""
    app = ConsoleApp(path, python=sys.executable, chdir=path.parent, **options)
    async with running(app, size=(140, 40)) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "@")
        await until(pilot, lambda: "schedules" in screen_text(app).splitlines()[1], "the schedules")
        await press(pilot, "s", "n", "g")
        yield app, pilot


async def said(pilot: Pilot[None], app: ConsoleApp, words: str) -> None:
    await until(pilot, lambda: words in screen_text(app), words)


def schedules(path: Path) -> dict[str, Schedule]:
    with closing(JobQueue(path)) as queue:
        return {schedule.name: schedule for schedule in queue.schedules()}


def jobs(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as conn:
        return conn.execute("SELECT name, status, schedule FROM jobs ORDER BY rowid").fetchall()


async def test_one_schedule_is_paused_and_resumed_at_once(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, "j", "P")
        await said(pilot, app, "paused schedule nightly")
        assert schedules(path)["nightly"].paused_at is not None
        await until(pilot, lambda: "paused" in line_of(app, "nightly"), "the line to say so")
        await press(pilot, "P")
        await said(pilot, app, "resumed schedule nightly")
        assert schedules(path)["nightly"].paused_at is None


async def test_several_are_paused_once_somebody_says_so_and_that_is_undone(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, "space", "space", "P")
        await said(pilot, app, "Pause 2 schedules?")
        assert "hourly and nightly" in screen_text(app)
        assert "schedule pause hourly" in screen_text(app)
        await press(pilot, "enter")
        assert all(one.paused_at is None for one in schedules(path).values())
        await press(pilot, "P", "y")
        await said(pilot, app, "paused 2 schedules")
        assert all(one.paused_at is not None for one in schedules(path).values())
        await press(pilot, "u")
        await said(pilot, app, "Undo the pause of 2 schedules?")
        await press(pilot, "y")
        await said(pilot, app, "undone: pause of 2 schedules")
        assert all(one.paused_at is None for one in schedules(path).values())


async def test_undo_says_what_somebody_else_has_changed_since(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, "space", "space", "P", "y")
        await said(pilot, app, "paused 2 schedules")
        with closing(JobQueue(path)) as queue:
            queue.resume_schedule("nightly")
        await press(pilot, "u", "y")
        await said(pilot, app, "not all undone, pause of 2 schedules: nightly was resumed since")


async def test_running_now_asks_and_says_what_it_submits(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, "j", "r")
        await said(pilot, app, "Run schedule nightly now?")
        text = screen_text(app)
        assert re.search(r"Submits etl\.sync with day=\d{4}-\d\d-\d\d\.", text)
        assert re.search(r"If it has not ended by then, the slot at .*02:30 waits until", text)
        assert "gigq-core --db" in text
        assert "schedule run nightly" in text
        await press(pilot, "enter")
        assert len(jobs(path)) == 1
        await press(pilot, "r", "y")
        await said(pilot, app, "submitted a job of schedule nightly")
        assert jobs(path)[1:] == [("sync", "pending", "nightly")]
        await until(pilot, lambda: ". ready" in line_of(app, "nightly"), "its last job")


async def test_running_now_beside_an_open_job_says_what_becomes_of_both(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, "r")
        await said(pilot, app, "Its last job has not ended: this one waits for it.")


async def test_removing_asks_keeps_the_jobs_and_is_undone(path: Path) -> None:
    before = schedules(path)
    async with shown(path) as (app, pilot):
        await press(pilot, "X")
        await said(pilot, app, "Remove schedule hourly?")
        assert "Jobs that were made stay, and 1 job that has not ended goes on." in screen_text(app)
        await press(pilot, "enter")
        assert schedules(path).keys() == before.keys()
        await press(pilot, "X", "y")
        await said(pilot, app, "removed schedule hourly; jobs stay")
        assert schedules(path).keys() == {"nightly"}
        assert len(jobs(path)) == 1
        await press(pilot, "u")
        await said(pilot, app, "undone: removal of schedule hourly")
        after = schedules(path)["hourly"]
        for part in ("when", "zone", "catch_up", "overlap", "definition", "paused_at"):
            assert getattr(after, part) == getattr(before["hourly"], part), part


async def test_it_leads_to_its_jobs_and_to_the_last_of_them(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, "l")
        assert isinstance(app.screen, JobScreen)
        await said(pilot, app, "from schedule hourly, slot ")
        await press(pilot, "escape", "j", "l")
        await said(pilot, app, "It has made no job yet.")
        await press(pilot, "k", "enter")
        assert app.services.picture.view.filter.text == "schedule=hourly"
        await until(
            pilot,
            lambda: app.services.picture.shown.window.total == 1,
            "its jobs",
        )


async def test_a_read_only_console_changes_nothing(path: Path) -> None:
    before, made = schedules(path), jobs(path)
    async with shown(path, read_only=True) as (app, pilot):
        for key in "neaPXru":
            await press(pilot, key)
            assert "read-only" in screen_text(app), key
            assert isinstance(app.screen, SchedulesScreen)
    assert (schedules(path), jobs(path)) == (before, made)


# The form


def field_texts(app: ConsoleApp) -> dict[str, str]:
    """What stands in the form."""
    assert isinstance(app.screen, SubmitScreen)
    return {row.key: row.text for row in app.screen.form.rows}


def outlook(app: ConsoleApp) -> str:
    """What the form says of what it would do, on one line."""
    return " ".join(app.screen.query_one("#preview", TextLines).plain.split())


async def foreseen(pilot: Pilot[None], app: ConsoleApp, words: str) -> None:
    await until(pilot, lambda: words in outlook(app), words)


async def typed(pilot: Pilot[None], text: str) -> None:
    """Type into the field that has the focus, in the place of what stands there."""
    await press(pilot, "end", "ctrl+u", *text)


async def test_a_schedule_is_added_in_the_form_while_its_slots_are_told(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, "n")
        assert "Schedules > New schedule" in screen_text(app)
        await press(pilot, *"weekly", "tab", *"61 * * * *", "tab")
        assert "its minute can't be '61'" in outlook(app)
        await press(pilot, "shift+tab")
        await typed(pilot, "30 2 * * 0")
        assert "at 02:30 on Sunday" in screen_text(app)
        await press(pilot, "tab")
        await typed(pilot, "lord_howe")
        await said(pilot, app, "Australia/Lord_Howe")
        await press(pilot, "tab")
        assert field_texts(app)["zone"] == "Australia/Lord_Howe"
        assert "Next slots, in Australia/Lord_Howe:" in outlook(app)
        await press(pilot, "tab", *"all", "tab", *"replace", "tab", *"etl.sync", "tab")
        await said(pilot, app, "found: (day")
        await press(pilot, "tab", *"{slot:%Y-%m-%d}")
        await foreseen(pilot, app, "Will add the schedule weekly.")
        assert re.search(r'The first: \{"day": "\d{4}-\d\d-\d\d"\}', outlook(app))
        assert "schedule add weekly '30 2 * * 0'" in outlook(app).replace(" \\", "")
        await press(pilot, "alt+s")
        await said(pilot, app, "added schedule weekly")
        assert isinstance(app.screen, SchedulesScreen)
        made = schedules(path)["weekly"]
        assert (made.when, made.zone) == ("30 2 * * 0", "Australia/Lord_Howe")
        assert (made.catch_up, made.overlap) == ("all", "replace")
        assert made.params == {"day": "{slot:%Y-%m-%d}"}
        await until(pilot, lambda: "weekly" in names_of(app), "its line")
        await press(pilot, "u")
        await said(pilot, app, "undone: addition of schedule weekly")
        assert "weekly" not in schedules(path)


async def test_changing_a_schedule_keeps_what_nobody_typed(path: Path) -> None:
    with closing(JobQueue(path)) as queue:
        job = Job(
            *("sync", "etl.sync", {"day": "{slot:%d}"}),
            timeout=90,
            retry="30x2..1h",
            batch="b",
            run_after=600,
            unique=True,
        )
        before = queue.schedule("nightly", "30 2 * * *", job, zone="Europe/Berlin", overlap="queue")
    async with shown(path) as (app, pilot):
        await press(pilot, "j", "e")
        await said(pilot, app, "found: (day")
        texts = field_texts(app)
        assert texts["schedule"] == "nightly"
        assert (texts["rule"], texts["zone"], texts["overlap"]) == (
            "30 2 * * *",
            "Europe/Berlin",
            "queue",
        )
        assert (texts["function"], texts["name"], texts["timeout"]) == ("etl.sync", "sync", "90")
        assert (texts["param:day"], texts["when"]) == ("{slot:%d}", "10m")
        await typed(pilot, "45 3 * * *")
        await foreseen(pilot, app, "Will change the schedule nightly.")
        await press(pilot, "alt+s")
        await said(pilot, app, "changed schedule nightly")
        after = schedules(path)["nightly"]
        assert after.when == "45 3 * * *"
        assert after.definition == before.definition
        assert (after.zone, after.overlap, after.catch_up) == ("Europe/Berlin", "queue", "last")
        await press(pilot, "u")
        await said(pilot, app, "undone: change of schedule nightly")
        assert schedules(path)["nightly"].when == "30 2 * * *"


async def test_the_form_says_when_it_would_take_the_place_of_another(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, "j", "e")
        await said(pilot, app, "found: (day")
        await press(pilot, "shift+tab")
        await typed(pilot, "hourly")
        await foreseen(pilot, app, "Will replace the schedule hourly, which is there.")
        assert "nightly stays as it is" in outlook(app)


async def test_what_is_wrong_is_said_in_the_cores_words(path: Path) -> None:
    async with shown(path) as (app, pilot):
        await press(pilot, "n", *"x", "tab", *"30 2 * *", "tab")
        assert "which has 4 fields in place of five" in outlook(app)
        await typed(pilot, "local")
        await press(pilot, "tab")
        assert "which differs from machine to machine" in outlook(app)
        await press(pilot, "tab", "tab", *"etl.sync", "tab")
        await said(pilot, app, "found: (day")
        await press(pilot, "tab", *"{slot:%Q}")
        await foreseen(pilot, app, "which can't be filled")
        await press(pilot, "alt+s")
        await said(pilot, app, "Nothing was saved:")
        assert "x" not in schedules(path)


async def test_a_view_leads_to_it(path: Path) -> None:
    from gigq_tui.viewpoint import viewpoint_of

    app = ConsoleApp(
        path, python=sys.executable, chdir=path.parent, start=viewpoint_of(open="schedules")
    )
    async with running(app, size=(120, 32)) as pilot:
        await said(pilot, app, "2 schedules")
        view = app.services.views.present
        assert str(view.open) == "schedules"


async def test_files_that_know_no_schedules_have_none(tmp_path: Path, data_folder: Path) -> None:
    path = tmp_path / "jobs.db"
    path.write_bytes((data_folder / "gigq-0.5.1.db").read_bytes())
    app = console_on(path)
    async with running(app, size=(120, 32)) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "@")
        await said(pilot, app, "No schedules in this file.")


async def test_every_key_that_only_looks_leaves_the_console_whole(console: Console) -> None:
    for action in actions_for(Scope.SCHEDULES):
        if action.writes or action.id in ("quit", "suspend"):
            continue
        async with told(console) as (app, pilot):
            await press(pilot, action.keys[0])
            assert app.front is not None, action.id
