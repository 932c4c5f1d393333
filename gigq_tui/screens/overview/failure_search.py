"""From one stretch of failures to the one before or after it, however far away that lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gigq_tui.screens.overview.lens import Lens, Stretch, failure_stretches
from gigq_tui.store.history.account import Account
from gigq_tui.store.history.time_window import HOUR_S, TimeWindow, longer

NONE_BEFORE, NONE_AFTER = "No failures before.", "No failures after."
# What is looked through beside a window is at least so long.
LEAST_LOOK_S = HOUR_S


class _Found(NamedTuple):
    """A stretch that is looked at, and where it was found: among which, in which hours."""

    window: TimeWindow
    at: Stretch
    among: Sequence[Stretch]
    hours: Stretch


class _Look(NamedTuple):
    """A look beside the hours that are known: which way, from when on, and at how long a time."""

    step: int
    edge: float
    length_s: float
    back: Stretch


class FailureSearch:
    """Leads a lens from failures to failures.

    What is found is measured against the hours that it was found in, and not against the short
    window that is then shown of it: so the next step leads away from it.

    Args:
        lens: Which window is looked at.
    """

    def __init__(self, lens: Lens) -> None:
        self._lens = lens
        self._found: _Found | None = None
        self._look: _Look | None = None

    @property
    def goes_on(self) -> bool:
        """Whether a window was asked for to look through it."""
        return self._look is not None

    def stop(self) -> None:
        """Look no further."""
        self._look = None

    def begin(self, account: Account, step: int, now: float) -> str:
        """Look at the nearest failures before, or after: in what is known, or else beside it.

        Args:
            account: What is known of the window.
            step: Before (-1), or after (1).
            now: The present moment.

        Returns:
            Why there are none, or an empty string: then the window has moved.
        """
        self._look = None
        found, at = self._found, self._lens.cursor
        hours = Stretch(account.start, account.end)
        if found is not None and at is None and found.window == self._lens.window:
            among, hours = found.among, found.hours
            wanted = [each for each in among if _is_beyond(each, found.at, step)]
        else:
            among = failure_stretches(account.bars)
            here = None if at is None else Stretch(at, at + 1)
            wanted = [each for each in among if here is None or _is_beyond(each, here, step)]
        if wanted:
            self._show(wanted[-1 if step < 0 else 0], among, hours, now)
            return ""
        return self._look_on(account, step, hours, max(self._lens.length_s, LEAST_LOOK_S), now)

    def go_on(self, account: Account, now: float) -> str:
        """Go on once the window is read that was asked for; the rest is as in `begin`."""
        look, self._look = self._look, None
        if look is None:
            return ""
        bars = [
            bar
            for bar in account.bars
            if (bar.end <= look.edge if look.step < 0 else bar.start >= look.edge)
        ]
        hours = Stretch(account.start, account.end)
        if among := failure_stretches(bars):
            self._show(among[-1 if look.step < 0 else 0], among, hours, now)
            return ""
        edge = Stretch(look.edge, look.edge)
        return self._look_on(account, look.step, edge, longer(longer(look.length_s)), now, look)

    def _look_on(
        self,
        account: Account,
        step: int,
        hours: Stretch,
        length_s: float,
        now: float,
        last: _Look | None = None,
    ) -> str:
        edge = hours.start if step < 0 else hours.end
        reached = Stretch(account.start, account.end) if last is not None else hours
        nothing_left = (
            account.oldest is None or reached.start <= account.oldest
            if step < 0
            else reached.end >= now
        )
        if nothing_left:
            if last is not None:
                self._lens.go_between(last.back, now)
            return NONE_BEFORE if step < 0 else NONE_AFTER
        back = last.back if last is not None else Stretch(account.start, account.end)
        self._look = _Look(step, edge, length_s, back)
        ends = (edge - length_s, edge) if step < 0 else (edge, min(now, edge + length_s))
        self._lens.go_between(Stretch(*ends), now)
        return ""

    def _show(self, at: Stretch, among: Sequence[Stretch], hours: Stretch, now: float) -> None:
        self._lens.go_between(at, now)
        self._found = _Found(self._lens.window, at, among, hours)


def _is_beyond(stretch: Stretch, at: Stretch, step: int) -> bool:
    return stretch.end <= at.start if step < 0 else stretch.start >= at.end
