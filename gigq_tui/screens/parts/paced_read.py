"""What a screen reads as a whole, after news, at a pace."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from gigq_tui.keys.action import Action
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.stepped_read import PausedView, StepsHost
from gigq_tui.screens.parts.typed_ahead import is_about_rows
from gigq_tui.store.clock import Clock
from gigq_tui.store.questions import Questions

_Value = TypeVar("_Value")

# News is gathered for so long: a queue at work has some a few times a second, and to read all
# costs the reader's thread some tens of milliseconds.
PACE_S = 1.0


class PacedRead(Part, Generic[_Value]):
    """Keeps one thing, and has it read anew no oftener than it must be.

    A screen in the back asks for nothing, nor does a paused view once something is there.

    Args:
        host: The screen.
        view: Tells whether the view is paused.
        clock: What time it is.
        read: Asks the reader, on its thread.
        got: Called once something has come.

    Attributes:
        value: What was read last; None before it has come.
    """

    def __init__(
        self,
        host: StepsHost,
        view: PausedView,
        clock: Clock,
        read: Callable[[Questions], _Value],
        got: Callable[[], None],
    ) -> None:
        self._host = host
        self._view = view
        self._clock = clock
        self._read = read
        self._got = got
        self.value: _Value | None = None
        self._is_asking = False
        self._asked_at = float("-inf")
        # Something came since the last question.
        self._has_news = True

    def awaits(self, action: Action) -> bool:
        return self.value is None and is_about_rows(action)

    @property
    def _is_held(self) -> bool:
        """Whether the view is paused, and has something to show."""
        return self._view.paused and self.value is not None

    def take_news(self) -> None:
        """The file has changed: read now, or once the pace allows it."""
        self._has_news = True
        self.keep_up()

    def keep_up(self) -> None:
        """Read anew after news, once the pace allows it; the screen calls it each `PACE_S`."""
        if not self._has_news or not self._host.is_current or self._is_held:
            return
        if self._clock.monotonic() - self._asked_at >= PACE_S:
            self.read_now(wanted=False)

    def read_now(self, *, wanted: bool = True) -> None:
        """Read, unless that goes on already.

        Args:
            wanted: Somebody asked for it: what comes is shown in a paused view too.
        """
        if self._is_asking:
            return
        self._is_asking, self._has_news = True, False
        self._asked_at = self._clock.monotonic()
        self._host.reads.ask(self._read, partial(self._take, wanted), self._fail)

    def _take(self, wanted: bool, value: _Value) -> None:
        self._is_asking = False
        if self._is_held and not wanted:
            self._has_news = True
        else:
            self.value = value
            self._got()

    def _fail(self, _: str) -> None:
        """It is tried again at the pace."""
        self._is_asking, self._has_news = False, True
