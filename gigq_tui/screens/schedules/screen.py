"""The schedules screen: what comes when, what became of the last slots, and what was skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from textual import on
from textual.containers import Container
from textual.widget import Widget

from gigq_core.reasons.why import Health
from gigq_core.schedules.cron import Slot, preview
from gigq_core.schedules.rules import Schedule
from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.schedule_actions import SCHEDULE_JOBS
from gigq_tui.keys.screen_actions import BACK
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.parts.paced_read import PACE_S
from gigq_tui.screens.parts.slots import NEXT_SLOTS
from gigq_tui.screens.schedules.actions import ScheduleKeys
from gigq_tui.screens.schedules.choice import ScheduleChoice
from gigq_tui.screens.schedules.lines import Table, head_line, no_schedules
from gigq_tui.screens.schedules.links import ScheduleLinks
from gigq_tui.screens.schedules.order import ScheduleOrder
from gigq_tui.screens.schedules.panel import panel_lines
from gigq_tui.screens.schedules.refresh import ScheduleRefresh
from gigq_tui.services import Services
from gigq_tui.store.models import Snapshot
from gigq_tui.store.schedules import ListedSchedule
from gigq_tui.viewpoint import Destination
from gigq_tui.widgets.lines import Line, TextLines
from gigq_tui.widgets.row_list import PickList, RowList
from gigq_tui.widgets.scrolled import Pane, Scrolled
from gigq_tui.widgets.typed_line import TypedLine

# From so many cells on the panel stands beside the list.
BESIDE = 190
BESIDE_CELLS = 74
# The list keeps so many rows beside a panel that wants all, and so much of the room.
LEAST_ROWS = 3
LIST_SHARE = 0.4
# Header, key bar and the lines around the list.
_FRAME_LINES = 6


class SchedulesScreen(ConsoleScreen, inherit_bindings=False):
    """The schedules of the file, and the past and the coming slots of the one under the cursor.

    Args:
        services: What the console can do.
    """

    SCOPE = Scope.SCHEDULES
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "screen.tcss"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        settings, notices = services.settings, services.notices
        self.refreshing = ScheduleRefresh(self, services.picture, settings.clock)
        self.order = ScheduleOrder(self, settings.clock.monotonic, notices)
        self.choice = ScheduleChoice(self, self.order.hold)
        self.parts = (
            self.refreshing,
            self.order,
            self.choice,
            ScheduleKeys(
                self,
                self.choice,
                services.schedules,
                services.actions,
                services.routes,
                notices,
                settings.clock,
                settings.path,
            ),
            ScheduleLinks(
                self, self.choice, services.routes, services.copying, notices, settings.path
            ),
        )
        # The next slots of one rule, and until when they are.
        self._coming: tuple[tuple[str, str], float, list[Slot]] | None = None

    def compose_body(self) -> Iterable[Widget]:
        yield TextLines(id="schedules-head")
        with Container(id="sheet"):
            with Container(id="listing"):
                yield TypedLine(id="schedules-columns")
                yield PickList(id="schedules")
                yield Pane(id="empty")
            yield Pane(id="schedule-panel")

    # What the parts ask

    @property
    def schedules(self) -> Sequence[ListedSchedule]:
        """All schedules."""
        return self.refreshing.listed

    @property
    def cursor_name(self) -> str:
        """The name of the schedule under the cursor."""
        return self.roster.cursor_id or ""

    @property
    def roster(self) -> PickList:
        """The list of schedules."""
        return self.query_one("#schedules", PickList)

    @property
    def typed_line(self) -> TypedLine:
        """The line in which words are typed."""
        return self.query_one(TypedLine)

    def destination(self) -> Destination:
        return Destination("schedules")

    def marked_count(self) -> int:
        return len(self.choice.marked)

    def mover(self) -> Scrolled:
        return self.roster

    def _move(self, move: Callable[[Scrolled], None]) -> None:
        self.order.hold()
        super()._move(move)

    # Reading

    def on_mount(self) -> None:
        self.set_interval(PACE_S, self._keep_up)
        self.refreshing.keep_up()

    def _keep_up(self) -> None:
        """Read on, and tell what has changed with the hour alone."""
        self.refreshing.keep_up()
        if self.is_current and not self.services.picture.paused:
            self.draw()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.refreshing.take_news()

    @property
    def _now(self) -> datetime:
        return self.services.settings.clock.now()

    @property
    def _has_workers(self) -> bool:
        shown = self.services.picture.shown
        workers = shown.workers if shown is not None else ()
        return any(worker.health is Health.ALIVE for worker in workers)

    # Drawing

    def draw(self) -> None:
        """Draw what has changed."""
        if not self.is_whole or self.refreshing.value is None:
            return
        listed, now, order, hints = self.schedules, self._now, self.order, self.services.hints
        width = self.app.size.width
        beside = width >= BESIDE
        self.choice.forget_gone()
        shown, marked = order.arrange(listed, now), self.choice.marked
        lead = order.describe(len(marked))
        head = head_line(listed, len(shown), lead, now, width, hints, order.sort)
        self.query_one("#schedules-head", TextLines).show(head)
        self.set_class(not shown, "-none")
        self.set_class(beside, "-beside")
        self.query_one("#empty", Pane).show(self._nothing() if not shown else ())
        room = width - BESIDE_CELLS if beside else width
        table = Table(shown, now, room, has_workers=self._has_workers)
        self.typed_line.rest(table.heading())
        self.roster.show([(one.name, table.line(one, marked=one.name in marked)) for one in shown])
        self._draw_panel()

    def _nothing(self) -> Sequence[Line]:
        hints = self.services.hints
        if self.schedules:
            return [
                (),
                ((" No matches; ", "dim"), (hints(BACK), "key"), (" shows all schedules.", "dim")),
            ]
        return no_schedules(hints, read_only=self.services.settings.read_only)

    def _draw_panel(self) -> None:
        """Draw the schedule under the cursor, in as many lines as there is room for."""
        pane, one = self.query_one("#schedule-panel", Pane), self.choice.current
        if one is None:
            pane.show((), top=0)
            return
        beside = self.has_class("-beside")
        width = BESIDE_CELLS - 1 if beside else self.app.size.width
        past = self.refreshing.past_of(one.name)
        lines = panel_lines(one, self._slots(one.schedule), past, self._now, width)
        height = "1fr" if beside else str(self._panel_height(len(lines)))
        if str(pane.styles.height) != height:
            pane.styles.height = height
        pane.show(lines)

    def _panel_height(self, wanted: int) -> int:
        room = max(1, self.app.size.height - _FRAME_LINES)
        rows = max(LEAST_ROWS, min(self.roster.total, round(room * LIST_SHARE)))
        return max(0, min(wanted, room - rows))

    def _slots(self, schedule: Schedule) -> list[Slot]:
        """Its next slots, counted anew once the first of them is over."""
        now, rule = self._now.timestamp(), (schedule.when, schedule.zone)
        if self._coming is None or self._coming[0] != rule or now >= self._coming[1]:
            try:
                slots = preview(*rule, NEXT_SLOTS, now)
            except ValueError:
                slots = []
            self._coming = (rule, slots[0].at if slots else float("inf"), slots)
        return self._coming[2]

    # What the widgets tell

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    @on(RowList.CursorMoved)
    def _moved(self) -> None:
        if self.is_whole:
            self._draw_panel()
            self.refreshing.follow_cursor()

    @on(RowList.RowOpened)
    def _opened(self) -> None:
        self.perform(SCHEDULE_JOBS)

    @on(TypedLine.Typed)
    def _typed(self, event: TypedLine.Typed) -> None:
        self.order.show_typed(event.text)

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        self.order.typing_ended(event)

    # Keys

    @does(BACK)
    def do_back(self) -> None:
        """Take the marks away, show all schedules again, or go back."""
        if not self.choice.unmark() and not self.order.widen():
            super().do_back()
