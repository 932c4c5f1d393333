"""Counting jobs by what they have in common, asked of a file, whatever release wrote it.

Rows are walked in steps. A step's rows are staged, and added to what was counted before, all within
SQLite and in temporary tables, which it keeps in a file of its own where they grow: nothing in the
queue's file changes, and a million different values take no memory.

A value is told by its kind and itself, so that the number 17 and the text "17" stand apart, while
17, 17.0 and 1.7e1 are one. What holds values has no type: that would change what is put in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from gigq_core.lane_names import HIDDEN
from gigq_core.schema.agent_statements import last_host
from gigq_core.schema.ddl import IS_FAILURE, instant_of
from gigq_core.schema.failure_statements import FINGERPRINT_FUNCTION

# The kinds of values, in the order in which values are sorted.
NUMBER, TEXT, TRUTH, JSON, NULL, MISSING, UNREADABLE = range(7)

STATUS_INDEX = "idx_jobs_status"
JOB_COLUMNS = "SELECT name FROM pragma_table_info('jobs')"
EXECUTION_COLUMNS = "SELECT name FROM pragma_table_info('job_executions')"
HAS_STATUS_INDEX = f"SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = '{STATUS_INDEX}'"
HAS_EXECUTIONS_INDEX = (
    "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = 'core_executions_job'"
)
SAVEPOINT = "SAVEPOINT core_count"
# What is kept of the temporary tables in memory, in kilobytes: the rest goes to a file.
KEEP_IN_MEMORY = "PRAGMA temp.cache_size = -32000"
ROLL_BACK = "ROLLBACK TO core_count"
RELEASE = "RELEASE core_count"

# What is counted of each value, beside all of its jobs, and which of them that is.
FIGURES = {
    "done": "status = 'completed'",
    "failed": "status IN ('failed', 'timeout')",
    "waiting": "status = 'pending'",
    "running": "status = 'running'",
    "cancelled": "status = 'cancelled'",
}
_SUMS = ", ".join(f"ifnull(sum({name}), 0)" for name in FIGURES)

# Run times are kept in milliseconds, to two digits, so that few of them differ.
_TOO_LONG_MS = 10**12


class Expression(NamedTuple):
    """The SQL for a value of a job, as its kind and itself, with the parameters of both."""

    kind: str
    value: str
    parameters: tuple[object, ...] = ()


# --- what jobs are counted by -----------------------------------------------------------------


def column(name: str, present: Collection[str]) -> Expression:
    """A column of jobs, as far as the file has it."""
    return _plain(f"jobs.{name}") if name in present else Expression(str(MISSING), "''")


def function() -> Expression:
    """The function with its module."""
    return _plain(
        "(CASE WHEN jobs.function_module = '' THEN jobs.function_name "
        "ELSE jobs.function_module || '.' || jobs.function_name END)"
    )


def lane(present: Collection[str]) -> Expression:
    """Whether any worker may take it, or none of GigQ's."""
    if "lane" not in present:
        return Expression(str(TEXT), "'any'")
    return _plain(
        f"(CASE WHEN jobs.lane = '{HIDDEN}' THEN 'ours' ELSE ifnull(jobs.lane, 'any') END)"
    )


def failure(columns: Collection[str], indexed: bool) -> Expression:
    """The fingerprint of the last attempt, if that failed.

    Args:
        columns: of the table of attempts.
        indexed: whether that has an index on jobs. GigQ's has none, and leaves the error with the
            job.
    """
    if not indexed or "traceback" not in columns:
        told = f"{FINGERPRINT_FUNCTION}(CAST(jobs.error AS BLOB), NULL)"
        failed = "jobs.error IS NOT NULL AND jobs.status NOT IN ('completed', 'running')"
        return _plain(f"(CASE WHEN {failed} THEN {told} END)")
    told = f"{FINGERPRINT_FUNCTION}(CAST(error AS BLOB), CAST(traceback AS BLOB))"
    if "fingerprint" in columns:
        told = f"coalesce(fingerprint, {told})"
    last = "(SELECT max(rowid) FROM job_executions WHERE job_id = jobs.id)"
    return _plain(
        "(CASE WHEN jobs.status <> 'completed' THEN "
        f"(SELECT CASE WHEN {IS_FAILURE} THEN {told} END FROM job_executions WHERE rowid = {last})"
        " END)"
    )


def host(columns: Collection[str]) -> Expression:
    """Where an agent ran the last attempt.

    Args:
        columns: of the table of attempts.
    """
    if "agent" not in columns:
        return Expression(str(MISSING), "''")
    return _plain(last_host(columns))


