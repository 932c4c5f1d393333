"""Schedules that are kept in a file of their own, as in git: read whole, and applied whole.

[schedules.nightly]
when = "30 2 * * *"
zone = "Europe/Berlin"
function = "shop.etl.load"
params = { day = "{slot:%Y-%m-%d}" }
timeout = "1h"
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from gigq_core.errors import GigQError
from gigq_core.job import Job
from gigq_core.schedules import rules as schedules
from gigq_core.schedules.rules import Schedule, Terms
from gigq_core.schema.attach import open_for_work
from gigq_core.schema.opening import explained, open_read_only
from gigq_core.schema.transaction import write
from gigq_core.submitting.bulk import KEYS
from gigq_core.units.times import Moment

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_BYTES = 4 * 2**20
MISTAKES_SHOWN = 20

_OWN = ("when", "zone", "catch_up", "overlap")
_FUNCTION = ("function", "params")
# What a job may be told here, by the words of a line of JSONL.
_NOT_HERE = ("dependencies", "run_at", "on_parent_failure", "pass_parent_results")
_OPTIONS = {key: name for key, name in KEYS.items() if name not in _NOT_HERE}
_TABLE = "schedules"


class ScheduleFileTrouble(GigQError):
    """The file can't be applied; nothing was written.

    Attributes:
        mistakes: A sentence for each, with the name of the key that it is about.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


