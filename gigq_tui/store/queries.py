"""Every statement the console reads with, named.

Pages go by key: a tab walks GigQ's own index on `status`, which stands in rowid order within a
status, or the rowid itself; the claim order walks our partial indexes. Nothing here sorts or
counts a table that grows; what has to is marked, and read seldom. Long values are cut before
they leave SQLite.
"""

from __future__ import annotations

from gigq_core.schema.ddl import (
    IN_LANE_HELD,
    IN_LANE_OPEN,
    IS_OF_RELEASE_BEFORE,
    IS_READY,
    OURS,
    PARKED,
)
from gigq_core.schema.worker_statements import HAS_DIED
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.instants import BEGAN, CLAIMED, CREATED, ENDED, STOPPED
from gigq_tui.store.models import Tab

TOP_KEY = 2**63 - 1
END_KEY = -(2**63)

ID_CHARACTERS = 1_000
NAME_CHARACTERS = 300
ERROR_CHARACTERS = 500
BLAME_CHARACTERS = 200

STATUS_INDEX = "idx_jobs_status"
UNMET_INDEX = "core_edges_unmet"
EXECUTIONS_INDEX = "core_executions_job"

_PARENTS = (
    "json_each(CASE WHEN typeof({t}.dependencies) = 'text' AND json_valid({t}.dependencies) "
    "THEN {t}.dependencies ELSE '[]' END)"
)


def parents_of(table: str) -> str:
    """The table-valued call that lists what `table`'s row names as its parents."""
    return _PARENTS.format(t=table)


def _cut(table: str, column: str, characters: int) -> str:
    return f"substr({table}.{column}, 1, {characters}) AS {column}"


def number_of(table: str, column: str) -> str:
    """A column that is a number, or NULL where a damaged row holds megabytes of text instead."""
    return (
        f"CASE WHEN typeof({table}.{column}) IN ('integer', 'real') "
        f"THEN {table}.{column} END AS {column}"
    )


def line_columns(schema: FileSchema, table: str = "jobs") -> str:
    """The columns of one line of the table, as `rows.job_row` reads them."""
    columns = [f"{table}.rowid AS key", _cut(table, "id", ID_CHARACTERS)]
    columns += [_cut(table, "name", NAME_CHARACTERS), _cut(table, "error", ERROR_CHARACTERS)]
    columns += [_cut(table, name, 200) for name in ("function_module", "function_name")]
    columns += [_cut(table, "worker_id", 200), _cut(table, "status", 40)]
    columns += [
        number_of(table, name) for name in ("priority", "attempts", "max_attempts", "timeout")
    ]
    columns += [when.columns(schema.job_columns, table) for when in (CREATED, BEGAN, ENDED)]
    for later, most in (
        ("retry_after", 40),
        ("stop_requested_at", 40),
        ("batch", 200),
        ("lane", 200),
        ("schedule", 200),
    ):
        present = later in schema.job_columns
        columns.append(_cut(table, later, most) if present else f"NULL AS {later}")
    columns.append(number_of(table, "due") if "due" in schema.job_columns else "NULL AS due")
    for column, name in (("lane", "hidden"), ("retry_policy", "has_policy")):
        value = f"{table}.{column}" if column in schema.job_columns else "NULL"
        columns.append(f"{value} IS NOT NULL AS {name}")
    return ", ".join(columns)


# --- pages ------------------------------------------------------------------------------------


def tab_source(schema: FileSchema, tab: Tab) -> tuple[str, str]:
    """The FROM of a tab, and the condition that its rows meet."""
    if tab is Tab.ALL:
        return "jobs", "1"
    return f"jobs {schema.indexed_by(STATUS_INDEX)}", f"jobs.status = '{tab.value}'"


def run_of(columns: str, source: str, condition: str, order: str) -> str:
    """A run of rows along an index. Parameters: the condition's, the number.

    Args:
        columns: What is read of each.
        source: The table, with the index to go by.
        condition: Where the run begins and ends.
        order: The order of the index.
    """
    return f"SELECT {columns} FROM {source} WHERE {condition} ORDER BY {order} LIMIT ?"


