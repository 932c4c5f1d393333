"""Every table, column, index and trigger of a queue file, named, in the order they are made.

Whoever opens the file must be able to parse all of it, GigQ's interpreter included: one
construct that an older SQLite does not know makes each of its statements fail with "malformed
database schema". So this module keeps to what SQLite 3.35 with JSON1 parses: no STRICT, no
`->>`, no expression in RAISE.
"""

from __future__ import annotations

SCHEMA_VERSION = 1

# A pending row with this `retry_after` is *blocked*: GigQ's own claim passes it by.
PARKED = "9999-12-31T23:59:59"

# ---------------------------------------------------------------------------------------------
# GigQ's own part: what `gigq` 0.5.1 creates, column by column.

CREATE_JOBS = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    function_name TEXT NOT NULL,
    function_module TEXT NOT NULL,
    params TEXT,
    priority INTEGER DEFAULT 0,
    dependencies TEXT,
    max_attempts INTEGER DEFAULT 3,
    timeout INTEGER DEFAULT 300,
    description TEXT,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    attempts INTEGER DEFAULT 0,
    result TEXT,
    error TEXT,
    started_at TEXT,
    completed_at TEXT,
    worker_id TEXT,
    pass_parent_results INTEGER,
    retry_delay INTEGER DEFAULT 0,
    retry_after TEXT
)"""

CREATE_EXECUTIONS = """
CREATE TABLE IF NOT EXISTS job_executions (
    id TEXT PRIMARY KEY,
    job_id TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at TEXT NOT NULL,
    completed_at TEXT,
    result TEXT,
    error TEXT,
    FOREIGN KEY (job_id) REFERENCES jobs (id)
)"""

GIGQ_INDEXES = (
    "CREATE INDEX IF NOT EXISTS idx_jobs_status ON jobs (status)",
    "CREATE INDEX IF NOT EXISTS idx_jobs_priority ON jobs (priority)",
)

# Columns that GigQ itself added after its release 0.1.0: they stay when ours are removed.
GIGQ_LATER_COLUMNS = (
    ("jobs", "pass_parent_results", "INTEGER"),
    ("jobs", "retry_delay", "INTEGER DEFAULT 0"),
    ("jobs", "retry_after", "TEXT"),
)

# ---------------------------------------------------------------------------------------------
# Our additions. All of it is found by its prefix, `core_`, but for the columns.

OUR_COLUMNS = (
    # The token of the live attempt: whoever does not hold it can't end the job.
    ("jobs", "execution_id", "TEXT"),
    # A blocked job's own due time, kept while `retry_after` holds PARKED.
    ("jobs", "due_at", "TEXT"),
    # Somebody asked the worker of this running job to stop it.
    ("jobs", "stop_requested_at", "TEXT"),
    # What becomes of the job when its process dies: 'fail', or anything else to try again.
    ("jobs", "on_crash", "TEXT"),
    ("job_executions", "traceback", "TEXT"),
    # The captured output's file, relative to the folder of logs; NULL when nothing was printed.
    ("job_executions", "output", "TEXT"),
    # The process that runs or ran the attempt.
    ("job_executions", "pid", "INTEGER"),
)

CREATE_META = "CREATE TABLE IF NOT EXISTS core_meta (key TEXT PRIMARY KEY, value TEXT)"

# `met`: 0 the parent has not completed, 1 it has, 2 it was already missing when the file was
# attached and counts as completed, as it does for GigQ.
CREATE_EDGES = """
CREATE TABLE IF NOT EXISTS core_edges (
    child_id TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    met INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (child_id, parent_id)
) WITHOUT ROWID"""

# A completed job that was deleted still satisfies children that come later; and what any deleted
# job left behind is found by its tombstone when it has grown old.
CREATE_TOMBSTONES = """
CREATE TABLE IF NOT EXISTS core_tombstones (
    job_id TEXT PRIMARY KEY,
    completed INTEGER NOT NULL,
    deleted_at TEXT NOT NULL
) WITHOUT ROWID"""

CREATE_COUNTS = """
CREATE TABLE IF NOT EXISTS core_counts (
    state TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) WITHOUT ROWID"""

# A row here lets this transaction move a final job: undo's explicit way past the guard.
CREATE_OVERRIDES = "CREATE TABLE IF NOT EXISTS core_overrides (job_id TEXT PRIMARY KEY)"

CREATE_WORKERS = """
CREATE TABLE IF NOT EXISTS core_workers (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_started TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    pid_namespace TEXT NOT NULL,
    isolation TEXT NOT NULL,
    slots INTEGER NOT NULL,
    python TEXT,
    chdir TEXT,
    log_path TEXT,
    state TEXT NOT NULL,
    request TEXT,
    started_at TEXT NOT NULL,
    stopped_at TEXT,
    beat INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    last_claim_at TEXT
)"""

CREATE_TABLES = (
    CREATE_META,
    CREATE_EDGES,
    CREATE_TOMBSTONES,
    CREATE_COUNTS,
    CREATE_OVERRIDES,
    CREATE_WORKERS,
)

OUR_TABLES = (
    "core_meta",
    "core_edges",
    "core_tombstones",
    "core_counts",
    "core_overrides",
    "core_workers",
)

# Claims walk one of the first two, already in claim order. Functions of `__main__` stand apart
# because only the script that holds them can run them: no worker has to step over them.
INDEXES = {
    "core_ready": """
        CREATE INDEX IF NOT EXISTS core_ready ON jobs (priority DESC)
        WHERE status = 'pending' AND retry_after IS NULL AND function_module <> '__main__'""",
    "core_ready_script": """
        CREATE INDEX IF NOT EXISTS core_ready_script ON jobs (priority DESC)
        WHERE status = 'pending' AND retry_after IS NULL AND function_module = '__main__'""",
    "core_due": f"""
        CREATE INDEX IF NOT EXISTS core_due ON jobs (retry_after)
        WHERE status = 'pending' AND retry_after IS NOT NULL
          AND retry_after <> '{PARKED}'""",
    "core_blocked": f"""
        CREATE INDEX IF NOT EXISTS core_blocked ON jobs (priority DESC)
        WHERE status = 'pending' AND retry_after = '{PARKED}'""",
    "core_running": """
        CREATE INDEX IF NOT EXISTS core_running ON jobs (started_at)
        WHERE status = 'running'""",
    "core_executions_job": """
        CREATE INDEX IF NOT EXISTS core_executions_job ON job_executions (job_id, started_at)""",
    "core_tombstones_age": """
        CREATE INDEX IF NOT EXISTS core_tombstones_age ON core_tombstones (deleted_at)""",
    "core_edges_parent": """
        CREATE INDEX IF NOT EXISTS core_edges_parent ON core_edges (parent_id)""",
    "core_edges_unmet": """
        CREATE INDEX IF NOT EXISTS core_edges_unmet ON core_edges (child_id)
        WHERE met = 0""",
}


def state_of(row: str) -> str:
    """The SQL for the counter that `row` (OLD or NEW) belongs to."""
    return (
        f"CASE WHEN {row}.status <> 'pending' THEN {row}.status "
        f"WHEN {row}.retry_after IS NULL THEN 'ready' "
        f"WHEN {row}.retry_after = '{PARKED}' THEN 'blocked' ELSE 'delayed' END"
    )


def _count(row: str, step: str) -> str:
    return f"UPDATE core_counts SET n = n {step} WHERE state = {state_of(row)};"


def _ensure_counter(row: str) -> str:
    """A status word that nobody knows, in a damaged row, gets a counter of its own."""
    return f"INSERT OR IGNORE INTO core_counts (state, n) VALUES ({state_of(row)}, 0);"


_KNOWN_STATUSES = "('pending', 'running', 'completed', 'failed', 'cancelled', 'timeout')"

TRIGGERS = {
    # --- dependencies hold, whoever writes ----------------------------------------------------
    # `+status` keeps the planner away from the index on `status`: with it, each completion would
    # walk through all that is pending.
    "core_insert_dependencies": f"""
