"""The runs of one workflow, task by task: which run a graph is of, and how the others went."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from gigq_core.rows.decoding import as_text, is_parked
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.graph import statements
from gigq_tui.store.instants import CREATED
from gigq_tui.store.models import Graph
from gigq_tui.store.stepwise import SoFar

# Of one workflow, how many runs are looked through, and how many of the newest are read.
MOST_LOOKED_AT = 20_000
MOST_RUNS = 100
# Jobs of a run that are read, and how many make a step.
MOST_OF_A_RUN = 10_000
JOBS_OF_A_STEP = 4_000


class TaskJob(NamedTuple):
    """One job of a run; `blocked` says that it waits for a parent."""

    id: str
    name: str
    function: str
    status: str
    blocked: bool


@dataclass(frozen=True)
class Run:
    """One run of a workflow: the jobs that were submitted together."""

    id: str
    submitted: datetime | None
    jobs: tuple[TaskJob, ...]


def with_workflow(conn: sqlite3.Connection, schema: FileSchema, graph: Graph) -> Graph:
    """The graph with the workflow of its focus, where the file knows of any."""
    if "workflow" not in schema.job_columns:
        return graph
    record = conn.execute(statements.WORKFLOW_OF, (graph.focus,)).fetchone()
    if record is None or record["workflow"] is None:
        return graph
    return replace(
        graph, workflow=as_text(record["workflow"]), workflow_id=as_text(record["workflow_id"])
    )


class RunsOfWorkflow:
    """Reads the newest runs of one workflow, the newest first; see `Stepwise`.

    Args:
        workflow: its name.
    """

    def __init__(self, workflow: str) -> None:
        self.workflow = workflow
        self._order: list[str] = []
        self._left: list[tuple[str, datetime | None]] | None = None
        self._runs: dict[str, Run] = {}

    def begin(self) -> None:
        """Forget all."""
        self._left, self._runs = None, {}

    def renew(self) -> None:
        """Read all of them again; those that are known stay until then."""
        self._left = None

    def step(
        self, conn: sqlite3.Connection, schema: FileSchema, now: datetime
    ) -> SoFar[tuple[Run, ...]]:
        """Read some runs more, the newest first."""
        if "workflow" not in schema.job_columns:
            return SoFar((), 0, 0)
        if self._left is None:
            self._left = self._newest(conn, schema)
            self._order = [id for id, _ in self._left]
            self._runs = {id: self._runs[id] for id in self._order if id in self._runs}
        statement = statements.jobs_of_run(schema)
        room = JOBS_OF_A_STEP
        while self._left and room > 0:
            id, submitted = self._left[0]
            records = conn.execute(statement, (self.workflow, id, MOST_OF_A_RUN)).fetchall()
            self._runs[id] = Run(id, submitted, tuple(map(_task_job, records)))
            del self._left[0]
            room -= len(records) + 1
        runs = tuple(self._runs[id] for id in self._order if id in self._runs)
        return SoFar(runs, len(self._order) - len(self._left), len(self._order))

    def _newest(
        self, conn: sqlite3.Connection, schema: FileSchema
    ) -> list[tuple[str, datetime | None]]:
        values = {"name": self.workflow, "most": MOST_LOOKED_AT, "limit": MOST_RUNS}
        found = conn.execute(statements.newest_runs(schema), values).fetchall()
        return [(as_text(record["id"]), CREATED.of(record)) for record in found]


def _task_job(record: sqlite3.Row) -> TaskJob:
    module, function = as_text(record["function_module"]), as_text(record["function_name"])
    return TaskJob(
        as_text(record["id"]),
        as_text(record["name"]),
        f"{module}.{function}" if module else function,
        as_text(record["status"]),
        is_parked(record["retry_after"]),
    )
