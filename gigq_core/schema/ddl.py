"""Every table, column, index and trigger of a queue file, named, in the order they are made.

Whoever opens the file must be able to parse all of it, GigQ's interpreter included: one
construct that an older SQLite does not know makes each of its statements fail with "malformed
database schema". So this module keeps to what SQLite 3.35 with JSON1 parses: no STRICT, no
`->>`, no expression in RAISE.
"""

from __future__ import annotations

from gigq_core.lane_names import HIDDEN

SCHEMA_VERSION = 4

# Far-off words in `retry_after`, by which GigQ's own claim passes a pending row by.
# *Blocked*: it waits for a parent.
PARKED = "9999-12-31T23:59:59"
# Hidden from GigQ, and waiting for the time in `due`, or for its lane.
HELD = "9999-12-31T23:59:58"
# Hidden from GigQ, and ready for workers of ours.
OURS = "9999-12-31T23:59:57"
# Hidden from GigQ, and ready for workers of ours that name its lane.
RESERVED = "9999-12-31T23:59:56"
# Below this a text is a time, and no word of ours.
FIRST_WORD = RESERVED
WORDS = (PARKED, HELD, OURS, RESERVED)

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
    # Somebody asked the worker of this running job to stop it.
    ("jobs", "stop_requested_at", "TEXT"),
    # What becomes of the job when its process dies: 'fail', or anything else to try again.
    ("jobs", "on_crash", "TEXT"),
    # Instants, in seconds since 1970, UTC: GigQ's own columns are texts of the writer's zone.
    ("jobs", "created", "REAL"),
    # Before this it is not to run; parking leaves it alone.
    ("jobs", "due", "REAL"),
    # The delay that `due` was made of, so that a clock that is set back can be told.
    ("jobs", "due_in", "REAL"),
    ("jobs", "began", "REAL"),
    ("jobs", "ended", "REAL"),
    # The lane that it waits in, or HIDDEN for one that waits in none; NULL for what GigQ may run.
    ("jobs", "lane", "TEXT"),
    # What an attempt that failed is followed by, as JSON; NULL for GigQ's plain `retry_delay`.
    ("jobs", "retry_policy", "TEXT"),
    # What becomes of the job when a parent fails for good: 'cancel', 'run'; else it waits.
    ("jobs", "on_parent_failure", "TEXT"),
    # The name of the workflow that it was submitted with, and which of that name's runs it was.
    ("jobs", "workflow", "TEXT"),
    ("jobs", "workflow_id", "TEXT"),
    ("jobs", "batch", "TEXT"),
    # Seconds without a sign of life after which an attempt is stopped.
    ("jobs", "stall_timeout", "REAL"),
    # What no other job is to have while this one has it; until 'ended', 'started' or 'forever', or
    # for so many seconds after `created`.
    ("jobs", "unique_key", "TEXT"),
    ("jobs", "unique_until", "TEXT"),
    ("jobs", "unique_within", "REAL"),
    # The most memory of an attempt, in bytes.
    ("jobs", "memory", "INTEGER"),
    # Where it comes from: a schedule and its slot (an instant), a hook, the job that submitted it.
    ("jobs", "schedule", "TEXT"),
    ("jobs", "slot", "REAL"),
    ("jobs", "hook", "TEXT"),
    ("jobs", "submitted_by", "TEXT"),
    ("job_executions", "traceback", "TEXT"),
    # The captured output's file, relative to the folder of logs; NULL when nothing was printed.
    ("job_executions", "output", "TEXT"),
    # The process that runs or ran the attempt.
    ("job_executions", "pid", "INTEGER"),
    ("job_executions", "began", "REAL"),
    ("job_executions", "ended", "REAL"),
    # What failed, and by what failures of the same kind are known.
    ("job_executions", "error_type", "TEXT"),
    ("job_executions", "error_message", "TEXT"),
    ("job_executions", "fingerprint", "TEXT"),
    # What was decided for the job after this attempt, where its retry policy had a say.
    ("job_executions", "decision", "TEXT"),
    # The host that runs or ran the attempt, and that `pid` is of; NULL for the worker's own.
    ("job_executions", "agent", "TEXT"),
    # Which link of its worker led there, by its number.
    ("job_executions", "link", "INTEGER"),
)

# Columns of our own tables that an earlier release did not have.
OUR_LATER_COLUMNS = (
    ("core_edges", "on_failure", "INTEGER NOT NULL DEFAULT 0"),
    # Instants, as above.
    ("core_workers", "began", "REAL"),
    ("core_workers", "ended", "REAL"),
    ("core_workers", "claimed", "REAL"),
    # The SCHEMA_VERSION that the worker knows; NULL for one before 2.
    ("core_workers", "release", "INTEGER"),
    # Lanes that the worker takes too, and those that it takes alone: JSON lists of patterns.
    ("core_workers", "lanes", "TEXT"),
    ("core_workers", "only_lanes", "TEXT"),
)

# Columns that an earlier release had.
OUR_FORMER_COLUMNS = (("jobs", "due_at"),)

CREATE_META = "CREATE TABLE IF NOT EXISTS core_meta (key TEXT PRIMARY KEY, value TEXT)"

# `met`: 0 the parent has not completed, 1 it has, 2 it was already missing when the file was
# attached and counts as completed, as it does for GigQ, 3 it failed, and the child went on.
# `on_failure`: what becomes of the child when the parent fails: 0 it waits, 1 it is cancelled, 2 it
# runs.
CREATE_EDGES = """
CREATE TABLE IF NOT EXISTS core_edges (
    child_id TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    met INTEGER NOT NULL DEFAULT 0,
    on_failure INTEGER NOT NULL DEFAULT 0,
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
    last_claim_at TEXT,
    began REAL,
    ended REAL,
    claimed REAL,
    release INTEGER,
    lanes TEXT,
    only_lanes TEXT
)"""

# Parents that failed, and whose children have still to be told; the name of one that was deleted.
CREATE_CASCADE = """
CREATE TABLE IF NOT EXISTS core_cascade (
    place INTEGER PRIMARY KEY,
    parent_id TEXT NOT NULL UNIQUE,
    name TEXT
)"""

# Children that were cancelled because an ancestor failed.
CREATE_CASCADED = """
CREATE TABLE IF NOT EXISTS core_cascaded (
    child_id TEXT PRIMARY KEY,
    culprit_id TEXT NOT NULL
) WITHOUT ROWID"""

# How far the last attempt that told it has come.
CREATE_PROGRESS = """
CREATE TABLE IF NOT EXISTS core_progress (
    job_id TEXT PRIMARY KEY,
    execution_id TEXT NOT NULL,
    done REAL NOT NULL,
    total REAL,
    note TEXT,
    at REAL NOT NULL
) WITHOUT ROWID"""

# What a job saved for its next attempt, as JSON.
CREATE_SAVES = """
CREATE TABLE IF NOT EXISTS core_saves (
    job_id TEXT PRIMARY KEY,
    saved TEXT NOT NULL,
    at REAL NOT NULL
)"""

# What is to be done when, by whichever worker comes first: `kind:name`, an instant, and what went
# wrong last time.
CREATE_AGENDA = """
CREATE TABLE IF NOT EXISTS core_agenda (
    what TEXT PRIMARY KEY,
    at REAL NOT NULL,
    trouble TEXT
) WITHOUT ROWID"""

# The keys of unique jobs that were deleted while they held them for longer. `within`: for how long
# after `created`; NULL for ever.
CREATE_KEPT_KEYS = """
CREATE TABLE IF NOT EXISTS core_kept_keys (
    job_id TEXT PRIMARY KEY,
    unique_key TEXT NOT NULL,
    name TEXT NOT NULL,
    created REAL,
    within REAL,
    holds_until REAL NOT NULL
) WITHOUT ROWID"""

