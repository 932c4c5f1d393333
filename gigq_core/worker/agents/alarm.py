"""An alarm clock in the kernel that kills this process, be it stopped or stuck, when it is due."""

from __future__ import annotations

import signal
import struct
import sys
from typing import Any

# Linux's number of the clock that goes on while the machine sleeps; and that the time is absolute.
_BOOTTIME = 7
_ABSOLUTE = 1
# `struct sigevent` is as large, and begins with a value, a signal, and how it is told: by that.
_EVENT_BYTES = 64
_EVENT = struct.Struct("@Pii")
_SIGNAL = 0
# `struct itimerspec`: the interval and the time, each as seconds and nanoseconds.
_TIMES = struct.Struct("@llll")


class Alarm:
    """Kills this process at a time by `guard.now`, unless that is put off; Linux alone has it."""

    def __init__(self) -> None:
        self._libc: Any = None
        if not sys.platform.startswith("linux"):
            return
        try:
            import ctypes

            libc = ctypes.CDLL(None)
            event = ctypes.create_string_buffer(_EVENT_BYTES)
            _EVENT.pack_into(event, 0, 0, signal.SIGKILL, _SIGNAL)
            self._timer = ctypes.c_void_p()
            if libc.timer_create(_BOOTTIME, event, ctypes.byref(self._timer)) == 0:
                self._libc = libc
        except (ImportError, OSError, AttributeError):
            pass  # the guards are there all the same

    def put_off(self, until: float) -> None:
        """Let it be due then, and not before."""
        if self._libc is not None:
            seconds, rest = divmod(until, 1.0)
            times = _TIMES.pack(0, 0, int(seconds), int(rest * 1e9))
            self._libc.timer_settime(self._timer, _ABSOLUTE, times, None)
