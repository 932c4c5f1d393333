"""A filter's terms as one SQL condition on `jobs`, with every value a parameter."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from gigq_core.job import DEFAULT_TIMEOUT_S
from gigq_core.lane_names import HIDDEN
from gigq_core.schema.agent_statements import last_host, ran_on
from gigq_core.schema.ddl import AGENT_INDEX, FIRST_WORD, PARKED
from gigq_core.schema.failure_statements import beginning_with, last_failed_so
from gigq_core.status import JobStatus
from gigq_core.units.times import to_text
from gigq_tui.store.filter.periods import bounds_of
from gigq_tui.store.filter.sql_json import json_condition
from gigq_tui.store.filter.sql_periods import ran, within
from gigq_tui.store.filter.sql_text import Sql, holds
from gigq_tui.store.filter.terms import Field, Node, Term
from gigq_tui.store.instants import BEGAN, CREATED, ENDED, When

# A file has the table of reports with these columns.
PROGRESS_COLUMNS = frozenset({"execution_id", "stall_timeout"})
FINAL_BAD = "('failed', 'timeout', 'cancelled')"
OPEN = "('pending', 'running')"
KNOWN = "('pending', 'running', 'completed', 'failed', 'timeout', 'cancelled')"

_STATUSES = frozenset(status.value for status in JobStatus)
_LAST_CHARACTER = "\U0010ffff"

# The parents that a row names, whatever stands in the column. `jobs` is the outer query's.
PARENTS_OF_JOB = (
    "json_each(CASE WHEN typeof(jobs.dependencies) = 'text' AND json_valid(jobs.dependencies) "
    "THEN jobs.dependencies ELSE '[]' END)"
)

BLOCKED_BY_JSON = f"""EXISTS (
    SELECT 1 FROM {PARENTS_OF_JOB} d JOIN jobs p ON p.id = d.value
    WHERE p.status <> 'completed')"""

# UNION, not UNION ALL: a circle of dependencies ends the walk.
# Who is told of a parent's failure does not wait for it: `{waits}`.
_DOOMED_BY_EDGES = f"""jobs.id IN (
    WITH RECURSIVE doomed (id) AS (
        SELECT e.child_id FROM core_edges e LEFT JOIN jobs p ON p.id = e.parent_id
        WHERE e.met = 0 AND (p.id IS NULL OR (p.status IN {FINAL_BAD} AND {{waits}}))
        UNION
        SELECT e.child_id FROM doomed d JOIN core_edges e ON e.parent_id = d.id
        WHERE e.met = 0)
    SELECT id FROM doomed)"""

# A GigQ file has no table of edges: they are taken from the waiting rows, once a query.
_DOOMED_BY_JSON = f"""jobs.id IN (
    WITH RECURSIVE edges (child_id, parent_id) AS MATERIALIZED (
        SELECT j.id, d.value
        FROM jobs j, json_each(CASE WHEN typeof(j.dependencies) = 'text'
            AND json_valid(j.dependencies) THEN j.dependencies ELSE '[]' END) d
        WHERE j.status = 'pending' AND j.dependencies IS NOT NULL
          AND j.dependencies NOT IN ('', '[]')),
    doomed (id) AS (
        SELECT e.child_id FROM edges e JOIN jobs p ON p.id = e.parent_id
        WHERE p.status IN {FINAL_BAD}
        UNION
        SELECT e.child_id FROM doomed d JOIN edges e ON e.parent_id = d.id)
    SELECT id FROM doomed)"""


@dataclass(frozen=True)
class Context:
    """What a filter's meaning depends on.

    Args:
        now: the moment that ages are counted from.
        attached: whether the file has our tables and columns.
        job_columns: the columns that `jobs` has.
        lost_workers: ids of the workers whose process is certainly gone.
        execution_columns: the columns that `job_executions` has.
        indexes: those that the file has, by their names.
    """

    now: datetime
    attached: bool
    job_columns: tuple[str, ...]
    lost_workers: tuple[str, ...] = ()
    execution_columns: tuple[str, ...] = ()
    indexes: frozenset[str] = frozenset()


def condition(root: Node | None, context: Context) -> Sql:
    """A filter as one condition, and its parameters in their order."""
    return ("1", []) if root is None else _node(root, context, negated=False)


def _node(node: Node, context: Context, *, negated: bool) -> Sql:
    """What a node asks for, or its opposite, which terms alone have to tell in SQL."""
    negated = negated is not node.negated
    if isinstance(node, Term):
        part, values = _term(node, context)
        # NULL is neither true nor false, and `-` must turn it into true.
        return (f"NOT ifnull(({part}), 0)" if negated else f"({part})"), values
    parts: list[str] = []
    params: list[object] = []
    for inside in node.parts:
        part, values = _node(inside, context, negated=negated)
        parts.append(part)
        params += values
    joint = " OR " if node.is_any is not negated else " AND "
    return f"({joint.join(parts)})", params


def _term(term: Term, context: Context) -> Sql:
    render = _RENDERERS.get(term.field)
    if render is not None:
        return render(term, context)
    return _text(_COLUMNS[term.field], term)


_FUNCTION = "(jobs.function_module || '.' || jobs.function_name)"
_COLUMNS = {
    Field.NAME: "jobs.name",
    Field.FUNCTION: _FUNCTION,
    Field.WORKER: "jobs.worker_id",
}


def prefix_range(prefix: str) -> tuple[str, str]:
    """The bounds (from, below) between which everything begins with `prefix`."""
    return prefix, prefix + _LAST_CHARACTER


def _text(column: str, term: Term) -> Sql:
    if term.operator == "=":
        return f"{column} = ?", [term.text]
    return holds(column, term.text)


def _word(term: Term, context: Context) -> Sql:
    columns = ("jobs.name", _FUNCTION, "jobs.id", "jobs.error")
    parts = [holds(f"ifnull({column}, '')", term.text) for column in columns]
    return " OR ".join(part for part, _ in parts), [value for _, (value,) in parts]


# The last attempt of a job. `jobs` is the outer query's.
_LAST_ATTEMPT = "e.rowid = (SELECT max(l.rowid) FROM job_executions l WHERE l.job_id = jobs.id)"


def _host(term: Term, context: Context) -> Sql:
    """Where the last attempt ran. To look for that is dear, and few may have run there at all."""
    last, values = _text(last_host(context.execution_columns), term)
    if AGENT_INDEX not in context.indexes:
        return last, values
    ever, more = _text("hosts.agent", term)
    return f"{ran_on(ever)} AND {last}", [*more, *values]


def _error(term: Term, context: Context) -> Sql:
    """In the error, or the type of what was raised, which older errors do not begin with."""
    part, values = _text("jobs.error", term)
    if "error_type" not in context.execution_columns:
        return part, values
    kind, more = _text("e.error_type", term)
    last = f"SELECT 1 FROM job_executions e WHERE {_LAST_ATTEMPT} AND {kind}"
    return f"{part} OR (jobs.error IS NOT NULL AND EXISTS ({last}))", [*values, *more]


def _failure(term: Term, context: Context) -> Sql:
    bounds = beginning_with(term.text)
    if term.operator == "=":
        bounds["failure_end"] = term.text + "0"
    failed = last_failed_so(context.execution_columns)
    names = re.findall(r":(failure(?:_end)?)\b", failed)
    return re.sub(r":failure(?:_end)?\b", "?", failed), [bounds[name] for name in names]


def _id(term: Term, context: Context) -> Sql:
    if term.operator == "=":
        return "jobs.id = ?", [term.text]
    return "jobs.id >= ? AND jobs.id < ?", list(prefix_range(term.text))


def _of_column(column: str) -> Callable[[Term, Context], Sql]:
    """Of a text that only newer files have a column for."""

    def render(term: Term, context: Context) -> Sql:
        return _text(f"jobs.{column}", term) if column in context.job_columns else ("0", [])

    return render


def _lane(term: Term, context: Context) -> Sql:
    """A lane whose name holds the text, is the text, or begins with what stands before a `*`."""
    if "lane" not in context.job_columns:
        return "0", []
    if term.operator == "=":
        return f"jobs.lane = ? AND jobs.lane <> '{HIDDEN}'", [term.text]
    if term.text.endswith("*"):
        bounds = prefix_range(term.text[:-1])
        return f"jobs.lane >= ? AND jobs.lane < ? AND jobs.lane <> '{HIDDEN}'", list(bounds)
    return holds(f"nullif(jobs.lane, '{HIDDEN}')", term.text)


def _workflow(term: Term, context: Context) -> Sql:
    """Of the name, or of one run, by the beginning of its id."""
    if "workflow" not in context.job_columns:
        return "0", []
    part, values = _text("jobs.workflow", term)
    bounds = prefix_range(term.text)
    return f"{part} OR jobs.workflow_id >= ? AND jobs.workflow_id < ?", [*values, *bounds]


def _number(column: str) -> Callable[[Term, Context], Sql]:
    def render(term: Term, context: Context) -> Sql:
        operator = "=" if term.operator == ":" else term.operator
        return f"{column} {operator} ?", [term.number]

    return render


def _progress(term: Term, context: Context) -> Sql:
    """Of jobs that run and report how much of all they have done, in percent."""
    if not PROGRESS_COLUMNS.issubset(context.job_columns):
        return "0", []
    operator = "=" if term.operator == ":" else term.operator
    reported = (
        "SELECT 1 FROM core_progress p WHERE p.job_id = jobs.id "
        "AND p.execution_id = jobs.execution_id AND p.total > 0 AND typeof(p.done) = 'real' "
        f"AND min(100.0, 100.0 * p.done / p.total) {operator} ?"
    )
    return f"jobs.status = 'running' AND EXISTS ({reported})", [term.number]


_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _age(term: Term, context: Context) -> Sql:
    # Older means created earlier. A text is compared as one, so that no row's has to be parsed.
    turned = _TURNED[term.operator]
    born = context.now - timedelta(seconds=term.number)
    told = f"jobs.{CREATED.text} {turned} ?"
    if CREATED.instant not in context.job_columns:
        return told, [to_text(born)]
    return f"ifnull(jobs.{CREATED.instant} {turned} ?, {told})", [born.timestamp(), to_text(born)]


def run_seconds(job_columns: Collection[str]) -> str:
    """The SQL for how long an attempt has been running, or ran. Parameter: now, in UTC seconds."""
    ended = (
        "CASE jobs.status WHEN 'running' THEN ? WHEN 'pending' THEN NULL "
        f"ELSE {ENDED.seconds(job_columns)} END"
    )
    # Rounded to the milliseconds that a Julian day can tell: a minute is then sixty seconds.
    return f"round(max(0.0, {ended} - {BEGAN.seconds(job_columns)}), 3)"


def _duration(term: Term, context: Context) -> Sql:
    took = run_seconds(context.job_columns)
    return f"{took} {term.operator} ?", [context.now.timestamp(), term.number]


def _depends_on(term: Term, context: Context) -> Sql:
    if context.attached:
        bounds = "parent_id = ?" if term.operator == "=" else "parent_id >= ? AND parent_id < ?"
        values = [term.text] if term.operator == "=" else list(prefix_range(term.text))
        return f"jobs.id IN (SELECT child_id FROM core_edges WHERE {bounds})", [*values]
    test = "d.value = ?" if term.operator == "=" else "d.value >= ? AND d.value < ?"
    values = [term.text] if term.operator == "=" else list(prefix_range(term.text))
    return f"EXISTS (SELECT 1 FROM {PARENTS_OF_JOB} d WHERE {test})", [*values]


def _period(column: When, *, final: bool = False) -> Callable[[Term, Context], Sql]:
    def render(term: Term, context: Context) -> Sql:
        assert term.span is not None
        bounds = bounds_of(term.span, term.operator, context.now)
        part, values = within(bounds, column, "jobs", context.job_columns)
        return (f"jobs.status NOT IN {OPEN} AND {part}" if final else part), values

    return render


def _ran(term: Term, context: Context) -> Sql:
    assert term.span is not None
    bounds = bounds_of(term.span, term.operator, context.now)
    columns = context.job_columns, context.execution_columns
    return ran(bounds, *columns, context.now, indexed=context.attached)


def _json(column: str) -> Callable[[Term, Context], Sql]:
    return lambda term, context: json_condition(column, term)


def _state(term: Term, context: Context) -> Sql:
    word = term.text
    if word in _STATUSES:
        return "jobs.status = ?", [word]
    if word == "unknown":
        return f"jobs.status NOT IN {KNOWN}", []
    if word in ("overdue", "stopping", "orphaned"):
        return _running_state(word, context)
    return _waiting_state(word, context)


def _running_state(word: str, context: Context) -> Sql:
    if word == "overdue":
        limit = (
            "CASE WHEN typeof(jobs.timeout) IN ('integer', 'real') AND jobs.timeout > 0 "
            f"THEN jobs.timeout ELSE {DEFAULT_TIMEOUT_S} END"
        )
        test = f"{run_seconds(context.job_columns)} > {limit}"
        return f"jobs.status = 'running' AND {test}", [context.now.timestamp()]
    if not context.attached:
        return "0", []
    if word == "stopping":
        return "jobs.status = 'running' AND jobs.stop_requested_at IS NOT NULL", []
    held = "jobs.worker_id IN (SELECT value FROM json_each(?))"
    return f"jobs.status = 'running' AND {held}", [json.dumps(context.lost_workers)]


def is_later(job_columns: Collection[str], now: datetime) -> Sql:
    """The SQL that says whether a waiting job is not due yet; a blocked one may be, too."""
    if "retry_after" not in job_columns:
        return "0", []
    if "due" not in job_columns:
        return "ifnull(jobs.retry_after, '') > ?", [to_text(now)]
    told = f"jobs.retry_after > ? AND jobs.retry_after < '{FIRST_WORD}'"
    return f"ifnull(jobs.due > ?, ifnull({told}, 0))", [now.timestamp(), to_text(now)]


def _waiting_state(word: str, context: Context) -> Sql:
    parked = f"ifnull(jobs.retry_after, '') = '{PARKED}'" if context.attached else BLOCKED_BY_JSON
    later, values = is_later(context.job_columns, context.now)
    if word == "blocked":
        return f"jobs.status = 'pending' AND {parked}", []
    if word == "doomed":
        has_policies = "on_parent_failure" in context.job_columns
        waits = "e.on_failure = 0" if has_policies else "true"
        doomed = _DOOMED_BY_EDGES.format(waits=waits) if context.attached else _DOOMED_BY_JSON
        return f"jobs.status = 'pending' AND {doomed}", []
    if word == "delayed":
        return f"jobs.status = 'pending' AND {later} AND NOT {parked}", values
    if word == "retrying":
        return f"jobs.status = 'pending' AND jobs.attempts > 0 AND NOT {parked}", []
    return f"jobs.status = 'pending' AND NOT ({later}) AND NOT {parked}", values


_RENDERERS: dict[Field, Callable[[Term, Context], Sql]] = {
    Field.WORD: _word,
    Field.ID: _id,
    Field.ERROR: _error,
    Field.HOST: _host,
    Field.FAILURE: _failure,
    Field.WORKFLOW: _workflow,
    Field.BATCH: _of_column("batch"),
    Field.LANE: _lane,
    Field.SCHEDULE: _of_column("schedule"),
    Field.HOOK: _of_column("hook"),
    Field.UNIQUE: _of_column("unique_key"),
    Field.SUBMITTER: _of_column("submitted_by"),
    Field.PRIORITY: _number("jobs.priority"),
    Field.ATTEMPT: _number("jobs.attempts"),
    Field.PROGRESS: _progress,
    Field.AGE: _age,
    Field.DURATION: _duration,
    Field.DEPENDS_ON: _depends_on,
    Field.SUBMITTED: _period(CREATED),
    Field.STARTED: _period(BEGAN),
    Field.ENDED: _period(ENDED, final=True),
    Field.RAN: _ran,
    Field.PARAM: _json("jobs.params"),
    Field.RESULT: _json("jobs.result"),
    Field.STATE: _state,
}