def within_json(name: str, path: str) -> Expression:
    """What stands at a path of a column of JSON."""
    is_json = f"typeof(jobs.{name}) = 'text' AND json_valid(jobs.{name})"
    told = f"json_type(jobs.{name}, ?)"
    kind = (
        f"CASE WHEN {is_json} THEN CASE {told} WHEN 'integer' THEN {NUMBER} WHEN 'real' THEN "
        f"{NUMBER} WHEN 'text' THEN {TEXT} WHEN 'null' THEN {NULL} WHEN 'array' THEN {JSON} "
        f"WHEN 'object' THEN {JSON} WHEN 'true' THEN {TRUTH} WHEN 'false' THEN {TRUTH} "
        f"ELSE {MISSING} END "
        f"WHEN ifnull(jobs.{name}, '') = '' THEN {MISSING} ELSE {UNREADABLE} END"
    )
    value = f"CASE WHEN {is_json} THEN ifnull(json_extract(jobs.{name}, ?), '') ELSE '' END"
    return Expression(kind, value, (path, path))


def day(name: str, text: str, present: Collection[str]) -> Expression:
    """The day of a moment, in the reader's zone, as `2026-11-28`."""
    return _plain(
        f"strftime('%Y-%m-%d', {_instant(name, text, present)}, 'unixepoch', 'localtime')"
    )


def begun(name: str, text: str, seconds: int, present: Collection[str]) -> Expression:
    """When the minute or the hour of a moment began, by the reader's clock, in UTC seconds.

    An hour that a clock passes twice is two of them.
    """
    at = f"CAST({_instant(name, text, present)} AS INTEGER)"
    local = f"CAST(strftime('%s', {at}, 'unixepoch', 'localtime') AS INTEGER)"
    return _plain(f"({at} - {local} % {seconds})")


def _plain(value: str) -> Expression:
    kind = (
        f"CASE typeof({value}) WHEN 'null' THEN {MISSING} WHEN 'text' THEN {TEXT} "
        f"WHEN 'blob' THEN {UNREADABLE} ELSE {NUMBER} END"
    )
    return Expression(
        kind, f"CASE typeof({value}) WHEN 'blob' THEN '' ELSE ifnull({value}, '') END"
    )


def _instant(name: str, text: str, present: Collection[str]) -> str:
    told = instant_of(f"jobs.{text}")
    if name not in present:
        return f"({told})"
    return (
        f"(CASE WHEN typeof(jobs.{name}) IN ('integer', 'real') THEN jobs.{name} ELSE {told} END)"
    )


# --- where it is kept -------------------------------------------------------------------------

_PREFIX = "core_count_"
OUR_TABLES = f"SELECT name FROM temp.sqlite_master WHERE type = 'table' AND name GLOB '{_PREFIX}*'"


class Tables(NamedTuple):
    """The temporary tables of one count."""

    staged: str
    counted: str
    runs: str

    @property
    def by_value(self) -> str:
        """The index that finds a value."""
        return f"{self.counted}_by_value"

    @staticmethod
    def of(number: int) -> Tables:
        """Those of the count with this number."""
        return Tables(*(f"{_PREFIX}{name}_{number}" for name in ("staged", "counted", "runs")))


def number_of(table: str) -> int:
    """The number of the count that a table belongs to."""
    return int(table.rpartition("_")[2])


def drop(table: str) -> str:
    """Drop one of the tables."""
    return f"DROP TABLE IF EXISTS temp.{table}"


def create(tables: Tables, order: str | None) -> tuple[str, ...]:
    """Make the tables.

    Args:
        tables: their names.
        order: the figure by which the first values are asked for; None for the values themselves.
    """
    figures = ", ".join(("jobs", *FIGURES))
    made = (
        f"CREATE TEMP TABLE {tables.staged} (kind, value, kind_2, value_2, ms, "
        f"{', '.join(FIGURES)})",
        f"CREATE TEMP TABLE {tables.counted} (id INTEGER PRIMARY KEY, parent INTEGER, kind, value, "
        f"{figures}, parts)",
        f"CREATE UNIQUE INDEX temp.{tables.by_value} ON {tables.counted} (parent, kind, value)",
        f"CREATE TEMP TABLE {tables.runs} (id INTEGER, ms INTEGER, n INTEGER, "
        "PRIMARY KEY (id, ms)) WITHOUT ROWID",
    )
    if order is None:
        return made
    index = (
        f"CREATE INDEX temp.{tables.counted}_by_{order} ON {tables.counted} (parent, {order} DESC)"
    )
    return (*made, index)


# --- a step -----------------------------------------------------------------------------------


