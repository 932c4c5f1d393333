"""Reading the groups of failed jobs in steps, and the jobs of some of them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from gigq_core.changes.canary import choose, params_at
from gigq_core.errors import DatabaseError
from gigq_core.grouping.failed_now import FailedJobs, FailedNow, FailedNowReading
from gigq_core.rows.decoding import as_text
from gigq_tui.store.failures import statements as sql
from gigq_tui.store.failures.grouping import CAUSE, Grouping, is_param
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.stepwise import STEP_S, SoFar
from gigq_tui.store.throttle import PATIENCE

# How many rows a step reads at first, at least and at most.
FIRST_STEP, LEAST_STEP, MOST_STEP = 500, 25, 5_000
# What costs less to put together is told after each step.
CHEAP_S = STEP_S / 4
# A canary is chosen of so many jobs at most.
MOST_CANDIDATES = 5_000
# How many of them are named.
NAMED = 3
# How many ids a step reads.
IDS_AT_ONCE = 2_000
# How many jobs are looked at for the names of parameters, and how many names are offered.
PARAMS_LOOKED_AT = 200
MOST_PARAMS = 6
# A parameter with more values than this among those jobs groups nothing.
_MOST_SHARE = 0.5


@dataclass(frozen=True)
class Groups:
    """What is known of the failed jobs.

    Attributes:
        by: By what they are grouped.
        known: The groups.
        params: The names of parameters by which they could be grouped, the most telling first.
        is_whole: Whether all of them have been read once.
        holds: The group that holds the job that was asked for; None where none does.
    """

    by: Grouping
    known: FailedNow
    params: tuple[str, ...] = ()
    is_whole: bool = False
    holds: FailedJobs | None = None


class GroupsReading:
    """Reads groups of failed jobs; a `Stepwise`. What was known whole stays until it is read anew.

    Args:
        by: By what they are grouped.
        place: The place of a job of which is told in which group it is, if any.
    """

    def __init__(self, by: Grouping = CAUSE, place: int | None = None) -> None:
        self.by = by
        self._job = place
        # Where the places of the jobs hold: on this connection, while the file is made as it is.
        self.read_on: tuple[sqlite3.Connection, FileSchema] | None = None
        self.begin()

    def begin(self) -> None:
        """Forget all."""
        self._reading = FailedNowReading(self.by.by, self.by.path)
        self._whole: FailedNowReading | None = None
        self._groups = Groups(self.by, FailedNow())
        self._most = FIRST_STEP
        # When the groups were last put together, and what that cost: much, where there are many.
        self._told_at = self._telling_s = 0.0

    def renew(self) -> None:
        """Read all anew, beside what is known."""
        self._reading = self._reading.anew()

    @property
    def known(self) -> FailedNowReading:
        """What knows the jobs of each group: the last that read all, if any has."""
        return self._whole or self._reading

    def step(self, conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> SoFar[Groups]:
        """Read the next jobs, or what the failures of some groups say."""
        began, reading = time.perf_counter(), self._reading
        self.read_on = (conn, schema)
        if not reading.is_done:
            reading.step(conn, self._most)
            self._fit(time.perf_counter() - began)
        is_dear = self._telling_s > CHEAP_S
        if not reading.is_done and is_dear and began - self._told_at < PATIENCE * self._telling_s:
            return SoFar(self._groups, reading.read, max(reading.total(conn), reading.read + 1))
        telling = time.perf_counter()
        left = reading.wordless()
        while left and time.perf_counter() - began < STEP_S:
            reading.read_words(conn, left.pop(0))
        is_whole = reading.is_done and not left
        total = reading.total(conn)
        if is_whole:
            self._whole = reading
            params = self._groups.params if self._groups.is_whole else _params(conn, reading)
            known = reading.known()
            held = None if self._job is None else reading.value_of(self._job)
            holds = next((group for group in known.groups if held == (group.value,)), None)
            self._groups = Groups(self.by, known, params, is_whole=True, holds=holds)
        elif self._whole is None:
            self._groups = Groups(self.by, reading.known())
        self._told_at = time.perf_counter()
        self._telling_s = self._told_at - telling
        read = reading.read
        # A job may have failed without saying how: what is not there can't be waited for.
        return SoFar(self._groups, read, read if is_whole else max(total, read + 1))

    def _fit(self, took_s: float) -> None:
        """Let the next step take half of what it may, by what this one took."""
        wanted = self._most * STEP_S / 2 / max(took_s, 1e-6)
        most = min(self._most * 2, max(self._most // 2, int(wanted)))
        self._most = max(LEAST_STEP, min(MOST_STEP, most))


def _params(conn: sqlite3.Connection, reading: FailedNowReading) -> tuple[str, ...]:
    """The names of parameters that some failed jobs have in common, and others not."""
    places = [place for value in reading.shown for place in reading.members([value])]
    step = max(1, len(places) // PARAMS_LOOKED_AT)
    values: dict[str, list[str]] = {}
    for params in params_at(conn, places[::step][:PARAMS_LOOKED_AT]).values():
        for name, value in params.items() if isinstance(params, dict) else ():
            if isinstance(value, (str, int, float, bool)) and is_param(name):
                values.setdefault(name, []).append(str(value)[:200])
    telling = [
        name
        for name, found in values.items()
        if 1 < len(set(found)) <= max(2, len(found) * _MOST_SHARE)
    ]
    return tuple(sorted(telling, key=lambda name: (-len(values[name]), name))[:MOST_PARAMS])


@dataclass(frozen=True)
class ChosenIds:
    """Jobs of groups by their ids, how many there are that they were chosen of, and some names."""

    ids: tuple[str, ...] = ()
    of: int = 0
    names: tuple[str, ...] = ()


class JobsOfGroups:
    """Reads the ids of the jobs of some groups; a `Stepwise`.

    Args:
        groups: What has read the groups.
        values: Which groups.
        waiting: Those that wait or run again, instead of those that are failed.
        canary: How many to choose of them, as `gigq_core.changes.canary.choose` does; None for all.
        without: Jobs that are left out.
    """

    def __init__(
        self,
        groups: GroupsReading,
        values: Iterable[str | None],
        *,
        waiting: bool = False,
        canary: int | None = None,
        without: Iterable[str] = (),
    ) -> None:
        self._of = groups
        self._values = tuple(values)
        self._waiting = waiting
        self._canary = canary
        self._without = frozenset(without)
        self._places: list[int] = []
        self._read = 0
        self._found: list[tuple[str, str]] = []

    def begin(self) -> None:
        """Forget all. (Not before: what the groups hold belongs to the thread that reads.)"""
        # A canary is chosen without a look at each job of the groups.
        known, is_whole = self._of.known, self._canary is None
        self._places = known.members(self._values, waiting=self._waiting) if is_whole else []
        self._read, self._found = 0, []

    def renew(self) -> None:
        """Read them anew."""
        self.begin()

    def step(self, conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> SoFar[ChosenIds]:
        """Read the next ids, or choose the canary.

        Raises:
            DatabaseError: the places that the groups know are of another file, or of this one
                before it was written anew: they might be those of other jobs by now.
        """
        if self._of.read_on != (conn, schema):
            raise DatabaseError("The file was written anew: its groups are read again first.")
        if self._canary is not None:
            failed = self._of.known.ended(self._values, MOST_CANDIDATES)
            places = choose(failed, self._canary, partial(params_at, conn))
            known = {place: (id, name) for place, id, name in self._ids(conn, places)}
            found = [known[place] for place in places if place in known]
            return SoFar(_chosen(found, self._of.known.count(self._values)), 1, 1)
        places = self._places[self._read : self._read + IDS_AT_ONCE]
        self._found += [
            (id, name) for _, id, name in self._ids(conn, places) if id not in self._without
        ]
        self._read += len(places)
        is_done = self._read >= len(self._places)
        chosen = _chosen(self._found, len(self._found)) if is_done else ChosenIds()
        return SoFar(chosen, self._read, len(self._places))

    def _ids(self, conn: sqlite3.Connection, places: Iterable[int]) -> list[tuple[int, str, str]]:
        """Place, id and name of jobs that are still in the state that is meant."""
        statuses = sql.WAITING if self._waiting else sql.FAILED
        rows = conn.execute(sql.ids_at(statuses), (sql.listed(places),))
        return [(place, as_text(job_id), as_text(name)) for place, job_id, name in rows]


def _chosen(found: Sequence[tuple[str, str]], of: int) -> ChosenIds:
    names = tuple(f"{name} {id[:8]}" for id, name in found[:NAMED])
    return ChosenIds(tuple(id for id, _ in found), of, names)
