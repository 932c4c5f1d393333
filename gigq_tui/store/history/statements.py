"""The statements that read what happened in a stretch of time, a range of rows at a time.

`job_executions` has no index on its times; its rows stand about in the order in which attempts
began. So ranges of rowids are read, and what lies in the wanted times is summed up by SQLite.
"""

from __future__ import annotations

from collections.abc import Collection

from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.instants import BEGAN, CREATED, ENDED, When

NAME_CHARACTERS = 200
# The calendar: what lies beyond it is damage.
_CALENDAR = "BETWEEN -62135596800 AND 253402300799"

OLDEST_ATTEMPT = "SELECT min(rowid) FROM job_executions"
NEWEST_JOB = "SELECT max(rowid) FROM jobs"
OLDEST_JOB = "SELECT min(rowid) FROM jobs"


def seconds(when: When, present: Collection[str], table: str) -> str:
    """A moment of a row in UTC seconds, whatever stands in its columns; NULL where it is none.

    GigQ's text is local time, unless it names its offset.
    """
    text = f"{table}.{when.text}"
    short = f"substr({text}, 1, 40)"
    days = (
        f"CASE WHEN substr({text}, 17, 24) GLOB '*[Zz+-]*' THEN julianday({short}) "
        f"ELSE julianday({short}, 'utc') END"
    )
    told = (
        f"CASE WHEN typeof({text}) = 'text' AND {text} GLOB '[0-9][0-9][0-9][0-9]-*' "
        f"THEN round(({days} - 2440587.5) * 86400.0, 3) END"
    )
    if when.instant not in present:
        return told
    instant = f"{table}.{when.instant}"
    sound = f"typeof({instant}) IN ('real', 'integer') AND {instant} {_CALENDAR}"
    return f"CASE WHEN {sound} THEN {instant} ELSE {told} END"


# Attempts in a range of rows, and some by their rowids as a JSON list.
IN_RANGE = "e.rowid BETWEEN :low AND :high"
AMONG = "e.rowid IN (SELECT value FROM json_each(:rows))"

# Run times by three of their digits, so that they are told to half a per cent, and stay in order:
# the thousands are the decade. `tally.seconds_of` turns it back.
_STEP_OF = """CASE
    WHEN took < 0 THEN NULL
    WHEN took < 0.001 THEN CAST(took * 1000000 + 0.5 AS INTEGER)
    WHEN took < 0.01 THEN 1000 + CAST(took * 100000 + 0.5 AS INTEGER)
    WHEN took < 0.1 THEN 2000 + CAST(took * 10000 + 0.5 AS INTEGER)
    WHEN took < 1 THEN 3000 + CAST(took * 1000 + 0.5 AS INTEGER)
    WHEN took < 10 THEN 4000 + CAST(took * 100 + 0.5 AS INTEGER)
    WHEN took < 100 THEN 5000 + CAST(took * 10 + 0.5 AS INTEGER)
    WHEN took < 1000 THEN 6000 + CAST(took + 0.5 AS INTEGER)
    WHEN took < 10000 THEN 7000 + CAST(took / 10 + 0.5 AS INTEGER)
    WHEN took < 100000 THEN 8000 + CAST(took / 100 + 0.5 AS INTEGER)
    WHEN took < 1000000 THEN 9000 + CAST(took / 1000 + 0.5 AS INTEGER)
    WHEN took >= 1000000 THEN 10000 + min(1000, CAST(took / 10000 + 0.5 AS INTEGER)) END"""


