"""Textual's driver of tests at a pace of ours: it waits for rest itself, in short steps.

By itself it looks in steps of 20 ms whether the process has come to rest, four times a key, and has
a message go to every widget before that: most of the time that a test of a screen took. Here the
loop is asked whether anything is left to do, which no slow machine makes seem so.
"""

from __future__ import annotations

import asyncio
import time

from textual import _wait
from textual.pilot import Pilot

STEP_S = 0.002
# All threads of the process together rest when they work for less than this part of a step.
RESTING_S = 0.0006
AT_MOST_S = 1.0


async def rest(step_s: float = 0.0) -> None:
    """Sleep for one step, and on until nothing is left to do in the loop."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(step_s)
    deadline = time.monotonic() + AT_MOST_S
    while loop._ready and time.monotonic() < deadline:  # type: ignore[attr-defined]
        await asyncio.sleep(0)


async def _screen_rests(pilot: Pilot[object], timeout: float = 30.0) -> bool:
    await rest()
    return True


def hurry() -> None:
    """Have every pilot of this process go at this pace."""
    _wait.SLEEP_GRANULARITY = STEP_S
    _wait.SLEEP_IDLE = RESTING_S
    _wait.sleep = rest  # type: ignore[assignment]
    Pilot._wait_for_screen = _screen_rests  # type: ignore[assignment, method-assign]
