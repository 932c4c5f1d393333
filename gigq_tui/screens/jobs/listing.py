"""What part of the queue the jobs screen lists: tab, filter, order, and the row it follows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Protocol

from textual.geometry import Size

from gigq_tui.actions.question import Choice, Question
from gigq_tui.columns import own_names
from gigq_tui.config.model import ChosenColumn
from gigq_tui.format import inert
from gigq_tui.keys.action import Action
from gigq_tui.keys.handlers import does, does_each
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.looking_actions import FILTER, FOLLOW, NEXT_TAB, PREVIOUS_TAB, SORT, TAB_ACTIONS
from gigq_tui.screens.jobs.filter_box import FilterBox
from gigq_tui.screens.jobs.table import JobTable
from gigq_tui.screens.parts.needs import AsksQuestion, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.typed_ahead import is_about_rows
from gigq_tui.store.filter.language import NO_FILTER, Filter
from gigq_tui.store.list.view import TOP, Anchor, AnchorKind, View, sort_keys, usual_sort
from gigq_tui.store.models import JobRow, Snapshot, Tab
from gigq_tui.store.sorting import NEWEST, SORT_MENU, Sort, SortKey
from gigq_tui.viewpoint import Viewpoint
from gigq_tui.widgets.takes_keys import TakesKeys

TABS = tuple(Tab)
# In a terminal of fewer lines the orders are named in a sentence.
SMALL = 14


class ListHost(AsksQuestion, Protocol):
    """What the part needs of its screen."""

    @property
    def table(self) -> JobTable:
        """The rows of the list."""

    @property
    def filter_box(self) -> FilterBox:
        """Where the filter is typed."""

    @property
    def size(self) -> Size:
        """The cells of the screen."""

    def list_changed(self) -> None:
        """Another list was asked for."""

    def draw(self) -> None:
        """Draw what depends on the cursor, the marks and the view."""


class ViewOwner(Protocol):
    """The picture of the file, as far as its list is chosen; nobody else chooses."""

    @property
    def view(self) -> View: ...

    @property
    def shown(self) -> Snapshot | None: ...

    @property
    def paused(self) -> bool: ...

    def look_at(self, view: View, *, anew: bool = False) -> None: ...


class Listing(Part):
    """Chooses what the table lists, and hands it the rows.

    Args:
        host: The screen.
        picture: Where the view is kept and asked for.
        notices: Where refusals are told.
        usual_sort: The configured order.
        usual_columns: The configured columns.
        hints: What keys are called.
    """

    def __init__(
        self,
        host: ListHost,
        picture: ViewOwner,
        notices: Tells,
        usual_sort: Sort = NEWEST,
        usual_columns: tuple[ChosenColumn, ...] = (),
        hints: KeyHints = DEFAULT_HINTS,
    ) -> None:
        self._host = host
        self._picture = picture
        self._notices = notices
        self._usual = usual_sort
        self._usual_columns = usual_columns
        self._hints = hints
        # What suits the running jobs does not suit the failed ones: each tab keeps its own order.
        self._sorts = {picture.view.tab: picture.view.sort}
        self._filter_before: Filter = NO_FILTER

    @property
    def view(self) -> View:
        """What is listed."""
        return self._picture.view

    # What the screen asks

    @property
    def typed_into(self) -> TakesKeys | None:
        box = self._host.filter_box
        return box if box.is_open else None

    def awaits(self, action: Action) -> bool:
        return self._host.table.awaits_list and is_about_rows(action)

    def forestalls(self, action: Action) -> bool:
        """Nothing is done to a row of a list that is shown no longer."""
        if self.awaits(action):
            self._notices.tell("The list is still loading.", "warn")
            return True
        return False

    # Rows come

    def take_rows(self, snapshot: Snapshot) -> bool:
        """Hand the table the rows of a snapshot; say whether they are of the list shown now."""
        view, table = self.view, self._host.table
        if (snapshot.tab, snapshot.filter_text, snapshot.sort) != (
            view.tab,
            view.filter.text,
            view.sort,
        ):
            return False
        table.show(snapshot.window, view.follow)
        self._keep_place()
        return True

    def _keep_place(self) -> None:
        """After a jump to about somewhere, stay around the row that the cursor came to.

        To walk to the same place again costs as much as the jump, and the rows there would drift.
        """
        table = self._host.table
        row = table.current
        if self.view.anchor.kind is AnchorKind.NEAR and row is not None:
            self._picture.look_at(replace(self.view, anchor=Anchor.around(row.id, table.cursor)))

    def want_rows(self, anchor: Anchor) -> None:
        """Have other rows of the list read."""
        self._picture.look_at(replace(self.view, anchor=anchor))

    def rested(self) -> None:
        """Nobody has moved for a while: the newest order may be shown."""
        if self._picture.paused:
            self._host.table.wait_for_rest()
        else:
            self._host.table.thaw(self.view.follow)
            self._host.draw()

    # Another list

    def show_list(self, view: View) -> None:
        """List something else; the cursor goes to the job it was put on, if that is there."""
        table = self._host.table
        landing = view.follow or table.chosen
        table.start_over(landing)
        sort = self._sorts.get(view.tab, usual_sort(self._usual, view.tab))
        anchor = TOP if landing is None else Anchor.around(landing, 0)
        self._picture.look_at(replace(view, sort=sort, anchor=anchor), anew=True)
        self._host.list_changed()

    def show_matching(self, tab: Tab, matching: Filter) -> None:
        """List the jobs of a tab that a filter lets through, and follow none."""
        self.show_list(replace(self.view, tab=tab, filter=matching, follow=None))

    def show_view(self, view: Viewpoint) -> None:
        """List what a view says, in its order and its columns, and follow no job."""
        columns = tuple(map(ChosenColumn.of, view.columns)) or self._usual_columns
        self._choose(columns)
        self._sorts.pop(view.tab, None)
        if view.sort is not None:
            self._sorts[view.tab] = view.sort
        self.show_matching(view.tab, view.filter)

    # Columns

    def choose_columns(self, columns: tuple[ChosenColumn, ...]) -> None:
        """Show these columns from now on; the usual ones where there are none."""
        self._choose(columns)
        self._host.draw()

    def _choose(self, columns: tuple[ChosenColumn, ...]) -> None:
        self._host.table.choose_columns(columns)
        own = own_names(column.name for column in columns)
        if own != self.view.own:
            self._picture.look_at(replace(self.view, own=own), anew=True)

    # Tabs

    def choose_tab(self, tab: Tab) -> None:
        """Show the jobs of one tab."""
        self.show_list(replace(self.view, tab=tab))

    def _step_tab(self, step: int) -> None:
        self.choose_tab(TABS[(TABS.index(self.view.tab) + step) % len(TABS)])

    @does(NEXT_TAB)
    def next_tab(self) -> None:
        """Show the next tab."""
        self._step_tab(1)

    @does(PREVIOUS_TAB)
    def previous_tab(self) -> None:
        """Show the tab before."""
        self._step_tab(-1)

    @does_each(TAB_ACTIONS)
    def show_tab(self, index: int) -> None:
        """Show the tab of a number."""
        self.choose_tab(TABS[index])

    # The filter

    @does(FILTER)
    def type_filter(self) -> None:
        """Type a filter; the table follows every key."""
        self._filter_before = self.view.filter
        self._host.filter_box.open(self.view.filter.text)
        self._host.draw()

    def filter_typed(self, wanted: Filter) -> None:
        """List what the filter lets through that has been typed so far."""
        self.show_list(replace(self.view, filter=wanted))

    def filter_closed(self, *, kept: bool) -> None:
        """Keep what was typed, or list again what was listed before."""
        if not kept and self.view.filter != self._filter_before:
            self.filter_typed(self._filter_before)
        self._host.draw()

    def clear_filter(self) -> None:
        """List all jobs of the tab."""
        if self.view.filter:
            self.filter_typed(NO_FILTER)

    # The order

    @does(SORT)
    def ask_sort(self) -> None:
        """Choose the order of this tab."""
        now, keys = self.view.sort, sort_keys(self.view.tab)
        offered = [choice for choice in SORT_MENU if choice[2].key in keys]
        small = self._host.size.height < SMALL
        choices = [Choice("escape", "Keep")]
        for key, name, sort in offered:
            turns = sort.key is now.key and sort.key is not SortKey.SUBMITTED
            label = "" if small else f"{name}, reversed" if turns else name
            choices.append(Choice(key, label, partial(self.choose_sort, sort)))
        title = f"Sort by what? Now: {now.words}"
        if small:
            title = "Sort by " + ", ".join(f"{key} {_brief(sort)}" for key, _, sort in offered)
        self._host.question(Question(title, (), tuple(choices), harmless=True))

    def choose_sort(self, sort: Sort) -> None:
        """List the tab in an order; the order it has already is turned round."""
        if sort == self.view.sort:
            sort = replace(sort, turned=not sort.turned)
        elif sort.key is self.view.sort.key and sort.key is not SortKey.SUBMITTED:
            sort = replace(sort, turned=not self.view.sort.turned)
        tab = self.view.tab
        if sort.key is SortKey.CLAIM and tab is not Tab.WAITING:
            tab = Tab.WAITING
            self._notices.tell(
                "Only waiting jobs are claimed, so this sort is for the Waiting tab."
            )
        self._sorts[tab] = sort
        self.choose_tab(tab)

    def sort_by(self, key: SortKey) -> None:
        """List the tab by a column whose title was clicked."""
        if key in sort_keys(self.view.tab):
            self.choose_sort(Sort(key))
        else:
            self._notices.tell("The jobs of this tab can't be sorted by that.", "warn")

    # Following

    @property
    def followed(self) -> JobRow | None:
        """The job that is followed, where the list does not hold it."""
        snapshot = self._picture.shown
        if snapshot is None or not self._host.table.away:
            return None
        row = snapshot.followed
        return row if row is not None and row.id == self.view.follow else None

    @property
    def current(self) -> JobRow | None:
        """The job under the cursor, or the one followed elsewhere."""
        return self.followed or self._host.table.current

    @does(FOLLOW)
    def follow(self) -> None:
        """Follow the row under the cursor wherever it goes, or let it go."""
        if self.view.follow is not None:
            self.end_follow()
            self._notices.tell("no longer followed")
            return
        row = self.current
        if row is None:
            return
        anchor = Anchor.around(row.id, self._host.table.cursor)
        self._picture.look_at(replace(self.view, follow=row.id, anchor=anchor))
        self._notices.tell(f"following {inert(row.name)}; {self._hints(FOLLOW)} or a move ends it")
        self._host.draw()

    def touched(self) -> None:
        """Somebody moves: the cursor stays on no job any longer."""
        if self.view.follow is not None:
            self.end_follow()

    def end_follow(self) -> None:
        """Follow no row any longer."""
        self._picture.look_at(replace(self.view, follow=None))
        self._host.table.end_follow()
        self._host.draw()

    def check_followed(self, snapshot: Snapshot) -> None:
        """Stop following a job that is no longer in the file."""
        follow = self.view.follow
        if follow is not None and snapshot.follow == follow and snapshot.followed is None:
            self.end_follow()
            self._notices.tell("The job you followed is no longer in the queue.", "warn")


def _brief(sort: Sort) -> str:
    """An order in one word."""
    return sort.words if sort.key is SortKey.SUBMITTED else sort.key.value