def source(status: str | None, indexed: bool) -> str:
    """What is walked: all jobs, or those of a status, along its index, which is in their order."""
    index = f"INDEXED BY {STATUS_INDEX}" if status is not None and indexed else ""
    is_wanted = "" if status is None else f"jobs.status = '{status}' AND "
    return f"FROM jobs {index} WHERE {is_wanted}"


def last(walked: str) -> str:
    """The last row of the walk."""
    return f"SELECT max(jobs.rowid) {walked} true"


def rows(walked: str) -> str:
    """How many rows the walk has."""
    return f"SELECT count(*) {walked} true"


# The counters of an attached file tell the same of all jobs.
HAS_COUNTERS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'core_counts'"
ALL_ROWS = "SELECT ifnull(sum(n), 0) FROM core_counts"


def bound(walked: str) -> str:
    """Where a step ends, and how many rows it has. Parameters: from where, to where, how many."""
    return (
        f"SELECT max(key), count(*) FROM (SELECT jobs.rowid AS key {walked} "
        "jobs.rowid > ? AND jobs.rowid <= ? ORDER BY jobs.rowid LIMIT ?)"
    )


def stage(
    tables: Tables,
    keys: Sequence[Expression],
    walked: str,
    condition: str,
    present: Collection[str],
) -> str:
    """Stage a step's rows. Parameters: the keys', the condition's, from where, to where."""
    first, second = keys[0], keys[1] if len(keys) > 1 else Expression("NULL", "NULL")
    began = _instant("began", "started_at", present)
    ended = _instant("ended", "completed_at", present)
    ms = f"CAST(round(max(0.0, {ended} - {began}) * 1000.0) AS INTEGER)"
    ran = "jobs.status IN ('completed', 'failed', 'timeout')"
    figures = ", ".join(f"jobs.{figure}" for figure in FIGURES.values())
    return (
        f"INSERT INTO temp.{tables.staged} "
        f"SELECT {first.kind}, {first.value}, {second.kind}, {second.value}, "
        f"CASE WHEN {ran} THEN {ms} END, {figures} "
        f"{walked} jobs.rowid > ? AND jobs.rowid <= ? AND ({condition})"
    )


def total_of(tables: Tables) -> str:
    """The figures of all that is staged."""
    return f"SELECT count(*), {_SUMS} FROM temp.{tables.staged}"


def count_first(tables: Tables) -> str:
    """Add what is staged to the counts of the first key's values."""
    return _count(tables, "0", "s.kind", "s.value", f"temp.{tables.staged} s")


def count_second(tables: Tables) -> str:
    """Add it to the counts of the second key's values below each of the first's."""
    return _count(
        tables,
        "c.id",
        "s.kind_2",
        "s.value_2",
        f"temp.{tables.staged} s CROSS JOIN temp.{tables.counted} c INDEXED BY {tables.by_value} "
        "ON c.parent = 0 AND c.kind = s.kind AND c.value = s.value",
    )


def _count(tables: Tables, parent: str, kind: str, value: str, among: str) -> str:
    names = ("jobs", *FIGURES)
    # A damaged row may have no status.
    sums = ", ".join(f"ifnull(sum(s.{name}), 0)" for name in FIGURES)
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in names)
    return (
        f"INSERT INTO temp.{tables.counted} (parent, kind, value, {', '.join(names)}, parts) "
        f"SELECT {parent}, {kind}, {value}, count(*), {sums}, 0 FROM {among} WHERE true "
        f"GROUP BY {', '.join(one for one in (parent, kind, value) if one != '0')} "
        f"ON CONFLICT (parent, kind, value) DO UPDATE SET {added}"
    )


def newest(tables: Tables) -> str:
    """The value that was met last for the first time."""
    return f"SELECT ifnull(max(id), 0) FROM temp.{tables.counted}"


def count_parts(tables: Tables) -> str:
    """Note how many different second values the first have. Parameter: the newest value before."""
    return (
        f"UPDATE temp.{tables.counted} SET parts = parts + new.n "
        f"FROM (SELECT parent AS whole, count(*) AS n FROM temp.{tables.counted} NOT INDEXED "
        f"WHERE id > ? AND parent > 0 GROUP BY parent) new WHERE id = new.whole"
    )


def time_first(tables: Tables) -> str:
    """Add the run times of what is staged to those of the first key's values."""
    return _time(
        tables,
        "c.id",
        f"CROSS JOIN temp.{tables.counted} c INDEXED BY {tables.by_value} "
        "ON c.parent = 0 AND c.kind = s.kind AND c.value = s.value",
    )


