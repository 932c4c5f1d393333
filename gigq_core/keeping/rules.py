"""Keeping: for how long jobs that have ended stay, and how they go by themselves.

An entry on the agenda lets whichever worker comes first do the next step: at most 200 jobs in a
transaction, from where the last one stopped, with a pause behind it that is many times as long as
it took. What is old but needed by others stays. A step that is cut short, wherever, is done again.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from gigq_core import agenda
from gigq_core.changes.clearing import free_for_good
from gigq_core.errors import DatabaseError
from gigq_core.job import check_text
from gigq_core.keeping import archive
from gigq_core.keeping.seen_time import (
    Cutoff,
    Look,
    Stretch,
    Stretches,
    decode,
    encode,
    looked,
    needed,
    older_than,
    steady_now,
)
from gigq_core.rows.decoding import as_float, as_int, as_text
from gigq_core.schema import keep_statements as sql
from gigq_core.schema.attach import is_current
from gigq_core.schema.transaction import read
from gigq_core.system.kept_files import remove_private
from gigq_core.system.paths import attempt_output, queue_file
from gigq_core.units.durations import duration_text, seconds_of
from gigq_core.units.times import Moment, utc_now

logger = logging.getLogger("gigq_core.keeping")

ENTRY = "keep:"
# What lifts an age, where an age is given.
FOR_EVER = "forever"
# By which age a status goes, in the order in which a pass looks at them.
_AGE_OF = {
    "completed": "completed",
    "failed": "failed",
    "timeout": "failed",
    "cancelled": "cancelled",
}
_STATUSES = tuple(_AGE_OF)
# Where a pass begins: the first of a run, or another.
_BEGINNINGS = ((None, 0), (_STATUSES[0], 0))
AGES = ("completed", "failed", "cancelled")

# What one transaction deletes at most; one job always. And fewer, where the lock was held for
# longer than this, in seconds: others wait meanwhile.
JOBS_AT_ONCE = 200
FEWEST_AT_ONCE = 10
HELD_S = 0.02
BYTES_AT_ONCE = 8 * 1024 * 1024
ATTEMPTS_AT_ONCE = 1000
CHILDREN_AT_ONCE = 5000
# How many rows a step looks at, and how many files of attempts it deletes.
LOOKED_AT_ONCE = 10_000
FILES_AT_ONCE = 500
# The pause after a step, as so many times what it took: while jobs run or wait, and while none do.
BREATHS_BUSY = 25.0
BREATHS_IDLE = 2.0
SHORTEST_BREATH_S = 0.02
LONGEST_BREATH_S = 5.0
# Between two passes, in seconds; and a quarter of the shortest age.
SHORTEST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 3600.0
# A run that comes a little early is none too many, in seconds.
EARLY_S = 0.5
# How long a step waits for the archive's disk; and the next one after trouble with it, in seconds.
ARCHIVE_FOR_S = 5.0
PUT_OFF_S = 60.0
# A place that no job has.
_BEHIND_ALL = 2**63 - 1
# How far those are counted that are past their age.
OVERDUE_MOST = 1000


@dataclass(frozen=True)
class Keeping:
    """For how long jobs that have ended stay, and how far what is older has gone.

    Attributes:
        completed, failed, cancelled: Seconds after their end; None for ever. A job that timed out
            has failed.
        archive: The folder to which jobs are written before they go; empty where there is none.
        is_running: Whether a pass is under way.
        last_run: When the last whole pass ended, in UTC seconds; None where none has.
        next_run: When the next step is due, in UTC seconds; None where nothing ever goes.
        gone: How many jobs have gone in all.
        gone_last: How many of them in the pass that is under way, or else in the last one.
        needed_last: How many were old then, and stayed since other jobs need them.
        overdue: How many are past their age and still there, needed ones included; counted up to
            `OVERDUE_MOST`.
        trouble: Why the last step could not be done, in a sentence; empty where it was.
        trouble_at: When that was, in UTC seconds.
    """

    completed: float | None = None
    failed: float | None = None
    cancelled: float | None = None
    archive: str = ""
    is_running: bool = False
    last_run: float | None = None
    next_run: float | None = None
    gone: int = 0
    gone_last: int = 0
    needed_last: int = 0
    overdue: int = 0
    trouble: str = ""
    trouble_at: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether any job ever goes."""
        return any(getattr(self, age) is not None for age in AGES)


