"""The overview screen: how the work has gone, by time and by function, and what stands out."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.widget import Widget

from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import OPEN
from gigq_tui.keys.screen_actions import ATTENTION, BACK
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.overview.lines import (
    attention_heading,
    concern_line,
    function_line,
    functions_heading,
    help_with,
    large_charts,
    past_line,
    small_charts,
)
from gigq_tui.screens.overview.refresh import PACE_S, OverviewRefresh
from gigq_tui.screens.parts.row_finder import RowFinder
from gigq_tui.services import Services
from gigq_tui.store.filter.language import FilterError
from gigq_tui.store.filter.terms import Field
from gigq_tui.store.filter.writing import equal
from gigq_tui.store.history.attempts import DELETED, OTHERS
from gigq_tui.store.history.attention import Concern
from gigq_tui.store.history.overview import Overview
from gigq_tui.store.history.rings import USUAL, Past
from gigq_tui.store.models import Snapshot, Tab
from gigq_tui.viewpoint import Destination
from gigq_tui.widgets.lines import Line, TextLines
from gigq_tui.widgets.row_list import PickList, RowList
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.typed_line import TypedLine


class ActiveList(PickList):
    """A list whose cursor is seen only while the keys move in it."""

    active = True

    def content_line(self, index: int, width: int) -> Line:
        if self.active:
            return super().content_line(index, width)
        return self.row_line(index, width, selected=False)


class OverviewScreen(ConsoleScreen, inherit_bindings=False):
    """What happened in the last minutes or hours.

    Args:
        services: What the console can do.
        past: How far back it looks at first.
    """

    SCOPE = Scope.OVERVIEW
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "screen.tcss"

    def __init__(self, services: Services, past: Past = USUAL) -> None:
        super().__init__(services)
        self.hints = services.hints
        self.refreshing = OverviewRefresh(self, services.picture, services.settings.clock, past)
        self.finder = RowFinder(self, services.notices)
        self.parts = (self.refreshing, self.finder)
        # Whether the keys move in the list of what needs attention.
        self.attending = False

    def compose_body(self) -> Iterable[Widget]:
        yield TextLines(id="past")
        yield TextLines(id="charts")
        yield TypedLine(id="functions-head")
        yield ActiveList(id="functions")
        yield TextLines(id="attention-head")
        attention = ActiveList(id="attention")
        attention.active = False
        yield attention

    @property
    def overview(self) -> Overview | None:
        """What is shown; None before it was first read."""
        return self.refreshing.overview

    @property
    def functions(self) -> ActiveList:
        """The list of functions."""
        return self.query_one("#functions", ActiveList)

    @property
    def attention(self) -> ActiveList:
        """The list of what needs attention."""
        return self.query_one("#attention", ActiveList)

    @property
    def typed_line(self) -> TypedLine:
        """The line in which the text to find is typed."""
        return self.query_one(TypedLine)

    def destination(self) -> Destination:
        return Destination("overview", self.refreshing.past.word)

    def mover(self) -> Scrolled:
        return self.attention if self.attending else self.functions

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.refreshing.take_news()

    # Drawing

    def draw(self) -> None:
        """Draw what has changed."""
        if not self.is_whole:
            return
        overview, now = self.overview, self.services.settings.clock.now()
        width = self.app.size.width
        large = self.has_class("-wide") and self.has_class("-tall")
        self._show_past(overview)
        self.typed_line.rest(functions_heading(overview, width))
        self._draw_attention_head()
        if overview is None:
            return
        charts = large_charts(overview, width) if large else small_charts(overview, width)
        self.query_one("#charts", TextLines).show(*charts)
        self.functions.show(
            [
                (line.function, function_line(line, overview, now, width))
                for line in overview.functions
            ]
        )
        room = max(1, width - 5)
        self.attention.show([(c.key, concern_line(c, room, self.hints)) for c in overview.concerns])
        if self.attending and not overview.concerns:
            self._attend(False)

    def draw_past(self) -> None:
        """Draw which time is chosen, of which nothing is known yet."""
        self._show_past(None)

    def _show_past(self, overview: Overview | None) -> None:
        now, width = self.services.settings.clock.now(), self.app.size.width
        line = past_line(self.refreshing.past, overview, now, width, self.hints)
        self.query_one("#past", TextLines).show(line)

    def _draw_attention_head(self) -> None:
        head = attention_heading(self.overview, inside=self.attending, hints=self.hints)
        self.query_one("#attention-head", TextLines).show(head)

    # What the widgets tell

    def on_mount(self) -> None:
        self.set_interval(PACE_S, self.refreshing.keep_up)
        self.draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    @on(RowList.RowOpened)
    def _opened(self, event: RowList.RowOpened) -> None:
        self._attend(event.row_list is self.attention)
        self.perform(OPEN)

    @on(TypedLine.Typed)
    def _typed(self, event: TypedLine.Typed) -> None:
        self.finder.show_typed(event.text)

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        self.finder.typing_ended(event)

    # Keys

    @does(ATTENTION)
    def do_attention(self) -> None:
        """Move the keys into the list of what needs attention, or back to the functions."""
        if self.attention.rows:
            self._attend(not self.attending)
        else:
            self.services.notices.tell("Nothing needs attention.")

    def _attend(self, attending: bool) -> None:
        self.attending = attending
        self.attention.active, self.functions.active = attending, not attending
        self.attention.repaint()
        self.functions.repaint()
        self._draw_attention_head()

    @does(OPEN)
    def do_open(self) -> None:
        """Show the jobs of the function under the cursor, or what a concern leads to."""
        if self.attending:
            overview, key = self.overview, self.attention.cursor_id
            for concern in overview.concerns if overview is not None else ():
                if concern.key == key:
                    self._open_concern(concern)
        else:
            self._open_function(self.functions.cursor_id)

    def _open_function(self, function: str | None) -> None:
        notices = self.services.notices
        if not function:
            notices.tell("There is no function under the cursor.", "warn")
            return
        if function in (DELETED, OTHERS):
            notices.tell(f"There is no list for {function.strip('()')}.", "warn")
            return
        try:
            self.services.routes.show_jobs(Tab.ALL, equal(Field.FUNCTION, function))
        except FilterError as problem:
            notices.tell(f"This function can't be searched for: {problem.message}.", "warn")

    def _open_concern(self, concern: Concern) -> None:
        lead = concern.lead
        if lead.workers:
            self.services.routes.show_workers()
        elif lead.tab is not None:
            self.services.routes.show_jobs(lead.tab, lead.filter_text)
        else:
            helps = help_with(concern, self.hints)
            self.services.notices.tell(lead.advice or f"{helps}.")

    @does(BACK)
    def do_back(self) -> None:
        """Leave the list of what needs attention, or the screen."""
        if self.attending:
            self._attend(False)
        else:
            super().do_back()
