"""The list in motion: sorting, following, standing still, and ids that outlive every change."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from gigq_core import JobQueue
from gigq_tui.actions.jobs import QueueActions
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.jobs import held_order
from gigq_tui.screens.jobs.head_row import HeadRow
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.screens.parts.list_order import STILL_S
from gigq_tui.store.clock import SYSTEM_CLOCK, FrozenClock
from gigq_tui.store.models import Tab
from gigq_tui.store.sorting import NEWEST, OLDEST, Sort, SortKey
from gigq_tui.widgets.lines import TextLines
from tests.snapshots.reader_feed import ReaderFeed, at_rest
from tests.store_files import NOW, Writer, ago
from tests.tui.harness import FakeJobs, acts_of, jobs_screen, press, running, screen_text


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "jobs.db")
    yield writer
    writer.close()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


def app_on(writer: Writer, clock: FrozenClock | None = None) -> ConsoleApp:
    """The console on a real file; what it would do to the jobs is only remembered."""
    app = ConsoleApp(
        writer.path,
        python=sys.executable,
        chdir=writer.path.parent,
        clock=clock or SYSTEM_CLOCK,
        feed=False,
    )
    app.services.reads.feed = ReaderFeed(writer.path, app)
    app.services.actions.jobs = FakeJobs()
    return app


async def refresh(pilot: Pilot[None]) -> None:
    """Read the file again, as when it has changed."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    app.services.reads.refresh()
    await at_rest(pilot)


def shown(app: ConsoleApp) -> list[str]:
    """The ids of the rows in memory, in their order."""
    return [row.id for row in jobs_screen(app).table.window.rows]


def cursor(app: ConsoleApp) -> str:
    row = jobs_screen(app).current_row()
    return row.id if row is not None else ""


def status(app: ConsoleApp) -> str:
    return jobs_screen(app).query_one("#status", TextLines).plain


def some(writer: Writer) -> None:
    writer.job("beta", priority=3, created_at=ago(50))
    writer.job("alpha", created_at=ago(70))
    writer.job("delta", "running", worker_id="gigq-1", started_at=ago(90))
    writer.job("gamma", "running", worker_id="gigq-1", started_at=ago(40))
    writer.job("omega", "failed", error="boom", started_at=ago(30), completed_at=ago(29))


# Sorting


LETTERS = [
    ("n", "beta", OLDEST),
    ("m", "alpha", Sort(SortKey.NAME)),
    ("p", "beta", Sort(SortKey.PRIORITY)),
    ("t", "omega", Sort(SortKey.ATTEMPTS)),
    ("a", "alpha", Sort(SortKey.AGE)),
    ("d", "delta", Sort(SortKey.DURATION)),
    ("e", "omega", Sort(SortKey.ENDED)),
    ("s", "omega", Sort(SortKey.STATE)),
    ("n", "omega", NEWEST),
    ("o", "beta", OLDEST),
]


async def test_s_and_a_letter_sort(writer: Writer, clock: FrozenClock) -> None:
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        for key, first, sort in LETTERS:
            now = app.services.picture.view.sort.words
            await press(pilot, "s")
            assert f"Sort by what? Now: {now}" in jobs_screen(app).panel.plain
            await press(pilot, key)
            assert app.services.picture.view.sort == sort
            assert shown(app)[0] == first
            assert f"sort: {sort.words}" in status(app)
            assert not jobs_screen(app).panel.is_open


async def test_the_same_again_turns_the_order_round(writer: Writer, clock: FrozenClock) -> None:
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "s", "m")
        first = shown(app)
        await press(pilot, "s", "m")
        assert app.services.picture.view.sort == Sort(SortKey.NAME, turned=True)
        assert shown(app) == first[::-1]
        assert "sort: name, reversed" in status(app)
        await press(pilot, "s", "m")
        assert shown(app) == first
        await press(pilot, "s", "escape")
        assert app.services.picture.view.sort == Sort(SortKey.NAME)
        await press(pilot, "s", "n")
        assert app.services.picture.view.sort == NEWEST


async def test_each_tab_keeps_its_own_order(writer: Writer, clock: FrozenClock) -> None:
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "3", "s", "d")
        assert shown(app) == ["delta", "gamma"]
        await press(pilot, "2")
        assert app.services.picture.view.sort == NEWEST
        await press(pilot, "3")
        assert app.services.picture.view.sort == Sort(SortKey.DURATION)
        await press(pilot, "/", "m", "enter")
        assert app.services.picture.view.sort == Sort(SortKey.DURATION)
        writer.set("gamma", started_at=ago(500))
        await refresh(pilot)
        assert shown(app) == ["gamma"]
        assert app.services.picture.view.sort == Sort(SortKey.DURATION)


