"""The table paints what changed and nothing else, and draws hostile rows as harmless text."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from textual.geometry import Region

from gigq_tui.screens.jobs.held_order import hold
from gigq_tui.screens.jobs.layout import layout_for
from gigq_tui.screens.jobs.table import JobTable
from gigq_tui.screens.jobs.window import wanted_anchor
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.list.view import TOP, AnchorKind
from gigq_tui.store.models import Window
from gigq_tui.widgets.lines import fit, line_width, spread
from gigq_tui.widgets.tabs import shown_range
from tests.scene import NOW
from tests.tui.harness import (
    Console,
    detail_of,
    feed_of,
    give,
    jobs_screen,
    make_app,
    row,
    running,
    screen_text,
    settle,
)


class Repaints:
    """Remembers which regions of a table were repainted."""

    def __init__(self, table: JobTable, monkeypatch: pytest.MonkeyPatch) -> None:
        self.regions: list[Region] = []
        refresh = table.refresh

        def noted(*regions: Region, **options: Any) -> Any:
            self.regions += regions or [table.size.region]
            return refresh(*regions, **options)

        monkeypatch.setattr(table, "refresh", noted)


async def test_one_changed_cell_repaints_one_line(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(number) for number in range(20, 0, -1)]
    async with console() as (app, pilot):
        await give(pilot, rows)
        table = jobs_screen(app).table
        repaints = Repaints(table, monkeypatch)
        rendered: list[int] = []
        render_line = table.render_line
        monkeypatch.setattr(table, "render_line", lambda y: (rendered.append(y), render_line(y))[1])
        rows[3] = replace(rows[3], attempts=1)
        await give(pilot, rows)
        assert {region.y for region in repaints.regions} == {3}
        assert set(rendered) == {3}


async def test_the_same_rows_again_repaint_nothing(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(number) for number in range(20, 0, -1)]
    async with console() as (app, pilot):
        await give(pilot, rows)
        repaints = Repaints(jobs_screen(app).table, monkeypatch)
        await give(pilot, rows)
        assert repaints.regions == []


async def test_only_running_rows_tick(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FrozenClock(NOW)
    rows = [row(3), row(2, status="running"), row(1, status="completed")]
    async with console(clock=clock) as (app, pilot):
        await give(pilot, rows)
        table = jobs_screen(app).table
        repaints = Repaints(table, monkeypatch)
        clock.advance(1)
        app.screen.tick()  # type: ignore[attr-defined]
        assert {region.y for region in repaints.regions} == {1}


async def test_a_cursor_step_repaints_two_lines(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console() as (app, pilot):
        await give(pilot, [row(number) for number in range(20, 0, -1)])
        repaints = Repaints(jobs_screen(app).table, monkeypatch)
        await pilot.press("j")
        await settle(pilot)
        assert {region.y for region in repaints.regions} == {0, 1}


HOSTILE = [
    "[@click=app.quit]press me[/]",
    "[bold red]loud[/bold red]",
    "\x1b[31mred\x1b]52;c;aGk=\x07",
    "abc\u202edcba\u2066",
    "nul\x00nul",
    "lone \udcff surrogate",
    "two\nlines\r\tand a tab",
    "c1 \x9b31m csi",
    "\u200bzero\u200dwidth\ufeff",
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_drawn_as_text(text: str) -> None:
    app = make_app()
    job = row(1, text, "failed", error=text, worker_id=text, function=text)
    feed_of(app).answers["detail"] = lambda _id: detail_of(
        job, params={text: text}, description=text, error=text * 3, raw={"name": text}
    )
    async with running(app) as pilot:
        await give(pilot, [job])
        for key in ("space", "r", "n", "enter", "right", "right", "G", "right", "right", "right"):
            shown = screen_text(app)
            assert all(char.isprintable() or char == "\n" for char in shown)
            await pilot.press(key)
            await settle(pilot)
        await pilot.click(offset=(6, 6))
        await settle(pilot)
        assert app.is_running
        if text.startswith("["):
            await pilot.press("escape")
            await settle(pilot)
            assert text[:14] in screen_text(app)


@pytest.mark.parametrize("width", [40, 60, 70, 79, 80, 99, 100, 119, 120, 200, 300])
def test_columns_fill_every_width(width: int) -> None:
    layout = layout_for(width)
    assert layout.columns[-1].title.startswith("WHY")
    used = layout.gutter + sum(placed.cells + 1 for placed in layout.columns)
    assert width - 1 <= used <= max(width + 1, 50)


def test_lines_are_cut_and_spread_by_cells() -> None:
    assert line_width(fit((("日本語テキスト", ""), ("tail", "")), 9)) <= 9
    assert fit((("abc", "x"),), 3) == (("abc", "x"),)
    line = spread((("left", ""),), (("right", ""),), 20)
    assert line_width(line) == 20
    assert line_width(spread((("l" * 50, ""),), (("right", ""),), 20)) == 20


async def test_the_window_is_wanted_near_its_edges(console: Console) -> None:
    async with console() as (app, pilot):
        rows = tuple(row(n) for n in range(10_000, 9_800, -1))
        await give(pilot, (), window=Window(rows, 0, 10_000))
        table = jobs_screen(app).table
        assert wanted_anchor(table.window, table.top, table.page, table.page_rows) is None
        table.move_to(190)
        await settle(pilot)
        anchor = app.services.picture.view.anchor
        assert anchor.kind is AnchorKind.AFTER
        assert rows[anchor.start - 1].key == anchor.key
        table.move_to(5_000)
        await settle(pilot)
        near = app.services.picture.view.anchor
        assert near.kind is AnchorKind.NEAR
        rows = tuple(row(n) for n in range(5_100, 4_900, -1))
        await give(pilot, (), window=Window(rows, near.start, 10_000))
        table.move_to(0)
        await settle(pilot)
        assert app.services.picture.view.anchor == TOP


async def test_ages_are_told_in_coarse_steps(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FrozenClock(NOW)
    old = row(1, created_at=NOW - timedelta(hours=5), status="completed")
    async with console(clock=clock) as (app, pilot):
        await give(pilot, [old])
        table = jobs_screen(app).table
        repaints = Repaints(table, monkeypatch)
        clock.advance(60)
        table.draw_ages()
        assert repaints.regions == []
        clock.advance(3600)
        table.draw_ages()
        assert len(repaints.regions) == 1


def window(ids: str, start: int = 0, total: int | None = None) -> Window:
    rows = tuple(row(ord(letter), letter, id=letter) for letter in ids)
    return Window(rows, start, len(rows) if total is None else total)


@pytest.mark.parametrize(
    ("shown", "newest", "gone", "news"),
    [
        (window("dcba"), window("dcba"), "", ""),
        (window("dcba"), window("fedcba"), "", "2 new above"),
        (window("dcba"), window("dba"), "c", ""),
        (window("dcba"), window("edba"), "c", "1 new above"),
        (window("abcd"), window("abcdef"), "", "2 new below"),
        (window("abcd"), window("abxcdy"), "", "2 new"),
        (window("dcba"), window(""), "abcd", ""),
        (window("dcba"), window("xyz"), "abcd", "3 new"),
        # Another page of a long list: what it does not reach is not gone, nor what it adds new.
        (window("dcba", 0, 9), window("hgfe", 4, 9), "", ""),
        (window("dcba", 4, 9), window("fedc", 2, 9), "", ""),
        (window("dcba", 4, 9), window("eda", 3, 8), "bc", "1 new"),
        (window("hgfe", 0, 9), window("xhgf", 0, 10), "", "1 new above"),
    ],
)
def test_rows_keep_their_places_and_what_is_new_is_told(
    shown: Window, newest: Window, gone: str, news: str
) -> None:
    held = hold(shown, newest)
    assert [held_row.id for held_row in held.window.rows] == [was.id for was in shown.rows]
    assert (held.window.start, held.window.total) == (shown.start, shown.total)
    assert held.gone == set(gone)
    assert held.news == news


def test_cells_update_in_rows_that_keep_their_places() -> None:
    shown = window("cba")
    rows = tuple(replace(old, priority=9) for old in window("acb").rows)
    held = hold(shown, Window(rows, 0, 3))
    assert [(held_row.id, held_row.priority) for held_row in held.window.rows] == [
        ("c", 9),
        ("b", 9),
        ("a", 9),
    ]


@pytest.mark.parametrize(
    ("active", "room", "shown"),
    [(0, 100, (0, 5)), (0, 9, (0, 2)), (4, 9, (3, 5)), (2, 13, (2, 5)), (2, 1, (2, 3))],
)
def test_tabs_are_cut_between_tabs(active: int, room: int, shown: tuple[int, int]) -> None:
    assert shown_range([4, 4, 4, 4, 4], active, room) == shown
