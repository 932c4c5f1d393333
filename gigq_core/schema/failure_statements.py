"""Failed attempts by what failed, asked of a file, attached or not, whatever release wrote it."""

from __future__ import annotations

from collections.abc import Collection

from gigq_core.schema.ddl import IS_FAILURE, IS_UNREAD_FAILURE, instant_of

# What tells of a failure, cut to the most that a worker of ours stores.
MOST_TEXT = 400_000
FAILURE_ERROR = f"substr(CAST(error AS TEXT), 1, {MOST_TEXT}) AS error"
FAILURE_TRACEBACK = f"substr(CAST(traceback AS TEXT), -{MOST_TEXT}) AS traceback"
FAILURE_TEXTS = f"{FAILURE_ERROR}, {FAILURE_TRACEBACK}"

EXECUTION_COLUMNS = "SELECT name FROM pragma_table_info('job_executions')"
JOB_COLUMNS = "SELECT name FROM pragma_table_info('jobs')"
HAS_FAILURE_INDEX = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = 'core_failures'"

_OF_KIND = f"{IS_FAILURE} AND fingerprint = :kind AND (:since IS NULL OR ended >= :since)"

NEXT_KIND = f"""
SELECT fingerprint FROM job_executions INDEXED BY core_failures
WHERE {IS_FAILURE} AND fingerprint > ? ORDER BY fingerprint LIMIT 1"""

# The inner one is in the order of the index, so that nothing is kept of a million jobs.
FAILURES_OF_KIND = f"""
SELECT count(*) AS jobs, sum(attempts) AS attempts, min(first) AS first, max(last) AS last,
       max(place) AS place
FROM (SELECT count(*) AS attempts, min(ended) AS first, max(ended) AS last, max(rowid) AS place
      FROM job_executions INDEXED BY core_failures WHERE {_OF_KIND} GROUP BY job_id)"""

NEWEST_OF_KIND = f"""
SELECT CAST(job_id AS BLOB) AS job, max(ended) AS last
FROM job_executions INDEXED BY core_failures WHERE {_OF_KIND}
GROUP BY job_id ORDER BY last DESC LIMIT :most"""

HAS_FAILED_SO = f"""
SELECT 1 FROM job_executions INDEXED BY core_failures
WHERE {_OF_KIND} AND job_id IN (CAST(:job AS TEXT), :job) LIMIT 1"""


def failure_at(columns: Collection[str]) -> str:
    """One attempt's error, traceback and type, as far as these columns hold them."""
    traceback = FAILURE_TRACEBACK if "traceback" in columns else "NULL"
    kind = "error_type" if "error_type" in columns else "NULL"
    return f"SELECT {FAILURE_ERROR}, {traceback}, {kind} FROM job_executions WHERE rowid = ?"


def unread_failures(indexed: bool) -> str:
    """The places of the failures that do not say yet what failed.

    Args:
        indexed: whether they have an index. Without it, they are all failures.
    """
    if not indexed:
        return f"SELECT rowid FROM job_executions WHERE {IS_FAILURE}"
    return f"SELECT rowid FROM job_executions INDEXED BY core_failures WHERE {IS_UNREAD_FAILURE}"


def failures_at(columns: Collection[str]) -> str:
    """Some attempts, by their places as JSON, as far as these columns hold them."""
    ended = instant_of("completed_at")
    if "ended" in columns:
        ended = f"coalesce(ended, {ended})"
    traceback = FAILURE_TRACEBACK if "traceback" in columns else "NULL AS traceback"
    return f"""
SELECT rowid AS place, CAST(job_id AS BLOB) AS job, {ended} AS ended, {FAILURE_ERROR}, {traceback}
FROM job_executions WHERE rowid IN (SELECT value FROM json_each(?))"""


# --- failures that are gathered elsewhere: their places, then by their kind and their job ---------

CREATE_PLACES = "CREATE TABLE places (place INTEGER PRIMARY KEY)"

ADD_PLACE = "INSERT OR IGNORE INTO places VALUES (?)"

NEXT_PLACES = "SELECT place FROM places WHERE place > ? ORDER BY place LIMIT ?"

CREATE_GATHERED = """
CREATE TABLE gathered (
    kind TEXT, job BLOB, attempts INTEGER, first REAL, last REAL, place INTEGER,
    PRIMARY KEY (kind, job)
) WITHOUT ROWID"""

GATHER = """
INSERT INTO gathered VALUES (:kind, :job, 1, :ended, :ended, :place)
ON CONFLICT (kind, job) DO UPDATE SET
    attempts = attempts + 1, place = max(place, excluded.place),
    first = min(coalesce(first, excluded.first), coalesce(excluded.first, first)),
    last = max(coalesce(last, excluded.last), coalesce(excluded.last, last))"""

NEXT_GATHERED_KIND = "SELECT kind FROM gathered WHERE kind > ? ORDER BY kind LIMIT 1"

GATHERED_OF_KIND = """
SELECT count(*) AS jobs, sum(attempts) AS attempts, min(first) AS first, max(last) AS last,
       max(place) AS place
FROM gathered WHERE kind = :kind"""