def keeping_words(keeping: Keeping) -> str:
    """For how long what stays: `completed 7d, failed 90d, cancelled for ever`."""
    parts = []
    for age in AGES:
        seconds = getattr(keeping, age)
        parts.append(f"{age} {'for ever' if seconds is None else duration_text(seconds)}")
    words = ", ".join(parts)
    return f"{words}; archive {keeping.archive}" if keeping.archive else words


# --- what is wanted --------------------------------------------------------------------------


@dataclass(frozen=True)
class Wish:
    """What `keep` was told: for each age seconds, or infinity for ever. None leaves it as it is."""

    ages: Mapping[str, float] = field(default_factory=dict)
    archive: str | None = None


def wish_of(
    completed: float | str | None = None,
    failed: float | str | None = None,
    cancelled: float | str | None = None,
    archive_folder: str | Path | None = None,
) -> Wish:
    """Check what is wanted, but for the archive's folder: see `set_ages`.

    Raises:
        TypeError: a value is of the wrong type.
        ValueError: an age is no duration.
    """
    given = {"completed": completed, "failed": failed, "cancelled": cancelled}
    ages = {age: _age(value, age) for age, value in given.items() if value is not None}
    if archive_folder is not None and not isinstance(archive_folder, (str, Path)):
        raise TypeError(
            f"archive must be a folder's path, not a value of type {type(archive_folder).__name__}."
        )
    if archive_folder is None:
        return Wish(ages)
    folder = check_text("archive", str(archive_folder))
    if "\0" in folder:
        raise ValueError("archive has a NUL character in it, which no folder's name has.")
    return Wish(ages, folder)


def _age(value: object, label: str) -> float:
    if value == FOR_EVER or (isinstance(value, float) and value == math.inf):
        return math.inf
    try:
        return float(seconds_of(value, label))
    except ValueError as problem:
        text = str(problem)
        if isinstance(value, str):
            text = f"{label} is {value[:40]!r}: write an age like 7d or 12h, or {FOR_EVER}."
        raise ValueError(text) from None


def set_ages(conn: sqlite3.Connection, wish: Wish) -> None:
    """Let it hold from now on, within the caller's transaction; the next worker begins at once.

    The archive's folder is made, if its parent is there.

    Raises:
        ValueError: the archive can't be one.
    """
    now = utc_now()
    row = conn.execute(sql.READ).fetchone()
    ages = {age: None if row is None else row[age] for age in AGES}
    ages |= {age: None if math.isinf(seconds) else seconds for age, seconds in wish.ages.items()}
    if wish.archive is None:
        folder = "" if row is None else as_text(row["archive"])
    else:
        folder = str(archive.made_folder(wish.archive)) if wish.archive else ""
    seen = encode((Stretch(now, now),))
    conn.execute(sql.SET, {**ages, "archive": folder, "seen": seen})
    if any(seconds is not None for seconds in ages.values()):
        agenda.enter(conn, ENTRY, now, anew=True)
    else:
        agenda.strike(conn, ENTRY)


# --- what is so ------------------------------------------------------------------------------


def read_keeping(conn: sqlite3.Connection) -> Keeping:
    """How jobs that have ended are kept in this file: for ever, where nobody said otherwise."""
    if conn.execute(sql.HAS_TABLE).fetchone() is None:
        return Keeping()
    row = conn.execute(sql.READ).fetchone()
    if row is None:
        return Keeping()
    ages = _ages(row)
    at = conn.execute(sql.READ_NEXT, (ENTRY,)).fetchone()
    trouble, trouble_at = as_text(row["trouble"]), row["trouble_at"]
    if not trouble and at is not None:
        trouble = as_text(at["trouble"])
    return Keeping(
        **ages,
        archive=as_text(row["archive"]),
        is_running=row["status"] is not None,
        last_run=_instant(row["ended"]),
        next_run=None if at is None else _instant(at["at"]),
        gone=as_int(row["gone"]),
        gone_last=as_int(row["gone_last"]),
        needed_last=as_int(row["needed_last"]),
        overdue=count_old(conn, ages, OVERDUE_MOST),
        trouble=trouble,
        trouble_at=_instant(trouble_at),
    )


