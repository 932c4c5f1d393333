"""What is asked of the file, by one thread: each call one short transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from gigq_core.fleet.utc_offsets import differences_for_gigq
from gigq_core.graph.blocking import Blocking, count_blocked, read_blocking
from gigq_core.graph.component import Edges, read_all_edges
from gigq_core.lanes.rules import holds_any
from gigq_core.rows.decoding import as_int, as_text
from gigq_tui.store import queries, submit_form
from gigq_tui.store.agents import HOST, with_hosts
from gigq_tui.store.attempt_reports import Paces, with_reports
from gigq_tui.store.clock import SYSTEM_CLOCK, Clock
from gigq_tui.store.counting import Counter, RateMeter
from gigq_tui.store.detail import MAX_RELATIVES, read_detail
from gigq_tui.store.door import Door
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.filter.sql import Context, prefix_range
from gigq_tui.store.forecast import AheadOfQueue
from gigq_tui.store.graph import component
from gigq_tui.store.graph.ancestors import read_lines, with_ancestors
from gigq_tui.store.graph.runs import with_workflow
from gigq_tui.store.history.arranged import ArrangedReader
from gigq_tui.store.history.attempts import History
from gigq_tui.store.history.attention import WalWatch, concerns
from gigq_tui.store.history.figures import figures, slots_of
from gigq_tui.store.history.overview import Overview, ReadyCounter, read_busy
from gigq_tui.store.lanes import graph_with_lanes, with_lanes
from gigq_tui.store.list.covered import Covered, covered
from gigq_tui.store.list.index_walk import walk_of
from gigq_tui.store.list.own_columns import with_own
from gigq_tui.store.list.pages import Pages
from gigq_tui.store.list.ranking import Ranking, is_walked, ranking
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Counts, FileInfo, Graph, JobDetail, JobRow, Snapshot, Window
from gigq_tui.store.obstacles import ObstacleWatch
from gigq_tui.store.schedules import Schedules, read_listed
from gigq_tui.store.stepwise import SoFar, StepsOfAFile, Stepwise
from gigq_tui.store.throttle import Throttle
from gigq_tui.store.workers import (
    FileWorkers,
    IsDead,
    Pulse,
    graph_with_holders,
    read_file_workers,
    with_holders,
)

_Value = TypeVar("_Value")

MAX_RESOLVED = 20
# How far it is looked, at each refresh of a job's own screen, for jobs that wait for it.
MAX_BLOCKED = 2_000
# In the place of the journal mode of a file that is read as it stands.
IMMUTABLE = "immutable"


class Reader:
    """Reads one queue file and never changes it.

    All calls but `interrupt` belong to one thread at a time.

    Args:
        path: the queue file, attached or GigQ's own.
        clock: where the time comes from.
        is_dead: says whether a worker's process is gone; by default this machine is asked.

    Raises:
        DatabaseError: the file can't be read; so may every method that reads.
    """

    def __init__(
        self, path: Path, clock: Clock = SYSTEM_CLOCK, *, is_dead: IsDead | None = None
    ) -> None:
        self._door = Door(path)
        self._path = self._door.path
        self._clock = clock
        self._pulse = Pulse(clock, is_dead)
        self._counter = Counter(clock)
        self._matches: Throttle[int] = Throttle(clock)
        self._ranking = Ranking(clock)
        self._edges: Throttle[Edges] = Throttle(clock)
        self._rate = RateMeter()
        self._paces = Paces()
        self._history = History()
        self._ready = ReadyCounter(clock)
        self._arranged = ArrangedReader(clock)
        self._wal = WalWatch()
        self._steps = StepsOfAFile()
        self._obstacles = ObstacleWatch(self._path, clock)
        self._staff = FileWorkers()
        self._ahead = AheadOfQueue(clock, is_dead)
        # The data version of the last snapshot.
        self.version_read = 0

    # --- what the screens ask for --------------------------------------------------------------

    def snapshot(self, view: View) -> Snapshot:
        """Everything the jobs screen draws.

        Raises:
            DatabaseError: see the class; `Interrupted` after `interrupt()`.
        """
        with self._door.reading() as (conn, schema):
            now, staff, counts = self._state(conn, schema)
            at = self._clock.monotonic()
            if self._counter.fresh:
                ended = counts.completed + counts.failed + counts.timeout
                newest = as_int(conn.execute(queries.NEWEST_ATTEMPT).fetchone()[0])
                self._rate.add(at, ended, counts.running, newest)
            snapshot = Snapshot(
                taken_at=now,
                info=self._info(conn, schema, staff),
                counts=counts,
                tab=view.tab,
                filter_text=view.filter.text,
                window=self._window(conn, schema, view, counts, staff),
                workers=staff.ours,
                foreign_workers=staff.foreign,
                paused=staff.paused,
                all_held=_all_held(conn, schema, staff),
                finished_per_s=self._rate.rate(at),
                sort=view.sort,
                follow=view.follow,
                followed=_followed(conn, schema, view.follow, staff),
                figures=figures(self._history, now, self._ahead.ahead),
            )
            self.version_read = self._door.version
            self._staff = staff
            return snapshot

    def detail(self, job_id: str) -> JobDetail | None:
        """One job whole, or None if there is no such job."""
        with self._door.reading() as (conn, schema):
            row = read_lines(conn, schema, [job_id]).get(job_id)
            if row is None:
                return None
            (row,) = with_holders(self._paces.remembered([row]), self._read_staff(conn, schema))
            (row,) = with_lanes(conn, [row], self._clock.now())
            blocks = 0
            if schema.attached:
                relatives = component.relatives(conn, schema, job_id, MAX_RELATIVES)
                if relatives[2]:
                    blocks = count_blocked(conn, job_id, MAX_BLOCKED)
            else:
                edges = self._all_edges(conn, schema)
                blocks = component.count_blocked_in(conn, edges, job_id, MAX_BLOCKED)
                children = edges.children.get(job_id, [])
                relatives = (
                    component.waived_where_missing(conn, edges, job_id, MAX_RELATIVES),
                    children,
                    len(children),
                )
            return read_detail(conn, schema, self._path, row, relatives, blocks)

    def graph(self, job_id: str, limit: int = 5_000) -> Graph | None:
        """The dependencies around a job, up to `limit` jobs; None if there is no such job."""
        with self._door.reading() as (conn, schema):
            if not read_lines(conn, schema, [job_id], judge=False):
                return None
            edges = None if schema.attached else self._all_edges(conn, schema)
            graph = component.read_graph(conn, schema, job_id, limit, edges)
            graph = with_workflow(conn, schema, graph)
            graph = graph_with_holders(graph, self._read_staff(conn, schema))
            return graph_with_lanes(conn, graph, self._clock.now())

    def matching_ids(self, view: View, limit: int | None = None) -> tuple[str, ...]:
        """The ids of all jobs that the view's tab and filter match, in the view's order."""
        with self._door.reading() as (conn, schema):
            context = _context(self._clock.now(), schema, self._read_staff(conn, schema))
            where, params = view.filter.sql(context)
            wanted = -1 if limit is None else limit
            if is_walked(view.sort, schema):
                walk = walk_of(conn, schema, view.listed_tab, view.sort, where, params)
                return tuple(map(as_text, walk.ids(wanted)))
            source, tab = queries.tab_source(schema, view.listed_tab)
            order, values = ranking(view.sort, schema, context.now)
            condition = f"{tab} AND jobs.rowid <= {queries.TOP_KEY} AND ({where})"
            sql = queries.ids_matching(source, condition, order)
            found = conn.execute(sql, (*params, *values, wanted))
            return tuple(as_text(record[0]) for record in found.fetchall())

    def covered(self, view: View) -> tuple[Covered, ...]:
        """Which values the view's jobs have in the parameters that its filter is about."""
        with self._door.reading() as (conn, schema):
            context = _context(self._clock.now(), schema, self._read_staff(conn, schema))
            where, params = view.filter.sql(context)
            return covered(conn, schema, view, where, params)

    def overview(self) -> Overview:
        """What every function has to do now, and what needs a person."""
        with self._door.reading() as (conn, schema):
            now, staff, counts = self._state(conn, schema)
            info = self._info(conn, schema, staff)
            busy = read_busy(conn, schema, staff, now)
            starved = self._wal.starved(self._clock.monotonic())
            return Overview(
                taken_at=now,
                counts=counts,
                ready=self._ready.read(conn, schema, self._door.version),
                running=busy.by_function,
                ready_only=schema.attached,
                ahead=self._ahead.ahead,
                concerns=concerns(
                    staff,
                    counts,
                    info,
                    overdue=busy.overdue,
                    starved=starved,
                    arranged=self._arranged.read(conn, schema, self._door.version, now),
                    now=now,
                ),
            )

    def step(self, work: Stepwise[_Value]) -> SoFar[_Value]:
        """Have something large read its next step, and return what it knows so far."""
        with self._door.reading() as (conn, schema):
            return self._steps.step(work, conn, schema, self._clock.now())

    def rows(self, ids: Sequence[str]) -> dict[str, JobRow]:
        """The lines of some jobs by id; those that don't exist are left out."""
        with self._door.reading() as (conn, schema):
            return read_lines(conn, schema, ids)

    def blocking(self, ids: Sequence[str]) -> Blocking:
        """How many jobs hang on some jobs."""
        with self._door.reading() as (conn, _schema):
            return read_blocking(conn, ids)

    def resolve(self, prefix: str) -> tuple[str, ...]:
        """The ids that begin with `prefix`, a few of them if there are many."""
        if not prefix.isascii() and prefix != prefix.encode("utf-8", "replace").decode():
            return ()  # bytes of a terminal that are no text begin no id
        with self._door.reading() as (conn, _):
            bounds = prefix_range(prefix)
            found = conn.execute(queries.IDS_WITH_PREFIX, (*bounds, MAX_RESOLVED))
            return tuple(as_text(record[0]) for record in found.fetchall())

    # --- what the submit form asks for: each of them bounded, on any file ----------------------

    def find_jobs(self, words: str) -> tuple[JobRow, ...]:
        """Some jobs whose id begins with what was typed, or whose name holds it."""
        with self._door.reading() as (conn, schema):
            return submit_form.find_jobs(conn, schema, words)

    def recent_functions(self) -> tuple[str, ...]:
        """The functions of the newest jobs, the latest used first."""
        with self._door.reading() as (conn, _schema):
            return submit_form.recent_functions(conn)

    def jobs_ahead(self, priority: int) -> int | None:
        """How many jobs are claimed before a new one of that priority; None if too many."""
        with self._door.reading() as (conn, schema):
            return submit_form.jobs_ahead(conn, schema, priority, self._clock.now())

    # --- what the screen of schedules asks for -------------------------------------------------

    def schedules(self, chosen: str) -> Schedules:
        """The schedules, and what became of the last slots of one of them."""
        with self._door.reading() as (conn, schema):
            staff = self._read_staff(conn, schema)
            return read_listed(conn, schema, staff, self._clock.now(), chosen)

    # --- what the feed asks for ----------------------------------------------------------------

    def data_version(self) -> int:
        """A number that moves whenever another connection has committed a change."""
        return self._door.data_version()

    def liveness_changed(self) -> bool:
        """Whether a worker seen by the last snapshot has died or come back since, or whether
        something keeps all of them from writing now."""
        self._obstacles.look(self.version_read)
        return self._staff.changed(self._pulse) or self._obstacles.changed()

    def owed_in(self) -> float | None:
        """Seconds until what the last snapshot held back may be read; None if it is complete."""
        held = (self._counter, self._matches, self._ranking, self._history)
        return min((s for s in (h.owed_in() for h in held) if s is not None), default=None)

    def forecast_in(self) -> float | None:
        """Seconds until a step of the forecast may be made; None if none is wanted."""
        return self._ahead.due_in()

    def look_ahead(self) -> bool:
        """Make a step of the forecast; returns whether the next snapshot tells another one."""
        with self._door.reading() as (conn, _schema):
            return self._ahead.step(conn, self._clock.now())

    def interrupt(self) -> None:
        """Make the read that goes on, or else the next, raise `Interrupted`. From any thread."""
        self._door.interrupt()

    def rearm(self) -> None:
        """Forget an interrupt: the next read is wanted."""
        self._door.rearm()

    def close(self) -> None:
        """End the connection. No other method works afterwards."""
        self._door.close()

    # --- inside --------------------------------------------------------------------------------

    def _state(
        self, conn: sqlite3.Connection, schema: FileSchema
    ) -> tuple[datetime, FileWorkers, Counts]:
        """The hour, who works, and the counts; the past is followed."""
        now = self._clock.now()
        staff = read_file_workers(conn, schema, self._pulse, now)
        counts = self._counter.read(conn, schema, self._door.version, now)
        self._history.follow(conn, schema, now)
        self._ahead.saw(counts, staff, slots_of(staff.ours))
        return now, staff, counts

    def _read_staff(self, conn: sqlite3.Connection, schema: FileSchema) -> FileWorkers:
        return read_file_workers(conn, schema, self._pulse, self._clock.now())

    def _window(
        self,
        conn: sqlite3.Connection,
        schema: FileSchema,
        view: View,
        counts: Counts,
        staff: FileWorkers,
    ) -> Window:
        where, params = "1", list[object]()
        total = counts.of(view.listed_tab)
        self._matches.skip()
        if view.filter:
            where, params = view.filter.sql(_context(self._clock.now(), schema, staff))
            source, tab = queries.tab_source(schema, view.listed_tab)
            sql = queries.count_matching(source, tab, f"({where})")
            total = self._matches.get(
                (view.listed_tab, view.filter),
                self._door.version,
                lambda: as_int(conn.execute(sql, params).fetchone()[0]),
            )
        if is_walked(view.sort, schema):
            self._ranking.skip()
            walk = walk_of(conn, schema, view.listed_tab, view.sort, where, params)
            columns = queries.line_columns(schema)
            window = Pages(conn, walk, columns, total).read(view.anchor, view.rows)
        else:
            window = self._ranking.window(
                conn, schema, view, where, params, total, self._door.version
            )
        rows = with_reports(conn, schema, with_ancestors(conn, schema, window.rows))
        rows = self._paces.remembered(rows)
        rows = with_lanes(conn, with_holders(rows, staff), self._clock.now())
        if HOST in view.own:
            rows = with_hosts(conn, schema, rows)
        if own := [name for name in view.own if name != HOST]:
            rows = with_own(conn, rows, own)
        return replace(window, rows=rows)

    def _info(self, conn: sqlite3.Connection, schema: FileSchema, staff: FileWorkers) -> FileInfo:
        wal_size = _size(self._path.with_name(self._path.name + "-wal"))
        self._wal.saw(wal_size, self._clock.monotonic())
        self._obstacles.look(self._door.version)
        return FileInfo(
            path=str(self._path),
            attached=schema.attached,
            journal_mode=(
                IMMUTABLE
                if self._door.is_still
                else as_text(conn.execute("PRAGMA journal_mode").fetchone()[0])
            ),
            size=_size(self._path),
            wal_size=wal_size,
            sqlite_version=sqlite3.sqlite_version,
            still=self._door.is_still,
            obstacles=self._obstacles.tell(),
            offsets=(
                differences_for_gigq(conn) if schema.has_claim_order and staff.foreign else ""
            ),
        )

    def _all_edges(self, conn: sqlite3.Connection, schema: FileSchema) -> Edges:
        return self._edges.get(schema.version, self._door.version, lambda: read_all_edges(conn))


def _all_held(conn: sqlite3.Connection, schema: FileSchema, staff: FileWorkers) -> bool:
    if not schema.has_claim_order or staff.line:
        return False
    return conn.execute(queries.HAS_FIRST_IN_SCRIPT).fetchone() is None and holds_any(conn)


def _context(now: datetime, schema: FileSchema, staff: FileWorkers) -> Context:
    return Context(
        now,
        schema.attached,
        schema.job_columns,
        staff.gone,
        schema.execution_columns,
        schema.indexes,
    )


def _followed(
    conn: sqlite3.Connection, schema: FileSchema, job_id: str | None, staff: FileWorkers
) -> JobRow | None:
    if job_id is None:
        return None
    row = read_lines(conn, schema, [job_id]).get(job_id)
    return None if row is None else with_holders([row], staff)[0]


def _size(path: Path) -> int:
    # Only looked at: opening the file here would drop SQLite's locks on it.
    try:
        return path.stat().st_size
    except OSError:
        return 0