# What is to be told of jobs that ended: by which hook, and of which of them. A hook's `waiting`
# counts all that wait to be told; `first` is when the first of them ended. `failures` of its own
# jobs are counted since the last one that completed.
CREATE_HOOKS = """
CREATE TABLE IF NOT EXISTS core_hooks (
    name TEXT PRIMARY KEY,
    event TEXT NOT NULL,
    match TEXT NOT NULL,
    every REAL NOT NULL,
    made REAL NOT NULL,
    paused REAL,
    waiting INTEGER NOT NULL DEFAULT 0,
    seen INTEGER NOT NULL DEFAULT 0,
    first REAL,
    last REAL,
    last_job TEXT,
    last_status TEXT,
    jobs INTEGER NOT NULL DEFAULT 0,
    told INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID"""

# The definition of a hook's jobs. It may be large, and the rows above are written at each ending.
CREATE_HOOK_JOBS = """
CREATE TABLE IF NOT EXISTS core_hook_jobs (
    hook TEXT PRIMARY KEY,
    definition TEXT NOT NULL
) WITHOUT ROWID"""

# What a hook's match asks for: of each clause one term at least has to be as `wanted`.
CREATE_HOOK_TERMS = """
CREATE TABLE IF NOT EXISTS core_hook_terms (
    hook TEXT NOT NULL,
    clause INTEGER NOT NULL,
    place INTEGER NOT NULL,
    field TEXT NOT NULL,
    exact INTEGER NOT NULL,
    pattern TEXT NOT NULL,
    wanted INTEGER NOT NULL,
    PRIMARY KEY (hook, clause, place)
) WITHOUT ROWID"""

# The jobs that a hook will name, as they were when they ended: not more than its next job holds.
CREATE_HOOK_OUTBOX = """
CREATE TABLE IF NOT EXISTS core_hook_outbox (
    hook TEXT NOT NULL,
    place INTEGER NOT NULL,
    job_id TEXT,
    execution_id TEXT,
    status TEXT,
    name TEXT,
    function TEXT,
    error TEXT,
    attempts INTEGER,
    max_attempts INTEGER,
    worker TEXT,
    lane TEXT,
    workflow TEXT,
    batch TEXT,
    schedule TEXT,
    ended REAL,
    PRIMARY KEY (hook, place)
) WITHOUT ROWID"""

# What runs a worker's jobs elsewhere, one for each link of it: `<worker's id>/<number>`. `began` is
# when the link came to stand, `heard` when it was last heard, `latency` is in seconds.
CREATE_AGENTS = """
CREATE TABLE IF NOT EXISTS core_agents (
    id TEXT PRIMARY KEY,
    worker_id TEXT NOT NULL,
    via TEXT NOT NULL,
    host TEXT,
    pid INTEGER,
    python TEXT,
    slots INTEGER NOT NULL DEFAULT 0,
    busy INTEGER NOT NULL DEFAULT 0,
    load REAL,
    state TEXT NOT NULL,
    began REAL,
    heard REAL,
    latency REAL,
    trouble TEXT
) WITHOUT ROWID"""

# What somebody wants to know of an attempt that only its worker can find out, and the answer.
CREATE_ASKS = """
CREATE TABLE IF NOT EXISTS core_asks (
    id INTEGER PRIMARY KEY,
    worker_id TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    what TEXT NOT NULL,
    asked REAL NOT NULL,
    answer TEXT,
    trouble TEXT,
    answered REAL
)"""

# --- lanes

CREATE_LANE_RULES = """
CREATE TABLE IF NOT EXISTS core_lane_rules (
    pattern TEXT PRIMARY KEY,
    running INTEGER,
    rate TEXT,
    burst INTEGER NOT NULL DEFAULT 1,
    reserved INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID"""

CREATE_LANE_PAUSES = """
CREATE TABLE IF NOT EXISTS core_lane_pauses (
    pattern TEXT PRIMARY KEY,
    paused_at REAL NOT NULL
) WITHOUT ROWID"""

# `word`: what a job of the lane that becomes ready gets in `retry_after`; HELD where there is a
# limit, and where nothing is known. `shows`: the word of those that are shown. `tat`: when all that
# was spent of its rate is earned again.
# `opens_at`: until when a job has shut it, for `shut_for` seconds. `next_at`: when it is to be
# looked at anew, if nothing happens before.
CREATE_LANE_STATES = """
CREATE TABLE IF NOT EXISTS core_lane_states (
    lane TEXT PRIMARY KEY,
    word TEXT NOT NULL,
    shows TEXT NOT NULL,
    tat REAL,
    opens_at REAL,
    shut_for REAL,
    next_at REAL
) WITHOUT ROWID"""

# Lanes in which something has changed, in the order in which they are to be looked at.
CREATE_LANE_DIRTY = """
CREATE TABLE IF NOT EXISTS core_lane_dirty (
    place INTEGER PRIMARY KEY,
    lane TEXT NOT NULL UNIQUE
)"""

# For how long what has ended stays, in seconds, NULL for ever; and where the pass that looks
# through it has come to: one row, or none where nobody has said anything.
CREATE_KEEPING = """
CREATE TABLE IF NOT EXISTS core_keeping (
    place INTEGER PRIMARY KEY,
    completed REAL,
    failed REAL,
    cancelled REAL,
    archive TEXT NOT NULL DEFAULT '',
    version INTEGER NOT NULL DEFAULT 0,
    status TEXT,
    after INTEGER,
    walked TEXT,
    ended REAL,
    gone INTEGER NOT NULL DEFAULT 0,
    gone_last INTEGER NOT NULL DEFAULT 0,
    gone_pass INTEGER NOT NULL DEFAULT 0,
    needed_last INTEGER NOT NULL DEFAULT 0,
    trouble TEXT,
    trouble_at REAL,
    seen TEXT
)"""

# Attempts whose jobs are gone, and whose files may still be there.
CREATE_LEFT_FILES = """
CREATE TABLE IF NOT EXISTS core_left_files (execution_id TEXT PRIMARY KEY) WITHOUT ROWID"""

# --- schedules

# `next_at` is the slot that comes next, and `counted` when that was worked out. `fired` are the
# stretches of slots that made jobs, as JSON: `[[first, last], ...]`.
CREATE_SCHEDULES = """
CREATE TABLE IF NOT EXISTS core_schedules (
    name TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    zone TEXT NOT NULL,
    catch_up TEXT NOT NULL,
    overlap TEXT NOT NULL,
    definition TEXT NOT NULL,
    edition INTEGER NOT NULL DEFAULT 0,
    next_at REAL,
    counted REAL NOT NULL,
    paused_at REAL,
    last_slot REAL,
    last_job_id TEXT,
    fired TEXT NOT NULL DEFAULT '[]',
    skipped INTEGER NOT NULL DEFAULT 0,
    trouble TEXT
)"""

# Slots that made no job, and why.
CREATE_SCHEDULE_SKIPS = """
CREATE TABLE IF NOT EXISTS core_schedule_skips (
    place INTEGER PRIMARY KEY,
    schedule TEXT NOT NULL,
    slot REAL NOT NULL,
    first REAL NOT NULL,
    count INTEGER NOT NULL,
    why TEXT NOT NULL,
    at REAL NOT NULL
)"""

