"""Schedules of a queue, four days before the clocks change in Berlin, made by hand."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gigq_core import Job, JobQueue
from gigq_core.schedules.cron import preview
from gigq_core.schedules.rules import Schedule, Skip
from gigq_core.submitting.definition import encode_definition
from gigq_tui.store.models import JobRow
from gigq_tui.store.schedules import ListedSchedule, PastSlot, Schedules, past_slots
from tests.tui.harness import row

NOW = datetime(2027, 3, 25, 21, 17, 40, tzinfo=timezone.utc)
BERLIN = "Europe/Berlin"


def at(days_ago: float, clock: str = "02:30", zone: str = BERLIN) -> float:
    """The moment of a time of the day in a zone, so many days ago."""
    hours, minutes = map(int, clock.split(":"))
    here = NOW.astimezone(ZoneInfo(zone)) - timedelta(days=days_ago)
    return here.replace(hour=hours, minute=minutes, second=0, microsecond=0).timestamp()


def schedule(name: str = "nightly", when: str = "30 2 * * *", **values: Any) -> Schedule:
    """A schedule by hand; its next slot follows from its rule."""
    zone = values.get("zone", BERLIN)
    paused = values.get("paused_at") is not None
    slots = preview(when, zone, 1, NOW.timestamp()) if not paused else []
    base = Schedule(
        name=name,
        when=when,
        zone=zone,
        catch_up="last",
        overlap="skip",
        function="etl.nightly.sync",
        job_name=f"{name}_job",
        params={"day": "{slot:%Y-%m-%d}", "region": "eu"},
        options={"timeout": 1800},
        next_at=slots[0].at if slots else None,
        paused_at=None,
        last_slot=None,
        last_job_id=None,
        last_status=None,
        trouble="",
        skipped=0,
        skips=(),
    )
    made = replace(base, **values)
    job = Job(made.job_name, made.function, made.params, **made.options)
    return replace(made, definition=encode_definition(job))


def with_schedules(path: Path) -> Path:
    """Put two schedules into a file, one of which has made a job; returns the file."""
    with closing(JobQueue(path)) as queue:
        queue.schedule("nightly", "30 2 * * *", Job("night", "etl.nightly.sync"), zone=BERLIN)
        queue.schedule("hourly", "@hourly", Job("hour", "etl.hourly.sync"), catch_up="none")
        queue.run_schedule("hourly")
    return path


def job_at(slot: float, took_s: float | None, status: str = "completed", **values: Any) -> JobRow:
    """The job of a slot, which began a second after it."""
    began = datetime.fromtimestamp(slot + 1, timezone.utc)
    ended = None if took_s is None else began + timedelta(seconds=took_s)
    number = int(slot) % 0xFFFFFFF
    return row(number, "nightly_job", status, started_at=began, completed_at=ended, **values)


def skip(slot: float, why: str, count: int = 1, first: float | None = None) -> Skip:
    """A skip that was found out at its slot."""
    return Skip(slot, why, slot, slot if first is None else first, count)


NIGHTS = [
    (at(0), job_at(at(0), 252.0)),
    (at(1), job_at(at(1), 12.4, "failed", error="ValueError: no rows for 2027-03-24")),
    (at(4), job_at(at(4), 244.0)),
    (at(5), job_at(at(5), 301.0, "timeout", error="exceeded its timeout of 300s")),
    (at(6), job_at(at(6), 248.0)),
    (at(7), job_at(at(7), 239.0)),
]
MISSED = skip(at(2), "2 missed: the newest ran at 04:12", 2, at(3))


def listed() -> tuple[ListedSchedule, ...]:
    """All of them, by name."""
    hourly = job_at(at(0, "21:00", "UTC"), None, "running")
    feeds = [
        skip(at(0, clock, "UTC"), f"{hourly.id[:8]} still runs") for clock in ("21:15", "21:10")
    ]
    found = [
        ListedSchedule(
            schedule(
                "archive",
                "0 4 1 * *",
                zone="UTC",
                function="etl.archive.pack",
                params={},
                options={},
                paused_at=NOW.timestamp() - 5 * 86_400,
                last_job_id="x",
            ),
        ),
        ListedSchedule(
            schedule(
                "feeds",
                "*/5 * * * *",
                zone="UTC",
                function="etl.feeds.fetch",
                last_slot=at(0, "21:00", "UTC"),
                last_job_id=hourly.id,
                last_status="running",
                skips=tuple(feeds),
                skipped=2,
            ),
            hourly,
        ),
        ListedSchedule(
            schedule(
                last_slot=at(0),
                last_job_id=NIGHTS[0][1].id,
                last_status="completed",
                skips=(MISSED,),
                skipped=2,
            ),
            NIGHTS[0][1],
        ),
        ListedSchedule(
            schedule(
                "report",
                "0 9 * * 1-5",
                zone="America/New_York",
                function="etl.report.send",
                last_slot=at(1, "13:00", "UTC"),
                last_job_id="r",
                last_status="failed",
            ),
            job_at(at(0, "13:00", "UTC"), 0.7, "failed", error="SMTPError: refused"),
        ),
        ListedSchedule(
            schedule(
                "scrub",
                "every 6h",
                zone="UTC",
                function="etl.scrub.run",
                trouble="timeout is 0: it must be more than 0.",
                next_at=NOW.timestamp() - 780.0,
            ),
        ),
    ]
    return tuple(found)


def read(chosen: str = "") -> Schedules:
    """What a reader says of them."""
    every = listed()
    by_name = {one.name: one for one in every}
    past: tuple[PastSlot, ...] = ()
    if chosen in by_name:
        jobs = NIGHTS if chosen == "nightly" else []
        past = past_slots(jobs, by_name[chosen].schedule)
    return Schedules(NOW, every, chosen, past, by_name)