async def test_the_claim_order_is_that_of_the_waiting_jobs(
    writer: Writer, clock: FrozenClock
) -> None:
    some(writer)
    writer.job("high", priority=9)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "s", "c")
        assert app.services.picture.view.tab is Tab.WAITING
        assert shown(app) == ["high", "beta", "alpha"]
        assert "sort: next to be claimed" in status(app)
        assert "next to be claimed" in screen_text(app)
        await press(pilot, "1")
        assert app.services.picture.view.sort == NEWEST


async def test_a_tab_offers_only_orders_that_mean_something(
    writer: Writer, clock: FrozenClock
) -> None:
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "3", "s")
        plain = jobs_screen(app).panel.plain
        assert "duration (d)" in plain
        assert "claimed" not in plain
        assert "ended" not in plain


async def test_a_click_on_a_title_sorts_and_turns(writer: Writer, clock: FrozenClock) -> None:
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)

        async def click(title: str) -> None:
            head = app.screen.query_one(HeadRow)
            await pilot.click(HeadRow, offset=(head.plain.index(title) + 1, 0))
            await at_rest(pilot)

        await click("NAME")
        assert app.services.picture.view.sort == Sort(SortKey.NAME)
        assert "NAME^" in app.screen.query_one(HeadRow).plain
        await click("NAME")
        assert app.services.picture.view.sort == Sort(SortKey.NAME, turned=True)
        assert "NAMEv" in app.screen.query_one(HeadRow).plain
        await click("DUR")
        assert app.services.picture.view.sort == Sort(SortKey.DURATION)
        await click("WHY")
        assert app.services.picture.view.sort == Sort(SortKey.DURATION)
        await press(pilot, "2")
        await click("DUR")
        assert app.services.picture.view.sort == NEWEST
        assert "can't be sorted by that" in jobs_screen(app).notice_line.text


async def test_the_bound_of_an_order_is_told(writer: Writer, clock: FrozenClock) -> None:
    writer.many(1_200)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "s", "m")
        assert "first 1,000 of 1,200" in status(app)
        await press(pilot, "G")
        assert cursor(app) == shown(app)[-1]
        assert jobs_screen(app).table.total == 1_000
        await press(pilot, "s", "n")
        assert "first" not in status(app)


async def test_a_range_and_the_walk_in_the_detail_follow_the_order(
    writer: Writer, clock: FrozenClock
) -> None:
    for name in ("d", "a", "c", "b"):
        writer.job(name)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "s", "m", "v", "j", "j", "v")
        assert list(jobs_screen(app).marks.ids) == ["a", "b", "c"]
        await press(pilot, "g", "enter", "J", "J")
        assert app.screen.job.id == "c"  # type: ignore[attr-defined]


async def test_a_range_beyond_memory_follows_the_order(writer: Writer, clock: FrozenClock) -> None:
    writer.many(600)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "s", "c", "v", "G", "v")
        assert list(jobs_screen(app).marks.ids) == [f"n{number}" for number in range(600)]


# Ids outlive whatever happens


async def test_the_cursor_and_the_marks_stay_through_sort_tab_and_filter(
    writer: Writer, clock: FrozenClock
) -> None:
    some(writer)
    writer.many(400, "later")
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "G", "k", "k")
        assert cursor(app) == "delta"
        screen = jobs_screen(app)
        screen.marks.rows["alpha"] = None
        for keys in (("s", "o"), ("s", "d"), ("3",), ("/", "d", "enter"), ("escape", "escape")):
            await press(pilot, *keys)
            assert cursor(app) == "delta", keys
        await press(pilot, "4")
        assert cursor(app) == "omega"
        await press(pilot, "1", "s", "n")
        assert cursor(app) == "delta"
        assert screen.table.current is not None


async def test_the_first_row_is_shown_to_those_who_chose_none(
    writer: Writer, clock: FrozenClock
) -> None:
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "s", "d")
        assert cursor(app) == "delta"
        await press(pilot, "j", "g", "s", "m")
        assert cursor(app) == "alpha"


