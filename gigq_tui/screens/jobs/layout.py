"""The job table's columns at a width: which there are, how wide, and the lines that they make."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gigq_core.reasons.why import state_of, ticks
from gigq_tui import format as fmt
from gigq_tui.columns import WIDE, Column, JobAt, column_named, shown_columns
from gigq_tui.config.model import ChosenColumn
from gigq_tui.store.models import JobRow
from gigq_tui.store.sorting import Sort
from gigq_tui.widgets.lines import Line, Span, line_width

# So many cells has a column of the usual ones that takes what is left, where nothing is.
LEAST_STRETCHED = 6


class PlacedColumn(NamedTuple):
    """A column with its title, its width in cells, and what stands behind it."""

    column: Column
    title: str
    cells: int
    gap: Span

    @property
    def taken(self) -> int:
        """The cells it takes, those between it and the next column among them."""
        return self.cells + len(self.gap[0])


@dataclass(frozen=True)
class Layout:
    """The columns at one width, after a gutter for cursor and marks."""

    columns: tuple[PlacedColumn, ...]
    gutter: int
    short: bool


def layout_for(width: int, chosen: tuple[ChosenColumn, ...] = ()) -> Layout:
    """Return the columns for a table of `width` cells: the usual ones where none were chosen.

    Of the chosen ones, what doesn't fit goes, the least weighty first. The column that stretches
    most takes what is left, unless its width was chosen too.
    """
    short = width < WIDE
    gutter = 3 if short else 4
    usual = not chosen
    chosen = chosen or tuple(ChosenColumn(column.name) for column in shown_columns(width))
    found = ((name, column_named(name)) for name, _ in chosen)
    by_name = {name: column for name, column in found if column is not None}
    placed: list[PlacedColumn] = []
    for name, cells in chosen:
        column = by_name[name]
        own = column.narrow if short else column.cells
        if usual and column.usual is not None:
            own = column.usual(width)
        title, gap = column.title_in(short=short), (" " * column.gap, "")
        placed.append(PlacedColumn(column, title, cells or own, gap))

    def left() -> int:
        return width - gutter - sum(one.taken for one in placed) + 1

    while not usual and left() < 0 and len(placed) > 1:
        placed.remove(min(placed, key=lambda one: one.column.weight))
    elastic = {name for name, cells in chosen if cells is None}
    most = max((by_name[name].stretch for name in elastic), default=0)
    for at, one in enumerate(placed):
        if most and one.column.stretch == most and one.column.name in elastic:
            least = LEAST_STRETCHED if usual else 1
            placed[at] = one._replace(cells=max(least, one.cells + left()))
    return Layout(tuple(placed), gutter, short)


def head_line(layout: Layout, sort: Sort) -> Line:
    """Return the line of titles, with an arrow after the one that the rows are sorted by."""
    spans: list[Span] = [(" " * layout.gutter, "")]
    for column, title, cells, gap in layout.columns:
        if column.sort is not sort.key:
            spans += [(fmt.pad(title, cells, right=column.right), "heading")]
            spans += [gap]
            continue
        # A title as wide as its column has its arrow in the gap behind it.
        titled = fmt.pad(title, cells, right=column.right).rstrip()
        arrow = "^" if sort.rising else "v"
        spans.append((f"{titled}{arrow}", "key"))
        spans.append((" " * (cells + column.gap - fmt.width_of(titled) - 1), ""))
    return tuple(spans[:-1])


def column_at(layout: Layout, x: int) -> Column | None:
    """Return the column at a cell of the line, or None."""
    at = layout.gutter
    for placed in layout.columns:
        if at <= x < at + placed.taken:
            return placed.column
        at += placed.taken
    return None


def row_line(
    row: JobRow,
    layout: Layout,
    now: datetime,
    ages_at: datetime,
    *,
    cursor: bool,
    marked: bool,
    gone: bool = False,
) -> Line:
    """Return one job as a line.

    Args:
        row: The job.
        layout: The columns.
        now: The present, by which a running job's time is told.
        ages_at: When the other rows' ages were last told.
        cursor: Whether the cursor stands here.
        marked: Whether the row is marked.
        gone: Whether the list no longer holds the row, which keeps its place for a moment.
    """
    moment = now if ticks(row) else ages_at
    job = JobAt(row, state_of(row, moment), moment, ages_at, layout.short)
    arrow = ">" if cursor else " "
    flag = "#" if marked else " "
    gutter = f" {arrow}{flag} " if layout.gutter == 4 else f"{arrow}{flag} "
    spans: list[Span] = [(gutter, "mark" if marked else "key")]
    for column, _, cells, gap in layout.columns:
        text, role = column.cell(job, cells)
        if gone:
            text, role = column.gone[layout.short] or text, "off"
        elif column.picture is not None:
            picture = column.picture(job, cells)
            spans += picture
            cells -= line_width(picture)
        spans.append((fmt.pad(fmt.inert(text), cells, right=column.right), role))
        spans.append(gap)
    return tuple(spans[:-1])
