"""Textual's driver of tests at a pace of ours: it waits for rest itself, in short steps.

By itself it looks in steps of 20 ms whether the process has come to rest, four times a key, and has
a message go to every widget before that: most of the time that a test of a screen took. Here the
loop is asked whether anything is left to do, which no slow machine makes seem so. And the style
sheets, which each console would parse twice when it starts, are parsed once in a process.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from textual import _wait
from textual.app import App
from textual.css.stylesheet import Stylesheet
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


def _is_put_off(app: App[Any]) -> bool:
    """Whether something waits for a timer of Textual's: a resize, or what comes after a refresh."""
    resized = app._resize_event is not None
    return resized or bool(app.screen_stack and app.screen._callbacks)


async def _screen_rests(pilot: Pilot[Any], timeout: float = 30.0) -> bool:
    await rest()
    # No loop says of these that they are still to be done.
    deadline = time.monotonic() + AT_MOST_S
    while _is_put_off(pilot.app) and time.monotonic() < deadline:
        await rest(STEP_S)
    return True


_parse = Stylesheet._parse_rules
_parsed: dict[object, list[Any]] = {}


def _parse_once(sheet: Any, css: str, *args: Any, **options: Any) -> list[Any]:
    known = vars(sheet).get("known_variables")
    if known is None or known[0] is not sheet._variables:
        known = sheet.known_variables = (sheet._variables, frozenset(sheet._variables.items()))
    key = (known[1], css, args, tuple(options.items()))
    if key not in _parsed:
        _parsed[key] = _parse(sheet, css, *args, **options)
    return _parsed[key]


def hurry() -> None:
    """Have every pilot of this process go at this pace."""
    _wait.SLEEP_GRANULARITY = STEP_S
    _wait.SLEEP_IDLE = RESTING_S
    _wait.sleep = rest  # type: ignore[assignment]
    Stylesheet._parse_rules = _parse_once  # type: ignore[method-assign]
    Pilot._wait_for_screen = _screen_rests  # type: ignore[assignment, method-assign]
