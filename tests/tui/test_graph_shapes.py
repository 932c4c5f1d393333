"""The shapes of one graph, driven by keys on a real file: a workflow of 597 jobs that is stuck."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from gigq_core import JobQueue
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.tree.past_runs import NO_WORKFLOW
from gigq_tui.screens.tree.screen import TreeScreen
from gigq_tui.screens.tree.shapes import Shape
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.reader import Reader
from gigq_tui.widgets.lines import TextLines
from tests import nightly
from tests.scene import NOW
from tests.snapshots.reader_feed import ReaderFeed
from tests.store_files import Writer
from tests.tui.harness import press, screen_text, settle


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nightly.build(tmp_path_factory.mktemp("night") / "jobs.db")


@asynccontextmanager
async def jobs_screen(path: Path, size: tuple[int, int] = (120, 32)) -> AsyncIterator[Pilot[None]]:
    """A console on a file; its hour stands still."""
    app = ConsoleApp(
        path, python=sys.executable, chdir=path.parent, clock=FrozenClock(NOW), feed=False
    )
    feed = ReaderFeed(path, app)
    feed.reader.close()
    feed.reader = Reader(path, app.services.settings.clock, is_dead=lambda _: False)
    app.services.reads.feed = feed
    async with app.run_test(size=size) as pilot:
        feed.refresh()
        await settle(pilot)
        yield pilot
        feed.close()


@asynccontextmanager
async def graph_screen(
    path: Path, job_id: str, size: tuple[int, int] = (120, 32)
) -> AsyncIterator[tuple[TreeScreen, Pilot[None]]]:
    """The graph of a job of a file."""
    async with jobs_screen(path, size) as pilot:
        assert isinstance(pilot.app, ConsoleApp)
        pilot.app.services.routes.show_tree(job_id)
        await settle(pilot)
        assert isinstance(pilot.app.screen, TreeScreen)
        yield pilot.app.screen, pilot


def text_of(screen: TreeScreen) -> str:
    app = screen.app
    assert isinstance(app, ConsoleApp)
    return screen_text(app)


def rows_of(screen: TreeScreen) -> list[str]:
    """What the list shows now, without what stands around it."""
    branches = screen.branches
    return [
        "".join(text for text, _ in branches.content_line(at, branches.content_width)).rstrip()
        for at in range(branches.total)
    ]


def said(screen: TreeScreen) -> str:
    return " ".join(screen.query_one("#outlook", TextLines).plain.split())


async def test_the_cursor_stays_on_its_job_in_every_shape(night: Path) -> None:
    wanted = nightly.job_id("price c40")
    async with graph_screen(night, wanted) as (screen, pilot):
        assert screen.cursor_job == wanted
        for shape in (Shape.TIMELINE, Shape.LEVELS, Shape.RUNS, Shape.TREE):
            await press(pilot, "T")
            assert screen.shapes.shape is shape
            assert f"[{shape.value}]" in text_of(screen)
            assert screen.cursor_job == wanted
            assert screen.row is not None
            assert wanted in screen.row.jobs
        assert screen.current_row() is not None
        assert "price c40: FAILED" in said(screen)


async def test_the_head_says_what_it_is_and_how_it_stands(night: Path) -> None:
    async with graph_screen(night, nightly.job_id("publish nightly")) as (screen, _):
        head = text_of(screen).splitlines()[1]
        assert "nightly 11:38  597 jobs" in head
        for words in ("FAILED 4", "DOOMED 30", "run 1", "done 562"):
            assert words in head
        assert "[Tree] Timeline Levels Runs" in head


async def test_the_timeline_has_a_row_for_like_jobs(night: Path) -> None:
    async with graph_screen(night, nightly.job_id("publish nightly")) as (screen, pilot):
        await press(pilot, "T")
        rows = rows_of(screen)
        assert len(rows) == 8
        starts = ["extract x6", "clean x480", "price c x76", "price c x4", "export ledger"]
        for row, start in zip(rows, starts, strict=False):
            assert start in row
        assert "! + price c x4" in rows[3]
        assert rows[3].count("X") >= 3
        assert "blocks 30" in rows[3]
        assert ">" in rows[4].split("export ledger")[1]
        assert "never: price c11" in rows[6]
        axis = text_of(screen).splitlines()[2]
        assert "11:45" in axis
        assert "now" in axis
        await press(pilot, "g", "space")
        assert [row for row in rows_of(screen) if "extract" in row][1].lstrip().startswith("ext")
        assert len(rows_of(screen)) == 14
        await press(pilot, "j", "enter")
        assert isinstance(pilot.app.screen, JobScreen)
        assert screen.cursor_job == nightly.job_id("extract 1")


async def test_why_what_is_critical_and_when_it_is_done_take_three_keys(night: Path) -> None:
    """From the list of jobs, on the workflow's last one."""
    async with jobs_screen(night) as pilot:
        assert isinstance(pilot.app, ConsoleApp)
        assert "publish nightly" in screen_text(pilot.app)
        await press(pilot, "t", "T")
        screen = pilot.app.screen
        assert isinstance(screen, TreeScreen)
        # What decides the end, when that is, and from how many runs of the export it is known.
        told = "Done about 12:25 (12:20 to 12:33, from 3 past runs), except for 30 jobs"
        assert told in said(screen)
        assert "if all 4 failed are retried, everything about 12:27" in said(screen)
        assert "Critical: export ledger." in said(screen)
        row = next(row for row in rows_of(screen) if "export ledger" in row)
        assert row.startswith("  *")
        assert "~|-" in row
        assert "critical, about 12:25, at best 12:20" in row
        # Why it is stuck, and what there is to do.
        await press(pilot, "full_stop")
        assert screen.notice_line.text == "Culprit 1 of 4: price c11 blocks 30 jobs."
        row = next(row for row in rows_of(screen) if "price c x4" in row)
        assert "FAILED, blocks 30, R frees 30" in row