# Of the jobs that a schedule made; made along with the first schedule.
IS_ALIVE = "schedule IS NOT NULL AND status IN ('pending', 'running')"
NO_TRIGGERS: dict[str, str] = {}
SCHEDULE_INDEXES = {
    "core_schedule_jobs": """
        CREATE INDEX IF NOT EXISTS core_schedule_jobs ON jobs (schedule, slot)
        WHERE schedule IS NOT NULL""",
    "core_schedule_alive": f"""
        CREATE INDEX IF NOT EXISTS core_schedule_alive ON jobs (schedule)
        WHERE {IS_ALIVE}""",
}

# Of the attempts that agents ran; made along with the first worker that has some.
AGENT_INDEX = "core_agent_jobs"
AGENT_INDEXES = {
    AGENT_INDEX: f"""
        CREATE INDEX IF NOT EXISTS {AGENT_INDEX} ON job_executions (agent, job_id)
        WHERE agent IS NOT NULL""",
}

CREATE_TABLES = (
    CREATE_META,
    CREATE_EDGES,
    CREATE_TOMBSTONES,
    CREATE_COUNTS,
    CREATE_OVERRIDES,
    CREATE_WORKERS,
    CREATE_CASCADE,
    CREATE_CASCADED,
    CREATE_PROGRESS,
    CREATE_SAVES,
    CREATE_AGENDA,
    CREATE_KEPT_KEYS,
    CREATE_HOOKS,
    CREATE_HOOK_JOBS,
    CREATE_HOOK_TERMS,
    CREATE_HOOK_OUTBOX,
    CREATE_AGENTS,
    CREATE_ASKS,
    CREATE_LANE_RULES,
    CREATE_LANE_PAUSES,
    CREATE_LANE_STATES,
    CREATE_LANE_DIRTY,
    CREATE_KEEPING,
    CREATE_LEFT_FILES,
    CREATE_SCHEDULES,
    CREATE_SCHEDULE_SKIPS,
)

OUR_TABLES = (
    "core_meta",
    "core_edges",
    "core_tombstones",
    "core_counts",
    "core_overrides",
    "core_workers",
    "core_cascade",
    "core_cascaded",
    "core_progress",
    "core_saves",
    "core_agenda",
    "core_kept_keys",
    "core_hooks",
    "core_hook_jobs",
    "core_hook_terms",
    "core_hook_outbox",
    "core_agents",
    "core_asks",
    "core_lane_rules",
    "core_lane_pauses",
    "core_lane_states",
    "core_lane_dirty",
    "core_keeping",
    "core_left_files",
    "core_schedules",
    "core_schedule_skips",
)

# Claims walk one of the first two, already in claim order. Functions of `__main__` stand apart
# because only the script that holds them can run them: no worker has to step over them.
# A condition that changes gets its index another name: a worker of the previous release asks for
# the old one by name, and makes it again where it is gone.
IS_READY = f"status = 'pending' AND (retry_after IS NULL OR retry_after = '{OURS}')"
IS_DELAYED = f"status = 'pending' AND due IS NOT NULL AND retry_after <> '{PARKED}'"

# An attempt that failed, and one of them of which nobody has read yet what failed: of GigQ's, or of
# the release before. (The shortest test stands first: each row that is written is put to it.)
IS_FAILURE = "error IS NOT NULL AND status IN ('failed', 'timeout', 'crashed')"
IS_UNREAD_FAILURE = f"{IS_FAILURE} AND fingerprint IS NULL"

# --- unique jobs

# Whose key may be held: those that end leave the index. (What most rows fail stands first.)
IS_KEYED = "unique_key IS NOT NULL AND status IN ('pending', 'running')"
HOLDS_ALIVE = "(unique_until IS NOT 'started' OR (status = 'pending' AND attempts = 0))"
# Whose key outlives them, and until when. A clock that is set back keeps it for twice as long at
# most.
IS_LASTING = "unique_key IS NOT NULL AND (unique_until = 'forever' OR unique_within IS NOT NULL)"
LASTS_UNTIL = "coalesce(created + unique_within, 9e999)"
HOLDS_LASTING = "(unique_within IS NULL OR created - unique_within < :utc)"
# How long a key outlives the row of its job at most, if it is not held for ever: in seconds.
KEY_OUTLIVES_S = 30 * 86_400.0

INDEXES = {
    "core_open": f"""
        CREATE INDEX IF NOT EXISTS core_open ON jobs (priority DESC)
        WHERE {IS_READY} AND function_module <> '__main__'""",
    "core_open_script": f"""
        CREATE INDEX IF NOT EXISTS core_open_script ON jobs (priority DESC)
        WHERE {IS_READY} AND function_module = '__main__'""",
    "core_due_utc": f"""
        CREATE INDEX IF NOT EXISTS core_due_utc ON jobs (due, due_in)
        WHERE {IS_DELAYED}""",
    "core_blocked": f"""
        CREATE INDEX IF NOT EXISTS core_blocked ON jobs (priority DESC)
        WHERE status = 'pending' AND retry_after = '{PARKED}'""",
    "core_running": """
        CREATE INDEX IF NOT EXISTS core_running ON jobs (started_at)
        WHERE status = 'running'""",
    "core_workflow": """
        CREATE INDEX IF NOT EXISTS core_workflow ON jobs (workflow, workflow_id)
        WHERE workflow IS NOT NULL""",
    "core_batch": """
        CREATE INDEX IF NOT EXISTS core_batch ON jobs (batch) WHERE batch IS NOT NULL""",
    "core_kept_keys_key": """
        CREATE INDEX IF NOT EXISTS core_kept_keys_key
        ON core_kept_keys (unique_key, holds_until)""",
    "core_kept_keys_until": """
        CREATE INDEX IF NOT EXISTS core_kept_keys_until ON core_kept_keys (holds_until)""",
    "core_executions_job": """
        CREATE INDEX IF NOT EXISTS core_executions_job ON job_executions (job_id, started_at)""",
    "core_failures": f"""
        CREATE INDEX IF NOT EXISTS core_failures ON job_executions (fingerprint, job_id, ended)
        WHERE {IS_FAILURE}""",
    "core_tombstones_age": """
        CREATE INDEX IF NOT EXISTS core_tombstones_age ON core_tombstones (deleted_at)""",
    "core_edges_parent": """
        CREATE INDEX IF NOT EXISTS core_edges_parent ON core_edges (parent_id)""",
    "core_edges_unmet": """
        CREATE INDEX IF NOT EXISTS core_edges_unmet ON core_edges (child_id)
        WHERE met = 0""",
    "core_edges_policy": """
        CREATE INDEX IF NOT EXISTS core_edges_policy ON core_edges (parent_id, on_failure, child_id)
        WHERE on_failure <> 0""",
    "core_schedule_skips_of": """
        CREATE INDEX IF NOT EXISTS core_schedule_skips_of
        ON core_schedule_skips (schedule, place)""",
    "core_agenda_at": """
        CREATE INDEX IF NOT EXISTS core_agenda_at ON core_agenda (at)""",
    "core_cascaded_culprit": """
        CREATE INDEX IF NOT EXISTS core_cascaded_culprit ON core_cascaded (culprit_id)""",
    "core_lane_next": """
        CREATE INDEX IF NOT EXISTS core_lane_next ON core_lane_states (next_at)
        WHERE next_at IS NOT NULL""",
}

# --- instants in SQL -------------------------------------------------------------------------

# The present moment. A stamp is never read from a text: one of local time is not unique.
NOW = "((julianday('now') - 2440587.5) * 86400.0)"

# The farthest `due` that is still no word when it is written as a text.
LAST_DUE_S = 253_402_128_000.0