@dataclass
class Applied:
    """What applying a file changed, or would change: names of schedules."""

    added: list[str] = field(default_factory=list)
    # With what is another one: when, zone, catch_up, overlap, job.
    changed: dict[str, list[str]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    # Not in the file; kept, since nobody asked to remove them.
    left: list[str] = field(default_factory=list)


def read_file(path: Path) -> list[Terms]:
    """The schedules of a file.

    Raises:
        ScheduleFileTrouble: It can't be read, or something in it is wrong.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
    except OSError as problem:
        raise ScheduleFileTrouble([f"{path} can't be read: {problem.strerror}."]) from None
    if len(raw) > MOST_BYTES:
        raise ScheduleFileTrouble([f"{path} is larger than {MOST_BYTES:,} bytes."])
    try:
        held = tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise ScheduleFileTrouble([f"{path} is not UTF-8 at byte {problem.start + 1}."]) from None
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise ScheduleFileTrouble([f"{path} is not TOML: {problem}."]) from None
    return _schedules_in(held, path)


def apply(db_path: Path, wanted: Sequence[Terms], prune: bool, dry_run: bool = False) -> Applied:
    """Make a file's schedules as they are wanted, in one transaction.

    Args:
        db_path: The queue's file, which exists.
        wanted: The schedules.
        prune: Remove those that are not among them.
        dry_run: Write nothing, and tell what would be written.

    Raises:
        DatabaseError: Nothing was written.
    """
    if dry_run:
        with closing(open_read_only(db_path)) as view, explained(db_path):
            return _compared(wanted, prune, schedules.read_schedules(view, 0))
    with closing(open_for_work(db_path, create=False)) as conn, explained(db_path), write(conn):
        now = Moment.now()
        applied = _compared(wanted, prune, schedules.read_schedules(conn, 0))
        for terms in wanted:
            if terms.name not in applied.unchanged:
                schedules.put(conn, terms, now)
        for name in applied.removed:
            schedules.remove(conn, name)
        return applied


def _compared(wanted: Sequence[Terms], prune: bool, held: Sequence[Schedule]) -> Applied:
    """What is to be done about the schedules that are held, for them to be as they are wanted."""
    there = {one.name: one for one in held}
    applied = Applied()
    for terms in wanted:
        differs = terms.differs_from(there[terms.name]) if terms.name in there else []
        if terms.name not in there:
            applied.added.append(terms.name)
        elif differs:
            applied.changed[terms.name] = differs
        else:
            applied.unchanged.append(terms.name)
    named = {terms.name for terms in wanted}
    others = [name for name in there if name not in named]
    if prune:
        applied.removed = others
    else:
        applied.left = others
    return applied


def _schedules_in(held: dict[str, Any], path: Path) -> list[Terms]:
    mistakes = [
        f"{key}: there is no such key: write [{_TABLE}.NAME] for each schedule."
        for key in held
        if key != _TABLE
    ]
    tables = held.get(_TABLE)
    if tables is None and not mistakes:
        mistakes.append(f"{path} names no schedule: write [{_TABLE}.NAME] for each.")
    if tables is not None and not isinstance(tables, dict):
        mistakes.append(f"{_TABLE}: it is not a table: write [{_TABLE}.NAME] for each schedule.")
        tables = None
    found = []
    for name, table in (tables or {}).items():
        try:
            found.append(_terms(name, table))
        except _Wrong as wrong:
            mistakes += wrong.mistakes
    names = [terms.name for terms in found]
    mistakes += [
        f"{_TABLE}.{name}: it is given twice."
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if mistakes:
        more = len(mistakes) - MISTAKES_SHOWN
        shown = mistakes[:MISTAKES_SHOWN]
        raise ScheduleFileTrouble([*shown, f"and {more:,} more."] if more > 0 else shown)
    return found


class _Wrong(Exception):
    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = mistakes


def _terms(name: str, table: object) -> Terms:
    """One of the schedules; each of its mistakes is told with its key."""
    place = f"{_TABLE}.{name}"
    if not isinstance(table, dict):
        raise _Wrong([f"{place}: it is not a table: write [{place}] and its keys below."])
    mistakes = []
    known = (*_OWN, *_FUNCTION, *_OPTIONS)
    for key in table:
        if key not in known:
            mistakes.append(f"{place}.{key}: there is no such key: {_listed(known)} are.")
    for key in ("when", "function"):
        if key not in table:
            mistakes.append(f"{place}.{key}: it is missing.")
    values: dict[str, Any] = {}
    for key, value in table.items():
        try:
            values[key] = _value(key, value)
            _check_alone(key, values[key])
        except (TypeError, ValueError) as problem:
            mistakes.append(f"{place}.{key}: {problem}")
    try:
        schedules.check_name(name)
    except (TypeError, ValueError) as problem:
        mistakes.append(f"{place}: {problem}")
    if not mistakes:
        own = {key: values[key] for key in _OWN if key in values}
        try:
            return Terms.of(name, job=_job(values), **own)
        except (TypeError, ValueError) as problem:
            mistakes.append(f"{place}: {problem}")
    raise _Wrong(mistakes)


def _check_alone(key: str, value: Any) -> None:
    """Refuse a value that is wrong whatever the others are.

    Raises:
        TypeError: As for `Job`, and for a schedule.
        ValueError: As before.
    """
    job: dict[str, Any] = {"name": "a", "function": "a.b"}
    if key in _OWN:
        Terms.of("a", **{"when": "@daily", "job": Job(**job), key: value})
    elif key in (*_FUNCTION, *_OPTIONS):
        made = Job(**{**job, _OPTIONS.get(key, key): value})
        if key != "lane":  # which is made of the parameters
            Terms.of("a", "@daily", made)


def _job(values: dict[str, Any]) -> Job:
    function = values["function"]
    options = {_OPTIONS[key]: value for key, value in values.items() if key in _OPTIONS}
    name = options.pop("name", None) or function.rpartition(".")[2]
    return Job(name=name, function=function, params=values.get("params", {}), **options)


def _value(key: str, value: object) -> Any:
    if key == "params" and not isinstance(value, dict):
        raise TypeError("params must be a table of keyword arguments.")
    if key == "function" and not isinstance(value, str):
        raise TypeError("function must be text: write package.module.function.")
    return _plain(value)


def _plain(value: Any) -> Any:
    """A value of TOML's as JSON has it."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, (datetime, date, time)) else value


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
