"""One file, a writer in one zone and a reader in another: what is shown is what was."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gigq_core.cli.queue_view import QueueView
from gigq_core.units.moments import clock_time
from gigq_core.units.times import to_text
from gigq_tui import format as fmt
from gigq_tui.columns import COLUMNS, JobAt
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.filter.language import parse
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Tab
from gigq_tui.store.reader import Reader
from gigq_tui.store.sorting import Sort, SortKey
from tests.attempts import AttemptWriter, look
from tests.store_files import Writer, ago, reading
from tests.unit.test_core_cli import run
from tests.zones import ZONES, moments, standing_in

# Shorter than the hour that a night gains or loses, and longer.
TOOK_S = (40.0, 2_700.0, 5_400.0)
WAITED_S = 10.0


@dataclass(frozen=True)
class Ran:
    """A job that ran, and when."""

    id: str
    created: datetime
    took_s: float

    @property
    def began(self) -> datetime:
        return self.created + timedelta(seconds=WAITED_S)

    @property
    def ended(self) -> datetime:
        return self.began + timedelta(seconds=self.took_s)


def jobs(zone: ZoneInfo) -> list[Ran]:
    return [
        Ran(f"j{number:03d}", moment, TOOK_S[number % 3])
        for number, moment in enumerate(moments(zone))
    ]


def comes_twice(moment: datetime, zone: ZoneInfo) -> bool:
    here = moment.astimezone(zone)
    return here.replace(fold=0).utcoffset() != here.replace(fold=1).utcoffset()


def write(path: Path, ran: list[Ran], attached: bool) -> None:
    """The jobs as a worker writes them in the zone that this process is in."""
    writer = Writer(path, attached)
    for job in ran:
        times = {"started_at": to_text(job.began), "completed_at": to_text(job.ended)}
        both = {"created_at": to_text(job.created), "updated_at": times["completed_at"], **times}
        if attached:
            both |= {"created": job.created.timestamp()}
            times |= {"began": job.began.timestamp(), "ended": job.ended.timestamp()}
        writer.job(job.id, "completed", attempts=1, **both | times)
        attempt = {"id": f"{job.id}-1", "job_id": job.id, "worker_id": "w", "status": "completed"}
        writer.insert("job_executions", attempt | times)
    if attached:
        first = ran[0].created
        writer.worker("w", started_at=to_text(first), began=first.timestamp())
    writer.close()


def wall(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def near(told: datetime | None, moment: datetime) -> bool:
    return told is not None and abs((told - moment).total_seconds()) < 1e-3


@pytest.mark.parametrize("reader_zone", ZONES)
@pytest.mark.parametrize("writer_zone", ["UTC", "Australia/Lord_Howe", "America/New_York"])
def test_times_are_those_of_the_readers_zone_whoever_wrote_them(
    tmp_path: Path, writer_zone: str, reader_zone: str
) -> None:
    path = tmp_path / "jobs.db"
    ran = [*jobs(ZoneInfo(writer_zone)), *jobs(ZoneInfo(reader_zone))]
    ran = [Ran(f"j{number:03d}", job.created, job.took_s) for number, job in enumerate(ran)]
    with standing_in(writer_zone):
        write(path, ran, attached=True)
    with standing_in(reader_zone) as zone:
        shown_as_it_was(path, ran, zone)


@pytest.mark.parametrize("key", ["Australia/Lord_Howe", "America/New_York", "Asia/Kathmandu"])
def test_texts_alone_are_read_as_the_readers_own(tmp_path: Path, key: str) -> None:
    """Which of two moments a text of the hour that comes twice stands for, it does not tell."""
    path = tmp_path / "jobs.db"
    zone = ZoneInfo(key)
    ran = [
        job
        for job in jobs(zone)
        if not any(comes_twice(at, zone) for at in (job.created, job.began, job.ended))
    ]
    with standing_in(key) as zone:
        write(path, ran, attached=False)
        shown_as_it_was(path, ran, zone)


def shown_as_it_was(path: Path, ran: list[Ran], zone: ZoneInfo) -> None:
    now = max(job.ended for job in ran) + timedelta(minutes=90)
    with reading(path, clock=FrozenClock(now)) as reader:
        rows = {row.id: row for row in reader.snapshot(View(Tab.ALL, size=500)).window.rows}
        assert len(rows) == len(ran)
        for job in ran:
            row = rows[job.id]
            assert near(row.created_at, job.created)
            assert near(row.started_at, job.began)
            assert near(row.completed_at, job.ended)
            cells = {c.name: c.cell(JobAt.of(row, now), 0)[0] for c in COLUMNS}
            assert cells["age"] == fmt.age((now - job.created).total_seconds())
            assert cells["dur"] == fmt.duration(job.took_s)
            assert cells["why"] == f"done in {fmt.duration(job.took_s).replace('m00s', 'm')}"
            assert clock_time(row.created_at, now) in wall(job.created, zone)
        for job in (ran[0], ran[-1]):
            detail = reader.detail(job.id)
            assert detail is not None
            assert near(detail.attempts[0].started_at, job.began)
            assert near(detail.attempts[0].completed_at, job.ended)
        filters_agree(reader_ids(reader), ran, now)
        orders_agree(reader_ids(reader), ran)
        day = look(reader, 86_400, now=now)
        recent = [job for job in ran if now - job.ended <= timedelta(hours=24)]
        assert day.total.done == pytest.approx(len(recent), abs=1)
        assert day.total.longest_s == pytest.approx(max(job.took_s for job in recent), abs=1e-3)
    commands_agree(path, ran, zone)


Ids = Callable[..., list[str]]


def reader_ids(reader: Reader) -> Ids:
    def ids(text: str = "", sort: SortKey = SortKey.SUBMITTED) -> list[str]:
        view = View(Tab.ALL, filter=parse(text), sort=Sort(sort))
        return list(reader.matching_ids(view))

    return ids


def filters_agree(ids: Ids, ran: list[Ran], now: datetime) -> None:
    for hours in (1.5, 2, 3, 24, 25, 100 * 24):
        older = {job.id for job in ran if (now - job.created).total_seconds() > hours * 3_600}
        assert set(ids(f"age>{hours * 60:g}m")) == older
        assert set(ids(f"age<={hours * 60:g}m")) == {job.id for job in ran} - older
    for took in TOOK_S:
        assert set(ids(f"dur>={took:g}s")) == {job.id for job in ran if job.took_s >= took}


def orders_agree(ids: Ids, ran: list[Ran]) -> None:
    created = {job.id: job.created for job in ran}
    ended = {job.id: job.ended for job in ran}
    assert [created[id] for id in ids(sort=SortKey.AGE)] == sorted(created.values())
    found = [ended[id] for id in ids(sort=SortKey.ENDED)]
    assert found == sorted(ended.values(), reverse=True)


def commands_agree(path: Path, ran: list[Ran], zone: ZoneInfo) -> None:
    for job in (ran[0], ran[len(ran) // 2], ran[-1]):
        told = run(path, "status", job.id, "--show-executions").stdout
        assert f"Created: {wall(job.created, zone)}" in told
        assert f"Started: {wall(job.began, zone)}" in told
        assert f"Completed: {wall(job.ended, zone)}" in told
        assert f"Updated: {wall(job.ended, zone)}" in told
        attempt = next(line for line in told.splitlines() if f"{job.id}-1" in line)
        assert wall(job.began, zone) in attempt
        assert wall(job.ended, zone) in attempt
    listed = run(path, "list", "--limit", str(len(ran))).stdout
    for job in ran:
        line = next(line for line in listed.splitlines() if line.startswith(f"{job.id} "))
        assert wall(job.created, zone) in line
        assert wall(job.ended, zone) in line
    for worker in json.loads(run(path, "workers", "--json").stdout):
        assert worker["started_at"] == to_text(ran[0].created)
    view = QueueView(path)
    for job in ran:
        before = job.ended + timedelta(milliseconds=1)
        assert set(view.ended(["completed"], before)) == {j.id for j in ran if j.ended <= job.ended}
    view.close()


@pytest.mark.parametrize("attached", [True, False])
def test_what_ran_while_a_clock_was_set_back_is_told_in_its_order(
    tmp_path: Path, attached: bool
) -> None:
    path = tmp_path / "jobs.db"
    writer = AttemptWriter(path, attached)
    writer.job("j", "completed", attempts=2, started_at=ago(3_700), completed_at=ago(3_600))
    first = writer.attempt("j", "failed", began=100, took=1)
    second = writer.attempt("j", "completed", began=3_700, took=-50)
    writer.job("older", created_at=ago(0))
    writer.job("newer", created_at=ago(3_600))
    writer.close()
    with reading(path) as reader:
        detail = reader.detail("j")
        assert detail is not None
        assert [attempt.execution_id for attempt in detail.attempts] == [first, second]
    listed = [job["id"] for job in json.loads(run(path, "list", "--json").stdout)]
    assert listed == ["newer", "older", "j"]