def count_run(source: str, condition: str) -> str:
    """How many rows a run has, counted to a limit. Parameters: the condition's, the limit."""
    return f"SELECT COUNT(*) FROM (SELECT 1 FROM {source} WHERE {condition} LIMIT ?)"


def holds_row(condition: str, where: str) -> str:
    """Whether a list holds one row. Parameters: its key, the filter's."""
    return f"SELECT 1 FROM jobs WHERE jobs.rowid = ? AND {condition} AND {where}"


def jump_in_run(source: str, condition: str, order: str) -> str:
    """The key of one row of a run. Grows with its place. Parameters: condition's, the place."""
    return (
        f"SELECT jobs.rowid AS key FROM {source} WHERE {condition} ORDER BY {order} "
        "LIMIT 1 OFFSET ?"
    )


_IS_READY = f"jobs.status = 'pending' AND (jobs.retry_after IS NULL OR jobs.retry_after = '{OURS}')"

# The four parts of the claim order, first to last: (index, condition, columns, falling).
CLAIM_ORDER = (
    (
        "core_open",
        f"{_IS_READY} AND jobs.function_module <> '__main__'",
        ("jobs.priority",),
        True,
    ),
    (
        "core_open_script",
        f"{_IS_READY} AND jobs.function_module = '__main__'",
        ("jobs.priority",),
        True,
    ),
    (
        "core_due_utc",
        f"jobs.status = 'pending' AND jobs.due IS NOT NULL AND jobs.retry_after <> '{PARKED}'",
        ("jobs.due", "jobs.due_in"),
        False,
    ),
    (
        "core_blocked",
        f"jobs.status = 'pending' AND jobs.retry_after = '{PARKED}'",
        ("jobs.priority",),
        True,
    ),
)

# Where a row stands in the claim order. What is no longer waiting stands where it stood, ready.
CLAIM_PLACE = f"""
SELECT CASE WHEN status <> 'pending' THEN 0 WHEN retry_after = '{PARKED}' THEN 3
            WHEN retry_after IS NOT NULL AND retry_after <> '{OURS}' THEN 2
            WHEN function_module = '__main__' THEN 1 ELSE 0 END AS part, priority, due, due_in
FROM jobs WHERE rowid = ?"""

# The first of the line: who is claimed next. Parameter: how many.
FIRST_IN_LINE = f"""
SELECT jobs.rowid AS key FROM jobs INDEXED BY core_open WHERE {CLAIM_ORDER[0][1]}
ORDER BY jobs.priority DESC, jobs.rowid LIMIT ?"""

# Whether a job is ready that only its script can run.
HAS_FIRST_IN_SCRIPT = f"""
SELECT 1 FROM jobs INDEXED BY core_open_script WHERE {CLAIM_ORDER[1][1]} LIMIT 1"""

KEY_OF = "SELECT rowid AS key FROM jobs WHERE id = ?"


def ranked(source: str, tab: str, where: str, value: str, way: str, scan: str) -> str:
    """The first rows by a value that no index holds. Grows with the table: read seldom.

    Rows are gone through by their key, in the direction in which the first ones come early: each
    that comes late costs a place among those kept.

    Parameters: the value's, the filter's, the limit.

    Args:
        source: The table.
        tab: The tab's condition.
        where: The filter's.
        value: What the rows are ranked by.
        way: `ASC` or `DESC`, for the value.
        scan: The same, for the key.
    """
    return (
        f"SELECT key FROM (SELECT jobs.rowid AS key, {value} AS value FROM {source} WHERE {tab} "
        f"AND jobs.rowid <= {TOP_KEY} AND {where} ORDER BY jobs.rowid {scan} LIMIT -1) "
        f"ORDER BY value IS NULL, value {way}, key DESC LIMIT ?"
    )


BATCH_INDEX = "core_batch"


# Above every text, and no name of a batch.
_BEYOND_TEXT = "x''"


def next_batch(rising: bool, first: bool) -> str:
    """The next batch there is, as bytes: they may be any. Parameter: the one before, if any."""
    which, beyond = ("min", ">") if rising else ("max", "<")
    bound = "" if first else f" AND batch {beyond} CAST(? AS TEXT)"
    return (
        f"SELECT CAST({which}(batch) AS BLOB) AS batch FROM jobs INDEXED BY {BATCH_INDEX} "
        f"WHERE batch IS NOT NULL AND batch < {_BEYOND_TEXT}{bound}"
    )