def time_second(tables: Tables) -> str:
    """Add them to those of the second key's values below each of the first's."""
    return _time(
        tables,
        "d.id",
        f"CROSS JOIN temp.{tables.counted} c INDEXED BY {tables.by_value} "
        "ON c.parent = 0 AND c.kind = s.kind AND c.value = s.value "
        f"CROSS JOIN temp.{tables.counted} d INDEXED BY {tables.by_value} "
        "ON d.parent = c.id AND d.kind = s.kind_2 AND d.value = s.value_2",
    )


def _time(tables: Tables, id: str, joined: str) -> str:
    ms = "s.ms"
    steps = "".join(
        f"WHEN {ms} < {100 * ten} THEN ({ms} + {ten // 2}) / {ten} * {ten} "
        for ten in (10**power for power in range(1, 10))
    )
    rounded = f"CASE WHEN {ms} < 100 THEN {ms} {steps} ELSE {_TOO_LONG_MS} END"
    return (
        f"INSERT INTO temp.{tables.runs} (id, ms, n) SELECT {id}, {rounded}, 1 "
        f"FROM temp.{tables.staged} s {joined} WHERE {ms} IS NOT NULL "
        "ON CONFLICT (id, ms) DO UPDATE SET n = n + 1"
    )


def unstage(tables: Tables) -> str:
    """Forget what was staged."""
    return f"DELETE FROM temp.{tables.staged}"


# --- what came of it --------------------------------------------------------------------------


def values(tables: Tables, order: str | None) -> str:
    """The first values below one. Parameters: its id, or 0, and how many."""
    by = "kind, value" if order is None else f"{order} DESC, id"
    return (
        f"SELECT id, kind, value, jobs, {', '.join(FIGURES)}, parts FROM temp.{tables.counted} "
        f"WHERE parent = ? ORDER BY {by} LIMIT ?"
    )


def how_many(tables: Tables, parted: bool) -> str:
    """How many different values the first key has.

    Args:
        tables: their names.
        parted: whether there is a second key.
    """
    if not parted:
        return newest(tables)
    return f"SELECT count(*) FROM temp.{tables.counted} WHERE parent = 0"


def medians(tables: Tables) -> str:
    """The median run time of some values, in milliseconds. Parameter: their ids as JSON."""
    return f"""
SELECT t.id, min(t.ms)
FROM (SELECT r.id AS id, r.ms AS ms,
             2 * sum(r.n) OVER (PARTITION BY r.id ORDER BY r.ms) AS upto,
             sum(r.n) OVER (PARTITION BY r.id) AS n
      FROM json_each(?) w CROSS JOIN temp.{tables.runs} r ON r.id = w.value) t
WHERE t.upto >= t.n GROUP BY t.id"""


# --- the values of a few jobs -------------------------------------------------------------------

# What is longer is cut, and JSON of more characters is not read.
_MOST_VALUE, _MOST_JSON = 300, 200_000


def values_of_rows(keys: Sequence[Expression]) -> str:
    """The values of some jobs, each with its kind. Parameters: the keys', the rowids as JSON."""
    told = ", ".join(
        f"{key.kind}, CASE typeof({key.value}) WHEN 'text' THEN substr({key.value}, 1, "
        f"{_MOST_VALUE}) ELSE {key.value} END"
        for key in keys
    )
    return f"SELECT jobs.rowid, {told} FROM json_each(?) w CROSS JOIN jobs ON jobs.rowid = w.value"


def small(expression: Expression, name: str) -> Expression:
    """A value of a column of JSON, or none that can be read where that column holds very much."""
    fits = f"length(jobs.{name}) <= {_MOST_JSON}"
    return Expression(
        f"CASE WHEN {fits} OR jobs.{name} IS NULL THEN {expression.kind} ELSE {UNREADABLE} END",
        f"CASE WHEN {fits} THEN {expression.value} ELSE '' END",
        expression.parameters,
    )


# --- what there is to count by ----------------------------------------------------------------


def keys_within(name: str) -> str:
    """The names that stand in a column of JSON, with those within, of the newest jobs.

    Parameters: how many jobs are looked through, how many names at most.
    """
    found = f"SELECT {name} AS text FROM jobs ORDER BY rowid DESC LIMIT ?"
    return f"""
SELECT t.fullkey, count(*) AS n
FROM ({found}) j, json_tree(CASE WHEN typeof(j.text) = 'text' AND length(j.text) < 20000
                            AND json_valid(j.text) THEN j.text ELSE '{{}}' END) t
WHERE t.key IS NOT NULL AND typeof(t.key) = 'text' AND instr(t.fullkey, '[') = 0
GROUP BY t.fullkey ORDER BY n DESC, t.fullkey LIMIT ?"""