CREATE TRIGGER IF NOT EXISTS core_insert_dependencies AFTER INSERT ON jobs
WHEN NEW.dependencies IS NOT NULL AND NEW.dependencies <> '[]' AND NEW.dependencies <> ''
BEGIN
    INSERT OR IGNORE INTO core_edges (child_id, parent_id, met)
    SELECT NEW.id, d.value,
           EXISTS (SELECT 1 FROM jobs p WHERE p.id = d.value AND p.status = 'completed')
           OR EXISTS (SELECT 1 FROM core_tombstones t WHERE t.job_id = d.value AND t.completed = 1)
    FROM json_each(CASE WHEN json_valid(NEW.dependencies) THEN NEW.dependencies ELSE '[]' END) d
    WHERE d.type = 'text';
    UPDATE jobs SET due_at = retry_after, retry_after = '{PARKED}'
    WHERE id = NEW.id AND status = 'pending'
      AND EXISTS (SELECT 1 FROM core_edges e WHERE e.child_id = NEW.id AND e.met = 0);
END""",
    "core_insert_completed": f"""
CREATE TRIGGER IF NOT EXISTS core_insert_completed AFTER INSERT ON jobs
WHEN NEW.status = 'completed'
BEGIN
    UPDATE core_edges SET met = 1 WHERE parent_id = NEW.id AND met = 0;
    UPDATE jobs SET retry_after = due_at, due_at = NULL
    WHERE id IN (SELECT child_id FROM core_edges WHERE parent_id = NEW.id)
      AND +status = 'pending' AND +retry_after = '{PARKED}'
      AND NOT EXISTS (SELECT 1 FROM core_edges e WHERE e.child_id = jobs.id AND e.met = 0);
