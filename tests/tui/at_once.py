"""Keys that come in one go, and the same keys one after the other, on a real file."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from gigq_tui import router
from gigq_tui.app import ConsoleApp
from gigq_tui.keys.job_actions import CANCEL
from gigq_tui.keys.key_names import key_name
from gigq_tui.keys.looking_actions import OPEN
from gigq_tui.screens.jobs.screen import JobsScreen
from tests import scene

# Of each table, what an act changes; not the clock's own marks.
_TOLD = (
    "SELECT name, status, priority, attempts, execution_id IS NULL FROM jobs ORDER BY name, id",
    "SELECT id, state, request FROM core_workers ORDER BY id",
    "SELECT name, rule, definition, paused_at IS NULL FROM core_schedules ORDER BY name",
    "SELECT key FROM core_meta WHERE key LIKE 'paused%' AND value IS NOT NULL ORDER BY key",
)


class StillClock:
    """The hour goes on, but no order of rows comes to rest, and nothing typed is too late."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return 1000.0


def state_of(path: Path) -> list[list[tuple[Any, ...]]]:
    """What stands in a file, as far as keys can change it."""
    connection = sqlite3.connect(path)
    try:
        return [connection.execute(statement).fetchall() for statement in _TOLD]
    finally:
        connection.close()


def console_on(path: Path, *, liveness: Any = scene.liveness) -> ConsoleApp:
    """A console that really reads and writes a file made by `scene.build()`.

    Args:
        path: The file.
        liveness: What tells whether a worker's process lives; None for the real thing.
    """
    return ConsoleApp(
        path, python=sys.executable, chdir=path.parent, clock=StillClock(), liveness=liveness
    )


def events_of(keys: Iterable[str]) -> list[events.Key | events.Paste]:
    """The events of keys as people write them; `paste:text` is pasted."""
    made: list[events.Key | events.Paste] = []
    for key in keys:
        if key.startswith("paste:"):
            made.append(events.Paste(key.removeprefix("paste:")))
            continue
        name = key_name("space" if key == " " else key) or key
        made.append(events.Key(name, key if len(key) == 1 else None))
    return made


def wait_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing that was typed be too late, however busy the machine is."""
    for name in ("STEADY_WITHIN_S", "ACT_WITHIN_S", "WAITS_AT_MOST_S"):
        monkeypatch.setattr(router, name, 60.0)


async def wait_for(holds: Callable[[], object], what: str = "what was typed") -> None:
    """Wait until something holds, in the loop of the console."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.005)


def at_rest(app: ConsoleApp) -> bool:
    """Whether all that was typed has been done, and the screen shows it."""
    front = app.front
    if front is None or not front.is_steady or not app.router.is_idle:
        return False
    jobs = app.screen_stack[0]
    waits = isinstance(jobs, JobsScreen) and front is jobs and jobs.table.awaits_list
    wanting = waits or front.expects or front.awaits(CANCEL) or front.awaits(OPEN)
    return app.services.actions.is_shown and not wanting


async def settle(pilot: Pilot[None]) -> None:
    """Wait until it is at rest."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await wait_for(
        lambda: app.services.picture.newest is not None and at_rest(app), "the console at rest"
    )
    await pilot.pause()
    await wait_for(lambda: at_rest(app), "the console at rest")


async def type_at_once(pilot: Pilot[None], keys: Iterable[str]) -> None:
    """Hand over keys as one write to the terminal does, and wait until it is at rest."""
    for event in events_of(keys):
        pilot.app.post_message(event)
    await _have_come(pilot)
    await settle(pilot)


async def type_one_by_one(pilot: Pilot[None], keys: Iterable[str]) -> None:
    """Hand over each key once the screen shows what came of the one before."""
    for event in events_of(keys):
        pilot.app.post_message(event)
        await _have_come(pilot)
        await settle(pilot)


async def _have_come(pilot: Pilot[None]) -> None:
    """Wait until all that was handed over has come to the router."""
    came = asyncio.Event()
    pilot.app.call_later(came.set)
    await came.wait()
