"""Schedules: jobs that are made again and again, by whichever worker is there.

A schedule is a name, a rule for its slots, and the definition of the job that each slot makes. What
becomes of a slot is decided in `slots`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from gigq_core import agenda
from gigq_core.duplicate_job import DuplicateJob
from gigq_core.job import check_job, check_text
from gigq_core.rows.decoding import as_float, as_int, as_text
from gigq_core.schedules.cron import (
    MOST_COUNTED,
    UTC,
    Rule,
    Slot,
    check_when,
    check_zone,
    preview,
    when_words,
)
from gigq_core.schedules.slot_text import check_slot_text, fill_slot
from gigq_core.schedules.slots import (
    SKIPS_KEPT,
    UNREADABLE,
    Skipped,
    entry_of,
    job_of_slot,
    note_skip,
    put_in,
)
from gigq_core.schema import schedule_statements as sql
from gigq_core.schema.features import Feature, use
from gigq_core.submitting.definition import Definition
from gigq_core.submitting.new_rows import row_of
from gigq_core.text import inert
from gigq_core.units.times import Moment

__all__ = (
    "CATCH_UPS",
    "OVERLAPS",
    "CatchUp",
    "Overlap",
    "Schedule",
    "Skip",
    "Slot",
    "Terms",
    "check_name",
    "check_when",
    "check_zone",
    "fill_slot",
    "preview",
    "read_schedule",
    "read_schedules",
    "when_words",
)

CatchUp = Literal["last", "none", "all"]
CATCH_UPS: tuple[CatchUp, ...] = get_args(CatchUp)
Overlap = Literal["skip", "queue", "replace", "allow"]
OVERLAPS: tuple[Overlap, ...] = get_args(Overlap)

LONGEST_NAME = 200
DELETED = "deleted"


@dataclass(frozen=True)
class Skip:
    """Slots that made no job.

    Attributes:
        slot: The newest of them, in UTC seconds, as the others.
        why: In a few words.
        at: When that was found out.
        first: The oldest of them.
        count: How many they are.
    """

    slot: float
    why: str
    at: float
    first: float
    count: int


@dataclass(frozen=True)
class Schedule:
    """A schedule as it is, and what came of it so far.

    Attributes:
        name: What people call it.
        when: Five cron fields, `@daily` and the like, or `every` with a duration.
        zone: The zone in which those are meant.
        catch_up: What becomes of slots that passed while nobody was there: "last" runs the newest,
            "none" no one that is more than a minute late, "all" each, at most 100.
        overlap: What becomes of a slot while a job of the schedule waits or runs: "skip", "queue",
            "replace" or "allow".
        function: What its jobs call, as `package.module.function`.
        job_name: What they are called.
        params: Their parameters, `{slot:...}` not filled.
        options: By the names of `JobOptions`, as JSON has them, those that are not as by default.
        definition: All that its jobs are made of, as text; see `job_of_definition`.
        next_at: The slot that comes next, in UTC seconds; None while it is paused, or for never.
        paused_at: Since when it is paused, in UTC seconds; None if it is not.
        last_slot: The slot of the job that it made last, in UTC seconds.
        last_job_id: That job's id.
        last_status: That job's status, or "deleted".
        trouble: Why the job of a slot can't be submitted; a sentence, or nothing.
        skipped: How many slots made no job.
        skips: The newest of them, the newest first.
    """

    name: str
    when: str
    zone: str = UTC
    catch_up: str = "last"
    overlap: str = "skip"
    function: str = ""
    job_name: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    definition: str = ""
    next_at: float | None = None
    paused_at: float | None = None
    last_slot: float | None = None
    last_job_id: str | None = None
    last_status: str | None = None
    trouble: str = ""
    skipped: int = 0
    skips: tuple[Skip, ...] = ()


# --- what is given ---------------------------------------------------------------------------


def check_name(name: object) -> str:
    """A schedule's name, as it is stored.

    Raises:
        TypeError: It is no text.
        ValueError: It is empty, too long, or can't be printed on a line.
    """
    if not isinstance(name, str):
        raise TypeError(
            f"A schedule's name must be text, not a value of type {type(name).__name__}."
        )
    text = name.strip()
    if not text:
        raise ValueError("A schedule needs a name: give it one that people will recognise.")
    check_text("A schedule's name", text)
    if len(text) > LONGEST_NAME or not text.isprintable():
        raise ValueError(
            f"A schedule's name is {inert(text)[:60]!r}: give up to {LONGEST_NAME} characters that "
            "can be printed on a line."
        )
    return text


def _check_choice(label: str, value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        said = ", ".join(map(repr, choices[:-1]))
        raise ValueError(f"{label} is {value!r}: say {said} or {choices[-1]!r}.")
    return str(value)


@dataclass(frozen=True)
class Terms:
    """All that makes a schedule, checked and in its one form."""

    name: str
    rule: Rule
    catch_up: str
    overlap: str
    definition: Definition

    @classmethod
    def of(
        cls,
        name: object,
        when: object,
        job: object,
        zone: object = UTC,
        catch_up: object = "last",
        overlap: object = "skip",
    ) -> Terms:
        """Check what was given.

        Raises:
            TypeError: A value is of the wrong type.
            ValueError: A value is out of range; the sentence says what to write.
        """
        checked = check_name(name)
        rule = Rule.of(when, zone)
        _check_choice("catch_up", catch_up, CATCH_UPS)
        _check_choice("overlap", overlap, OVERLAPS)
        definition = Definition.of(check_job("A schedule", job))
        for option, instead in (("dependencies", "other jobs"), ("run_at", "a time of its own")):
            if option in definition.options:
                raise ValueError(
                    f"The job of a schedule can't wait for {instead}: leave out {option}."
                )
        check_slot_text(definition.params)
        # With any slot it has to be a job that can be submitted.
        row_of(job_of_slot(definition, checked, rule, 0.0), Moment.now())
        return cls(checked, rule, str(catch_up), str(overlap), definition)

    def values(self, now: float, next_at: float | None) -> dict[str, Any]:
        """The values of its row."""
        return {
            "name": self.name,
            "rule": self.rule.when,
            "zone": self.rule.zone,
            "catch_up": self.catch_up,
            "overlap": self.overlap,
            "definition": self.definition.encode(),
            "next_at": next_at,
            "counted": now,
        }

    def differs_from(self, there: Schedule) -> list[str]:
        """In what a schedule that is there is another one: names of its attributes."""
        try:
            held = Definition.decode(there.definition)
        except ValueError:
            return ["job"]
        pairs = {
            "when": (there.when, self.rule.when),
            "zone": (there.zone, self.rule.zone),
            "catch_up": (there.catch_up, self.catch_up),
            "overlap": (there.overlap, self.overlap),
            "job": (held.encode(), self.definition.encode()),
        }
        return [name for name, (old, new) in pairs.items() if old != new]


# --- changing, within the caller's transaction -----------------------------------------------


def put(conn: sqlite3.Connection, terms: Terms, now: Moment) -> None:
    """Make a schedule, or change the one of that name, within the caller's transaction.

    One that is paused stays so. A slot that is due and has not been fired yet stays due, unless the
    rule is another one.
    """
    name, rule = terms.name, terms.rule
    row = conn.execute(sql.SCHEDULE, (name,)).fetchone()
    if row is None:
        use(conn, Feature.SCHEDULES)
        next_at = rule.next(now.utc)
        conn.execute(sql.ADD_SCHEDULE, terms.values(now.utc, next_at))
    else:
        next_at = row["next_at"]
        if (row["rule"], row["zone"]) != (rule.when, rule.zone) or next_at is None:
            _tell_passed(conn, row, "passed before it was changed", now)
            next_at = rule.next(now.utc)
        values = terms.values(now.utc, next_at)
        if all(row[key] == values[key] for key in values if key != "counted"):
            return
        conn.execute(sql.CHANGE_SCHEDULE, values)
        if row["paused_at"] is not None:
            return
    if next_at is None:
        agenda.strike(conn, entry_of(name))
    else:
        agenda.enter(conn, entry_of(name), next_at, anew=True)


def remove(conn: sqlite3.Connection, name: str) -> bool:
    """Remove a schedule; the jobs that it made stay."""
    done = conn.execute(sql.REMOVE_SCHEDULE, (name,)).rowcount > 0
    conn.execute(sql.REMOVE_SKIPS, (name,))
    agenda.strike(conn, entry_of(name))
    return done


def pause(conn: sqlite3.Connection, name: str, now: Moment) -> bool:
    """Let its slots pass by until `resume`."""
    if conn.execute(sql.PAUSE_SCHEDULE, (now.utc, name)).rowcount == 0:
        return False
    agenda.strike(conn, entry_of(name))
    return True


def resume(conn: sqlite3.Connection, name: str, now: Moment) -> bool:
    """End a pause: go on with the next slot, and tell those that passed.

    Raises:
        ValueError: Its rule can't be read here.
    """
    row = conn.execute(sql.SCHEDULE, (name,)).fetchone()
    if row is None or row["paused_at"] is None:
        return False
    next_at = Rule.of(row["rule"], row["zone"]).next(now.utc)
    _tell_passed(conn, row, "passed while it was paused", now)
    conn.execute(sql.RESUME_SCHEDULE, {"name": name, "next_at": next_at, "counted": now.utc})
    if next_at is not None:
        agenda.enter(conn, entry_of(name), next_at, anew=True)
    return True


def run(conn: sqlite3.Connection, name: str, now: Moment) -> str:
    """Make a job of a schedule now, whatever its slots are.

    Where one may not run beside another, it waits for that.

    Raises:
        KeyError: There is no such schedule.
        TypeError: Its job can't be submitted any more.
        ValueError: As before.
        DuplicateJob: Another job has the key that it is to have alone.
    """
    row = conn.execute(sql.SCHEDULE, (name,)).fetchone()
    if row is None:
        raise KeyError(f"There is no schedule {name!r}.")
    slot = float(int(now.utc))
    rule = Rule.of(row["rule"], row["zone"])
    job = job_of_slot(Definition.decode(row["definition"]), name, rule, slot)
    overlap = as_text(row["overlap"])
    if why := put_in(conn, name, job, "queue" if overlap == "skip" else overlap, now):
        raise DuplicateJob(f"{name} was not run: {why}.")
    return job.id


def _tell_passed(conn: sqlite3.Connection, row: sqlite3.Row, why: str, now: Moment) -> None:
    """Note those slots of a schedule that have passed and will not be looked at any more."""
    if row["next_at"] is None:
        return
    try:
        passed = Rule.of(row["rule"], row["zone"]).between(row["next_at"], now.utc, 1)
    except UNREADABLE:
        return
    if passed.count:
        more = passed.count > MOST_COUNTED
        said = f"more than {MOST_COUNTED:,}" if more else f"{passed.count:,}"
        name = as_text(row["name"])
        skipped = Skipped(passed.first, passed.newest[-1], passed.count, f"{said} {why}")
        note_skip(conn, name, skipped, now)


# --- reading ---------------------------------------------------------------------------------


def read_schedules(conn: sqlite3.Connection, most_skips: int = SKIPS_KEPT) -> list[Schedule]:
    """All schedules of a file, by name; none for a file that is not attached.

    Args:
        conn: The file.
        most_skips: How many skips of each are wanted, the newest ones.
    """
    if conn.execute(sql.HAS_SCHEDULES).fetchone() is None:
        return []
    rows = conn.execute(sql.SCHEDULES_TOLD).fetchall()
    skips: dict[str, list[Skip]] = {}
    if rows and most_skips > 0:
        for skip in conn.execute(sql.SKIPS, (most_skips - 1,)):
            skips.setdefault(as_text(skip["schedule"]), []).append(_skip(skip))
    return [_schedule(row, skips.get(as_text(row["name"]), ())) for row in rows]


def read_schedule(conn: sqlite3.Connection, name: str) -> Schedule | None:
    """One schedule; None if there is none of that name."""
    if conn.execute(sql.HAS_SCHEDULES).fetchone() is None:
        return None
    row = conn.execute(sql.SCHEDULE_TOLD, (name,)).fetchone()
    if row is None:
        return None
    return _schedule(row, map(_skip, conn.execute(sql.SKIPS_OF, (name,)).fetchall()))


def _skip(row: sqlite3.Row) -> Skip:
    return Skip(
        as_float(row["slot"]),
        as_text(row["why"]),
        as_float(row["at"]),
        as_float(row["first"]),
        as_int(row["count"]),
    )


def _schedule(row: sqlite3.Row, skips: Iterable[Skip]) -> Schedule:
    text = as_text(row["definition"])
    trouble = as_text(row["trouble"]) or as_text(row["agenda_trouble"])
    definition = None
    try:
        definition = Definition.decode(text)
    except ValueError as problem:
        trouble = trouble or str(problem)
    last = as_text(row["last_job_id"]) or None
    paused_at = _instant(row["paused_at"])
    return Schedule(
        name=as_text(row["name"]),
        when=as_text(row["rule"]),
        zone=as_text(row["zone"]),
        catch_up=as_text(row["catch_up"]),
        overlap=as_text(row["overlap"]),
        function=definition.path if definition else "",
        job_name=definition.name if definition else "",
        params=dict(definition.params) if definition else {},
        options={k: v for k, v in definition.options.items() if k != "name"} if definition else {},
        definition=text,
        next_at=_instant(row["next_at"]) if paused_at is None else None,
        paused_at=paused_at,
        last_slot=_instant(row["last_slot"]),
        last_job_id=last,
        last_status=(as_text(row["last_status"]) or DELETED) if last else None,
        trouble=trouble,
        skipped=as_int(row["skipped"]),
        skips=tuple(skips),
    )


def _instant(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