async def test_an_act_is_about_the_jobs_of_the_key_press(
    writer: Writer, clock: FrozenClock
) -> None:
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "G", "k", "c")
        assert "alpha" in jobs_screen(app).panel.plain
        clock.advance(STILL_S)
        writer.set("alpha", status="running", worker_id="gigq-1", started_at=ago(1))
        writer.many(50, "new")
        writer.conn.execute("DELETE FROM jobs WHERE id = 'beta'")
        await refresh(pilot)
        await press(pilot, "y")
        assert acts_of(app).calls == [("cancel", ("alpha",))]


async def test_marks_act_by_id_after_the_file_changed(writer: Writer, clock: FrozenClock) -> None:
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "2", "space", "space")
        assert set(jobs_screen(app).marks.ids) == {"alpha", "beta"}
        clock.advance(STILL_S)
        writer.many(300, "new")
        for job_id in ("alpha", "beta"):
            writer.set(job_id, status="failed")
        await refresh(pilot)
        await press(pilot, "s", "m", "4", "s", "e", "r")
        assert "Retry 2 jobs?" in jobs_screen(app).panel.plain
        await press(pilot, "y")
        assert acts_of(app).calls == [("retry", ("alpha", "beta"))]


async def test_of_marked_jobs_that_are_not_shown_the_file_says_what_can_be_done(
    writer: Writer, clock: FrozenClock
) -> None:
    """What was in memory of them when they were marked is of then."""
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "2", "space", "space", "3")
        clock.advance(STILL_S)
        writer.set("beta", status="failed")
        writer.set("alpha", status="cancelled")
        await press(pilot, "r", "y")
        assert acts_of(app).calls == [("retry", ("alpha", "beta"))]
        await press(pilot, "2", "c")
        assert not jobs_screen(app).panel.is_open


async def test_marks_and_cursor_outlive_another_file_at_the_path(
    writer: Writer, clock: FrozenClock, tmp_path: Path
) -> None:
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "G", "k", "space")
        await press(pilot, "k")
        assert cursor(app) == "alpha"
        clock.advance(STILL_S)
        other = Writer(tmp_path / "other.db")
        other.many(250, "x")
        other.job("alpha")
        other.many(250, "y")
        other.close()
        feed = app.services.reads.feed
        assert isinstance(feed, ReaderFeed)
        feed.close()
        feed.reader = ReaderFeed(tmp_path / "other.db", app).reader
        await refresh(pilot)
        assert cursor(app) == "alpha"
        assert list(jobs_screen(app).marks.ids) == ["alpha"]
        await press(pilot, "c", "y")
        assert acts_of(app).calls == [("cancel", ("alpha",))]


async def test_a_page_that_is_loaded_meanwhile_moves_nothing(
    writer: Writer, clock: FrozenClock
) -> None:
    writer.many(1_000)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, *["pagedown"] * 12)
        job = cursor(app)
        clock.advance(STILL_S)
        writer.many(500, "new")
        await refresh(pilot)
        assert cursor(app) == job
        table = jobs_screen(app).table
        assert table.row_id(table.cursor) == job
        await press(pilot, "c", "y")
        assert acts_of(app).calls == [("cancel", (job,))]


# Standing still


async def test_the_order_stands_still_while_the_cursor_moves(
    writer: Writer, clock: FrozenClock
) -> None:
    writer.many(6)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        before = shown(app)
        await press(pilot, "2", "j", "j")
        assert cursor(app) == "n3"
        writer.many(3, "new")
        writer.set("n4", status="running")
        writer.set("n2", priority=7)
        await refresh(pilot)
        table = jobs_screen(app).table
        assert shown(app) == before
        assert cursor(app) == "n3"
        assert table.held_order.gone == {"n4"}
        assert table.window.rows[3].priority == 7
        assert "3 new above" in status(app)
        assert "no longer in this list" in screen_text(app)
        clock.advance(STILL_S - 0.1)
        await refresh(pilot)
        assert shown(app) == before
        clock.advance(0.2)
        table._check_rest()
        await at_rest(pilot)
        assert shown(app) == ["new2", "new1", "new0", "n5", "n3", "n2", "n1", "n0"]
        assert cursor(app) == "n3"
        assert "new above" not in status(app)
        assert table.held_order.waiting is None


