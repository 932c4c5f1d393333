"""The overview screen: how the work has gone, by time and by function, and what stands out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from textual import on
from textual.widget import Widget

from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.action import Action
from gigq_tui.keys.handlers import does, does_each
from gigq_tui.keys.looking_actions import OPEN
from gigq_tui.keys.screen_actions import ATTENTION, BACK, PAST_ACTIONS
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
from gigq_tui.screens.parts.row_finder import RowFinder
from gigq_tui.screens.parts.typed_ahead import is_about_rows
from gigq_tui.services import Services
from gigq_tui.store.filter.language import FilterError
from gigq_tui.store.history.attempts import DELETED, OTHERS
from gigq_tui.store.history.attention import Concern
from gigq_tui.store.history.overview import Overview
from gigq_tui.store.history.rings import Past
from gigq_tui.store.models import Snapshot, Tab
from gigq_tui.widgets.lines import Line, TextLines
from gigq_tui.widgets.row_list import PickList, RowList
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.typed_line import TypedLine

# An overview costs the reader's thread some tens of milliseconds: news is gathered this long, and
# this often it is looked whether time alone has moved the charts on.
PACE_S = 1.0


class ActiveList(PickList):
    """A list whose cursor is seen only while the keys move in it."""

    active = True

    def content_line(self, index: int, width: int) -> Line:
        if self.active:
            return super().content_line(index, width)
        return self.row_line(index, width, selected=False)


class OverviewScreen(ConsoleScreen, inherit_bindings=False):
    """What happened in the last minutes or hours."""

    SCOPE = Scope.OVERVIEW
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "screen.tcss"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.past = Past.MINUTES_60
        self.seen: Overview | None = None
        # Whether the keys move in the list of what needs a person.
        self.attending = False
        self._asking = False
        self._asked_at = float("-inf")
        # Something came since the last question.
        self._news = False
        self.finder = RowFinder(self)
        self.parts = (self.finder,)

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
    def functions(self) -> ActiveList:
        """The list of functions."""
        return self.query_one("#functions", ActiveList)

    @property
    def attention(self) -> ActiveList:
        """The list of what needs a person."""
        return self.query_one("#attention", ActiveList)

    @property
    def typed_line(self) -> TypedLine:
        """The line in which the text to find is typed."""
        return self.query_one(TypedLine)

    def mover(self) -> Scrolled:
        return self.attention if self.attending else self.functions

    # Asking: a snapshot says that there is news, the reader's thread puts the overview together

    def on_mount(self) -> None:
        self.set_interval(PACE_S, self._keep_up)
        self._draw()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        if self.console.clock.monotonic() - self._asked_at < PACE_S:
            self._news = True
        else:
            self._look()

    def awaits(self, action: Action) -> bool:
        return self.seen is None and is_about_rows(action)

    def _look(self) -> None:
        if self._asking:
            self._news = True
            return
        self._asking, self._news = True, False
        self._asked_at = self.console.clock.monotonic()
        past = self.past
        self.ask("overview", past, lambda answer: self._arrived(past, answer))

    def _arrived(self, past: Past, answer: Any) -> None:
        self._asking = False
        again = past is not self.past
        if isinstance(answer, Overview) and not again and not self._held_back():
            self.seen = answer
            self._draw()
            again = answer.reading
        if again and self.is_current:
            self._look()

    def _held_back(self) -> bool:
        """Whether the picture is held: then only another window is drawn, once it is read."""
        seen = self.seen
        done = seen is not None and seen.window is self.past and not seen.reading
        return self.console.held and done

    def _keep_up(self) -> None:
        """Ask anew after news, and where a chart with anything in it has moved by a bucket."""
        if not self.is_current or self.console.held:
            return
        if self._news or self._has_drifted():
            self._look()

    def _has_drifted(self) -> bool:
        seen = self.seen
        if seen is None or not _moves(seen):
            return False
        return _bucket(self.console.clock.now(), self.past) != _bucket(seen.taken_at, self.past)

    # Drawing

    def _draw(self) -> None:
        if not self.is_whole:
            return
        seen, now = self.seen, self.console.clock.now()
        width = self.app.size.width
        large = self.has_class("-wide") and self.has_class("-tall")
        self.query_one("#past", TextLines).show(
            past_line(self.past, seen, now, width, self.console.hints)
        )
        self.typed_line.rest(functions_heading(seen, width))
        self._draw_attention_head()
        if seen is None:
            return
        charts = large_charts(seen, width) if large else small_charts(seen, width)
        self.query_one("#charts", TextLines).show(*charts)
        self.functions.show(
            [(line.function, function_line(line, seen, now, width)) for line in seen.functions]
        )
        room, hints = max(1, width - 5), self.console.hints
        self.attention.show([(c.key, concern_line(c, room, hints)) for c in seen.concerns])
        if self.attending and not seen.concerns:
            self._attend(False)

    def _draw_attention_head(self) -> None:
        head = attention_heading(self.seen, inside=self.attending, hints=self.console.hints)
        self.query_one("#attention-head", TextLines).show(head)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

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

    # Acting

    def _choose(self, past: Past) -> None:
        if past is not self.past:
            self.past = past
            self.query_one("#past", TextLines).show(
                past_line(
                    past, None, self.console.clock.now(), self.app.size.width, self.console.hints
                )
            )
            self._look()

    @does_each(PAST_ACTIONS)
    def do_past(self, index: int) -> None:
        self._choose(tuple(Past)[index])

    @does(ATTENTION)
    def do_attention(self) -> None:
        """Move the keys into the list of what needs a person, or back to the functions."""
        if not self.attention.rows:
            self.console.notice("Nothing needs attention.")
            return
        self._attend(not self.attending)

    def _attend(self, attending: bool) -> None:
        self.attending = attending
        self.attention.active, self.functions.active = attending, not attending
        self.attention.repaint()
        self.functions.repaint()
        self._draw_attention_head()

    @does(OPEN)
    def do_open(self) -> None:
        """Show the jobs behind the line under the cursor, or what leads on from it."""
        if self.attending:
            concern = self._concern()
            if concern is not None:
                self._follow(concern)
            return
        function = self.functions.cursor_id
        if not function:
            self.console.notice("There is no function under the cursor.", "warn")
            return
        if function in (DELETED, OTHERS):
            self.console.notice(f"There is no list for {function.strip('()')}.", "warn")
            return
        try:
            self.console.show_jobs(Tab.ALL, _is_function(function))
        except FilterError as problem:
            self.console.notice(f"This function can't be searched for: {problem.message}.", "warn")

    def _concern(self) -> Concern | None:
        concerns = self.seen.concerns if self.seen is not None else ()
        return next((c for c in concerns if c.key == self.attention.cursor_id), None)

    def _follow(self, concern: Concern) -> None:
        lead = concern.lead
        if lead.workers:
            self.console.do_workers()
        elif lead.tab is not None:
            self.console.show_jobs(lead.tab, lead.filter_text)
        else:
            helps = help_with(concern, self.console.hints)
            self.console.notice(lead.advice or f"{helps}.")

    @does(BACK)
    def do_back(self) -> None:
        """Leave the list of what needs a person, or the screen."""
        if self.attending:
            self._attend(False)
        else:
            super().do_back()


def _moves(seen: Overview) -> bool:
    """Whether the charts show anything that moves away as time goes on."""
    waited = {value for value in seen.waiting if value is not None}
    return any(seen.done) or any(seen.failed) or len(waited) > 1


def _bucket(at: datetime, past: Past) -> int:
    return int((at - datetime.min).total_seconds() // past.bucket_s)


def _is_function(function: str) -> str:
    quoted = function.replace('"', '\\"')
    return f'fn="{quoted}"'
