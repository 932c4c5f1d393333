"""Reading on the detail screen: attempts, output, finding, wrapping, following, secrets, stacks."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core.graph.blame import Culprit
from gigq_core.system.paths import attempt_output
from gigq_tui.actions.stack import StackTaken
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.job import stack
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.job.texts import path_line
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.screens.parts.row_finder import NOTHING_FOUND
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.models import Attempt, Graph, GraphNode, JobDetail, JobRow, Relative
from gigq_tui.widgets.text_view import TextView
from tests.scene import NOW
from tests.tui.harness import (
    Console,
    detail_of,
    feed_of,
    give,
    make_app,
    press,
    row,
    running,
    screen_text,
    settle,
)
from tests.tui.test_detail_keys import attempt

FAILED = row(2, "job_two", "failed", error="HTTP 500", attempts=2)
RUNNING = row(1, "job_one", "running")
SIZES = [(120, 32), (80, 24), (60, 15)]


def running_attempt(**values: Any) -> Attempt:
    base = attempt(1, status="running", completed_at=None, error="", traceback="")
    return replace(base, **values)


async def type_in(pilot: Pilot[None], text: str) -> None:
    await press(pilot, *("space" if char == " " else char for char in text))


async def opened(
    pilot: Pilot[None], detail: JobDetail, *others: JobDetail, rows: list[JobRow] | None = None
) -> JobScreen:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    known = {one.row.id: one for one in (detail, *others)}
    feed_of(app).answers["detail"] = known.get
    await give(pilot, rows or [detail.row])
    await press(pilot, "enter")
    assert isinstance(app.screen, JobScreen)
    return app.screen


def written(path: Path, text: str, execution_id: str = "exec-1") -> Path:
    file = attempt_output(path, execution_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def lines(count: int, first: int = 0) -> str:
    return "".join(f"line {number}\n" for number in range(first, first + count))


@pytest.mark.parametrize("size", SIZES)
async def test_the_last_attempt_is_looked_at_first(console: Console, size: tuple[int, int]) -> None:
    async with console(size=size) as (app, pilot):
        screen = await opened(pilot, detail_of(FAILED, attempts=(attempt(1), attempt(2))))
        assert screen.tabs.name == "Attempts"
        assert screen.page.rows.cursor_id == "exec-2"
        assert "error of attempt 2" in screen_text(app)


async def test_arrows_choose_the_attempt_and_pages_scroll_its_text(console: Console) -> None:
    async with console() as (_, pilot):
        long = attempt(2, traceback=lines(100))
        screen = await opened(pilot, detail_of(FAILED, attempts=(attempt(1), long)))
        view = screen.text_view
        await press(pilot, "pagedown")
        assert view.top == view.page
        assert screen.page.rows.cursor_id == "exec-2"
        await press(pilot, "up")
        assert screen.page.rows.cursor_id == "exec-1"
        assert view.top == 0
        assert "Traceback of 1" in view.plain
        await press(pilot, "down", "G")
        assert view.plain.splitlines()[-3].strip() == "line 99"
        assert view.top == view.total - view.page


async def test_with_one_attempt_the_arrows_scroll(console: Console) -> None:
    async with console(size=(80, 24)) as (_, pilot):
        screen = await opened(
            pilot, detail_of(FAILED, attempts=(attempt(1, traceback=lines(100)),))
        )
        await press(pilot, "j", "j", "k")
        assert screen.text_view.top == 1


async def test_a_choice_outlives_what_arrives(console: Console) -> None:
    async with console() as (app, pilot):
        detail = detail_of(FAILED, attempts=(attempt(1), attempt(2)))
        screen = await opened(pilot, detail)
        await press(pilot, "k")
        more = replace(detail, attempts=(attempt(1), attempt(2), attempt(3)))
        feed_of(app).answers["detail"] = lambda _id: more
        await give(pilot, [FAILED])
        assert screen.page.rows.cursor_id == "exec-1"
        assert "error of attempt 1" in screen.text_view.plain


async def test_output_is_followed_while_it_is_written(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    file = written(path, lines(100))
    async with console(path=path, size=(80, 24)) as (app, pilot):
        screen = await opened(pilot, detail_of(RUNNING, attempts=(running_attempt(),)))
        assert "line 99" in screen_text(app)
        assert "follow on" in screen_text(app)
        with file.open("a") as more:
            more.write(lines(10, 100))
        screen.tick()
        await settle(pilot)
        assert "line 109" in screen_text(app)
        await press(pilot, "g")
        assert "follow off" in screen_text(app)
        with file.open("a") as more:
            more.write(lines(10, 110))
        screen.tick()
        await settle(pilot)
        assert "line 119" not in screen_text(app)
        await press(pilot, "f")
        assert "line 119" in screen_text(app)
        await press(pilot, "f")
        assert not screen.text_view.follow


async def test_what_did_not_change_is_not_drawn(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.db"
    written(path, lines(100))
    clock = FrozenClock(NOW)
    async with console(path=path, clock=clock, size=(80, 24)) as (_, pilot):
        screen = await opened(pilot, detail_of(RUNNING, attempts=(running_attempt(),)))
        await press(pilot, "l")
        shown: list[object] = []
        monkeypatch.setattr(TextView, "show", lambda self, *_, **__: shown.append(self))
        for _ in range(3):
            clock.advance(1)
            screen.tick()
            await settle(pilot)
        await give(pilot, [RUNNING])
        assert shown == []


async def test_enter_enlarges_the_output_and_esc_comes_back(
    console: Console, tmp_path: Path
) -> None:
    path = tmp_path / "jobs.db"
    written(path, lines(10))
    async with console(path=path, size=(80, 24)) as (app, pilot):
        screen = await opened(pilot, detail_of(RUNNING, attempts=(running_attempt(),)))
        await press(pilot, "enter")
        assert screen.tabs.name == "Output"
        assert "attempt 1, running, 70B" in screen_text(app)
        await press(pilot, "escape")
        assert screen.tabs.name == "Attempts"
        await press(pilot, "escape")
        assert isinstance(app.screen, JobsScreen)


async def test_going_up_reads_what_stands_before(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    written(path, lines(20_000))
    async with console(path=path, size=(80, 24)) as (app, pilot):
        screen = await opened(pilot, detail_of(RUNNING, attempts=(running_attempt(),)))
        await press(pilot, "l")
        view = screen.text_view
        assert view.lines[0] != "line 0"
        assert "(g reads on)" in screen_text(app)
        view.scroll_to_line(0)
        seen = view.visible_text()
        await press(pilot, "k")
        assert view.lines[0] == "line 0"
        assert view.visible_text() == seen
        await press(pilot, "g")
        assert view.top == 0
        assert "reads on" not in screen_text(app)


async def test_the_first_line_is_gone_to_once_it_is_read(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    written(path, lines(20_000))
    async with console(path=path, size=(80, 24)) as (app, pilot):
        await opened(pilot, detail_of(RUNNING, attempts=(running_attempt(),)))
        await press(pilot, "l", "g")
        await settle(pilot)
        assert "\n line 0 " in screen_text(app)


async def test_finding(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    written(path, lines(20_000))
    async with console(path=path, size=(80, 24)) as (app, pilot):
        screen = await opened(pilot, detail_of(RUNNING, attempts=(running_attempt(),)))
        await press(pilot, "l", "slash")
        await type_in(pilot, "LINE 777")
        assert screen.typed_line.typing
        assert "of 11" in screen_text(app)
        await press(pilot, "enter")
        view = screen.text_view
        assert "/LINE 777 1 of 11" in screen_text(app)
        seen = []
        for key in ("n", "n", "N"):
            await press(pilot, key)
            assert view.match_at is not None
            seen.append(view.lines[view.matches[view.match_at].line])
        assert seen == ["line 7770", "line 7771", "line 7770"]
        assert "line 7770" in screen_text(app)
        await press(pilot, "N", "N")
        assert "/LINE 777 11 of 11" in screen_text(app)
        await press(pilot, "escape")
        assert view.matches == []
        assert app.screen is screen


async def test_keys_that_are_typed_do_nothing_else(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        screen = await opened(pilot, detail_of(FAILED, attempts=(attempt(1),)))
        await pilot.press("slash", *"rcq", "ctrl+w", *"Trace", "x", "backspace", "enter")
        await settle(pilot)
        assert app.screen is screen
        assert not screen.panel.is_open
        assert screen.text_view.found_told == "1 of 2"
        await press(pilot, "slash", "ctrl+u", *"zz")
        assert "not found" in screen_text(app)
        await press(pilot, "escape")
        assert screen.text_view.wanted == "Trace"
        await press(pilot, "slash", *["backspace"] * 6)
        assert not screen.typed_line.typing
        await press(pilot, "escape")
        await press(pilot, "n")
        assert "No search yet" in screen.notice_line.text


async def test_long_lines_wrap_or_go_sideways(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    written(path, "begin " + "x" * 300 + " end\nshort\n")
    async with console(path=path, size=(80, 24)) as (app, pilot):
        screen = await opened(pilot, detail_of(RUNNING, attempts=(running_attempt(),)))
        await press(pilot, "l")
        view = screen.text_view
        assert view.total == 5
        await press(pilot, "right_parenthesis")
        assert "W unwraps them" in screen.notice_line.text
        await press(pilot, "W")
        assert view.total == 2
        assert " end" not in screen_text(app)
        assert "unwrapped" in screen_text(app)
        await press(pilot, *["right_parenthesis"] * 7)
        assert " end" in screen_text(app)
        assert "begin" not in screen_text(app)
        await press(pilot, *["left_parenthesis"] * 8)
        assert view.left == 0
        await press(pilot, "slash", *"end", "enter")
        assert " end" in screen_text(app)
        await press(pilot, "W")
        assert view.total == 5


async def test_the_tabs_by_number(console: Console) -> None:
    async with console(size=(80, 24)) as (_, pilot):
        screen = await opened(pilot, detail_of(FAILED, attempts=(attempt(1),)))
        seen = []
        for key in "1234567":
            await press(pilot, key)
            seen.append(screen.tabs.name)
        assert seen == ["Attempts", "Output", "Params", "Result", "Deps", "Stack", "Raw"]


@pytest.mark.parametrize("tab", ["3", "4", "7"])
async def test_secrets_are_shown_when_asked_for_and_never_copied(
    console: Console, tab: str
) -> None:
    async with console() as (app, pilot):
        detail = detail_of(
            FAILED,
            params={"src": "x", "api_key": "hunter2"},
            result={"token": "hunter2"},
            raw={"params": '{"api_key": "hunter2"}', "result": '{"token": "hunter2"}'},
        )
        screen = await opened(pilot, detail)
        await press(pilot, tab)
        assert "m shows secrets" in screen_text(app)
        assert "hunter2" not in screen_text(app)
        await press(pilot, "m")
        assert "hunter2" in screen_text(app)
        assert "m hides secrets" in screen_text(app)
        await press(pilot, "y", "p")
        assert '"api_key": "<api_key>"' in app.clipboard
        await press(pilot, "y", "r")
        assert '"token": "<token>"' in app.clipboard
        await press(pilot, "y")
        assert "what is visible" not in screen.panel.plain
        await press(pilot, "escape", "m", "y", "v")
        assert "hunter2" not in app.clipboard
        assert "hunter2" not in screen_text(app)
        screen.job.show(FAILED.id)
        assert not screen.secrets.revealed


@pytest.mark.parametrize(
    ("key", "copied"),
    [
        ("i", FAILED.id),
        ("n", "job_two"),
        ("e", "error of attempt 2"),
        ("t", "Traceback of 2\n  File x"),
        ("o", "hello red \ufffd[2J"),
        ("v", "attempt 2"),
        ("c", f"gigq-core --db PATH status {FAILED.id}"),
    ],
)
async def test_what_can_be_copied(console: Console, tmp_path: Path, key: str, copied: str) -> None:
    path = tmp_path / "jobs.db"
    file = written(path, "1%\rhello \x1b[31mred\x1b[m \x1b[2J\n", "exec-2")
    async with console(path=path) as (app, pilot):
        second = attempt(2, output_path=str(file))
        await opened(pilot, detail_of(FAILED, attempts=(attempt(1), second)))
        await press(pilot, "y", key)
        expected = copied.replace("PATH", str(path))
        assert expected in app.clipboard if key == "v" else app.clipboard == expected


async def test_of_a_large_output_as_much_as_goes_is_copied(
    console: Console, tmp_path: Path
) -> None:
    path = tmp_path / "jobs.db"
    file = written(path, lines(20_000))
    async with console(path=path) as (app, pilot):
        screen = await opened(pilot, detail_of(RUNNING, attempts=(running_attempt(),)))
        await press(pilot, "y", "o")
        assert lines(20_000).startswith(app.clipboard)
        assert 70_000 < len(app.clipboard) < 75_000
        assert f"all of it is in {file}" in screen.notice_line.text


async def test_the_culprit_is_one_key_away(console: Console) -> None:
    culprit = row(9, "root_cause", "failed", error="HTTP 500")
    doomed = row(
        1,
        doomed=True,
        blocked=True,
        culprit=Culprit(culprit.id, culprit.name, "failed", "HTTP 500"),
    )
    between = row(5, "between", doomed=True, blocked=True)
    async with console() as (app, pilot):
        detail = detail_of(doomed, parents=(Relative(between.id, between),))
        screen = await opened(pilot, detail, detail_of(culprit))
        assert screen.tabs.name == "Deps"
        text = screen_text(app)
        assert "root_cause failed" in text
        assert "waits for 1: 1 DOOMED" in text
        await press(pilot, "enter")
        assert screen.job.id == culprit.id
        await press(pilot, "escape")
        assert screen.job.id == doomed.id


async def test_finding_a_relative(console: Console) -> None:
    children = tuple(row(number, f"child_{number}") for number in range(10, 40))
    async with console(size=(80, 24)) as (app, pilot):
        job = row(2, "job_two", blocked=True)
        detail = detail_of(
            job, children=tuple(Relative(child.id, child) for child in children), child_count=30
        )
        screen = await opened(pilot, detail)
        await press(pilot, "slash", *"CHILD_3")
        assert "10 found" in screen_text(app)
        await press(pilot, "enter")
        seen = []
        for key in ("", "n", "n", "N", "N", "N"):
            await press(pilot, *([key] if key else []))
            seen.append(children[screen.page.rows.cursor].name)
        assert seen == ["child_30", "child_31", "child_32", "child_31", "child_30", "child_39"]
        await press(pilot, "slash", "ctrl+u", *"zz", "enter", "n")
        assert screen.notice_line.text == NOTHING_FOUND


STACK = 'Thread (most recent call last):\n  File "pipeline.py", line 8, in resize\n'


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answers of the processes, none of which is asked."""
    asked: list[str] = []

    def take(path: Path, job_id: str, clock: Any, read_only: bool) -> StackTaken:
        asked.append(job_id)
        trouble = "" if job_id == RUNNING.id else "It is not running: its status is failed."
        text = "" if trouble else STACK
        return StackTaken(job_id, clock.now(), text, trouble, f"gigq-core stack {job_id}")

    monkeypatch.setattr(stack, "take_stack", take)
    return asked


