"""The lanes screen on a real file: rules are written, edited, paused, removed, and taken back."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from textual.pilot import Pilot

from gigq_core import Job, JobQueue
from gigq_core.cli.main import cli
from gigq_core.job import FunctionReference
from gigq_core.lanes.rules import Lane, Rule
from gigq_core.lanes.settling import shut
from gigq_core.units.times import utc_now
from gigq_tui.actions.lanes import command_of, for_each
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.screens.lanes.screen import LanesScreen
from gigq_tui.screens.submit.screen import SubmitScreen
from gigq_tui.store.lanes import LanesReading
from tests.store_files import reading
from tests.tui.at_once import console_on, settle, type_at_once
from tests.tui.harness import press, running, screen_text, until

FUNCTION = FunctionReference("shop", "charge")


def job(lane: str, **options: object) -> Job:
    return Job("j", FUNCTION, lane=lane, **options)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two lanes of `fetch:*`, one with a rule of its own, one without any, and a rule alone."""
    path = tmp_path / "q.db"
    queue = JobQueue(path)
    queue.set_lane("fetch:*", running=2, rate="10/m")
    queue.set_lane("gpu", running=1, reserved=True)
    queue.set_lane("night:*", running=8)
    queue.submit_many(
        [job("fetch:a") for _ in range(5)]
        + [job("fetch:b") for _ in range(3)]
        + [job("gpu"), job("gpu", priority=3), job("import")]
        + [Job("without", FUNCTION)]
    )
    queue.close()
    return path


def lanes_of(path: Path) -> dict[str, Lane]:
    queue = JobQueue(path)
    try:
        return {lane.name: lane for lane in queue.lanes()}
    finally:
        queue.close()


def lanes_screen(app: ConsoleApp) -> LanesScreen:
    assert isinstance(app.screen, LanesScreen)
    return app.screen


@asynccontextmanager
async def shown(
    path: Path, *keys: str, size: tuple[int, int] = (120, 32)
) -> AsyncIterator[tuple[ConsoleApp, Pilot[None]]]:
    app = console_on(path)
    async with running(app, size=size) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "L")
        await until(pilot, lambda: is_read(app), "the lanes")
        await press(pilot, *keys)
        yield app, pilot


def is_read(app: ConsoleApp) -> bool:
    so_far = lanes_screen(app).reading.so_far
    return so_far is not None and so_far.done


def names(app: ConsoleApp) -> list[str | None]:
    roster = lanes_screen(app).roster
    return [roster.row_id(at) for at in range(roster.total)]


async def written(pilot: Pilot[None], path: Path, holds: Callable[[dict[str, Lane]], bool]) -> None:
    await until(pilot, lambda: holds(lanes_of(path)), "what was written")
    await settle(pilot)


async def test_every_lane_and_every_rule_has_a_line(path: Path) -> None:
    async with shown(path) as (app, _):
        assert set(names(app)) == {"fetch:a", "fetch:b", "gpu", "import", "night:*"}
        text = screen_text(app)
        assert "4 lanes, 3 rules" in text
        assert "no worker takes it" in text


async def test_a_million_is_never_counted_by_the_list_itself(path: Path) -> None:
    """The lanes are read by their own steps, and only while their screen is in front."""
    with reading(path) as reader:
        work = LanesReading()
        so_far = reader.step(work)
        while not so_far.done:
            so_far = reader.step(work)
        assert set(so_far.value.oldest) == {"fetch:a", "fetch:b", "gpu", "import"}


async def test_enter_lists_exactly_the_jobs_of_the_lane(path: Path) -> None:
    async with shown(path, "/", *"fetch:b", "enter", "enter") as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, JobsScreen), "the jobs")
        picture = app.services.picture
        await until(
            pilot,
            lambda: picture.shown is not None and picture.shown.filter_text == "lane=fetch:b",
            "the filter",
        )
        assert picture.shown is not None
        assert picture.shown.window.total == 3


async def test_a_rule_is_typed_previewed_and_written(path: Path) -> None:
    keys = ("n", *"import", "tab", *"4", "tab", *"5/s", "tab", *"20")
    async with shown(path, *keys) as (app, pilot):
        text = screen_text(app)
        assert (
            "at most 4 at a time, 5 starts a second, up to 20 of them at once; 1 job waits" in text
        )
        assert "lane set import --running 4 --rate 5/s --burst 20" in " ".join(text.split())
        await press(pilot, "alt+s")
        await written(pilot, path, lambda lanes: lanes["import"].burst == 20)
        lane = lanes_of(path)["import"]
        assert (lane.pattern, lane.running_limit, lane.rate) == ("import", 4, "5/s")
        await until(pilot, lambda: "its own" in screen_text(app), "the rule on the screen")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("gpu*",), "write a lane's name, or a prefix as in fetch:*"),
        (("x", "two"), "at a time: a whole number, or nothing for no limit"),
        (("x", "0"), "give a number from 1 to"),
        (
            ("x", "", "10"),
            "write a number from 0.001 to 1,000,000 for each second, minute, hour or day",
        ),
        (("x", "", "", "5"), "give a rate too"),
        (("x", "", "5/s", "none"), "burst: a whole number, 1 or more"),
        (("x", "", "", "1", "perhaps"), "reserved: yes or no"),
    ],
)
async def test_what_makes_no_sense_is_said_and_not_written(
    path: Path, typed: tuple[str, ...], said: str
) -> None:
    before = lanes_of(path)
    async with shown(path, "n") as (app, pilot):
        for at, text in enumerate(typed):
            await press(pilot, *(["tab"] if at else []), *(["ctrl+u"] if at else []), *text)
        assert said in screen_text(app)
        await press(pilot, "alt+s")
        assert lanes_screen(app).rules.panel is not None
    assert lanes_of(path) == before


