"""The jobs screen, home of the console: tabs, filter, the table, and the job under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from textual import on
from textual.widget import Widget

from gigq_tui.format import MARKS, count, inert, short_count
from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.job_actions import CANCEL_ALL, NEW, RETRY_ALL
from gigq_tui.keys.looking_actions import OPEN, TAB_ACTIONS
from gigq_tui.keys.screen_actions import CLEAR, LEAVE
from gigq_tui.screens.jobs.filter_box import FilterBox
from gigq_tui.screens.jobs.head_row import HeadRow
from gigq_tui.screens.jobs.listing import TABS, Looking
from gigq_tui.screens.jobs.status_line import ListStatus, status_line
from gigq_tui.screens.jobs.summary import SummaryPanel, summary_lines
from gigq_tui.screens.jobs.table import JobTable
from gigq_tui.screens.parts.job_actions import ChosenJobs, JobActions, trouble_of
from gigq_tui.screens.parts.job_copy import JobCopy
from gigq_tui.screens.parts.job_links import JobLinks, OpenJob
from gigq_tui.services import Services
from gigq_tui.store.derive import state_of, ticks, why
from gigq_tui.store.models import Counts, JobDetail, JobRow, Snapshot, Tab
from gigq_tui.store.tail import Tail, read_output
from gigq_tui.widgets.lines import BLANK, Lines, Span, TextLines
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.tabs import TabLabel, TabRow

AGES_S = 20.0
SUMMARY_TAIL_BYTES = 4096

_TAB_NAMES = {
    Tab.ALL: ("All", "All"),
    Tab.WAITING: ("Waiting", "Wait"),
    Tab.RUNNING: ("Running", "Run"),
    Tab.FAILED: ("Failed", "Fail"),
    Tab.TIMEOUT: ("Timeout", "T/O"),
    Tab.DONE: ("Done", "Done"),
    Tab.CANCELLED: ("Cancelled", "Canc"),
}
_LOUD = frozenset({Tab.FAILED, Tab.TIMEOUT})


def tab_labels(counts: Counts | None, hints: KeyHints = DEFAULT_HINTS) -> tuple[TabLabel, ...]:
    """Return the tabs with their keys and counts."""
    labels = []
    for number, tab in enumerate(TABS, start=1):
        name, short = _TAB_NAMES[tab]
        key = hints(TAB_ACTIONS[number - 1])
        if counts is None:
            labels.append(TabLabel(f"{key} {name}", f"{key} {short}", "dim"))
            continue
        held = counts.of(tab)
        role = "fail" if held and tab in _LOUD else ("" if held else "dim")
        labels.append(
            TabLabel(f"{key} {name} {count(held)}", f"{key} {short} {short_count(held)}", role)
        )
    return tuple(labels)


class JobsScreen(Looking, inherit_bindings=False):
    """All jobs, as the tab and the filter let them through."""

    SCOPE = Scope.JOBS
    BINDINGS = bindings_for(Scope.JOBS)
    CSS_PATH = "screen.tcss"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.detail: JobDetail | None = None
        self._tail: Tail | None = None
        self.actions = JobActions(self, self.acted)
        self.parts = (self.actions, JobLinks(self), OpenJob(self), JobCopy(self))

    def compose_body(self) -> Iterable[Widget]:
        yield TabRow(id="tabs")
        yield TextLines(id="status")
        yield FilterBox(id="filter")
        yield HeadRow(id="head")
        table = JobTable(self.console.clock, self.console.view.rows, id="table")
        table.chosen_columns = self.console.config.columns
        table.marks = self.marked
        yield table
        yield SummaryPanel(id="summary")

    def on_mount(self) -> None:
        self.set_interval(AGES_S, self._tell_ages)

    def crumbs(self) -> tuple[str, ...]:
        return ()

    def mover(self) -> Scrolled | None:
        return self.table

    def question_hosts(self) -> Iterable[Lines]:
        return (self.query_one(SummaryPanel), self.table)

    # Drawing

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.refresh_tabs(snapshot.counts)
        self.take_rows(snapshot)
        self.mind_followed(snapshot)
        self.refresh_parts()

    def take_rows(self, snapshot: Snapshot) -> None:
        """Take the rows of a snapshot, if they are of the list looked at now."""
        view = self.view
        listed = (snapshot.tab, snapshot.filter_text, snapshot.sort)
        if listed != (view.tab, view.filter.text, view.sort):
            return
        for row in snapshot.window.rows:
            if row.id in self.marked:
                self.marked[row.id] = row
        if self.table.awaits_list:
            self.shows_anew()
        self.table.show(snapshot.window)
        self.hold_the_place()

    def step_to_row(self, by: int) -> JobRow | None:
        """Move the cursor; return the job under it then."""
        self.table.step(by)
        return self.table.current

    def refresh_tabs(self, counts: Counts | None) -> None:
        """Draw the tabs."""
        self.query_one(TabRow).tell(tab_labels(counts), TABS.index(self.view.tab))

    def refresh_parts(self) -> None:
        """Draw what depends on the cursor, the marks and the filter."""
        self.query_one(HeadRow).show_titles(self.table.columns, self.view.sort)
        self.draw_status()
        self._draw_rest()
        self._ask_detail()
        self._draw_summary()
        self.refresh_frame()

    def on_resize(self) -> None:
        if self.is_mounted and self.query(JobTable):
            self.call_after_refresh(self.refresh_parts)

    def draw_status(self) -> None:
        """Draw what is filtered, sorted, marked and followed."""
        status = self.query_one("#status", TextLines)
        box = self.query_one(FilterBox)
        typing = box.is_open
        box.tell_hits(self.table.window.matching)
        told = self._status()
        status.set_class(told.speaks and not typing, "-on")
        status.show(status_line(told, self.size.width))

    def _status(self) -> ListStatus:
        window = self.table.window
        return ListStatus(
            filter_text=self.view.filter.text,
            total=window.total,
            beyond=window.beyond,
            sort=self.view.sort,
            marked=len(self.marked),
            in_range=self.range_from is not None,
            following=self._following(),
            news=self.table.news,
            hints=self.console.hints,
        )

    def _following(self) -> str:
        follow = self.view.follow
        if follow is None:
            return ""
        row = self.followed
        if row is None:
            return f"following {follow[:6]}"
        return f"{follow[:6]} left: {MARKS[state_of(row, self.console.clock.now())].word}"

    def _draw_rest(self) -> None:
        row = self.current_row()
        tall = self.has_class("-tall")
        news = "" if tall else self.table.news
        if row is None or tall:
            self.notice_line.rest(BLANK)
            return
        reason = why(row, self.console.clock.now())
        if not reason and not news and self.followed is None:
            self.notice_line.rest(BLANK)
            return
        spans: list[Span] = [(f" {news} ", "warn")] if news else []
        spans.append((inert(f" {row.id[:6]} {row.name}"), "dim"))
        if self.followed is not None:
            spans.append((f"  {state_of(row, self.console.clock.now()).value}", "accent"))
        self.notice_line.rest((*spans, (f"  {inert(reason)}", "")))

    def _ask_detail(self) -> None:
        row = self.current_row()
        if row is not None and self.has_class("-tall"):
            self.ask("detail", row.id, self._detail_arrived)

    def _detail_arrived(self, answer: Any) -> None:
        row = self.current_row()
        if not isinstance(answer, JobDetail) or row is None or answer.row.id != row.id:
            return
        if self.detail is None or self.detail.row.id != row.id:
            self._tail = None
        self.detail = answer
        self._draw_summary()
        self._read_tail()

    def _read_tail(self) -> None:
        detail = self.detail
        if detail is None or not detail.attempts:
            return
        call = partial(
            read_output, self.console.path, detail.attempts[-1], self._tail, SUMMARY_TAIL_BYTES
        )
        self.in_thread(call, partial(self._tail_read, detail.row.id))

    def _tail_read(self, job_id: str, tail: Tail) -> None:
        if self.detail is not None and self.detail.row.id == job_id:
            self._tail = tail
            self._draw_summary()

    def _draw_summary(self) -> None:
        if not self.is_mounted or not self.has_class("-tall"):
            return
        row = self.current_row()
        fresh = self.detail is not None and row is not None and self.detail.row.id == row.id
        self.query_one(SummaryPanel).show(
            *summary_lines(
                row,
                self.detail if fresh else None,
                self._tail if fresh else None,
                self.console.clock.now(),
                self.size.width,
                hints=self.console.hints,
                empty=self._empty(),
            )
        )

    def _empty(self) -> str:
        """Say why there is no job here, and which key helps."""
        hints, snapshot = self.console.hints, self.console.snapshot
        if self.view.filter:
            return f"No matches; {hints(CLEAR)} clears the filter."
        if snapshot is not None and not snapshot.counts.of(Tab.ALL):
            if self.console.read_only:
                return "Empty queue."
            return f"Empty queue: {hints(NEW)} submits a job."
        return "No jobs in this tab."

    def tick(self) -> None:
        self.table.tick()
        row = self.current_row()
        if row is not None and ticks(row):
            self._draw_rest()
            self._draw_summary()
            if row.status == "running" and self.has_class("-tall"):
                self._read_tail()

    def _tell_ages(self) -> None:
        if self.is_current and not self.console.held:
            self.table.tell_ages()

    @on(RowList.CursorMoved)
    def _cursor_moved(self) -> None:
        self.refresh_parts()

    @on(RowList.RowOpened)
    def _row_opened(self) -> None:
        self.perform(OPEN)

    @does(LEAVE)
    def do_leave(self) -> None:
        self.console.leave()

    # Wide acts

    @does(CANCEL_ALL)
    def do_cancel_all(self) -> None:
        """Cancel all that match, once their number has been said."""
        self._ask_wide(self.actions.ask_cancel)

    @does(RETRY_ALL)
    def do_retry_all(self) -> None:
        """Retry all that match, once their number has been said."""
        self._ask_wide(self.actions.ask_retry)

    def _ask_wide(self, ask: Callable[[ChosenJobs, str], None]) -> None:
        # What it is about is captured now, like the ids: the view may change before the answer.
        about = f" ({self._described()})"
        self.ask_first("matching_ids", self.view, partial(self._wide, ask, about))

    def _wide(self, ask: Callable[[ChosenJobs, str], None], about: str, answer: Any) -> None:
        if not isinstance(answer, tuple):
            self.console.notice(trouble_of(answer), "warn")
            return
        if not self.is_current:
            return
        wanted = set(answer)
        rows = tuple(row for row in self.table.window.rows if row.id in wanted)
        ask(ChosenJobs(answer, rows), about)

    def _described(self) -> str:
        name = _TAB_NAMES[self.view.tab][0]
        text = self.view.filter.text
        return f"all of tab {name} that match {text}" if text else f"all of tab {name}"

    @does(NEW)
    def do_new(self) -> None:
        """Open an empty form for a new job."""
        self.services.routes.show_form()