@pytest.mark.parametrize("from_detail", [True, False])
@pytest.mark.parametrize("read_only", [True, False])
async def test_the_stack_of_a_running_job(
    console: Console, stacks: list[str], from_detail: bool, read_only: bool
) -> None:
    clock = FrozenClock(NOW)
    async with console(clock=clock, read_only=read_only) as (app, pilot):
        detail = detail_of(RUNNING, attempts=(running_attempt(),))
        if from_detail:
            await opened(pilot, detail)
        else:
            feed_of(app).answers["detail"] = lambda _id: detail
            await give(pilot, [RUNNING])
        await press(pilot, "S")
        screen = app.screen
        assert isinstance(screen, JobScreen)
        assert screen.tabs.name == "Stack"
        text = screen_text(app)
        assert 'File "pipeline.py", line 8, in resize' in text
        assert "taken 12:04:31, S takes another" in text
        assert f"gigq-core stack {RUNNING.id}" in text
        clock.advance(60)
        await press(pilot, "S")
        assert "taken 12:05:31" in screen_text(app)
        assert stacks == [RUNNING.id] * 2
        await press(pilot, "y", "s")
        assert app.clipboard == STACK


async def test_the_stack_from_the_tree(stacks: list[str]) -> None:
    app = make_app()
    node = GraphNode(RUNNING.id, RUNNING, (), ())
    feed_of(app).answers["graph"] = lambda _id: Graph(
        RUNNING.id, {RUNNING.id: node}, (RUNNING.id,), False
    )
    feed_of(app).answers["detail"] = lambda _id: detail_of(RUNNING)
    async with running(app, size=(80, 24)) as pilot:
        await give(pilot, [RUNNING])
        await press(pilot, "t", "S")
        assert isinstance(app.screen, JobScreen)
        assert stacks == [RUNNING.id]
        assert "line 8, in resize" in screen_text(app)