END""",
    # A job that is submitted once more is waited for once more.
    "core_insert_again": """
CREATE TRIGGER IF NOT EXISTS core_insert_again AFTER INSERT ON jobs
WHEN EXISTS (SELECT 1 FROM core_tombstones t WHERE t.job_id = NEW.id)
BEGIN
    DELETE FROM core_tombstones WHERE job_id = NEW.id;
END""",
    # A parent that was missing when the file was attached has come: GigQ waits for it from now on.
    "core_insert_late_parent": f"""
CREATE TRIGGER IF NOT EXISTS core_insert_late_parent AFTER INSERT ON jobs
WHEN NEW.status <> 'completed'
 AND EXISTS (SELECT 1 FROM core_edges e WHERE e.parent_id = NEW.id AND e.met = 2)
BEGIN
    UPDATE core_edges SET met = 0 WHERE parent_id = NEW.id AND met = 2;
    UPDATE jobs SET due_at = retry_after, retry_after = '{PARKED}'
    WHERE id IN (SELECT child_id FROM core_edges WHERE parent_id = NEW.id AND met = 0)
      AND +status = 'pending' AND +retry_after IS NOT '{PARKED}';
END""",
    "core_release": f"""
CREATE TRIGGER IF NOT EXISTS core_release AFTER UPDATE OF status ON jobs
WHEN NEW.status = 'completed' AND OLD.status <> 'completed'
BEGIN
    UPDATE core_edges SET met = 1 WHERE parent_id = NEW.id AND met = 0;
    UPDATE jobs SET retry_after = due_at, due_at = NULL
    WHERE id IN (SELECT child_id FROM core_edges WHERE parent_id = NEW.id)
      AND +status = 'pending' AND +retry_after = '{PARKED}'
      AND NOT EXISTS (SELECT 1 FROM core_edges e WHERE e.child_id = jobs.id AND e.met = 0);
END""",
    # Whenever a row becomes pending its parking is computed anew: GigQ's requeue keeps an old
    # `retry_after`, its retry writes NULL over ours.
    "core_park": f"""
CREATE TRIGGER IF NOT EXISTS core_park AFTER UPDATE OF status ON jobs
WHEN NEW.status = 'pending'
 AND EXISTS (SELECT 1 FROM core_edges e WHERE e.child_id = NEW.id AND e.met = 0)
 AND NEW.retry_after IS NOT '{PARKED}'
BEGIN
    UPDATE jobs SET due_at = retry_after, retry_after = '{PARKED}' WHERE id = NEW.id;
END""",
    "core_unpark": f"""
CREATE TRIGGER IF NOT EXISTS core_unpark AFTER UPDATE OF status ON jobs
WHEN NEW.status = 'pending' AND NEW.retry_after = '{PARKED}'
 AND NOT EXISTS (SELECT 1 FROM core_edges e WHERE e.child_id = NEW.id AND e.met = 0)
BEGIN
    UPDATE jobs SET retry_after = due_at, due_at = NULL WHERE id = NEW.id;
END""",
    "core_delete": """
CREATE TRIGGER IF NOT EXISTS core_delete AFTER DELETE ON jobs
WHEN OLD.id IS NOT NULL
BEGIN
    INSERT OR REPLACE INTO core_tombstones (job_id, completed, deleted_at)
    VALUES (OLD.id, OLD.status IS 'completed', strftime('%Y-%m-%dT%H:%M:%f', 'now', 'localtime'));
    DELETE FROM core_edges WHERE child_id = OLD.id;
END""",
    # --- one outcome --------------------------------------------------------------------------
    # A row with a token leaves `running` only in a statement that takes the token away.
    "core_fence_running": """
CREATE TRIGGER IF NOT EXISTS core_fence_running BEFORE UPDATE OF status ON jobs
WHEN OLD.status = 'running' AND OLD.execution_id IS NOT NULL
 AND NEW.execution_id IS OLD.execution_id AND NEW.status <> 'running'
BEGIN
    SELECT RAISE(IGNORE);
END""",
    # Nothing leaves `completed`; the other ends leave only for a fresh start, which clears the
    # error too: a late retry of GigQ's writes one.
    "core_fence_final": """
