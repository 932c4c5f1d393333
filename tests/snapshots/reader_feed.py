"""A feed that reads at once, in the test's own thread, so that every picture is whole."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from gigq_core.errors import DatabaseError
from gigq_tui.app import ConsoleApp
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.list.view import View
from gigq_tui.store.questions import Questions
from gigq_tui.store.reader import Reader
from tests import agents_scene, night, scene

SHOWN_PATH = Path("/srv/queues/jobs.db")


class ReaderFeed:
    """Reads when it is asked to, and never by itself."""

    def __init__(self, path: Path, app: ConsoleApp) -> None:
        self.app = app
        self.path = path
        self.view = View()
        self.reader = Reader(path, app.services.settings.clock, is_dead=scene.liveness)

    def start(self) -> None: ...

    def close(self) -> None:
        self.reader.close()

    def show(self, view: View) -> None:
        self.view = view
        self.refresh()

    def refresh(self) -> None:
        snapshot = self.reader.snapshot(self.view)
        if self.reader.forecast_in() == 0.0:
            while self.reader.forecast_in() == 0.0:
                self.reader.look_ahead()
            snapshot = self.reader.snapshot(self.view)
        self.app.services.reads.hand_snapshot(snapshot)

    def ask(
        self,
        read: Callable[[Questions], Any],
        got: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        try:
            answer = read(self.reader)
        except DatabaseError as problem:
            failed(problem)
        else:
            got(answer)


def scene_app(folder: Path, **options: Any) -> ConsoleApp:
    """The console on the scene, its hour standing still, its path the same on every machine."""
    return _on(scene.build(folder / scene.FILE_NAME), scene.NOW, **options)


def elsewhere_app(folder: Path, **options: Any) -> ConsoleApp:
    """The same with a worker whose jobs run on other hosts."""
    return _on(agents_scene.build(folder / scene.FILE_NAME), scene.NOW, **options)


def night_app(folder: Path, **options: Any) -> ConsoleApp:
    """The console on a bad night, in the morning after."""
    path = night.build(folder / scene.FILE_NAME)
    return _on(path, night.MORNING.astimezone(timezone.utc), **options)


def _on(path: Path, now: datetime, **options: Any) -> ConsoleApp:
    app = ConsoleApp(
        SHOWN_PATH,
        python=sys.executable,
        chdir=path.parent,
        clock=FrozenClock(now),
        feed=False,
        **options,
    )
    app.services.reads.feed = ReaderFeed(path, app)
    return app


async def at_rest(pilot: Pilot[None]) -> None:
    """Wait until everything that was asked for is drawn."""
    for _ in range(3):
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()
