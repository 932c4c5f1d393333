"""How things stand now, beside the charts: read after news, at a pace."""

from __future__ import annotations

from typing import Protocol

from gigq_tui.keys.action import Action
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.stepped_read import PausedView, StepsHost
from gigq_tui.screens.parts.typed_ahead import is_about_rows
from gigq_tui.store.clock import Clock
from gigq_tui.store.history.overview import Overview

# An overview costs the reader's thread some tens of milliseconds: news is gathered this long.
PACE_S = 1.0


class OverviewHost(StepsHost, Protocol):
    """What the part needs of its screen."""

    def draw(self) -> None:
        """Draw what has come."""


class OverviewRefresh(Part):
    """Keeps how things stand now, and has it read anew no oftener than it must be.

    Args:
        host: The screen.
        view: Tells whether the view is paused.
        clock: What time it is.

    Attributes:
        overview: What was read last; None before it has come.
    """

    def __init__(self, host: OverviewHost, view: PausedView, clock: Clock) -> None:
        self._host = host
        self._view = view
        self._clock = clock
        self.overview: Overview | None = None
        self._is_asking = False
        self._asked_at = float("-inf")
        # Something came since the last question.
        self._has_news = False

    def awaits(self, action: Action) -> bool:
        return self.overview is None and is_about_rows(action)

    def take_news(self) -> None:
        """The file has changed: read now, or once the pace allows it."""
        self._has_news = True
        self.keep_up()

    def keep_up(self) -> None:
        """Read anew after news, once the pace allows it."""
        if not self._has_news or self._is_asking or not self._host.is_current:
            return
        if self._view.paused and self.overview is not None:
            return
        if self._clock.monotonic() - self._asked_at < PACE_S:
            return
        self._is_asking, self._has_news = True, False
        self._asked_at = self._clock.monotonic()
        self._host.reads.ask(lambda reader: reader.overview(), self._take, self._fail)

    def _take(self, overview: Overview) -> None:
        self._is_asking = False
        if not self._view.paused or self.overview is None:
            self.overview = overview
            self._host.draw()

    def _fail(self, _: str) -> None:
        self._is_asking = False
