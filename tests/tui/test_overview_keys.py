"""The overview screen's keys, and what the header says of the work and of its own age."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core.inspection.doctor import LARGE_WAL_BYTES
from gigq_core.reasons.why import Health
from gigq_core.units.spread import Spread
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.overview.lens import CHOICES_S
from gigq_tui.screens.overview.screen import OverviewScreen
from gigq_tui.screens.workers.screen import WorkersScreen
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.history.account import DELETED, Account, Bar
from gigq_tui.store.history.attention import Concern, Lead, Level
from gigq_tui.store.history.moment import Moment
from gigq_tui.store.history.overview import Overview, Ready
from gigq_tui.store.history.tally import End, Tally
from gigq_tui.store.history.time_window import TimeWindow
from gigq_tui.store.models import Ahead, Counts, Figures, FileInfo, Tab, Trend
from gigq_tui.store.obstacles import Obstacles
from gigq_tui.store.stepwise import SoFar
from gigq_tui.widgets.header import HeaderState, header_lines
from tests.scene import NOW
from tests.tui.harness import (
    Console,
    acts_of,
    feed_of,
    give,
    jobs_screen,
    make_app,
    row,
    running,
    screen_text,
    settle,
    snapshot_of,
)
from tests.tui.test_workers_screen import BUSY, IDLE

CONCERNS = (
    Concern("orphans", Level.GRAVE, "1 running job orphaned: w9 gone", Lead(workers=True)),
    Concern("doomed", Level.GRAVE, "3 jobs DOOMED", Lead(Tab.WAITING, "state:doomed")),
    Concern("wal", Level.NOTE, "the WAL has grown", Lead(advice="Nothing reads now.")),
)


NAMES = ("pipeline.images.resize", 'odd."name" with', DELETED)


def tally_of(number: int = 10, run_s: float = 1.0) -> Tally:
    """What became of some attempts, by hand."""
    tally = Tally()
    for _ in range(number):
        tally.add(End.DONE, run_s, 2.0)
    return tally


def overview_of(**values: Any) -> Overview:
    """How things stand, by hand."""
    base = Overview(
        taken_at=NOW,
        counts=Counts(ready=855),
        ready={NAMES[0]: Ready(855, NOW - timedelta(seconds=150))},
        running={NAMES[0]: 1},
        ready_only=True,
        concerns=CONCERNS,
    )
    return replace(base, **values)


def account_of(
    window: TimeWindow, days: int = 1, *, names: tuple[str, ...] = NAMES, **values: Any
) -> Account:
    """What happened in a window, by hand: the busiest first."""
    now = values.pop("now", NOW.timestamp())
    edges = window.edges(now)
    last = len(edges) - 3
    functions = {name: tally_of(10 - at) for at, name in enumerate(names)}
    base = Account(
        window=window,
        days=days,
        edges=edges,
        now=now,
        bars=tuple(
            Bar(start, end, 6 if at == last else 0, 0, 1.0, 4.0, 855)
            for at, (start, end) in enumerate(pairwise(edges))
        ),
        total=tally_of(27),
        functions=functions,
        before={},
        longest=names[0],
        pace=-11.0,
        oldest=now - 30 * 86_400,
    )
    return replace(base, **values)


def steps(answer: Callable[[Any], Account]) -> Callable[[Any], Any]:
    """What answers the steps of a reading at once; of what ran at one time, nothing is known."""

    def step(work: Any) -> Any:
        if not hasattr(work, "window"):
            return SoFar(Moment(work.start, work.end), 1, 1)
        return SoFar(answer(work), 1, 1)

    return step


@pytest.fixture
def app() -> ConsoleApp:
    app = make_app()
    feed_of(app).answers["overview"] = lambda _: overview_of()
    feed_of(app).answers["step"] = steps(lambda work: account_of(work.window, work.days))
    return app


def screen_of(app: ConsoleApp) -> OverviewScreen:
    assert isinstance(app.screen, OverviewScreen)
    return app.screen


async def opened(pilot: Pilot[None]) -> OverviewScreen:
    await give(pilot, [row(1)])
    await pilot.press("o")
    await settle(pilot)
    return screen_of(pilot.app)  # type: ignore[arg-type]


def pass_time(app: ConsoleApp, seconds: float) -> None:
    assert isinstance(app.services.settings.clock, FrozenClock)
    app.services.settings.clock.advance(seconds)


def asked(app: ConsoleApp) -> list[TimeWindow]:
    """The windows that were read, a step each."""
    works = [subject for kind, subject in feed_of(app).asked if kind == "step"]
    return [work.window for work in works if hasattr(work, "window")]


@pytest.mark.parametrize("size", [(120, 32), (100, 28), (100, 20), (80, 24), (80, 40), (60, 15)])
async def test_o_shows_the_overview_at_every_size(size: tuple[int, int], app: ConsoleApp) -> None:
    async with running(app, size=size) as pilot:
        await opened(pilot)
        text = screen_text(app)
        assert "last 60 min" in text
        assert "BY FUNCTION" in text
        assert "855" in text
        assert "[day before]" in text
        assert "3 need attention" not in text
        assert "2 need attention" in text
        await pilot.press("escape")
        await settle(pilot)
        assert app.screen is jobs_screen(app)


async def test_the_backlog_says_when_it_is_done_and_with_more_slots(app: ConsoleApp) -> None:
    ahead = Ahead(NOW, Spread(60, 65, 70), Spread(30, 33, 36), 8)
    feed_of(app).answers["overview"] = lambda _: overview_of(ahead=ahead)
    async with running(app, size=(120, 32)) as pilot:
        await opened(pilot)
        assert "855, empty in about 1m05s, with 8 slots 35s" in screen_text(app)


async def test_o_leads_here_from_the_workers_too(app: ConsoleApp) -> None:
    async with running(app) as pilot:
        await give(pilot, [row(1)])
        await pilot.press("w", "o")
        await settle(pilot)
        screen_of(app)
        await pilot.press("q")
        await settle(pilot)
        assert isinstance(app.screen, WorkersScreen)


async def test_each_number_is_a_window(app: ConsoleApp) -> None:
    async with running(app) as pilot:
        screen = await opened(pilot)
        for key, length_s in zip("123456", CHOICES_S, strict=True):
            await pilot.press(key)
            await settle(pilot)
            assert screen.window.lens.length_s == length_s
            assert screen.account is not None
            assert screen.account.window.live
            assert screen.account.end - screen.account.start >= length_s
        assert len(asked(app)) == 7
        assert "last 24 h" in screen_text(app)


async def test_enter_shows_the_jobs_of_the_function(app: ConsoleApp) -> None:
    async with running(app) as pilot:
        await opened(pilot)
        await pilot.press("j", "j", "enter")
        await settle(pilot)
        assert app.screen is jobs_screen(app)
        view = feed_of(app).views[-1]
        assert view.tab is Tab.ALL
        assert view.filter.text.startswith(r'fn="odd.\"name\" with" ran:')
        assert next(view.filter.terms()).text == 'odd."name" with'


async def test_what_has_no_jobs_any_more_is_said(app: ConsoleApp) -> None:
    async with running(app) as pilot:
        screen = await opened(pilot)
        await pilot.press("G", "enter")
        await settle(pilot)
        assert app.screen is screen
        assert "no list for deleted jobs" in screen.notice_line.text


async def test_a_goes_into_the_list_and_enter_follows(app: ConsoleApp) -> None:
    async with running(app) as pilot:
        screen = await opened(pilot)
        await pilot.press("a", "G", "enter")
        await settle(pilot)
        assert screen.notice_line.text == "Nothing reads now."
        assert screen.functions.cursor == 0
        await pilot.press("escape", "j")
        await settle(pilot)
        assert app.screen is screen
        assert screen.functions.cursor == 1
        await pilot.press("a", "g", "enter")
        await settle(pilot)
        assert isinstance(app.screen, WorkersScreen)
        await pilot.press("escape", "j", "enter")
        await settle(pilot)
        view = feed_of(app).views[-1]
        assert (view.tab, view.filter.text) == (Tab.WAITING, "state:doomed")
        assert app.screen is jobs_screen(app)


async def test_a_without_anything_to_look_at_says_so(app: ConsoleApp) -> None:
    feed_of(app).answers["overview"] = lambda _: overview_of(concerns=())
    async with running(app, size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press("a")
        assert not screen.attending
        assert screen.notice_line.text == "Nothing needs attention."


async def test_a_window_is_read_in_steps_and_says_how_much_is_read(app: ConsoleApp) -> None:
    left = [1, 2, 3, 4]
    seen: list[str] = []

    def step(work: Any) -> Any:
        if feed_of(app).asked:
            seen.append(screen_text(app))
        return SoFar(account_of(work.window), left.pop(0), 4)

    feed_of(app).answers["step"] = step
    async with running(app, size=(80, 24)) as pilot:
        await opened(pilot)
        assert not left
        assert any("reading.. 50%" in text for text in seen)
        assert "reading" not in screen_text(app)


async def test_news_is_asked_for_and_a_held_picture_stays(app: ConsoleApp) -> None:
    async with running(app) as pilot:
        screen = await opened(pilot)
        await give(pilot, [row(1), row(2)])
        assert len(asked(app)) == 1  # too soon
        pass_time(app, 1.0)
        screen._keep_up()
        await settle(pilot)
        assert len(asked(app)) == 2
        pass_time(app, 1.0)
        screen._keep_up()
        assert len(asked(app)) == 2  # nothing has come since
        await pilot.press("p")
        await give(pilot, [row(1)])
        pass_time(app, 1.0)
        screen._keep_up()
        assert len(asked(app)) == 2
        assert "paused" in screen_text(app)
        await pilot.press("3")  # another window is shown all the same
        await settle(pilot)
        assert len(asked(app)) == 3
        pass_time(app, 1.0)
        await pilot.press("p")
        await settle(pilot)
        screen._keep_up()
        await settle(pilot)
        assert len(asked(app)) == 4


async def test_what_ran_in_a_bar_that_is_over_is_read_once(app: ConsoleApp) -> None:
    def moments() -> int:
        works = [subject for kind, subject in feed_of(app).asked if kind == "step"]
        return sum(not hasattr(work, "window") for work in works)

    async with running(app) as pilot:
        screen = await opened(pilot)
        await pilot.press("left")
        await settle(pilot)
        assert moments() == 1
        for expected in (2, 3):  # the bar that goes on
            pass_time(app, 1.0)
            await give(pilot, [row(expected)])
            screen._keep_up()
            await settle(pilot)
            assert moments() == expected
        await pilot.press("left", "left")
        await settle(pilot)
        known = moments()
        for number in range(3):
            pass_time(app, 1.0)
            await give(pilot, [row(number)])
            screen._keep_up()
            await settle(pilot)
        assert moments() == known


async def test_the_same_overview_paints_nothing(app: ConsoleApp) -> None:
    painted: list[object] = []
    async with running(app) as pilot:
        screen = await opened(pilot)
        for widget in screen.query("TextLines, PickList"):
            refresh: Callable[..., Any] = widget.refresh

            def counted(*regions: Any, _refresh: Any = refresh, **values: Any) -> Any:
                painted.append(regions)
                return _refresh(*regions, **values)

            widget.refresh = counted  # type: ignore[method-assign]
        for _ in range(3):
            pass_time(app, 1.0)
            await give(pilot, [row(1)])
        assert len(asked(app)) == 4
        assert painted == []


async def test_a_chart_moves_on_when_a_bar_has_passed(app: ConsoleApp) -> None:
    async with running(app, size=(80, 24)) as pilot:
        screen = await opened(pilot)
        screen._keep_up()
        assert len(asked(app)) == 1
        account = screen.account
        assert account is not None
        pass_time(app, account.edges[1] - account.edges[0])
        screen._keep_up()
        await settle(pilot)
        assert len(asked(app)) == 2


async def test_the_queue_can_be_paused_from_here(app: ConsoleApp) -> None:
    async with running(app) as pilot:
        await opened(pilot)
        await pilot.press("P")
        await settle(pilot)
        calls = acts_of(app).calls
        if not calls:  # a question comes first
            await pilot.press("y")
            await settle(pilot)
        assert acts_of(app).calls == [("paused", True)]


async def test_what_a_file_says_stays_text_here(app: ConsoleApp) -> None:
    evil = "[b]x\x1b[31m\u202e"
    feed_of(app).answers["step"] = steps(lambda work: account_of(work.window, names=(evil,)))
    async with running(app) as pilot:
        await opened(pilot)
        text = screen_text(app)
    assert "[b]x" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


async def test_what_was_not_counted_whole_says_so(app: ConsoleApp) -> None:
    feed_of(app).answers["overview"] = lambda _: overview_of(ready={"f": Ready(400, None)})
    async with running(app) as pilot:
        await opened(pilot)
        assert "400+" in screen_text(app)


async def test_a_gigq_file_tells_what_waits(app: ConsoleApp) -> None:
    feed_of(app).answers["overview"] = lambda _: overview_of(ready_only=False)
    async with running(app) as pilot:
        await opened(pilot)
        assert "WAITING  RUN" in screen_text(app)


async def test_an_error_leaves_what_was_seen(app: ConsoleApp) -> None:
    async with running(app, size=(80, 24)) as pilot:
        screen = await opened(pilot)
        before = screen.overview
        feed_of(app).answers["overview"] = lambda _: OSError("no")
        pass_time(app, 1.0)
        await give(pilot, [row(1)])
        assert screen.overview is before
        app.services.reads.hand_trouble("database is locked", NOW)
        await settle(pilot)
        assert "stale" in screen_text(app)


# --- the header -------------------------------------------------------------------------------


def header(width: int = 120, height: int = 32, **values: Any) -> list[str]:
    state = HeaderState(Path("/srv/queues/jobs.db"), **values)
    return ["".join(text for text, _ in each) for each in header_lines(state, width, height)]


FIGURES = Figures(Trend.UP, 0.031, 0.8, 4.2, Ahead(NOW, Spread(60, 65, 70)))


def test_the_second_line_says_how_the_work_goes() -> None:
    snapshot = snapshot_of(
        [row(n, status="completed") for n in range(3)], finished_per_s=12.4, figures=FIGURES
    )
    second = header(snapshot=snapshot)[1]
    for words in (
        "done 3",
        "12.4/s, speeding up",
        "last 5 min: 3.1% failed",
        "p50 0.8s",
        "p95 4.2s",
        "eta about 1m05s",
    ):
        assert words in second
    nothing = header(snapshot=replace(snapshot, finished_per_s=None, figures=Figures()))[1]
    for word in ("/s", "fail", "p50", "eta"):
        assert word not in nothing
    whole = header(snapshot=replace(snapshot, figures=replace(FIGURES, failed_share=1.0)))[1]
    assert "last 5 min: 100% failed" in whole


def test_the_last_five_minutes_are_those_of_work_where_nothing_ended_since() -> None:
    for ago_s, told in ((0, "last 5 min: 3.1%"), (299, "last 5 min: 3.1%"), (301, "of work: 3.1%")):
        figures = replace(FIGURES, worked_until=NOW - timedelta(seconds=ago_s))
        snapshot = snapshot_of([row(1, status="completed")], figures=figures, taken_at=NOW)
        assert told in header(snapshot=snapshot)[1]


def test_where_there_is_little_room_the_percentiles_go_first() -> None:
    snapshot = snapshot_of(
        [row(1)], finished_per_s=12.4, figures=FIGURES, counts=Counts(completed=1_000_000_000)
    )
    (_, second) = header(100, 28, snapshot=snapshot)
    assert len(second) <= 100
    assert "eta about 1m05s" in second
    assert "READ-WRITE" in second


FILE = FileInfo("jobs.db", True, "wal", 4096, 0, "3.45.0")


def test_a_large_wal_is_told() -> None:
    info = FileInfo("jobs.db", True, "wal", 4096, LARGE_WAL_BYTES + 1, "3.45.0")
    assert "WAL 64M" in header(snapshot=snapshot_of([], info=info))[0]
    assert "WAL" not in header(snapshot=snapshot_of([]))[0]


@pytest.mark.parametrize(("width", "height"), [(120, 32), (100, 24), (80, 24), (60, 20)])
@pytest.mark.parametrize("crumbs", [(), ("Overview",)])
@pytest.mark.parametrize(
    ("obstacles", "words"),
    [
        (Obstacles(writer=4321), "WRITE LOCK: pid 4321"),
        (Obstacles(disk_full=True), "DISK FULL"),
        (Obstacles(reader=99), "WAL 64M: pid 99 reads"),
    ],
)
def test_what_keeps_everybody_from_writing_is_told_at_every_width(
    width: int, height: int, crumbs: tuple[str, ...], obstacles: Obstacles, words: str
) -> None:
    info = replace(FILE, wal_size=LARGE_WAL_BYTES + 1, obstacles=obstacles)
    lines = header(width, height, snapshot=snapshot_of([], info=info), crumbs=crumbs)
    assert words in "\n".join(lines)
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize(("width", "height"), [(120, 32), (100, 24), (80, 24), (60, 20)])
@pytest.mark.parametrize("crumbs", [(), ("Overview",)])
@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_may_not_be_written_is_told_at_every_width(
    width: int, height: int, crumbs: tuple[str, ...], read_only: bool
) -> None:
    snapshot = snapshot_of([], info=replace(FILE, still=True))
    lines = header(width, height, snapshot=snapshot, crumbs=crumbs, read_only=read_only)
    assert "NO WRITE ACCESS" in "\n".join(lines)


@pytest.mark.parametrize(("width", "height"), [(120, 32), (100, 24), (80, 24), (60, 20)])
@pytest.mark.parametrize("crumbs", [(), ("Overview",)])
def test_different_utc_offsets_are_told_at_every_width(
    width: int, height: int, crumbs: tuple[str, ...]
) -> None:
    info = replace(FILE, offsets="the workers' clocks have different UTC offsets: ..")
    lines = header(width, height, snapshot=snapshot_of([], info=info), crumbs=crumbs)
    assert "UTC OFFSETS DIFFER" in "\n".join(lines)


@pytest.mark.parametrize(("width", "height"), [(120, 32), (100, 24), (80, 24), (60, 20)])
@pytest.mark.parametrize("crumbs", [(), ("Overview",)])
def test_a_worker_of_the_release_before_is_told_at_every_width(
    width: int, height: int, crumbs: tuple[str, ...]
) -> None:
    old = replace(IDLE, id="w2", is_before=True)
    workers = [BUSY, old, replace(old, id="w3", health=Health.LOST)]
    snapshot = snapshot_of([], workers=tuple(workers))
    said = "\n".join(header(width, height, snapshot=snapshot, crumbs=crumbs))
    whole = "worker w2 is of the previous release: it ignores the rates of lanes"
    assert (whole if (width, height, crumbs) == (120, 32, ()) else "OLD WORKER") in said
    snapshot = snapshot_of([], workers=tuple(workers[:1]))
    said = "\n".join(header(width, height, snapshot=snapshot, crumbs=crumbs))
    assert "previous release" not in said
    assert "OLD WORKER" not in said


def test_freshness_is_told_in_classes() -> None:
    snapshot = snapshot_of([])
    assert header(snapshot=snapshot)[0].endswith("live 1s ")
    assert header(snapshot=snapshot, held=True, age="5m")[0].endswith("paused 5m (p) ")


async def test_a_held_picture_says_how_old_it_is(console: Console) -> None:
    clock = FrozenClock(NOW)
    async with console(clock=clock, size=(80, 24)) as (app, pilot):
        await give(pilot, [row(1)])
        await pilot.press("p")
        clock.advance(301)
        app._tell_age()
        await settle(pilot)
        assert "paused 5m (p)" in screen_text(app)
        app.services.reads.hand_snapshot(snapshot_of([row(1)], taken_at=clock.now()))
        await settle(pilot)
        assert "paused 5m (p)" in screen_text(app)
        await pilot.press("p")
        await settle(pilot)
        assert "live 1s" in screen_text(app)


async def test_the_overview_is_no_key_of_a_job(app: ConsoleApp) -> None:
    async with running(app, size=(80, 24)) as pilot:
        await give(pilot, [row(1)])
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("o")
        await settle(pilot)
        assert isinstance(app.screen, JobScreen)


def test_the_workers_are_told_as_their_screen_tells_them() -> None:
    ending = replace(BUSY, request="drain")
    paused = replace(IDLE, state="paused")
    far = replace(IDLE, health=Health.UNKNOWN, slots=3)
    snapshot = snapshot_of([row(1)], workers=(ending, paused, far))
    first, second = header(120, 32, snapshot=snapshot)
    assert " Workers 2 (1 paused, 1 draining)  1 not visible" in second
    # Jobs run in the slots of those out of sight, too.
    assert "RUN 0/6" in first
    only_far = snapshot_of([row(1)], workers=(far,))
    assert "No workers running" not in header(120, 32, snapshot=only_far)[1]


def test_what_stands_still_is_said_on_every_screen() -> None:
    snapshot = snapshot_of([row(1)], paused=True)
    crumbs = ("Job", "77ab01ce a name that is much longer than the line has room for")
    (line,) = header(60, 15, snapshot=snapshot, read_only=True, crumbs=crumbs)
    assert "..  QUEUE PAUSED  READ-ONLY" in line
    assert line.rstrip().endswith("live 1s")


def test_what_is_wrong_outlasts_what_goes_well_in_a_narrow_header() -> None:
    counts = Counts(ready=812, blocked=40, running=1, failed=47, timeout=2, doomed=24)
    snapshot = snapshot_of([row(1)], counts=counts, paused=True, finished_per_s=12.4)
    (line,) = header(60, 15, snapshot=snapshot)
    assert " jobs.db RW  QUEUE PAUSED  RUN 1  FAIL 47  T/O 2" in line
    (line,) = header(60, 15, snapshot=replace(snapshot, paused=False))
    assert " jobs.db RW  RUN 1  FAIL 47  T/O 2  DOOM 24" in line
    (line,) = header(80, 24, snapshot=replace(snapshot, paused=False))
    assert "rdy 812  blk 40  RUN 1  FAIL 47  T/O 2  DOOM 24  12.4/s" in line
