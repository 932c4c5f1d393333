"""Waiting for conditions, so that no test sleeps for a fixed time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02
# What a busy machine may need to start some interpreters, one after the other; and less than a
# worker's lease, which ends what nothing else has ended.
PATIENCE_S = 40.0


def wait_until(condition: Callable[[], T], timeout_s: float = PATIENCE_S, what: str = "") -> T:
    """Ask `condition` again and again until its answer is true, and return that answer.

    Args:
        condition: Called about fifty times a second; anything true ends the wait.
        timeout_s: Seconds after which the wait fails.
        what: What was waited for, for the message of the failure.

    Raises:
        AssertionError: The time ran out; the message holds the last answer.
    """
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s for {what or condition}: {answer!r}")
        pause.wait(POLL_S)