NEWEST_GATHERED_OF_KIND = """
SELECT job, last FROM gathered WHERE kind = :kind ORDER BY last DESC LIMIT :most"""

GATHERED_JOBS_OF_KIND = "SELECT job FROM gathered WHERE kind = :kind"

# --- jobs by the last of their attempts ---------------------------------------------------------

# What `core_fingerprint` tells of an attempt's error and traceback, or of a job's error: a function
# of each connection that looks.
FINGERPRINT_FUNCTION = "core_fingerprint"
_TOLD = f"{FINGERPRINT_FUNCTION}(CAST(error AS BLOB), CAST(traceback AS BLOB))"
_IS_LAST = "e.rowid = (SELECT max(l.rowid) FROM job_executions l WHERE l.job_id = e.job_id)"
_FAILED_UNREAD = f"SELECT e.job_id FROM job_executions e WHERE {{unread}} AND {_IS_LAST}"


def beginning_with(digits: str) -> dict[str, str]:
    """The parameters of `last_failed_so`: fingerprints begin so from there on, and before that."""
    return {"failure": digits, "failure_end": digits + "g"}


def last_failed_so(columns: Collection[str]) -> str:
    """The condition on `jobs` that the last attempt failed in a way whose fingerprint begins so.

    Its parameters are those of `beginning_with`.

    Args:
        columns: of the table of attempts.
    """
    within = "{0} >= :failure AND {0} < :failure_end"
    told = within.format(_TOLD)
    if "fingerprint" in columns:
        unread = f"{IS_UNREAD_FAILURE} AND {told}"
        return f"""jobs.id IN (
    SELECT e.job_id FROM job_executions e
    WHERE {IS_FAILURE} AND {within.format("fingerprint")} AND {_IS_LAST}
    UNION ALL {_FAILED_UNREAD.format(unread=unread)})"""
    if "traceback" in columns:
        unread = f"{IS_FAILURE} AND {told}"
        return f"jobs.id IN ({_FAILED_UNREAD.format(unread=unread)})"
    # GigQ leaves the error of the last attempt with the job, and has no index on attempts.
    told = within.format(f"{FINGERPRINT_FUNCTION}(CAST(jobs.error AS BLOB), NULL)")
    return f"jobs.error IS NOT NULL AND jobs.status NOT IN ('completed', 'running') AND {told}"


def failed_now_so(columns: Collection[str], job_columns: Collection[str]) -> str:
    """The jobs that are failed, with their place, end and the fingerprint of their last failure.

    Its parameters are those of `beginning_with`.

    Args:
        columns: of the table of attempts.
        job_columns: of the table of jobs.
    """
    ended = instant_of("jobs.completed_at")
    if "ended" in job_columns:
        ended = f"coalesce(jobs.ended, {ended})"
    if "traceback" in columns:
        told = f"coalesce(fingerprint, {_TOLD})" if "fingerprint" in columns else _TOLD
        kind = f"(SELECT {told} FROM job_executions e WHERE e.job_id = jobs.id AND {_IS_LAST})"
    else:
        kind = f"{FINGERPRINT_FUNCTION}(CAST(jobs.error AS BLOB), NULL)"
    return f"""
SELECT jobs.rowid, jobs.id, {ended} AS ended, {kind} AS kind FROM jobs
WHERE jobs.status IN ('failed', 'timeout') AND {last_failed_so(columns)}"""


# --- jobs that are failed now, or were retried, a bounded number at a time ----------------------

_TOLD_OF_L = _TOLD.replace("(error", "(l.error").replace("(traceback", "(l.traceback")
_ATTEMPTS_OF = "FROM job_executions l WHERE l.job_id = e.job_id"
_IS_COUNTED = "l.status IN ('running', 'completed', 'failed', 'timeout', 'crashed')"
_FAILED_LATER = (
    f"EXISTS (SELECT 1 {_ATTEMPTS_OF} AND l.rowid > e.rowid AND l.error IS NOT NULL "
    "AND l.status IN ('failed', 'timeout', 'crashed'))"
)
# What failed in the last attempt before those that a job's counter counts: it was retried then.
# (What was given back, put off or superseded does not count.)
_BEFORE = f"""
    CASE WHEN (SELECT count(*) {_ATTEMPTS_OF} AND {_IS_COUNTED}) > j.attempts THEN (
        SELECT coalesce(l.fingerprint, CASE WHEN l.error IS NOT NULL THEN {_TOLD_OF_L} END)
        FROM (SELECT l.rowid AS place, row_number() OVER (ORDER BY l.rowid DESC) AS n
              {_ATTEMPTS_OF} AND {_IS_COUNTED}) c
             CROSS JOIN job_executions l ON l.rowid = c.place
        WHERE c.n = j.attempts + 1) END"""
