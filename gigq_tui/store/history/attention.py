"""What needs a person: everything that stands against the work, the gravest first."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum

from gigq_core.fleet.agents_seen import BY_AGENTS
from gigq_core.hooks.rules import Hook
from gigq_core.inspection.doctor import LARGE_WAL_BYTES, WAL_RESET_BUG_FIXED, WAL_RESET_BUG_SINCE
from gigq_core.keeping.rules import Keeping, keeping_words
from gigq_core.lanes.rules import Lane
from gigq_core.reasons.agent_words import place_of, trouble_of
from gigq_core.reasons.why import Health
from gigq_core.schedules.rules import Schedule
from gigq_core.system.file_locks import process_words
from gigq_core.units.durations import duration_text
from gigq_core.units.moments import brief_time
from gigq_core.units.times import moment_of
from gigq_tui.store.filter.terms import Field
from gigq_tui.store.filter.writing import equal
from gigq_tui.store.history.arranged import Arranged
from gigq_tui.store.lanes import Standing, standing_of, startable
from gigq_tui.store.models import Counts, FileInfo, Tab, WorkerRow
from gigq_tui.store.schedules import is_late
from gigq_tui.store.workers import FileWorkers

# A large WAL that has grown within this time is not being checkpointed.
GROWTH_S = 60.0
# So many hooks that are fine are told one by one.
MOST_HOOKS = 4
NOTHING_ARRANGED = Arranged()
EPOCH = datetime.fromtimestamp(0, timezone.utc)
_GONE = (Health.LOST, Health.STOPPED)
_NOT_CLAIMING = frozenset({"paused", "draining", "stopping", "stopped"})


class Level(Enum):
    """How much it matters: jobs are stuck or lost, look at it, or good to know."""

    GRAVE = "grave"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Lead:
    """Where one can do something about it: filtered jobs, the workers, or only an advice.

    `screen` is the word of another screen. `action` is the id of the action that helps, and `does`
    what its key then does.
    """

    tab: Tab | None = None
    filter_text: str = ""
    workers: bool = False
    screen: str = ""
    advice: str = ""
    action: str = ""
    does: str = ""


@dataclass(frozen=True)
class Concern:
    """One thing that needs a person. `key` tells it from the others and stays the same."""

    key: str
    level: Level
    text: str
    lead: Lead


class WalWatch:
    """Notices a WAL that is large and grows on: a reader keeps it from being checkpointed."""

    def __init__(self) -> None:
        self._size = 0
        self._grew_at = float("-inf")

    def saw(self, size: int, at: float) -> None:
        """Note the size in bytes at a monotonic time."""
        if self._size > LARGE_WAL_BYTES and size > self._size:
            self._grew_at = at
        self._size = size

    def starved(self, at: float) -> bool:
        """Whether it is large and has grown lately."""
        return self._size > LARGE_WAL_BYTES and at - self._grew_at <= GROWTH_S


def concerns(
    staff: FileWorkers,
    counts: Counts,
    info: FileInfo,
    *,
    overdue: int,
    starved: bool,
    arranged: Arranged = NOTHING_ARRANGED,
    now: datetime = EPOCH,
) -> tuple[Concern, ...]:
    """Everything that stands against the work now.

    Args:
        staff: who works, and holds what.
        counts: how many jobs stand where.
        info: what kind of file it is.
        overdue: how many running jobs are over their timeout.
        starved: whether the WAL grows on and on.
        arranged: lanes, schedules and the like.
        now: the present moment; a schedule may be late by then.
    """
    found = [
        *_of_workers(staff, counts),
        *_of_agents(staff.ours, now),
        *_of_jobs(counts, overdue),
        *_of_lanes(arranged.lanes),
        *_of_schedules(arranged.schedules, now.timestamp()),
        *_of_hooks(arranged.hooks, now),
        *_of_keeping(arranged.keeping),
        *_of_keys(arranged.shared_keys),
        *_of_file(info, starved),
    ]
    order = list(Level)
    return tuple(sorted(found, key=lambda concern: order.index(concern.level)))


def _of_keys(shared: int) -> Iterator[Concern]:
    if shared:
        yield Concern(
            "shared_keys",
            Level.WARNING,
            f"{_many(shared, 'unique key')} {_be(shared)} held by two jobs: GigQ requeued one",
            Lead(advice="Cancel those that are not to run twice."),
        )


def _of_workers(staff: FileWorkers, counts: Counts) -> Iterator[Concern]:
    holding = [worker for worker in staff.ours if worker.health in _GONE and worker.running]
    lost = [w for w in staff.ours if w.health is Health.LOST and not w.running]
    if holding:
        jobs = sum(len(worker.running) for worker in holding)
        lead = Lead(
            workers=True,
            action="worker_release",
            does=f"releases {'it' if jobs == 1 else 'them'} there",
        )
        if all(worker.isolation == BY_AGENTS for worker in holding):
            advice = "Another worker gives them back, once their agents must have ended."
            lead = Lead(workers=True, advice=advice)
        gone = f"{_many(jobs, 'running job')} orphaned: {_names(holding)} gone"
        yield Concern("orphans", Level.GRAVE, gone, lead)
    if lost:
        yield Concern(
            "lost",
            Level.WARNING,
            f"{_many(len(lost), 'worker')} lost without a job: {_names(lost)}",
            Lead(workers=True),
        )
    old = [worker for worker in staff.ours if worker.is_before and worker.health not in _GONE]
    if old:
        verb = "it ignores" if len(old) == 1 else "they ignore"
        yield Concern(
            "before",
            Level.WARNING,
            f"{_names(old)} {_be(len(old))} of the previous release: {verb} the rates of lanes",
            Lead(workers=True, advice="Drain it, and start it again with this release."),
        )
    if staff.paused:
        yield Concern(
            "paused",
            Level.WARNING,
            "the queue is paused: no job is claimed",
            Lead(action="pause_queue", does="resumes it"),
        )
    if counts.ready:
        yield from _of_nobody(staff, counts.ready)


def _of_agents(workers: Sequence[WorkerRow], now: datetime) -> Iterator[Concern]:
    """The agents of workers that live whose links are not as they should be."""
    wrong = [
        agent
        for worker in workers
        if worker.health not in _GONE
        for agent in worker.agents
        if agent.state in ("silent", "lost", "refused")
    ]
    if not wrong:
        return
    text = f"the agent {place_of(wrong[0])} {trouble_of(wrong[0], now.timestamp())}"
    if len(wrong) > 1:
        named = ", ".join(f"{agent.host or agent.via} {agent.state}" for agent in wrong[:3])
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        text = f"{_many(len(wrong), 'agent')} get no jobs: {named}{more}"
    yield Concern("agents", Level.WARNING, text, Lead(workers=True))


def _of_nobody(staff: FileWorkers, ready: int) -> Iterator[Concern]:
    alive = [w for w in staff.ours if w.health in (Health.ALIVE, Health.UNKNOWN)]
    waits = f"{_many(ready, 'job')} {'waits' if ready == 1 else 'wait'}"
    if not alive and not staff.foreign:
        yield Concern(
            "nobody",
            Level.GRAVE,
            f"{waits} and no workers are running",
            Lead(workers=True, action="spawn_worker", does="starts one"),
        )
    elif alive and all(_claims_nothing(worker) for worker in alive):
        yield Concern(
            "idle",
            Level.WARNING,
            f"{waits}, but {_many(len(alive), 'worker')} {_be(len(alive))} paused, draining or "
            "suspended",
            Lead(workers=True),
        )


def _claims_nothing(worker: WorkerRow) -> bool:
    asked = worker.request in ("pause", "drain", "stop")
    return worker.suspended or asked or worker.state in _NOT_CLAIMING


def _of_jobs(counts: Counts, overdue: int) -> Iterator[Concern]:
    if overdue:
        yield Concern(
            "overdue",
            Level.WARNING,
            f"{_many(overdue, 'running job')} over {'its' if overdue == 1 else 'their'} timeout",
            Lead(Tab.RUNNING, "state:overdue"),
        )
    if counts.doomed:
        behind = f": blocked by {_many(counts.culprits, 'failed job')}" if counts.culprits else ""
        yield Concern(
            "doomed",
            Level.GRAVE,
            f"{_many(counts.doomed, 'job')} can never run{behind}",
            Lead(Tab.WAITING, "state:doomed"),
        )
    if bad := counts.failed + counts.timeout:
        apart = f", {counts.timeout:,} of them by their timeout" if counts.timeout else ""
        yield Concern(
            "failed",
            Level.WARNING,
            f"{_many(bad, 'job')} failed{apart}",
            Lead(
                Tab.FAILED if counts.failed else Tab.TIMEOUT,
                action="groups",
                does="groups them by cause",
            ),
        )


_STOPPED = {
    Standing.UNTAKEN: ("no worker takes", "no worker takes"),
    Standing.PAUSED: ("is paused", "are paused"),
    Standing.SHUT: ("is shut, as a job asked", "are shut, as jobs asked"),
}


def _of_lanes(lanes: Sequence[Lane]) -> Iterator[Concern]:
    """What waits in lanes that let nothing start, whatever room there is."""
    found: dict[Standing, list[Lane]] = {}
    for lane in lanes:
        if startable(lane):
            # That a lane is shut until a moment was true when it was read.
            found.setdefault(standing_of(lane, 0.0), []).append(lane)
    for standing, (one, many) in _STOPPED.items():
        if not (those := found.get(standing)):
            continue
        number = sum(map(startable, those))
        waits = f"{_many(number, 'job')} {'waits' if number == 1 else 'wait'}"
        named = f"lane {those[0].name}" if len(those) == 1 else f"{len(those)} lanes"
        said = one if len(those) == 1 else many
        told = f"{said} {named}" if standing is Standing.UNTAKEN else f"{named} {said}"
        yield Concern(
            f"lanes {standing.name.lower()}",
            Level.NOTE if standing is Standing.SHUT else Level.WARNING,
            f"{told}: {waits}",
            Lead(screen="lanes"),
        )


def _of_schedules(schedules: Sequence[Schedule], now: float) -> Iterator[Concern]:
    leads = Lead(screen="schedules")
    troubled = [schedule for schedule in schedules if schedule.trouble]
    if troubled:
        why = f": {troubled[0].trouble}" if len(troubled) == 1 else ""
        yield Concern(
            "schedules",
            Level.WARNING,
            f"no job can be made of {_named(troubled)}{why}",
            leads,
        )
    late = [one for one in schedules if is_late(one, now) and not one.trouble]
    if late:
        yield Concern(
            "late",
            Level.WARNING,
            f"{_named(late)} {_be(len(late))} late: no worker has made the job of a slot",
            leads,
        )


def _named(schedules: Sequence[Schedule]) -> str:
    if len(schedules) == 1:
        return f"schedule {schedules[0].name}"
    return _many(len(schedules), "schedule")


def _of_hooks(hooks: Sequence[Hook], now: datetime) -> Iterator[Concern]:
    for hook in hooks:
        if hook.problem:
            advice = f"gigq-core hook show {hook.name} shows how it is made."
            text = f"hook {hook.name} can't submit its job: {hook.problem}"
            yield Concern(f"hook {hook.name}", Level.WARNING, text, Lead(advice=advice))
        elif hook.failures_in_a_row:
            number = hook.failures_in_a_row
            those = "the last job" if number == 1 else f"the last {number:,} jobs"
            failed = f"{those} of hook {hook.name} failed"
            yield Concern(f"hook {hook.name}", Level.WARNING, failed, _jobs_of(hook))
    fine = [hook for hook in hooks if not hook.problem and not hook.failures_in_a_row]
    for hook in fine[:MOST_HOOKS]:
        yield Concern(f"hook {hook.name}", Level.NOTE, _hook_words(hook, now), _jobs_of(hook))
    if more := len(fine) - MOST_HOOKS if len(fine) > MOST_HOOKS else 0:
        advice = "gigq-core hook list shows all."
        yield Concern("hooks", Level.NOTE, f"{_many(more, 'hook')} more", Lead(advice=advice))


def _jobs_of(hook: Hook) -> Lead:
    try:
        return Lead(Tab.ALL, equal(Field.HOOK, hook.name))
    except ValueError as problem:
        return Lead(advice=f"Its jobs can't be listed: {problem}.")


def _hook_words(hook: Hook, now: datetime) -> str:
    """What a hook is about, what waits to be told, and what became of its last job."""
    parts = [f"hook {hook.name}: told of {hook.event} jobs{f' {hook.match}' if hook.match else ''}"]
    if hook.every:
        parts.append(f"once in {duration_text(hook.every)} at most")
    if hook.paused_at is not None:
        parts.append("paused")
    if hook.waiting:
        parts.append(f"{hook.waiting:,} to be reported")
    if hook.last_at is not None:
        at = brief_time(moment_of(hook.last_at), now)
        parts.append(" ".join(filter(None, ("its last job", at, hook.last_status))))
    return ", ".join(parts)


def _of_keeping(keeping: Keeping) -> Iterator[Concern]:
    advice = "gigq-core keep shows it, and changes it."
    if keeping.is_on and keeping.trouble:
        text = f"old jobs can't be deleted: {keeping.trouble.rstrip('.')}"
        yield Concern("keeping", Level.WARNING, text, Lead(advice=advice))
    elif keeping.is_on:
        text = f"keeping {keeping_words(keeping)}; {_many(keeping.gone, 'job')} gone"
        if keeping.needed_last:
            text += f", {keeping.needed_last:,} old ones needed"
        yield Concern("keeping", Level.NOTE, text, Lead(advice=advice))


def _of_file(info: FileInfo, starved: bool) -> Iterator[Concern]:
    yield from _of_obstacles(info)
    megabytes = f"{info.wal_size / 1e6:.0f} MB"
    reader = info.obstacles.reader
    if info.wal_size > LARGE_WAL_BYTES and reader is not None:
        yield Concern(
            "starved",
            Level.WARNING,
            f"the WAL holds {megabytes}: {process_words(reader)} keeps a read transaction open",
            Lead(advice=f"End that read transaction: process {reader}."),
        )
    elif starved:
        yield Concern(
            "starved",
            Level.WARNING,
            f"the WAL holds {megabytes} and is growing: a program keeps a read transaction open",
            Lead(advice="End the program that keeps reading; gigq-core doctor says more."),
        )
    elif info.wal_size > LARGE_WAL_BYTES:
        yield Concern(
            "wal",
            Level.NOTE,
            f"the WAL has grown to {megabytes}",
            Lead(advice="No read transaction is open now; gigq-core doctor says more."),
        )
    if info.still:
        yield Concern(
            "still",
            Level.NOTE,
            "no write access: the file is only read, and read again when it changes",
            Lead(advice="To make changes, get permission to write the file and its folder."),
        )
    elif info.journal_mode != "wal":
        yield Concern(
            "journal",
            Level.NOTE,
            f"journal mode {info.journal_mode}: readers and writers wait for each other",
            Lead(advice="The first worker that starts changes the journal mode to WAL."),
        )
    if info.offsets:
        yield Concern(
            "offsets",
            Level.WARNING,
            f"{info.offsets}: delays are off for GigQ's workers",
            Lead(advice="GigQ's workers read times as local ones: start all with the same TZ."),
        )
    if not info.attached:
        yield Concern(
            "gigq",
            Level.NOTE,
            "GigQ's own file: no protection, no captured output, no worker list",
            Lead(advice="gigq-core attach adds these; so does your first action."),
        )
    if WAL_RESET_BUG_SINCE <= sqlite3.sqlite_version_info < WAL_RESET_BUG_FIXED:
        yield Concern(
            "sqlite",
            Level.NOTE,
            f"SQLite {info.sqlite_version} has the WAL-reset bug (very rare; fixed in 3.51.3)",
            Lead(advice="Use a Python with SQLite 3.51.3 or newer, and keep backups."),
        )


def _of_obstacles(info: FileInfo) -> Iterator[Concern]:
    writer = info.obstacles.writer
    if writer is not None:
        yield Concern(
            "locked",
            Level.GRAVE,
            f"nobody can write: {process_words(writer)} keeps the write lock",
            Lead(advice=f"End the transaction that process {writer} is in, or end the process."),
        )
    if info.obstacles.disk_full:
        yield Concern(
            "disk",
            Level.GRAVE,
            "nobody can write: the file's disk is full",
            Lead(advice="Free some space; no job is lost meanwhile."),
        )


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _be(number: int) -> str:
    return "is" if number == 1 else "are"


def _names(workers: Sequence[WorkerRow]) -> str:
    names = ", ".join(worker.id for worker in workers[:3])
    return names + (f" and {len(workers) - 3} more" if len(workers) > 3 else "")
