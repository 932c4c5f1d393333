"""What the tests of the screens stand on: rows by hand, fakes for feed and actions, a console."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from gigq_core.changes.canary import Canary
from gigq_core.changes.clearing import ClearPlan
from gigq_core.reasons.why import Health
from gigq_core.status import Change, Outcome, WorkerRequest
from gigq_tui.actions.report import Report
from gigq_tui.actions.submit import SubmitRequest
from gigq_tui.actions.undo_log import Done, UndoLog
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.services import Services
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.list.view import View
from gigq_tui.store.models import (
    Counts,
    FileInfo,
    JobDetail,
    JobRow,
    Snapshot,
    Tab,
    Window,
    WorkerRow,
)
from gigq_tui.store.outcomes.following import FollowedJobs
from gigq_tui.store.outcomes.states import JobNow, JobsNow
from gigq_tui.store.stepwise import SoFar
from tests.scene import NOW

SIZE = (120, 32)


def row(number: int, name: str = "", status: str = "pending", **values: Any) -> JobRow:
    """A job by hand; `number` makes its key and id."""
    base = JobRow(
        key=number,
        id=f"{number:08x}-0000-4000-8000-000000000000",
        name=name or f"job_{number}",
        function="pipeline.images.resize_image",
        status=status,
        priority=0,
        attempts=0 if status == "pending" else 1,
        max_attempts=3,
        timeout_s=300.0,
        created_at=NOW - timedelta(seconds=600),
        started_at=None if status == "pending" else NOW - timedelta(seconds=60),
        completed_at=(None if status in ("pending", "running") else NOW - timedelta(seconds=30)),
        due=None,
        worker_id=None if status == "pending" else "w1",
        error="",
    )
    return replace(base, **values)


def detail_of(job: JobRow, **values: Any) -> JobDetail:
    """A detail by hand around a row."""
    base = JobDetail(
        row=job,
        description="",
        params={"src": "s3://in/1.png", "api_key": "hunter2"},
        result=None,
        error=job.error,
        retry_delay_s=0.0,
        attempts=(),
        parents=(),
        children=(),
        child_count=0,
        raw={"id": job.id, "name": job.name},
    )
    return replace(base, **values)


def worker(id: str, **values: Any) -> WorkerRow:
    """A worker by hand, alive and without a job; the digits of `id` make its process id."""
    base = WorkerRow(
        id=id,
        owner="console",
        host="etl-3",
        pid=4100 + int(id[1:]),
        isolation="process",
        slots=1,
        state="running",
        request=None,
        health=Health.ALIVE,
        started_at=NOW - timedelta(minutes=31),
        stopped_at=None,
        done=0,
        failed=0,
        last_claim_at=None,
        log_path=None,
    )
    return replace(base, **values)


def counts_of(rows: Iterable[JobRow]) -> Counts:
    """The counts that belong to some rows."""
    states: dict[str, int] = {}
    for job in rows:
        name = "ready" if job.status == "pending" else job.status
        states[name] = states.get(name, 0) + 1
    return Counts(**states)


def snapshot_of(rows: Iterable[JobRow], **values: Any) -> Snapshot:
    """A snapshot that holds exactly these rows."""
    rows = tuple(rows)
    base = Snapshot(
        taken_at=NOW,
        info=FileInfo("jobs.db", True, "wal", 4096, 0, "3.45.0"),
        counts=counts_of(rows),
        tab=Tab.ALL,
        filter_text="",
        window=Window(rows, 0, len(rows)),
    )
    return replace(base, **values)


class FakeFeed:
    """A feed that remembers what was wanted of it and answers what it was told to."""

    def __init__(self) -> None:
        self.views: list[View] = []
        self.asked: list[tuple[str, Any]] = []
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self.refreshed = 0

    def start(self) -> None: ...

    def close(self) -> None: ...

    def show(self, view: View) -> None:
        self.views.append(view)

    def refresh(self) -> None:
        self.refreshed += 1

    def ask(
        self,
        read: Callable[[Any], Any],
        got: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        reader = FakeReader(self)
        answer = read(reader)
        if not reader.is_silent:
            (failed if isinstance(answer, Exception) else got)(answer)


def all_in(state: JobNow) -> Callable[[FollowedJobs], SoFar[JobsNow]]:
    """What a reader says of jobs that are not in memory, all of which are in one state."""
    return lambda work: SoFar(JobsNow(bytes([state]) * len(work.ids)), len(work.ids), len(work.ids))


class FakeReader:
    """A reader that answers what the feed was told to, and is silent about the rest."""

    def __init__(self, feed: FakeFeed) -> None:
        self._feed = feed
        self.is_silent = False

    def __getattr__(self, kind: str) -> Callable[..., Any]:
        def asked(subject: Any = "") -> Any:
            self._feed.asked.append((kind, subject))
            self.is_silent = kind not in self._feed.answers
            return None if self.is_silent else self._feed.answers[kind](subject)

        return asked


class FakeJobs:
    """Remembers the acts, and reports what it was told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.trouble: Exception | None = None
        self.report: Report | None = None
        self.plan = ClearPlan()
        self.undoable: Done | None = None
        self.undo_log = UndoLog()
        self.under_way = ""

    def _said(self, verb: str, value: Any) -> Report:
        self.calls.append((verb, value))
        if self.trouble is not None:
            raise self.trouble
        return self.report or Report(f"{verb} done", (), f"gigq-core --db jobs.db {verb}")

    def cancel(self, ids: Iterable[str]) -> Report:
        return self._said("cancel", tuple(ids))

    def retry(self, ids: Iterable[str], with_children: bool = False) -> Report:
        return self._said("retry with children" if with_children else "retry", tuple(ids))

    def change_priority(self, ids: Iterable[str], by: int) -> Report:
        return self._said("priority", (tuple(ids), by))

    def plan_clear(self, ids: Iterable[str]) -> ClearPlan:
        self.calls.append(("plan", tuple(ids)))
        return self.plan

    def clear(self, ids: Iterable[str], include_needed: bool = False) -> Report:
        return self._said("clear", (tuple(ids), include_needed))

    def undo(self, act: Done) -> Report:
        return self._said("undo", act)

    def release(self, ids: Iterable[str]) -> Report:
        return self._said("release", tuple(ids))

    def retry_first(self, ids: Iterable[str], failure: str = "") -> tuple[Report, Canary]:
        named = tuple(ids)
        outcomes = tuple(Outcome(id, Change.REQUEUED, name=id) for id in named)
        return self._said("canary", (named, failure)), Canary(outcomes, 9, dict.fromkeys(named, 0))

    def end_canary(self, canary: Canary) -> None:
        self.calls.append(("end canary", canary.job_ids))

    def submit(self, request: SubmitRequest) -> Report:
        return self._said("submit", request)

    def set_queue_paused(self, paused: bool) -> Report:
        return self._said("paused", paused)

    def ask_worker(self, worker_id: str, request: WorkerRequest) -> Report:
        return self._said("ask", (worker_id, request))