async def test_the_rule_of_a_lane_is_edited_for_all_that_obey_it(path: Path) -> None:
    async with shown(path, "/", *"fetch:a", "enter", "e") as (app, pilot):
        assert "2 lanes now, 8 jobs wait" in screen_text(app)
        await press(pilot, *"7", "alt+s")
        await written(pilot, path, lambda lanes: lanes["fetch:b"].running_limit == 7)
        assert lanes_of(path)["fetch:a"].running_limit == 7
        # Back, by the key that takes back actions on jobs too.
        await press(pilot, "u")
        await written(pilot, path, lambda lanes: lanes["fetch:b"].running_limit == 2)


async def test_one_lane_is_paused_and_resumed(path: Path) -> None:
    async with shown(path, "/", *"fetch:a", "enter", "P") as (app, pilot):
        text = screen_text(app)
        assert "Pause fetch:a?" in text
        assert "lane pause fetch:a" in text
        assert "> [ No (n) ]" in text or ">[ No (n) ]" in text
        await press(pilot, "y")
        await written(pilot, path, lambda lanes: lanes["fetch:a"].is_paused)
        assert not lanes_of(path)["fetch:b"].is_paused
        await until(pilot, lambda: "paused" in screen_text(app), "the pause on the screen")
        await press(pilot, "P")
        assert "Resume fetch:a?" in screen_text(app)
        await press(pilot, "y")
        await written(pilot, path, lambda lanes: not lanes["fetch:a"].is_paused)


async def test_a_lane_that_a_job_has_shut_is_opened(path: Path) -> None:
    queue = JobQueue(path)
    with queue._writing() as conn:
        shut(conn, "fetch:a", 5000.0, utc_now())
    queue.close()
    async with shown(path, "/", *"fetch:a", "enter", "P") as (app, pilot):
        assert "Open lets fetch:a start at once, which a job had shut." in screen_text(app)
        await press(pilot, "o")
        await written(pilot, path, lambda lanes: lanes["fetch:a"].opens_at is None)
        assert not lanes_of(path)["fetch:a"].is_paused
        await until(pilot, lambda: "opened fetch:a" in screen_text(app), "what was done")
        # Nobody shuts it again.
        await press(pilot, "u")
        assert not lanes_of(path)["fetch:a"].is_paused


@pytest.mark.parametrize("pattern", ["-x", "--running", "-x:*", "a b"])
def test_a_command_that_is_copied_does_it_to_the_lane_that_it_names(
    path: Path, pattern: str
) -> None:
    rule = Rule(pattern, 3, "10/m", 2, True)
    lines = [for_each(path, verb, [pattern]) for verb in ("pause", "resume", "remove")]
    for line in (command_of(path, rule), *lines):
        lane = lanes_of(path).get(pattern)
        result = CliRunner().invoke(cli, shlex.split(line)[1:])
        assert result.exit_code == 0, result.output
    assert lane is not None
    assert (lane.running_limit, lane.rate, lane.burst, lane.reserved) == (3, "10/m", 2, True)


async def test_all_lanes_of_a_rule_are_paused_by_a_capital_letter(path: Path) -> None:
    async with shown(path, "/", *"fetch:a", "enter", "P") as (app, pilot):
        assert "fetch:* is the rule of 2 lanes now." in screen_text(app)
        await press(pilot, "A")
        await written(pilot, path, lambda lanes: lanes["fetch:b"].is_paused)
        await until(pilot, lambda: "paused with fetch:*" in screen_text(app), "who is paused")
        await press(pilot, "P")
        assert "That lets 2 lanes go on." in screen_text(app)
        await press(pilot, "y")
        await written(pilot, path, lambda lanes: not lanes["fetch:a"].is_paused)


async def test_enter_on_a_question_changes_nothing(path: Path) -> None:
    before = lanes_of(path)
    for key in ("P", "X"):
        async with shown(path, key) as (app, pilot):
            assert lanes_screen(app).panel.is_open
            await press(pilot, "enter")
            assert not lanes_screen(app).panel.is_open
    assert lanes_of(path) == before