def instant_of(text: str) -> str:
    """The SQL for the moment that a text of GigQ's stands for, or NULL; the zone is the reader's.

    Only for what is already there, and for what others write: which moment a text of the hour that
    comes twice stands for, nobody knows.
    """
    utc = f"(julianday({text}) - 2440587.5) * 86400.0"
    local = f"(julianday({text}, 'utc') - 2440587.5) * 86400.0"
    # A number alone would be taken for a Julian day.
    return (
        f"CASE WHEN {text} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' THEN "
        f"CASE WHEN {text} GLOB '*[+-][0-9][0-9]:[0-9][0-9]' OR {text} GLOB '*[Zz]' "
        f"THEN {utc} ELSE {local} END END"
    )


def local_text(instant: str) -> str:
    """The SQL for the text that GigQ reads an instant as, in the writer's zone."""
    return f"strftime('%Y-%m-%dT%H:%M:%f', {instant}, 'unixepoch', 'localtime')"


def _stamp(text: str) -> str:
    """The moment of a row that is written now: by the clock, but where its text is of another day.

    Within a day the difference may be the writer's zone.
    """
    parsed = instant_of(text)
    return (
        f"CASE WHEN abs(coalesce({parsed}, {NOW}) - {NOW}) > 93600.0 THEN {parsed} ELSE {NOW} END"
    )


# What a hidden row has in `retry_after` that waits for nothing more, but perhaps for its lane,
# where whoever looks at the lane shows it.
HIDDEN_READY = f"CASE WHEN lane = '{HIDDEN}' THEN '{OURS}' ELSE '{HELD}' END"

# And if it may wait for its time.
HIDDEN_WORD = f"CASE WHEN due IS NULL THEN {HIDDEN_READY} ELSE '{HELD}' END"

# What any row that waits has there.
UNPARKED = (
    f"CASE WHEN lane IS NOT NULL THEN {HIDDEN_WORD} "
    f"WHEN due IS NOT NULL THEN {local_text('due')} END"
)

_IS_TIME = "({row}.retry_after IS NULL OR {row}.retry_after < '" + FIRST_WORD + "')"
_TO_DUE = (
    f"coalesce({instant_of('NEW.retry_after')}, "
    f"CASE WHEN NEW.retry_after <= {local_text(NOW)} THEN 0.0 END)"
)


# Whether a parent has completed, as a new edge holds it.
IS_MET = (
    "EXISTS (SELECT 1 FROM jobs p WHERE p.id = {parent} AND p.status = 'completed')\n"
    "           OR EXISTS (SELECT 1 FROM core_tombstones t WHERE t.job_id = {parent} "
    "AND t.completed = 1)"
)


def state_of(row: str) -> str:
    """The SQL for the counter that `row` (OLD or NEW) belongs to."""
    return (
        f"CASE WHEN {row}.status <> 'pending' THEN {row}.status "
        f"WHEN {row}.retry_after IS NULL OR {row}.retry_after = '{OURS}' THEN 'ready' "
        f"WHEN {row}.retry_after = '{PARKED}' THEN 'blocked' "
        # What waits for its lane alone is ready.
        f"WHEN {row}.due IS NULL AND {row}.retry_after IN ('{HELD}', '{RESERVED}') THEN 'ready' "
        "ELSE 'delayed' END"
    )


def _count(row: str, step: str) -> str:
    return f"UPDATE core_counts SET n = n {step} WHERE state = {state_of(row)};"


def _ensure_counter(row: str) -> str:
    """A status word that nobody knows, in a damaged row, gets a counter of its own."""
    return f"INSERT OR IGNORE INTO core_counts (state, n) VALUES ({state_of(row)}, 0);"


# The usual words come first, and end the comparison: a list in parentheses is gone through.
_IS_UNKNOWN = " AND ".join(
    f"NEW.status <> '{word}'"
    for word in ("running", "completed", "pending", "failed", "cancelled", "timeout")
)