def count_old(conn: sqlite3.Connection, ages: Mapping[str, float | None], most: int) -> int:
    """How many jobs are past their age by the clock, needed ones included; as far as `most`.

    Only the first jobs of each status are looked at, which are the oldest, mostly.
    """
    found, now = 0, utc_now()
    for status, age_name in _AGE_OF.items():
        age = ages[age_name]
        if age is None:
            continue
        walk = _Walk(conn, status, 0, Cutoff(now - age))
        found += len(walk.step(most - found, 2 * most))
    return found


class Plan(NamedTuple):
    """What would be deleted now: how many of each status, and how many that others need."""

    going: dict[str, int]
    needed: int


def plan(conn: sqlite3.Connection, ages: Mapping[str, float | None]) -> Plan:
    """Find out what would go by some ages, as the clock is now; changes nothing.

    Raises:
        DatabaseError: the file is not attached by this release: nobody knows what needs what.
    """
    if not is_current(conn):
        raise DatabaseError(
            "The file is not attached by this release, so what others need is not known: run "
            "`gigq-core attach` first."
        )
    status_of: dict[int, str] = {}
    now = utc_now()
    for status, age_name in _AGE_OF.items():
        age = ages[age_name]
        if age is None:
            continue
        walk = _Walk(conn, status, 0, Cutoff(now - age))
        while not walk.is_over:
            old = walk.step(LOOKED_AT_ONCE, LOOKED_AT_ONCE)
            status_of.update((job.place, status) for job in old)
    # All at once: what is needed only by others that go would go in a later pass of the run.
    free = free_for_good(conn, list(status_of))
    going = Counter(status for place, status in status_of.items() if place in free)
    return Plan(dict(going), len(status_of) - len(free))


def _ages(row: sqlite3.Row) -> dict[str, float | None]:
    """For how long what stays; for ever where a damaged row says nothing that can be an age."""
    given = {age: _instant(row[age]) for age in AGES}
    return {age: None if s is None or not 0 <= s < math.inf else s for age, s in given.items()}