async def test_a_forecast_that_can_not_be_made_says_why(tmp_path: Path) -> None:
    path = nightly.build(tmp_path / "jobs.db", nights=0)
    writer = Writer(path)
    writer.conn.execute("DELETE FROM core_workers")
    writer.conn.execute("DELETE FROM job_executions")
    writer.close()
    async with graph_screen(path, nightly.job_id("export ledger")) as (screen, pilot):
        await press(pilot, "T")
        assert "There is no forecast: " in said(screen)
        assert "~" not in "".join(rows_of(screen))


async def test_the_levels_say_where_it_is_narrow(night: Path) -> None:
    async with graph_screen(night, nightly.job_id("clean 017")) as (screen, pilot):
        await press(pilot, "T", "T")
        rows = rows_of(screen)
        assert [row.split()[-2:] for row in rows[:2]] == [["done", "6"], ["done", "480"]]
        assert len(rows) == 5
        assert rows[2].lstrip().startswith("*")
        assert "bottleneck: level 3, 30 jobs behind its last 5" in text_of(screen)
        assert screen.branches.cursor == 1
        await press(pilot, "space")
        assert "clean x480" in rows_of(screen)[2]
        await press(pilot, "j", "space", "/", *"clean 017", "enter")
        assert screen.cursor_job == nightly.job_id("clean 017")


async def test_the_culprit_is_what_blocks_most_and_then_the_next(night: Path) -> None:
    async with graph_screen(night, nightly.job_id("publish nightly")) as (screen, pilot):
        seen = []
        for _ in range(5):
            await press(pilot, "full_stop")
            row = screen.current_row()
            assert row is not None
            seen.append(row.name)
        assert seen[0] == "price c11"
        assert sorted(seen[:4]) == sorted(f"price c{n}" for n in nightly.FAILED_PRICES)
        assert seen[4] == seen[0]
        assert screen.notice_line.text == "Culprit 1 of 4: price c11 blocks 30 jobs."
        await press(pilot, "T", "g", "G")
        await press(pilot, "full_stop")
        assert screen.cursor_job == nightly.job_id("price c11")
        assert "FAILED" in said(screen) or "in one row" in said(screen)


async def test_the_culprit_is_found_where_only_one_side_is_shown(night: Path) -> None:
    async with graph_screen(night, nightly.job_id("export ledger")) as (screen, pilot):
        await press(pilot, "left_square_bracket")
        assert "upstream of export ledger" in text_of(screen)
        await press(pilot, "full_stop")
        assert screen.cursor_job == nightly.job_id("price c11")


async def test_what_is_done_can_be_hidden_in_every_shape(night: Path) -> None:
    async with graph_screen(night, nightly.job_id("price c40")) as (screen, pilot):
        await press(pilot, "Z")
        for _ in Shape:
            assert "done hidden (Z)" in text_of(screen)
            rows = rows_of(screen)
            assert not any("clean" in row or "extract" in row for row in rows)
            assert len(rows) == 3 or any("export ledger" in row for row in rows)
            assert screen.cursor_job == nightly.job_id("price c40")
            await press(pilot, "T")
        await press(pilot, "Z")
        assert any("clean" in row for row in rows_of(screen))