def happened_in(schema: FileSchema, rows: str) -> str:
    """What some attempts tell of a window, in one statement, since it looks each job up but once.

    `kind` 0 and 1 are what ended in a first and a second stretch of time, by slice of time,
    function, end and run time. 2 and 3 are how many jobs left the line at which time since they
    began, and how many came back into it for another attempt: such a job waits now, or has begun
    once more. 4 are the rowids of attempts that go on.

    Args:
        schema: the file's.
        rows: `IN_RANGE` or `AMONG`.

    Parameters: those of `rows`; `start0`, `end0`, `start1`, `end1` of the stretches, the ends
    excluded; `origin0`, `slice0`, `origin1`, `slice1` in seconds; `known`: what ended before
    counts for nothing; `since` and `grain`, in whole seconds, of the line; `is_new`: whether
    it is not known yet that they began.
    """
    began = seconds(BEGAN, schema.execution_columns, "e")
    ended = seconds(ENDED, schema.execution_columns, "e")
    ends = "\nUNION ALL\n".join(_ends(number) for number in (0, 1))
    nothing = "NULL, NULL, NULL, NULL, NULL"
    return f"""
WITH attempt AS MATERIALIZED (
    SELECT e.rowid AS key, e.job_id AS job_id, substr(e.status, 1, 40) AS status,
           {began} AS began, {ended} AS ended
    FROM job_executions e WHERE {rows}),
ours AS MATERIALIZED (
    SELECT e.key AS key, e.status AS status, e.began AS began, e.ended AS ended,
           CASE WHEN e.ended >= e.began AND e.began {_CALENDAR}
                THEN e.ended - e.began END AS took,
           j.id IS NULL AS is_deleted,
           substr(j.function_module, 1, {NAME_CHARACTERS}) AS function_module,
           substr(j.function_name, 1, {NAME_CHARACTERS}) AS function_name,
           substr(j.status, 1, 40) AS job_status,
           {seconds(BEGAN, schema.job_columns, "j")} AS job_began,
           CASE WHEN typeof(j.attempts) <> 'integer' OR j.attempts <= 1
                THEN {seconds(CREATED, schema.job_columns, "j")} END AS created
    FROM attempt e LEFT JOIN jobs j ON j.id = e.job_id
    WHERE e.ended >= :start0 AND e.ended < :end0 OR e.ended >= :start1 AND e.ended < :end1
       OR e.ended >= :since OR e.began >= :since)
{ends}
UNION ALL
SELECT 2, CAST(began / :grain AS INTEGER), {nothing}, count(*), NULL, NULL, NULL
FROM ours WHERE :is_new AND began >= :since AND NOT is_deleted GROUP BY 2
UNION ALL
SELECT 3, CAST(ended / :grain AS INTEGER), {nothing}, count(*), NULL, NULL, NULL
FROM ours
WHERE ended >= :since AND status <> 'running' AND began IS NOT NULL
  AND (job_status = 'pending' OR job_began > began) GROUP BY 2
UNION ALL
SELECT 4, key, {nothing}, 1, NULL, NULL, NULL FROM attempt WHERE status = 'running'"""


def _ends(number: int) -> str:
    return f"""
SELECT {number} AS kind, slice, function_module, function_name, is_deleted, status, step,
       count(*) AS n, max(took) AS longest, count(waited) AS waits, total(waited) AS waited
FROM (SELECT *, CAST((ended - :origin{number}) / :slice{number} AS INTEGER) AS slice,
             {_STEP_OF} AS step, CASE WHEN created IS NOT NULL AND began IS NOT NULL
                                      THEN max(0.0, began - created) END AS waited
      FROM ours
      WHERE ended >= :start{number} AND ended < :end{number} AND ended >= :known
        AND status <> 'running')
GROUP BY slice, function_module, function_name, is_deleted, status, step"""


def _jobs(schema: FileSchema) -> str:
    times = (
        f"{seconds(when, schema.job_columns, 'j')} AS {when.instant}"
        for when in (CREATED, BEGAN, ENDED)
    )
    return (
        f"SELECT substr(j.status, 1, 40) AS status, {', '.join(times)} "
        "FROM jobs j WHERE j.rowid BETWEEN :low AND :high"
    )


def jobs_came(schema: FileSchema) -> str:
    """How many jobs were submitted at which time.

    Parameters: `low` and `high`, rowids; `since`; `grain`, in whole seconds.
    """
    return f"""
SELECT CAST(created / :grain AS INTEGER) AS grain, count(*) AS n
FROM ({_jobs(schema)}) WHERE created >= :since GROUP BY 1"""


