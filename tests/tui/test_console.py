"""The console as a whole: its registry, its header, its workers, and how it is left."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from textual import events

from gigq_core import JobQueue
from gigq_tui.actions.workers.pool import Ended, SpawnedWorker
from gigq_tui.actions.workers.setup import WorkerSetup
from gigq_tui.app import ConsoleApp
from gigq_tui.keys import ACTIONS, Scope, actions_for, bindings_for
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.count.screen import CountScreen
from gigq_tui.screens.groups.screen import GroupsScreen
from gigq_tui.screens.help import HelpScreen
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.screens.lanes.screen import LanesScreen
from gigq_tui.screens.overview.screen import OverviewScreen
from gigq_tui.screens.schedules.screen import SchedulesScreen
from gigq_tui.screens.submit.screen import SubmitScreen
from gigq_tui.screens.tree.screen import TreeScreen
from gigq_tui.screens.workers.screen import WorkersScreen
from gigq_tui.services import Services
from gigq_tui.store.clock import FrozenClock
from tests.scene import NOW
from tests.tui.harness import (
    Console,
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
    until,
)

ROWS = [row(2), row(1, status="running")]


class FakePool:
    """Workers that are no processes."""

    def __init__(self, *ids: str) -> None:
        self.running = [SpawnedWorker(name, 100 + n, Path("x.log")) for n, name in enumerate(ids)]
        self.calls: list[str] = []
        self.ended: list[Ended] = []
        self.setup = WorkerSetup(sys.executable, Path("/srv"))
        self.started = set(ids)

    def alive(self) -> tuple[SpawnedWorker, ...]:
        return tuple(self.running)

    def reap(self) -> tuple[Ended, ...]:
        ended, self.ended = tuple(self.ended), []
        return ended

    def spawn(self) -> SpawnedWorker:
        self.running.append(SpawnedWorker(f"w{len(self.running) + 1}", 4321, Path("x.log")))
        self.calls.append("spawn")
        return self.running[-1]

    def staying(self) -> tuple[SpawnedWorker, ...]:
        return self.alive()

    def drain_some(self, count: int, *, busy_too: bool) -> tuple[list[str], list[str]]:
        self.calls.append("drain_some")
        return [worker.worker_id for worker in self.running[-count:]], []

    def stop_all(self) -> None:
        self.calls.append("stop_all")

    def leave_running(self) -> None:
        self.calls.append("leave_running")

    def end_all(self) -> None:
        self.calls.append("end_all")
        self.running.clear()


def with_pool(app: ConsoleApp, *ids: str) -> FakePool:
    pool = FakePool(*ids)
    app.services.workers.pool = pool
    return pool


def test_no_scope_binds_a_key_twice() -> None:
    for scope in Scope:
        keys = [key for action in actions_for(scope) for key in action.keys]
        assert len(keys) == len(set(keys)), scope


def test_ids_are_unique_and_on_every_binding() -> None:
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    for scope in Scope:
        assert all(getattr(binding, "id", None) for binding in bindings_for(scope))


def test_awkward_and_reserved_keys_stay_free() -> None:
    awkward = {"ctrl+a", "ctrl+b", "ctrl+s", "ctrl+q", "ctrl+space", "ctrl+backslash"}
    awkward |= {"ctrl+at", "backspace", "delete"} | {f"f{number}" for number in range(1, 25)}
    for action in ACTIONS:
        assert not awkward & set(action.keys)


MAKE: dict[Scope, Callable[[Services], ConsoleScreen]] = {
    Scope.JOBS: JobsScreen,
    Scope.DETAIL: lambda services: JobScreen(services, "a"),
    Scope.TREE: lambda services: TreeScreen(services, "a"),
    Scope.WORKERS: WorkersScreen,
    Scope.OVERVIEW: OverviewScreen,
    Scope.GROUPS: GroupsScreen,
    Scope.COUNT: CountScreen,
    Scope.LANES: LanesScreen,
    Scope.SCHEDULES: SchedulesScreen,
    Scope.SUBMIT: SubmitScreen,
    Scope.HELP: lambda services: HelpScreen(services, Scope.JOBS),
}


@pytest.mark.parametrize("scope", Scope)
def test_every_action_has_one_handler(scope: Scope) -> None:
    # Parts that do the same action, and methods of one class that do, are a TypeError.
    app = make_app()
    done = {**app.handlers, **MAKE[scope](app.services).handlers}
    assert [action.id for action in actions_for(scope) if action.id not in done] == []


async def test_textual_adds_no_keys_of_its_own(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        bound = set(app.active_bindings)
        assert not bound & {"ctrl+q", "f1", "ctrl+a"}
        assert "ctrl+c" in bound


async def test_help_lists_every_action_of_its_screen(console: Console) -> None:
    async with console(size=(120, 40)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "?")
        text = screen_text(app)
        for action in actions_for(Scope.JOBS):
            if action.id.startswith("tab_"):
                continue
            assert action.shown.split()[0].split("+")[-1] in text, action.id


@pytest.mark.parametrize("size", [(120, 32), (100, 24), (80, 24), (60, 15)])
async def test_the_header_tells_trouble_and_recovers(
    console: Console, size: tuple[int, int]
) -> None:
    clock = FrozenClock(NOW)
    async with console(clock=clock, size=size) as (app, pilot):
        await give(pilot, ROWS)
        assert "live" in screen_text(app)
        app.services.reads.hand_trouble("database is locked", NOW - timedelta(seconds=12))
        await settle(pilot)
        assert "stale 12s: database" in screen_text(app)
        assert jobs_screen(app).table.total == len(ROWS)
        await give(pilot, ROWS)
        assert "live" in screen_text(app)


async def test_snapshots_that_nobody_takes_do_not_pile_up(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        sent: list[object] = []
        post = app.post_message
        monkeypatch.setattr(app, "post_message", lambda m: (sent.append(m), post(m))[1])

        def flood() -> None:
            for _ in range(50):
                app.services.reads.hand_snapshot(snapshot_of(ROWS))
            app.services.reads.hand_trouble("database is locked", NOW)
            for number in range(50):
                app.services.reads.hand_snapshot(snapshot_of(ROWS[: number % 2 + 1]))

        # The app's own thread waits for it, as for an editor.
        feeding = Thread(target=flood)
        feeding.start()
        feeding.join()
        assert len(sent) == 3
        await settle(pilot)
        assert "live" in screen_text(app)
        assert jobs_screen(app).table.total == 2
        app.services.reads.hand_snapshot(snapshot_of(ROWS))
        await settle(pilot)
        assert jobs_screen(app).table.total == len(ROWS)


async def test_q_quits_at_once_without_workers() -> None:
    app = make_app()
    with_pool(app)
    async with running(app) as pilot:
        await give(pilot, ROWS)
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running or app._exit


@pytest.mark.parametrize(
    ("keys", "calls", "left"),
    [
        (("s",), [], False),
        (("escape",), [], False),
        (("enter",), [], False),
        (("l",), ["leave_running"], True),
        (("f",), ["stop_all", "leave_running"], True),
        (("e",), ["end_all"], True),
        (("right", "enter"), ["leave_running"], True),
    ],
)
async def test_q_asks_what_becomes_of_workers(
    keys: tuple[str, ...], calls: list[str], left: bool
) -> None:
    app = make_app()
    pool = with_pool(app, "w1", "w2")
    async with running(app, size=(80, 24)) as pilot:
        await give(pilot, ROWS)
        await press(pilot, "q")
        assert "2 workers" in jobs_screen(app).panel.plain
        await pilot.press(*keys)
        await pilot.pause()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert pool.calls == calls
        assert bool(app._exit) is left


async def test_ctrl_c_quits_at_the_second_press() -> None:
    app = make_app()
    with_pool(app)
    async with running(app) as pilot:
        await give(pilot, ROWS)
        await press(pilot, "ctrl+c")
        assert "again" in jobs_screen(app).notice_line.text
        assert not app._exit
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert app._exit


async def test_ctrl_c_twice_far_apart_does_not_quit() -> None:
    clock = FrozenClock(NOW)
    app = make_app(clock=clock)
    with_pool(app)
    async with running(app) as pilot:
        await give(pilot, ROWS)
        await press(pilot, "ctrl+c")
        clock.advance(10)
        await press(pilot, "ctrl+c")
        assert not app._exit


async def test_a_demo_ends_its_workers_without_asking() -> None:
    demo: Any = SimpleNamespace(workers=2, folder=Path("/tmp/x"))
    app = make_app(demo=demo)
    pool = with_pool(app)
    async with running(app) as pilot:
        await give(pilot, ROWS)
        assert pool.calls == ["spawn", "spawn"]
        await pilot.press("q")
        await pilot.pause()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert pool.calls[-1] == "end_all"
        assert app._exit


async def test_plus_and_minus_work_from_anywhere() -> None:
    app = make_app()
    pool = with_pool(app)
    feed_of(app).answers["detail"] = lambda _id: detail_of(ROWS[0])
    async with running(app) as pilot:
        await give(pilot, ROWS)
        await press(pilot, "-")
        assert "has no running worker" in jobs_screen(app).notice_line.text
        await press(pilot, "+")
        assert "started worker w1 (pid 4321)" in jobs_screen(app).notice_line.text
        await press(pilot, "enter", "+")
        assert isinstance(app.screen, JobScreen)
        assert "started worker w2" in app.screen.notice_line.text
        await press(pilot, "-")
        assert "draining w2" in app.screen.notice_line.text
        assert pool.calls == ["spawn", "spawn", "drain_some"]


async def test_a_worker_that_dies_is_told_with_its_last_words() -> None:
    app = make_app()
    pool = with_pool(app, "w1")
    async with running(app) as pilot:
        await give(pilot, ROWS)
        pool.ended.append(Ended("w1", 3, "no such interpreter"))
        app._tick()
        await settle(pilot)
        notice = jobs_screen(app).notice_line
        assert notice.text == "worker w1 ended with exit code 3: no such interpreter"
        assert notice.tone == "error"


async def test_a_notice_goes_with_the_next_key(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        app.services.notices.tell("something happened")
        await press(pilot, "j")
        assert jobs_screen(app).notice_line.text == ""


async def test_a_question_takes_every_key(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "c", "j", "4", "?", "G")
        screen = jobs_screen(app)
        assert screen.panel.is_open
        assert screen.table.cursor == 0
        assert app.screen is screen
        await press(pilot, "escape")
        assert not screen.panel.is_open
        assert "Cancel 1 job" not in screen_text(app)


async def test_a_question_can_be_clicked(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "c")
        lines = screen_text(app).splitlines()
        y = next(at for at, line in enumerate(lines) if "[ No (n) ]" in line)
        await pilot.click(offset=(lines[y].index("No"), y))
        await settle(pilot)
        assert not jobs_screen(app).panel.is_open


async def test_a_key_of_the_bar_can_be_clicked(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        bar = screen_text(app).splitlines()[-1]
        await pilot.click("#keys", offset=(bar.index("? help"), 0))
        await settle(pilot)
        assert isinstance(app.screen, HelpScreen)


async def test_rows_can_be_clicked_and_opened() -> None:
    app = make_app()
    feed_of(app).answers["detail"] = lambda _id: detail_of(ROWS[1])
    async with running(app) as pilot:
        await give(pilot, ROWS)
        await pilot.click("#table", offset=(10, 1))
        await settle(pilot)
        assert jobs_screen(app).table.cursor == 1
        await pilot.click("#table", offset=(10, 1), times=2)
        await settle(pilot)
        assert isinstance(app.screen, JobScreen)


async def test_the_wheel_and_the_bar_scroll(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await give(pilot, [row(number) for number in range(100, 0, -1)])
        table = jobs_screen(app).table
        table.on_mouse_scroll_down(SimpleNamespace(stop=lambda: None))  # type: ignore[arg-type]
        assert table.top == 3
        await pilot.mouse_down("#table", offset=(79, table.page - 1))
        await pilot.mouse_up("#table", offset=(79, table.page - 1))
        await settle(pilot)
        assert table.top == table.total - table.page


@pytest.mark.parametrize("theme", ["dark", "light", "ansi"])
async def test_every_theme_draws(console: Console, theme: str) -> None:
    async with console(theme=theme, size=(80, 24)) as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "c")
        assert "Cancel 1 job?" in screen_text(app)


async def test_resizing_lays_out_anew(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        assert "WORKER" in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "WORKER" not in screen_text(app), "no layout for 80 cells")
        assert max(len(line) for line in screen_text(app).splitlines()) <= 80


async def test_stale_says_what_and_for_how_long_whatever_the_hour_does(console: Console) -> None:
    clock = FrozenClock(NOW)
    async with console(clock=clock, path=Path("/srv/queues/etl/of/the/night/jobs.db")) as (
        app,
        pilot,
    ):
        await give(pilot, ROWS)
        text = f"{app.services.settings.path} is locked by another process: try again."
        app.services.reads.hand_trouble(text, NOW)
        await settle(pilot)
        assert "stale 0s: the file is locked by another process" in screen_text(app)
        for hours in (1, -2):
            clock.step(timedelta(hours=hours))
            clock.advance(3)
            app._tick()
            await settle(pilot)
        assert "stale 6s: the file is locked" in screen_text(app)
        await give(pilot, ROWS)
        assert "live" in screen_text(app)
        assert "stale" not in screen_text(app)


async def test_foreign_and_lost_workers_are_counted(console: Console) -> None:
    snapshot = snapshot_of(ROWS)
    async with console() as (app, pilot):
        await give(pilot, ROWS, counts=replace(snapshot.counts, running=0))
        assert "No workers running. Press + to start one." in screen_text(app)


async def test_a_question_stays_in_sight_when_the_terminal_shrinks(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "c")
        for size in ((80, 24), (60, 15), (120, 40)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            await settle(pilot)
            assert "[ No (n) ]" in screen_text(app)
        await press(pilot, "n")
        assert "[ No (n) ]" not in screen_text(app)


async def test_keys_typed_right_behind_the_slash_go_to_the_filter(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        for key in ("slash", "n", "q", "c"):
            app.post_message(events.Key(key, "/" if key == "slash" else key))
        await settle(pilot)
        await settle(pilot)
        assert app.services.picture.view.filter.text == "nqc"
        assert app.screen is jobs_screen(app)


@pytest.mark.parametrize("name", ["jobs.db", "./jobs.db", "shop/../jobs.db"])
def test_copied_commands_name_the_file_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path)
    JobQueue("jobs.db").close()
    app = ConsoleApp(Path(name), python=sys.executable, chdir=tmp_path, feed=False)
    monkeypatch.chdir(tmp_path.parent)
    report = app.services.actions.jobs.set_queue_paused(True)
    assert report.twin == f"gigq-core --db {tmp_path / 'jobs.db'} pause"


@pytest.mark.parametrize(("width", "is_whole"), [(200, True), (60, False)])
async def test_a_notice_says_of_what_was_copied_as_much_as_fits(
    console: Console, width: int, is_whole: bool
) -> None:
    long = "x" * 90
    async with console(size=(width, 24)) as (app, pilot):
        await give(pilot, ROWS)
        app.services.copying.copy_text(f"gigq-tui --filter {long}", "the view")
        await until(pilot, lambda: "the view" in screen_text(app), "the notice")
        text = screen_text(app)
        assert (long in text) == is_whole
