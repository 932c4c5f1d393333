"""The columns of the job table: which there are at which width, and what a row says in each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gigq_tui import format as fmt
from gigq_tui.config.model import COLUMN_NAMES, DEFAULT_COLUMNS, Column
from gigq_tui.store.derive import RUNNING_STATES, run_seconds, state_of, ticks, why
from gigq_tui.store.models import Health, JobRow, State
from gigq_tui.store.sorting import Sort, SortKey
from gigq_tui.widgets.lines import Line, Span

WIDE = 100
NARROW = 70
TINY = 50
RIGHT_ALIGNED = frozenset({"PRI"})
# The widths of columns that were chosen, where no width was; of WHY, the least.
_CELLS = {
    "id": 8,
    "name": 18,
    "state": 11,
    "pri": 3,
    "att": 5,
    "age": 4,
    "dur": 6,
    "worker": 12,
    "why": 16,
}
_NARROW_CELLS = {**_CELLS, "id": 6, "name": 16, "state": 5, "att": 4, "worker": 8, "why": 12}
_FIRST_TO_GO = ("worker", "pri", "att", "id", "age", "dur", "why", "state", "name")
# The order that the title of a column stands for; WORKER and WHY stand for none.
SORTS = {
    "ID": SortKey.SUBMITTED,
    "NAME": SortKey.NAME,
    "STATE": SortKey.STATE,
    "ST": SortKey.STATE,
    "PRI": SortKey.PRIORITY,
    "ATT": SortKey.ATTEMPTS,
    "AGE": SortKey.AGE,
    "DUR": SortKey.DURATION,
}
GONE = "no longer in this list"
_GONE_CELLS = {"STATE": "- gone", "ST": "-gone", "WHY": GONE, "WHY / LAST ERROR": GONE}
_ALARMING = frozenset({State.DOOMED, State.ORPHANED, State.OVERDUE})


@dataclass(frozen=True)
class Layout:
    """The columns at one width: pairs of title and cells, WHY last with what is left."""

    columns: tuple[tuple[str, int], ...]
    gutter: int
    short: bool


def layout_for(width: int, chosen: tuple[Column, ...] = DEFAULT_COLUMNS) -> Layout:
    """Return the columns for a table of `width` cells: the usual ones, or those somebody chose."""
    if chosen != DEFAULT_COLUMNS:
        return _chosen(width, chosen)
    if width >= WIDE:
        fixed = [
            ("ID", 8),
            ("NAME", min(34, 18 + max(0, width - 120) // 4)),
            ("STATE", 11),
            ("PRI", 3),
            ("ATT", 5),
            ("AGE", 4),
            ("DUR", 6),
            ("WORKER", 12 if width >= 116 else 8),
        ]
        return _filled(fixed, 4, width, short=False)
    if width >= NARROW:
        fixed = [("ID", 6), ("NAME", 16), ("ST", 5), ("ATT", 4), ("AGE", 4), ("DUR", 6)]
        return _filled(fixed, 3, width, short=True)
    if width >= TINY:
        return _filled([("NAME", 14), ("ST", 5), ("AGE", 4), ("DUR", 6)], 3, width, short=True)
    return _filled([("NAME", 12), ("ST", 5)], 3, width, short=True)


def _chosen(width: int, chosen: tuple[Column, ...]) -> Layout:
    """Lay out what was chosen, in its order; what doesn't fit goes, the least weighty first.

    WHY takes what is left, or NAME where there is no WHY, unless its width was chosen too.
    """
    short = width < WIDE
    gutter = 3 if short else 4
    usual = _NARROW_CELLS if short else _CELLS
    columns = {name: (_titles(short)[name], cells or usual[name]) for name, cells in chosen}

    def left() -> int:
        used = sum(cells + gap_after(title) for title, cells in columns.values())
        return width - gutter - used + 1

    for name in _FIRST_TO_GO:
        if left() < 0 and len(columns) > 1:
            columns.pop(name, None)
    stretched = next((name for name in ("why", "name") if Column(name) in chosen), "")
    if stretched in columns:
        title, cells = columns[stretched]
        columns[stretched] = (title, max(1, cells + left()))
    return Layout(tuple(columns.values()), gutter, short)


def _titles(short: bool) -> dict[str, str]:
    titles = {name: name.upper() for name in COLUMN_NAMES}
    return titles | ({"state": "ST"} if short else {"why": "WHY / LAST ERROR"})


def _filled(fixed: list[tuple[str, int]], gutter: int, width: int, *, short: bool) -> Layout:
    used = gutter + sum(cells + gap_after(title) for title, cells in fixed)
    why_title = "WHY" if short else "WHY / LAST ERROR"
    return Layout((*fixed, (why_title, max(6, width - used))), gutter, short)


def gap_after(title: str) -> int:
    """Return the blank cells after a column; what is right-aligned needs more."""
    return 2 if title in RIGHT_ALIGNED else 1


def head_line(layout: Layout, sort: Sort) -> Line:
    """Return the line of titles, with an arrow after the one that the rows are sorted by."""
    spans: list[Span] = [(" " * layout.gutter, "")]
    for title, cells in layout.columns:
        right = title in RIGHT_ALIGNED
        if SORTS.get(title) is not sort.key:
            spans += [(fmt.pad(title, cells, right=right), "heading")]
            spans += [(" " * gap_after(title), "")]
            continue
        # A title as wide as its column has its arrow in the gap behind it.
        titled = fmt.pad(title, cells, right=right).rstrip()
        arrow = "^" if sort.rising else "v"
        spans.append((f"{titled}{arrow}", "key"))
        spans.append((" " * (cells + gap_after(title) - fmt.width_of(titled) - 1), ""))
    return tuple(spans[:-1])


def title_at(layout: Layout, x: int) -> str:
    """Return the title of the column at a cell of the line, or an empty string."""
    at = layout.gutter
    for title, cells in layout.columns:
        if at <= x < at + cells + gap_after(title):
            return title
        at += cells + gap_after(title)
    return ""


def row_line(
    row: JobRow,
    layout: Layout,
    now: datetime,
    told_at: datetime,
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
        told_at: When the other rows' ages were last told.
        cursor: Whether the cursor stands here.
        marked: Whether the row is marked.
        gone: Whether the list no longer holds the row, which keeps its place for a moment.
    """
    moment = now if ticks(row) else told_at
    state = state_of(row, moment)
    arrow = ">" if cursor else " "
    flag = "#" if marked else " "
    gutter = f" {arrow}{flag} " if layout.gutter == 4 else f"{arrow}{flag} "
    spans: list[Span] = [(gutter, "mark" if marked else "key")]
    for title, cells in layout.columns:
        text, role = _cell(title, row, state, moment, told_at, layout)
        if gone:
            text, role = _GONE_CELLS.get(title, text), "off"
        spans.append((fmt.pad(fmt.inert(text), cells, right=title in RIGHT_ALIGNED), role))
        spans.append((" " * gap_after(title), ""))
    return tuple(spans[:-1])


