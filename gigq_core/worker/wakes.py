"""What wakes a supervisor from its wait: a pipe to itself, signals, events of the file."""

from __future__ import annotations

import os
import selectors
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from gigq_core.system.change_hints import LADDER_S, ChangeHints, FolderEvents
from gigq_core.worker.runner import ENDING_SIGNALS

# The last rung of the ladder; and the one at which it begins after a commit of our own.
LAST = len(LADDER_S) - 1
AFTER_OWN = LAST - 2
# The first look after a hint waits for so long at most, in seconds.
LATEST_FIRST_S = 0.002
# From this rung on a further change is listened to; before it, the look is near.
LISTENS = 3
# While no more jobs can be taken, others' commits are looked into so often, in seconds: only a
# request can matter then.
LOOK_BUSY_S = 0.05


class Waker:
    """A pipe to oneself: `wake` may be called from any thread, and from a signal handler."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._out, self.fd = os.pipe()
        os.set_blocking(self._out, False)
        os.set_blocking(self.fd, False)
        selector.register(self._out, selectors.EVENT_READ, self._drain)
        self._lock = threading.RLock()
        self._closed = False

    def wake(self) -> None:
        """Let the supervisor look around."""
        with self._lock:
            if self._closed:
                return
            try:
                os.write(self.fd, b"\0")
            except BlockingIOError:
                # It is full of wake-ups already.
                pass

    def _drain(self) -> None:
        try:
            while len(os.read(self._out, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        """No wake-up comes after this."""
        with self._lock:
            self._closed = True
        self._selector.unregister(self._out)
        os.close(self._out)
        os.close(self.fd)


class Signals:
    """The signals that end a process, noted while the block runs; only in the main thread.

    What was ignored before stays ignored: `nohup` does that to SIGHUP, and a shell without job
    control to the SIGINT of what it starts in the background.

    Args:
        wake_fd: written to when one comes.
        caught: whether to note any at all.
        for_good: whether the process ends after the block: then one that is repeated by somebody
            impatient does not change how.
    """

    def __init__(self, wake_fd: int, caught: bool, for_good: bool = False) -> None:
        self._received: list[int] = []
        self._wake_fd = wake_fd
        self._for_good = for_good
        self._caught = caught and threading.current_thread() is threading.main_thread()
        self._before: dict[int, Any] = {}
        self._fd_before = -1

    def __enter__(self) -> Signals:
        if not self._caught:
            return self
        self._fd_before = signal.set_wakeup_fd(self._wake_fd, warn_on_full_buffer=False)
        for signum in ENDING_SIGNALS:
            if signal.getsignal(signum) != signal.SIG_IGN:
                self._before[signum] = signal.signal(signum, self._note)
        return self

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self._received.append(signum)

    def take(self) -> list[int]:
        """Those that came since the last call, in their order."""
        if not self._received:
            return []
        # A handler may add to the old list up to this very moment, and not after it.
        received, self._received = self._received, []
        return received

    def __exit__(self, *exc: object) -> None:
        if not self._caught:
            return
        signal.set_wakeup_fd(self._fd_before)
        for signum, handler in self._before.items():
            # A handler that was not set from Python can't be set back.
            before = signal.SIG_DFL if handler is None else handler
            signal.signal(signum, signal.SIG_IGN if self._for_good else before)


class FileWatch:
    """Hints that the queue file changed, and the ladder of looks that follows each of them."""

    def __init__(
        self, path: Path, selector: selectors.BaseSelector, wake: Callable[[], None]
    ) -> None:
        self._selector = selector
        # The rung that is next, and when, by the monotonic clock.
        self._rung = LAST + 1
        self._next = 0.0
        # When the first look after a hint is made: what a commit takes here.
        self._first_s = LADDER_S[0]
        self._events: FolderEvents | None = None
        self._registered = False
        self._hints: ChangeHints | None = None
        # Whether a thread heard of a change that has not been looked into.
        self._hinted = False
        self._wake = wake
        try:
            self._events = FolderEvents(path)
        except OSError:
            self._hints = ChangeHints(path, self._on_hint)
            self._hints.start()

    def listen(self) -> None:
        """Be woken by the next change, unless a look is near, which takes it in."""
        if not self._registered and self._rung >= LISTENS and self._events is not None:
            self._selector.register(self._events.fileno(), selectors.EVENT_READ, self._on_events)
            self._registered = True

    def is_it(self, fd: int) -> bool:
        """Whether this descriptor tells of changes."""
        return self._events is not None and fd == self._events.fileno()

    def _on_events(self) -> None:
        # A commit writes many times, and others follow: none of that wakes until the look.
        if self._events is not None:
            self._selector.unregister(self._events.fileno())
            self._registered = False
            self._begin(0)

    def _on_hint(self) -> None:
        # In a thread of its own. One is enough until the look.
        if not self._hinted:
            self._hinted = True
            self._wake()

    def _begin(self, rung: int) -> None:
        self._rung = rung
        self._next = time.monotonic() + (LADDER_S[rung] if rung else self._first_s)

    def own_commit(self, looking: bool) -> None:
        """Our own writes are no news; another's, taken in with them, is `looking` for."""
        if self._events is None or not self._events.drain():
            return
        # Nobody else can have written but in a moment before or since: that is rare, and can wait.
        rung = AFTER_OWN if looking else LAST
        if self._rung > rung:
            self._begin(rung)

    def due(self) -> float | None:
        """When to look next, by the monotonic clock; None while there is no hint."""
        if self._hinted and self._rung >= LISTENS:
            self._begin(0)
        return self._next if self._rung <= LAST else None

    def take_in(self) -> bool:
        """Take in what has been hinted at, right before a look; says whether anything has."""
        if self._events is not None:
            return self._events.drain()
        hinted, self._hinted = self._hinted, False
        return hinted

    def looked(self, news: bool, found: bool) -> None:
        """Go on to the next look, if there has to be one.

        Args:
            news: what `take_in` said before this one.
            found: whether it has found a change. With `news`, another one may have begun.
        """
        if self._rung == 0:
            # Mostly the first look is late enough, so that it is the only one.
            first_s = self._first_s * (0.95 if found else 1.2)
            self._first_s = min(max(first_s, LADDER_S[0]), LATEST_FIRST_S)
        if found:
            rung = AFTER_OWN if news else LAST + 1
        else:
            rung = min(self._rung + 1, LISTENS - 1 if news else LAST + 1)
        if rung <= LAST:
            self._begin(rung)
        else:
            self._rung = rung

    def taken_away(self) -> bool:
        """Whether the file, its WAL or its index was deleted or moved since this was asked."""
        if self._events is None or not self._events.taken_away:
            return False
        self._events.taken_away = False
        return True

    def close(self) -> None:
        """Stop watching."""
        if self._events is not None:
            if self._registered:
                self._selector.unregister(self._events.fileno())
            self._events.close()
        if self._hints is not None:
            self._hints.close()


