"""A row may hold anything: the console shows it on every screen, and nothing of it steers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from gigq_core.reasons.why import state_of, why
from gigq_tui.app import ConsoleApp
from gigq_tui.keys import Scope, actions_for
from gigq_tui.screens.schedules.lines import Table
from gigq_tui.screens.schedules.order import SORT_MENU, in_order
from gigq_tui.screens.schedules.panel import panel_lines
from gigq_tui.screens.tree.folds import Folds
from gigq_tui.screens.tree.levels_drawing import LevelsDrawing
from gigq_tui.screens.tree.runs_drawing import RunsDrawing
from gigq_tui.screens.tree.timeline_drawing import TimelineDrawing
from gigq_tui.screens.tree.tree_drawing import TreeDrawing
from gigq_tui.services.reads import Reads
from gigq_tui.store.filter.language import parse
from gigq_tui.store.graph.depths import depths
from gigq_tui.store.graph.runs import Run, RunsOfWorkflow, TaskJob
from gigq_tui.store.graph.waiting import WaitingBehind
from gigq_tui.store.history.account import WindowWork
from gigq_tui.store.history.moment import MomentWork
from gigq_tui.store.history.time_window import LENGTHS_S, TimeWindow
from gigq_tui.store.list.view import END, View
from gigq_tui.store.models import Graph, Tab
from gigq_tui.store.reader import Reader
from gigq_tui.store.schedules import Schedules
from gigq_tui.store.sorting import Sort, SortKey
from gigq_tui.store.tail import read_output
from tests.attempts import followed
from tests.e2e.sent import foreign, text_of
from tests.e2e.terminal import ConsoleTerminal
from tests.hostile import STEERING
from tests.reliability.test_odd_rows_told import FEW, KINDS, MANY, ids_in, odd_file
from tests.tui.harness import press, running, screen_text, until

FILTERS = (
    *("x", "state:doomed", "state:blocked", "state:overdue", "dur>1s", "age>1m", "param.a:1"),
    *("dep:odd", "-err:x", "pri>0", "try<3", "state:ready|state:unknown", "id:a", "fn:b"),
    *("retry", "progress<50"),
)
# How each screen is come to from the list of jobs.
WAYS = {
    Scope.JOBS: (),
    Scope.DETAIL: ("enter",),
    Scope.TREE: ("t",),
    Scope.WORKERS: ("w",),
    Scope.OVERVIEW: ("o",),
    Scope.GROUPS: ("b",),
    Scope.COUNT: ("number_sign",),
    Scope.LANES: ("L",),
    Scope.SCHEDULES: ("at",),
    Scope.HELP: ("question_mark",),
    Scope.SUBMIT: ("n",),
}
# These go elsewhere: out of the program, or into another one.
LEAVING = {"quit", "leave", "back", "suspend", "edit_params", "pager", "editor"}


def look_everywhere(path: Path) -> None:
    now = datetime.now(timezone.utc)
    reader = Reader(path)
    try:
        for tab in Tab:
            snapshot = reader.snapshot(View(tab))
            reader.snapshot(View(tab, anchor=END))
            for row in snapshot.window.rows:
                state_of(row, now)
                assert isinstance(why(row, now), str)
        for key in SortKey:
            for turned in (False, True):
                reader.snapshot(View(sort=Sort(key, turned)))
        reader.overview()
        names = [one.name for one in reader.schedules("").listed]
        for name in names[:5]:
            draw_schedule(reader.schedules(name), now)
        for length_s in LENGTHS_S:
            window = TimeWindow.up_to_now(length_s, now.timestamp(), 60)
            seen = followed(reader, WindowWork(window, days=1))
            start, end = seen.edges[-2:]
            followed(reader, MomentWork(start, end))
        for text in FILTERS:
            view = View(filter=parse(text))
            reader.snapshot(view)
            reader.matching_ids(view)
            reader.find_jobs(text)
        for priority in (0, -(2**63), 2**63 - 1):
            reader.jobs_ahead(priority)
        reader.recent_functions()
        for job_id in ids_in(path):
            if not isinstance(job_id, str):
                continue
            detail = reader.detail(job_id)
            for attempt in detail.attempts if detail is not None else ():
                read_output(path, attempt)
            graph = reader.graph(job_id)
            if graph is not None:
                draw_shapes(graph, now)
                followed(reader, RunsOfWorkflow(graph.workflow or "odd"))
            reader.resolve(job_id)
            reader.rows([job_id])
            reader.blocking([job_id])
    finally:
        reader.close()


def draw_schedule(read: Schedules, now: datetime) -> None:
    """The line of each schedule, and the panel of the one that was asked for."""
    for width in (60, 120):
        table = Table(read.listed, now, width, has_workers=False)
        for one in read.listed:
            assert table.line(one, marked=False)
        for sort in SORT_MENU.values():
            assert len(in_order(read.listed, sort, now)) == len(read.listed)
        if (one := read.by_name.get(read.chosen)) is not None:
            assert panel_lines(one, (), read.past, now, width)


def draw_shapes(graph: Graph, now: datetime) -> None:
    """Each row of each shape of a graph, folded and not, as long as a line may be."""
    depth, waiting = depths(graph), WaitingBehind(graph)
    run = Run(graph.workflow_id, now, tuple(task_jobs(graph)))
    for alike in (True, False):
        folds = Folds()
        folds.fold_alike(alike=alike)
        for drawing in (
            TreeDrawing(graph, graph, now, folds),
            TimelineDrawing(graph, graph, now, folds, depth, waiting, None),
            LevelsDrawing(graph, graph, now, folds, depth, waiting),
            RunsDrawing(graph, graph, now, folds, depth, (run,), run.id),
        ):
            for width in (119, 39):
                drawing.head(width)
                for at in range(len(drawing.rows)):
                    # The widget cuts a line that is too long, and makes what it says inert.
                    assert drawing.line(at, width, selected=at == 0)
            found = {id for row in drawing.rows for id in (*row.jobs, *row.hidden)}
            assert found == set(graph.nodes) or isinstance(drawing, RunsDrawing)


def task_jobs(graph: Graph) -> Iterator[TaskJob]:
    for id, node in graph.nodes.items():
        if node.row is not None:
            yield TaskJob(id, node.row.name, node.row.function, node.row.status, node.row.blocked)


@pytest.mark.parametrize("kind", KINDS)
def test_the_store_reads_rows_of_any_content(tmp_path: Path, kind: str) -> None:
    look_everywhere(odd_file(tmp_path, 3, kind, FEW))


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(100, 130))
def test_the_store_reads_rows_of_any_content_long(tmp_path: Path, kind: str, seed: int) -> None:
    look_everywhere(odd_file(tmp_path, seed, kind, MANY))


async def every_screen_is_walked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    troubles: list[str] = []
    hand = Reads.hand_trouble

    def noted(self: Reads, text: str, since: datetime) -> None:
        troubles.append(text)
        hand(self, text, since)

    monkeypatch.setattr(Reads, "hand_trouble", noted)
    app = ConsoleApp(path, python=sys.executable, chdir=path.parent)
    walked = set()
    async with running(app, size=(120, 40)) as pilot:
        await until(pilot, lambda: re.search(r"1 All *\d", screen_text(app)), "the rows")
        home = len(app.screen_stack)
        for scope, way in WAYS.items():
            await press(pilot, "1", "j", "j", *way)
            place = len(app.screen_stack)
            walked.add(type(app.screen).__name__)
            assert app.screen.SCOPE is scope, way
            for action in actions_for(scope):
                if action.id in LEAVING or action.writes:
                    continue
                await press(pilot, action.keys[0])
                assert not STEERING.search(screen_text(app).replace("\n", "")), (scope, action.id)
                while len(app.screen_stack) > place:
                    await press(pilot, "escape")
            while len(app.screen_stack) > home:
                await press(pilot, "escape")
            # What is open on the list itself, as a filter, and what lies over that.
            await press(pilot, *["escape"] * 4)
    assert set(WAYS) == set(Scope)
    assert len(walked) == len(WAYS), walked
    assert not [text for text in troubles if "report this" in text]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_screen_shows_rows_of_any_content(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await every_screen_is_walked(odd_file(tmp_path, 4, kind, FEW), monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(100, 110))
async def test_every_screen_shows_rows_of_any_content_long(
    tmp_path: Path, kind: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await every_screen_is_walked(odd_file(tmp_path, seed, kind, MANY), monkeypatch)


def picture(path: Path, *words: str) -> str:
    """What `gigq-tui --once` prints."""
    answer = subprocess.run(
        [sys.executable, "-m", "gigq_tui", str(path), "--once", *words],
        cwd=path.parent,
        capture_output=True,
        timeout=120,
        check=False,
    )
    said = (answer.stdout + answer.stderr).decode()
    assert answer.returncode == 0, said
    assert not STEERING.search(said.replace("\n", ""))
    assert "Traceback" not in said
    return answer.stdout.decode()


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_taken_of_rows_of_any_content(tmp_path: Path, kind: str) -> None:
    path = odd_file(tmp_path, 5, kind, FEW)
    assert picture(path, "--limit", "1000")
    answer = json.loads(picture(path, "--json", "--limit", "1000"))
    assert len(answer["jobs"]) == len(ids_in(path))


def nothing_steers_the_terminal(path: Path, jobs: int = 3) -> None:
    with ConsoleTerminal(path, "--read-only", cwd=path.parent) as console:
        console.wait_for(r"\[1 All *\d")
        for tab in "2345671":
            console.press(tab)
            console.wait_for(rf"\[{tab} ")
        for _ in range(jobs):
            console.press("j")
            console.press("\r")
            console.wait_for(r"^ (?=[\[ ]1 Att).*\[(\d) ")
            for tab in "2345671":
                console.press(tab)
                console.wait_for(rf"\[{tab} ")
            console.press("\x1b")
            console.wait_for(r"\[1 All")
        for key, wanted in (("t", "> Tree"), ("w", "> Workers"), ("o", "> Overview")):
            console.press(key)
            console.wait_for(wanted)
            for move in "jjjG":
                console.press(move)
            console.press("\x1b")
            console.wait_for(r"\[1 All")
        assert "report this" not in console.take()
        console.press("q")
        assert console.wait_for_end() == 0
        assert console.restored()
        assert foreign(console.written) == []
        assert STEERING.findall(text_of(console.written)) == []


def test_no_byte_of_a_row_steers_the_terminal(tmp_path: Path) -> None:
    nothing_steers_the_terminal(odd_file(tmp_path, 6, "attached", FEW))


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(100, 110))
def test_no_byte_of_a_row_steers_the_terminal_long(tmp_path: Path, kind: str, seed: int) -> None:
    nothing_steers_the_terminal(odd_file(tmp_path, seed, kind, MANY), jobs=12)
