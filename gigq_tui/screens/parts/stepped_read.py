"""What a screen reads in steps: when the next one is asked for, and when all is read anew."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, Protocol, TypeVar

from gigq_tui.keys.action import Action
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.typed_ahead import is_about_rows
from gigq_tui.store.clock import Clock
from gigq_tui.store.questions import AsksReader, Questions
from gigq_tui.store.stepwise import SoFar, Stepwise
from gigq_tui.store.throttle import PATIENCE

_Value = TypeVar("_Value")

# How often a screen calls `keep_up`, and the least time between two readings of all.
PACE_S = 1.0


class StepsHost(Protocol):
    """What the part needs of its screen."""

    @property
    def reads(self) -> AsksReader: ...

    @property
    def is_current(self) -> bool:
        """Whether it is in front."""


class PausedView(Protocol):
    """What the part needs of the picture of the file."""

    @property
    def paused(self) -> bool:
        """Whether the view is paused."""


class SteppedRead(Part, Generic[_Value]):
    """Reads one thing in steps for a screen: at once, and again after news.

    What was read wholly is read anew once ten times its own cost has passed, so that a console
    that stands open takes little from the workers. A screen in the back asks for nothing.

    Args:
        host: The screen.
        view: Tells whether the view is paused: then nothing is read anew.
        clock: What time it is.
        got: Gets what is known after each step.
        failed: Gets the sentence that says why a step could not be read; it is tried again.
        patience: How many times its own cost passes before it is read anew: less for what then
            reads only what is new.

    Attributes:
        so_far: What is known; None before the first step.
    """

    def __init__(
        self,
        host: StepsHost,
        view: PausedView,
        clock: Clock,
        got: Callable[[SoFar[_Value]], None],
        failed: Callable[[str], None] = lambda _: None,
        patience: float = PATIENCE,
    ) -> None:
        self._host = host
        self._view = view
        self._clock = clock
        self._got = got
        self._failed = failed
        self._patience = patience
        self.so_far: SoFar[_Value] | None = None
        self._work: Stepwise[_Value] | None = None
        self._is_asking = False
        # Whether steps are left of the reading that goes on.
        self._is_reading = False
        self._has_news = False
        self._began_at = 0.0
        self._free_at = float("-inf")

    def awaits(self, action: Action) -> bool:
        return self.so_far is None and self._work is not None and is_about_rows(action)

    @property
    def is_whole(self) -> bool:
        """Whether all has been read, and nothing was written since."""
        return self.so_far is not None and not self._is_reading and not self._has_news

    def read(self, work: Stepwise[_Value]) -> None:
        """Read this from now on, instead of what was read before."""
        self._work, self.so_far = work, None
        self._begin()

    def take_news(self) -> None:
        """The file has changed: read it anew, once that is affordable."""
        self._has_news = True
        self.keep_up()

    def keep_up(self) -> None:
        """Go on, or read anew after news; the screen calls it each `PACE_S`."""
        if self._work is None or self._is_asking or not self._host.is_current:
            return
        if self._is_reading:
            self._ask()
        elif self._has_news and not self._view.paused and self._clock.monotonic() >= self._free_at:
            self._begin()

    def _begin(self) -> None:
        self._is_reading, self._has_news = True, False
        self._began_at = self._clock.monotonic()
        if not self._is_asking:
            self._ask()

    def _ask(self) -> None:
        work = self._work
        assert work is not None
        anew = self.so_far is not None and self.so_far.done
        self._is_asking = True
        self._host.reads.ask(
            partial(_step, work, anew), partial(self._take, work), partial(self._fail, work)
        )

    def _take(self, work: Stepwise[_Value], so_far: SoFar[_Value]) -> None:
        self._is_asking = False
        if work is not self._work:
            self.keep_up()
            return
        self.so_far = so_far
        self._is_reading = not so_far.done
        if so_far.done:
            now = self._clock.monotonic()
            self._free_at = now + max(PACE_S, self._patience * (now - self._began_at))
        self._got(so_far)
        if self._is_reading:
            self.keep_up()

    def _fail(self, work: Stepwise[_Value], why: str) -> None:
        """Tell it; `keep_up` tries again at its pace."""
        self._is_asking = False
        if work is self._work:
            self._failed(why)
        else:
            self.keep_up()


def _step(work: Stepwise[_Value], anew: bool, reader: Questions) -> SoFar[_Value]:
    if anew:
        work.renew()
    return reader.step(work)
