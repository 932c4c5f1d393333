"""The order of the rows, held while somebody moves among them: what updates, what is told.

Cells change meanwhile, rows that went are dim where they stood, and the newest order waits until
nobody has moved for `STILL_S`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from gigq_tui.format import plural
from gigq_tui.screens.parts.list_order import STILL_S
from gigq_tui.store.clock import Clock
from gigq_tui.store.models import Window


class HeldOrder:
    """Whether the order is held, and which one waits.

    Args:
        clock: By which it is measured how long nobody has moved.

    Attributes:
        gone: The ids of the rows that keep their places although the list has lost them.
        news: What the order that waits holds beyond what is shown, in two words.
    """

    def __init__(self, clock: Clock) -> None:
        self.gone: frozenset[str] = frozenset()
        self.news = ""
        self._clock = clock
        self._moved_at: float | None = None
        self._waiting: Window | None = None

    def moved(self) -> None:
        """Somebody has moved: from now on the order is held for a while."""
        self._moved_at = self._clock.monotonic()

    def forget_moves(self) -> None:
        """Another list is coming, among whose rows nobody has moved yet."""
        self._moved_at = None

    @property
    def rests_in(self) -> float:
        """Seconds until the order may change; zero or less when it may now."""
        if self._moved_at is None:
            return 0.0
        return self._moved_at + STILL_S - self._clock.monotonic()

    @property
    def waiting(self) -> Window | None:
        """The newest order, where it waits for the cursor to rest."""
        return self._waiting

    def hold(self, shown: Window, newest: Window) -> Window:
        """Let an order wait; return the rows shown, with the cells of the newest ones."""
        held = hold(shown, newest)
        self.gone, self.news, self._waiting = held.gone, held.news, newest
        return held.window

    def end(self) -> None:
        """Hold no order any longer, and let none wait."""
        self.gone, self.news, self._waiting = frozenset(), "", None


class Held(NamedTuple):
    """Rows that kept their places. `news` says what the newest order holds beyond them."""

    window: Window
    gone: frozenset[str]
    news: str


def hold(shown: Window, newest: Window) -> Held:
    """The rows shown, in their order, with the cells of the newest ones.

    A row is gone when the newest page would hold it: when it reaches from one side of the row to
    the other, or to the end of the list.

    Args:
        shown: The rows whose order is held.
        newest: What would be shown otherwise; another page of the list, perhaps.
    """
    known = {row.id: (at, row) for at, row in enumerate(newest.rows)}
    rows = tuple(known[row.id][1] if row.id in known else row for row in shown.rows)
    common = [at for at, row in enumerate(shown.rows) if row.id in known]
    first, last = (common[0], common[-1]) if common else (len(rows), -1)
    at_top = newest.start == 0
    at_end = newest.start + len(newest.rows) >= newest.total
    gone = frozenset(
        row.id
        for at, row in enumerate(shown.rows)
        if row.id not in known
        and ((at_top or at > first) and (at_end or at < last))
        and (common or (at_top and at_end))
    )
    return Held(replace(shown, rows=rows), gone, _news(shown, newest, len(gone)))


def _news(shown: Window, newest: Window, gone: int) -> str:
    held = {row.id for row in shown.rows}
    common = [at for at, row in enumerate(newest.rows) if row.id in held]
    first, last = (common[0], common[-1]) if common else (len(newest.rows), len(newest.rows))
    # What stands before and behind is new only where both pages reach to that end of the list.
    both_at_top = shown.start == newest.start == 0
    both_at_end = all(w.start + len(w.rows) >= w.total for w in (shown, newest))
    above = first if both_at_top else 0
    within = sum(row.id not in held for row in newest.rows[first:last])
    below = len(newest.rows) - 1 - last if both_at_end and common else 0
    new = max(above + within + below, newest.total - shown.total + gone)
    if new <= 0:
        return ""
    where = " above" if common and new == above else " below" if new == below else ""
    return f"{plural(new, 'new', 'new')}{where}"
