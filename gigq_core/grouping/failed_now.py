"""The jobs that are failed now, grouped: by the cause of their last failure, or by anything else.

All of it is read in steps, so that somebody can be shown what is known so far. A step asks for a
bounded number of rows; what is kept of a job is some twenty bytes.
`gigq_core.grouping.failure_groups` tells of attempts, whatever became of their jobs since; here a
job counts while it is failed.
"""

from __future__ import annotations

import heapq
import sqlite3
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gigq_core.failures import PART, failure_of
from gigq_core.rows.decoding import as_int, as_text
from gigq_core.schema import failure_statements as sql
from gigq_core.status import JobStatus
from gigq_core.units.times import moment_of

By = Literal["cause", "function", "worker", "param"]

# More groups than these are counted together, with what says nothing.
MOST_GROUPS = 20_000
# So many of them, the largest, are told with their words.
SHOWN_GROUPS = 500
# Buckets of the finest trend that is given.
TREND_BUCKETS = 96
# Seconds: how finely moments are counted while all are not known, at first.
_FINEST_S = 1.0
_MOST_CELLS = 4_096
# Retries with less than this between them, in seconds, are one.
APART_S = 1800.0
# How many failures of a group are read for the values that differ, and how many of those are told.
SAMPLED = 12
MOST_VALUES = 6
LONGEST_VALUE = 24
# A part of a message for which `#` may stand, in characters.
LONGEST_PART = 80
# Of failures that do not say yet what failed, each takes some tens of microseconds.
_UNREAD_FACTOR = 8

_UNKNOWN = float("nan")
_FAILED = (JobStatus.FAILED.value, JobStatus.TIMEOUT.value)
_OPEN = (JobStatus.PENDING.value, JobStatus.RUNNING.value)


class Retried(NamedTuple):
    """What became of the jobs of a group that were retried last, without those cancelled since."""

    passed: int
    failed: int
    open: int

    @property
    def jobs(self) -> int:
        """How many were retried."""
        return self.passed + self.failed + self.open


@dataclass(frozen=True)
class FailedJobs:
    """Jobs that are failed now, and have something in common.

    Attributes:
        value: What they have in common: the cause's fingerprint, or a function, a worker, a
            parameter's value; None for those that have none.
        title: The cause: type and message with `#` for what differs; of another grouping, that
            of the job that failed last.
        where: A line of the user's code, as `feeds.py:17`; None where that is not known.
        differs: Values for which `#` stands, a few of them.
        jobs: How many jobs are failed now.
        waiting: How many failed so and wait or run again.
        causes: How many causes they have.
        first: When the first of them failed, in UTC seconds; None where that is not known.
        last: And the last one.
        trend: How many failed in each of `TREND_BUCKETS` parts of the time that is told of.
        retried: What became of the last retry; None where there was none, or nothing tells of it.
    """

    value: str | None
    title: str
    where: str | None
    differs: tuple[str, ...]
    jobs: int
    waiting: int
    causes: int
    first: float | None
    last: float | None
    trend: tuple[int, ...]
    retried: Retried | None


@dataclass(frozen=True)
class FailedNow:
    """All groups that are known.

    Attributes:
        groups: The largest first; at most `SHOWN_GROUPS`.
        jobs: How many jobs are in all groups.
        total: How many groups there are.
        first: When the first job failed, in UTC seconds; None where nothing is known.
        last: And the last one.
        begins: Where the trends begin, in UTC seconds; a few jobs may have failed long before.
        ends: Where they end.
        tells_retries: Whether the file tells what was retried.
    """

    groups: tuple[FailedJobs, ...] = ()
    jobs: int = 0
    total: int = 0
    first: float | None = None
    last: float | None = None
    begins: float = 0.0
    ends: float = 0.0
    tells_retries: bool = True


@dataclass
class _Group:
    """What is gathered of one group: a job's place, its attempt's, and its end, side by side."""

    jobs: array[int] = field(default_factory=lambda: array("q"))
    attempts: array[int] = field(default_factory=lambda: array("q"))
    ends: array[float] = field(default_factory=lambda: array("d"))
    waiting: array[int] = field(default_factory=lambda: array("q"))
    cells: Counter[int] = field(default_factory=Counter)
    causes: set[str] = field(default_factory=set)
    # By the minute in which they were tried again: how many passed, failed, and are open.
    retried: dict[int, list[int]] = field(default_factory=dict)
    first: float | None = None
    last: float | None = None
    # The place of the attempt that was made last.
    newest: int = -1

    def add(self, job: int, attempt: int, ended: float | None) -> None:
        self.jobs.append(job)
        self.attempts.append(attempt)
        self.ends.append(_UNKNOWN if ended is None else ended)
        self.newest = max(self.newest, attempt)
        if ended is not None:
            self.first = ended if self.first is None else min(self.first, ended)
            self.last = ended if self.last is None else max(self.last, ended)


