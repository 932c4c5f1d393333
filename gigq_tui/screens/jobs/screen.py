"""The jobs screen, home of the console: tabs, filter, the table, and the job under the cursor."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.widget import Widget

from gigq_core.reasons.why import ticks
from gigq_tui.config.model import ChosenColumn
from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import NEW
from gigq_tui.keys.looking_actions import OPEN, TAB_ACTIONS
from gigq_tui.keys.screen_actions import CLEAR, LEAVE
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.jobs.all_matching import AllMatching
from gigq_tui.screens.jobs.arrival import Arrival
from gigq_tui.screens.jobs.clear import Clear
from gigq_tui.screens.jobs.column_choice import ColumnChoice
from gigq_tui.screens.jobs.filter_box import FilterBox
from gigq_tui.screens.jobs.head_row import HeadRow
from gigq_tui.screens.jobs.listing import TABS, Listing
from gigq_tui.screens.jobs.lost_cursor import LostCursor
from gigq_tui.screens.jobs.marks import Marks
from gigq_tui.screens.jobs.status_line import (
    ListStatus,
    describe_followed,
    reason_line,
    status_line,
)
from gigq_tui.screens.jobs.summary import Summary, SummaryPanel
from gigq_tui.screens.jobs.tab_labels import tab_labels
from gigq_tui.screens.jobs.table import JobTable
from gigq_tui.screens.parts.job_actions import ChosenJobs, JobActions
from gigq_tui.screens.parts.job_copy import JobCopy
from gigq_tui.screens.parts.job_links import JobLinks, OpenJob
from gigq_tui.services import Services
from gigq_tui.store.list.view import View
from gigq_tui.store.models import JobRow, Snapshot, Tab
from gigq_tui.widgets.lines import BLANK, Lines, TextLines
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.tabs import TabRow

AGES_S = 20.0


class JobsScreen(ConsoleScreen, inherit_bindings=False):
    """All jobs, as the tab and the filter let them through."""

    SCOPE = Scope.JOBS
    BINDINGS = bindings_for(Scope.JOBS)
    CSS_PATH = "screen.tcss"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        settings, notices = services.settings, services.notices
        self._hints = services.hints
        self.table = JobTable(settings.clock, services.picture.view.rows, id="table")
        self.filter_box = FilterBox(id="filter")
        config, start = settings.config, settings.start
        self.listing = Listing(
            self, services.picture, notices, config.sort, config.columns, self._hints
        )
        self.marks = Marks(self, notices, self._hints)
        self.arrival = Arrival(self, self.listing, services.routes, notices)
        self.table.choose_columns(tuple(map(ChosenColumn.of, start.columns)) or config.columns)
        self.table.marks = self.marks
        actions = services.actions
        self._lost_cursor = LostCursor(self.table, lambda: actions.last_report)
        self.summary = Summary(self, settings.path, settings.clock, self._hints)
        acting = JobActions.of(self, services, self.marks.clear)
        self.parts = (
            self.listing,
            self.arrival,
            self.marks,
            self.summary,
            acting,
            AllMatching(self, acting.ask_cancel, acting.ask_retry, notices),
            ColumnChoice(
                self,
                self.listing,
                services.views,
                config.columns,
                services.keymap,
                notices,
            ),
            Clear(self, services.actions, notices, settings.clock, self.marks.clear, self._hints),
            OpenJob(self, services.routes),
            JobLinks(self, services.routes, notices),
            JobCopy(self, services.copying, notices, settings.path),
        )

    def compose_body(self) -> Iterable[Widget]:
        yield TabRow(id="tabs")
        yield TextLines(id="status")
        yield self.filter_box
        yield HeadRow(id="head")
        yield self.table
        yield SummaryPanel(id="summary")

    def on_mount(self) -> None:
        self.set_interval(AGES_S, self._draw_ages)
        settings = self.services.settings
        self.arrival.open(settings.start.open)
        self.call_after_refresh(self.arrival.tell_resumed, settings)

    # What it is made of

    @property
    def summary_panel(self) -> SummaryPanel | None:
        """Where the job under the cursor is shown; None where the terminal is too low for it.

        While the app ends it may have gone before the screen, and an answer may still come.
        """
        there = self.is_mounted and self.has_class("-tall")
        return next(iter(self.query(SummaryPanel)), None) if there else None

    @property
    def view(self) -> View:
        """What is listed."""
        return self.services.picture.view

    def crumbs(self) -> tuple[str, ...]:
        return ()

    def mover(self) -> Scrolled | None:
        return self.table

    def question_hosts(self) -> Iterable[Lines]:
        return (self.query_one(SummaryPanel), self.table)

    # What keys are about

    def current_row(self) -> JobRow | None:
        return self.listing.current

    @property
    def has_left_list(self) -> bool:
        """Whether the job under the cursor only keeps its place in a list that has lost it."""
        row = self.current_row()
        return row is not None and row.id in self.table.held_order.gone

    def marked_count(self) -> int:
        return self.marks.count

    @property
    def marked_ids(self) -> tuple[str, ...]:
        """The jobs that are marked."""
        return self.marks.ids

    def chosen_jobs(self) -> ChosenJobs:
        """The marked jobs, or the one under the cursor."""
        return self.marks.chosen_jobs()

    # Drawing

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self._draw_tabs()
        self.take_rows(snapshot)
        self.listing.check_followed(snapshot)
        self._draw_row()

    def take_rows(self, snapshot: Snapshot) -> None:
        """Take the rows of a snapshot, if they are of the list shown now."""
        awaited = self.table.awaits_list
        self._lost_cursor.look(snapshot.window)
        if self.listing.take_rows(snapshot):
            self._lost_cursor.note()
            self.marks.refresh_rows(snapshot.window.rows)
            if awaited:
                self.shows_anew()

    def step_to_row(self, by: int) -> JobRow | None:
        """Move the cursor; return the job under it then."""
        self.table.step(by)
        return self.table.current

    def list_changed(self) -> None:
        """Another list was asked for: no range of the last one goes on in it."""
        self.marks.drop_range()
        self._draw_tabs()
        self._draw_status()

    def draw(self) -> None:
        """Draw what depends on the cursor, the marks and the view."""
        self.marks.follow_cursor()
        self.query_one(HeadRow).show_titles(self.table.columns, self.view.sort)
        self._draw_status()
        self._draw_reason()
        self.summary.draw()
        self.refresh_frame()

    def _draw_row(self) -> None:
        """Draw all of it, and read more of the job under the cursor."""
        self.draw()
        self.summary.read()

    def _draw_tabs(self) -> None:
        snapshot = self.services.picture.shown
        counts = snapshot.counts if snapshot is not None else None
        self.query_one(TabRow).tell(tab_labels(counts, self._hints), TABS.index(self.view.tab))

    def _draw_status(self) -> None:
        """Draw what is filtered, sorted, marked and followed."""
        line, box, window = self.query_one("#status", TextLines), self.filter_box, self.table.window
        box.draw_hits(window.matching)
        now = self.services.settings.clock.now()
        status = ListStatus(
            filter_text=self.view.filter.text,
            total=window.total,
            beyond=window.beyond,
            sort=self.view.sort,
            marked=self.marks.count,
            in_range=self.marks.range_from is not None,
            following=describe_followed(self.view.follow, self.listing.followed, now),
            news=self.table.held_order.news,
            hints=self._hints,
        )
        line.set_class(status.is_unusual and not box.is_open, "-on")
        line.show(status_line(status, self.size.width))

    def _draw_reason(self) -> None:
        """Say in the notice line of a low terminal why the job is where it is."""
        line = BLANK
        if not self.has_class("-tall"):
            line = reason_line(
                self.current_row(),
                self.services.settings.clock.now(),
                news=self.table.held_order.news,
                away=self.listing.followed is not None,
                gone=self.has_left_list,
            )
        self.notice_line.rest(line)

    def describe_empty(self) -> str:
        """Say why there is no job here, and which key helps."""
        hints, snapshot = self._hints, self.services.picture.shown
        if self.view.filter:
            return f"No matches; {hints(CLEAR)} clears the filter."
        if snapshot is not None and not snapshot.counts.of(Tab.ALL):
            if self.services.settings.read_only:
                return "Empty queue."
            return f"Empty queue: {hints(NEW)} submits a job."
        return "No jobs in this tab."

    def tick(self) -> None:
        self.table.tick()
        row = self.current_row()
        if row is not None and ticks(row):
            self._draw_reason()
            self.summary.tick(row)

    def _draw_ages(self) -> None:
        if self.is_current and not self.services.picture.paused:
            self.table.draw_ages()

    # What its widgets say

    def on_resize(self) -> None:
        if self.is_mounted and self.query(JobTable):
            self.call_after_refresh(self._draw_row)

    @on(RowList.CursorMoved)
    def _cursor_moved(self) -> None:
        self._draw_row()

    @on(RowList.RowOpened)
    def _row_opened(self) -> None:
        self.perform(OPEN)

    @on(TabRow.Chosen)
    def _tab_clicked(self, event: TabRow.Chosen) -> None:
        self.perform(TAB_ACTIONS[event.index])

    @on(HeadRow.Chosen)
    def _title_clicked(self, event: HeadRow.Chosen) -> None:
        if not self.panel.is_open:
            self.listing.sort_by(event.key)

    @on(FilterBox.Changed)
    def _filter_changed(self, event: FilterBox.Changed) -> None:
        self.listing.filter_typed(event.filter)

    @on(FilterBox.Closed)
    def _filter_closed(self, event: FilterBox.Closed) -> None:
        self.listing.filter_closed(kept=event.kept)

    @on(JobTable.WindowWanted)
    def _window_wanted(self, event: JobTable.WindowWanted) -> None:
        self.listing.want_rows(event.anchor)

    @on(JobTable.Touched)
    def _table_touched(self) -> None:
        self.listing.touched()

    @on(JobTable.Rested)
    def _table_rested(self) -> None:
        self.listing.rested()

    # Its own keys

    @does(CLEAR)
    def do_clear(self) -> None:
        """Clear what is in the way, the last thing first: range, marks, filter."""
        if not self.marks.clear_last():
            self.listing.clear_filter()
        self.draw()

    @does(NEW)
    def do_new(self) -> None:
        """Open an empty form for a new job."""
        self.services.routes.show_form()

    @does(LEAVE)
    def do_leave(self) -> None:
        self.services.quitting.leave()
