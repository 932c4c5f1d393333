"""The functions that the measured jobs run; every worker imports them from here."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
import uuid
from pathlib import Path

GATHER_TIMEOUT_S = 30.0


def stamp() -> int:
    """Do nothing but say when: nanoseconds since the epoch."""
    return time.time_ns()


def gather(folder: str, expected: int) -> None:
    """Wait until as many jobs as there are slots run at once: then every slot is warm."""
    meeting = Path(folder)
    (meeting / f"{os.getpid()}-{threading.get_ident()}-{uuid.uuid4().hex}").touch()
    deadline = time.monotonic() + GATHER_TIMEOUT_S
    while len(os.listdir(meeting)) < expected and time.monotonic() < deadline:
        time.sleep(0.005)


def once_long(folder: str, seconds: float) -> int:
    """Note the time of this start; the first one takes long, so that its worker can be killed."""
    first = not any(Path(folder).iterdir())
    now = time.time_ns()
    (Path(folder) / f"{now}-{os.getpid()}").touch()
    if first:
        time.sleep(seconds)
    return now


def overstay(folder: str, seconds: float, stubborn: bool) -> None:
    """Run past the timeout; a stubborn one ignores SIGTERM and whatever is raised in it."""
    if stubborn and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (Path(folder) / f"started-{time.time_ns()}-{os.getpid()}").touch()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            time.sleep(max(0.0, deadline - time.monotonic()))
        except BaseException:
            if not stubborn:
                raise
    (Path(folder) / f"finished-{time.time_ns()}").touch()


def pause(seconds: float) -> int:
    """Take so long, and say when it was over."""
    time.sleep(seconds)
    return time.time_ns()


def stay(folder: str, how: str) -> None:
    """Note the process, and never end: asleep, or in C code that no signal reaches."""
    (Path(folder) / f"{os.getpid()}.pid").touch()
    if how == "asleep":
        time.sleep(3600)
    else:
        max(itertools.repeat(0, 2**40))


def pause_noting(folder: str, seconds: float) -> None:
    """Take so long, and note the start and the end."""
    (Path(folder) / f"{os.getpid()}.pid").touch()
    time.sleep(seconds)
    (Path(folder) / f"{os.getpid()}.end").touch()
