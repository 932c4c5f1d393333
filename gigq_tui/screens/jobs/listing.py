"""What part of the queue the jobs screen looks at: tab, filter, order, and the row it follows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from textual import on

from gigq_tui.actions.question import Choice, Question
from gigq_tui.format import inert
from gigq_tui.keys.action import Action
from gigq_tui.keys.handlers import does, does_each
from gigq_tui.keys.looking_actions import FILTER, FOLLOW, NEXT_TAB, PREVIOUS_TAB, SORT, TAB_ACTIONS
from gigq_tui.keys.screen_actions import CLEAR
from gigq_tui.screens.jobs.filter_box import FilterBox
from gigq_tui.screens.jobs.head_row import HeadRow
from gigq_tui.screens.jobs.marks import Marking
from gigq_tui.screens.jobs.table import JobTable
from gigq_tui.screens.parts.typed_ahead import is_about_rows
from gigq_tui.services import Services
from gigq_tui.store.filter.language import NO_FILTER, Filter
from gigq_tui.store.list.view import TOP, Anchor, AnchorKind, View, sort_keys
from gigq_tui.store.models import Counts, JobRow, Snapshot, Tab
from gigq_tui.store.sorting import NEWEST, SORT_MENU, Sort, SortKey
from gigq_tui.widgets.tabs import TabRow
from gigq_tui.widgets.takes_keys import TakesKeys

TABS = tuple(Tab)
# In a terminal of fewer lines the orders are named in a sentence.
SMALL = 14


class Looking(Marking, inherit_bindings=False):
    """A screen around a job table that chooses what the table lists."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        # What suits the running jobs does not suit the failed ones: each tab keeps its own order.
        self.sorts: dict[Tab, Sort] = {}
        self._filter_before: Filter = NO_FILTER

    def awaits(self, action: Action) -> bool:
        return self.table.awaits_list and is_about_rows(action)

    @property
    def typed_into(self) -> TakesKeys | None:
        box = self.query_one(FilterBox)
        return box if box.is_open else super().typed_into

    def perform(self, action: Action) -> None:
        """Do an action, but nothing to a row of the list that is shown no longer."""
        if self.awaits(action) and not self.panel.is_open:
            self.console.notice("The list is still loading.", "warn")
        else:
            super().perform(action)

    def refresh_tabs(self, counts: Counts | None) -> None:
        """Draw the tabs."""

    def _usual_sort(self, tab: Tab) -> Sort:
        """The configured order, where the jobs of a tab have what it goes by."""
        usual = self.console.config.sort
        return usual if usual.key in sort_keys(tab) else NEWEST

    def look(self, view: View) -> None:
        """List something else; the cursor goes to the job it was put on, if that is there."""
        landing = view.follow or self.table.chosen
        self.table.start_over(landing)
        self.range_from = None
        sort = self.sorts.get(view.tab, self._usual_sort(view.tab))
        anchor = TOP if landing is None else Anchor.around(landing, 0)
        self.console.look_at(replace(view, sort=sort, anchor=anchor), anew=True)
        snapshot = self.console.snapshot
        self.refresh_tabs(snapshot.counts if snapshot is not None else None)
        self.draw_status()

    @on(JobTable.WindowWanted)
    def _window_wanted(self, event: JobTable.WindowWanted) -> None:
        self.console.look_at(replace(self.view, anchor=event.anchor))

    def hold_the_place(self) -> None:
        """After a jump to about somewhere, stay around the row that the cursor came to.

        To walk to the same place again costs as much as the jump, and the rows there would drift.
        """
        row = self.table.current
        if self.view.anchor.kind is AnchorKind.NEAR and row is not None:
            anchor = Anchor.around(row.id, self.table.cursor)
            self.console.look_at(replace(self.view, anchor=anchor))

    @on(JobTable.StoodStill)
    def _stood_still(self) -> None:
        if self.console.held:
            self.table.wait_on()
        else:
            self.table.thaw()
            self.refresh_parts()

    # Tabs

    def choose_tab(self, tab: Tab) -> None:
        """Show the jobs of one tab."""
        self.look(replace(self.view, tab=tab))

    def _step_tab(self, step: int) -> None:
        self.choose_tab(TABS[(TABS.index(self.view.tab) + step) % len(TABS)])

    @does(NEXT_TAB)
    def do_next_tab(self) -> None:
        self._step_tab(1)

    @does(PREVIOUS_TAB)
    def do_previous_tab(self) -> None:
        self._step_tab(-1)

    @does_each(TAB_ACTIONS)
    def do_tab(self, index: int) -> None:
        self.choose_tab(TABS[index])

    @on(TabRow.Chosen)
    def _tab_clicked(self, event: TabRow.Chosen) -> None:
        self.perform(TAB_ACTIONS[event.index])

    # The filter

    @does(FILTER)
    def do_filter(self) -> None:
        """Type a filter; the table follows every key."""
        self._filter_before = self.view.filter
        self.query_one(FilterBox).open(self.view.filter.text)
        self.draw_status()

    @on(FilterBox.Changed)
    def _filter_changed(self, event: FilterBox.Changed) -> None:
        self.look(replace(self.view, filter=event.filter))

    @on(FilterBox.Closed)
    def _filter_closed(self, event: FilterBox.Closed) -> None:
        if not event.kept and self.view.filter != self._filter_before:
            self.look(replace(self.view, filter=self._filter_before))
        self.draw_status()

    @does(CLEAR)
    def do_clear(self) -> None:
        """Clear what is in the way, the last thing first: range, marks, filter."""
        if self.range_from is not None:
            self.range_from = None
        elif self.marked:
            self.marked.clear()
            self.table.repaint()
        elif self.view.filter:
            self.look(replace(self.view, filter=NO_FILTER))
        self.refresh_parts()

    # The order

    @does(SORT)
    def do_sort(self) -> None:
        """Choose the order of this tab."""
        now, keys = self.view.sort, sort_keys(self.view.tab)
        offered = [choice for choice in SORT_MENU if choice[2].key in keys]
        small = self.app.size.height < SMALL
        choices = [Choice("escape", "Keep")]
        for key, name, sort in offered:
            turns = sort.key is now.key and sort.key is not SortKey.SUBMITTED
            label = "" if small else f"{name}, reversed" if turns else name
            choices.append(Choice(key, label, partial(self.choose_sort, sort)))
        title = f"Sort by what? Now: {now.words}"
        if small:
            title = "Sort by " + ", ".join(f"{key} {_brief(sort)}" for key, _, sort in offered)
        self.question(Question(title, (), tuple(choices), harmless=True))

    def choose_sort(self, sort: Sort) -> None:
        """List the tab in an order; the order it has already is turned round."""
        if sort == self.view.sort:
            sort = replace(sort, turned=not sort.turned)
        elif sort.key is self.view.sort.key and sort.key is not SortKey.SUBMITTED:
            sort = replace(sort, turned=not self.view.sort.turned)
        tab = self.view.tab
        if sort.key is SortKey.CLAIM and tab is not Tab.WAITING:
            tab = Tab.WAITING
            self.console.notice(
                "Only waiting jobs are claimed, so this sort is for the Waiting tab."
            )
        self.sorts[tab] = sort
        self.look(replace(self.view, tab=tab))

    @on(HeadRow.Chosen)
    def _head_clicked(self, event: HeadRow.Chosen) -> None:
        if self.panel.is_open:
            return
        if event.key in sort_keys(self.view.tab):
            self.choose_sort(Sort(event.key))
        else:
            self.console.notice("The jobs of this tab can't be sorted by that.", "warn")

    # Following

    @property
    def followed(self) -> JobRow | None:
        """The job that is followed, where the list does not hold it."""
        snapshot = self.console.snapshot
        if snapshot is None or not self.table.away:
            return None
        row = snapshot.followed
        return row if row is not None and row.id == self.view.follow else None

    def current_row(self) -> JobRow | None:
        return self.followed or self.table.current

    @does(FOLLOW)
    def do_follow(self) -> None:
        """Follow the row under the cursor wherever it goes, or let it go."""
        if self.view.follow is not None:
            self.end_follow()
            self.console.notice("no longer followed")
            return
        row = self.current_row()
        if row is None:
            return
        self.table.follows = row.id
        anchor = Anchor.around(row.id, self.table.cursor)
        self.console.look_at(replace(self.view, follow=row.id, anchor=anchor))
        self.console.notice(
            f"following {inert(row.name)}; {self.console.hints(FOLLOW)} or a move ends it"
        )
        self.refresh_parts()

    @on(JobTable.FollowEnded)
    def end_follow(self) -> None:
        """Follow no row any longer."""
        was_away = self.table.away
        self.table.follows, self.table.away = None, False
        if self.view.follow is not None:
            self.console.look_at(replace(self.view, follow=None))
        if was_away:
            self.table.stand_on(self.table.cursor)
        self.refresh_parts()

    def mind_followed(self, snapshot: Snapshot) -> None:
        """Stop following a job that is no longer in the file."""
        follow = self.view.follow
        if follow is not None and snapshot.follow == follow and snapshot.followed is None:
            self.end_follow()
            self.console.notice("The job you followed is no longer in the queue.", "warn")


def _brief(sort: Sort) -> str:
    """An order in one word."""
    return sort.words if sort.key is SortKey.SUBMITTED else sort.key.value
