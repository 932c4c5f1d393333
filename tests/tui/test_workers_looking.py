"""Looking on the workers screen: sorting, filtering, the log, the machine, stacks, other hosts."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from gigq_core.reasons.why import Health
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.job.stack import Stack
from gigq_tui.screens.parts.list_order import STILL_S
from gigq_tui.screens.workers.log import WorkerLog
from gigq_tui.screens.workers.screen import WorkersScreen
from gigq_tui.screens.workers.usage import measurable
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.machine import Machine
from gigq_tui.store.models import Counts, WorkerRow
from gigq_tui.store.processes import Usage
from tests.scene import NOW
from tests.tui.harness import Console, give, press, row, screen_text, services_of, settle
from tests.tui.test_workers_screen import BUSY, FOREIGN, IDLE, JOB, LOST, OTHER, worker

MACHINE = Machine("etl-3", 16, 5.1, 38.0)


async def opened(pilot: Pilot[None], *rows: WorkerRow, **values: object) -> WorkersScreen:
    await give(pilot, [row(1)], workers=rows, **values)
    screen = WorkersScreen(services_of(pilot), measure_machine=lambda known: MACHINE)
    pilot.app.push_screen(screen)
    await settle(pilot)
    return screen


def ids(screen: WorkersScreen) -> list[str]:
    return [entry.id for entry in screen.entries.values() if not entry.further]


def log_of(folder: Path, text: str) -> WorkerRow:
    log = folder / "w1.log"
    log.write_text(text)
    return replace(IDLE, log_path=str(log))


async def test_what_the_list_is_sorted_by_is_chosen(console: Console) -> None:
    async with console() as (app, pilot):
        many = replace(worker("w10"), done=9_000)
        screen = await opened(pilot, many, BUSY, LOST)
        screen.usage.by_pid = {many.pid: Usage(1.0, 10), BUSY.pid: Usage(50.0, 5)}
        assert ids(screen) == ["w3", "w10", "w2"]
        seen = {}
        for key in "ncmdt":
            await press(pilot, "s", key)
            seen[screen.order.sort] = ids(screen)
            assert f"by {screen.order.sort}" in screen_text(app)
        assert seen == {
            "name": ["w2", "w3", "w10"],
            "cpu": ["w2", "w10", "w3"],
            "memory": ["w10", "w2", "w3"],
            "done": ["w10", "w3", "w2"],
            "time": ["w2", "w3", "w10"],
        }
        await press(pilot, "s", "escape")
        assert screen.order.sort == "time"
        await press(pilot, "s", "s")
        assert screen.order.sort == "state"


async def test_the_cursor_keeps_its_worker_and_rows_stand_still_under_it(console: Console) -> None:
    clock = FrozenClock(NOW)
    async with console(clock=clock) as (_, pilot):
        a, b = replace(IDLE, done=5), replace(worker("w2"), done=9)
        screen = await opened(pilot, a, b)
        await press(pilot, "s", "d", "j")
        assert screen.roster.cursor_id == "w1"
        await give(pilot, [row(1)], workers=(replace(a, done=50), b))
        assert ids(screen) == ["w2", "w1"]
        clock.advance(STILL_S)
        screen.poll()
        await settle(pilot)
        assert ids(screen) == ["w1", "w2"]
        assert screen.roster.cursor_id == "w1"


async def test_filtering_the_list(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await opened(pilot, IDLE, BUSY, LOST, foreign_workers=(FOREIGN,))
        await press(pilot, "slash", *"train")
        assert ids(screen) == ["w2"]
        assert "1 worker" in screen_text(app)
        await press(pilot, "enter")
        assert "/train 1 of 4" in screen_text(app)
        await press(pilot, "slash", *" cC")
        assert ids(screen) == []
        assert "No matches; esc clears the filter." in screen_text(app)
        await press(pilot, "escape")
        assert ids(screen) == ["w2"]
        assert "No matches" not in screen_text(app)
        assert not screen.panel.is_open
        await press(pilot, "escape")
        assert len(ids(screen)) == 4
        await press(pilot, "escape")
        assert app.screen is not screen


@pytest.mark.parametrize("size", [(80, 24), (60, 15)])
async def test_what_is_lost_is_told_whatever_else_stands_above_the_list(
    console: Console, size: tuple[int, int]
) -> None:
    async with console(size=size) as (app, pilot):
        more = [worker(f"v{n}", state="draining") for n in range(3)]
        await opened(pilot, IDLE, BUSY, LOST, *more, foreign_workers=(FOREIGN,))
        await press(pilot, "s", "n", "slash", *"w and many more words than there is room for")
        head = screen_text(app).splitlines()[1]
        assert " by name /w and many mor.. 0 of 7   1 LOST " in head
        assert ("5 workers alive" in head) == (size[0] == 80)
        # What there is no room for is left out, and never cut.
        assert ".." not in head.partition("LOST")[2]


async def test_who_was_asked_to_end_is_found_by_what_it_is_to_do(console: Console) -> None:
    async with console(size=(80, 24)) as (_, pilot):
        screen = await opened(pilot, IDLE, replace(BUSY, request="drain"))
        await press(pilot, "slash", *"stop")
        assert ids(screen) == ["w2"]


async def test_each_worker_without_a_log_is_named(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await opened(pilot, IDLE, BUSY)
        assert "w1 has no log file" in screen_text(app)
        await press(pilot, "j")
        assert "w2 has no log file" in screen_text(app)


async def test_a_narrow_terminal_names_the_job(console: Console) -> None:
    async with console(size=(60, 15)) as (app, pilot):
        await opened(pilot, BUSY)
        assert f"{JOB.name}  " in screen_text(app)


async def test_an_idle_worker_says_what_it_waits_for(console: Console) -> None:
    async with console() as (app, pilot):
        await opened(pilot, IDLE, counts=Counts(ready=812), paused=True)
        assert "the queue is paused" in screen_text(app)
        await give(pilot, [row(1)], workers=(IDLE,), counts=Counts(blocked=40))
        assert "nothing ready, 40 blocked" in screen_text(app)
        await give(pilot, [row(1)], workers=(replace(IDLE, state="paused"),))
        assert "paused: P resumes it" in screen_text(app)


@pytest.mark.parametrize("size", [(120, 32), (80, 24)])
async def test_a_worker_of_another_host(console: Console, size: tuple[int, int]) -> None:
    async with console(size=size) as (app, pilot):
        far = replace(IDLE, host="etl-9", health=Health.UNKNOWN)
        screen = await opened(pilot, far)
        screen.usage.by_pid = {far.pid: Usage(50.0, 5 * 1024 * 1024)}
        assert far.pid not in measurable(app.services.picture.shown)
        line = next(line for line in screen_text(app).splitlines() if "> w1" in line)
        assert "on etl-9" in line
        near = replace(far, host=socket.gethostname())
        await give(pilot, [row(1)], workers=(near,))
        assert f"on {near.host} " not in screen_text(app).partition("w1:")[0]


async def test_the_machine_is_told(console: Console) -> None:
    async with console() as (app, pilot):
        await opened(pilot, IDLE)
        assert "etl-3: 16 cores, load 5.1, 38% mem" in screen_text(app)


async def test_the_stack_of_the_job_of_the_line(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Stack] = []
    monkeypatch.setattr(Stack, "take", lambda self: taken.append(self))
    async with console() as (app, pilot):
        screen = await opened(pilot, IDLE, BUSY)
        await press(pilot, "S")
        assert app.screen is screen
        assert "no stack" in screen.notice_line.text
        await press(pilot, "j", "j", "S")
        assert isinstance(app.screen, JobScreen)
        assert (app.screen.job.id, app.screen.tabs.name) == (OTHER.id, "Stack")
        assert taken == [app.screen.stack]


async def test_enter_opens_what_stands_under_the_cursor_after_sorting(console: Console) -> None:
    async with console() as (app, pilot):
        await opened(pilot, IDLE, BUSY)
        await press(pilot, "s", "t", "g", "enter")
        assert isinstance(app.screen, JobScreen)
        assert app.screen.job.id == JOB.id


async def test_the_log_is_followed_or_not(console: Console, tmp_path: Path) -> None:
    row_with_log = log_of(tmp_path, "".join(f"line {n}\n" for n in range(100)))
    log = Path(row_with_log.log_path or "")
    async with console(size=(80, 24)) as (app, pilot):
        screen = await opened(pilot, row_with_log)
        assert "line 99" in screen_text(app)
        assert "follow on" in screen_text(app)
        await press(pilot, "f")
        with log.open("a") as more:
            more.write("line 100\n")
        screen.poll()
        await settle(pilot)
        assert "follow off" in screen_text(app)
        assert "line 100" not in screen_text(app)
        await press(pilot, "f")
        assert "line 100" in screen_text(app)


async def test_reading_the_log(console: Console, tmp_path: Path) -> None:
    text = "".join(f"2026-11-23 12:00:00,000 - x - ERROR - {'y' * 90} {n} end\n" for n in range(50))
    async with console(size=(80, 24)) as (app, pilot):
        screen = await opened(pilot, log_of(tmp_path, text))
        await press(pilot, "W")
        assert "Press l to expand the log" in screen.notice_line.text
        await press(pilot, "l")
        view = screen.text_view
        assert view.total == 100
        await press(pilot, "W", "right_parenthesis", "right_parenthesis", "left_parenthesis")
        assert view.total == 50
        assert view.left > 0
        await press(pilot, "slash", *" 17 ", "enter")
        assert "1 of 1" in screen_text(app)
        assert " 17 end" in screen_text(app)
        await press(pilot, "n", "N")
        assert view.match_at == 0
        await press(pilot, "escape")
        assert not view.wanted
        assert screen.worker_log.is_expanded
        await press(pilot, "escape")
        assert not screen.worker_log.is_expanded
        assert "12:00:00 ERROR" in screen_text(app)
        await press(pilot, "l")
        assert not view.wrap


async def test_going_up_in_a_large_log_reads_more(console: Console, tmp_path: Path) -> None:
    text = "".join(f"line {n}\n" for n in range(20_000))
    async with console(size=(80, 24)) as (app, pilot):
        screen = await opened(pilot, log_of(tmp_path, text))
        assert screen.text_view.lines[0] != "line 0"
        await press(pilot, "l", "g")
        await settle(pilot)
        assert screen.text_view.lines[0] == "line 0"
        assert "line 0 " in screen_text(app)


@pytest.mark.parametrize(
    ("key", "copied"), [("v", "line 1"), ("o", "line 0\nline 1"), ("i", "4101")]
)
async def test_copying_of_the_log(console: Console, tmp_path: Path, key: str, copied: str) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await opened(pilot, log_of(tmp_path, "line 0\nline 1\n"))
        await press(pilot, "l", "y", key)
        assert app.clipboard.endswith(copied)


async def test_a_held_picture_holds_the_log_too(console: Console, tmp_path: Path) -> None:
    row_with_log = log_of(tmp_path, "one\n")
    async with console(size=(80, 24)) as (_, pilot):
        screen = await opened(pilot, row_with_log)
        await press(pilot, "p")
        (tmp_path / "w1.log").write_text("one\ntwo\n")
        screen.poll()
        await settle(pilot)
        assert list(screen.text_view.lines) == ["one"]
        await press(pilot, "p")
        screen.poll()
        await settle(pilot)
        assert list(screen.text_view.lines) == ["one", "two"]


async def test_nothing_is_drawn_when_nothing_changed(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console(size=(80, 24)) as (_, pilot):
        screen = await opened(pilot, log_of(tmp_path, "one\n"))
        drawn: list[str] = []
        monkeypatch.setattr(WorkersScreen, "show_snapshot", lambda *_: drawn.append("list"))
        monkeypatch.setattr(WorkerLog, "draw", lambda *_: drawn.append("log"))
        for _ in range(4):
            screen.poll()
            await settle(pilot)
        assert drawn == []
