"""What the console says is so: counts, refusals, and which jobs and workers a key is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gigq_core.reasons.why import Health
from gigq_tui.app import ConsoleApp
from gigq_tui.keys.job_actions import RETRY_ALL
from gigq_tui.keys.looking_actions import TAB_ACTIONS
from gigq_tui.screens.jobs.layout import layout_for, row_line
from gigq_tui.screens.jobs.listing import TABS
from gigq_tui.screens.tree.screen import TreeScreen
from gigq_tui.screens.workers.screen import WorkersScreen
from gigq_tui.store.list.view import View
from gigq_tui.store.models import (
    Counts,
    ForeignWorker,
    Graph,
    GraphNode,
    JobRow,
    Tab,
    Window,
)
from gigq_tui.store.outcomes.states import JobNow as N
from gigq_tui.store.outcomes.states import JobsNow
from gigq_tui.store.stepwise import SoFar
from gigq_tui.store.tail import read_tail
from tests.scene import NOW
from tests.tui.harness import (
    Console,
    acts_of,
    all_in,
    feed_of,
    give,
    jobs_screen,
    press,
    row,
    screen_text,
    settle,
    worker,
)

# Questions


async def test_a_job_of_gigqs_worker_is_not_promised_to_be_stopped(console: Console) -> None:
    async with console() as (app, pilot):
        theirs = row(1, "theirs", "running", worker_id="worker-5f2c")
        ours = row(2, "ours", "running", worker_id="w1")
        await give(
            pilot,
            [theirs, ours],
            workers=[worker("w1")],
            foreign_workers=(ForeignWorker("worker-5f2c", ()),),
        )
        await press(pilot, "c")
        screen = jobs_screen(app)
        assert not screen.panel.is_open
        why = "is run by a GigQ worker, which can't be asked to cancel it."
        assert screen.notice_line.text == f"Nothing to cancel: theirs {why}"
        await press(pilot, "space", "space", "c")
        assert "Cancel 1 of 2 jobs?" in screen.panel.plain
        assert "1 of them is running" not in screen.panel.plain
        assert "It is running: its worker will be asked to cancel it." in screen.panel.plain
        assert f"1 can't be cancelled: 1 {why}" in screen.panel.plain
        await press(pilot, "y")
        assert acts_of(app).calls == [("cancel", (ours.id,))]


@pytest.mark.parametrize(
    ("key", "verb", "title", "can", "left_out"),
    [
        (
            "C",
            "cancel",
            "Cancel 3 of 5 jobs (all of tab All)?",
            (0, 1, 2),
            "2 can't be cancelled: 1 has completed, 1 has timed out.",
        ),
        (
            "R",
            "retry",
            "Retry 1 of 5 jobs (all of tab All)?",
            (4,),
            "4 can't be retried: 2 are running, 1 is waiting, 1 has completed.",
        ),
    ],
)
async def test_of_what_is_not_in_memory_the_file_says_what_can_be_done(
    console: Console, key: str, verb: str, title: str, can: tuple[int, ...], left_out: str
) -> None:
    async with console() as (app, pilot):
        rows = [row(n, status="running") for n in (2, 1)]
        ids = (*[job.id for job in rows], "a" * 8, "b" * 8, "c" * 8)
        states = [N.RUNNING, N.RUNNING, N.BLOCKED, N.PASSED, N.TIMED_OUT]
        # It is read in steps, and the question waits for the last one.
        steps = iter(
            SoFar(JobsNow(bytes(states[:read]).ljust(5, b"\0")), read, 5) for read in (2, 4, 5)
        )
        feed_of(app).answers["matching_ids"] = lambda view: ids
        feed_of(app).answers["step"] = lambda work: next(steps)
        await give(pilot, rows, window=Window(tuple(rows), 0, 5))
        await press(pilot, key)
        assert title in jobs_screen(app).panel.plain
        assert left_out in jobs_screen(app).panel.plain
        await press(pilot, "y")
        assert acts_of(app).calls == [(verb, tuple(ids[n] for n in can))]


@pytest.mark.parametrize(
    ("key", "statuses", "told"),
    [
        ("r", ["completed"], "Nothing to retry: job_1 has completed."),
        ("r", ["pending"], "Nothing to retry: job_1 is waiting."),
        ("r", ["running"], "Nothing to retry: job_1 is running."),
        ("c", ["timeout"], "Nothing to cancel: job_1 has timed out."),
        ("c", ["cancelled"], "Nothing to cancel: job_1 is already cancelled."),
        ("C", ["completed"] * 4, "Nothing to cancel: all 4 have completed."),
        (
            "C",
            ["completed", "failed", "completed"],
            "Nothing to cancel: 2 have completed, 1 has failed.",
        ),
        ("R", ["completed", "pending"], "Nothing to retry: 1 is waiting, 1 has completed."),
        ("greater_than_sign", ["completed"], "No priority to raise: job_1 has completed."),
        ("less_than_sign", ["running"], "No priority to lower: job_1 is running."),
    ],
)
async def test_what_can_be_done_with_no_job_is_said_and_not_asked(
    console: Console, key: str, statuses: list[str], told: str
) -> None:
    async with console() as (app, pilot):
        rows = [row(n + 1, status=status) for n, status in enumerate(statuses)][::-1]
        feed_of(app).answers["matching_ids"] = lambda view: tuple(job.id for job in rows)
        await give(pilot, rows)
        await press(pilot, key)
        assert not jobs_screen(app).panel.is_open
        assert jobs_screen(app).notice_line.text == told
        assert acts_of(app).calls == []


async def test_a_small_letter_is_told_that_many_jobs_take_a_capital(console: Console) -> None:
    async with console() as (app, pilot):
        rows = [row(n) for n in range(25, 0, -1)]
        feed_of(app).answers["matching_ids"] = lambda view: tuple(job.id for job in rows)
        await give(pilot, rows)
        await press(pilot, "C")
        told = "From 20 jobs on, it takes a capital letter: Y."
        assert told not in screen_text(app)
        await press(pilot, "y")
        assert told in screen_text(app)
        assert acts_of(app).calls == []
        # A letter that would be none of the answers in capitals is told nothing.
        await press(pilot, "escape", "C", "x")
        assert told not in screen_text(app)
        await press(pilot, "y", "Y")
        assert len(acts_of(app).calls) == 1


async def test_a_wide_act_is_about_the_view_of_the_key_press(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, [row(1, status="failed")])
        screen, feed = jobs_screen(app), feed_of(app)
        feed.answers["matching_ids"] = lambda view: ("a" * 8,) if view == View() else ()
        feed.answers["step"] = all_in(N.FAILED)
        screen.perform(RETRY_ALL)
        screen.perform(TAB_ACTIONS[TABS.index(Tab.FAILED)])
        await settle(pilot)
        assert feed.views[-1].tab is Tab.FAILED
        assert "Retry 1 job (all of tab All)?" in screen.panel.plain


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_a_question_leaves_the_row_it_is_about_in_sight(
    console: Console, size: tuple[int, int]
) -> None:
    async with console(size=size) as (app, pilot):
        await give(pilot, [row(n) for n in range(60, 0, -1)])
        table = jobs_screen(app).table
        await press(pilot, "G", "k")
        before = table.top
        await press(pilot, "c")
        assert "Cancel 1 job?" in screen_text(app)
        named = [line for line in screen_text(app).splitlines() if line[:3].strip() == ">"]
        assert len(named) == 1
        assert "job_2 " in named[0]
        await press(pilot, "n")
        assert table.top == before


async def test_the_last_branch_of_a_tree_stays_in_sight_under_its_question(
    console: Console,
) -> None:
    jobs = [row(n, f"branch_{n}") for n in range(1, 40)]
    nodes = {job.id: GraphNode(job.id, job, (), ()) for job in jobs}
    graph = Graph(jobs[0].id, nodes, tuple(nodes), False)
    async with console(size=(60, 20)) as (app, pilot):
        feed_of(app).answers["graph"] = lambda subject: graph
        await give(pilot, jobs[:1])
        screen = TreeScreen(app.services, jobs[0].id)
        app.push_screen(screen)
        await settle(pilot)
        await press(pilot, "z", "G", "c")
        named = [text for text in screen_text(app).splitlines() if "> branch_39" in text]
        assert len(named) == 1


# Read-only, counts


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("n", "This console is read-only, so it can't submit a new job."),
        ("c", "This console is read-only, so it can't cancel."),
    ],
)
async def test_read_only_says_what_it_can_t(console: Console, key: str, sentence: str) -> None:
    async with console(read_only=True) as (app, pilot):
        await give(pilot, [row(1)])
        assert "starts one" not in screen_text(app)
        await press(pilot, key)
        assert jobs_screen(app).notice_line.text == sentence
        await press(pilot, "w")
        assert "starts one" not in screen_text(app)


@pytest.mark.parametrize(("size", "word"), [((120, 32), "waiting 7"), ((80, 24), "wait 7")])
async def test_waiting_jobs_that_were_not_told_apart_are_not_called_ready(
    console: Console, size: tuple[int, int], word: str
) -> None:
    async with console(size=size) as (app, pilot):
        await give(pilot, [row(1)], counts=Counts(ready=7, told_apart=False))
        assert word in screen_text(app).splitlines()[0]


# Workers


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"holder_pid": 4119}, "w1-d86d"),
        ({"holder_pid": 4119, "worker_id": "w1"}, "w1 4119"),
        ({"holder": Health.LOST}, "w1-d86d"),
        ({"holder": Health.LOST, "worker_id": "w1"}, "w1 (gone)"),
    ],
)
def test_a_worker_is_named_whole(values: dict[str, Any], told: str) -> None:
    job: JobRow = row(1, status="running", **{"worker_id": "w1-d86d", **values})
    line = row_line(job, layout_for(120), NOW, NOW, cursor=False, marked=False)
    assert f" {told} " in "".join(text for text, _ in line)


async def test_keys_do_nothing_to_a_worker_behind_its_log(console: Console, tmp_path: Path) -> None:
    log = tmp_path / "w1.log"
    log.write_text("working\n")
    async with console() as (app, pilot):
        await give(pilot, [row(1)], workers=[worker("w1", log_path=str(log))])
        screen = WorkersScreen(app.services)
        app.push_screen(screen)
        await settle(pilot)
        await press(pilot, "l")
        for key in ("c", "C", "P", "r"):
            await press(pilot, key)
            assert "Nothing was done" in screen.notice_line.text
            assert not screen.panel.is_open
        assert acts_of(app).calls == []
        await press(pilot, "l", "C")
        assert screen.panel.is_open


async def test_the_log_stays_at_its_end_when_it_grows_and_shrinks(
    console: Console, tmp_path: Path
) -> None:
    log = tmp_path / "w1.log"
    log.write_text("".join(f"line {n}\n" for n in range(200)))
    async with console() as (app, pilot):
        await give(pilot, [row(1)], workers=[worker("w1", log_path=str(log))])
        app.push_screen(WorkersScreen(app.services))
        await settle(pilot)
        for keys in (("l",), ("l",), ("l", "g")):
            assert "line 199" in screen_text(app)
            await press(pilot, *keys)
        assert "line 199" not in screen_text(app)
        await press(pilot, "l")
        assert "line 0" in screen_text(app)


def test_one_long_line_of_output_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "attempt.log"
    path.write_text("begin\n" + "x" * 100 + "\n")
    assert read_tail(path, limit=50).lines == ["x" * 49]
    path.write_text("begin\n" + "x" * 100 + "\nend\n")
    assert read_tail(path, limit=50).lines == ["end"]


async def test_after_the_shell_everything_is_painted_anew(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[str] = []
    monkeypatch.setattr(ConsoleApp, "do_repaint", lambda self: painted.append("all"))
    async with console(size=(80, 24)) as (app, pilot):
        app.app_resume_signal.publish(app)
        await pilot.pause()
        assert painted == ["all"]


async def test_a_panic_is_a_failure(console: Console) -> None:
    async with console(size=(80, 24)) as (app, _):
        assert not app.failed
        app.panic("the terminal is gone")
    assert app.failed
