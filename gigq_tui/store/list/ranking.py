"""Orders that no index holds: the first rows of each, ranked seldom and looked at each time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from gigq_core.rows.decoding import as_int
from gigq_core.schema.agent_statements import last_host
from gigq_core.schema.ddl import PARKED
from gigq_tui.store import queries
from gigq_tui.store.clock import Clock
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.filter.sql import BLOCKED_BY_JSON, is_later, run_seconds
from gigq_tui.store.instants import BEGAN, CREATED, ENDED
from gigq_tui.store.list.view import Anchor, AnchorKind, View
from gigq_tui.store.models import Tab, Window
from gigq_tui.store.rows import job_row
from gigq_tui.store.sorting import Sort, SortKey
from gigq_tui.store.throttle import Throttle

# Such an order is known for so many jobs, its first ones.
MAX_RANKED = 1_000


class Ranking:
    """Remembers one order, and ranks anew only when that is needed and affordable.

    What a row says, and whether the list still holds it, is read at each refresh all the same.

    Args:
        clock: whose monotonic half paces the ranking.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._order: Throttle[tuple[int, ...]] = Throttle(clock)

    def window(
        self,
        conn: sqlite3.Connection,
        schema: FileSchema,
        view: View,
        where: str,
        params: Sequence[object],
        matching: int,
        version: int,
    ) -> Window:
        """The page that the view asks for.

        Args:
            conn: an open connection, within its read transaction.
            schema: what the file is made of.
            view: the tab, the order and the page.
            where: the filter's condition on `jobs`, and `params`, its values.
            matching: how many jobs match, as far as is known.
            version: the file's data version.
        """
        source, tab = queries.tab_source(schema, view.listed_tab)

        def rank() -> tuple[int, ...]:
            is_whole = not view.filter and view.listed_tab is Tab.ALL
            by_index = is_whole and queries.BATCH_INDEX in schema.indexes
            if by_index and view.sort.key is SortKey.BATCH:
                return by_batch(conn, rising=view.sort.rising)
            value, values = _value(view.sort.key, schema, self._clock.now())
            way = "ASC" if view.sort.rising else "DESC"
            sql = queries.ranked(source, tab, f"({where})", value, way, _scan(view.sort))
            found = conn.execute(sql, (*values, *params, MAX_RANKED))
            return tuple(as_int(record["key"]) for record in found.fetchall())

        ranked = self._order.get(
            (schema.version, view.listed_tab, view.filter, view.sort), version, rank
        )
        keys = ranked
        if not self._order.fresh:
            sql = queries.still_listed(tab, f"({where})")
            found = conn.execute(sql, (json.dumps(ranked), *params)).fetchall()
            listed = {as_int(record["key"]) for record in found}
            keys = tuple(key for key in ranked if key in listed)
        start = self._start(conn, keys, view.anchor, view.rows)
        sql = queries.lines_by_key(queries.line_columns(schema))
        page = json.dumps(keys[start : start + view.rows])
        rows = tuple(map(job_row, conn.execute(sql, (page,)).fetchall()))
        beyond = max(0, matching - len(keys)) if len(ranked) == MAX_RANKED else 0
        return Window(rows, start, len(keys), beyond, view.anchor.id)

    def _start(
        self, conn: sqlite3.Connection, keys: tuple[int, ...], anchor: Anchor, rows: int
    ) -> int:
        """Where the page begins."""
        last = max(0, len(keys) - rows)
        if anchor.kind is AnchorKind.TOP:
            return 0
        if anchor.kind is AnchorKind.END:
            return last
        index = anchor.start
        if anchor.kind is AnchorKind.BEFORE:
            index -= rows
        elif anchor.kind is AnchorKind.AROUND:
            found = conn.execute(queries.KEY_OF, (anchor.id,)).fetchone()
            key = None if found is None else as_int(found["key"])
            index = (keys.index(key) if key in keys else index) - rows // 2
        return max(0, min(index, last))

    def owed_in(self) -> float | None:
        """Seconds until an order that was held back may be ranked; None if it is up to date."""
        return self._order.owed_in()

    def skip(self) -> None:
        """Note that no such order is looked at now."""
        self._order.skip()