def jobs_given_up(schema: FileSchema) -> str:
    """How many jobs were cancelled at which time that had not begun. Parameters: as above."""
    return f"""
SELECT CAST(ended / :grain AS INTEGER) AS grain, count(*) AS n
FROM ({_jobs(schema)})
WHERE ended >= :since AND status = 'cancelled' AND began IS NULL GROUP BY 1"""


# The ids of the newest attempts. Parameters: a rowid that they stand behind, the limit.
NEWEST_IDS = """
SELECT rowid AS key, substr(id, 1, 200) AS id FROM job_executions
WHERE rowid > ? ORDER BY rowid DESC LIMIT ?"""


def began_near(schema: FileSchema) -> str:
    """When some attempts began, from a row on. Parameters: the rowid, the limit."""
    return (
        f"SELECT e.rowid AS key, {seconds(BEGAN, schema.execution_columns, 'e')} AS at "
        "FROM job_executions e WHERE e.rowid >= ? ORDER BY e.rowid LIMIT ?"
    )


def created_near(schema: FileSchema) -> str:
    """When some jobs were submitted, from a row on. Parameters: the rowid, the limit."""
    return (
        f"SELECT j.rowid AS key, {seconds(CREATED, schema.job_columns, 'j')} AS at "
        "FROM jobs j WHERE j.rowid >= ? ORDER BY j.rowid LIMIT ?"
    )


def waiting_now(schema: FileSchema) -> str:
    """How many jobs wait."""
    if schema.attached:
        return "SELECT total(n) FROM core_counts WHERE state IN ('ready', 'blocked', 'delayed')"
    index = schema.indexed_by("idx_jobs_status")
    return f"SELECT count(*) FROM jobs {index} WHERE status = 'pending'"


def _attempts(schema: FileSchema, columns: str, rows: str) -> str:
    """Attempts `e` with their jobs `j`, and their times as `began` and `ended`."""
    began = seconds(BEGAN, schema.execution_columns, "e")
    ended = seconds(ENDED, schema.execution_columns, "e")
    return (
        f"SELECT {columns}, {began} AS began, {ended} AS ended "
        f"FROM job_executions e LEFT JOIN jobs j ON j.id = e.job_id WHERE {rows}"
    )


def _named(schema: FileSchema) -> str:
    present = schema.execution_columns
    kind = "substr(e.error_type, 1, 200)" if "error_type" in present else "NULL"
    worker = f"substr(e.worker_id, 1, {NAME_CHARACTERS})"
    if "link" in present:
        worker += " || ifnull('/' || CASE WHEN typeof(e.link) = 'integer' THEN e.link END, '')"
    if "agent" in present:
        worker = f"ifnull(substr(e.agent, 1, {NAME_CHARACTERS}) || ' by ', '') || {worker}"
    return (
        f"e.rowid AS key, substr(e.status, 1, 40) AS status, {worker} AS worker_id, "
        f"substr(e.error, 1, {NAME_CHARACTERS}) AS error, {kind} AS error_type, "
        f"substr(j.name, 1, {NAME_CHARACTERS}) AS name"
    )


_RAN = "began < :end AND (ended >= :start OR ended IS NULL AND status = 'running')"


def ran_in(schema: FileSchema) -> str:
    """How many attempts went on at some time of a stretch.

    Parameters: `low` and `high`, rowids; `start` and `end`, the end excluded.
    """
    columns = "substr(e.status, 1, 40) AS status"
    return f"SELECT count(*) FROM ({_attempts(schema, columns, IN_RANGE)}) WHERE {_RAN}"


def named_in(schema: FileSchema) -> str:
    """Some of them, those that began last first. Parameters: as above, and `limit`."""
    source = _attempts(schema, _named(schema), IN_RANGE)
    return f"SELECT * FROM ({source}) WHERE {_RAN} ORDER BY key DESC LIMIT :limit"


def failed_next(schema: FileSchema) -> str:
    """The first that failed from a moment on. Parameters: `low`, `high`, `start`, `limit`."""
    return (
        f"SELECT * FROM ({_attempts(schema, _named(schema), IN_RANGE)}) "
        "WHERE ended >= :start AND status IN ('failed', 'timeout', 'crashed') "
        "ORDER BY ended LIMIT :limit"
    )
