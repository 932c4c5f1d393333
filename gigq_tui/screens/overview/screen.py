"""The overview screen: how the work has gone, by time and by function, and what stands out."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.widget import Widget

from gigq_core.units.times import moment_of
from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import ATTENTION, BACK, OPEN_THEN
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.overview.lines import (
    attention_heading,
    chosen_lines,
    concern_line,
    function_line,
    functions_heading,
    help_with,
    histogram,
    large_charts,
    room_for_bars,
    small_charts,
    window_line,
)
from gigq_tui.screens.overview.window import WindowOfTime
from gigq_tui.screens.parts.paced_read import PACE_S, PacedRead
from gigq_tui.screens.parts.row_finder import RowFinder
from gigq_tui.services import Services
from gigq_tui.store.filter.language import Filter, FilterError, parse
from gigq_tui.store.filter.terms import Field
from gigq_tui.store.filter.writing import all_of, equal, period
from gigq_tui.store.history.account import DELETED, OTHERS, Account
from gigq_tui.store.history.attention import Concern
from gigq_tui.store.history.overview import ALL, FunctionLine, Overview, function_lines
from gigq_tui.store.history.time_window import USUAL, Period
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
    """What happened in a window of time.

    Args:
        services: What the console can do.
        period: Which window it shows first.
    """

    SCOPE = Scope.OVERVIEW
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "screen.tcss"

    def __init__(self, services: Services, period: Period = USUAL) -> None:
        super().__init__(services)
        self.hints = services.hints
        clock, view = services.settings.clock, services.picture
        self.refreshing: PacedRead[Overview] = PacedRead(
            self, view, clock, lambda reader: reader.overview(), self.draw
        )
        self.window = WindowOfTime(self, view, clock, services.notices, period)
        self.finder = RowFinder(self, services.notices)
        self.parts = (self.refreshing, self.window, self.finder)
        # Whether the keys move in the list of what needs attention.
        self.attending = False
        self._lines: dict[str, FunctionLine] = {}

    def compose_body(self) -> Iterable[Widget]:
        yield TextLines(id="past")
        yield TextLines(id="charts")
        yield TextLines(id="chosen")
        yield TypedLine(id="functions-head")
        yield ActiveList(id="functions")
        yield TextLines(id="histogram")
        yield TextLines(id="attention-head")
        attention = ActiveList(id="attention")
        attention.active = False
        yield attention

    @property
    def overview(self) -> Overview | None:
        """How things stand now; None before it was first read."""
        return self.refreshing.value

    @property
    def account(self) -> Account | None:
        """What happened in the window; None before it was first read."""
        return self.window.account

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
        now = self.services.settings.clock.now().timestamp()
        return Destination("overview", self.window.lens.period(now).word)

    def mover(self) -> Scrolled:
        return self.attention if self.attending else self.functions

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.refreshing.take_news()
        self.window.take_news()

    # Drawing

    def draw(self) -> None:
        """Draw what has changed."""
        if not self.is_whole:
            return
        overview, account, lens = self.overview, self.account, self.window.lens
        now, width = self.services.settings.clock.now(), self.app.size.width
        line = window_line(lens, self.window.reading.so_far, now, width, self.hints)
        self.query_one("#past", TextLines).show(line)
        self.typed_line.rest(functions_heading(overview, lens, width))
        self._draw_attention_head()
        if account is not None:
            charts = large_charts if self._is_large else small_charts
            self.query_one("#charts", TextLines).show(*charts(lens, account, overview, width))
            chosen = chosen_lines(lens, account, self.window.known_moment, width, self.hints)
            self.query_one("#chosen", TextLines).show(*chosen)
        if overview is None:
            return
        if account is not None:
            found = function_lines(account, overview)
            self._lines = {line.function: line for line in found}
            self.functions.show(
                [(line.function, function_line(line, overview, now, width, lens)) for line in found]
            )
            self._draw_histogram()
        room = max(1, width - 5)
        self.attention.show([(c.key, concern_line(c, room, self.hints)) for c in overview.concerns])
        if self.attending and not overview.concerns:
            self._attend(False)

    @property
    def _is_large(self) -> bool:
        return self.has_class("-wide") and self.has_class("-tall")

    def _draw_histogram(self) -> None:
        line = self._lines.get(self.functions.cursor_id or "")
        drawn = histogram(line, self.window.lens, self.app.size.width)
        self.query_one("#histogram", TextLines).show(*drawn)

    def _draw_attention_head(self) -> None:
        head = attention_heading(self.overview, inside=self.attending, hints=self.hints)
        self.query_one("#attention-head", TextLines).show(head)

    # What the widgets tell

    def on_mount(self) -> None:
        self.set_interval(PACE_S, self._keep_up)
        self._fit()
        self.window.start()
        self.draw()

    def _keep_up(self) -> None:
        self.refreshing.keep_up()
        self.window.keep_up()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit_and_draw)

    def _fit_and_draw(self) -> None:
        self._fit()
        self.draw()

    def _fit(self) -> None:
        """Have as many bars as there is room for."""
        self.window.fit(room_for_bars(self.app.size.width, large=self._is_large))

    @on(RowList.CursorMoved)
    def _cursor_moved(self, event: RowList.CursorMoved) -> None:
        if event.row_list is self.functions:
            self._draw_histogram()

    @on(RowList.RowOpened)
    def _opened(self, event: RowList.RowOpened) -> None:
        self._attend(event.row_list is self.attention)
        self.perform(OPEN_THEN)

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

    @does(OPEN_THEN)
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
        """List the jobs that ran in what is chosen, those of one function or all."""
        notices = self.services.notices
        if not function:
            notices.tell("There is no function under the cursor.", "warn")
            return
        if function in (DELETED, OTHERS):
            notices.tell(f"There is no list for {function.strip('()')}.", "warn")
            return
        try:
            self.services.routes.show_jobs(Tab.ALL, self.filter_text(function))
        except FilterError as problem:
            notices.tell(f"This function can't be searched for: {problem.message}.", "warn")

    @property
    def listed(self) -> tuple[Tab, Filter]:
        function = self.functions.cursor_id or ALL
        if self.attending or function in (DELETED, OTHERS):
            function = ALL
        return Tab.ALL, parse(self.filter_text(function))

    def filter_text(self, function: str = ALL) -> str:
        """The filter for the jobs of one function, or all, that ran in what is chosen."""
        now = self.services.settings.clock.now()
        chosen = self.window.lens.chosen(now.timestamp())
        until = None if chosen.end > now.timestamp() else moment_of(chosen.end)
        ran = period(Field.RAN, moment_of(chosen.start), until)
        return ran if function == ALL else all_of(equal(Field.FUNCTION, function), ran)

    def _open_concern(self, concern: Concern) -> None:
        lead = concern.lead
        if lead.workers:
            self.services.routes.show_workers()
        elif lead.screen:
            self.services.routes.open(Destination(lead.screen))
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
        elif not self.window.ends_selection():
            super().do_back()