class Looks:
    """When a supervisor asks whether others have changed the file, and when it reads it again.

    Args:
        watch: the hints at changes, where there are any.
        poll_s: seconds after which to ask without a hint.

    Attributes:
        again: whether to read the file next, whatever others did.
    """

    def __init__(self, watch: FileWatch | None, poll_s: float) -> None:
        self.again = True
        self._watch = watch
        self._poll_s = poll_s
        self._version = -1
        # When it was asked last; and up to when it is known what others have committed.
        self._asked_at = self._known_at = float("-inf")

    def next(self, now: float, eager: bool) -> float:
        """When to ask, by the monotonic clock; `eager` for a job that could begin at once."""
        if self.again:
            return now
        poll = self._asked_at + self._poll_s
        due = self._watch.due() if self._watch is not None else None
        return poll if due is None else min(poll, max(due, self._rested_at(eager)))

    def listen(self) -> None:
        """Be woken by changes."""
        if self._watch is not None:
            self._watch.listen()

    def is_hint(self, fd: int) -> bool:
        """Whether all that this descriptor tells is that there will be something to ask."""
        return self._watch is not None and self._watch.is_it(fd)

    def _rested_at(self, eager: bool) -> float:
        return self._known_at + (0.0 if eager else LOOK_BUSY_S)

    def ask(self, now: float, data_version: Callable[[], int]) -> bool:
        """Whether to read the file now."""
        news = self._watch is not None and self._watch.take_in()
        version = data_version()
        changed, self._version = version != self._version, version
        self._asked_at = now
        if self._watch is not None:
            self._watch.looked(news, changed)
        if changed or self.again or self._watch is None or self._watch.due() is None:
            self._known_at = now
        read, self.again = changed or self.again, False
        return read

    def own_commit(self, looking: bool) -> None:
        """Take in what our own commit hinted at; `looking` for others' jobs or not."""
        if self._watch is not None:
            self._watch.own_commit(looking)

    def taken_away(self) -> bool:
        """As `FileWatch.taken_away`."""
        return self._watch is not None and self._watch.taken_away()