_PARAM = (
    "CASE WHEN typeof(j.params) = 'text' AND json_valid(j.params) "
    "THEN CASE json_type(j.params, :path) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "
    "WHEN 'null' THEN 'null' ELSE json_extract(j.params, :path) END END"
)
# By what jobs can be grouped besides: its name, and the SQL for it of an attempt `e` and a job `j`.
GROUPED_BY = {
    "cause": "kind",
    "function": "j.function_module || '.' || j.function_name",
    "worker": "{worker}",
    "param": _PARAM,
}


# What jobs are grouped by is cut to so many characters.
MOST_GROUPED_BY = 200


def _walked(by: str, kind: str, worker: str) -> str:
    told = GROUPED_BY[by].format(worker=worker)
    return kind if told == "kind" else f"substr(CAST({told} AS TEXT), 1, {MOST_GROUPED_BY})"


def attempts_by_kind(by: str, *, unread: bool) -> str:
    """The last failure of each kind of some jobs, in the order of kind and job, with its job.

    Parameters: the `:kind` and `:job` of the last one before them, `:most`, and `:path` for a
    parameter. Those that don't say yet what failed come in the order of their jobs alone.

    Args:
        by: one of `GROUPED_BY`.
        unread: whether they are of those.
    """
    order = "job_id" if unread else "fingerprint, job_id"
    after = "job_id > :job" if unread else "(fingerprint, job_id) > (:kind, :job)"
    kind = _TOLD.replace("(error", "(e.error").replace("(traceback", "(e.traceback")
    kind = kind if unread else "e.fingerprint"
    return f"""
WITH walked AS MATERIALIZED (
    SELECT fingerprint, job_id, max(rowid) AS place
    FROM job_executions INDEXED BY core_failures
    WHERE {IS_UNREAD_FAILURE if unread else IS_FAILURE} AND {after}
    GROUP BY {order} ORDER BY {order} LIMIT :most)
SELECT w.fingerprint AS walked_kind, w.job_id AS walked_job, {kind} AS kind,
       {_walked(by, kind, "e.worker_id")} AS value,
       j.rowid AS job_place, j.status, j.began, e.rowid AS place,
       coalesce(e.ended, {instant_of("e.completed_at")}) AS ended,
       {_FAILED_LATER} AS failed_later, {_BEFORE} AS before
FROM walked w
     CROSS JOIN job_executions e ON e.rowid = w.place
     LEFT JOIN jobs j ON j.id = w.job_id"""


def jobs_by_place(by: str, columns: Collection[str], job_columns: Collection[str]) -> str:
    """Some jobs of a `:status`, in their order, with the cause that their last attempt left.

    For a file whose attempts have no index by what failed. Parameters: the `:place` of the last
    one before them, `:most`, and `:path` for a parameter.

    Args:
        by: one of `GROUPED_BY`.
        columns: of the table of attempts.
        job_columns: of the table of jobs.
    """
    ended = instant_of("j.completed_at")
    if "ended" in job_columns:
        ended = f"coalesce(j.ended, {ended})"
    # GigQ has no index on attempts, and leaves the error of the last one with the job.
    join, place = "", "NULL"
    kind = f"{FINGERPRINT_FUNCTION}(CAST(j.error AS BLOB), NULL)"
    if "traceback" in columns:
        place = "e.rowid"
        last = "(SELECT max(l.rowid) FROM job_executions l WHERE l.job_id = j.id)"
        join = f"LEFT JOIN job_executions e ON e.rowid = {last}"
        kind = (
            f"{FINGERPRINT_FUNCTION}(CAST(coalesce(e.error, j.error) AS BLOB), "
            "CAST(e.traceback AS BLOB))"
        )
    return f"""
SELECT NULL AS walked_kind, NULL AS walked_job, {kind} AS kind,
       {_walked(by, kind, "j.worker_id")} AS value,
       j.rowid AS job_place, j.status, NULL AS began, {place} AS place, {ended} AS ended,
       0 AS failed_later, NULL AS before
FROM jobs j {join}
WHERE j.status = :status AND j.rowid > :place AND j.error IS NOT NULL
ORDER BY j.rowid LIMIT :most"""


COUNT_FAILED = "SELECT count(*) FROM jobs WHERE status IN ('failed', 'timeout')"
HAS_COUNTS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'core_counts'"
COUNTED_FAILED = "SELECT sum(n) FROM core_counts WHERE state IN ('failed', 'timeout')"


def error_of_job(columns: Collection[str]) -> str:
    """As `failure_at`, of a job by its place, for a file whose attempts can't be found by it."""
    return f"SELECT {FAILURE_ERROR}, NULL, NULL FROM jobs WHERE rowid = ?"


def last_failure_of(columns: Collection[str]) -> str:
    """As `failure_at`, of the last attempt of a job, by its id."""
    if "traceback" not in columns:
        return f"SELECT {FAILURE_ERROR}, NULL, NULL FROM jobs WHERE id = ?"
    kind = "error_type" if "error_type" in columns else "NULL"
    return f"""
SELECT {FAILURE_TEXTS}, {kind} FROM job_executions WHERE job_id = ? ORDER BY rowid DESC LIMIT 1"""