class _Words(NamedTuple):
    title: str
    where: str | None
    differs: tuple[str, ...]


class FailedNowReading:
    """Reads the jobs that are failed now, in steps.

    Args:
        by: What they are grouped by.
        path: The parameter's path for `param`, as SQLite's JSON has it: `$.customer`.

    Attributes:
        read: How many failed jobs have been read.
        is_done: Whether all of them have.
    """

    def __init__(self, by: By = "cause", path: str = "$") -> None:
        self._by = by
        self._path = path
        self._words: dict[tuple[str | None, int], _Words] = {}
        self._groups: dict[str | None, _Group] = {}
        self._grain = _FINEST_S
        # All that hold anything: a few jobs long ago don't make the others' time coarse.
        self._cells: set[int] = set()
        self._known: bool | None = None
        self._columns: set[str] = set()
        self._job_columns: set[str] = set()
        self._statuses = list(_FAILED)
        self._place = -(2**63)
        self._kind, self._job = "", ""
        self._reads_unread = False
        self.read = 0
        self.is_done = False

    def anew(self) -> FailedNowReading:
        """A reading of the same that begins now; it knows the words that this one has read."""
        reading = FailedNowReading(self._by, self._path)
        # What a failure said does not change.
        reading._words = self._words
        return reading

    def total(self, conn: sqlite3.Connection) -> int:
        """How many jobs are failed."""
        if conn.execute(sql.HAS_COUNTS).fetchone() is not None:
            return as_int(conn.execute(sql.COUNTED_FAILED).fetchone()[0])
        return as_int(conn.execute(sql.COUNT_FAILED).fetchone()[0])

    def step(self, conn: sqlite3.Connection, most: int) -> None:
        """Read the next rows.

        Args:
            conn: The file, opened by `open_read_only`, within a read transaction.
            most: How many rows.
        """
        if self._known is None:
            self._columns = {row[0] for row in conn.execute(sql.EXECUTION_COLUMNS)}
            self._job_columns = {row[0] for row in conn.execute(sql.JOB_COLUMNS)}
            self._known = conn.execute(sql.HAS_FAILURE_INDEX).fetchone() is not None
        if self._known:
            self._step_of_attempts(conn, most)
        else:
            self._step_of_jobs(conn, most)

    def _step_of_attempts(self, conn: sqlite3.Connection, most: int) -> None:
        unread = self._reads_unread
        most = max(1, most // _UNREAD_FACTOR) if unread else most
        values = {"kind": self._kind, "job": self._job, "most": most, "path": self._path}
        rows = conn.execute(sql.attempts_by_kind(self._by, unread=unread), values).fetchall()
        self._take(rows)
        if rows:
            self._kind, self._job = rows[-1]["walked_kind"], rows[-1]["walked_job"]
        if len(rows) < most:
            self._kind, self._job = "", ""
            self.is_done, self._reads_unread = unread, True

    def _step_of_jobs(self, conn: sqlite3.Connection, most: int) -> None:
        most = max(1, most // _UNREAD_FACTOR)
        statement = sql.jobs_by_place(self._by, self._columns, self._job_columns)
        values = {
            "status": self._statuses[0],
            "place": self._place,
            "most": most,
            "path": self._path,
        }
        rows = conn.execute(statement, values).fetchall()
        self._take(rows)
        if rows:
            self._place = rows[-1]["job_place"]
        if len(rows) < most:
            self._place = -(2**63)
            self._statuses = self._statuses[1:]
            self.is_done = not self._statuses

    # --- gathering ---------------------------------------------------------------------------

    def _take(self, rows: Sequence[sqlite3.Row]) -> None:
        for _, _, kind, value, job, status, began, attempt, ended, failed_later, before in rows:
            if job is None:
                continue  # its job was deleted
            is_failed, is_open = status in _FAILED, status in _OPEN
            was_retried = before is not None and before == kind
            if failed_later and not was_retried:
                continue
            told = as_text(kind) if self._by == "cause" else value and as_text(value)
            group = self._groups.get(told)
            if group is None:
                if len(self._groups) >= MOST_GROUPS:
                    told = None
                group = self._groups.setdefault(told, _Group())
            if was_retried and (is_failed or is_open or status == JobStatus.COMPLETED.value):
                minute = 0 if began is None or is_open else int(began // 60)
                fates = group.retried.setdefault(minute, [0, 0, 0])
                fates[1 if is_failed else 2 if is_open else 0] += 1
            if failed_later:
                continue
            if is_failed:
                when = None if moment_of(ended) is None else float(ended)
                group.add(job, job if attempt is None else attempt, when)
                if len(group.causes) < MOST_GROUPS:
                    group.causes.add(as_text(kind))
                if when is not None:
                    self._count(group, when)
                self.read += 1
            elif is_open:
                group.waiting.append(job)

    def _count(self, group: _Group, when: float) -> None:
        cell = int(when // self._grain)
        group.cells[cell] += 1
        self._cells.add(cell)
        while len(self._cells) > _MOST_CELLS:
            self._grain *= 2
            self._cells = {fine // 2 for fine in self._cells}
            for known in self._groups.values():
                coarse: Counter[int] = Counter()
                for fine, n in known.cells.items():
                    coarse[fine // 2] += n
                known.cells = coarse

    # --- what is known -----------------------------------------------------------------------

    def members(self, values: Iterable[str | None], *, waiting: bool = False) -> list[int]:
        """The places of the jobs of some groups.

        Args:
            values: Which groups.
            waiting: Those that wait or run again, instead of those that are failed.
        """
        groups = [group for value in values if (group := self._groups.get(value)) is not None]
        return [place for group in groups for place in (group.waiting if waiting else group.jobs)]

    def count(self, values: Iterable[str | None]) -> int:
        """How many jobs of some groups are failed."""
        groups = (self._groups.get(value) for value in values)
        return sum(len(group.jobs) for group in groups if group is not None)

    def ended(self, values: Iterable[str | None], most: int) -> Iterator[tuple[int, float | None]]:
        """The failed jobs of some groups by their places, with the time when each failed.

        Args:
            values: Which groups.
            most: How many at most; of more of them, some from all over the group.
        """
        groups = [group for value in values if (group := self._groups.get(value)) is not None]
        step = -(-sum(len(group.jobs) for group in groups) // most) or 1
        for group in groups:
            for place, when in zip(group.jobs[::step], group.ends[::step], strict=True):
                yield place, when if when == when else None

    def value_of(self, place: int) -> tuple[str | None] | None:
        """The group in which a failed job is, as a tuple of one; None where it is in none."""
        for value, group in self._groups.items():
            if place in group.jobs:
                return (value,)
        return None

    @property
    def shown(self) -> list[str | None]:
        """The largest groups, in their order."""
        told = ((value, group) for value, group in self._groups.items() if len(group.jobs))
        return [
            value
            for value, _ in heapq.nsmallest(
                SHOWN_GROUPS, told, key=lambda item: (-len(item[1].jobs), str(item[0]))
            )
        ]

    def wordless(self) -> list[str | None]:
        """Those of the largest groups whose words have not been read yet."""
        return [value for value in self.shown if self._key(value) not in self._words]

    def _key(self, value: str | None) -> tuple[str | None, int]:
        return value, self._groups[value].newest

    def read_words(self, conn: sqlite3.Connection, value: str | None) -> None:
        """Read what the failures of a group say."""
        group = self._groups[value]
        statement = (
            sql.failure_at(self._columns) if self._known or "traceback" in self._columns else ""
        )
        if not statement:
            statement = sql.error_of_job(self._columns)
        newest = group.newest
        places = sorted(group.attempts)
        step = max(1, len(places) // SAMPLED)
        sample = dict.fromkeys([newest, *places[::step][:SAMPLED]])
        title, where, messages = "", None, []
        for place in sample:
            row = conn.execute(statement, (place,)).fetchone()
            error, traceback, raised = ("", "", "") if row is None else map(as_text, row)
            failure = failure_of(error, traceback, raised)
            if place == newest:
                title, where = failure.title, failure.where
            if failure.title == title:
                messages.append(
                    f"{failure.type}: {failure.message}" if failure.type else failure.message
                )
        if len(self._words) > 4 * SHOWN_GROUPS:
            self._words.clear()
        self._words[self._key(value)] = _Words(title, where, differing(title, messages))

    def known(self) -> FailedNow:
        """What is known so far."""
        shown = self.shown
        groups = [group for group in self._groups.values() if len(group.jobs)]
        cells: Counter[int] = Counter()
        for group in groups:
            cells.update(group.cells)
        low, high = _told_of(cells)
        first = min((g.first for g in groups if g.first is not None), default=None)
        last = max((g.last for g in groups if g.last is not None), default=None)
        return FailedNow(
            groups=tuple(self._told(value, low, high) for value in shown),
            jobs=sum(len(group.jobs) for group in groups),
            total=len(groups),
            first=first,
            last=last,
            begins=low * self._grain,
            ends=(high + 1) * self._grain,
            tells_retries=bool(self._known),
        )

    def _told(self, value: str | None, low: int, high: int) -> FailedJobs:
        group = self._groups[value]
        words = self._words.get(self._key(value), _Words("", None, ()))
        trend = [0] * TREND_BUCKETS
        for cell, n in group.cells.items():
            if cell >= low:
                trend[(cell - low) * TREND_BUCKETS // (high + 1 - low)] += n
        return FailedJobs(
            value=value,
            title=words.title,
            where=words.where,
            differs=words.differs,
            jobs=len(group.jobs),
            waiting=len(group.waiting),
            causes=len(group.causes),
            first=group.first,
            last=group.last,
            trend=tuple(trend),
            retried=_last_retry(group.retried),
        )


def _told_of(cells: Counter[int]) -> tuple[int, int]:
    """The cells that are told of: without a few early ones, where those would take most of it."""
    if not cells:
        return 0, 0
    ordered = sorted(cells)
    left = cells.total() // 20
    at, cut, widest = 0, 0, 0
    while left >= cells[ordered[at]]:
        left -= cells[ordered[at]]
        at += 1
        if ordered[at] - ordered[at - 1] > widest:
            cut, widest = at, ordered[at] - ordered[at - 1]
    low, high = ordered[cut], ordered[-1]
    return (low if (high - ordered[0]) > 4 * (high - low) else ordered[0]), high


def _last_retry(retried: dict[int, list[int]]) -> Retried | None:
    """The last ones that were tried again, up to a pause before them."""
    if not retried:
        return None
    sums = list(retried.get(0, [0, 0, 0]))
    before: int | None = None
    for minute in sorted((m for m in retried if m), reverse=True):
        if before is not None and (before - minute) * 60 > APART_S:
            break
        before = minute
        sums = [one + other for one, other in zip(sums, retried[minute], strict=True)]
    return Retried(*sums)


def title_of(conn: sqlite3.Connection, job_id: str) -> str:
    """Type and message of a job's last failure, with `#` for what differs from others like it."""
    columns = {row[0] for row in conn.execute(sql.EXECUTION_COLUMNS)}
    row = conn.execute(sql.last_failure_of(columns), (job_id,)).fetchone()
    return "" if row is None else failure_of(*map(as_text, row)).title


def differing(title: str, messages: Sequence[str]) -> tuple[str, ...]:
    """A few of the values that `#` stands for in a title.

    Args:
        title: As `failure_of` makes it.
        messages: Type and message of some failures with that title.
    """
    if PART not in title:
        return ()
    literals = title.split(PART)
    lines = (" ".join(message[:2_000].split()) for message in messages)
    found = [parts for line in lines if (parts := _parts(literals, line))]
    for at in range(len(literals) - 1):
        values = Counter(parts[at].strip("'\"` ") for parts in found)
        if len(values) > 1:
            told = sorted((value[:LONGEST_VALUE] for value in values), key=_in_order)
            return tuple(dict.fromkeys(told))[: MOST_VALUES + 1]
    return ()


def _parts(literals: Sequence[str], message: str) -> list[str]:
    """What stands between some texts in a message, each part as short as can be, and the last one
    up to the end; nothing where they don't all stand there."""
    first, *others, last = literals
    if not message.startswith(first):
        return []
    parts = []
    begin = len(first)
    for literal in others:
        end = message.find(literal, begin + 1, begin + LONGEST_PART + len(literal))
        if end < 0:
            return []
        parts.append(message[begin:end])
        begin = end + len(literal)
    rest = message[begin:]
    if not rest.endswith(last) or not 0 < len(rest) - len(last) <= LONGEST_PART:
        return []
    return [*parts, rest[: len(rest) - len(last)]]


def _in_order(value: str) -> tuple[float, str]:
    return (float(value), "") if value.isdecimal() else (float("inf"), value)
