"""A schedule at work: a real worker makes its jobs, and the console tells them as they come."""

from __future__ import annotations

import re
import sys

from gigq_core import Job
from gigq_tui.app import ConsoleApp
from tests.integration.conftest import Place
from tests.tui.harness import press, running, screen_text, until


async def test_slots_become_jobs_on_the_screen_and_a_pause_ends_that(place: Place) -> None:
    place.queue.schedule("beat", "every 2s", Job("beat", "json.dumps", {"obj": "{slot:%S}"}))
    place.worker()
    app = ConsoleApp(place.db, python=sys.executable, chdir=place.folder)
    async with running(app, size=(120, 32)) as pilot:
        await until(pilot, lambda: app.services.picture.shown is not None, "a picture")
        await press(pilot, "@")
        done = re.compile(r"\d\d:\d\d:\d\d +\+ done ")
        await until(
            pilot, lambda: len(done.findall(screen_text(app))) >= 2, "two of its slots, done"
        )
        await press(pilot, "P")
        await until(pilot, lambda: "Paused <1m ago" in screen_text(app), "the pause")
        made = len(place.rows("SELECT 1 FROM jobs"))
        await press(pilot, "r", "y")
        await until(
            pilot,
            lambda: (
                place.rows("SELECT count(*) AS n FROM jobs WHERE status = 'completed'")[0]["n"]
                > made
            ),
            "the one that was run now",
        )
        assert len(place.rows("SELECT 1 FROM jobs")) == made + 1
