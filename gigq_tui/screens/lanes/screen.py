"""The lanes screen: named queues with their limits, how each stands, and what waits in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from textual import on
from textual.widget import Widget

from gigq_core.lanes.rules import Lane
from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.lane_actions import LANE_JOBS
from gigq_tui.keys.screen_actions import BACK
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.lanes.actions import LaneLinks, RuleActions
from gigq_tui.screens.lanes.choice import LaneChoice
from gigq_tui.screens.lanes.lane_list import LaneList
from gigq_tui.screens.lanes.lines import Table, head_line, no_lanes
from gigq_tui.screens.lanes.order import LaneOrder
from gigq_tui.screens.lanes.words import lane_words
from gigq_tui.screens.parts.stepped_read import PACE_S, SteppedRead
from gigq_tui.services import Services
from gigq_tui.store.lanes import Lanes, LanesReading, ticks
from gigq_tui.store.models import Snapshot
from gigq_tui.store.stepwise import SoFar
from gigq_tui.viewpoint import Destination
from gigq_tui.widgets.lines import TextLines
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.scrolled import Pane, Scrolled
from gigq_tui.widgets.typed_line import TypedLine


class LanesScreen(ConsoleScreen, inherit_bindings=False):
    """The lanes of the file, and the rules of those that have no jobs.

    Args:
        services: What the console can do.
    """

    SCOPE = Scope.LANES
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "screen.tcss"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        settings, notices = services.settings, services.notices
        self.reading: SteppedRead[Lanes] = SteppedRead(
            self, services.picture, settings.clock, self._take
        )
        self.order = LaneOrder(self, settings.clock.monotonic, notices)
        self.choice = LaneChoice(self, self.order.hold)
        self.rules = RuleActions(
            self, self.choice, services.lanes, services.actions, notices, settings.path
        )
        links = LaneLinks(
            self,
            self.choice,
            services.routes.show_jobs,
            services.copying,
            notices,
            settings.path,
        )
        self.parts = (self.reading, self.order, self.choice, self.rules, links)

    def compose_body(self) -> Iterable[Widget]:
        yield TextLines(id="lanes-head")
        yield TypedLine(id="lanes-columns")
        yield LaneList(id="lanes")
        yield Pane(id="empty")

    # What the parts ask

    @property
    def lanes(self) -> Sequence[Lane]:
        """All lanes."""
        so_far = self.reading.so_far
        return () if so_far is None else so_far.value.lanes

    @property
    def oldest(self) -> Mapping[str, float]:
        """Since when the oldest job waits that a lane could start, by the lane's name."""
        so_far = self.reading.so_far
        return {} if so_far is None else so_far.value.oldest

    @property
    def is_read(self) -> bool:
        """Whether they have been read."""
        return self.reading.so_far is not None

    @property
    def roster(self) -> LaneList:
        """The list of lanes."""
        return self.query_one(LaneList)

    @property
    def typed_line(self) -> TypedLine:
        """The line in which words are typed."""
        return self.query_one(TypedLine)

    def destination(self) -> Destination:
        return Destination("lanes")

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
        self.reading.read(LanesReading())
        self.draw()

    def _keep_up(self) -> None:
        """Read on, and tell what has changed with the hour alone."""
        self.reading.keep_up()
        now = self._now
        is_seen = self.is_current and not self.services.picture.paused
        if is_seen and (self.order.is_due or any(ticks(lane, now) for lane in self.lanes)):
            self.draw()

    def reread(self) -> None:
        """Read the lanes anew."""
        self.reading.read(LanesReading())

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.reading.take_news()

    def _take(self, so_far: SoFar[Lanes]) -> None:
        self.draw()
        self.rules.review()

    @property
    def _now(self) -> float:
        return self.services.settings.clock.now().timestamp()

    # Drawing

    def draw(self) -> None:
        """Draw what has changed."""
        if not self.is_whole or not self.is_read:
            return
        lanes, width, now, order = self.lanes, self.app.size.width, self._now, self.order
        self.choice.forget_gone()
        shown, marked = order.arrange(lanes, now), self.choice.marked
        lead = order.describe(len(marked))
        head = head_line(lanes, len(shown), order.filter_text, lead, now, width)
        self.query_one("#lanes-head", TextLines).show(head)
        self.set_class(not shown, "-none")
        self.query_one("#empty", Pane).show(self._nothing() if not shown else ())
        table = Table(lanes, self.oldest, now, width, order.sort)
        self.typed_line.rest(table.heading() if shown else ())
        self.roster.show(shown, lambda lane: table.line(lane, marked=lane.name in marked))
        self._tell_current()

    def _nothing(self) -> Sequence[tuple[tuple[str, str], ...]]:
        hints = self.services.hints
        if self.lanes:
            return [
                (),
                ((" No matches; ", "dim"), (hints(BACK), "key"), (" shows all lanes.", "dim")),
            ]
        return no_lanes(hints, read_only=self.services.settings.read_only)

    def _tell_current(self) -> None:
        """Say of the lane under the cursor what its line has no room for."""
        lane = self.choice.current
        text = "" if lane is None else lane_words(lane)
        self.notice_line.rest(((f" {text}", "dim"),) if text else ())

    # What the widgets tell

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    @on(RowList.CursorMoved)
    def _moved(self) -> None:
        self._tell_current()

    @on(RowList.RowOpened)
    def _opened(self) -> None:
        self.perform(LANE_JOBS)

    @on(TypedLine.Typed)
    def _typed(self, event: TypedLine.Typed) -> None:
        self.order.show_typed(event.text)

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        self.order.typing_ended(event)

    # Keys

    @does(BACK)
    def do_back(self) -> None:
        """Take the marks away, show all lanes again, or go back."""
        if not self.choice.unmark() and not self.order.widen():
            super().do_back()
