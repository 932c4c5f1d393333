"""When the overview is read anew: after news, and when time alone has moved a chart on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Protocol

from gigq_tui.keys.action import Action
from gigq_tui.keys.handlers import does_each
from gigq_tui.keys.screen_actions import PAST_ACTIONS
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.typed_ahead import is_about_rows
from gigq_tui.store.clock import Clock
from gigq_tui.store.history.overview import Overview
from gigq_tui.store.history.rings import USUAL, Past
from gigq_tui.store.questions import Questions

# An overview costs the reader's thread some tens of milliseconds: news is gathered this long.
PACE_S = 1.0


class AsksOverview(Protocol):
    """What asks the reader's thread."""

    def ask(
        self,
        read: Callable[[Questions], Overview],
        got: Callable[[Overview], None],
        failed: Callable[[str], None],
    ) -> None: ...


class OverviewHost(Protocol):
    """What the part needs of its screen."""

    @property
    def reads(self) -> AsksOverview: ...

    @property
    def is_current(self) -> bool:
        """Whether it is in front."""

    def draw(self) -> None:
        """Draw the overview that has come."""

    def draw_past(self) -> None:
        """Draw which time is chosen, of which nothing is known yet."""


class PausedView(Protocol):
    """What the part needs of the picture of the file."""

    @property
    def paused(self) -> bool:
        """Whether the view is paused."""


class OverviewRefresh(Part):
    """Keeps an overview of the chosen time, and has it read anew no oftener than it must be.

    Args:
        host: The screen.
        view: Tells whether the view is paused.
        clock: What time it is.
        past: The time that is chosen first.

    Attributes:
        past: The time that is chosen.
        overview: The overview that was read last; None before the first one has come.
    """

    def __init__(
        self, host: OverviewHost, view: PausedView, clock: Clock, past: Past = USUAL
    ) -> None:
        self._host = host
        self._view = view
        self._clock = clock
        self.past = past
        self.overview: Overview | None = None
        self._is_asking = False
        self._asked_at = float("-inf")
        # Something came since the last question.
        self._has_news = False

    def awaits(self, action: Action) -> bool:
        return self.overview is None and is_about_rows(action)

    @does_each(PAST_ACTIONS)
    def do_past(self, index: int) -> None:
        """Show another time."""
        past = tuple(Past)[index]
        if past is not self.past:
            self.past = past
            self._host.draw_past()
            self._ask()

    def take_news(self) -> None:
        """The file has changed: read now, or once the pace allows it."""
        if self._clock.monotonic() - self._asked_at < PACE_S:
            self._has_news = True
        else:
            self._ask()

    def keep_up(self) -> None:
        """Read anew after news, and where a chart with anything in it has moved by a bucket."""
        if not self._host.is_current or self._view.paused:
            return
        if self._has_news or self._has_drifted():
            self._ask()

    def _has_drifted(self) -> bool:
        known = self.overview
        if known is None or not _moves(known):
            return False
        return _bucket(self._clock.now(), self.past) != _bucket(known.taken_at, self.past)

    def _ask(self) -> None:
        if self._is_asking:
            self._has_news = True
            return
        self._is_asking, self._has_news = True, False
        self._asked_at = self._clock.monotonic()
        past = self.past
        self._host.reads.ask(
            lambda reader: reader.overview(past),
            partial(self._take, past),
            lambda _: self._answered(past),
        )

    def _take(self, past: Past, overview: Overview) -> None:
        is_wanted = past is self.past and not self._is_held()
        if is_wanted:
            self.overview = overview
            self._host.draw()
        self._answered(past, again=is_wanted and overview.reading)

    def _answered(self, past: Past, *, again: bool = False) -> None:
        """Ask once more, where another time was chosen meanwhile or more is still being read."""
        self._is_asking = False
        if (again or past is not self.past) and self._host.is_current:
            self._ask()

    def _is_held(self) -> bool:
        """Whether the view is paused: then only another time is drawn, once it is wholly read."""
        known = self.overview
        done = known is not None and known.window is self.past and not known.reading
        return self._view.paused and done


def _moves(overview: Overview) -> bool:
    """Whether the charts show anything that moves away as time goes on."""
    waited = {value for value in overview.waiting if value is not None}
    return any(overview.done) or any(overview.failed) or len(waited) > 1


def _bucket(at: datetime, past: Past) -> int:
    return int(at.timestamp() // past.bucket_s)