TRIGGERS = {
    # --- dependencies hold, whoever writes ----------------------------------------------------
    # `+status` keeps the planner away from the index on `status`: with it, each completion would
    # walk through all that is pending.
    "core_insert_dependencies": f"""
CREATE TRIGGER IF NOT EXISTS core_insert_dependencies AFTER INSERT ON jobs
WHEN NEW.dependencies IS NOT NULL AND NEW.dependencies <> '[]' AND NEW.dependencies <> ''
BEGIN
    INSERT OR IGNORE INTO core_edges (child_id, parent_id, met, on_failure)
    SELECT NEW.id, d.value,
           {IS_MET.format(parent="d.value")},
           CASE NEW.on_parent_failure WHEN 'cancel' THEN 1 WHEN 'run' THEN 2 ELSE 0 END
    FROM json_each(CASE WHEN json_valid(NEW.dependencies) THEN NEW.dependencies ELSE '[]' END) d
    WHERE d.type = 'text';
    UPDATE jobs SET retry_after = '{PARKED}'
    WHERE id = NEW.id AND status = 'pending'
      AND EXISTS (SELECT 1 FROM core_edges e WHERE e.child_id = NEW.id AND e.met = 0);
END""",
    "core_insert_completed": f"""
CREATE TRIGGER IF NOT EXISTS core_insert_completed AFTER INSERT ON jobs
WHEN NEW.status = 'completed'
BEGIN
    UPDATE core_edges SET met = 1 WHERE parent_id = NEW.id AND met = 0;
    UPDATE jobs SET retry_after = {UNPARKED}
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
    UPDATE jobs SET retry_after = '{PARKED}'
    WHERE id IN (SELECT child_id FROM core_edges WHERE parent_id = NEW.id AND met = 0)
      AND +status = 'pending' AND +retry_after IS NOT '{PARKED}';
END""",
    "core_release": f"""
CREATE TRIGGER IF NOT EXISTS core_release AFTER UPDATE OF status ON jobs
WHEN NEW.status = 'completed' AND OLD.status <> 'completed'
BEGIN
    UPDATE core_edges SET met = 1 WHERE parent_id = NEW.id AND met = 0;
    UPDATE jobs SET retry_after = {UNPARKED}
    WHERE id IN (SELECT child_id FROM core_edges WHERE parent_id = NEW.id)
      AND +status = 'pending' AND +retry_after = '{PARKED}'
      AND NOT EXISTS (SELECT 1 FROM core_edges e WHERE e.child_id = jobs.id AND e.met = 0);
END""",
    # Whenever a row becomes pending its parking is computed anew: GigQ's requeue keeps an old
    # `retry_after`, its retry writes NULL over ours.
    "core_park": f"""
CREATE TRIGGER IF NOT EXISTS core_park AFTER UPDATE OF status ON jobs
WHEN NEW.status = 'pending'
 AND (NEW.retry_after IS '{PARKED}') IS NOT EXISTS (
    SELECT 1 FROM core_edges e WHERE e.child_id = NEW.id AND e.met = 0)
BEGIN
    UPDATE jobs
    SET retry_after = CASE WHEN NEW.retry_after IS '{PARKED}' THEN {UNPARKED} ELSE '{PARKED}' END
    WHERE id = NEW.id;
END""",
    "core_delete": """
CREATE TRIGGER IF NOT EXISTS core_delete AFTER DELETE ON jobs
WHEN OLD.id IS NOT NULL
BEGIN
    INSERT OR REPLACE INTO core_tombstones (job_id, completed, deleted_at)
    VALUES (OLD.id, OLD.status IS 'completed', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
    DELETE FROM core_edges WHERE child_id = OLD.id;
END""",
    # --- instants, for whoever does not write them --------------------------------------------
    # Ours change a token along with the status, and write them in the same statement.
    "core_stamp_insert": f"""
CREATE TRIGGER IF NOT EXISTS core_stamp_insert AFTER INSERT ON jobs
WHEN NEW.created IS NULL OR (NEW.due IS NULL AND NEW.retry_after < '{FIRST_WORD}')
BEGIN
    UPDATE jobs
    SET created = coalesce(NEW.created, {_stamp("NEW.created_at")}),
        due = CASE WHEN NEW.due IS NULL AND NEW.retry_after < '{FIRST_WORD}' THEN {_TO_DUE}
                   ELSE NEW.due END,
        began = coalesce(NEW.began, {instant_of("NEW.started_at")}),
        ended = coalesce(NEW.ended, {instant_of("NEW.completed_at")})
    WHERE rowid = NEW.rowid;
END""",
    "core_stamp_status": f"""
CREATE TRIGGER IF NOT EXISTS core_stamp_status AFTER UPDATE OF status ON jobs
WHEN OLD.execution_id IS NULL AND NEW.execution_id IS NULL AND NEW.status <> 'pending'
 AND NEW.status <> OLD.status AND NEW.ended IS OLD.ended
BEGIN
    UPDATE jobs
    SET began = CASE WHEN NEW.status = 'running' THEN {NOW} ELSE began END,
        ended = CASE WHEN NEW.status = 'running' THEN NULL ELSE {NOW} END
    WHERE rowid = NEW.rowid;
END""",
    # GigQ's retry writes its delay as a text of its own zone, and the delay itself is at hand.
    "core_stamp_due": f"""
CREATE TRIGGER IF NOT EXISTS core_stamp_due AFTER UPDATE OF retry_after ON jobs
WHEN NEW.retry_after IS NOT OLD.retry_after AND NEW.due IS OLD.due
 AND (NEW.retry_after IS NOT NULL OR NEW.due IS NOT NULL)
 AND {_IS_TIME.format(row="OLD")} AND {_IS_TIME.format(row="NEW")}
BEGIN
    UPDATE jobs
    SET due = CASE WHEN NEW.retry_after IS NULL THEN NULL
                   WHEN OLD.status = 'running' AND OLD.execution_id IS NULL AND NEW.retry_delay > 0
                   THEN {NOW} + NEW.retry_delay
                   ELSE {_TO_DUE} END,
        due_in = CASE WHEN NEW.retry_after IS NOT NULL AND OLD.status = 'running'
                       AND OLD.execution_id IS NULL AND NEW.retry_delay > 0
                      THEN NEW.retry_delay END
    WHERE rowid = NEW.rowid;
END""",
    "core_stamp_execution": f"""
CREATE TRIGGER IF NOT EXISTS core_stamp_execution AFTER INSERT ON job_executions
WHEN NEW.began IS NULL
BEGIN
    UPDATE job_executions
    SET began = {_stamp("NEW.started_at")}, ended = {instant_of("NEW.completed_at")}
    WHERE rowid = NEW.rowid;
END""",
    "core_stamp_execution_end": f"""
CREATE TRIGGER IF NOT EXISTS core_stamp_execution_end AFTER UPDATE OF status ON job_executions
WHEN NEW.ended IS NULL AND OLD.status = 'running' AND NEW.status <> 'running'
BEGIN
    UPDATE job_executions SET ended = {NOW} WHERE rowid = NEW.rowid;
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
WHEN OLD.status <> 'pending' AND OLD.status <> 'running'
 AND OLD.status IN ('completed', 'failed', 'timeout', 'cancelled')
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
WHEN {_IS_UNKNOWN}
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
WHEN {_IS_UNKNOWN}
BEGIN
    {_ensure_counter("NEW")}
END""",
    "core_count_delete": f"""
CREATE TRIGGER IF NOT EXISTS core_count_delete AFTER DELETE ON jobs
BEGIN
    {_count("OLD", "- 1")}
END""",
}

# --- triggers that only some files need ------------------------------------------------------

# Made by the first transaction that uses them, so that nobody else pays for them: see `features`.

# Whatever would show a hidden job to GigQ: its requeue, a release by one of the previous release.
HIDING = {
    "core_hide": f"""
CREATE TRIGGER IF NOT EXISTS core_hide AFTER UPDATE OF status, retry_after ON jobs
WHEN NEW.lane IS NOT NULL AND NEW.status = 'pending'
 AND (NEW.retry_after IS NULL OR NEW.retry_after < '{FIRST_WORD}')
BEGIN
    UPDATE jobs SET retry_after = {HIDDEN_WORD}
    WHERE rowid = NEW.rowid AND retry_after IS NEW.retry_after;
END""",
}

# --- unique jobs, and those whose key outlives them

KEY_INDEXES = {
    "core_keyed": f"""
        CREATE INDEX IF NOT EXISTS core_keyed ON jobs (unique_key, status) WHERE {IS_KEYED}""",
}

LASTING_KEY_INDEXES = {
    "core_keyed_lasting": f"""
        CREATE INDEX IF NOT EXISTS core_keyed_lasting ON jobs (unique_key, {LASTS_UNTIL})
        WHERE {IS_LASTING}""",
}

LASTING_KEYS = {
    "core_keep_key": f"""
CREATE TRIGGER IF NOT EXISTS core_keep_key AFTER DELETE ON jobs
WHEN OLD.unique_key IS NOT NULL AND OLD.id IS NOT NULL
 AND (OLD.unique_until = 'forever' OR OLD.unique_within IS NOT NULL)
BEGIN
    INSERT OR REPLACE INTO core_kept_keys
        (job_id, unique_key, name, created, within, holds_until)
    VALUES (OLD.id, OLD.unique_key, coalesce(substr(CAST(OLD.name AS TEXT), 1, 200), ''),
            OLD.created, OLD.unique_within,
            CASE WHEN OLD.unique_until = 'forever' THEN 9e999
                 WHEN OLD.created + OLD.unique_within < {NOW} + {KEY_OUTLIVES_S}
                 THEN OLD.created + OLD.unique_within
                 ELSE {NOW} + {KEY_OUTLIVES_S} END);
END""",
}

# --- lanes

IN_LANE_RUNNING = f"lane <> '{HIDDEN}' AND status = 'running'"
IN_LANE_OPEN = (
    f"lane <> '{HIDDEN}' AND status = 'pending' "
    f"AND (retry_after = '{OURS}' OR retry_after = '{RESERVED}')"
)
IN_LANE_RESERVED = f"lane <> '{HIDDEN}' AND status = 'pending' AND retry_after = '{RESERVED}'"
IN_LANE_HELD = (
    f"lane <> '{HIDDEN}' AND status = 'pending' AND retry_after = '{HELD}' AND due IS NULL"
)
IN_LANE_WAITING = (
    f"lane <> '{HIDDEN}' AND status = 'pending' AND (retry_after = '{PARKED}' OR due IS NOT NULL)"
)

LANE_INDEXES = {
    "core_lane_running": f"""
        CREATE INDEX IF NOT EXISTS core_lane_running ON jobs (lane) WHERE {IN_LANE_RUNNING}""",
    "core_lane_open": f"""
        CREATE INDEX IF NOT EXISTS core_lane_open ON jobs (lane, priority DESC)
        WHERE {IN_LANE_OPEN}""",
    "core_lane_reserved": f"""
        CREATE INDEX IF NOT EXISTS core_lane_reserved ON jobs (lane, priority DESC)
        WHERE {IN_LANE_RESERVED}""",
    "core_lane_held": f"""
        CREATE INDEX IF NOT EXISTS core_lane_held ON jobs (lane, priority DESC)
        WHERE {IN_LANE_HELD}""",
    "core_lane_waits": f"""
        CREATE INDEX IF NOT EXISTS core_lane_waits ON jobs (lane) WHERE {IN_LANE_WAITING}""",
}

