"""All that a queue file knows of its jobs, as lines of JSON, for a queue of another kind.

Each line is one JSON object in ASCII, and says what it is by its `gigq`: the first is the "export",
then comes a "job" a line, as they were submitted; where that is asked for, each "schedule", "lane",
"hook" and the "keeping"; and last the "end", without which something is missing.

Keys are those of a line that `submit --jsonl` reads, wherever they mean the same. What is null,
empty, or as it is where nobody says anything is left out, but for the keys that each job has.
Moments stand there twice: in UTC seconds (`created`, `began`, `ended`, `due`), and in ISO 8601 with
an offset, under the names of the file's own columns.
"""

from __future__ import annotations

import base64
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from gigq_core.errors import DatabaseError
from gigq_core.job import DEFAULT_MAX_ATTEMPTS
from gigq_core.retry import RetryPolicy
from gigq_core.rows.decoding import as_text, as_timeout_s, is_parked, options_of
from gigq_core.rows.progress import progress_of_row
from gigq_core.schema import export_statements as sql
from gigq_core.schema import failure_statements as failures
from gigq_core.schema import view_statements as view
from gigq_core.schema.opening import Connection, copy_of, explain, open_read_only
from gigq_core.submitting.bulk import refuse_constant
from gigq_core.units.times import moment_of, parse_time, utc_now

FORMAT = 1
KIND = "gigq"
EXPORT, JOB, SCHEDULE, LANE, HOOK, KEEPING, END = (
    *("export", "job", "schedule", "lane", "hook", "keeping", "end"),
)

# Of how many bytes a part of the lines is, about.
_PART_BYTES = 64 * 1024

# The moments of a job and of an attempt: the instant, GigQ's text, and the name of that here.
_JOB_TIMES = (
    ("created", "created_at"),
    ("began", "started_at"),
    ("ended", "completed_at"),
)
_ATTEMPT_TIMES = (("began", "started_at"), ("ended", "completed_at"))
_TEXT_TIMES = ("updated_at", "stop_requested_at")

# Columns that are told under another name, or are marks of our own.
_TOLD_OTHERWISE = frozenset(
    (
        *("place", "function_module", "function_name", "dependencies", "retry_after"),
        *(
            "lane",
            "pass_parent_results",
            "retry_policy",
            "unique_key",
            "unique_until",
            "unique_within",
            "due",
        ),
        *(name for pair in _JOB_TIMES for name in pair),
        *_TEXT_TIMES,
    )
)
_ATTEMPTS_OTHERWISE = frozenset(
    ("place", "job_id", *(name for pair in _ATTEMPT_TIMES for name in pair))
)
# The options of a line of JSONL that are as good as not given.
_USUAL = {
    "on_crash": "retry",
    "on_timeout": "retry",
    "on_parent_failure": "wait",
    "unique": False,
    "ours": False,
    "retry_delay": 0,
}
_NUMBERS = frozenset(
    ("priority", "max_attempts", "timeout", "attempts", "retry_delay", "stall_timeout", "memory")
)
# Made once: `json.loads` and `json.dumps` with any option make one for each call.
_encode = json.JSONEncoder(allow_nan=False).encode
_decode = json.JSONDecoder(parse_constant=refuse_constant).decode


@dataclass(frozen=True)
class Selection:
    """Which jobs are exported: those that all of this is true of.

    Args:
        statuses: one of these statuses; none for any.
        workflow: of the workflow of this name, or its run whose id begins so.
        batch: of this batch.
        failure: their last attempt failed in a way whose fingerprint begins so.
    """

    statuses: tuple[str, ...] = ()
    workflow: str | None = None
    batch: str | None = None
    failure: str | None = None

    def told(self) -> dict[str, Any]:
        """What was chosen, for the first line."""
        values = {
            "status": list(self.statuses),
            "workflow": self.workflow,
            "batch": self.batch,
            "failure": self.failure,
        }
        return {name: value for name, value in values.items() if value}


@dataclass
class Written:
    """What has been told so far.

    Attributes:
        jobs: how many.
        damaged: of how many of them something can't be told as it should be.
        bytes: of the lines.
    """

    jobs: int = 0
    damaged: int = 0
    bytes: int = 0


