"""Every key of the jobs screen: what it asks for, what it says, what it does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gigq_core.errors import DatabaseBusy
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.help import HelpScreen
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.jobs.filter_box import FilterBox
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.screens.parts.list_order import STILL_S
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.list.view import END, Anchor
from gigq_tui.store.models import Tab, Window
from gigq_tui.store.outcomes.states import JobNow
from gigq_tui.widgets.lines import TextLines
from gigq_tui.widgets.tabs import TabRow
from tests.scene import NOW
from tests.tui.harness import (
    Console,
    acts_of,
    all_in,
    detail_of,
    feed_of,
    give,
    jobs_screen,
    make_app,
    press,
    row,
    running,
    screen_text,
    settle,
    snapshot_of,
)

ROWS = [
    row(9, "nine"),
    row(8, "eight", "running"),
    row(7, "seven", "failed", error="HTTP 500 from host 3"),
    row(6, "six", "completed"),
    *[row(number) for number in range(5, 0, -1)],
]


def cursor_name(app: ConsoleApp) -> str:
    current = jobs_screen(app).table.current
    return current.name if current is not None else ""


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        (("j",), "eight"),
        (("down",), "eight"),
        (("j", "j", "k"), "eight"),
        (("j", "j", "up"), "eight"),
        (("G",), "job_1"),
        (("end",), "job_1"),
        (("G", "g"), "nine"),
        (("G", "home"), "nine"),
        (("pagedown",), "job_1"),
        (("G", "pageup"), "nine"),
        (("k",), "nine"),
    ],
)
async def test_keys_move_the_cursor(console: Console, keys: tuple[str, ...], name: str) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, *keys)
        assert cursor_name(app) == name


async def test_half_pages(console: Console) -> None:
    rows = [row(number) for number in range(60, 0, -1)]
    async with console(size=(80, 24)) as (app, pilot):
        await give(pilot, rows)
        table = jobs_screen(app).table
        await press(pilot, "ctrl+d")
        assert table.cursor == table.page // 2
        await press(pilot, "ctrl+u")
        assert table.cursor == 0


@pytest.mark.parametrize(
    ("keys", "tab"),
    [
        ("1", Tab.ALL),
        ("2", Tab.WAITING),
        ("3", Tab.RUNNING),
        ("4", Tab.FAILED),
        ("5", Tab.TIMEOUT),
        ("6", Tab.DONE),
        ("7", Tab.CANCELLED),
        ("]", Tab.WAITING),
        ("[", Tab.CANCELLED),
    ],
)
async def test_keys_choose_the_tab(console: Console, keys: str, tab: Tab) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, *keys)
        assert app.services.picture.view.tab is tab
        if tab is not Tab.ALL:
            assert feed_of(app).views[-1].tab is tab


async def test_a_click_chooses_a_tab(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        text = app.screen.query_one(TabRow).plain
        await pilot.click(TabRow, offset=(text.index("4 Failed") + 2, 0))
        await settle(pilot)
        assert app.services.picture.view.tab is Tab.FAILED


async def test_rows_of_another_tab_are_not_drawn(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "4")
        await give(pilot, ROWS, tab=Tab.ALL)
        await give(pilot, [ROWS[2]], tab=Tab.FAILED)
        assert jobs_screen(app).table.total == 1
        assert cursor_name(app) == "seven"


async def test_enter_opens_the_job_and_escape_comes_back() -> None:
    app = make_app()
    feed_of(app).answers["detail"] = lambda job_id: detail_of(
        next(r for r in ROWS if r.id == job_id)
    )
    async with running(app) as pilot:
        await give(pilot, ROWS)
        await press(pilot, "j", "j", "enter")
        assert isinstance(app.screen, JobScreen)
        assert app.screen.job.id == ROWS[2].id
        await press(pilot, "escape")
        assert isinstance(app.screen, JobsScreen)
        assert cursor_name(app) == "seven"


async def test_l_opens_the_log() -> None:
    app = make_app()
    feed_of(app).answers["detail"] = lambda job_id: detail_of(ROWS[0])
    async with running(app) as pilot:
        await give(pilot, ROWS)
        await press(pilot, "l")
        assert isinstance(app.screen, JobScreen)
        assert app.screen.tabs.name == "Output"


async def test_space_marks_and_goes_down(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "space", "space")
        assert list(jobs_screen(app).marks.ids) == [ROWS[0].id, ROWS[1].id]
        assert cursor_name(app) == "seven"
        assert "marked 2" in app.screen.query_one("#status", TextLines).plain
        await press(pilot, "k", "space")
        assert list(jobs_screen(app).marks.ids) == [ROWS[0].id]


async def test_v_marks_a_range_in_memory(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "j", "v", "j", "j", "v")
        assert list(jobs_screen(app).marks.ids) == [r.id for r in ROWS[1:4]]


def painted(app: ConsoleApp) -> list[str]:
    """The ids of the rows that are painted as marked."""
    table = jobs_screen(app).table
    return [known.id for known in table.window.rows if known.id in table.marks]


@pytest.mark.parametrize(
    ("keys", "rows"),
    [
        (("v",), slice(0, 1)),
        (("j", "v", "j", "j"), slice(1, 4)),
        (("G", "k", "v", "k", "k", "j"), slice(-3, -1)),
        (("v", "G"), slice(None)),
        (("space", "j", "v", "j"), None),
    ],
)
async def test_a_range_is_painted_to_the_cursor_and_an_action_takes_it(
    console: Console, keys: tuple[str, ...], rows: slice | None
) -> None:
    async with console() as (app, pilot):
        # All of them wait: what has begun or ended has no priority.
        waiting = [row(job.key, job.name) for job in ROWS]
        await give(pilot, waiting)
        await press(pilot, *keys)
        meant = [waiting[0], waiting[2], waiting[3]] if rows is None else list(waiting[rows])
        assert painted(app) == [each.id for each in meant]
        assert sum("#" in line[:4] for line in screen_text(app).splitlines()) == len(meant)
        assert f"marked {len(meant)}" in app.screen.query_one("#status", TextLines).plain
        await press(pilot, "greater_than_sign", *(["y"] if len(meant) > 1 else []))
        verb, (ids, _) = acts_of(app).calls[-1]
        assert (verb, sorted(ids)) == ("priority", sorted(each.id for each in meant))


async def test_of_marked_jobs_all_ids_are_copied(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    async with console() as (app, pilot):
        monkeypatch.setattr(app.services.copying, "copy_text", lambda text, *_: copied.append(text))
        await give(pilot, ROWS)
        await press(pilot, "space", "v", "j", "y")
        assert "Copy from 3 jobs?" in screen_text(app)
        await press(pilot, "i")
        await press(pilot, "y", "n")
        assert copied[0].split() == [each.id for each in ROWS[:3]]
        assert copied[1].split("\n") == [each.name for each in ROWS[:3]]


async def test_v_asks_for_ids_when_the_range_leaves_memory() -> None:
    app = make_app()
    feed_of(app).answers["matching_ids"] = lambda view: tuple(r.id for r in ROWS)
    async with running(app) as pilot:
        await give(pilot, ROWS)
        await press(pilot, "v", "G")
        rest = Window(tuple(ROWS[4:]), 4, len(ROWS))
        await give(pilot, ROWS, window=rest)
        await press(pilot, "v")
        assert list(jobs_screen(app).marks.ids) == [r.id for r in ROWS]


async def test_star_marks_all_that_match() -> None:
    app = make_app()
    feed_of(app).answers["matching_ids"] = lambda view: tuple(f"id{n}" for n in range(500))
    async with running(app) as pilot:
        await give(pilot, ROWS)
        await press(pilot, "*")
        assert len(jobs_screen(app).marks.ids) == 500


async def test_escape_clears_range_then_marks_then_filter(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "/", "n", "i", "enter")
        await give(pilot, ROWS, filter_text="ni")
        await press(pilot, "space", "v")
        screen = jobs_screen(app)
        await press(pilot, "escape")
        assert screen.marks.range_from is None
        assert screen.marks.rows
        await press(pilot, "escape")
        assert not screen.marks.rows
        assert app.services.picture.view.filter.text == "ni"
        await press(pilot, "escape")
        assert not app.services.picture.view.filter


async def test_slash_filters_with_every_key(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "/", "h", "i")
        assert [view.filter.text for view in feed_of(app).views[-2:]] == ["h", "hi"]
        await press(pilot, "enter")
        assert app.focused is None
        await give(pilot, ROWS, filter_text="hi")
        await press(pilot, "j")
        assert cursor_name(app) == "eight"


async def test_a_mistake_in_the_filter_is_told_and_the_table_stays(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "/", *"pri", "greater_than_sign")
        box = app.screen.query_one(FilterBox)
        assert box.mistake.startswith("^")
        assert app.services.picture.view.filter.text == "pri"
        assert jobs_screen(app).table.total == len(ROWS)
        await press(pilot, "escape")
        assert not app.services.picture.view.filter
        assert not box.has_class("-open")


async def test_c_asks_first_and_no_has_the_focus(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "j", "c")
        panel = jobs_screen(app).panel
        assert "Cancel 1 job?" in panel.plain
        assert "asked to cancel it" in panel.plain
        assert ">[ No (n) ]" in panel.plain
        await press(pilot, "enter")
        assert not panel.is_open
        assert acts_of(app).calls == []


async def test_c_acts_on_the_id_of_the_key_press(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "c")
        await give(pilot, [row(10, "ten"), *ROWS])
        await press(pilot, "y")
        assert acts_of(app).calls == [("cancel", (ROWS[0].id,))]
        assert jobs_screen(app).notice_line.text == "cancel done"
        assert jobs_screen(app).notice_line.twin.startswith("gigq-core")
        assert feed_of(app).refreshed


async def test_r_retries_the_marked_jobs_and_unmarks_them(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "j", "j", "space", "space", "r")
        assert "Retry 1 of 2 jobs?" in jobs_screen(app).panel.plain
        assert "1 can't be retried: 1 has completed" in jobs_screen(app).panel.plain
        await press(pilot, "right", "enter")
        (failed,) = (job for job in ROWS[2:4] if job.status == "failed")
        assert acts_of(app).calls == [("retry", (failed.id,))]
        assert not jobs_screen(app).marks.ids


@pytest.mark.parametrize(
    ("key", "verb", "state"),
    [("C", "cancel", JobNow.WAITING), ("R", "retry", JobNow.FAILED)],
)
async def test_upper_case_says_how_many_match(key: str, verb: str, state: JobNow) -> None:
    app = make_app()
    ids = tuple(f"id{number}" for number in range(1200))
    feed_of(app).answers["matching_ids"] = lambda view: ids
    feed_of(app).answers["step"] = all_in(state)
    async with running(app) as pilot:
        await give(pilot, ROWS)
        await press(pilot, key)
        plain = jobs_screen(app).panel.plain
        assert f"{verb.title()} 1,200 jobs (all of tab All)?" in plain
        await press(pilot, "y")
        assert acts_of(app).calls == []
        await press(pilot, "Y")
        assert acts_of(app).calls == [(verb, ids)]


async def test_a_failed_act_is_told() -> None:
    app = make_app()
    acts_of(app).trouble = DatabaseBusy("The file is locked: try again.")
    async with running(app) as pilot:
        await give(pilot, ROWS)
        await press(pilot, "c", "y")
        assert jobs_screen(app).notice_line.text == "The file is locked: try again."
        assert jobs_screen(app).notice_line.tone == "error"


async def test_p_holds_the_picture_and_lets_it_go(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "p")
        await give(pilot, ROWS[:1])
        assert jobs_screen(app).table.total == len(ROWS)
        assert "paused" in screen_text(app)
        await press(pilot, "p")
        assert jobs_screen(app).table.total == 1
        assert "live" in screen_text(app)


async def test_capital_p_pauses_and_resumes_the_queue(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "P", "n")
        assert acts_of(app).calls == []
        await press(pilot, "P", "y")
        await give(pilot, ROWS, paused=True)
        assert "QUEUE PAUSED" in screen_text(app)
        await press(pilot, "P", "y")
        assert acts_of(app).calls == [("paused", True), ("paused", False)]


@pytest.mark.parametrize(
    ("key", "copied"),
    [
        ("i", ROWS[2].id),
        ("n", "seven"),
        ("e", "HTTP 500 from host 3"),
        ("c", f"gigq-core --db /srv/queues/jobs.db status {ROWS[2].id}"),
    ],
)
async def test_y_copies(console: Console, key: str, copied: str) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "j", "j", "y", key)
        assert app.clipboard == copied


async def test_y_copies_params_with_their_secrets_masked() -> None:
    app = make_app()
    feed_of(app).answers["detail"] = lambda job_id: detail_of(ROWS[0])
    async with running(app) as pilot:
        await give(pilot, ROWS)
        await press(pilot, "y", "p")
        assert '"src"' in app.clipboard
        assert "hunter2" not in app.clipboard


async def test_question_mark_helps(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "?")
        assert isinstance(app.screen, HelpScreen)
        assert "retry all that match" in screen_text(app)
        await press(pilot, "?")
        assert isinstance(app.screen, JobsScreen)


async def test_ctrl_r_reads_again_and_ctrl_l_repaints(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "ctrl+r", "ctrl+l")
        assert feed_of(app).refreshed == 1


@pytest.mark.parametrize("key", ["c", "r", "n", "e", "C", "R", "P", "+", "-"])
async def test_read_only_disables_every_writing_key(console: Console, key: str) -> None:
    async with console(read_only=True) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, key)
        assert isinstance(app.screen, JobsScreen)
        assert "read-only" in jobs_screen(app).notice_line.text
        assert not jobs_screen(app).panel.is_open
        assert acts_of(app).calls == []
        assert "READ-ONLY" in screen_text(app)


async def test_the_first_act_says_that_our_tables_come(console: Console) -> None:
    foreign = replace(snapshot_of([]).info, attached=False)
    async with console() as (app, pilot):
        await give(pilot, ROWS, info=foreign)
        assert "GigQ's own file" in screen_text(app)
        await press(pilot, "c")
        assert "adds our tables" in jobs_screen(app).panel.plain
        await press(pilot, "n", "P")
        assert "adds our tables" in jobs_screen(app).panel.plain
        assert acts_of(app).calls == []
        await press(pilot, "y")
        assert acts_of(app).calls == [("paused", True)]


async def test_the_end_of_a_long_list_is_asked_for(console: Console) -> None:
    window = Window(tuple(row(n) for n in range(100_000, 99_800, -1)), 0, 100_000)
    async with console() as (app, pilot):
        await give(pilot, (), window=window)
        await press(pilot, "G")
        assert app.services.picture.view.anchor == END
        end = Window(tuple(row(n) for n in range(200, 0, -1)), 99_800, 100_000)
        await give(pilot, (), window=end)
        assert cursor_name(app) == "job_1"


async def test_the_cursor_stays_on_its_job(console: Console) -> None:
    clock = FrozenClock(NOW)
    async with console(clock=clock) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "j", "j")
        clock.advance(STILL_S)
        await give(pilot, [row(11), row(10), *ROWS])
        assert cursor_name(app) == "seven"
        await give(pilot, [r for r in ROWS if r.name != "seven"])
        assert cursor_name(app) != "seven"


async def test_many_new_rows_do_not_lose_the_cursor(console: Console) -> None:
    clock = FrozenClock(NOW)
    async with console(clock=clock) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "j")
        clock.advance(STILL_S)
        top = Window(tuple(row(n) for n in range(1000, 800, -1)), 0, 1000)
        await give(pilot, (), window=top)
        assert app.services.picture.view.anchor == Anchor.around(ROWS[1].id, 1)
        await give(pilot, (), window=Window(tuple(ROWS), 991, 1000))
        assert cursor_name(app) == "eight"


async def test_an_empty_queue_is_no_trouble(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await give(pilot, [])
        await press(pilot, "j", "G", "enter", "space", "v", "c", "r", "y", "escape", "*")
        assert isinstance(app.screen, JobsScreen)
        assert not jobs_screen(app).panel.is_open


async def test_small_terminals_stay_usable(console: Console) -> None:
    async with console(size=(60, 15)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "j", "c")
        text = screen_text(app)
        assert "Cancel 1 job?" in text
        assert "No (n)" in text
        await press(pilot, "y")
        assert acts_of(app).calls