# A lane without a limit: a job that becomes ready there needs nobody to look at the lane.
_IS_FREE = (
    f"EXISTS (SELECT 1 FROM core_lane_states s WHERE s.lane = NEW.lane AND s.word <> '{HELD}')"
)
_MARK_LANE = f"""
    INSERT OR IGNORE INTO core_lane_dirty (lane) SELECT NEW.lane WHERE NOT {_IS_FREE};"""
_SHOW_WHERE_FREE = f"""
    UPDATE jobs SET retry_after = (SELECT s.word FROM core_lane_states s WHERE s.lane = NEW.lane)
    WHERE rowid = NEW.rowid AND status = 'pending' AND retry_after = '{HELD}' AND due IS NULL
      AND {_IS_FREE};"""
_HOLD = f"""
    UPDATE jobs SET retry_after = '{HELD}'
    WHERE rowid = NEW.rowid AND status = 'pending' AND retry_after IS NEW.retry_after
      AND retry_after <> '{HELD}';"""

# What hides a row stands apart from what shows one: no trigger fires within itself.
LANES = {
    "core_lane_insert": f"""
CREATE TRIGGER IF NOT EXISTS core_lane_insert AFTER INSERT ON jobs
WHEN NEW.lane <> '{HIDDEN}' AND NEW.status IN ('pending', 'running')
BEGIN{_MARK_LANE}
    UPDATE jobs SET retry_after = '{HELD}'
    WHERE rowid = NEW.rowid AND status = 'pending' AND retry_after IS NOT '{PARKED}'
      AND retry_after IS NOT '{HELD}';{_SHOW_WHERE_FREE}
END""",
    # A claim takes one that is shown, and leaves the others that are to be shown as they are.
    "core_lane_status": f"""
CREATE TRIGGER IF NOT EXISTS core_lane_status AFTER UPDATE OF status ON jobs
WHEN NEW.lane <> '{HIDDEN}' AND NEW.status <> OLD.status
 AND (NEW.status <> 'running' OR OLD.status <> 'pending')
BEGIN{_MARK_LANE}
END""",
    # Whoever lets a job wait again may keep, or write, the word that it had when it was shown.
    "core_lane_again": f"""
CREATE TRIGGER IF NOT EXISTS core_lane_again AFTER UPDATE OF status ON jobs
WHEN NEW.lane <> '{HIDDEN}' AND NEW.status = 'pending' AND OLD.status <> 'pending'
 AND NEW.retry_after IN ('{HELD}', '{OURS}', '{RESERVED}')
BEGIN{_HOLD}{_SHOW_WHERE_FREE}
END""",
    "core_lane_hold": f"""
CREATE TRIGGER IF NOT EXISTS core_lane_hold AFTER UPDATE OF retry_after ON jobs
WHEN NEW.lane <> '{HIDDEN}' AND NEW.status = 'pending'
 AND (NEW.retry_after = '{OURS}' OR NEW.retry_after = '{RESERVED}')
 AND (OLD.retry_after IS NOT '{HELD}' OR OLD.due IS NOT NULL OR OLD.status <> 'pending')
BEGIN{_MARK_LANE}{_HOLD}{_SHOW_WHERE_FREE}
END""",
    "core_lane_release": f"""
CREATE TRIGGER IF NOT EXISTS core_lane_release AFTER UPDATE OF retry_after ON jobs
WHEN NEW.lane <> '{HIDDEN}' AND NEW.status = 'pending' AND NEW.retry_after = '{HELD}'
 AND NEW.due IS NULL AND (OLD.retry_after IS NOT '{HELD}' OR OLD.due IS NOT NULL)
 AND OLD.retry_after IS NOT '{OURS}' AND OLD.retry_after IS NOT '{RESERVED}'
BEGIN{_MARK_LANE}{_SHOW_WHERE_FREE}
END""",
    "core_lane_parked": f"""
CREATE TRIGGER IF NOT EXISTS core_lane_parked AFTER UPDATE OF retry_after ON jobs
WHEN NEW.lane <> '{HIDDEN}' AND NEW.retry_after = '{PARKED}'
 AND (OLD.retry_after = '{OURS}' OR OLD.retry_after = '{RESERVED}')
BEGIN{_MARK_LANE}
END""",
    "core_lane_priority": f"""
CREATE TRIGGER IF NOT EXISTS core_lane_priority AFTER UPDATE OF priority ON jobs
WHEN NEW.lane <> '{HIDDEN}' AND NEW.status = 'pending' AND NEW.priority IS NOT OLD.priority
BEGIN{_MARK_LANE}
END""",
    "core_lane_delete": f"""
CREATE TRIGGER IF NOT EXISTS core_lane_delete AFTER DELETE ON jobs
WHEN OLD.lane <> '{HIDDEN}' AND OLD.status IN ('pending', 'running')
BEGIN{_MARK_LANE.replace("NEW.", "OLD.")}
END""",
    # One entry for all of them: whoever keeps the agenda looks at them next.
    "core_lane_due": """
CREATE TRIGGER IF NOT EXISTS core_lane_due AFTER INSERT ON core_lane_dirty
BEGIN
    INSERT INTO core_agenda (what, at) SELECT 'lanes:', 0 WHERE true
    ON CONFLICT (what) DO UPDATE SET at = 0 WHERE at > 0;
END""",
}

# --- children of parents that fail

# How a job ended that its children wait for in vain.
FAILED = "('failed', 'timeout', 'cancelled')"


def has_failed(job_id: str) -> str:
    """The SQL for whether a job has failed for good, or was deleted before it completed; one that
    nobody knows may still come."""
    return (
        f"(EXISTS (SELECT 1 FROM jobs p WHERE p.id = {job_id} AND p.status IN {FAILED}) "
        f"OR EXISTS (SELECT 1 FROM core_tombstones t WHERE t.job_id = {job_id} "
        "AND t.completed = 0))"
    )


_HAS_TOLD_CHILDREN = (
    "EXISTS (SELECT 1 FROM core_edges e WHERE e.parent_id = {row}.id AND e.on_failure <> 0)"
)
# The children that went on without this parent wait for it again, if they do not run.
_WAIT_AGAIN = f"""
    UPDATE core_edges SET met = NEW.status = 'completed'
    WHERE parent_id = NEW.id AND on_failure <> 0 AND met = 3 AND NEW.status NOT IN {FAILED}
      AND EXISTS (SELECT 1 FROM jobs c WHERE c.id = core_edges.child_id AND c.status = 'pending');
    UPDATE jobs SET retry_after = '{PARKED}'
    WHERE id IN (SELECT child_id FROM core_edges
                 WHERE parent_id = NEW.id AND on_failure <> 0 AND met = 0)
      AND +status = 'pending' AND +retry_after IS NOT '{PARKED}';"""

