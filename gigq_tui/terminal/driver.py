"""The way to the terminal and back, for a terminal that may go away at any moment.

Textual's driver for Linux and macOS waits for a terminal that takes what is written: its writer
ends at the first error, and whoever writes next waits for it without end. It also begins anew at
every SIGCONT, which comes with a hang-up too. Here what can't be written is dropped, and what a
signal asks for is done by the event loop, never in the middle of something else.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
from typing import Any, Protocol, TextIO, cast

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

# So much is gathered before it is written, if nobody asks for it sooner.
_WRITE_BYTES = 65_536
# The ways in which the terminal is used, put off in the order in which Textual puts them off.
_GIVE_BACK = b"".join(
    b"\x1b[" + code
    for code in b"?2004l ?7h ?1000l ?1003l ?1015l ?1006l <u ?1049l ?25h ?1004l".split()
)
# A terminal that was made non-blocking by another program is waited for in steps of this.
_READY_MS = 1_000
# What was signalled together with the SIGCONT is heard by then.
_SETTLE_S = 0.1


class Host(Protocol):
    """What the driver asks of the app, and tells it."""

    @property
    def is_leaving(self) -> bool: ...

    def terminal_lost(self) -> None: ...


def is_gone(fd: int) -> bool:
    """Whether the other end of a terminal's line has been closed."""
    watch = select.poll()
    watch.register(fd, 0)
    try:
        return any(event & (select.POLLHUP | select.POLLERR) for _, event in watch.poll(0))
    except OSError:
        return True


def screen_stream() -> TextIO:
    """Where the screen is painted: on stderr, as Textual does, unless that goes to a file."""
    for stream in (sys.__stderr__, sys.__stdout__):
        if stream is not None and not stream.closed and stream.isatty():
            return stream
    return cast(TextIO, sys.__stderr__)


class Output:
    """A stream to the terminal that never fails: after an error the rest is dropped.

    Args:
        stream: where Textual would write; its encoding is used.
    """

    def __init__(self, stream: TextIO) -> None:
        self._fd = stream.fileno()
        self._encoding = stream.encoding or "utf-8"
        self._errors = stream.errors or "replace"
        self._gathered = bytearray()
        self.lost = False

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        """Take text in."""
        if not self.lost:
            self._gathered += text.encode(self._encoding, self._errors)
            if len(self._gathered) >= _WRITE_BYTES:
                self.flush()

    def flush(self) -> None:
        """Write what was taken in."""
        data, self._gathered = memoryview(bytes(self._gathered)), bytearray()
        while data and not self.lost:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                self._wait()
            except OSError:
                self.lost = True

    def _wait(self) -> None:
        watch = select.poll()
        watch.register(self._fd, select.POLLOUT)
        watch.poll(_READY_MS)


class ConsoleDriver(LinuxDriver):
    """Textual's driver, with an output that drops, and signals that wait for their turn."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._host = cast(Host, app)
        self._output = Output(screen_stream())
        self._file = cast(Any, self._output)

    @property
    def is_up(self) -> bool:
        """Whether the terminal is the console's now."""
        return self._writer_thread is not None and self._writer_thread.is_alive()

    @property
    def _is_over(self) -> bool:
        return self._host.is_leaving or self._output.lost or is_gone(self.fileno)

    def write(self, data: str) -> None:
        """Write, or drop what nobody could see."""
        if self.is_up and not self._output.lost:
            super().write(data)

    def start_application_mode(self) -> None:
        """Take the terminal, unless it is gone or about to be given back for good."""
        if not self._is_over:
            super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        """Give the terminal back, if it was taken."""
        if self.is_up:
            if self._host.is_leaving:
                # From the background too: to be stopped here would be to stay.
                signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            super().stop_application_mode()

    def disable_input(self) -> None:
        """Read no more keys, if any were read."""
        if self.is_up:
            super().disable_input()

    def close(self) -> None:
        """Write what is still to be written."""
        if self.is_up:
            super().close()

    def give_back_now(self) -> None:
        """Give the terminal back past a loop and a writer that hang. From any thread."""
        if self.is_up and self.attrs_before is not None and not is_gone(self.fileno):
            os.write(self._output.fileno(), _GIVE_BACK)
            termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)

    def run_input_thread(self) -> None:
        """Read keys until there are no more to come."""
        try:
            super().run_input_thread()
        except OSError:
            self._host.terminal_lost()

    # A handler runs between any two steps of the main thread, in a lock of the writer's queue too.

    def _sigtstp_application(self, *_: object) -> None:
        if self.is_up:
            self._loop.call_soon_threadsafe(self._go_to_shell)
        else:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _sigcont_application(self, *_: object) -> None:
        # Who was stopped by `_go_to_shell` goes on there; here it was somebody else's SIGSTOP.
        if self.is_up:
            self._loop.call_soon_threadsafe(self._begin_anew)

    def _go_to_shell(self) -> None:
        if self.is_up:
            self.suspend_application_mode()
            os.kill(os.getpid(), signal.SIGSTOP)
            self._come_back()

    def _begin_anew(self) -> None:
        """Take the terminal as if for the first time: a shell may have had it meanwhile."""
        if not self.is_up or self._is_over:
            return
        if self._is_in_background():
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            self.suspend_application_mode()
            self._come_back()

    def _come_back(self) -> None:
        self._must_signal_resume = True
        while True:
            time.sleep(_SETTLE_S)
            if self._is_over:
                return
            if self._is_in_background():
                os.kill(os.getpid(), signal.SIGSTOP)
                continue
            self.resume_application_mode()
            if self.is_up:
                return

    def _is_in_background(self) -> bool:
        try:
            return os.tcgetpgrp(self.fileno) != os.getpgrp()
        except OSError:
            return False
