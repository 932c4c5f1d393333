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