async def test_the_newest_order_comes_by_itself(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_order, "STILL_S", 0.3)
    writer.many(6)
    app = app_on(writer)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "j")
        writer.job("new")
        app.services.reads.refresh()
        for _ in range(100):
            await pilot.pause(0.02)
            if shown(app)[:1] == ["new"]:
                break
        assert shown(app)[0] == "new"
        assert cursor(app) == "n4"


async def test_nothing_waits_when_nothing_changed(writer: Writer, clock: FrozenClock) -> None:
    writer.many(6)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "j")
        assert jobs_screen(app).table._thaw_timer is None
        assert jobs_screen(app).table.held_order.waiting is None


async def test_a_held_picture_keeps_the_order_that_stood_still(
    writer: Writer, clock: FrozenClock
) -> None:
    writer.many(6)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "j")
        writer.job("new")
        await refresh(pilot)
        await press(pilot, "p")
        clock.advance(STILL_S)
        table = jobs_screen(app).table
        table._check_rest()
        await at_rest(pilot)
        assert "new" not in shown(app)
        await press(pilot, "p")
        await refresh(pilot)
        assert shown(app)[0] == "new"


async def test_a_held_picture_still_shows_what_is_asked_for(
    writer: Writer, clock: FrozenClock
) -> None:
    some(writer)
    writer.many(600)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "p", "3", "s", "d")
        assert shown(app) == ["delta", "gamma"]
        writer.set("delta", status="failed")
        await refresh(pilot)
        assert shown(app) == ["delta", "gamma"]
        await press(pilot, "1", "G")
        assert cursor(app) == "beta"
        assert "paused" in screen_text(app)
        await press(pilot, "3", "p")
        assert shown(app) == ["gamma"]


async def test_a_range_leaves_out_what_went(writer: Writer, clock: FrozenClock) -> None:
    writer.many(6)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "2", "j", "v", "j", "j")
        writer.set("n3", status="running")
        await refresh(pilot)
        await press(pilot, "v")
        assert list(jobs_screen(app).marks.ids) == ["n4", "n2"]


async def test_an_act_on_a_row_that_went_is_about_that_row(
    writer: Writer, clock: FrozenClock
) -> None:
    writer.many(6)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "2", "j", "j")
        writer.set("n3", status="running", worker_id="w", execution_id="e")
        await refresh(pilot)
        await press(pilot, "c", "y")
        assert acts_of(app).calls == [("cancel", ("n3",))]


async def test_scrolling_beyond_the_held_rows_takes_the_newest(
    writer: Writer, clock: FrozenClock
) -> None:
    writer.many(300)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        for number in range(24):
            await pilot.press("pagedown")
            writer.job(f"new{number}")
            await refresh(pilot)
        table = jobs_screen(app).table
        assert table.cursor == table.total - 1
        assert cursor(app) == "n0"


# Following


async def test_f_follows_a_row_that_leaves_the_tab(writer: Writer, clock: FrozenClock) -> None:
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "2", "G", "f")
        assert cursor(app) == "beta"
        assert "following beta" in status(app)
        clock.advance(STILL_S)
        writer.worker("w1")
        writer.set("beta", status="running", worker_id="w1", execution_id="e", started_at=ago(1))
        await refresh(pilot)
        assert shown(app) == ["alpha"]
        assert cursor(app) == "beta"
        assert "beta left: run" in status(app)
        assert "> " not in "\n".join(screen_text(app).splitlines()[4:8])
        assert "beta" in screen_text(app).splitlines()[-10]
        await press(pilot, "c", "y")
        assert acts_of(app).calls == [("cancel", ("beta",))]
        writer.set("beta", status="pending", worker_id=None, execution_id=None)
        await refresh(pilot)
        assert "following beta" in status(app)
        await press(pilot, "f")
        assert "following" not in status(app)
        assert app.services.picture.view.follow is None


async def test_a_followed_row_is_found_on_other_pages_and_in_other_orders(
    writer: Writer, clock: FrozenClock
) -> None:
    writer.many(900)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "j", "f")
        job = cursor(app)
        for keys in (("s", "o"), ("s", "m"), ("s", "c"), ("1",), ("3",)):
            clock.advance(STILL_S)
            await press(pilot, *keys)
            assert cursor(app) == job, keys
        await press(pilot, "1")
        clock.advance(STILL_S)
        writer.many(700, "new")
        await refresh(pilot)
        table = jobs_screen(app).table
        assert table.row_id(table.cursor) == job
        assert table.top <= table.cursor < table.top + table.page