def _instant(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


# --- a step ----------------------------------------------------------------------------------


class _Old(NamedTuple):
    """A job that is old enough; `ended` tells later whether it is still the same."""

    place: int
    ended: float
    status: str


class _Walk:
    """Through the jobs of one status, in the order in which they were submitted."""

    def __init__(self, conn: sqlite3.Connection, status: str, after: int, cutoff: Cutoff) -> None:
        self.after = after
        self.looked_at = 0
        self.is_over = False
        self._conn = conn
        self._status = status
        self._cutoff = cutoff

    def step(self, most: int, rows: int) -> list[_Old]:
        """The next ones that are old enough, at most so many out of so many rows."""
        if most <= 0 or rows <= 0:
            return []
        start = (self._status, self.after)
        reach, self.looked_at = self._conn.execute(sql.REACH, (*start, rows)).fetchone()
        self.is_over = self.looked_at < rows
        if reach is None:
            return []
        values = (*start, reach, self._cutoff.before, most)
        found = self._conn.execute(sql.ENDED_BEFORE, values).fetchall()
        if len(found) == most:
            reach, self.is_over = found[-1]["place"], False
        self.after = reach
        old = (_Old(row["place"], row["ended"], self._status) for row in found)
        return [job for job in old if self._cutoff.takes(job.ended)]


@dataclass
class _Step:
    """What a step would do, found out before the write lock is held."""

    began: float
    version: int
    # Tells whether others have written meanwhile.
    commits: int
    look: Look
    seen: Stretches
    # Where it began, and where the next one begins; a status of None between two passes.
    start: tuple[str | None, int]
    stop: tuple[str | None, int]
    # When each status was gone through last.
    walked: dict[str, float]
    going: list[_Old] = field(default_factory=list)
    ids: dict[int, bytes] = field(default_factory=dict)
    needed: int = 0
    files: list[str] = field(default_factory=list)
    files_left: bool = False
    trouble: str = ""


class _Writer:
    """Writes to the archive beside the caller, whom a disk that does not answer is not to stop.

    What comes to the disk too late is there twice in the end, which does no harm.
    """

    def __init__(self) -> None:
        self._at_work: threading.Thread | None = None

    def append(self, file: Path, lines: Sequence[bytes]) -> None:
        """As `archive.append`, but no longer than a few seconds."""
        troubles: list[OSError] = []

        def write() -> None:
            try:
                archive.append(file, lines)
            except OSError as problem:
                troubles.append(problem)

        if self._at_work is None or not self._at_work.is_alive():
            self._at_work = threading.Thread(target=write, name="archive", daemon=True)
            self._at_work.start()
            self._at_work.join(ARCHIVE_FOR_S)
            if not self._at_work.is_alive():
                for problem in troubles:
                    raise problem
                return
        raise TimeoutError(errno.ETIMEDOUT, "its disk does not answer")


class _Duty:
    """The next step, by whichever worker comes first; see `agenda.Duty`."""

    # The archive's disk may be slow, and two would write the same jobs.
    takes_s = 60.0

    def __init__(self) -> None:
        self._last: Look | None = None
        self._most = JOBS_AT_ONCE
        self._writer = _Writer()

    def prepare(self, conn: sqlite3.Connection, name: str, now: Moment) -> _Step | None:
        """Find what is old enough and not needed, and write it to the archive."""
        began = time.monotonic()
        path, commits = _path_of(conn), _commits_of_others(conn)
        with read(conn):
            row = conn.execute(sql.READ).fetchone()
            if row is None or not any(age is not None for age in _ages(row).values()):
                return None
            look = Look(now.utc, steady_now())
            seen = looked(decode(row["seen"]), self._last, look)
            start = (_status(row), as_int(row["after"]))
            walked = _walked(row)
            step = _Step(began, row["version"], commits, look, seen, start, (None, 0), walked)
            _choose(conn, step, _ages(row), now.utc, min(self._most, JOBS_AT_ONCE))
            lines = _lines(conn, path, step, now.utc) if row["archive"] and step.going else []
        if lines:
            file = archive.file_of(Path(row["archive"]), path, now.utc)
            try:
                self._writer.append(file, lines)
            except OSError as problem:
                why = problem.strerror or problem
                step.trouble = f"Nothing is deleted, since {file} can't be written: {why}."
        _delete_files(conn, path, step)
        return step

    def perform(
        self, conn: sqlite3.Connection, name: str, prepared: _Step | None, now: Moment
    ) -> float | None:
        """Delete it, and move on."""
        row = conn.execute(sql.READ).fetchone()
        if row is None or not any(age is not None for age in _ages(row).values()):
            return None
        if prepared is None or (row["version"], _status(row), as_int(row["after"])) != (
            prepared.version,
            *prepared.start,
        ):
            # Something else is wanted by now.
            return now.utc
        if prepared.files:
            conn.execute(sql.FORGET_LEFT_FILES, (json.dumps(prepared.files),))
        if prepared.trouble:
            conn.execute(sql.NOTE_TROUBLE, {"trouble": prepared.trouble, "utc": now.utc})
            logger.error("%s It is tried again in a minute.", prepared.trouble)
            return now.utc + PUT_OFF_S
        ages = _ages(row)
        held = time.monotonic()
        gone = _delete(conn, prepared)
        self._pace(gone, time.monotonic() - held)
        run = _moved(row, prepared, gone, now.utc)
        longest = max(filter(None, ages.values()), default=0.0)
        conn.execute(sql.MOVE, {**run, "seen": encode(needed(prepared.seen, longest))})
        self._last = prepared.look
        if run["status"] is not None:
            return utc_now() + _breath(conn, time.monotonic() - prepared.began)
        if run["gone_last"]:
            logger.info("%d old jobs were deleted", run["gone_last"])
        return now.utc + _pause(ages)

    def _pace(self, gone: int, held_s: float) -> None:
        """Take as many the next time as go in the time that others may wait."""
        if gone:
            fit = int(gone * HELD_S / max(held_s, 1e-6))
            self._most = max(FEWEST_AT_ONCE, min(JOBS_AT_ONCE, fit, 2 * self._most))

    def recheck(self, conn: sqlite3.Connection, now: Moment) -> None:
        """Let no pass wait longer than it is to: the clock may have been set back."""
        row = conn.execute(sql.READ).fetchone()
        at = conn.execute(sql.READ_NEXT, (ENTRY,)).fetchone()
        if row is None or at is None:
            return
        longest = max(_pause(_ages(row)), self.takes_s, PUT_OFF_S)
        if as_float(at["at"]) > now.utc + longest + 1:
            agenda.enter(conn, ENTRY, now.utc, anew=True)


DUTY = _Duty()


def _moved(row: sqlite3.Row, step: _Step, gone: int, utc: float) -> dict[str, Any]:
    """Where the run stands behind a step: it is over when a whole pass has changed nothing."""
    status, after = step.stop
    in_run, in_pass = step.start[0] is not None, step.start not in _BEGINNINGS
    total = (row["gone_last"] if in_run else 0) + gone
    passed = (row["gone_pass"] if in_pass else 0) + gone
    needed_ones = (row["needed_last"] if in_pass else 0) + step.needed + len(step.going) - gone
    if status is None and step.files_left:
        status, after = _STATUSES[-1], _BEHIND_ALL
    elif status is None and passed and needed_ones:
        # What was needed by those that have gone may go now.
        status, after = _STATUSES[0], 0
        step.walked.clear()
    return {
        "walked": json.dumps(step.walked),
        "status": status,
        "after": after,
        "ended": utc if status is None else row["ended"],
        "gone": gone,
        "gone_last": total,
        "gone_pass": passed,
        "needed_last": needed_ones,
    }


def _walked(row: sqlite3.Row) -> dict[str, float]:
    try:
        found = json.loads(row["walked"] or "{}")
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _status(row: sqlite3.Row) -> str | None:
    return row["status"] if row["status"] in _AGE_OF else None


def _choose(
    conn: sqlite3.Connection,
    step: _Step,
    ages: Mapping[str, float | None],
    now: float,
    most: int,
) -> None:
    """What goes in this step, at most so many jobs, and where the next one begins."""
    status, after = step.start
    old: list[_Old] = []
    rows = LOOKED_AT_ONCE
    before = dict(step.walked)
    for name in _STATUSES[_STATUSES.index(status or _STATUSES[0]) :]:
        age = ages[_AGE_OF[name]]
        if age is not None and (after or _is_due(step.walked.get(name), age, now)):
            walk = _Walk(conn, name, after, older_than(age, step.seen, now))
            old += walk.step(most - len(old), rows)
            rows -= walk.looked_at
            if not walk.is_over:
                step.stop = (name, walk.after)
                break
            step.walked[name] = now
        after = 0
    going = _free(conn, old)
    fits = _how_many_fit(conn, going)
    if fits < len(going):
        last = going[fits - 1]
        old = old[: old.index(last) + 1]
        going = _free(conn, going[:fits])
        step.stop = (last.status, last.place)
        # What stands behind that has been looked at for nothing: it still is to be gone through.
        for name in _STATUSES[_STATUSES.index(last.status) :]:
            step.walked.pop(name, None)
            if name in before:
                step.walked[name] = before[name]
    elif going and step.stop[0] is None:
        # One more, in which their files go.
        step.stop = (_STATUSES[-1], _BEHIND_ALL)
    step.needed = len(old) - len(going)
    step.going = going
    step.ids = {row["place"]: row["id"] for row in _rows(conn, going)}


def _is_due(walked: object, age: float, now: float) -> bool:
    """Whether to walk through a status again: one with a long age less often than another."""
    if not isinstance(walked, (int, float)):
        return True
    return not 0 <= now - walked < _pause_of(age) - EARLY_S


def _free(conn: sqlite3.Connection, jobs: list[_Old]) -> list[_Old]:
    free = free_for_good(conn, [job.place for job in jobs])
    return [job for job in jobs if job.place in free]


def _how_many_fit(conn: sqlite3.Connection, jobs: list[_Old]) -> int:
    """How many of these one transaction deletes in a moment; one at least."""
    weights = {row["place"]: row for row in conn.execute(sql.WEIGHTS, (_places(jobs),))}
    size = attempts = children = 0
    for number, job in enumerate(jobs):
        weight = weights[job.place]
        size += weight["bytes"] + weight["told"]
        attempts += weight["attempts"]
        children += weight["children"]
        if number and (
            size > BYTES_AT_ONCE or attempts > ATTEMPTS_AT_ONCE or children > CHILDREN_AT_ONCE
        ):
            return number
    return len(jobs)


def _lines(conn: sqlite3.Connection, path: Path, step: _Step, now: float) -> list[bytes]:
    places = _places(step.going)
    jobs = conn.execute(sql.WHOLE_JOBS, (places,)).fetchall()
    executions = conn.execute(sql.EXECUTIONS_OF_PLACES, (places,)).fetchall()
    return archive.lines_of(path, jobs, executions, now)


def _delete(conn: sqlite3.Connection, step: _Step) -> int:
    """Delete what is still as it was, and still not needed; returns how many jobs that were."""
    if not step.going:
        return 0
    asked = {job.place: job for job in step.going}
    same = [
        place
        for place, id, status, ended in _rows(conn, step.going)
        if id == step.ids.get(place) and asked[place] == (place, ended, status)
    ]
    # A job with very many children takes a while: with the lock held it is asked only if need be.
    unchanged = step.commits == _commits_of_others(conn)
    free = set(same) if unchanged else free_for_good(conn, same)
    values = {"places": json.dumps([place for place in same if place in free])}
    conn.execute(sql.NOTE_LEFT_FILES, values)
    for statement in sql.DELETE_BESIDE:
        conn.execute(statement, values)
    return conn.execute(sql.DELETE_JOBS, values).rowcount


def _delete_files(conn: sqlite3.Connection, path: Path, step: _Step) -> None:
    """Delete what attempts printed whose jobs are gone; what can't be deleted stays."""
    left = [row[0] for row in conn.execute(sql.LEFT_FILES, (FILES_AT_ONCE + 1,)).fetchall()]
    step.files, step.files_left = left[:FILES_AT_ONCE], len(left) > FILES_AT_ONCE
    for execution_id in step.files:
        file = attempt_output(path, execution_id)
        try:
            if file is not None:
                remove_private(file)
        except OSError as problem:
            logger.warning("Old output stays: %s", problem.strerror or problem)


def _rows(conn: sqlite3.Connection, jobs: list[_Old]) -> list[Any]:
    return conn.execute(sql.STILL_SO, (_places(jobs),)).fetchall()


def _places(jobs: list[_Old]) -> str:
    return json.dumps([job.place for job in jobs])


def _commits_of_others(conn: sqlite3.Connection) -> int:
    """A number that is another one once others have written."""
    number: int = conn.execute("PRAGMA data_version").fetchone()[0]
    return number


def _path_of(conn: sqlite3.Connection) -> Path:
    usual = conn.text_factory
    conn.text_factory = bytes  # a file may have a name that is not UTF-8
    try:
        found = conn.execute("PRAGMA database_list").fetchall()
    finally:
        conn.text_factory = usual
    (path,) = (row[2] for row in found if row[1] == b"main")
    return queue_file(os.fsdecode(path)).absolute()


def _pause(ages: Mapping[str, float | None]) -> float:
    return _pause_of(min((age for age in ages.values() if age is not None), default=math.inf))


def _pause_of(age: float) -> float:
    return min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, age / 4))


def _breath(conn: sqlite3.Connection, took_s: float) -> float:
    """How long others have the file to themselves after a step that took so long."""
    (is_idle,) = conn.execute(sql.IS_IDLE).fetchone()
    wanted = took_s * (BREATHS_IDLE if is_idle else BREATHS_BUSY)
    return min(LONGEST_BREATH_S, max(SHORTEST_BREATH_S, wanted))
