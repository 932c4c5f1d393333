"""Every key of the tree screen, on a graph made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from textual.pilot import Pilot

from gigq_core.errors import DatabaseBusy
from gigq_core.graph.blame import Culprit
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.submit.screen import SubmitScreen
from gigq_tui.screens.tree.screen import TreeScreen
from gigq_tui.screens.workers.screen import WorkersScreen
from gigq_tui.store.models import Graph, GraphNode, JobRow
from gigq_tui.widgets.lines import TextLines
from tests.scene import NOW
from tests.tui.harness import (
    Console,
    acts_of,
    detail_of,
    feed_of,
    give,
    press,
    row,
    screen_text,
    settle,
)


def graph_of(focus: JobRow, *edges: tuple[JobRow, JobRow], alone: tuple[JobRow, ...] = ()) -> Graph:
    """A graph of (parent, child) pairs; whatever has not completed is unmet."""
    rows: dict[str, JobRow] = {}
    for pair in edges:
        for job in pair:
            rows[job.id] = job
    for job in (focus, *alone):
        rows.setdefault(job.id, job)
    parents: dict[str, list[str]] = {id: [] for id in rows}
    children: dict[str, list[str]] = {id: [] for id in rows}
    for parent, child in edges:
        parents[child.id].append(parent.id)
        children[parent.id].append(child.id)
    nodes = {
        id: GraphNode(
            id,
            replace(job, unmet=len(unmet)) if unmet and job.status == "pending" else job,
            tuple(parents[id]),
            tuple(children[id]),
            unmet,
        )
        for id, job in rows.items()
        for unmet in [tuple(p for p in parents[id] if rows[p].status != "completed")]
    }
    roots = tuple(id for id, found in parents.items() if not found)
    return Graph(focus.id, nodes, roots, False)


SOURCE = row(1, "source", "completed")
BROKEN = row(
    2, "broken", "failed", error="HTTP 500 from host 3", completed_at=NOW - timedelta(seconds=81)
)
BLAME = Culprit(BROKEN.id, BROKEN.name, "failed", BROKEN.error)
SCORE = row(3, "score", blocked=True, doomed=True, culprit=BLAME)
REPORT = row(4, "report", blocked=True, doomed=True, culprit=BLAME)
RUNS = row(5, "runs", "running")
SEGMENTS = [
    row(10 + n, f"segment_{n}", blocked=True, culprit=Culprit(RUNS.id, "runs", "running"))
    for n in range(6)
]
GRAPH = graph_of(
    BROKEN,
    (SOURCE, BROKEN),
    (BROKEN, SCORE),
    (SCORE, REPORT),
    (SOURCE, RUNS),
    *[(RUNS, segment) for segment in SEGMENTS],
)


async def open_tree(pilot: Pilot[None], graph: Graph = GRAPH) -> TreeScreen:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    feed_of(app).answers["graph"] = lambda subject: graph
    await give(pilot, [BROKEN])
    screen = TreeScreen(app.services, graph.focus)
    app.push_screen(screen)
    await settle(pilot)
    return screen


def name_at(screen: TreeScreen) -> str:
    current = screen.current_row()
    return current.name if current is not None else ""


def said(screen: TreeScreen) -> str:
    """What stands under the tree, on one line."""
    return " ".join(screen.query_one("#outlook", TextLines).plain.split())


async def test_begins_on_its_job_and_says_what_a_retry_frees(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        assert name_at(screen) == "broken"
        assert "broken: FAILED 12:03:10, HTTP 500 from host 3" in said(screen)
        assert "Blocks 2 jobs. Retrying it (r) frees all 2." in said(screen)
        text = screen_text(app)
        assert "11 jobs, 4 levels  FAILED 1  DOOMED 2" in text
        assert "X FAILED" in text
        assert "blocks 2  HTTP 500 from host 3" in text
        assert "never runs: broken failed" in text


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        (("j",), "score"),
        (("down", "down"), "report"),
        (("k",), "source"),
        (("up",), "source"),
        (("G",), ""),
        (("end", "k"), "segment_1"),
        (("g",), "source"),
        (("G", "home"), "source"),
        (("pagedown", "pageup"), "source"),
        (("g", "ctrl+d", "ctrl+u"), "source"),
    ],
)
async def test_moving(console: Console, keys: tuple[str, ...], name: str) -> None:
    async with console(size=(80, 24)) as (_, pilot):
        screen = await open_tree(pilot)
        await press(pilot, *keys)
        assert name_at(screen) == name


async def test_a_doomed_job_names_its_culprit_and_the_key(console: Console) -> None:
    async with console() as (_, pilot):
        screen = await open_tree(pilot)
        await press(pilot, "j")
        assert said(screen) == (
            "score: 1 of 1 parent not done; broken FAILED 12:03:10. R retries it and frees 2 jobs."
        )


async def test_retry_here(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        await press(pilot, "r")
        assert screen.panel.question is not None
        assert screen.panel.question.title == "Retry 1 job?"
        await press(pilot, "y")
        assert acts_of(app).calls == [("retry", (BROKEN.id,))]


async def test_retry_upstream_takes_only_what_ended_badly(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        await press(pilot, "j", "j", "R")
        assert screen.panel.question is not None
        assert screen.panel.question.title == "Retry 1 job (here and upstream)?"
        await press(pilot, "y")
        assert acts_of(app).calls == [("retry", (BROKEN.id,))]


async def test_retry_upstream_of_a_sound_job_does_nothing(console: Console) -> None:
    async with console() as (_, pilot):
        screen = await open_tree(pilot)
        await press(pilot, "g", "R")
        assert not screen.panel.is_open
        assert screen.notice_line.text == "Nothing has failed here or upstream."


async def test_cancel_here_and_below(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        await press(pilot, "j", "c", "y")
        await press(pilot, "C")
        assert screen.panel.question is not None
        assert screen.panel.question.title == "Cancel 2 jobs (here and downstream)?"
        await press(pilot, "y")
        assert acts_of(app).calls == [
            ("cancel", (SCORE.id,)),
            ("cancel", (SCORE.id, REPORT.id)),
        ]


async def test_no_is_the_answer_of_escape_and_enter(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        await press(pilot, "C", "escape", "C", "enter")
        assert acts_of(app).calls == []
        assert app.screen is screen


async def test_folding_keeps_the_job(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        assert "... 4 more like segment*" in screen_text(app)
        await press(pilot, "z")
        assert "segment_5" in screen_text(app)
        assert name_at(screen) == "broken"
        await press(pilot, "G", "z")
        assert "4 jobs in one row" in said(screen)
        await press(pilot, "enter")
        assert name_at(screen) == "segment_5"


async def test_a_fold_is_acted_on_as_a_whole(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        await press(pilot, "G", "c")
        assert screen.panel.question is not None
        assert screen.panel.question.title == "Cancel 4 jobs?"
        await press(pilot, "y")
        assert acts_of(app).calls == [("cancel", tuple(job.id for job in SEGMENTS[2:]))]


async def test_upstream_and_downstream(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        await press(pilot, "left_square_bracket")
        text = screen_text(app)
        assert "upstream of broken" in text
        assert "score" not in text
        assert "blocks 2" in text  # counted over the whole graph
        await press(pilot, "right_square_bracket")
        text = screen_text(app)
        assert "source" not in text
        assert "report" in text
        assert name_at(screen) == "broken"
        await press(pilot, "right_square_bracket")
        assert "segment_0" in screen_text(app)


@pytest.mark.parametrize(
    ("key", "screen_class"),
    [
        ("enter", JobScreen),
        ("l", JobScreen),
        ("w", WorkersScreen),
        ("e", SubmitScreen),
    ],
)
async def test_leading_on(console: Console, key: str, screen_class: type) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        feed_of(app).answers["detail"] = lambda subject: detail_of(BROKEN)
        await press(pilot, key)
        assert isinstance(app.screen, screen_class)
        app.pop_screen()
        await settle(pilot)
        assert app.screen is screen
        assert name_at(screen) == "broken"


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_back(console: Console, key: str) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        await press(pilot, key)
        assert app.screen is not screen


async def test_copy(console: Console) -> None:
    async with console() as (app, pilot):
        await open_tree(pilot)
        await press(pilot, "y", "i")
        assert app.clipboard == BROKEN.id


async def test_pausing_holds_the_tree(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        await press(pilot, "p")
        asked = len(feed_of(app).asked)
        await give(pilot, [BROKEN, SCORE])
        assert len(feed_of(app).asked) == asked
        await press(pilot, "p")
        assert len(feed_of(app).asked) > asked
        assert name_at(screen) == "broken"


async def test_a_new_graph_keeps_the_cursor_on_its_job(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        await press(pilot, "j")
        before = row(0, "before", "completed")
        feed_of(app).answers["graph"] = lambda subject: graph_of(
            BROKEN, (before, SOURCE), (SOURCE, BROKEN), (BROKEN, SCORE)
        )
        await give(pilot, [BROKEN, SCORE])
        assert name_at(screen) == "score"
        assert screen.branches.cursor == 3


async def test_trouble_leaves_the_last_tree(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        feed_of(app).answers["graph"] = lambda subject: DatabaseBusy("jobs.db is locked.")
        await give(pilot, [BROKEN])
        assert screen.notice_line.text == "jobs.db is locked."
        assert name_at(screen) == "broken"


async def test_a_vanished_job_is_told(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        feed_of(app).answers["graph"] = lambda subject: None
        await give(pilot, [])
        assert screen.notice_line.text == "That job is no longer in the queue."


async def test_circle_and_missing_parent(console: Console) -> None:
    first = row(1, "first", blocked=True, doomed=True, culprit=Culprit("x", "first", "cycle"))
    second = row(2, "second", blocked=True, doomed=True, culprit=Culprit("x", "first", "cycle"))
    graph = graph_of(first, (first, second), (second, first))
    gone = GraphNode("feedbeef-gone", None, (), (second.id,))
    graph = replace(graph, nodes={**graph.nodes, gone.id: gone}, roots=(gone.id,))
    async with console() as (app, pilot):
        screen = await open_tree(pilot, graph)
        text = screen_text(app)
        assert "? missing" in text
        assert "not in the queue" in text
        assert "dependency cycle back to the job above" in text
        assert "dependency cycle through first: cancel one of them (c)" in said(screen)
        await press(pilot, "g", "enter")
        assert screen.notice_line.text == "That job is not in the queue."


async def test_read_only_refuses(console: Console) -> None:
    async with console(read_only=True) as (app, pilot):
        screen = await open_tree(pilot)
        for key in ("r", "R", "c", "C", "e"):
            await press(pilot, key)
            assert not screen.panel.is_open
            assert "read-only" in screen.notice_line.text
        assert acts_of(app).calls == []


async def test_first_act_on_a_file_of_gigq_is_announced(console: Console) -> None:
    async with console() as (app, pilot):
        screen = await open_tree(pilot)
        assert app.services.picture.shown is not None
        info = replace(app.services.picture.shown.info, attached=False)
        await give(pilot, [BROKEN], info=info)
        await press(pilot, "R")
        assert screen.panel.question is not None
        assert any("GigQ's own file" in detail for detail in screen.panel.question.details)


async def test_what_a_job_says_is_inert(console: Console) -> None:
    evil = row(
        1, "[b]x[/b]\x1b[31m\u202egnp", "failed", error="\x1b]0;title\x07[@click=app.quit]x[/]"
    )
    async with console() as (app, pilot):
        await open_tree(pilot, graph_of(evil))
        text = screen_text(app)
        assert "[b]x[/b]" in text
        assert "\x1b" not in text
        assert "\u202e" not in text


@pytest.mark.parametrize("folded", [True, False])
async def test_a_fan_of_five_thousand(console: Console, folded: bool) -> None:
    root = row(1, "root", "running")
    blame = Culprit(root.id, "root", "running")
    fan = [(root, row(n, f"leaf {n} of many", blocked=True, culprit=blame)) for n in range(2, 5002)]
    async with console(size=(80, 24)) as (_, pilot):
        screen = await open_tree(pilot, graph_of(root, *fan))
        if not folded:
            await press(pilot, "z")
        await press(pilot, "G", "k", "g")
        assert name_at(screen) == "root"
        assert "blocks 5,000 jobs" in said(screen)


async def test_a_chain_of_a_thousand(console: Console) -> None:
    chain = [
        row(n, f"link_{n}", "failed" if n == 1 else "pending", blocked=n > 1)
        for n in range(1, 1001)
    ]
    async with console(size=(80, 24)) as (app, pilot):
        screen = await open_tree(pilot, graph_of(chain[0], *pairwise(chain)))
        await press(pilot, "G")
        assert name_at(screen) == "link_1000"
        lines = screen_text(app).splitlines()
        assert any("link_1000" in line and "blocked" in line for line in lines)
        await press(pilot, "C")
        assert screen.panel.question is not None
        await press(pilot, "escape", "g", "C")
        assert "999 jobs" in screen.panel.question.title