@dataclass
class Export:
    """A queue file as lines of JSON, all of one moment.

    Args:
        path: the file.
        selection: which jobs.
        settings: whether schedules, lanes' rules, hooks and keeping are wanted too.
    """

    path: Path
    selection: Selection = field(default_factory=Selection)
    settings: bool = False
    written: Written = field(default_factory=Written)
    exported: float = 0.0

    def parts(self) -> Iterator[str]:
        """The lines, some whole ones at a time.

        The file is copied before the first of them comes, and let go of; however long the rest
        takes, nobody waits for it.

        Raises:
            DatabaseMissing, NotAQueue, DatabaseBusy, DatabaseError: the file can't be read.
        """
        with closing(self._copy()) as copy:
            yield from self._together(self._lines(copy, *self._choose(copy)))

    def _copy(self) -> Connection:
        with closing(open_read_only(self.path)) as conn, _explained(self.path):
            self.exported = utc_now()
            copy = copy_of(conn, sql.AS_FAST_AS_CAN_BE)
            try:
                if conn.still is not None:
                    conn.still.check()
            except BaseException:
                copy.close()
                raise
            return copy

    def _choose(self, conn: Connection) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Choose the jobs; the first line, and those of the settings."""
        with _explained(self.path):
            tables = {as_text(row[0]) for row in conn.execute(sql.TABLES)}
            columns = {as_text(row[0]) for row in conn.execute(failures.JOB_COLUMNS)}
            conn.execute(sql.CREATE_CHOSEN)
            chosen = self.selection
            if "workflow" in columns or not (chosen.workflow or chosen.batch):
                conn.execute(*self._condition(conn))
            settings = list(_settings(conn)) if self.settings else []
            is_attached = "core_meta" in tables
            file_id = conn.execute(sql.FILE_ID).fetchone() if is_attached else None
            by_status = {as_text(row[0]): row[1] for row in conn.execute(sql.COUNTS)}
        header = {
            KIND: EXPORT,
            "format": FORMAT,
            "queue": self.path.name,
            "file_id": as_text(file_id[0]) if file_id else None,
            "attached": is_attached,
            "exported": self.exported,
            "exported_at": _iso(moment_of(self.exported)),
            "instants": "UTC seconds since 1970",
            "jobs": sum(by_status.values()),
            "by_status": by_status,
            "selection": chosen.told(),
        }
        return header, settings

    def _condition(self, conn: Connection) -> tuple[str, dict[str, Any]]:
        chosen = self.selection
        failed = ""
        if chosen.failure is not None:
            attempts = {as_text(row[0]) for row in conn.execute(failures.EXECUTION_COLUMNS)}
            failed = failures.last_failed_so(attempts)
        conditions = [
            view.selected(False, chosen.workflow is not None, chosen.batch is not None, failed)
        ]
        if chosen.statuses:
            conditions.append("status IN (SELECT value FROM json_each(:statuses))")
        values = {
            "statuses": json.dumps(chosen.statuses),
            "workflow": chosen.workflow,
            "batch": chosen.batch,
            **failures.beginning_with(chosen.failure or ""),
        }
        return sql.choose(" AND ".join(conditions)), values

    def _lines(
        self, conn: Connection, header: dict[str, Any], settings: list[dict[str, Any]]
    ) -> Iterator[str]:
        yield _encode(header)
        conn.text_factory = _text
        with _explained(self.path):
            tables = {as_text(row[0]) for row in conn.execute(sql.TABLES)}
            beside = _Along(conn.execute(sql.beside(tables)))
            attempts = _Along(conn.execute(sql.ALL_ATTEMPTS))
            parents = _Along(conn.execute(sql.parents(tables)))
            for row in conn.execute(sql.ALL_JOBS):
                place = row["place"]
                rows = beside.at(place), attempts.at(place), parents.at(place)
                told = _job(row, *rows, _Damage())
                try:
                    line = _encode(told)
                except (ValueError, RecursionError):
                    # A number beyond all bounds, or too many levels: which it is, is looked for.
                    told = _job(row, *rows, _Damage(thorough=True))
                    line = _encode(told)
                self.written.jobs += 1
                self.written.damaged += "damaged" in told
                yield line
        yield from map(_encode, settings)
        yield _encode({KIND: END, "jobs": self.written.jobs, "damaged": self.written.damaged})

    def _together(self, lines: Iterable[str]) -> Iterator[str]:
        part: list[str] = []
        size = 0
        for line in lines:
            part.append(line)
            size += len(line) + 1
            if size >= _PART_BYTES:
                self.written.bytes += size
                yield "\n".join(part) + "\n"
                part, size = [], 0
        self.written.bytes += size
        yield "\n".join(part) + "\n"


# --- one job ---------------------------------------------------------------------------------


class _Damage:
    """What of a row can't be told as it should be, as it stands in the file.

    Args:
        thorough: whether values are tried out as a part of the line.
    """

    def __init__(self, thorough: bool = False) -> None:
        self.found: dict[str, Any] = {}
        self.thorough = thorough

    def note(self, column: str, value: Any) -> None:
        """Remember a value, so that nothing is lost."""
        if isinstance(value, bytes):
            self.found[column] = {"base64": base64.b64encode(value).decode("ascii")}
        else:
            self.found[column] = {"text": str(value)}

    def plain(self, column: str, value: Any) -> Any:
        """A column's value as JSON may hold it; noted where it is no text and no number."""
        if isinstance(value, bytes):
            self.note(column, value)
            return value.decode("utf-8", "replace")
        if isinstance(value, float) and not math.isfinite(value):
            self.note(column, value)
            return None
        return value

    def number(self, column: str, value: Any) -> Any:
        """The same of a column that holds numbers."""
        if value is None or (isinstance(value, (int, float)) and math.isfinite(value)):
            return value
        self.note(column, value)
        return None

    def json(self, column: str, value: Any, kind: type | None = None) -> Any:
        """What a column's JSON stands for, if it is that; None where there is none."""
        if value is None or value == "":
            return None
        if isinstance(value, (str, bytes)):
            try:
                decoded = _decode(value if isinstance(value, str) else value.decode())
                if kind is None or isinstance(decoded, kind):
                    if self.thorough:
                        _encode([[[[[decoded]]]]])
                    return decoded
            except (TypeError, ValueError, RecursionError):
                pass
        self.note(column, value)
        return None

    def moments(self, told: dict[str, Any], row: Any, instant: str, text: str) -> None:
        """Tell a moment in its two forms, by its instant, or where there is none by GigQ's text."""
        seconds, written = row.get(instant), row.get(text)
        if seconds is None and written is None:
            return
        seconds = self.number(instant, seconds)
        moment = moment_of(seconds)
        if moment is None:
            seconds = None
        if moment is None and written not in (None, ""):
            moment = parse_time(written)
            if moment is None:
                self.note(text, written)
        if moment is not None:
            if instant:
                told[instant] = seconds if seconds is not None else moment.timestamp()
            told[text] = _iso(moment)