async def test_a_move_ends_the_following(writer: Writer, clock: FrozenClock) -> None:
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        for key in ("j", "k", "G", "g", "space"):
            await press(pilot, "f")
            assert app.services.picture.view.follow == cursor(app)
            await press(pilot, key)
            assert app.services.picture.view.follow is None
            assert "following" not in status(app)


async def test_a_move_away_from_a_row_that_left_takes_the_cursor_back(
    writer: Writer, clock: FrozenClock
) -> None:
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "2", "f")
        clock.advance(STILL_S)
        writer.set("alpha", status="completed")
        await refresh(pilot)
        assert cursor(app) == "alpha"
        await press(pilot, "j")
        assert cursor(app) == "beta"


async def test_a_followed_job_that_is_deleted_is_told(writer: Writer, clock: FrozenClock) -> None:
    some(writer)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "j", "f")
        clock.advance(STILL_S)
        writer.conn.execute("DELETE FROM jobs WHERE id = 'gamma'")
        await refresh(pilot)
        assert app.services.picture.view.follow is None
        assert "no longer in the queue" in jobs_screen(app).notice_line.text
        assert cursor(app) in shown(app)


async def test_an_empty_list_sorts_and_follows_nothing(writer: Writer, clock: FrozenClock) -> None:
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "s", "d", "f", "j", "G", "s", "c")
        assert isinstance(app.screen, JobsScreen)
        assert app.services.picture.view.follow is None


async def test_the_cursor_is_in_sight_at_every_size(writer: Writer, clock: FrozenClock) -> None:
    writer.many(120)
    app = app_on(writer, clock)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "G", "f", "s", "o")
        for size in ((200, 60), (160, 45), (100, 30), (80, 24), (60, 15), (40, 10)):
            await pilot.resize_terminal(*size)
            await at_rest(pilot)
            lines = screen_text(app).splitlines()
            assert sum(line[:3].strip() == ">" for line in lines) == 1, size
            assert len(lines) == size[1]


@pytest.mark.parametrize(
    ("back", "moved", "stands_on"),
    [
        ("undo", False, "n3"),
        # Whoever has moved since is where they went.
        ("undo", True, "n1"),
        # What comes back by itself takes no cursor from the row that it is on now.
        ("retried elsewhere", False, "n2"),
    ],
)
async def test_after_an_undo_the_cursor_is_on_its_job_again(
    writer: Writer, clock: FrozenClock, back: str, moved: bool, stands_on: str
) -> None:
    writer.many(6)
    app = app_on(writer, clock)
    app.services.actions.jobs = QueueActions(writer.path)
    async with running(app) as pilot:
        await refresh(pilot)
        await press(pilot, "2", "j", "j")
        table = jobs_screen(app).table
        assert table.cursor_id == "n3"
        for _ in range(2):
            # As often as one likes.
            clock.advance(STILL_S + 1)
            await press(pilot, "c", "y")
            await refresh(pilot)
            assert table.cursor_id == "n2"
            if moved:
                await press(pilot, "j")
                clock.advance(STILL_S + 1)
            if back == "undo":
                await press(pilot, "u")
            else:
                JobQueue(writer.path).requeue_job("n3")
            await refresh(pilot)
            assert "n3" in shown(app)
            assert table.cursor_id == stands_on
            await press(pilot, *["k"] * (2 if moved else stands_on == "n2"))
            assert table.cursor_id == "n3"


@pytest.mark.parametrize("size", [(120, 32), (80, 14)])
async def test_what_is_said_of_a_row_that_went_is_what_it_is_now(
    writer: Writer, clock: FrozenClock, size: tuple[int, int]
) -> None:
    writer.many(60)
    app = app_on(writer, clock)
    async with running(app, size=size) as pilot:
        await refresh(pilot)
        await press(pilot, "2", "j")
        await refresh(pilot)
        said = "ready: no workers running"
        assert said in screen_text(app)
        writer.set("n58", status="cancelled")
        await refresh(pilot)
        text = screen_text(app)
        assert "no longer in this list" in text
        assert said not in "".join(text.splitlines()[-10 if size[1] == 32 else -2 :])
        if size[1] == 32:
            assert "no longer in this list: cancelled before it ran" in text
        writer.conn.execute("DELETE FROM jobs WHERE id = 'n58'")
        await refresh(pilot)
        text = screen_text(app)
        assert "no longer in this list" in text
        assert "cancelled before it ran" not in text