# The newest jobs of a schedule, with their slots. Parameters: its name, the limit.
JOBS_OF_SCHEDULE = (
    "SELECT id, slot FROM jobs WHERE schedule IS NOT NULL AND schedule = ? "
    "ORDER BY slot DESC LIMIT ?"
)

# The newest jobs of a batch. Parameters: its bytes, the limit.
OF_BATCH = (
    f"SELECT rowid AS key FROM jobs INDEXED BY {BATCH_INDEX} "
    "WHERE batch IS NOT NULL AND batch = CAST(? AS TEXT) ORDER BY rowid DESC LIMIT ?"
)

# The newest jobs of none. Parameter: the limit.
OF_NO_BATCH = (
    f"SELECT rowid AS key FROM jobs WHERE batch IS NULL OR batch >= {_BEYOND_TEXT} "
    "ORDER BY rowid DESC LIMIT ?"
)


def still_listed(tab: str, where: str) -> str:
    """Which of some rows a list still holds. Parameters: their keys as JSON, the filter's."""
    return (
        "SELECT jobs.rowid AS key FROM json_each(?) w CROSS JOIN jobs ON jobs.rowid = w.value "
        f"WHERE {tab} AND {where}"
    )


def lines_by_key(columns: str) -> str:
    """The lines of some rows, in the order of their keys. Parameter: the keys as JSON."""
    return f"SELECT {columns} FROM json_each(?) w CROSS JOIN jobs ON jobs.rowid = w.value"


def count_matching(source: str, tab: str, where: str) -> str:
    """How many rows a filter matches. Grows with the table: read seldom."""
    return f"SELECT COUNT(*) FROM {source} WHERE {tab} AND jobs.rowid <= {TOP_KEY} AND {where}"


def ids_matching(source: str, condition: str, order: str) -> str:
    """The ids of a list in its order. Parameters: the condition's, the order's, the limit."""
    return (
        f"SELECT jobs.id FROM {source} WHERE {condition} AND jobs.id IS NOT NULL "
        f"ORDER BY {order} LIMIT ?"
    )


def values_matching(source: str, condition: str, value: str) -> str:
    """The most frequent values among the jobs of a list. Grows with the list.

    Parameters: the value's, the condition's, the limit.
    """
    return (
        f"SELECT substr({value}, 1, {NAME_CHARACTERS}) AS value, COUNT(*) AS n FROM {source} "
        f"WHERE {condition} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?"
    )


IDS_WITH_PREFIX = "SELECT id FROM jobs WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"

# --- counts -----------------------------------------------------------------------------------

COUNTERS = "SELECT substr(state, 1, 40) AS state, n FROM core_counts"


def due_by_now(schema: FileSchema) -> str:
    """How many jobs that still count as delayed are due. Parameters: now, the limit."""
    return f"""
SELECT count(*) FROM (
    SELECT 1 FROM jobs {schema.indexed_by("core_due_utc")}
    WHERE status = 'pending' AND due IS NOT NULL AND retry_after <> '{PARKED}'
      AND due <= ? LIMIT ?)"""


# Grows with the table: only for a file without counters.
COUNT_BY_STATUS = "SELECT status, COUNT(*) AS n FROM jobs GROUP BY status"


def _policy(schema: FileSchema) -> str:
    """What becomes of an edge's child when the parent fails, as in `core_edges.on_failure`."""
    return "e.on_failure" if schema.has_policies else "0 AS on_failure"


def unmet_edges(schema: FileSchema) -> str:
    """Every edge that is not met, and whether its child waits. Parameter: the limit.

    Jobs that were cancelled have such edges too: where those were left out here, and not by whoever
    reads this, the limit would bound nothing.
    """
    return f"""
SELECT {_cut("e", "child_id", ID_CHARACTERS)}, {_cut("e", "parent_id", ID_CHARACTERS)},
       p.rowid AS found, substr(p.status, 1, 40) AS status, {_policy(schema)},
       c.status = 'pending' AS waits
FROM core_edges e {schema.indexed_by(UNMET_INDEX)} LEFT JOIN jobs p ON p.id = e.parent_id
LEFT JOIN jobs c ON c.id = e.child_id WHERE e.met = 0 LIMIT ?"""


