"""Keys that are faster than the file: they mean the list that was asked for, not the one before."""

from __future__ import annotations

from textual.pilot import Pilot

from gigq_core.errors import DatabaseBusy
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.parts.typed_ahead import WAITS_AT_MOST_S
from gigq_tui.screens.workers.screen import WorkersScreen
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.models import Tab
from tests.scene import NOW
from tests.tui.at_once import wait_for
from tests.tui.harness import Console, acts_of, give, jobs_screen, row, settle

WAITING = [row(3, "fetch"), row(2, "resize"), row(1, "report")]
FAILED = [row(9, "import", "failed"), row(8, "export", "failed")]


async def type_fast(pilot: Pilot[None], *keys: str) -> None:
    """Press keys before anything of the file comes."""
    await pilot.press(*keys)
    await settle(pilot)


def shown(app: ConsoleApp) -> str:
    current = jobs_screen(app).current_row()
    return current.name if current is not None else ""


async def test_keys_behind_a_tab_are_about_its_rows(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, WAITING)
        await type_fast(pilot, "4", "j", "enter")
        assert not isinstance(app.screen, JobScreen)
        await give(pilot, FAILED, tab=Tab.FAILED)
        assert isinstance(app.screen, JobScreen)
        assert app.screen.job.id == FAILED[1].id


async def test_an_act_behind_a_filter_asks_about_its_rows(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, WAITING)
        await type_fast(pilot, "/", "r", "e", "p", "enter", "c", "y")
        assert not jobs_screen(app).panel.is_open
        await give(pilot, [WAITING[2]], filter_text="rep")
        # The answer was typed before anybody could read the question: it doesn't count.
        assert "report" in jobs_screen(app).panel.plain
        assert acts_of(app).calls == []
        await type_fast(pilot, "y")
        assert acts_of(app).calls == [("cancel", (WAITING[2].id,))]


async def test_another_screen_does_not_wait(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, WAITING)
        await type_fast(pilot, "4", "w")
        assert isinstance(app.screen, WorkersScreen)


async def test_a_key_that_has_waited_long_is_dropped(console: Console) -> None:
    clock = FrozenClock(NOW)
    async with console(clock=clock) as (app, pilot):
        await give(pilot, WAITING)
        await type_fast(pilot, "4", "c")
        clock.advance(WAITS_AT_MOST_S + 0.1)
        await give(pilot, FAILED, tab=Tab.FAILED)
        assert not jobs_screen(app).panel.is_open
        assert shown(app) == "import"


async def test_what_was_typed_behind_a_key_that_has_waited_long_goes_with_it(
    console: Console,
) -> None:
    clock = FrozenClock(NOW)
    async with console(clock=clock) as (app, pilot):
        await give(pilot, WAITING)
        await type_fast(pilot, "4", "j")
        clock.advance(WAITS_AT_MOST_S - 0.5)
        await type_fast(pilot, "c")
        clock.advance(1.0)
        await give(pilot, FAILED, tab=Tab.FAILED)
        # Without the move it would be about another job.
        assert not jobs_screen(app).panel.is_open


async def test_what_was_typed_behind_the_key_to_another_screen_is_not_done_below_it(
    console: Console,
) -> None:
    async with console() as (app, pilot):
        await give(pilot, WAITING)
        await type_fast(pilot, "4", "enter", "r")
        await give(pilot, FAILED, tab=Tab.FAILED)
        assert isinstance(app.screen, JobScreen)
        assert not jobs_screen(app).panel.is_open


async def test_rows_that_can_not_be_read_are_not_waited_for(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, WAITING)
        app.services.reads.hand_trouble(str(DatabaseBusy("jobs.db is locked.")), NOW)
        await type_fast(pilot, "4", "c")
        assert "can't be read now" in jobs_screen(app).notice_line.text
        await give(pilot, FAILED, tab=Tab.FAILED)
        assert not jobs_screen(app).panel.is_open


async def test_another_tab_forgets_what_was_typed_for_the_one_before(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, WAITING)
        await type_fast(pilot, "3", "c", "4")
        await give(pilot, FAILED, tab=Tab.FAILED)
        assert not jobs_screen(app).panel.is_open


async def test_what_is_dropped_is_told_and_the_next_keys_are_heard(console: Console) -> None:
    clock = FrozenClock(NOW)
    async with console(clock=clock) as (app, pilot):
        await give(pilot, WAITING)
        await type_fast(pilot, "4", "c", "n")
        assert app.screen is jobs_screen(app)
        clock.advance(WAITS_AT_MOST_S)
        await wait_for(lambda: app.router.is_idle)
        assert "were dropped" in jobs_screen(app).notice_line.text
        # Neither the form nor the question: what was typed for that list is forgotten.
        assert app.screen is jobs_screen(app)
        await type_fast(pilot, "w")
        assert isinstance(app.screen, WorkersScreen)