async def test_a_stack_that_can_t_be_had(console: Console, stacks: list[str]) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        screen = await opened(pilot, detail_of(FAILED, attempts=(attempt(1),)))
        await press(pilot, "6")
        assert "Press S to see where" in screen_text(app)
        assert stacks == []
        await press(pilot, "S")
        assert "It is not running: its status is failed." in screen_text(app)
        screen.job.show(FAILED.id)
        assert screen.stack.taken is None


@pytest.mark.parametrize(
    ("job", "attempts", "told"),
    [
        (FAILED, (attempt(1),), "--(2m30s)--> X FAILED"),
        (FAILED, (attempt(1), attempt(2)), "--(ran 40s, waited 1m50s)--> X FAILED 12:04:01"),
        (row(1, attempts=1), (attempt(1),), "--(20s)--> . retry"),
        (RUNNING, (running_attempt(),), "--(3m00s)--> * run"),
        (row(1), (), "queued 11:54:31 --(10m00s)--> . ready"),
    ],
)
async def test_the_way_tells_wait_and_run_apart(
    console: Console, job: JobRow, attempts: tuple[Attempt, ...], told: str
) -> None:
    async with console() as (app, pilot):
        await opened(pilot, detail_of(job, attempts=attempts))
        assert told in screen_text(app).splitlines()[1]