def _cell(
    title: str, row: JobRow, state: State, now: datetime, told_at: datetime, layout: Layout
) -> Span:
    if title == "ID":
        return row.id[: 6 if layout.short else 8], "dim"
    if title == "NAME":
        return row.name, ""
    if title in ("STATE", "ST"):
        mark = fmt.MARKS[state]
        return (f"{mark.glyph}{mark.short}" if layout.short else f"{mark.glyph} {mark.word}"), (
            mark.role
        )
    if title == "PRI":
        return str(row.priority), "" if row.priority else "dim"
    if title == "ATT":
        return f"{row.attempts}/{row.max_attempts}", "" if row.attempts > 1 else "dim"
    if title == "AGE":
        return _age(row, told_at), "dim"
    if title == "DUR":
        return _took(row, state, now), "run" if state in RUNNING_STATES else ""
    if title == "WORKER":
        return _worker(row, state, dict(layout.columns)["WORKER"]), "dim"
    return why(row, now), "warn" if state in _ALARMING else ""


def _age(row: JobRow, told_at: datetime) -> str:
    if row.created_at is None:
        return "-"
    return fmt.age((told_at - row.created_at).total_seconds())


def _took(row: JobRow, state: State, now: datetime) -> str:
    seconds = run_seconds(row, now)
    if seconds is None:
        return "-"
    return fmt.elapsed(seconds) if state in RUNNING_STATES else fmt.duration(seconds)


def _worker(row: JobRow, state: State, cells: int) -> str:
    """Who holds the job; the pid only beside a whole name, which is how it is found again."""
    if row.worker_id is None:
        return "-"
    if state is State.ORPHANED or (state in RUNNING_STATES and row.holder is Health.LOST):
        told = f"{row.worker_id} (gone)"
        return told if fmt.width_of(told) <= cells else row.worker_id
    if state in RUNNING_STATES and row.holder_pid is not None:
        told = f"{row.worker_id} {row.holder_pid}"
        return told if fmt.width_of(told) <= cells else row.worker_id
    return row.worker_id
