"""Reading a queue file for the commands: `mode=ro`, whatever release wrote it, changing nothing."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gigq_core.cli.errors import Trouble
from gigq_core.graph.blocking import Blocking, read_blocking, read_to_retry
from gigq_core.job import JobOptions
from gigq_core.reasons.standing import Standing, read_standings
from gigq_core.reasons.why import Halt, State, state_of, why
from gigq_core.rows.decoding import as_text, decoded_execution, decoded_job, is_parked
from gigq_core.rows.origin import origin_of
from gigq_core.rows.progress import Progress, progress_of_row
from gigq_core.rows.runs import newest_runs
from gigq_core.schema import failure_statements as failures
from gigq_core.schema import statements as sql
from gigq_core.schema import view_statements as view
from gigq_core.schema.attach import living_workers
from gigq_core.schema.opening import Connection, open_read_only
from gigq_core.status import JobStatus
from gigq_core.text import storable
from gigq_core.units.times import moment_told, to_text, utc_now

if TYPE_CHECKING:
    from gigq_core.changes.canary import FailedGroup
    from gigq_core.fleet.agents_seen import AgentSeen
    from gigq_core.forecasting.forecast import Forecast
    from gigq_core.grouping.counting import CountKey, Counts
    from gigq_core.grouping.failure_groups import FailureGroups, Order
    from gigq_core.hooks.rules import Hook
    from gigq_core.reasons.job_graph import JobGraph
    from gigq_core.schedules.rules import Schedule

T = TypeVar("T")

# What is late by less may be under way, in seconds.
LATE_S = 5.0
SHORTEST_PREFIX = 4
SHOWN_CANDIDATES = 5

# What people and scripts are told of a worker.
_SHOWN_OF_WORKER = (
    "id",
    "owner",
    "host",
    "pid",
    "isolation",
    "slots",
    "state",
    "request",
    "started_at",
    "stopped_at",
    "done",
    "failed",
    "last_claim_at",
    "log_path",
)

_TIMES_OF_WORKER = (("began", "started_at"), ("ended", "stopped_at"), ("claimed", "last_claim_at"))


class QueueView:
    """A queue file, opened to look at it only.

    Raises:
        DatabaseError: the file can't be opened; see `open_read_only`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened = open_read_only(path)

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

    def ask(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """What `act` reads out of the file."""
        return act(self._conn)

    def has_nobody_for(self, moments: Iterable[float | None]) -> bool:
        """Whether a moment has passed at which a worker of ours has to do something, and none is
        there to do it."""
        now = utc_now()
        late = any(moment is not None and moment < now - LATE_S for moment in moments)
        return late and not self.ask(living_workers)

    def resolve(self, text: str) -> str:
        """The id that `text` is, or the only one that begins with it.

        Raises:
            Trouble: no job, or more than one.
        """
        text = storable(text)
        if self._conn.execute(sql.JOB_BY_ID, (text,)).fetchone() is not None:
            return text
        if len(text) < SHORTEST_PREFIX:
            raise Trouble(
                f"No job has the id {text}: give at least its first {SHORTEST_PREFIX} characters."
            )
        limit = SHOWN_CANDIDATES + 1
        found = [
            row[0]
            for row in self._conn.execute(view.IDS_BY_PREFIX, (text, f"{text}\U0010ffff", limit))
        ]
        if not found:
            raise Trouble(f"Job {text} not found: `list` shows all jobs.")
        if len(found) > 1:
            more = ", …" if len(found) > SHOWN_CANDIDATES else ""
            raise Trouble(
                f"{text} matches more than one id "
                f"({', '.join(found[:SHOWN_CANDIDATES])}{more}): give more of it."
            )
        return str(found[0])

    def beginning_with(self, text: str, most: int) -> list[tuple[str, str]]:
        """Id and name of the jobs whose ids begin with `text`, at most so many."""
        rows = self._conn.execute(view.IDS_BY_PREFIX, (text, f"{text}\U0010ffff", most))
        return [(str(row["id"]), str(row["name"])) for row in rows]

    def job(self, job_id: str) -> dict[str, Any] | None:
        """A job with its executions, oldest first; None if there is no such job."""
        row = self._conn.execute(sql.JOB_BY_ID, (job_id,)).fetchone()
        if row is None:
            return None
        return {
            **self._shown([row])[0],
            "exists": True,
            "executions": [decoded_execution(row) for row in self._execution_rows(job_id)],
        }

    def origin(self, job: dict[str, Any]) -> str:
        """Where a job comes from; nothing where somebody submitted it."""
        return origin_of(self._conn, job)

    def state(self, job_id: str) -> tuple[dict[str, Any], Progress | None] | None:
        """Where a job stands, and how far it is; None if there is no such job.

        It may be asked often: parameters and result, which may be large, are left out.
        """
        columns = [row[0] for row in self._conn.execute(view.JOB_COLUMNS)]
        row = self._conn.execute(view.state_of(columns), (job_id,)).fetchone()
        if row is None:
            return None
        job = self._shown([row])[0]
        return job, job["progress"]

    def executions(self, job_id: str) -> list[dict[str, Any]]:
        """The attempts of a job, oldest first, as they are stored."""
        return [dict(row) for row in self._execution_rows(job_id)]

    def _execution_rows(self, job_id: str) -> list[sqlite3.Row]:
        return self._conn.execute(sql.EXECUTIONS_OF, (job_id,)).fetchall()

    def newest(
        self,
        status: str | None,
        limit: int,
        workflow: str | None = None,
        batch: str | None = None,
        failure: str | None = None,
    ) -> list[dict[str, Any]]:
        """The jobs that were submitted last, newest first.

        Args:
            status: only those of this status.
            limit: how many at most.
            workflow: only those of the workflow of this name, or of its run of this id.
            batch: only those of this batch.
            failure: only those whose last attempt failed in one of the ways whose fingerprints
                begin so.
        """
        if (workflow or batch) and not self._has_workflows():
            return []
        condition, values = self._selection(status, workflow, batch, failure)
        statement, values = view.latest(condition), {**values, "limit": limit}
        rows = self._conn.execute(statement, values)
        return self._shown(rows.fetchall())

    def _selection(
        self, status: str | None, workflow: str | None, batch: str | None, failure: str | None
    ) -> tuple[str, dict[str, Any]]:
        """The condition on jobs, and its values by their names; see `newest`."""
        failed = ""
        if failure is not None:
            columns = {row[0] for row in self._conn.execute(failures.EXECUTION_COLUMNS)}
            failed = failures.last_failed_so(columns)
        condition = view.selected(
            status is not None, workflow is not None, batch is not None, failed
        )
        values = {"status": status, "workflow": workflow, "batch": batch}
        return condition, values | failures.beginning_with(failure or "")

    def count(
        self,
        keys: Sequence[CountKey],
        limit: int,
        order: str,
        status: str | None = None,
        workflow: str | None = None,
        batch: str | None = None,
        failure: str | None = None,
    ) -> Counts:
        """Jobs counted by one key or two, all of them at one moment; see `Counting`.

        Args:
            keys: what they are counted by.
            limit: how many values of each key at most.
            order: which come first.
            status: of these jobs only, as all that follows; see `newest`.
        """
        from gigq_core.grouping.counting import (  # here: only one command asks for it
            Counting,
            Counts,
        )

        if (workflow or batch) and not self._has_workflows():
            return Counts()
        condition, named = self._selection(None, workflow, batch, failure)
        values: list[object] = []

        def take(found: re.Match[str]) -> str:
            values.append(named[found[1]])
            return "?"

        condition = re.sub(r":(\w+)", take, condition)
        conn = self._conn
        counting = Counting(keys, condition, values, status=status, order=order, step_s=0.5)
        conn.execute("BEGIN")
        try:
            while not counting.step(conn):
                pass
            return counting.counts(conn, limit, limit)
        finally:
            conn.execute("ROLLBACK")

    def schedules(self) -> list[Schedule]:
        """All schedules, by name."""
        from gigq_core.schedules.rules import read_schedules

        return read_schedules(self._conn)

    def workflows(self, limit: int) -> list[dict[str, Any]]:
        """The runs of workflows that were submitted last; see `JobQueue.workflows`."""
        if not self._has_workflows():
            return []
        return newest_runs(
            lambda statement, *values: self._conn.execute(statement, values).fetchall(), limit
        )

    def _has_workflows(self) -> bool:
        return self._conn.execute(view.HAS_WORKFLOWS).fetchone() is not None

    def longest_timeout(self) -> float:
        """The longest timeout of the jobs that wait or run, in seconds; 0 where there is none."""
        return float(self._conn.execute(view.LONGEST_TIMEOUT).fetchone()[0])

    def paused(self) -> bool:
        """Whether the queue is paused."""
        if self._conn.execute(view.HAS_META).fetchone() is None:
            return False
        return self._conn.execute(sql.IS_PAUSED).fetchone() is not None

    def _shown(self, rows: list[sqlite3.Row]) -> list[dict[str, Any]]:
        """The jobs as commands print them, each with its progress, and why it waits if it does."""
        jobs = [_shown_job(row) for row in rows]
        found: dict[Any, Progress | None] = {}
        if self._conn.execute(view.HAS_PROGRESS).fetchone() is not None:
            ids = json.dumps([as_text(job["id"]) for job in jobs])
            reports = self._conn.execute(view.PROGRESS_AMONG, (ids,)).fetchall()
            found = {report["job_id"]: progress_of_row(report) for report in reports}
        waiting = [dict(row) for row in rows if row["status"] == JobStatus.PENDING.value]
        reasons = {each.id: _holds_up(each) for each in read_standings(self._conn, waiting)}
        told = []
        for job in jobs:
            reason = reasons.get(as_text(job["id"]))
            more = {"why": reason} if reason else {}
            told.append({**job, "progress": found.get(job["id"]), **more})
        return told

    def ended(self, statuses: Iterable[str], before: datetime | None) -> list[str]:
        """The ids of the jobs that ended so, the oldest first.

        Args:
            statuses: which ends.
            before: only those that ended before this moment.
        """
        with_instants = self._conn.execute(view.HAS_INSTANTS).fetchone() is not None
        values = {
            "statuses": json.dumps(list(statuses)),
            "before": None if before is None else before.timestamp(),
            "text": None if before is None else to_text(before),
        }
        found = self._conn.execute(view.ended(with_instants), values)
        return [str(row[0]) for row in found.fetchall()]

    def facts_of(self, job_id: str) -> Standing | None:
        """What there is to know of why a job is where it is; None if there is no such job."""
        columns = [row[0] for row in self._conn.execute(view.JOB_COLUMNS)]
        row = self._conn.execute(view.state_of(columns), (job_id,)).fetchone()
        if row is None:
            return None
        (standing,) = read_standings(self._conn, [dict(row)], in_line=True)
        return standing

    def blocking(self, job_id: str) -> tuple[Blocking, list[str]]:
        """How many jobs hang on a job, and the ids of all that have to be retried for those."""
        return read_blocking(self._conn, [job_id]), read_to_retry(self._conn, job_id)

    def forecast(self, job_id: str) -> Forecast:
        """When a job will be done, and what that stands on."""
        from gigq_core.forecasting.outlook import Outlook  # here: only one command asks for it

        steps = Outlook((job_id,)).read(self._conn, time.time())
        while True:
            try:
                next(steps)
            except StopIteration as ended:
                found: Forecast = ended.value[0]
                return found

    def failures(self, since: float | None, limit: int, order: Order) -> FailureGroups:
        """What failed; see `failure_groups`."""
        from gigq_core.grouping.failure_groups import (
            failure_groups,  # here: only one command asks for it
        )

        return failure_groups(self._conn, since=since, limit=limit, order=order)

    def failed_groups(self, digits: str) -> list[FailedGroup]:
        """The jobs that are failed now for causes whose fingerprints begin so."""
        from gigq_core.changes.canary import failed_groups  # here: only one command asks for it

        return failed_groups(self._conn, digits)

    def canary_of(self, group: FailedGroup, size: int) -> list[str]:
        """The ids of a canary of a group; see `gigq_core.changes.canary.choose`."""
        from gigq_core.changes.canary import choose, params_at

        ids = {job.place: job.job_id for job in group.jobs}
        failed = ((job.place, job.ended) for job in group.jobs)
        return [ids[place] for place in choose(failed, size, partial(params_at, self._conn))]

    def cause(self, group: FailedGroup) -> str:
        """What the last failure of a group says, with `#` for what differs."""
        from gigq_core.grouping.failed_now import title_of

        return title_of(self._conn, group.jobs[-1].job_id)

    def standing(self, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Name and status of some jobs by their ids; what is gone is left out."""
        rows = self._conn.execute(view.STANDING_AMONG, (json.dumps(list(ids)),))
        return {as_text(row[0]): (as_text(row[1]), as_text(row[2])) for row in rows}

    def graph(self, job_id: str) -> JobGraph:
        """The jobs that hang together with one that exists; see `read_job_graph`."""
        from gigq_core.reasons.job_graph import read_job_graph  # here: only one command asks for it

        return read_job_graph(self._conn, job_id)

    def unmet(self, job: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Id, name and status of each parent that has not completed; status "missing" for none."""
        parents = job["dependencies"] if isinstance(job["dependencies"], list) else []
        passed_over = self._passed_over(job["id"])
        waiting = []
        for parent in parents:
            name = storable(str(parent))
            if name in passed_over:
                continue
            row = self._conn.execute(sql.JOB_BY_ID, (name,)).fetchone()
            if row is None:
                waiting.append((name, "", "missing"))
            elif row["status"] != JobStatus.COMPLETED.value:
                waiting.append((row["id"], row["name"], row["status"]))
        return waiting

    def _passed_over(self, job_id: str) -> set[str]:
        """The parents that failed, and without which the job goes on."""
        if self._conn.execute(view.HAS_META).fetchone() is None:
            return set()
        return {str(row[0]) for row in self._conn.execute(view.PASSED_OVER, (job_id,))}

    def hooks(self) -> list[Hook]:
        """All hooks, by name."""
        from gigq_core.hooks.rules import read_hooks

        return read_hooks(self._conn)

    def stats(self) -> dict[str, int]:
        """How many jobs there are of each status, and in all."""
        counts = {status.value: 0 for status in JobStatus}
        counts.update({str(status): int(n) for status, n in self._conn.execute(view.COUNTS)})
        return {**counts, "total": sum(counts.values())}

    def workers(self) -> list[dict[str, Any]]:
        """The workers of this package on the file, the latest first.

        Each with `alive` and `suspended`: null where it can't be told from here; and with its
        `agents`, where it runs its jobs elsewhere.
        """
        from gigq_core.fleet.agents_seen import read_agents  # here: most commands ask for no worker

        if self._conn.execute(view.HAS_WORKERS).fetchone() is None:
            return []
        agents = read_agents(self._conn)
        return [
            {
                **_with_life(dict(row)),
                "agents": [_shown_agent(each) for each in agents if each.worker_id == row["id"]],
            }
            for row in self._conn.execute(view.WORKERS)
        ]


def _shown_job(row: sqlite3.Row) -> dict[str, Any]:
    """A row of `jobs` as commands print it, whatever release made the table.

    `blocked` says that it waits for a parent; `retry_after` is its own due time even then.
    """
    job = decoded_job(row)
    job.setdefault("retry_delay", JobOptions.retry_delay)
    job["blocked"] = is_parked(dict(row).get("retry_after"))
    job.pop("execution_id", None)
    return job


def _holds_up(standing: Standing) -> str:
    """What holds a waiting job up; nothing if it could run now."""
    now = datetime.now(timezone.utc)
    waits_for_workers = state_of(standing, now) is State.READY and standing.halt is not Halt.PAUSED
    if standing.status != JobStatus.PENDING.value or (waits_for_workers and not standing.in_script):
        return ""
    return why(standing, now, dated=True).rstrip(".")


def _with_life(row: dict[str, Any]) -> dict[str, Any]:
    from gigq_core.system.identity import is_suspended  # here: most commands ask for no worker

    alive = _alive(row)
    suspended = is_suspended(row["pid"]) if alive else alive
    for instant, text in _TIMES_OF_WORKER:
        told = moment_told(row.get(instant), row[text])
        row[text] = None if told is None else to_text(told)
    return {**{key: row[key] for key in _SHOWN_OF_WORKER}, "alive": alive, "suspended": suspended}


def _shown_agent(agent: AgentSeen) -> dict[str, Any]:
    told = asdict(agent)
    del told["worker_id"]
    return told


def _alive(row: dict[str, Any]) -> bool | None:
    from gigq_core.system.identity import ProcessIdentity, is_dead

    if row["state"] == "stopped":
        return False
    dead = is_dead(ProcessIdentity.of_row(row))
    return None if dead is None else not dead