def waiting_edges(schema: FileSchema) -> str:
    """Which waiting jobs wait for which unfinished ones, on a file without edges."""
    return f"""
SELECT substr(j.id, 1, {ID_CHARACTERS}) AS child_id,
       substr(d.value, 1, {ID_CHARACTERS}) AS parent_id, substr(p.status, 1, 40) AS status
FROM jobs j {schema.indexed_by(STATUS_INDEX)}, {parents_of("j")} d JOIN jobs p ON p.id = d.value
WHERE j.status = 'pending' AND j.dependencies IS NOT NULL AND j.dependencies NOT IN ('', '[]')
  AND p.status <> 'completed' LIMIT ?"""


def waiting_later(schema: FileSchema) -> str:
    """The waiting jobs that are not due yet. Parameters: now, the limit."""
    return (
        f"SELECT jobs.id FROM jobs {schema.indexed_by(STATUS_INDEX)} "
        "WHERE jobs.status = 'pending' AND jobs.retry_after > ? LIMIT ?"
    )


# --- what a line needs of other rows ----------------------------------------------------------

_BLAMED = (
    "p.rowid AS found, substr(p.name, 1, 300) AS name, substr(p.status, 1, 40) AS status, "
    f"substr(p.error, 1, {BLAME_CHARACTERS}) AS error"
)


def unmet_parents(schema: FileSchema) -> str:
    """The parents that keep one job waiting, the waived ones too. Parameters: id, limit."""
    if schema.attached:
        return f"""
SELECT {_cut("e", "parent_id", ID_CHARACTERS)}, 0 AS waived, {_BLAMED}, {_policy(schema)}
FROM core_edges e {schema.indexed_by(UNMET_INDEX)} LEFT JOIN jobs p ON p.id = e.parent_id
WHERE e.child_id = ? AND e.met = 0 LIMIT ?"""
    return f"""
SELECT substr(d.value, 1, {ID_CHARACTERS}) AS parent_id, p.id IS NULL AS waived, {_BLAMED},
       0 AS on_failure
FROM jobs j, {parents_of("j")} d LEFT JOIN jobs p ON p.id = d.value
WHERE j.id = ? AND d.type = 'text' AND (p.id IS NULL OR p.status <> 'completed') LIMIT ?"""


# Parameters: the ids as a JSON list, the limit.
WAIVED_PARENTS = """
SELECT c.value AS child_id, e.parent_id
FROM json_each(?) c CROSS JOIN core_edges e ON e.child_id = c.value AND e.met = 2 LIMIT ?"""

# What running jobs report, while the attempt that did goes on. Parameter: their ids as JSON.
PROGRESS = """
SELECT p.job_id, p.done, p.total, substr(p.note, 1, 200) AS note, p.at,
       CASE WHEN j.attempts > 1
             AND EXISTS (SELECT 1 FROM core_saves s WHERE s.job_id = p.job_id)
            THEN substr(p.execution_id, 1, 200) END AS resumed
FROM json_each(?) w CROSS JOIN core_progress p ON p.job_id = w.value
     CROSS JOIN jobs j ON j.id = p.job_id AND j.execution_id = p.execution_id"""

PROGRESS_TABLES = frozenset({"core_progress", "core_saves"})


def last_hosts(schema: FileSchema) -> str:
    """Where agents ran the last attempts of some jobs. Parameter: their ids as JSON."""
    return f"""
SELECT w.value AS job_id, substr(e.agent, 1, 300) AS agent
FROM json_each(?) w CROSS JOIN job_executions e ON e.rowid = (
    SELECT max(rowid) FROM job_executions {schema.indexed_by(EXECUTIONS_INDEX)}
    WHERE job_id = w.value)
WHERE e.agent IS NOT NULL"""


def decisions(schema: FileSchema) -> str:
    """What was decided after the last attempt of some jobs. Parameter: their ids as JSON."""
    return f"""
SELECT w.value AS job_id, substr(e.decision, 1, 300) AS decision
FROM json_each(?) w CROSS JOIN job_executions e ON e.rowid = (
    SELECT max(rowid) FROM job_executions {schema.indexed_by(EXECUTIONS_INDEX)}
    WHERE job_id = w.value)"""


