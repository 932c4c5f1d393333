"""Reading the file: the pictures of it that come by themselves, and what is asked besides.

All of it is done on the feed's one thread; here its answers come over into the app's own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from gigq_tui.store.clock import Clock
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Snapshot
from gigq_tui.store.questions import Questions

_Value = TypeVar("_Value")
# Has something done in the app's own thread, behind what has come there so far. From any thread.
Later = Callable[[Callable[[], None]], object]


class FeedLike(Protocol):
    """What is needed of a feed; tests put their own here."""

    def start(self) -> None: ...

    def close(self) -> None: ...

    def show(self, view: View) -> None: ...

    def refresh(self) -> None: ...

    def ask(
        self,
        read: Callable[[Questions], _Value],
        got: Callable[[_Value], None],
        failed: Callable[[Exception], None],
    ) -> None: ...


def _say_nothing(_: str) -> None:
    """Whoever asked does without the answer."""


class Reads:
    """The feed of one file, as the app's own thread sees it.

    Args:
        clock: What time it is.
        later: Has something done in the app's own thread.
        arrived: Gets each new picture of the file.
        troubled: Called when the file can't be read, and `trouble` says why.

    Attributes:
        feed: What reads the file; None where nobody does.
        trouble: Why the file can't be read now; empty where it can.
    """

    def __init__(
        self,
        clock: Clock,
        later: Later,
        arrived: Callable[[Snapshot], None],
        troubled: Callable[[], None],
    ) -> None:
        self.feed: FeedLike | None = None
        self.trouble = ""
        self._clock = clock
        self._later = later
        self._arrived = arrived
        self._troubled = troubled
        self._trouble_began = 0.0
        # What the feed has handed over last, while nobody has taken it yet.
        self._handed: list[Snapshot] = []
        self._handing = threading.Lock()

    def start(self, feed: FeedLike, view: View) -> None:
        """Begin to read."""
        self.feed = feed
        feed.start()
        feed.show(view)

    def close(self) -> None:
        """End: nothing comes any more."""
        if self.feed is not None:
            self.feed.close()

    @property
    def trouble_s(self) -> float:
        """Seconds since the file could last be read; 0 where it can."""
        return self._clock.monotonic() - self._trouble_began if self.trouble else 0.0

    def show(self, view: View) -> None:
        """Have pictures of another part of the file."""
        if self.feed is not None:
            self.feed.show(view)

    def refresh(self) -> None:
        """Have a new picture soon, though nothing has changed."""
        if self.feed is not None:
            self.feed.refresh()

    def ask(
        self,
        read: Callable[[Questions], _Value],
        got: Callable[[_Value], None],
        failed: Callable[[str], None] = _say_nothing,
    ) -> None:
        """Have the reader's thread find something out.

        Args:
            read: Asks the reader, on its thread.
            got: Gets the answer, in the app's own thread.
            failed: Gets the sentence instead that says why there is none.
        """
        if self.feed is not None:
            self.feed.ask(
                read,
                lambda answer: self._hand(partial(got, answer)),
                lambda problem: self._hand(partial(failed, str(problem))),
            )

    def _hand(self, call: Callable[[], None]) -> None:
        self._later(call)

    # From the feed's threads

    def hand_snapshot(self, snapshot: Snapshot) -> None:
        """Hand over a picture of the file. It replaces one that nobody has looked at yet."""
        with self._handing:
            # As while an editor has the terminal: a flood must not fill the memory.
            waits = self._handed
            if waits:
                waits[0] = snapshot
                return
            waits.append(snapshot)
        self._later(partial(self._take, waits))

    def hand_trouble(self, text: str, since: datetime) -> None:
        """Hand over why the file can't be read, and since when."""
        with self._handing:
            self._handed = []  # the next snapshot ends this trouble: it comes behind it
        self._later(partial(self._take_trouble, text, since))

    # In the app's own

    def _take(self, handed: list[Snapshot]) -> None:
        with self._handing:
            snapshot = handed.pop()
        self.trouble = ""
        self._arrived(snapshot)

    def _take_trouble(self, text: str, since: datetime) -> None:
        if not self.trouble:
            # From here on by the clock that never jumps: the time may be set meanwhile.
            passed = (self._clock.now() - since).total_seconds()
            self._trouble_began = self._clock.monotonic() - max(0.0, passed)
        self.trouble = text
        self._troubled()
