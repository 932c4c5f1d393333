"""Reading a queue file for the commands: `mode=ro`, whatever release wrote it, changing nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gigq_core.cli.errors import Trouble
from gigq_core.cli.why import why
from gigq_core.schema.ddl import PARKED
from gigq_core.schema.opening import Connection, open_read_only
from gigq_core.status import JobStatus
from gigq_core.text import storable

SHORTEST_PREFIX = 4
SHOWN_CANDIDATES = 5

_BY_ID = "SELECT * FROM jobs WHERE id = ?"
_BY_PREFIX = "SELECT id FROM jobs WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
# Newest first in the order of submission, which needs no sorting.
_NEWEST = "SELECT * FROM jobs ORDER BY rowid DESC LIMIT ?"
_NEWEST_WITH_STATUS = "SELECT * FROM jobs WHERE status = ? ORDER BY rowid DESC LIMIT ?"
_COUNTS = "SELECT status, COUNT(*) FROM jobs GROUP BY status"
# GigQ leaves the end of a job that never ran empty.
_ENDED = """
SELECT id FROM jobs
WHERE status IN (SELECT value FROM json_each(?)) AND id IS NOT NULL
  AND (? IS NULL OR coalesce(completed_at, updated_at) < ?)
ORDER BY rowid"""
_EXECUTIONS = "SELECT * FROM job_executions WHERE job_id = ? ORDER BY started_at, rowid"
# Rows may hold anything: only a number is a timeout.
_LONGEST_TIMEOUT = """
SELECT coalesce(max(timeout), 0) FROM jobs
WHERE status IN ('pending', 'running') AND typeof(timeout) IN ('integer', 'real')"""
_WORKERS = "SELECT * FROM core_workers ORDER BY started_at DESC, rowid DESC"
_HAS_META = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'core_meta'"
_IS_PAUSED = "SELECT 1 FROM core_meta WHERE key = 'paused_at'"
_HAS_WORKERS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'core_workers'"

# Columns that only this package's own machinery uses.
_INTERNAL = ("due_at", "execution_id")


class Reading:
    """One read-only look at a queue file.

    Raises:
        DatabaseError: the file can't be opened; see `open_read_only`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened = open_read_only(path)
        self._paused = self.paused()

    @property
    def is_still(self) -> bool:
        """Whether the file may not be written, and was read as it stands."""
        return self._opened.still is not None

    def close(self) -> None:
        """Let go of the file."""
        self._opened.close()

    @property
    def _conn(self) -> Connection:
        still = self._opened.still
        if still is not None and still.changed():
            self._opened.close()
            self._opened = open_read_only(self.path)
        return self._opened

    def resolve(self, text: str) -> str:
        """The id that `text` is, or the only one that begins with it.

        Raises:
            Trouble: no job, or more than one.
        """
        text = storable(text)
        if self._conn.execute(_BY_ID, (text,)).fetchone() is not None:
            return text
        if len(text) < SHORTEST_PREFIX:
            raise Trouble(
                f"No job has the id {text}: give at least the first {SHORTEST_PREFIX} characters."
            )
        limit = SHOWN_CANDIDATES + 1
        found = [
            row[0] for row in self._conn.execute(_BY_PREFIX, (text, f"{text}\U0010ffff", limit))
        ]
        if not found:
            raise Trouble(f"Job {text} not found: `list` shows what there is.")
        if len(found) > 1:
            more = ", …" if len(found) > SHOWN_CANDIDATES else ""
            raise Trouble(
                f"{text} is the beginning of more than one id "
                f"({', '.join(found[:SHOWN_CANDIDATES])}{more}): give more of it."
            )
        return str(found[0])

    def job(self, job_id: str) -> dict[str, Any] | None:
        """A job with its executions, oldest first; None if there is no such job."""
        row = self._conn.execute(_BY_ID, (job_id,)).fetchone()
        if row is None:
            return None
        return {
            **self._with_reason(as_dict(row)),
            "exists": True,
            "executions": [_execution(found) for found in self.executions(job_id)],
        }

    def executions(self, job_id: str) -> list[dict[str, Any]]:
        """The attempts of a job, oldest first, as they are stored."""
        return [dict(row) for row in self._conn.execute(_EXECUTIONS, (job_id,))]

    def newest(self, status: str | None, limit: int) -> list[dict[str, Any]]:
        """The jobs that were submitted last, newest first."""
        if status is None:
            rows = self._conn.execute(_NEWEST, (limit,))
        else:
            rows = self._conn.execute(_NEWEST_WITH_STATUS, (status, limit))
        return [self._with_reason(as_dict(row)) for row in rows]

    def longest_timeout(self) -> float:
        """The longest timeout of the jobs that wait or run, in seconds; 0 where there is none."""
        return float(self._conn.execute(_LONGEST_TIMEOUT).fetchone()[0])

    def paused(self) -> bool:
        """Whether the queue is paused."""
        if self._conn.execute(_HAS_META).fetchone() is None:
            return False
        return self._conn.execute(_IS_PAUSED).fetchone() is not None

    def _with_reason(self, job: dict[str, Any]) -> dict[str, Any]:
        reason = why(job, paused=self._paused)
        return job if reason is None else {**job, "why": reason.text}

    def ended(self, statuses: Iterable[str], before: str | None) -> list[str]:
        """The ids of the jobs that ended so, the oldest first.

        Args:
            statuses: which ends.
            before: only those that ended before this moment, as it is stored.
        """
        found = self._conn.execute(_ENDED, (json.dumps(list(statuses)), before, before))
        return [str(row[0]) for row in found.fetchall()]

    def unmet(self, job: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Id, name and status of each parent that has not completed; status "missing" for none."""
        parents = job["dependencies"] if isinstance(job["dependencies"], list) else []
        waiting = []
        for parent in parents:
            name = storable(str(parent))
            row = self._conn.execute(_BY_ID, (name,)).fetchone()
            if row is None:
                waiting.append((name, "", "missing"))
            elif row["status"] != JobStatus.COMPLETED.value:
                waiting.append((row["id"], row["name"], row["status"]))
        return waiting

    def stats(self) -> dict[str, int]:
        """How many jobs there are of each status, and in all."""
        counts = {status.value: 0 for status in JobStatus}
        counts.update({str(status): int(n) for status, n in self._conn.execute(_COUNTS)})
        return {**counts, "total": sum(counts.values())}

    def workers(self) -> list[dict[str, Any]]:
        """The workers of this package on the file, the latest first."""
        if self._conn.execute(_HAS_WORKERS).fetchone() is None:
            return []
        return [dict(row) for row in self._conn.execute(_WORKERS)]


def as_dict(row: sqlite3.Row) -> dict[str, Any]:
    """A row of `jobs` with its JSON decoded, or as raw text where it is damaged.

    `blocked` says that it waits for a parent; `retry_after` is its own due time even then.
    """
    job = dict(row)
    for column in ("params", "dependencies", "result"):
        job[column] = decoded(job.get(column))
    wish = job.get("pass_parent_results")
    job["pass_parent_results"] = None if wish is None else bool(wish)
    job.setdefault("retry_delay", 0)
    job["blocked"] = job.get("retry_after") == PARKED
    job["retry_after"] = job.get("due_at") if job["blocked"] else job.get("retry_after")
    for column in _INTERNAL:
        job.pop(column, None)
    return job


def decoded(text: object) -> Any:
    """The value that a column's JSON stands for; the text itself if it isn't JSON."""
    if not isinstance(text, str) or not text:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _execution(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "result": decoded(row["result"])}
