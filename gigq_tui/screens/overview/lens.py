"""Which stretch of time is looked at: the window, the bar under the cursor, the other end.

All times are in UTC seconds; `now` is the present moment. Nothing here reads or draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gigq_tui.store.history.account import Bar
from gigq_tui.store.history.time_window import (
    LENGTHS_S,
    Period,
    TimeWindow,
    longer,
    shorter,
)

# The lengths that have keys of their own, in seconds.
CHOICES_S = (60, 300, 900, 3_600, 21_600, 86_400)
# The hours that a window is compared with lie so many days before; 0 for none.
COMPARISONS = (1, 7, 0)
# A bar with fewer failures than this part of the most in a bar belongs to no stretch of them.
NOTABLE_SHARE = 0.25
# So many bars without them do not end a stretch of failures.
GAP_BARS = 2
DEFAULT_ROOM = 50


class Stretch(NamedTuple):
    """A stretch of time, the end excluded."""

    start: float
    end: float


class Lens:
    """The window, and what is chosen in it.

    Args:
        period: what is looked at first.
        now: the present moment.

    Attributes:
        room: how many bars there is room for.
        window: the window.
        days: how many days before the hours lie that it is compared with; 0 for none.
        cursor: where the bar under the cursor begins; None while none is chosen.
        other: where the bar at the other end of the selection begins; None without one.
    """

    def __init__(self, period: Period, now: float) -> None:
        self.room = DEFAULT_ROOM
        self.days = COMPARISONS[0]
        self.cursor: float | None = None
        self.other: float | None = None
        self._length_s = period.length_s
        if period.start is None:
            self.window = TimeWindow.up_to_now(self._length_s, now, self.room)
        else:
            end = period.start + period.length_s
            self.window = TimeWindow.between(period.start, end, now, self.room)

    @property
    def length_s(self) -> float:
        """How long a window was asked for; its bars may make it a little longer."""
        return self._length_s

    def period(self, now: float) -> Period:
        """The window, in words that travel."""
        if self.window.live:
            return Period(self._length_s)
        edges = self.window.edges(now)
        return Period(edges[-1] - edges[0], edges[0])

    # --- which window ---------------------------------------------------------------------------

    def fit(self, room: int, now: float) -> bool:
        """Have room for so many bars; say whether that changes the window."""
        if room == self.room or room < 1:
            return False
        self.room = room
        edges = self.window.edges(now)
        if self.window.live:
            return self._go_to(TimeWindow.up_to_now(self._length_s, now, room), now)
        return self._go_to(TimeWindow.between(edges[0], edges[-1], now, room), now)

    def go_to_now(self, now: float, length_s: float | None = None) -> bool:
        """Look at the last hours, as long as before or as told, and choose nothing in them."""
        self._length_s = self._length_s if length_s is None else length_s
        if self._length_s not in LENGTHS_S:
            self._length_s = longer(self._length_s)
        self.cursor = self.other = None
        return self._go_to(TimeWindow.up_to_now(self._length_s, now, self.room), now)

    def go_between(self, stretch: Stretch, now: float) -> bool:
        """Look at a stretch of time, and choose nothing in it."""
        self.cursor = self.other = None
        self._length_s = max(1.0, stretch.end - stretch.start)
        return self._go_to(TimeWindow.between(*stretch, now, self.room), now)

    def zoom_in(self, now: float) -> bool:
        """Look at what is selected; or at a shorter time around the cursor, or up to now."""
        if (chosen := self.selection) is not None:
            return self.go_between(chosen, now)
        edges = self.window.edges(now)
        length_s = shorter(min(self._length_s, edges[-1] - edges[0]))
        return self._zoom(length_s, now)

    def zoom_out(self, now: float, oldest: float | None) -> bool:
        """Look at a longer time around the cursor, or up to now; no further than the file goes."""
        edges = self.window.edges(now)
        if oldest is None or (edges[0] <= oldest and edges[-1] > now):
            return False
        self.other = None
        return self._zoom(longer(max(self._length_s, 1.0)), now)

    def _zoom(self, length_s: float, now: float) -> bool:
        if length_s == self._length_s:
            return False
        edges = self.window.edges(now)
        around = (edges[0] + edges[-1]) / 2
        if self.cursor is not None:
            around = min(self.cursor + self._bar_s(now) / 2, now)
        self._length_s = length_s
        if self.cursor is None and self.window.live:
            return self._go_to(TimeWindow.up_to_now(length_s, now, self.room), now)
        start = around - length_s / 2
        if start + length_s > now:
            window = TimeWindow.up_to_now(length_s, now, self.room)
        else:
            window = TimeWindow.between(start, start + length_s, now, self.room)
        changed = self._go_to(window, now)
        if self.cursor is not None:
            self.cursor = self._bar_of(around, now)
        return changed

    def _go_to(self, window: TimeWindow, now: float) -> bool:
        changed = window != self.window
        self.window = window
        if changed and self.cursor is not None:
            self.cursor = self._bar_of(self.cursor, now)
        if changed and self.other is not None:
            self.other = self._bar_of(self.other, now)
        return changed

    # --- what is chosen in it -------------------------------------------------------------------

    def move(self, bars: int, now: float, oldest: float | None) -> bool:
        """Put the cursor on another bar; at the edge, take the window along by half of it.

        Args:
            bars: how many bars later, negative for earlier.
            now: the present moment.
            oldest: when the first attempt of the file began.

        Returns:
            Whether the window has moved.
        """
        edges = self.window.edges(now)
        starts = edges[:-1]
        if self.cursor is None:
            # From now on, one goes back; what was before is read from where it ends as well.
            self.cursor = starts[-1]
            return False
        at = self._index(self.cursor, starts) + bars
        if 0 <= at < len(starts):
            self.cursor = starts[at]
            return False
        half = max(1, self.window.bars // 2)
        if at < 0:
            if oldest is None or edges[0] <= oldest:
                self.cursor = starts[0]
                return False
            wanted = self.window.ruler.moved(starts[0], at)
            self._go_to(self.window.moved(-half, now), now)
        else:
            if self.window.live:
                self.cursor = starts[-1]
                return False
            wanted = self.window.ruler.moved(starts[-1], at - len(starts) + 1)
            self._go_to(self.window.moved(half, now), now)
        self.cursor = self._bar_of(wanted, now)
        return True

    def choose_other_end(self, now: float) -> bool:
        """Let the other end of a selection be where the cursor is; or select no longer.

        Returns:
            Whether there is a selection now.
        """
        if self.other is not None:
            self.other = None
            return False
        if self.cursor is None:
            self.cursor = self.window.edges(now)[-2]
        self.other = self.cursor
        return True

    @property
    def selection(self) -> Stretch | None:
        """What is selected: from one end to the other, both bars included."""
        if self.cursor is None or self.other is None:
            return None
        first, last = sorted((self.cursor, self.other))
        return Stretch(first, self.window.ruler.moved(last, 1))

    @property
    def bar(self) -> Stretch | None:
        """The bar under the cursor."""
        if self.cursor is None:
            return None
        return Stretch(self.cursor, self.window.ruler.moved(self.cursor, 1))

    def chosen(self, now: float) -> Stretch:
        """What is selected, or the bar under the cursor, or all of the window."""
        edges = self.window.edges(now)
        return self.selection or self.bar or Stretch(edges[0], edges[-1])

    def compare_next(self) -> int:
        """Compare with other hours before, and say how many days before those lie."""
        at = COMPARISONS.index(self.days) if self.days in COMPARISONS else -1
        self.days = COMPARISONS[(at + 1) % len(COMPARISONS)]
        return self.days

    def keep_within(self, now: float) -> None:
        """Keep the ends of the selection in a window that has moved on with the time."""
        if self.cursor is not None:
            self.cursor = self._bar_of(self.cursor, now)
        if self.other is not None:
            self.other = self._bar_of(self.other, now)

    # --- inside ---------------------------------------------------------------------------------

    def _bar_s(self, now: float) -> float:
        edges = self.window.edges(now)
        return edges[1] - edges[0]

    def _bar_of(self, at: float, now: float) -> float:
        """Where the bar begins that a moment lies in, the nearest one of the window."""
        starts = self.window.edges(now)[:-1]
        return starts[self._index(at, starts)]

    @staticmethod
    def _index(at: float, starts: Sequence[float]) -> int:
        return max(0, sum(start <= at for start in starts) - 1)


def failure_stretches(bars: Sequence[Bar]) -> list[Stretch]:
    """The stretches of a window in which notably many attempts failed, the oldest first.

    A bar belongs to one if it has at least a quarter of the failures of the worst bar; a gap of up
    to two bars ends none.
    """
    least = max(1.0, NOTABLE_SHARE * max((bar.failed for bar in bars), default=0))
    found: list[Stretch] = []
    last = -GAP_BARS - 2
    for number, bar in enumerate(bars):
        if bar.failed < least:
            continue
        if number - last <= GAP_BARS + 1 and found:
            found[-1] = Stretch(found[-1].start, bar.end)
        else:
            found.append(Stretch(bar.start, bar.end))
        last = number
    return found