CREATE TRIGGER IF NOT EXISTS core_fence_final BEFORE UPDATE OF status ON jobs
WHEN OLD.status IN ('completed', 'failed', 'timeout', 'cancelled')
 AND NOT (OLD.status <> 'completed' AND NEW.status = 'pending' AND NEW.attempts = 0
          AND NEW.error IS NULL)
 AND NOT EXISTS (SELECT 1 FROM core_overrides o WHERE o.job_id = OLD.id)
BEGIN
    SELECT RAISE(IGNORE);
END""",
    "core_fence_execution": """
CREATE TRIGGER IF NOT EXISTS core_fence_execution BEFORE UPDATE OF status ON job_executions
WHEN EXISTS (SELECT 1 FROM jobs j WHERE j.id = OLD.job_id AND j.execution_id = OLD.id)
BEGIN
    SELECT RAISE(IGNORE);
END""",
    # GigQ closes the execution of an attempt whose outcome the fences discarded. It stamps a job
    # and its execution with the same time, so another time tells that the job is not the reason.
    "core_supersede_execution": """
CREATE TRIGGER IF NOT EXISTS core_supersede_execution AFTER UPDATE OF status ON job_executions
WHEN OLD.status <> 'running' AND NEW.status IN ('completed', 'failed')
 AND NOT EXISTS (
    SELECT 1 FROM jobs j WHERE j.id = NEW.job_id AND j.updated_at IS NEW.completed_at)
BEGIN
    UPDATE job_executions SET status = 'superseded' WHERE id = NEW.id;
END""",
    # --- counters, so that nobody has to count ------------------------------------------------
    "core_count_insert": f"""
CREATE TRIGGER IF NOT EXISTS core_count_insert AFTER INSERT ON jobs
BEGIN
    {_count("NEW", "+ 1")}
END""",
    "core_count_insert_unknown": f"""
CREATE TRIGGER IF NOT EXISTS core_count_insert_unknown BEFORE INSERT ON jobs
WHEN NEW.status NOT IN {_KNOWN_STATUSES}
BEGIN
    {_ensure_counter("NEW")}
END""",
    "core_count_update": f"""
CREATE TRIGGER IF NOT EXISTS core_count_update AFTER UPDATE OF status, retry_after ON jobs
WHEN ({state_of("OLD")}) <> ({state_of("NEW")})
BEGIN
    {_count("OLD", "- 1")}
    {_count("NEW", "+ 1")}
END""",
    "core_count_update_unknown": f"""
CREATE TRIGGER IF NOT EXISTS core_count_update_unknown BEFORE UPDATE OF status ON jobs
WHEN NEW.status NOT IN {_KNOWN_STATUSES}
BEGIN
    {_ensure_counter("NEW")}
END""",
    "core_count_delete": f"""
CREATE TRIGGER IF NOT EXISTS core_count_delete AFTER DELETE ON jobs
BEGIN
    {_count("OLD", "- 1")}
END""",
}

COUNTER_STATES = (
    "ready",
    "blocked",
    "delayed",
    "running",
    "completed",
    "failed",
    "cancelled",
    "timeout",
)

# ---------------------------------------------------------------------------------------------
# What attaching fills in for the rows that are already there.

FILL_COUNTERS = f"""
INSERT INTO core_counts (state, n)
SELECT {state_of("jobs")}, COUNT(*) FROM jobs WHERE true GROUP BY 1
ON CONFLICT (state) DO UPDATE SET n = excluded.n"""

# A parent that is missing now counts as completed (met = 2): so it does for GigQ, whose users
# submitted these rows.
FILL_EDGES = """
INSERT OR IGNORE INTO core_edges (child_id, parent_id, met)
SELECT j.id, d.value,
       CASE WHEN p.id IS NULL THEN 2 WHEN p.status = 'completed' THEN 1 ELSE 0 END
FROM jobs j,
     json_each(CASE WHEN json_valid(j.dependencies) THEN j.dependencies ELSE '[]' END) d
     LEFT JOIN jobs p ON p.id = d.value
WHERE j.dependencies IS NOT NULL AND j.dependencies NOT IN ('', '[]') AND d.type = 'text'"""

PARK_BLOCKED = f"""
UPDATE jobs SET due_at = retry_after, retry_after = '{PARKED}'
WHERE status = 'pending' AND retry_after IS NOT '{PARKED}'
  AND id IN (SELECT child_id FROM core_edges WHERE met = 0)"""

UNPARK_ALL = f"""
UPDATE jobs SET retry_after = due_at
WHERE retry_after = '{PARKED}'"""