# Each only puts a parent on the list; whoever works it off looks at what is so by then.
POLICIES = {
    "core_policy_failed": f"""
CREATE TRIGGER IF NOT EXISTS core_policy_failed AFTER UPDATE OF status ON jobs
WHEN NEW.status IN {FAILED} AND NEW.status <> OLD.status
 AND {_HAS_TOLD_CHILDREN.format(row="NEW")}
BEGIN
    INSERT OR IGNORE INTO core_cascade (parent_id) VALUES (NEW.id);
END""",
    "core_policy_deleted": f"""
CREATE TRIGGER IF NOT EXISTS core_policy_deleted AFTER DELETE ON jobs
WHEN OLD.status IS NOT 'completed' AND {_HAS_TOLD_CHILDREN.format(row="OLD")}
BEGIN
    INSERT OR REPLACE INTO core_cascade (parent_id, name)
    VALUES (OLD.id, substr(CAST(OLD.name AS TEXT), 1, 200));
END""",
    "core_policy_inserted": f"""
CREATE TRIGGER IF NOT EXISTS core_policy_inserted AFTER INSERT ON jobs
WHEN {_HAS_TOLD_CHILDREN.format(row="NEW")}
BEGIN
    INSERT OR IGNORE INTO core_cascade (parent_id)
    SELECT NEW.id WHERE NEW.status IN {FAILED};{_WAIT_AGAIN}
END""",
    "core_policy_waits": f"""
CREATE TRIGGER IF NOT EXISTS core_policy_waits AFTER UPDATE OF status ON jobs
WHEN NEW.status = 'pending' AND OLD.status IN {FAILED}
 AND {_HAS_TOLD_CHILDREN.format(row="NEW")}
BEGIN{_WAIT_AGAIN}
END""",
    # The edges of a new child are made by another trigger.
    "core_policy_edge": f"""
CREATE TRIGGER IF NOT EXISTS core_policy_edge AFTER INSERT ON core_edges
WHEN NEW.on_failure <> 0 AND NEW.met = 0 AND {has_failed("NEW.parent_id")}
BEGIN
    INSERT OR IGNORE INTO core_cascade (parent_id) VALUES (NEW.parent_id);
END""",
    # A child waits: for whom, is judged anew. One that went on without a parent which is no more
    # goes on without it again.
    "core_policy_child": f"""
CREATE TRIGGER IF NOT EXISTS core_policy_child AFTER UPDATE OF status ON jobs
WHEN NEW.status = 'pending' AND OLD.status <> 'pending' AND NEW.on_parent_failure IS NOT NULL
BEGIN
    UPDATE core_edges
    SET met = EXISTS (SELECT 1 FROM jobs p
                      WHERE p.id = core_edges.parent_id AND p.status = 'completed')
    WHERE child_id = NEW.id AND met = 3
      AND EXISTS (SELECT 1 FROM jobs p
                  WHERE p.id = core_edges.parent_id AND p.status NOT IN {FAILED});
    INSERT OR IGNORE INTO core_cascade (parent_id)
    SELECT e.parent_id FROM core_edges e
    WHERE e.child_id = NEW.id AND e.on_failure <> 0 AND e.met = 0
      AND {has_failed("e.parent_id")};
    UPDATE jobs SET retry_after = '{PARKED}'
    WHERE id = NEW.id AND status = 'pending' AND retry_after IS NOT '{PARKED}'
      AND EXISTS (SELECT 1 FROM core_edges e WHERE e.child_id = NEW.id AND e.met = 0);
    DELETE FROM core_cascaded WHERE child_id = NEW.id;
END""",
    "core_policy_forget": """
CREATE TRIGGER IF NOT EXISTS core_policy_forget AFTER DELETE ON jobs
WHEN OLD.on_parent_failure IS NOT NULL
BEGIN
    DELETE FROM core_cascaded WHERE child_id = OLD.id;
END""",
}

# What running jobs tell of themselves. What is reported is of no more use once a job is requeued,
# and what is saved once it has completed.
TELLING = {
    "core_forget_progress": """
CREATE TRIGGER IF NOT EXISTS core_forget_progress AFTER UPDATE OF status ON jobs
WHEN NEW.status = 'pending' AND OLD.status IN ('completed', 'failed', 'timeout', 'cancelled')
BEGIN
    DELETE FROM core_progress WHERE job_id = NEW.id;
END""",
    "core_forget_saved": """
CREATE TRIGGER IF NOT EXISTS core_forget_saved AFTER UPDATE OF status ON jobs
WHEN NEW.status = 'completed'
BEGIN
    DELETE FROM core_saves WHERE job_id = NEW.id;
END""",
}

# --- hooks: what is to be told of jobs that ended

# How many jobs a hook's job names; the others are counted.
MOST_NAMED = 100
# Of texts that a job's submitter or its function wrote, so much is kept, in characters.
MOST_OF_NAME = 200
MOST_OF_ERROR = 2_000
# SQLite refuses patterns that are much longer, and with them the end of a job.
MOST_OF_PATTERN = 5_000
# A hook that is not told at once waits for so long first, in seconds: what ends one after the
# other is told together.
CALM_S = 1.0


def _beginning(value: str, most: int = MOST_OF_NAME) -> str:
    return f"substr(CAST({value} AS TEXT), 1, {most})"


_HOOK_FUNCTION = _beginning("NEW.function_module || '.' || NEW.function_name")
_HOOK_ERROR = _beginning("NEW.error", MOST_OF_ERROR)
_HOOK_LANE = f"nullif({_beginning('NEW.lane')}, '{HIDDEN}')"
# What the terms of a match look at, by their words.
HOOK_FIELDS = {
    "fn": _HOOK_FUNCTION,
    "name": _beginning("NEW.name"),
    "err": _HOOK_ERROR,
    "lane": _HOOK_LANE,
    "workflow": _beginning("NEW.workflow"),
    "batch": _beginning("NEW.batch"),
    "schedule": _beginning("NEW.schedule"),
    "worker": _beginning("OLD.worker_id"),
}
_HOOK_FIELD = " ".join(f"WHEN '{word}' THEN {value}" for word, value in HOOK_FIELDS.items())
_HOOK_VALUE = f"coalesce(CASE t.field {_HOOK_FIELD} END, '')"
_HOOK_MATCHES = f"""NOT EXISTS (
        SELECT 1 FROM core_hook_terms t WHERE t.hook = h.name GROUP BY t.clause
        HAVING max(t.wanted = CASE t.exact
            WHEN 1 THEN {_HOOK_VALUE} = t.pattern
            ELSE lower({_HOOK_VALUE}) GLOB substr(t.pattern, 1, {MOST_OF_PATTERN}) END) = 0)"""
# Undo puts a row back as it was: nothing has ended.
_NOT_UNDONE = "NOT EXISTS (SELECT 1 FROM core_overrides o WHERE o.job_id = NEW.id)"


def _tell_hooks(event: str, ended_so: str) -> dict[str, str]:
    """The trigger that tells the hooks of an event; what hooks have made never does.

    Args:
        event: which.
        ended_so: the condition that it happened.
    """
    name = f"core_hook_{event}"
    return {
        name: f"""
CREATE TRIGGER IF NOT EXISTS {name} AFTER UPDATE OF status ON jobs
WHEN {ended_so} AND NEW.status <> OLD.status AND NEW.hook IS NULL AND {_NOT_UNDONE}
BEGIN
    INSERT OR REPLACE INTO core_hook_outbox (
        hook, place, job_id, execution_id, status, name, function, error, attempts, max_attempts,
        worker, lane, workflow, batch, schedule, ended)
    SELECT h.name, h.waiting + 1, NEW.id, OLD.execution_id, NEW.status, {HOOK_FIELDS["name"]},
           {_HOOK_FUNCTION}, {_HOOK_ERROR}, NEW.attempts, NEW.max_attempts,
           {HOOK_FIELDS["worker"]}, {_HOOK_LANE}, {HOOK_FIELDS["workflow"]}, {HOOK_FIELDS["batch"]},
           {HOOK_FIELDS["schedule"]},
           CASE WHEN NEW.ended IS OLD.ended THEN {NOW} ELSE coalesce(NEW.ended, {NOW}) END
    FROM core_hooks h
    WHERE h.event = '{event}' AND h.waiting < {MOST_NAMED} AND {_HOOK_MATCHES};
    UPDATE core_hooks
    SET waiting = waiting + 1, seen = CASE WHEN waiting = 0 THEN 1 ELSE seen END,
        first = CASE WHEN waiting = 0 THEN {NOW} ELSE first END
    WHERE event = '{event}' AND {_HOOK_MATCHES.replace("h.name", "core_hooks.name")};
END"""
    }