def _job(
    row: sqlite3.Row,
    beside: Sequence[sqlite3.Row],
    attempts: Sequence[sqlite3.Row],
    parents: Sequence[sqlite3.Row],
    damage: _Damage,
) -> dict[str, Any]:
    job: dict[str, Any] = dict(row)
    plain, number = damage.plain, damage.number
    names = [as_text(job[column]) for column in ("function_module", "function_name")]
    told: dict[str, Any] = {
        KIND: JOB,
        # Whoever reads the lines again goes by these two.
        "status": plain("status", job["status"]),
        "id": plain("id", job["id"]),
        "name": plain("name", job["name"]),
        "function": ".".join(names),
        "params": damage.json("params", job["params"], dict),
        "priority": number("priority", job.get("priority")) or 0,
        "attempts": number("attempts", job.get("attempts")) or 0,
        "max_attempts": number("max_attempts", job.get("max_attempts")) or DEFAULT_MAX_ATTEMPTS,
        "timeout": _whole(as_timeout_s(number("timeout", job.get("timeout")))),
    }
    for column in ("function_module", "function_name", "lane"):
        if isinstance(value := job.get(column), bytes):
            damage.note(column, value)
    if not _is_policy(job.get("retry_policy")):
        damage.note("retry_policy", job["retry_policy"])
    if told["params"] is None and "params" not in damage.found:
        told["params"] = {}
    for instant, text in _JOB_TIMES:
        damage.moments(told, job, instant, text)
    for text in _TEXT_TIMES:
        damage.moments(told, job, "", text)
    due = number("due", job["due"]) if "due" in job else _instant(job.get("retry_after"))
    if due is not None:
        told["due"] = due
    if is_parked(job.get("retry_after")):
        told["blocked"] = True
    for key, value in options_of(job).items():
        if value not in (None, "", []) and value != _USUAL.get(key):
            told[key] = value
    if isinstance(told.get("unique"), dict) and told["unique"]["within"] is None:
        del told["unique"]["within"]
    dependencies = damage.json("dependencies", job["dependencies"], list)
    if dependencies:
        told["depends_on"] = dependencies
    if parents:
        told["parents"] = [_parent(parent) for parent in parents]
    for column, value in job.items():
        if value is None or column in told or column in _TOLD_OTHERWISE:
            continue
        if column == "result":
            value = damage.json(column, value)
        elif column in _NUMBERS:
            value = number(column, value)
        else:
            value = plain(column, value)
        if value not in (None, "") and value != _USUAL.get(column):
            told[column] = value
    if job.get("pass_parent_results") in (0, 1):
        told["pass_parent_results"] = bool(job["pass_parent_results"])
    if "retry" in told:
        # It is the first of these.
        told.pop("retry_delay", None)
    for more in beside:
        _tell_beside(told, dict(more), damage)
    if attempts:
        told["executions"] = [_attempt(dict(attempt), damage) for attempt in attempts]
    if damage.found:
        told["damaged"] = damage.found
    return told


