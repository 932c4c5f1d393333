"""The detail screen: its tabs, its walk to other jobs, its acts, and what it never shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core.system.paths import logs_folder
from gigq_tui.app import ConsoleApp
from gigq_tui.format import MASK
from gigq_tui.keys import DETAIL_TABS as TABS
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.store.models import Attempt, JobDetail, Relative
from gigq_tui.terminal.theme import DARK, PALETTES
from tests.scene import NOW
from tests.tui.harness import (
    Console,
    acts_of,
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

PARENT = row(3, "parent", "completed")
JOB = row(2, "job_two", "failed", error="HTTP 500 from host 3", attempts=2)
CHILD = row(1, "child", doomed=True, blocked=True)
ROWS = [PARENT, JOB, CHILD]


def attempt(number: int, **values: Any) -> Attempt:
    base: dict[str, Any] = {
        "number": number,
        "execution_id": f"exec-{number}",
        "worker_id": f"w{number}",
        "status": "failed",
        "started_at": NOW - timedelta(seconds=60 * (4 - number)),
        "completed_at": NOW - timedelta(seconds=60 * (4 - number) - 20),
        "error": f"error of attempt {number}",
        "traceback": f"Traceback of {number}\n  File x",
        "output_path": None,
        "pid": 100 + number,
    }
    return Attempt(**{**base, **values})


def answers(job_id: str) -> JobDetail | None:
    found = next((known for known in ROWS if known.id == job_id), None)
    if found is None:
        return None
    if found is not JOB:
        return detail_of(found)
    return detail_of(
        JOB,
        attempts=(attempt(1), attempt(2)),
        parents=(Relative(PARENT.id, PARENT),),
        children=(Relative(CHILD.id, CHILD), Relative("gone", None)),
        child_count=2,
        result={"token": "s3cret", "n": 1},
    )


async def opened(pilot: Pilot[None], app: ConsoleApp) -> JobScreen:
    feed_of(app).answers["detail"] = answers
    await give(pilot, ROWS)
    await pilot.press("j", "enter")
    await settle(pilot)
    assert isinstance(app.screen, JobScreen)
    return app.screen


@pytest.mark.parametrize("size", [(120, 32), (80, 24), (60, 15)])
async def test_the_way_of_a_job_is_told(console: Console, size: tuple[int, int]) -> None:
    async with console(size=size) as (app, pilot):
        await opened(pilot, app)
        text = screen_text(app)
        assert "queued" in text
        assert "FAILED" in text
        assert "error of attempt 2" in text
        assert "Traceback of 2" in text


async def test_keys_go_through_the_tabs(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await opened(pilot, app)
        seen = []
        for _ in TABS:
            seen.append(screen.tabs.name)
            await press(pilot, "right")
        assert tuple(seen) == TABS
        assert screen.tabs.name == "Attempts"
        await press(pilot, "left")
        assert screen.tabs.name == "Raw"
        await press(pilot, "]")
        assert screen.tabs.name == "Attempts"
        await press(pilot, "[")
        assert screen.tabs.name == "Raw"


@pytest.mark.parametrize("tab", ["Params", "Result", "Raw"])
async def test_secrets_are_masked(console: Console, tab: str) -> None:
    async with console() as (app, pilot):
        screen = await opened(pilot, app)
        screen.tabs.choose(tab)
        await settle(pilot)
        text = screen_text(app)
        assert "hunter2" not in text
        assert "s3cret" not in text
        if tab != "Raw":
            assert MASK in text


def colour_of(app: ConsoleApp, text: str) -> Any:
    """The colour of a segment that says just that."""
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            if segment.text == text and segment.style is not None:
                return segment.style.color
    raise AssertionError(f"no {text!r} stands alone on the screen")


async def test_an_attempt_is_chosen_for_error_and_log(console: Console, tmp_path: Path) -> None:
    folder = logs_folder(tmp_path / "jobs.db") / "attempts"
    folder.mkdir(parents=True)
    (folder / "one.log").write_bytes(b"hello \x1b[31mred\nsecond line\n")
    log = str(folder / "one.log")
    async with console(path=tmp_path / "jobs.db") as (app, pilot):
        screen = await opened(pilot, app)
        whole = answers(JOB.id)
        assert whole is not None
        first = attempt(1, output_path=log)
        feed_of(app).answers["detail"] = lambda _id: detail_of(JOB, attempts=(first, attempt(2)))
        await give(pilot, ROWS)
        assert "Traceback of 2" in screen_text(app)
        await press(pilot, "k")
        text = screen_text(app)
        for part in ("w1, pid 101", "error of attempt 1", "Traceback of 1", "second line"):
            assert part in text
        await press(pilot, "enter")
        assert screen.tabs.name == "Output"
        text = screen_text(app)
        assert "attempt 1, failed" in text
        assert "second line" in text
        assert "\x1b" not in text
        assert "hello red" in text
        assert colour_of(app, "red") == PALETTES[DARK]["label-red"].color
        await press(pilot, "escape")
        assert screen.tabs.name == "Attempts"
        assert "Traceback of 1" in screen_text(app)


async def test_the_cursor_goes_with_the_newest_attempt_until_another_is_chosen(
    console: Console,
) -> None:
    async with console() as (app, pilot):
        screen = await opened(pilot, app)

        async def runs_on(count: int) -> None:
            attempts = tuple(attempt(n + 1) for n in range(count))
            feed_of(app).answers["detail"] = lambda _id: detail_of(JOB, attempts=attempts)
            await give(pilot, ROWS)

        def shown() -> tuple[str | None, str]:
            return screen.page.rows.cursor_id, screen_text(app)

        for count in (3, 4):
            await runs_on(count)
            cursor, text = shown()
            assert cursor == attempt(count).execution_id
            assert f"Traceback of {count}" in text
        # Another one that was chosen stays, whatever comes.
        await press(pilot, "k")
        await runs_on(5)
        cursor, text = shown()
        assert cursor == attempt(3).execution_id
        assert "Traceback of 3" in text
        # Back on the newest, it goes along again; on other tabs as well.
        await press(pilot, "j", "j")
        await runs_on(6)
        assert shown()[0] == attempt(6).execution_id
        screen.tabs.choose("Output")
        await runs_on(7)
        assert "attempt 7" in screen_text(app)
        screen.tabs.choose("Attempts")
        await settle(pilot)
        assert shown()[0] == attempt(7).execution_id


async def test_l_shows_the_log(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await opened(pilot, app)
        await press(pilot, "l")
        assert screen.tabs.name == "Output"
        assert "has written nothing" in screen_text(app)
        await press(pilot, "l")
        assert screen.tabs.name == "Attempts"


async def test_parents_and_children_are_walked(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await opened(pilot, app)
        screen.tabs.choose("Deps")
        await settle(pilot)
        assert "waits for" in screen_text(app)
        await press(pilot, "j", "enter")
        assert screen.job.id == CHILD.id
        await press(pilot, "escape")
        assert screen.job.id == JOB.id
        await press(pilot, "G", "enter")
        assert screen.notice_line.text == "That job is not in the queue."
        await press(pilot, "q")
        assert isinstance(app.screen, JobsScreen)


async def test_capital_j_and_k_walk_the_list(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await opened(pilot, app)
        await press(pilot, "J")
        assert screen.job.id == CHILD.id
        await press(pilot, "J")
        assert screen.notice_line.text == "End of the list."
        await press(pilot, "K", "K")
        assert screen.job.id == PARENT.id
        await press(pilot, "escape")
        assert isinstance(app.screen, JobsScreen)
        assert app.screen.table.cursor_id == PARENT.id


@pytest.mark.parametrize(("key", "verb"), [("c", "cancel"), ("r", "retry")])
async def test_acts_are_about_the_job_shown(console: Console, key: str, verb: str) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        await opened(pilot, app)
        if verb == "cancel":
            # There is nothing to cancel of one that has failed.
            await press(pilot, key, "y", "escape")
            assert acts_of(app).calls == []
            runs = replace(JOB, status="running")
            feed_of(app).answers["detail"] = lambda job_id: detail_of(runs)
            await give(pilot, ROWS)
        await press(pilot, key, "y")
        assert acts_of(app).calls == [(verb, (JOB.id,))]


async def test_y_copies_the_error(console: Console) -> None:
    async with console() as (app, pilot):
        await opened(pilot, app)
        await press(pilot, "y", "e")
        assert app.clipboard == "error of attempt 2"


async def test_text_is_scrolled(console: Console) -> None:
    async with console(size=(80, 24)) as (app, pilot):
        screen = await opened(pilot, app)
        lines = "\n".join(f"line {number}" for number in range(300))
        feed_of(app).answers["detail"] = lambda _id: detail_of(JOB, error=lines)
        await give(pilot, ROWS)
        pane = screen.text_view
        for key, top in (("j", 1), ("k", 0), ("ctrl+d", pane.page // 2), ("g", 0)):
            await press(pilot, key)
            assert pane.top == top
        await press(pilot, "G")
        assert pane.top == pane.total - pane.page
        await press(pilot, "pageup")
        assert pane.top == pane.total - 2 * pane.page
        await press(pilot, "home", "pagedown")
        assert pane.top == pane.page


async def test_a_job_that_goes_away_is_told(console: Console) -> None:
    async with console() as (app, pilot):
        await opened(pilot, app)
        feed_of(app).answers["detail"] = lambda _id: None
        await give(pilot, ROWS[:1])
        assert "no longer in the queue" in screen_text(app)


@pytest.mark.parametrize(
    ("job", "tab"),
    [
        (row(1, status="failed", error="x"), "Attempts"),
        (row(1, status="completed"), "Result"),
        (row(1, status="running"), "Attempts"),
        (row(1), "Params"),
        (row(1, blocked=True), "Deps"),
        (row(1, doomed=True, blocked=True), "Deps"),
    ],
)
async def test_the_tab_that_answers_is_opened(job: Any, tab: str) -> None:
    app = make_app()
    feed_of(app).answers["detail"] = lambda _id: detail_of(job)
    async with running(app) as pilot:
        await give(pilot, [job])
        await press(pilot, "enter")
        assert isinstance(app.screen, JobScreen)
        assert app.screen.tabs.name == tab