async def test_hostile_text_stays_text(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    hostile = "\x1b]0;owned\x07 [@click=app.quit]x[/] \u202egnp \0 \x9b31m"
    written(path, hostile + "\n" + "y" * 1_000_000)
    async with console(path=path, size=(80, 24)) as (app, pilot):
        bad = running_attempt(error=hostile, traceback=hostile)
        await opened(pilot, detail_of(RUNNING, attempts=(bad,)))
        for keys in ((), ("l",), ("g",), ("W",), ("g",), ("7",)):
            await press(pilot, *keys)
            text = screen_text(app)
            assert not set("\x1b\x07\x00\x9b\u202e") & set(text)


@pytest.mark.parametrize("data", [b"x" * 2**20, b"x\n" * 2**19], ids=["one line", "short lines"])
async def test_a_megabyte_is_never_slow(console: Console, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "jobs.db"
    written(path, "").write_bytes(data)
    async with console(path=path) as (_, pilot):
        await opened(pilot, detail_of(RUNNING, attempts=(running_attempt(),)))
        await press(pilot, "l", "g")
        for key in ("pagedown", "G", "W", "g", "slash", "x", "enter", "n", "W"):
            began = time.process_time()
            await press(pilot, key)
            # Processor time, far above what it takes and far below what reading all of it would.
            assert time.process_time() - began < 2.0, key


@pytest.mark.parametrize(("waiting", "told"), [(1, "blocks 1 (t)"), (12_345, "blocks 12,345")])
def test_what_a_failure_blocks_is_told_where_there_is_little_room(waiting: int, told: str) -> None:
    detail = detail_of(replace(FAILED, attempts=3), child_count=1, blocks=waiting)
    line = "".join(text for text, _ in path_line(detail, NOW, 80))
    assert told in line
    assert "FAILED" in line
    assert "try 3/3" in line
    assert len(line) <= 80