# --- workers ----------------------------------------------------------------------------------


def workers(schema: FileSchema) -> str:
    """The register, the newest first. Parameter: the limit."""
    times = (when.columns(schema.worker_columns, "w") for when in (BEGAN, STOPPED, CLAIMED))
    # A file that the release before attached has no such column, and nothing that it would ignore.
    before = IS_OF_RELEASE_BEFORE if "release" in schema.worker_columns else "0"
    lanes = [
        f"substr({name}, 1, 2000) AS {name}" if name in schema.worker_columns else f"NULL AS {name}"
        for name in ("lanes", "only_lanes")
    ]
    return (
        "SELECT id, owner, host, pid, pid_started, boot_id, pid_namespace, isolation, slots, "
        f"state, request, beat, done, failed, log_path, {', '.join(times)}, {before} AS is_before, "
        f"{HAS_DIED} AS has_died, {', '.join(lanes)} "
        "FROM core_workers w ORDER BY rowid DESC LIMIT ?"
    )


PAUSED = "SELECT 1 FROM core_meta WHERE key = 'paused_at'"


def running_jobs(schema: FileSchema) -> str:
    """What is being worked on. Parameter: the limit."""
    return (
        "SELECT substr(jobs.id, 1, 1000) AS id, substr(jobs.name, 1, 300) AS name, "
        f"{BEGAN.columns(schema.job_columns, 'jobs')}, "
        f"substr(jobs.worker_id, 1, 200) AS worker_id, {number_of('jobs', 'timeout')} "
        f"FROM jobs {schema.indexed_by(STATUS_INDEX)} WHERE jobs.status = 'running' LIMIT ?"
    )


def _link(schema: FileSchema) -> str:
    return "e.link" if "link" in schema.execution_columns else "NULL AS link"


def running_elsewhere(schema: FileSchema) -> str:
    """What agents work on, and where. Parameter: how many running jobs are looked at."""
    return (
        f"SELECT substr(j.id, 1, 1000) AS id, substr(e.agent, 1, 300) AS agent, {_link(schema)} "
        "FROM (SELECT id, execution_id FROM jobs "
        f"{schema.indexed_by(STATUS_INDEX)} WHERE status = 'running' LIMIT ?) j "
        "CROSS JOIN job_executions e ON e.id = j.execution_id WHERE e.agent IS NOT NULL"
    )


# --- one job ----------------------------------------------------------------------------------


def lines_by_id(schema: FileSchema) -> str:
    """The lines of some jobs. Parameter: their ids as a JSON list."""
    return (
        f"SELECT {line_columns(schema, 'j')} "
        "FROM json_each(?) wanted CROSS JOIN jobs j ON j.id = wanted.value"
    )


# --- lanes ------------------------------------------------------------------------------------

# The first job of a lane's next priority, by the index that has it. Parameters: the lane, and the
# priority below which it is looked for.
OLDEST_IN_LANE = {
    index: f"""
        SELECT priority, created FROM jobs INDEXED BY {index}
        WHERE {condition} AND lane = ? AND priority < ? ORDER BY priority DESC LIMIT 1"""
    for index, condition in (("core_lane_open", IN_LANE_OPEN), ("core_lane_held", IN_LANE_HELD))
}


def whole_row(schema: FileSchema, size: int) -> str:
    """Every column of one job, long ones cut to `size` bytes, and their sizes. Parameter: id.

    Text comes as bytes: SQLite's functions on text stop at a NUL, and hide what stands behind it.
    """
    parts = []
    for index, column in enumerate(schema.job_columns):
        quoted = '"' + column.replace('"', '""') + '"'
        parts.append(
            f"CASE WHEN typeof({quoted}) IN ('text', 'blob') "
            f"THEN substr(CAST({quoted} AS BLOB), 1, {size}) ELSE {quoted} END AS c{index}, "
            f"length(CAST({quoted} AS BLOB)) AS n{index}"
        )
    return f"SELECT {', '.join(parts)} FROM jobs WHERE id = ?"