def _parent(row: sqlite3.Row) -> dict[str, Any]:
    """A parent: how it stands, and whether the job still waits for it."""
    status = row["status"]
    if status is None:
        status = "deleted" if row["completed"] else "missing"
    return {"id": as_text(row["id"]), "status": as_text(status), "met": bool(row["met"])}


def _tell_beside(told: dict[str, Any], row: dict[str, Any], damage: _Damage) -> None:
    if row.get("progress_at") is not None:
        progress = progress_of_row(
            {name: row[f"progress_{name}"] for name in ("done", "total", "note", "at")}
        )
        if progress is not None:
            told["progress"] = progress
        else:
            damage.note("progress", [row["progress_done"], row["progress_at"]])
    if (saved := damage.json("saved", row.get("saved"))) is not None:
        told["saved"] = saved
    if row.get("culprit_id") is not None:
        told["culprit_id"] = damage.plain("culprit_id", row["culprit_id"])


def _attempt(row: dict[str, Any], damage: _Damage) -> dict[str, Any]:
    own = _Damage(damage.thorough)
    told: dict[str, Any] = {"id": own.plain("id", row["id"])}
    for instant, text in _ATTEMPT_TIMES:
        own.moments(told, row, instant, text)
    for column, value in row.items():
        if value is None or column in told or column in _ATTEMPTS_OTHERWISE:
            continue
        value = own.json(column, value) if column == "result" else own.plain(column, value)
        if value not in (None, ""):
            told[column] = value
    for column, value in own.found.items():
        damage.found[f"executions.{as_text(told['id'])}.{column}"] = value
    return told


class _Along:
    """Rows that are in the order of the jobs, handed out job by job."""

    def __init__(self, rows: Iterator[sqlite3.Row]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def at(self, place: int) -> list[sqlite3.Row]:
        """Those of one job."""
        found: list[sqlite3.Row] = []
        while self._next is not None and self._next["place"] == place:
            found.append(self._next)
            self._next = next(self._rows, None)
        return found


# --- beside the jobs -------------------------------------------------------------------------


def _settings(conn: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """What holds for jobs that are not there yet."""
    from gigq_core.hooks.rules import read_hooks
    from gigq_core.keeping.rules import read_keeping
    from gigq_core.lanes.rules import read_rules
    from gigq_core.schedules.rules import read_schedules

    for schedule in read_schedules(conn):
        yield {KIND: SCHEDULE, **asdict(schedule)}
    for rule, paused_at in read_rules(conn):
        yield {KIND: LANE, **asdict(rule), "paused_at": paused_at}
    for hook in read_hooks(conn):
        yield {KIND: HOOK, **asdict(hook)}
    kept = read_keeping(conn)
    if kept.is_on:
        ages = {"completed": kept.completed, "failed": kept.failed, "cancelled": kept.cancelled}
        yield {KIND: KEEPING, **ages, "archive": kept.archive or None}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as problem:
        if "disk is full" in str(problem):
            raise DatabaseError(
                "An export needs room for a copy of the file, and SQLite's folder for temporary "
                "files is full: free some, or name another folder in SQLITE_TMPDIR."
            ) from None
        raise explain(problem, path) from None


def _text(raw: bytes) -> str | bytes:
    """Text as it is; what is not UTF-8 stays bytes, so that nothing of it is lost."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _is_policy(stored: Any) -> bool:
    if stored is None:
        return True
    try:
        RetryPolicy.decode(stored)
    except ValueError:
        return False
    return True


def _instant(text: Any) -> float | None:
    moment = parse_time(text)
    return None if moment is None else moment.timestamp()


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def _whole(seconds: float) -> float:
    return int(seconds) if seconds == int(seconds) else seconds
