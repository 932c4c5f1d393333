"""The groups screen: the failed jobs by cause, and a canary of those that failed alike."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.widget import Widget

from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import BACK, GROUP_JOBS
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.groups.actions import GroupActions
from gigq_tui.screens.groups.choice import Choice, row_id
from gigq_tui.screens.groups.copy import FAILED, GroupLinks
from gigq_tui.screens.groups.lines import Table, canary_line, head_line, summary
from gigq_tui.screens.groups.panel import panel_lines
from gigq_tui.screens.parts.job_actions import ChosenJobs, JobActions
from gigq_tui.screens.parts.row_finder import RowFinder
from gigq_tui.screens.parts.stepped_read import PACE_S, SteppedRead
from gigq_tui.services import Services
from gigq_tui.store.failures.grouping import CAUSE, Grouping
from gigq_tui.store.failures.reading import Groups
from gigq_tui.store.filter.language import Filter, parse
from gigq_tui.store.models import JobRow, Snapshot, Tab
from gigq_tui.store.stepwise import SoFar
from gigq_tui.viewpoint import Destination
from gigq_tui.widgets.lines import TextLines
from gigq_tui.widgets.row_list import PickList, RowList
from gigq_tui.widgets.scrolled import Pane, Scrolled
from gigq_tui.widgets.typed_line import TypedLine

# A lower screen has the list alone.
PANEL_FROM = 20


class GroupsScreen(ConsoleScreen, inherit_bindings=False):
    """The failed jobs, grouped by cause, function, worker or a parameter.

    Args:
        services: What the console can do.
        by: By what they are grouped at first.
        row: The job whose group the cursor stands on then, if it is in one.
    """

    SCOPE = Scope.GROUPS
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "screen.tcss"

    def __init__(self, services: Services, by: Grouping = CAUSE, row: JobRow | None = None) -> None:
        super().__init__(services)
        settings, notices, hints = services.settings, services.notices, services.hints
        self.hints = hints
        self.reading: SteppedRead[Groups] = SteppedRead(
            self, services.picture, settings.clock, self._take
        )
        self.choice = Choice(self, self.reading.read, by, None if row is None else row.key)
        self.finder = RowFinder(self, notices)
        asking = JobActions.of(self, services)
        self.parts = (
            self.reading,
            self.choice,
            self.finder,
            GroupActions(
                self,
                self.choice,
                services.actions,
                services.canaries,
                asking.ask_cancel,
                notices,
                settings.clock,
            ),
            GroupLinks(
                self,
                self.choice,
                services.routes.show_jobs,
                services.copying,
                notices,
                settings.path,
            ),
        )
        self._is_first = row is not None
        # Whether the groups that are drawn were read whole.
        self._was_whole = False

    def compose_body(self) -> Iterable[Widget]:
        yield TextLines(id="groups-head")
        yield TypedLine(id="groups-columns")
        yield PickList(id="groups")
        yield Pane(id="empty")
        yield TextLines(id="group-panel")
        yield TextLines(id="canary")

    # What the parts ask

    @property
    def groups(self) -> Groups | None:
        """What is known of the groups; None before anything was read."""
        so_far = self.reading.so_far
        return None if so_far is None else so_far.value

    @property
    def roster(self) -> PickList:
        """The list of groups."""
        return self.query_one("#groups", PickList)

    @property
    def typed_line(self) -> TypedLine:
        """The line in which the text to find is typed."""
        return self.query_one(TypedLine)

    def destination(self) -> Destination:
        return Destination("groups", self.choice.by.name)

    @property
    def listed(self) -> tuple[Tab, Filter]:
        return Tab.ALL, parse(FAILED)

    def crumbs(self) -> tuple[str, ...]:
        return ("Failed", self.SCOPE.value)

    def chosen_jobs(self) -> ChosenJobs:
        """No single jobs are meant here."""
        return ChosenJobs()

    def mover(self) -> Scrolled:
        return self.roster

    # Reading

    def on_mount(self) -> None:
        self.services.canaries.changed = self.draw
        self.set_interval(PACE_S, self.reading.keep_up)
        self.reading.read(self.choice.work)
        self.draw()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.reading.take_news()

    def _take(self, so_far: SoFar[Groups]) -> None:
        self.choice.take(so_far.value)
        self.draw()
        if self._is_first and so_far.value.is_whole:
            self._is_first = False
            if (held := so_far.value.holds) is not None:
                self.roster.select(row_id(held.value))

    # Drawing

    def draw(self) -> None:
        """Draw what has changed."""
        if not self.is_whole:
            return
        groups, width = self.groups, self.app.size.width
        now = self.services.settings.clock.now()
        so_far, choice = self.reading.so_far, self.choice
        share = 1.0 if so_far is None else so_far.share
        told = summary(groups, share, now)
        if choice.marked:
            told += f"   {len(choice.marked)} marked"
        head = head_line(told, choice.by, choice.groupings, width, self.hints)
        self.query_one("#groups-head", TextLines).show(head)
        none = groups is not None and not groups.known.groups and groups.is_whole
        self.set_class(none, "-none")
        self.query_one("#empty", Pane).show([(), ((" No job is failed now.", "ok"),)])
        if groups is not None:
            table = Table(groups.known, groups.by, now, width)
            self.typed_line.rest(table.heading())
            # While they are read another may become the largest: the cursor stays on the top.
            on_top = not self._was_whole and not self.roster.cursor
            self._was_whole = groups.is_whole
            self.roster.show(
                [
                    (id, table.line(group, marked=id in choice.marked))
                    for group in groups.known.groups
                    for id in (row_id(group.value),)
                ]
            )
            if on_top:
                self.roster.stand_on(0)
        self._draw_choice()

    def _draw_choice(self) -> None:
        """Draw what is about the group under the cursor."""
        self._draw_panel()
        self._draw_canary()

    def _draw_panel(self) -> None:
        groups, current = self.groups, self.choice.current
        size = self.app.size
        shown = groups is not None and current is not None and size.height >= PANEL_FROM
        self.set_class(shown, "-panel")
        if groups is not None and current is not None:
            now = self.services.settings.clock.now()
            known = groups.known
            lines = panel_lines(
                current, groups.by, now, size.width, tells_retries=known.tells_retries
            )
            self.query_one("#group-panel", TextLines).show(*lines)

    def _draw_canary(self) -> None:
        """Draw how the canary of the group under the cursor goes, or else the newest one."""
        canaries, current = self.services.canaries, self.choice.current
        by = self.choice.by.name
        run = canaries.of([current.value], by) if current is not None else None
        is_here = run is not None
        run = run or canaries.newest
        self.set_class(run is not None, "-canary")
        if run is None:
            return
        groups = self.groups
        known = groups.known.groups if groups is not None else ()
        jobs = sum(group.jobs for group in known if run.by == by and group.value in run.groups)
        line = canary_line(
            run,
            max(0, jobs - run.failed_here),
            self.app.size.width,
            is_here=is_here,
            hints=self.hints,
        )
        self.query_one("#canary", TextLines).show(line)

    # What the widgets tell

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    @on(RowList.CursorMoved)
    def _moved(self) -> None:
        self._draw_choice()

    @on(RowList.RowOpened)
    def _opened(self) -> None:
        self.perform(GROUP_JOBS)

    @on(TypedLine.Typed)
    def _typed(self, event: TypedLine.Typed) -> None:
        self.finder.show_typed(event.text)

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        self.finder.typing_ended(event)

    # Keys

    @does(BACK)
    def do_back(self) -> None:
        """Take the marks away, or go back."""
        if not self.choice.unmark():
            super().do_back()
