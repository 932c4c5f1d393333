"""The detail screen: one job, and the keys that walk through what is known of it."""

from __future__ import annotations

from textual import on

from gigq_tui.keys import DETAIL_TABS, Scope, bindings_for
from gigq_tui.keys.handlers import does, does_each
from gigq_tui.keys.looking_actions import (
    DETAIL_NEXT_TAB,
    DETAIL_OPEN,
    DETAIL_PREVIOUS_TAB,
    DOWN,
    LOG,
    NEXT_JOB,
    PREVIOUS_JOB,
    UP,
)
from gigq_tui.keys.reading_actions import (
    DETAIL_TAB_ACTIONS,
    FIND_NEXT,
    FIND_PREVIOUS,
    REVEAL,
    STACK,
)
from gigq_tui.keys.screen_actions import BACK
from gigq_tui.screens.job.relatives import BLAMED
from gigq_tui.screens.job.tabs import DetailView
from gigq_tui.screens.parts.job_actions import ChosenJobs, JobActions
from gigq_tui.screens.parts.job_links import JobLinks
from gigq_tui.screens.parts.row_finder import RowFinder
from gigq_tui.screens.parts.text_reader import TextReader
from gigq_tui.services import Services
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.tabs import TabRow
from gigq_tui.widgets.typed_line import TypedLine


class DetailScreen(DetailView, inherit_bindings=False):
    """One job.

    Args:
        job_id: Which.
        tab: The tab to open with; None lets the state of the job choose.
    """

    SCOPE = Scope.DETAIL
    BINDINGS = bindings_for(Scope.DETAIL)
    CSS_PATH = "screen.tcss"

    def __init__(self, services: Services, job_id: str, tab: str | None = None) -> None:
        super().__init__(services, job_id, tab)
        self.trail: list[str] = []
        self.finder = RowFinder(self)
        self.parts = (self.reader, self.finder, JobActions(self), JobLinks(self))

    def chosen_jobs(self) -> ChosenJobs:
        """The one job."""
        return ChosenJobs.of([self.current_row()])

    # Tabs

    def _step_tab(self, step: int) -> None:
        at = DETAIL_TABS.index(self.tab) if self.tab in DETAIL_TABS else 0
        self.choose_tab(DETAIL_TABS[(at + step) % len(DETAIL_TABS)])

    @does(DETAIL_NEXT_TAB)
    def do_detail_next_tab(self) -> None:
        self._step_tab(1)

    @does(DETAIL_PREVIOUS_TAB)
    def do_detail_previous_tab(self) -> None:
        self._step_tab(-1)

    @does_each(DETAIL_TAB_ACTIONS)
    def do_tab(self, index: int) -> None:
        self.choose_tab(DETAIL_TABS[index])

    @on(TabRow.Chosen)
    def _tab_clicked(self, event: TabRow.Chosen) -> None:
        self.choose_tab(DETAIL_TABS[event.index])

    @does(LOG)
    def do_log(self) -> None:
        """Show the output alone, or where it stood before."""
        if self.tab == "Output" and self.enlarged:
            self.choose_tab("Attempts")
        else:
            self._enlarge()

    def _enlarge(self) -> None:
        from_attempts = self.tab == "Attempts"
        self.choose_tab("Output")
        self.enlarged = from_attempts

    @does(STACK)
    def do_stack(self) -> None:
        """Take the stack of the running function, and show it."""
        self.choose_tab("Stack")
        self.take_stack()

    @does(REVEAL)
    def do_reveal(self) -> None:
        """Show what is masked under secret-looking keys, or mask it again."""
        self.reveal = not self.reveal
        self.draw()
        told = "shown until you leave this job; copies never hold them"
        self.console.notice(f"secrets are {told if self.reveal else 'masked'}")

    # Moving: where there are attempts to choose, the arrows choose and the pages scroll

    def _chooses_attempts(self) -> bool:
        return self.tab == "Attempts" and self.rows.total > 1

    @does(DOWN)
    def do_down(self) -> None:
        if self._chooses_attempts():
            self.rows.step(1)
        else:
            super().do_down()

    @does(UP)
    def do_up(self) -> None:
        if self._chooses_attempts():
            self.rows.step(-1)
        else:
            super().do_up()

    # Finding: in the list of relatives the cursor goes to the rows

    @property
    def _searcher(self) -> TextReader | RowFinder:
        return self.reader if self.has_text else self.finder

    @on(TypedLine.Typed)
    def _typed(self, event: TypedLine.Typed) -> None:
        self._searcher.show_typed(event.text)

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        self._searcher.typing_ended(event)

    @does(FIND_NEXT)
    def do_find_next(self) -> None:
        self._searcher.find_next(1)

    @does(FIND_PREVIOUS)
    def do_find_previous(self) -> None:
        self._searcher.find_next(-1)

    # Walking

    @does(DETAIL_OPEN)
    def do_detail_open(self) -> None:
        """Open the job under the cursor, or the output of the attempt."""
        if self.tab == "Attempts":
            self._enlarge()
        elif self.tab == "Deps":
            self._open_relative()

    def _open_relative(self) -> None:
        detail = self.detail
        if detail is None or self.rows.cursor_id is None:
            return
        kind, _, job_id = self.rows.cursor_id.partition("/")
        there = {r.id for r in (*detail.parents, *detail.children) if r.row is not None}
        culprit = detail.row.culprit
        if kind == BLAMED and culprit is not None and culprit.problem != "missing":
            there.add(culprit.id)
        if job_id in there:
            self.trail.append(self.job_id)
            self.show_job(job_id)
        elif kind != "more":
            self.console.notice("That job is not in the queue.", "warn")

    @on(RowList.RowOpened)
    def _row_opened(self) -> None:
        self.perform(DETAIL_OPEN)

    @does(BACK)
    def do_back(self) -> None:
        """Go back the way that was walked, then to the list."""
        if self.text_view.wanted:
            self.text_view.clear_find()
        elif self.enlarged:
            self.choose_tab("Attempts")
        elif self.trail:
            self.show_job(self.trail.pop())
        else:
            super().do_back()

    @does(NEXT_JOB)
    def do_next_job(self) -> None:
        self._walk(1)

    @does(PREVIOUS_JOB)
    def do_previous_job(self) -> None:
        self._walk(-1)

    def _walk(self, step: int) -> None:
        jobs = self.jobs_screen()
        if jobs is None:
            return
        jobs.table.step(step)
        row = jobs.table.current
        if row is not None and row.id != self.job_id:
            self.trail.clear()
            self.show_job(row.id)
        else:
            self.console.notice("End of the list.")