def by_batch(conn: sqlite3.Connection, *, rising: bool) -> tuple[int, ...]:
    """The first jobs by their batch, the newest of each first, as the index holds them."""
    keys: list[int] = []

    def add(sql: str, *params: object) -> None:
        found = conn.execute(sql, (*params, MAX_RANKED - len(keys))).fetchall()
        keys.extend(as_int(record["key"]) for record in found)

    batch: bytes | None = None
    while len(keys) < MAX_RANKED:
        before = () if batch is None else (batch,)
        found = conn.execute(queries.next_batch(rising, batch is None), before)
        batch = found.fetchone()["batch"]
        if batch is None:
            add(queries.OF_NO_BATCH)
            break
        add(queries.OF_BATCH, batch)
    return tuple(keys)


def is_walked(sort: Sort, schema: FileSchema) -> bool:
    """Whether an index holds the order, so that it is paged through by key, from end to end."""
    if sort.key is SortKey.CLAIM:
        return schema.has_claim_order
    return sort.key is SortKey.SUBMITTED


def ranking(sort: Sort, schema: FileSchema, now: datetime) -> tuple[str, list[object]]:
    """The ORDER BY for an order that no index holds, and its parameters.

    What has no value stands last, whichever way round; equal ones stand newest first.
    """
    value, params = _value(sort.key, schema, now)
    way = "ASC" if sort.rising else "DESC"
    return f"({value}) IS NULL, {value} {way}, jobs.rowid DESC", [*params, *params]


def _scan(sort: Sort) -> str:
    """From which end rows are gone through, so that what comes first in an order comes early."""
    if sort.key is SortKey.AGE:
        return "DESC" if sort.rising else "ASC"
    return "ASC" if sort.rising and sort.key in _GROWING else "DESC"


# What grows with the keys of rows, nearly always: the names of many jobs end with a number.
_GROWING = frozenset({SortKey.STARTED, SortKey.ENDED, SortKey.NAME})


def _value(key: SortKey, schema: FileSchema, now: datetime) -> tuple[str, list[object]]:
    if key is SortKey.DURATION:
        return run_seconds(schema.job_columns), [now.timestamp()]
    if key is SortKey.STATE:
        return _state_rank(schema, now)
    if key is SortKey.CLAIM:
        return _claim_rank(schema, now)
    if key is SortKey.BATCH:
        return ("jobs.batch" if "batch" in schema.job_columns else "NULL"), []
    if key is SortKey.HOST:
        return last_host(schema.execution_columns), []
    if key is SortKey.STARTED:
        return BEGAN.seconds(schema.job_columns), []
    if key is SortKey.AGE:
        return f"-{CREATED.seconds(schema.job_columns)}", []
    if key is SortKey.ENDED:
        ended = ENDED.seconds(schema.job_columns)
        return f"CASE WHEN jobs.status NOT IN ('pending', 'running') THEN {ended} END", []
    return _COLUMNS[key], []


_COLUMNS = {
    SortKey.SUBMITTED: "-jobs.rowid",
    SortKey.PRIORITY: "jobs.priority",
    SortKey.NAME: "jobs.name COLLATE NOCASE",
    SortKey.ATTEMPTS: "jobs.attempts",
    SortKey.FUNCTION: "(jobs.function_module || '.' || jobs.function_name) COLLATE NOCASE",
}


def _state_rank(schema: FileSchema, now: datetime) -> tuple[str, list[object]]:
    blocked = f"ifnull(jobs.retry_after, '') = '{PARKED}'" if schema.attached else BLOCKED_BY_JSON
    later, params = is_later(schema.job_columns, now)
    return (
        "CASE jobs.status WHEN 'failed' THEN 0 WHEN 'timeout' THEN 1 WHEN 'running' THEN 2 "
        f"WHEN 'pending' THEN CASE WHEN {blocked} THEN 5 WHEN {later} THEN 4 ELSE 3 END "
        "WHEN 'completed' THEN 6 WHEN 'cancelled' THEN 7 ELSE 8 END",
        params,
    )


def _claim_rank(schema: FileSchema, now: datetime) -> tuple[str, list[object]]:
    """GigQ's own order as one comparable text: what names no parents before what does."""
    later, params = is_later(schema.job_columns, now)
    group = (
        f"CASE WHEN jobs.status <> 'pending' THEN 4 WHEN {BLOCKED_BY_JSON} THEN 3 "
        f"WHEN {later} THEN 2 WHEN ifnull(jobs.dependencies, '') IN ('', '[]') THEN 0 ELSE 1 END"
    )
    priority = "printf('%020d', 9000000000000000000 - CAST(jobs.priority AS INTEGER))"
    return f"({group}) || ' ' || {priority} || ' ' || jobs.created_at", params