def executions(schema: FileSchema) -> str:
    """The newest attempts of one job. Parameters: its id, the limit.

    They come in the order of an index on a text of local time: `key` tells their true one.
    """
    # As text, it would end at its first NUL.
    columns = ["rowid AS key", "substr(id, 1, 200) AS id", "substr(worker_id, 1, 200) AS worker_id"]
    columns += ["substr(status, 1, 40) AS status", "substr(CAST(error AS BLOB), 1, 20000) AS error"]
    present = schema.execution_columns
    columns += [when.columns(present, "job_executions") for when in (BEGAN, ENDED)]
    for name, sql in (
        ("traceback", "substr(CAST(traceback AS BLOB), 1, 200000) AS traceback"),
        ("output", "substr(output, 1, 1000) AS output"),
        ("decision", "substr(decision, 1, 300) AS decision"),
        ("error_type", "substr(error_type, 1, 500) AS error_type"),
        ("fingerprint", "substr(fingerprint, 1, 16) AS fingerprint"),
        ("agent", "substr(agent, 1, 300) AS agent"),
        ("link", "CASE WHEN typeof(link) = 'integer' THEN link END AS link"),
        ("pid", "CASE WHEN typeof(pid) = 'integer' THEN pid END AS pid"),
    ):
        columns.append(sql if name in present else f"NULL AS {name}")
    return (
        f"SELECT {', '.join(columns)} FROM job_executions "
        f"{schema.indexed_by(EXECUTIONS_INDEX)} WHERE job_id = ? "
        f"ORDER BY job_id, {BEGAN.text} DESC LIMIT ?"
    )


# --- dependencies -----------------------------------------------------------------------------


EXISTS = "SELECT 1 FROM jobs WHERE id = ?"

# --- what workers hold, read by the acts on workers --------------------------------------------

BUSY_WORKERS = """
SELECT DISTINCT worker_id FROM jobs WHERE status = 'running' AND worker_id IS NOT NULL"""

HELD_BY = f"""
SELECT id, substr(name, 1, {NAME_CHARACTERS}) FROM jobs
WHERE status = 'running' AND worker_id = ? ORDER BY rowid"""

FATES = """
SELECT id, status, worker_id FROM jobs WHERE id IN (SELECT value FROM json_each(?))"""

# Ends at the first few; a table without one that waits is gone through where it has no index.
SOME_WAITING_FUNCTIONS = """
SELECT DISTINCT function_module, function_name
FROM (SELECT function_module, function_name FROM jobs WHERE status = 'pending' LIMIT 50)
LIMIT 3"""


# --- the submit form ---------------------------------------------------------------------------


def ids_by_name(test: str) -> str:
    """The newest jobs whose name meets a condition.

    Parameters: how many of the newest rows are looked through, the condition's, the limit.
    """
    return (
        "SELECT id FROM (SELECT id, name, rowid AS key FROM jobs ORDER BY rowid DESC LIMIT ?) "
        f"WHERE id IS NOT NULL AND {test} ORDER BY key DESC LIMIT ?"
    )


# Parameters: how many of the newest rows are looked through, the limit.
RECENT_FUNCTIONS = """
SELECT substr(function_module, 1, 200) AS module, substr(function_name, 1, 200) AS name
FROM (SELECT function_module, function_name, rowid AS key FROM jobs ORDER BY rowid DESC LIMIT ?)
GROUP BY module, name ORDER BY max(key) DESC LIMIT ?"""

# In the order of the claim: a new row stands behind all of its own priority. Parameters: the
# priority, the limit.
READY_AHEAD = f"""
SELECT COUNT(*) FROM (
    SELECT 1 FROM jobs INDEXED BY core_open
    WHERE {IS_READY} AND function_module <> '__main__'
      AND priority >= ? LIMIT ?)"""

# A claim first makes ready what has become due. Parameters: now, the limit of the rows that are
# looked at, the priority.
DUE_AHEAD = f"""
SELECT COUNT(*) FROM (
    SELECT priority FROM jobs INDEXED BY core_due_utc
    WHERE status = 'pending' AND due IS NOT NULL AND retry_after <> '{PARKED}'
      AND due <= ? LIMIT ?)
WHERE priority >= ?"""