async def test_a_rule_is_removed_and_brought_back(path: Path) -> None:
    async with shown(path, "/", *"fetch:a", "enter", "X") as (app, pilot):
        text = screen_text(app)
        assert "Remove the rule fetch:*?" in text
        assert "2 lanes with 8 jobs obey it" in text
        await press(pilot, "Y")
        await written(pilot, path, lambda lanes: lanes["fetch:a"].pattern is None)
        await press(pilot, "u")
        await written(pilot, path, lambda lanes: lanes["fetch:a"].rate == "10/m")


async def test_several_are_marked_and_paused_together(path: Path) -> None:
    async with shown(path, "/", *"fetch", "enter", " ", " ", "P") as (app, pilot):
        text = screen_text(app)
        assert "2 marked" in text
        assert "Pause 2 lanes?" in text
        await press(pilot, "y")
        await written(
            pilot, path, lambda lanes: lanes["fetch:a"].is_paused and lanes["fetch:b"].is_paused
        )
        assert not lanes_of(path)["gpu"].is_paused
        await until(pilot, lambda: "2 marked" not in screen_text(app), "no marks")


async def test_a_rule_that_was_changed_since_is_not_taken_back(path: Path) -> None:
    async with shown(path, "/", *"fetch:a", "enter", "e", *"7", "alt+s") as (app, pilot):
        await written(pilot, path, lambda lanes: lanes["fetch:b"].running_limit == 7)
        queue = JobQueue(path)
        queue.set_lane("fetch:*", running=9)
        queue.close()
        await press(pilot, "u")
        await until(pilot, lambda: "was changed since" in screen_text(app), "why not")
    assert lanes_of(path)["fetch:a"].running_limit == 9


async def test_nothing_is_written_where_the_console_only_reads(path: Path) -> None:
    app = console_on(path)
    app.services.settings.__dict__["read_only"] = True
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        for key in ("n", "e", "P", "X"):
            await press(pilot, "L", key)
            assert "read-only" in screen_text(app)
            assert not lanes_screen(app).panel.is_open
            assert lanes_screen(app).rules.panel is None
            await press(pilot, "q")


async def test_a_burst_means_what_its_keys_mean_one_by_one(path: Path) -> None:
    """Typed ahead of the screen: the lanes are waited for, and so is the list behind them."""
    app = console_on(path)
    async with running(app) as pilot:
        await settle(pilot)
        await type_at_once(pilot, ["L", "/", *"fetch:a", "enter", "e", *"6", "alt+s"])
        await written(pilot, path, lambda lanes: lanes["fetch:b"].running_limit == 6)
        await type_at_once(pilot, ["q", "L", "/", *"gpu", "enter", "enter"])
        await until(pilot, lambda: isinstance(app.screen, JobsScreen), "the jobs")
        assert app.services.picture.view.filter.text == "lane=gpu"


async def test_back_takes_marks_and_words_away_before_it_leaves(path: Path) -> None:
    async with shown(path, "/", *"fetch", "enter", " ") as (app, pilot):
        await press(pilot, "escape")
        assert lanes_screen(app).marked_count() == 0
        await press(pilot, "escape")
        assert len(names(app)) == 5
        await press(pilot, "escape")
        assert isinstance(app.screen, JobsScreen)


async def test_a_file_without_lanes_says_what_a_lane_is(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    queue = JobQueue(path)
    queue.submit(Job("without", FUNCTION))
    queue.close()
    async with shown(path) as (app, _):
        assert "No job has a lane, and there is no rule." in screen_text(app)


async def test_the_form_offers_the_lanes_that_there_are(path: Path) -> None:
    app = console_on(path)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "n")
        screen = app.screen
        assert isinstance(screen, SubmitScreen)
        screen.form.show_more()
        field = screen.form.more["lane"].field
        screen.set_focus(field)
        await until(pilot, lambda: field.has_focus, "the field to be typed in")
        await press(pilot, *"fetc")
        await until(pilot, lambda: "0 run, 3 wait" in screen_text(app), "the lanes of the file")
        # A name that is new is left as it is typed, whatever begins like it.
        await press(pilot, "tab")
        assert field.value == "fetc"
        screen.set_focus(field)
        await press(pilot, "h")
        await press(pilot, "down", "down", "enter")
        assert field.value == "fetch:b"
        await press(pilot, "ctrl+u", *"nig")
        assert "rule night:*" in screen_text(app)


async def test_what_needs_attention_leads_to_the_lanes(path: Path) -> None:
    queue = JobQueue(path)
    queue.pause_lane("fetch:*")
    queue.close()
    app = console_on(path)
    async with running(app) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "o", "a")
        await until(
            pilot, lambda: "2 lanes are paused: 8 jobs wait" in screen_text(app), "the concern"
        )
        await press(pilot, "/", *"lanes are paused", "enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, LanesScreen), "the lanes")


async def test_a_view_leads_to_the_lanes(path: Path) -> None:
    async with shown(path) as (app, _):
        assert str(app.services.views.present.open) == "lanes"
        assert "--open lanes" in app.services.views.command