def make_app(*, read_only: bool = False, path: Path | None = None, **values: Any) -> ConsoleApp:
    """An app on a file that nobody reads, its feed and its acts replaced by fakes."""
    app = ConsoleApp(
        path or Path("/srv/queues/jobs.db"),
        python=sys.executable,
        chdir=Path("/srv"),
        read_only=read_only,
        clock=values.pop("clock", FrozenClock(NOW)),
        feed=False,
        **values,
    )
    app.services.reads.feed = FakeFeed()
    app.services.actions.jobs = FakeJobs()
    return app


def services_of(pilot: Pilot[None]) -> Services:
    """The services of the app that a pilot drives."""
    assert isinstance(pilot.app, ConsoleApp)
    return pilot.app.services


def feed_of(app: ConsoleApp) -> FakeFeed:
    """The fake feed of an app."""
    feed = app.services.reads.feed
    assert isinstance(feed, FakeFeed)
    return feed


def acts_of(app: ConsoleApp) -> FakeJobs:
    """The fake acts of an app."""
    jobs = app.services.actions.jobs
    assert isinstance(jobs, FakeJobs)
    return jobs


def jobs_screen(app: ConsoleApp) -> JobsScreen:
    """The jobs screen of an app, wherever it is on the stack."""
    screen = next(s for s in app.screen_stack if isinstance(s, JobsScreen))
    assert isinstance(screen, JobsScreen)
    return screen


class Console:
    """The fixture `console`: makes a console, and runs it as long as a test needs it."""

    @asynccontextmanager
    async def __call__(
        self, *, size: tuple[int, int] = SIZE, **options: Any
    ) -> AsyncIterator[tuple[ConsoleApp, Pilot[None]]]:
        """Run an app of `make_app(**options)`."""
        app = make_app(**options)
        async with running(app, size=size) as pilot:
            yield app, pilot


@asynccontextmanager
async def running(app: ConsoleApp, *, size: tuple[int, int] = SIZE) -> AsyncIterator[Pilot[None]]:
    """Run an app that a test made by itself, on a terminal of `size`."""
    async with app.run_test(size=size) as pilot:
        yield pilot


async def give(pilot: Pilot[None], rows: Iterable[JobRow], **values: Any) -> None:
    """Hand a snapshot to the app, and wait until it is drawn."""
    services_of(pilot).reads.hand_snapshot(snapshot_of(rows, **values))
    await settle(pilot)


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys, each when the one before it has done all that it does."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


async def settle(pilot: Pilot[None]) -> None:
    """Wait for threads, messages, and keys that were typed ahead to come to rest."""
    await pilot.pause()
    assert isinstance(pilot.app, ConsoleApp)
    if (fault := pilot.app._exception) is not None:
        # It is raised where the app ends, which whoever presses until something happens never does.
        raise fault
    await pilot.app.router.has_come_to_rest()
    await pilot.pause()
    while any(not worker.is_finished for worker in pilot.app.workers):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


async def until(
    pilot: Pilot[None], condition: Callable[[], object], what: str, within_s: float = 60.0
) -> None:
    """Wait for what comes from outside, as from a file that is really read."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, what
        await pilot.pause(0.02)


def screen_text(app: ConsoleApp) -> str:
    """What stands on the terminal now, as plain lines."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)