def ahead_of_priority_unattached(schema: FileSchema) -> str:
    """How many waiting rows were looked at, and how many of them are claimed before a new one.

    Parameters: the priority, the limit of the rows looked at.
    """
    blocked = f"""EXISTS (
        SELECT 1 FROM {parents_of("w")} d JOIN jobs p ON p.id = d.value
        WHERE p.status <> 'completed')"""
    return f"""
SELECT COUNT(*), COALESCE(SUM(w.priority >= ? AND NOT {blocked}), 0)
FROM (SELECT priority, dependencies FROM jobs {schema.indexed_by(STATUS_INDEX)}
      WHERE status = 'pending' LIMIT ?) w"""


# --- the newest attempts: their rowids stand in the order in which they began -------------------


def _attempt(schema: FileSchema) -> str:
    """What is asked of an attempt `e`."""
    present = schema.execution_columns
    return (
        "SELECT e.rowid AS key, substr(e.id, 1, 200) AS id, substr(e.status, 1, 40) AS status, "
        f"{BEGAN.columns(present, 'e')}, {ENDED.columns(present, 'e')}"
    )


NEWEST_ATTEMPT = "SELECT max(rowid) FROM job_executions"
ATTEMPT_ID = "SELECT substr(id, 1, 200) AS id FROM job_executions WHERE rowid = ?"


def attempts_above(schema: FileSchema) -> str:
    """Attempts from a row on. Parameters: the rowid, the limit."""
    return f"{_attempt(schema)} FROM job_executions e WHERE e.rowid > ? ORDER BY e.rowid LIMIT ?"


def attempts_below(schema: FileSchema) -> str:
    """Attempts before a row, the newest first. Parameters: the rowid, the limit."""
    source = "FROM job_executions e WHERE e.rowid < ? ORDER BY e.rowid DESC LIMIT ?"
    return f"{_attempt(schema)} {source}"


def attempts_at(schema: FileSchema) -> str:
    """Some attempts. Parameter: their rowids as a JSON list."""
    return (
        f"{_attempt(schema)} FROM json_each(?) wanted "
        "CROSS JOIN job_executions e ON e.rowid = wanted.value"
    )


def attempts_that_run(schema: FileSchema) -> str:
    """The live attempts of running jobs, wherever their rows stand. Parameter: the limit."""
    return (
        f"{_attempt(schema)} FROM jobs j {schema.indexed_by(STATUS_INDEX)} "
        "JOIN job_executions e ON e.id = j.execution_id WHERE j.status = 'running' LIMIT ?"
    )


# --- what each function has to do ---------------------------------------------------------------


def ready_by_function(schema: FileSchema) -> str:
    """How many jobs of each function are ready, looked for up to a limit. Parameter: the limit.

    On a file without parking they are all that wait.
    """
    columns = (
        "substr(function_module, 1, 200) AS function_module, "
        "substr(function_name, 1, 200) AS function_name, "
        f"{CREATED.columns(schema.job_columns, 'jobs')}"
    )
    if schema.has_claim_order:
        found = (
            f"SELECT {columns} FROM jobs INDEXED BY core_open "
            f"WHERE {IS_READY} AND function_module <> '__main__' "
            f"UNION ALL SELECT {columns} FROM jobs INDEXED BY core_open_script "
            f"WHERE {IS_READY} AND function_module = '__main__'"
        )
    else:
        waits = "status = 'pending'" + (" AND retry_after IS NULL" if schema.attached else "")
        found = f"SELECT {columns} FROM jobs {schema.indexed_by(STATUS_INDEX)} WHERE {waits}"
    return (
        "SELECT function_module, function_name, COUNT(*) AS n, "
        f"MIN({CREATED.instant}) AS {CREATED.instant}, MIN({CREATED.text}) AS {CREATED.text} "
        f"FROM ({found} LIMIT ?) GROUP BY function_module, function_name"
    )


def running_by_function(schema: FileSchema) -> str:
    """What runs, and by when it should have ended. Parameter: the limit."""
    return (
        "SELECT substr(function_module, 1, 200) AS function_module, "
        "substr(function_name, 1, 200) AS function_name, "
        f"substr(worker_id, 1, 200) AS worker_id, {BEGAN.columns(schema.job_columns, 'jobs')}, "
        f"{number_of('jobs', 'timeout')} "
        f"FROM jobs {schema.indexed_by(STATUS_INDEX)} WHERE status = 'running' LIMIT ?"
    )
