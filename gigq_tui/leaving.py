"""Leaving the console when a signal or a closed terminal asks for it, whatever hangs meanwhile.

A thread of its own sees the signals and the terminal, so that nothing depends on what the main
thread is busy with. It asks the app to leave, and where that has not worked after some seconds, it
ends the process.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

# The screen has so long to close; what has to be done at the end by force may take so long again.
WITHIN_S = 3.0
LAST_THINGS_S = 2.0
_POLL_S = 0.1

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
HUNG_UP = 128 + signal.SIGHUP


class Leaving:
    """Watches signals and the terminal while the screen runs.

    Args:
        terminal: the descriptors of the terminal, for reading and for writing.
        ask: leaves the screen with an exit code; may block. Called once, from a thread.
        told: something was signalled; the event loop may sleep over it.
        last: what must be done though the screen hangs; a process that is ended does nothing more.
        last_s: how many seconds that may take.

    Attributes:
        code: The exit code that the process will have, once there is one.
    """

    def __init__(
        self,
        terminal: Sequence[int],
        *,
        ask: Callable[[int], None],
        told: Callable[[], object] = lambda: None,
        last: Callable[[], None] = lambda: None,
        last_s: float = LAST_THINGS_S,
    ) -> None:
        self.code: int | None = None
        self._terminal = terminal
        self._ask = ask
        self._told = told
        self._last = last
        self._last_s = last_s
        self._deadline = 0.0
        self._closed = False
        self._woken, self._wake = os.pipe()
        for fd in (self._woken, self._wake):
            os.set_blocking(fd, False)
        self._thread = threading.Thread(target=self._watch, name="leaving", daemon=True)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While this lasts, SIGTERM, SIGHUP and the end of the terminal leave the screen.

        If they did, they are ignored from then on, so that a second one ends nothing halfway.
        """
        before = {number: signal.signal(number, self._signalled) for number in SIGNALS}
        # Written to in whichever thread the signal arrives, without waiting for the main one.
        wakeup = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._thread.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler if self.code is None else signal.SIG_IGN)
            if self.code is None:
                self._closed = True
                self._poke()
                self._thread.join()
                os.close(self._woken)
                os.close(self._wake)

    def begin(self, code: int) -> None:
        """Leave with that exit code, unless the console is leaving already. From anywhere."""
        if self.code is None:
            self.code = code
            self._poke()

    def allow(self, seconds: float) -> None:
        """The screen has closed, and what comes after it may take so long."""
        self._deadline = time.monotonic() + seconds

    def is_cut_off(self) -> bool:
        """Whether the terminal is gone."""
        watch = select.poll()
        for fd in self._terminal:
            watch.register(fd, 0)
        return any(_is_end(event) for _, event in watch.poll(0))

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self.begin(128 + number)

    def _poke(self) -> None:
        with suppress(OSError):
            os.write(self._wake, b"\0")

    def _watch(self) -> None:
        watch = select.poll()
        watch.register(self._woken, select.POLLIN)
        for fd in self._terminal:
            watch.register(fd, 0)
        while self.code is None and not self._closed:
            for fd, event in watch.poll():
                if fd == self._woken:
                    self._read_signals()
                elif _is_end(event):
                    self.code = self.code or HUNG_UP
                else:
                    watch.unregister(fd)  # a system that can't poll a terminal: signals are left
        if self.code is not None and not self._closed:
            self._leave(self.code)

    def _read_signals(self) -> None:
        with suppress(OSError):
            for number in os.read(self._woken, 4096):
                if number in SIGNALS:
                    self.code = self.code or 128 + number
        with suppress(Exception):
            self._told()

    def _leave(self, code: int) -> None:
        self._deadline = time.monotonic() + WITHIN_S
        _in_background(self._ask, code)
        while time.monotonic() < self._deadline:
            time.sleep(_POLL_S)
        _in_background(self._last).join(self._last_s)
        os._exit(code)


def _is_end(event: int) -> bool:
    return bool(event & (select.POLLHUP | select.POLLERR))


def _in_background(call: Callable[..., None], *values: object) -> threading.Thread:
    thread = threading.Thread(target=call, args=values, daemon=True)
    thread.start()
    return thread


def end_on_signals_until_shown() -> None:
    """End this process with the same exit codes while there is no screen yet to be left."""

    def end(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    for number in SIGNALS:
        signal.signal(number, end)
