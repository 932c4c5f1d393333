"""The job screen: all that is known of one job, in tabs, and its way to other jobs."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.geometry import Size
from textual.widget import Widget

from gigq_core.reasons.why import done_words, ticks
from gigq_core.status import JobStatus
from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import DETAIL_OPEN, DOWN, UP
from gigq_tui.keys.reading_actions import FIND_NEXT, FIND_PREVIOUS
from gigq_tui.keys.screen_actions import BACK
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.job.attempts import Attempts, Output
from gigq_tui.screens.job.copy import DetailCopy
from gigq_tui.screens.job.page import Page
from gigq_tui.screens.job.relatives import Relatives
from gigq_tui.screens.job.shown_job import JobList, ShownJob
from gigq_tui.screens.job.stack import Stack
from gigq_tui.screens.job.tabs import (
    ATTEMPTS,
    DEPS,
    OUTPUT,
    PARAMS,
    RAW,
    RESULT,
    STACK,
    TabContent,
    Tabs,
)
from gigq_tui.screens.job.texts import opening_tab
from gigq_tui.screens.job.values import Secrets, params_tab, raw_tab, result_tab
from gigq_tui.screens.parts.job_actions import ChosenJobs, JobActions
from gigq_tui.screens.parts.job_links import JobLinks
from gigq_tui.screens.parts.row_finder import RowFinder
from gigq_tui.screens.parts.text_reader import TextReader
from gigq_tui.services import Services
from gigq_tui.store.models import JobRow, Snapshot
from gigq_tui.viewpoint import Destination
from gigq_tui.widgets.lines import TextLines
from gigq_tui.widgets.row_list import PickList, RowList
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.tabs import TabRow
from gigq_tui.widgets.text_view import TextView
from gigq_tui.widgets.typed_line import TypedLine


class JobScreen(ConsoleScreen, inherit_bindings=False):
    """One job.

    Args:
        services: What the console can do.
        job_id: Which job.
        tab: The tab to open with; None lets the state of the job choose.
        job_list: The list that it was opened from, where keys go to the jobs beside it.
    """

    SCOPE = Scope.DETAIL
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "screen.tcss"

    def __init__(
        self,
        services: Services,
        job_id: str,
        tab: str | None = None,
        job_list: JobList | None = None,
    ) -> None:
        super().__init__(services)
        path, clock = services.settings.path, services.settings.clock
        reads, notices, hints = self.reads, services.notices, services.hints
        self.job = ShownJob(job_id, reads, notices, self, job_list)
        self.attempts = Attempts(path, hints, reads, self.job, self)
        self.relatives = Relatives(self.job, notices, hints)
        self.secrets = Secrets(notices, hints, self)
        read_only = services.settings.read_only
        self.stack = Stack(path, clock, read_only, hints, reads, self.job, self)
        contents: dict[str, TabContent] = {
            ATTEMPTS: self.attempts,
            OUTPUT: Output(self.attempts),
            PARAMS: params_tab(self.secrets),
            RESULT: result_tab(self.secrets),
            DEPS: self.relatives,
            STACK: self.stack,
            RAW: raw_tab(self.secrets),
        }
        self.tabs = Tabs(tab, contents, self)
        self.reader = TextReader(self, services.notices, services.hints)
        self.finder = RowFinder(self, services.notices)
        self.page = Page(self.job, self.tabs, self.attempts, self.reader, hints, clock.now, self)
        self.parts = (
            self.job,
            self.tabs,
            self.secrets,
            self.stack,
            self.reader,
            JobActions.of(self, services),
            JobLinks(self, services.routes, services.notices),
            DetailCopy(path, services.copying, notices, reads, self),
        )

    def compose_body(self) -> Iterable[Widget]:
        yield TextLines(id="path")
        yield TabRow(id="tabs")
        yield TextLines(id="tab-rule")
        yield TextLines(id="list-head")
        yield PickList(id="list")
        yield TypedLine(id="text-head")
        yield TextView(id="text")
        yield TextLines(id="facts")

    # What the base asks

    def crumbs(self) -> tuple[str, ...]:
        row = self.job.row
        if row is None:
            return ("Job", self.job.id[:8])
        far = f" {done_words(row.progress)}" if row.progress is not None else ""
        return ("Job", f"{self.job.id[:8]} {row.name}{far}")

    def destination(self) -> Destination:
        return Destination("job", self.job.id)

    def mover(self) -> Scrolled:
        return self.page.rows if self.page.lists_relatives else self.page.text_view

    def current_row(self) -> JobRow | None:
        return self.job.row

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.job.show_snapshot(snapshot)

    def tick(self) -> None:
        row = self.job.row
        if row is not None and ticks(row):
            running = row.status == JobStatus.RUNNING.value
            self.page.draw_times(running=running)
            if running:
                self.attempts.read_output()

    def on_mount(self) -> None:
        self.page.draw()
        if self.tabs.name == STACK:
            self.stack.take()

    def on_resize(self) -> None:
        self.call_after_refresh(self.page.draw)

    # What the parts ask

    @property
    def terminal_size(self) -> Size:
        """How many cells there are."""
        return self.app.size

    @property
    def text_view(self) -> TextView:
        """The text that is read."""
        return self.page.text_view

    @property
    def typed_line(self) -> TypedLine:
        """The line over it, in which words are typed."""
        return self.query_one(TypedLine)

    def readable(self) -> bool:
        """Whether there is a text on the screen now: on every tab, be it empty."""
        return True

    def read_whole(self) -> None:
        """Read what comes before the text too, as far as it is kept."""
        self.attempts.read_whole_output()

    def chosen_jobs(self) -> ChosenJobs:
        """The one job."""
        return ChosenJobs.of([self.job.row])

    def job_chosen(self) -> None:
        """Another job is shown from now on: everything starts over."""
        self.tabs.start_over()
        self.secrets.start_over()
        self.stack.start_over()
        self.attempts.start_over()
        self.page.start_list()

    def job_read(self, *, first: bool) -> None:
        """Show what was read of the job; whether it is the first of it."""
        detail = self.job.detail
        if detail is not None and self.tabs.name is None:
            self.tabs.name = opening_tab(detail, self.services.settings.clock.now())
        if first:
            self.shows_anew()
            self.page.start_over()
        self.page.draw()
        if not self.job.is_gone:
            self.attempts.read_output()

    def tab_chosen(self) -> None:
        """Show what the tab shows, from its top."""
        self.page.start_over()
        self.page.draw()
        self.attempts.read_output()

    # Messages of the widgets

    @on(TabRow.Chosen)
    def _tab_clicked(self, event: TabRow.Chosen) -> None:
        self.tabs.choose_number(event.index)

    @on(RowList.RowOpened)
    def _row_opened(self) -> None:
        self.perform(DETAIL_OPEN)

    @on(RowList.CursorMoved)
    def _cursor_moved(self, event: RowList.CursorMoved) -> None:
        if self.tabs.name == ATTEMPTS:
            self.attempts.choose(event.row_id)

    @on(TextView.Moved)
    def _text_moved(self) -> None:
        self.page.draw_text_head()

    @on(TextView.EarlierWanted)
    def _earlier_wanted(self) -> None:
        self.attempts.read_whole_output()

    @on(TypedLine.Typed)
    def _typed(self, event: TypedLine.Typed) -> None:
        self._search.show_typed(event.text)

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        self._search.typing_ended(event)

    # Keys that mean what the tab is about

    @property
    def _search(self) -> TextReader | RowFinder:
        """What finds here: in the list of relatives, its rows."""
        return self.finder if self.tabs.name == DEPS else self.reader

    @does(FIND_NEXT)
    def find_next(self) -> None:
        """Go to the next match."""
        self._search.find_next(1)

    @does(FIND_PREVIOUS)
    def find_previous(self) -> None:
        """Go to the match before."""
        self._search.find_next(-1)

    @property
    def _stepped(self) -> Scrolled:
        """What the arrows move: among several attempts they choose, and the pages scroll."""
        rows = self.page.rows
        return rows if self.tabs.name == ATTEMPTS and rows.total > 1 else self.mover()

    @does(DOWN)
    def do_down(self) -> None:
        self._stepped.step(1)

    @does(UP)
    def do_up(self) -> None:
        self._stepped.step(-1)

    @does(DETAIL_OPEN)
    def open_chosen(self) -> None:
        """Show the output of the attempt under the cursor, or the job."""
        if self.tabs.name == ATTEMPTS:
            self.tabs.enlarge_output()
        elif self.tabs.name == DEPS:
            self.relatives.open(self.page.rows.cursor_id)

    @does(BACK)
    def do_back(self) -> None:
        """Go back the way that was walked, then to the list."""
        if self.text_view.wanted:
            self.text_view.clear_find()
        elif self.tabs.is_enlarged:
            self.tabs.choose(ATTEMPTS)
        elif not self.job.go_back():
            super().do_back()