async def test_runs_stand_beside_each_other_and_open(night: Path) -> None:
    async with graph_screen(night, nightly.job_id("publish nightly")) as (screen, pilot):
        await press(pilot, "T", "T", "T")
        rows = rows_of(screen)
        assert "price c x80" in rows[2]
        assert rows[2].split("x80")[1].split() == ["+", "X", "+", "X"]
        assert rows[-1].rstrip().endswith("[.]")
        await press(pilot, "left", "left")
        assert rows_of(screen)[-1].split("nightly")[1].strip() == "+[+]+ ."
        assert "Run of Sat 21 Nov 11:38: done" in said(screen)
        # What acts means the jobs of this graph: on another run's column there are none.
        await press(pilot, "c")
        assert not screen.panel.is_open
        assert screen.notice_line.text == "There is no job under the cursor."
        await press(pilot, "enter")
        other = pilot.app.screen
        assert other is not screen
        assert isinstance(other, TreeScreen)
        assert other.job_id == nightly.job_id("publish nightly", 2)
        await press(pilot, "escape", "right", "right", "right", "enter")
        assert pilot.app.screen is screen
        assert screen.shapes.shape is Shape.TREE


async def test_jobs_of_no_workflow_have_no_runs(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.job("first", "completed")
    writer.job("second", parents=["first"])
    writer.close()
    async with graph_screen(path, "second") as (screen, pilot):
        await press(pilot, "T", "T", "T")
        assert said(screen) == NO_WORKFLOW
        await press(pilot, "left")
        assert screen.shapes.shape is Shape.RUNS
        assert not rows_of(screen)


async def test_folds_are_remembered_from_one_graph_to_the_next(night: Path) -> None:
    async with graph_screen(night, nightly.job_id("extract 1")) as (screen, pilot):
        assert "below" not in rows_of(screen)[0]
        await press(pilot, "space")
        assert "below" in rows_of(screen)[0]
        await press(pilot, "escape")
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        app.services.routes.show_tree(nightly.job_id("extract 1"))
        await settle(pilot)
        assert isinstance(app.screen, TreeScreen)
        assert "below" in rows_of(app.screen)[0]


async def test_what_is_typed_to_find_runs_no_command(night: Path) -> None:
    async with graph_screen(night, nightly.job_id("publish nightly")) as (screen, pilot):
        for shape in Shape:
            assert screen.shapes.shape is shape
            await pilot.press("slash", "ctrl+u", *"Czc TZ.r")
            await settle(pilot)
            assert screen.shapes.shape is shape
            assert not screen.panel.is_open
            assert not screen.folding.folds.hides_done
            assert screen.typed_line.text == "Czc TZ.r"
            await press(pilot, "escape", "slash", "ctrl+u", *"export", "enter", "n", "N")
            assert screen.cursor_job == nightly.job_id("export ledger")
            await press(pilot, "T")


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (40, 12), (200, 50)])
async def test_every_size_has_room(night: Path, size: tuple[int, int]) -> None:
    async with graph_screen(night, nightly.job_id("price c12"), size) as (screen, pilot):
        for _ in Shape:
            for key in ("g", "space", "G", "space", "z", "z"):
                await press(pilot, key)
            assert f"[{screen.shapes.shape.value}]" in text_of(screen)
            await press(pilot, "T")


@pytest.fixture
def changing(night: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(night, tmp_path / "jobs.db"))


async def test_a_run_that_goes_on_is_drawn_anew(changing: Path) -> None:
    async with graph_screen(changing, nightly.job_id("price c11")) as (screen, pilot):
        await press(pilot, "T", "T", "T")
        assert rows_of(screen)[2].rstrip().endswith("[X]")
        queue = JobQueue(changing)
        for number in nightly.FAILED_PRICES:
            assert queue.requeue_job(nightly.job_id(f"price c{number}"))
        queue.close()
        feed = screen.services.reads.feed
        assert isinstance(feed, ReaderFeed)
        clock = screen.services.settings.clock
        assert isinstance(clock, FrozenClock)
        clock.advance(30)
        feed.refresh()
        await settle(pilot)
        assert rows_of(screen)[2].rstrip().endswith("[.]")
