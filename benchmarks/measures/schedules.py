"""Schedules: what a slot costs, how many jobs two processes make of it, what a pause leaves."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

from benchmarks import periodic
from benchmarks.bench import Bench
from benchmarks.figures import APSCHEDULER, CORE, HUEY, Figure
from benchmarks.processes import Trouble
from gigq_core.units import times

SLOTS_OF_TWO = 8
PAUSED_SLOTS = 10


def cost(bench: Bench) -> list[Figure]:
    """Schedules that are all due at one moment: wall time for each slot, its commit included."""
    count = bench.size(200, 20)
    figure = Figure(
        "schedule-cost", f"{count} schedules due at once, a slot", "ms", more_is_better=False
    )
    figure.samples = bench.alternate(
        {
            CORE: lambda: _cost_core(bench, count),
            HUEY: lambda: _cost_huey(bench, count),
            APSCHEDULER: lambda: _cost_apscheduler(bench, count),
        },
        figure.notes,
    )
    figure.notes.append(
        "ours and huey's write each slot with a commit of its own, FULL; APScheduler calls the "
        "function in a thread and writes when the job is due next"
    )
    return [figure]


def exactly_once(bench: Bench) -> list[Figure]:
    """Two processes that fire the same schedule: jobs for each slot."""
    figure = Figure(
        "schedule-once", "jobs a slot, two processes", "jobs", more_is_better=False, target="1"
    )
    figure.samples = bench.alternate(
        {
            CORE: lambda: _two(bench, CORE),
            HUEY: lambda: _two(bench, HUEY),
            APSCHEDULER: lambda: _two(bench, APSCHEDULER),
        },
        figure.notes,
        runs=1,
    )
    mine = figure.median(CORE)
    figure.met = None if mine is None else mine == 1
    figure.notes.append("huey tells to run periodic tasks in one consumer alone (-n for the rest)")
    return [figure]


def catch_up(bench: Bench) -> list[Figure]:
    """Nobody is there for some slots: how many runs there are of them, and how many are told."""
    runs = Figure("schedule-missed", f"runs made of {PAUSED_SLOTS} missed slots", "runs")
    told = Figure("schedule-missed", "missed slots that are told", "slots")
    runs.samples = {CORE: [], APSCHEDULER: []}
    told.samples = {CORE: []}
    with bench.place("missed") as folder:
        path = folder / "jobs.db"
        with _clock() as clock:
            periodic.core_schedules(path, 1, "* * * * *")
            clock.now += 60 * PAUSED_SLOTS
            periodic.core_fire(path)
            runs.samples[CORE].append(periodic.core_made(path))
            told.samples[CORE].append(_told(path))
    with bench.place("missed-apscheduler") as folder:
        try:
            runs.samples[APSCHEDULER].append(_missed_apscheduler(folder / "jobs.db"))
        except ImportError as problem:
            del runs.samples[APSCHEDULER]
            runs.notes.append(f"{APSCHEDULER}: no figure: {problem}")
    runs.stated = told.stated = {HUEY: "none"}
    told.stated = {HUEY: "none", APSCHEDULER: "in its log"}
    runs.notes.append(
        "ours by default (the newest one); APScheduler with coalesce and without a misfire grace, "
        "which is 1 s by default and then makes none"
    )
    return [runs, told]


class _Clock:
    def __init__(self) -> None:
        self.now = time.time()


@contextmanager
def _clock() -> Iterator[_Clock]:
    """A clock of ours that is moved by hand."""
    clock = _Clock()
    before = vars(times)["time"]
    vars(times)["time"] = SimpleNamespace(**{**vars(time), "time": lambda: clock.now})
    try:
        yield clock
    finally:
        vars(times)["time"] = before


def _cost_core(bench: Bench, count: int) -> float:
    with bench.place("cost-core") as folder, _clock() as clock:
        path = folder / "jobs.db"
        periodic.core_schedules(path, count, "@hourly")
        clock.now += 3600
        began = time.perf_counter()
        periodic.core_fire(path)
        took = time.perf_counter() - began
        _expect(periodic.core_made(path), count)
        return 1000 * took / count


def _cost_huey(bench: Bench, count: int) -> float:
    with bench.place("cost-huey") as folder:
        huey = periodic.huey_periodic(folder / "jobs.db", count)
        began = time.perf_counter()
        periodic.huey_fire(huey, periodic.FIRST_MINUTE)
        took = time.perf_counter() - began
        _expect(huey.storage.queue_size(), count)
        return 1000 * took / count


def _cost_apscheduler(bench: Bench, count: int) -> float:
    from apscheduler.events import EVENT_JOB_EXECUTED

    with bench.place("cost-apscheduler") as folder:
        scheduler = periodic.apscheduler_jobs(
            folder / "jobs.db", count, 0.5, misfire_grace_time=None, coalesce=True
        )
        time.sleep(1.0)  # by then all of them are due
        left, over = [count], threading.Event()

        def done(event: object) -> None:
            left[0] -= 1
            if left[0] == 0:
                over.set()

        scheduler.add_listener(done, EVENT_JOB_EXECUTED)
        began = time.perf_counter()
        scheduler.resume()
        if not over.wait(120):
            raise Trouble("not all were run")
        took = time.perf_counter() - began
        scheduler.shutdown()
        return 1000 * took / count


def _two(bench: Bench, peer: str) -> float:
    with bench.place(f"two-{peer}") as folder:
        path = folder / "jobs.db"
        marks = folder / "marks"
        if peer == CORE:
            periodic.core_schedules(path, 1, catch_up="all")
        elif peer == HUEY:
            periodic.huey_periodic(path, 1)
        else:
            scheduler = periodic.apscheduler_of(path)
            scheduler.start(paused=True)
            scheduler.add_job(
                periodic.marked, "interval", seconds=1, args=[str(marks)], misfire_grace_time=None
            )
            scheduler.shutdown()
        words = [sys.executable, "-m", "benchmarks.periodic", peer, str(path), str(SLOTS_OF_TWO)]
        both = [subprocess.Popen(words) for _ in range(2)]
        for one in both:
            if one.wait(120):
                raise Trouble(f"a process of {peer} ended with {one.returncode}")
        return _made(peer, path, marks)


def _made(peer: str, path: Path, marks: Path) -> float:
    if peer == CORE:
        slots = periodic.count(path, "SELECT count(DISTINCT slot) FROM jobs")
        return periodic.core_made(path) / slots
    if peer == HUEY:
        return float(periodic.huey_periodic(path, 1).storage.queue_size()) / SLOTS_OF_TWO
    seconds = [int(line) for line in marks.read_text().split()]
    # Slots are a second apart: what comes closer together is of the same one.
    slots = 1 + sum(late - soon > 5e8 for soon, late in pairwise(seconds))
    return len(seconds) / slots


def _missed_apscheduler(path: Path) -> float:
    from apscheduler.events import EVENT_JOB_EXECUTED

    scheduler = periodic.apscheduler_jobs(path, 1, 0.3, misfire_grace_time=None, coalesce=True)
    scheduler.shutdown()
    time.sleep(0.3 * PAUSED_SLOTS)
    ran: list[object] = []
    later = periodic.apscheduler_of(path)
    later.add_listener(ran.append, EVENT_JOB_EXECUTED)
    later.start()
    until = time.monotonic() + 10
    while not ran and time.monotonic() < until:
        time.sleep(0.01)
    later.shutdown()
    return len(ran)


def _told(path: Path) -> float:
    return periodic.count(path, "SELECT coalesce(sum(count), 0) FROM core_schedule_skips")


def _expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise Trouble(f"{found} of {wanted} slots were fired")