# Its next job is due: at once or after a while, and not before its interval is over. Where the
# clock was set back since its last job, that is none longer.
_HOOK_DUE = f"max({NOW} + min({CALM_S}, every), min(coalesce(last, 0.0), {NOW}) + every)"

HOOKS = {
    "core_hook_due": f"""
CREATE TRIGGER IF NOT EXISTS core_hook_due AFTER UPDATE OF waiting ON core_hooks
WHEN NEW.waiting > 0 AND OLD.waiting = 0 AND NEW.paused IS NULL
BEGIN
    INSERT OR IGNORE INTO core_agenda (what, at)
    SELECT 'hook:' || name, {_HOOK_DUE} FROM core_hooks WHERE name = NEW.name;
END""",
    # How its own jobs end, and not those that these submit; one that was cancelled tells nothing.
    "core_hook_ended": f"""
CREATE TRIGGER IF NOT EXISTS core_hook_ended AFTER UPDATE OF status ON jobs
WHEN NEW.hook IS NOT NULL AND NEW.submitted_by IS NULL AND NEW.status <> OLD.status
 AND {_NOT_UNDONE}
 AND NEW.status IN ('completed', 'failed', 'timeout', 'cancelled')
BEGIN
    UPDATE core_hooks
    SET last_status = CASE WHEN last_job = NEW.id THEN NEW.status ELSE last_status END,
        failures = CASE NEW.status WHEN 'completed' THEN 0 WHEN 'cancelled' THEN failures
                                   ELSE failures + 1 END
    WHERE name = NEW.hook;
END""",
}
# A job that was cancelled since an ancestor failed counts as failed; one that somebody cancelled
# does not, nor one behind it.
TELL_HOOKS_FAILED = _tell_hooks(
    "failed",
    """(NEW.status IN ('failed', 'timeout') OR NEW.status = 'cancelled' AND EXISTS (
    SELECT 1 FROM core_cascaded d CROSS JOIN jobs p ON p.id = d.culprit_id
    WHERE d.child_id = NEW.id AND p.status IN ('failed', 'timeout') AND p.hook IS NULL))""",
)
TELL_HOOKS_COMPLETED = _tell_hooks("completed", "NEW.status = 'completed'")

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
UPDATE jobs SET retry_after = '{PARKED}'
WHERE status = 'pending' AND retry_after IS NOT '{PARKED}'
  AND id IN (SELECT child_id FROM core_edges WHERE met = 0)"""


def fill_waiting(had_due_at: bool) -> str:
    """What claims and timeouts go by, of the jobs that are there already.

    Args:
        had_due_at: whether the release before kept a blocked job's time in a column of its own.
    """
    text, some = "retry_after", "retry_after IS NOT NULL"
    if had_due_at:
        text = f"CASE WHEN retry_after = '{PARKED}' THEN due_at ELSE retry_after END"
        some = f"({some} AND (retry_after <> '{PARKED}' OR due_at IS NOT NULL))"
    return f"""
UPDATE jobs
SET due = CASE WHEN status = 'pending' THEN {instant_of(text)} END,
    began = {instant_of("started_at")}
WHERE (status = 'pending' AND {some}) OR status = 'running'"""


# The rest, some at a time: from one rowid, which is left out, to another.
FILL_JOBS = f"""
UPDATE jobs
SET created = {instant_of("created_at")}, began = coalesce(began, {instant_of("started_at")}),
    ended = coalesce(ended, CASE WHEN status NOT IN ('pending', 'running')
                                 THEN {instant_of("coalesce(completed_at, updated_at)")} END)
WHERE rowid > ? AND rowid <= ? AND created IS NULL"""

FILL_EXECUTIONS = f"""
UPDATE job_executions
SET began = {instant_of("started_at")}, ended = coalesce(ended, {instant_of("completed_at")})
WHERE rowid > ? AND rowid <= ? AND began IS NULL"""

FILL_WORKER_INSTANTS = f"""
UPDATE core_workers
SET began = {instant_of("started_at")}, ended = {instant_of("stopped_at")},
    claimed = {instant_of("last_claim_at")}
WHERE began IS NULL"""

UNPARK_ALL = f"""
UPDATE jobs SET retry_after = CASE WHEN due IS NOT NULL THEN {local_text("due")} END
WHERE retry_after IN ('{PARKED}', '{HELD}', '{OURS}', '{RESERVED}')"""

# Waiting jobs that GigQ would run as it runs any, once the file is its own again; and how many of
# them wait in lanes.
COUNT_HIDDEN = f"""
SELECT count(*), count(CASE WHEN lane <> '{HIDDEN}' THEN 1 END)
FROM jobs WHERE status = 'pending' AND lane IS NOT NULL"""

# What people have arranged in the file, which goes with our tables.
COUNT_ARRANGED = """
SELECT (SELECT count(*) FROM core_schedules), (SELECT count(*) FROM core_hooks),
       (SELECT count(*) FROM core_lane_rules),
       EXISTS (SELECT 1 FROM core_keeping
               WHERE coalesce(completed, failed, cancelled) IS NOT NULL)"""

# --- a worker of the previous release ----------------------------------------------------------

# While one is at work on the file, these stamp what it writes; the index names are its own.
LEGACY_TRIGGERS = {
    "core_legacy_claim": f"""
CREATE TRIGGER IF NOT EXISTS core_legacy_claim AFTER UPDATE OF execution_id ON jobs
WHEN NEW.execution_id IS NOT NULL AND NEW.began IS OLD.began
BEGIN
    UPDATE jobs SET began = {NOW}, ended = NULL WHERE rowid = NEW.rowid;
END""",
    "core_legacy_end": f"""
CREATE TRIGGER IF NOT EXISTS core_legacy_end AFTER UPDATE OF execution_id ON jobs
WHEN NEW.execution_id IS NULL AND NEW.ended IS NULL
 AND NEW.status IN ('completed', 'failed', 'timeout', 'cancelled')
BEGIN
    UPDATE jobs SET ended = {NOW} WHERE rowid = NEW.rowid;
END""",
    "core_legacy_worker": f"""
CREATE TRIGGER IF NOT EXISTS core_legacy_worker AFTER UPDATE OF state ON core_workers
WHEN NEW.state = 'stopped' AND NEW.ended IS NULL
BEGIN
    UPDATE core_workers SET ended = {NOW} WHERE rowid = NEW.rowid;
END""",
}

LEGACY_INDEXES = ("core_ready", "core_ready_script", "core_due")

# Of a release that knows no instants, and not known to have ended.
LEGACY_WORKERS = """
SELECT id, host, pid, pid_started, boot_id, pid_namespace
FROM core_workers WHERE state <> 'stopped' AND release IS NULL"""

# Of one that does not know all that this one does.
IS_OF_RELEASE_BEFORE = f"coalesce(release, 0) < {SCHEMA_VERSION}"
WORKERS_OF_RELEASE_BEFORE = f"""
SELECT id, host, pid, pid_started, boot_id, pid_namespace
FROM core_workers WHERE state <> 'stopped' AND {IS_OF_RELEASE_BEFORE}"""
