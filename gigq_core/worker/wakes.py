"""What wakes a supervisor from its wait: a pipe to itself, signals, events of the file."""

from __future__ import annotations

import os
import selectors
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from gigq_core.change_hints import LADDER_S, ChangeHints, FolderEvents
from gigq_core.worker.runner import ENDING_SIGNALS


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
        self._rung = len(LADDER_S)
        self._events: FolderEvents | None = None
        self._hints: ChangeHints | None = None
        self._wake = wake
        try:
            self._events = FolderEvents(path)
            selector.register(self._events.fileno(), selectors.EVENT_READ, self._on_events)
        except OSError:
            self._hints = ChangeHints(path, self._on_hint)
            self._hints.start()

    def _on_events(self) -> None:
        if self._events is not None and self._events.drain():
            self._rung = 0

    def _on_hint(self) -> None:
        self._rung = 0
        self._wake()

    def own_commit(self, looking: bool) -> None:
        """Our own writes are no news; another's, taken in with them, is `looking` for."""
        if self._events is not None and self._events.drain() and looking:
            self._rung = 0

    def next_look_s(self) -> float | None:
        """Seconds until the next look that a hint calls for; each call climbs a rung."""
        if self._rung >= len(LADDER_S):
            return None
        self._rung += 1
        return LADDER_S[self._rung - 1]

    def taken_away(self) -> bool:
        """Whether the file, its WAL or its index was deleted or moved since this was asked."""
        if self._events is None or not self._events.taken_away:
            return False
        self._events.taken_away = False
        return True

    def found(self) -> None:
        """The change was seen: no more looks for it."""
        self._rung = len(LADDER_S)

    def close(self) -> None:
        """Stop watching."""
        if self._events is not None:
            self._selector.unregister(self._events.fileno())
            self._events.close()
        if self._hints is not None:
            self._hints.close()
