"""The window of time on the screen: which keys move it, and what is read for it."""

from __future__ import annotations

from typing import Protocol

from gigq_tui.keys.action import Action
from gigq_tui.keys.handlers import does, does_each
from gigq_tui.keys.screen_actions import (
    COMPARE,
    EARLIER,
    FAILURES_AFTER,
    FAILURES_BEFORE,
    LATER,
    NOW,
    OTHER_END,
    PAST_ACTIONS,
    ZOOM_IN,
    ZOOM_OUT,
)
from gigq_tui.screens.overview.failure_search import FailureSearch
from gigq_tui.screens.overview.lens import CHOICES_S, Lens
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.stepped_read import PausedView, SteppedRead, StepsHost
from gigq_tui.store.clock import Clock
from gigq_tui.store.history.account import Account, WindowWork
from gigq_tui.store.history.moment import Moment, MomentWork
from gigq_tui.store.history.time_window import USUAL, Period
from gigq_tui.store.stepwise import SoFar


class WindowHost(StepsHost, Protocol):
    """What the part needs of its screen."""

    def draw(self) -> None:
        """Draw what has come, or which time is chosen."""


class WindowOfTime(Part):
    """Chooses a window, and keeps what happened in it.

    Args:
        host: The screen.
        view: Tells whether the view is paused.
        clock: What time it is.
        notices: Where it is said why a key does nothing.
        period: What is looked at first.

    Attributes:
        lens: Which window, and what is chosen in it.
        reading: What happened in it, as far as it is read.
        moment: What ran under the cursor.
    """

    def __init__(
        self,
        host: WindowHost,
        view: PausedView,
        clock: Clock,
        notices: Tells,
        period: Period = USUAL,
    ) -> None:
        self._host = host
        self._clock = clock
        self._notices = notices
        self.lens = Lens(period, self._now)
        self._search = FailureSearch(self.lens)
        # Which way failures are wanted once the window is read: before (-1) or after; 0 for none.
        self._wanted = 0
        # What is new costs little, once the first reading is done.
        self.reading: SteppedRead[Account] = SteppedRead(host, view, clock, self._got, patience=1.0)
        self.moment: SteppedRead[Moment] = SteppedRead(host, view, clock, self._got_moment)
        self._moment_of: tuple[float, float] | None = None

    @property
    def _now(self) -> float:
        return self._clock.now().timestamp()

    @property
    def account(self) -> Account | None:
        """What happened in the window, as far as it is read; None before the first step."""
        known = self.reading.so_far
        return None if known is None else known.value

    def awaits(self, action: Action) -> bool:
        return self.reading.awaits(action)

    # --- what is read ---------------------------------------------------------------------------

    def start(self) -> None:
        """Read the window that is chosen."""
        self.reading.read(WindowWork(self.lens.window, self.lens.days))

    def fit(self, room: int) -> None:
        """Have room for so many bars."""
        if self.lens.fit(room, self._now):
            self.start()

    def take_news(self) -> None:
        """The file has changed."""
        self.reading.take_news()
        if self._moment_of is not None and self._moment_of[1] > self._now:
            # What is over stays as it was, and is not read again.
            self.moment.take_news()

    def keep_up(self) -> None:
        """Go on reading, and read anew where a bar has passed; the screen calls it each second."""
        known = self.account
        if known is not None and known.window.live and known.edges[-1] <= self._now:
            self.reading.take_news()
        else:
            self.reading.keep_up()
        self.moment.keep_up()

    def _got(self, _: SoFar[Account]) -> None:
        self.lens.keep_within(self._now)
        self._host.draw()
        self._seek()

    def _got_moment(self, _: SoFar[Moment]) -> None:
        self._host.draw()

    def _look(self, moved: bool) -> None:
        """Show what a key has chosen: nothing else is looked for any more."""
        self._search.stop()
        self._wanted = 0
        self._show(moved)

    def _show(self, moved: bool) -> None:
        """Show what is chosen, and read what that needs."""
        if moved:
            self.start()
        chosen = self.lens.bar
        if chosen is None:
            self._moment_of = None
        elif chosen != self._moment_of:
            self._moment_of = chosen
            self.moment.read(MomentWork(*chosen))
        self._host.draw()

    @property
    def known_moment(self) -> SoFar[Moment] | None:
        """What ran under the cursor; None without a cursor, or before it is read."""
        return None if self._moment_of is None else self.moment.so_far

    def ends_selection(self) -> bool:
        """End the selection; say whether there was one."""
        if self.lens.other is None:
            return False
        self.lens.choose_other_end(self._now)
        self._host.draw()
        return True

    # --- keys -----------------------------------------------------------------------------------

    @does_each(PAST_ACTIONS)
    def do_past(self, index: int) -> None:
        """Show the last hours, so many as the key says."""
        self._look(self.lens.go_to_now(self._now, CHOICES_S[index]))

    @does(NOW)
    def do_now(self) -> None:
        """Show the last hours, as many as before."""
        self._look(self.lens.go_to_now(self._now))

    @does(EARLIER)
    def do_earlier(self) -> None:
        """Put the cursor on the bar before."""
        self._move(-1)

    @does(LATER)
    def do_later(self) -> None:
        """Put the cursor on the bar after."""
        self._move(1)

    def _move(self, bars: int) -> None:
        account = self.account
        before = self.lens.cursor
        moved = self.lens.move(bars, self._now, None if account is None else account.oldest)
        if not moved and before is not None and before == self.lens.cursor:
            self._notices.tell("Nothing began before." if bars < 0 else "This is the present bar.")
        self._look(moved)

    @does(ZOOM_IN)
    def do_zoom_in(self) -> None:
        """Show a shorter time: what is selected, or around the cursor."""
        if not (moved := self.lens.zoom_in(self._now)):
            self._notices.tell("This is the shortest window.")
        self._look(moved)

    @does(ZOOM_OUT)
    def do_zoom_out(self) -> None:
        """Show a longer time, up to what the file holds."""
        account = self.account
        oldest = None if account is None else account.oldest
        if not (moved := self.lens.zoom_out(self._now, oldest)):
            self._notices.tell("This window holds all that the file does.")
        self._look(moved)

    @does(OTHER_END)
    def do_other_end(self) -> None:
        """Select from the cursor's bar on, or select no longer."""
        self.lens.choose_other_end(self._now)
        self._look(False)

    @does(COMPARE)
    def do_compare(self) -> None:
        """Compare with other hours before, or with none."""
        self.lens.compare_next()
        self._look(True)

    @does(FAILURES_BEFORE)
    def do_failures_before(self) -> None:
        """Zoom in on the failures before: of the cursor, of those shown, or of the window."""
        self._to_failures(-1)

    @does(FAILURES_AFTER)
    def do_failures_after(self) -> None:
        """Zoom in on the failures after: of the cursor, of those shown, or of the window."""
        self._to_failures(1)

    def _to_failures(self, step: int) -> None:
        self._search.stop()
        self._wanted = step
        known = self.reading.so_far
        if known is not None and not known.done:
            self._notices.tell(f"Looking for them once this window is read ({known.share:.0%}).")
        self._seek()

    def _seek(self) -> None:
        """Go on to the failures that are wanted, as far as the window is read for that."""
        known = self.reading.so_far
        if known is None or not known.done:
            return
        window = self.lens.window
        if self._wanted:
            why_not = self._search.begin(known.value, self._wanted, self._now)
        elif self._search.goes_on:
            why_not = self._search.go_on(known.value, self._now)
        else:
            return
        self._wanted = 0
        if why_not:
            self._notices.tell(why_not)
        self._show(self.lens.window != window)
