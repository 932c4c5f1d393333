"""Lanes as the console knows them: read for a screen, and how each stands at a moment."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from gigq_core.lanes.rules import InLane, Lane, read_lanes, read_limits
from gigq_core.status import JobStatus
from gigq_tui.store import queries
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.models import Graph, JobRow
from gigq_tui.store.stepwise import STEP_S, SoFar

# Of so many priorities of a lane the oldest job is looked for.
_MOST_PRIORITIES = 8
_HIGHEST = 2**63 - 1


class Lanes(NamedTuple):
    """All lanes, and since when the oldest job waits that each could start, by their names.

    Moments are in UTC seconds.
    """

    lanes: tuple[Lane, ...] = ()
    oldest: Mapping[str, float] = MappingProxyType({})


class Standing(Enum):
    """How a lane stands; what needs somebody comes first."""

    UNTAKEN = "no worker takes it"
    SHUT = "shut"
    PAUSED = "paused"
    FULL = "full"
    RATED = "rated"
    OPEN = "open"
    EMPTY = "empty"


_ORDER = {standing: at for at, standing in enumerate(Standing)}
# Where nothing waits, none of these is in anybody's way.
_QUIET = len(_ORDER)


def with_lanes(
    conn: sqlite3.Connection, rows: Sequence[JobRow], now: datetime
) -> tuple[JobRow, ...]:
    """The rows with how their lanes stand, of those that wait in one."""
    names = {row.lane for row in rows if _waits_in_lane(row)}
    if not names:
        return tuple(rows)
    lanes = read_limits(conn, names, now.timestamp())
    return tuple(
        replace(row, in_lane=InLane(lanes[row.lane], row.is_shown)) if _waits_in_lane(row) else row
        for row in rows
    )


def graph_with_lanes(conn: sqlite3.Connection, graph: Graph, now: datetime) -> Graph:
    """The graph with how the lanes stand in which its jobs wait."""
    rows = [node.row for node in graph.nodes.values() if node.row is not None]
    if not any(map(_waits_in_lane, rows)):
        return graph
    told = {row.id: row for row in with_lanes(conn, rows, now)}
    nodes = {id: replace(node, row=told.get(id)) for id, node in graph.nodes.items()}
    return replace(graph, nodes=nodes)


def _waits_in_lane(row: JobRow) -> bool:
    return bool(row.lane) and row.status == JobStatus.PENDING.value and not row.blocked


class LanesReading:
    """Reads all lanes, and then since when their jobs wait; a `Stepwise`."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget all."""
        self._known = Lanes()
        self.renew()

    def renew(self) -> None:
        """Read all anew; what is known of the oldest jobs stays until then."""
        # Those whose oldest job is still to be looked for; None before the lanes are read.
        self._left: list[Lane] | None = None
        self._oldest: dict[str, float] = {}

    def step(self, conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> SoFar[Lanes]:
        """Read the lanes, or the oldest jobs of some more of them."""
        ends_at = time.perf_counter() + STEP_S / 2
        left, oldest, lanes = self._left, dict(self._oldest), self._known.lanes
        if left is None:
            lanes = tuple(read_lanes(conn, now.timestamp()))
            left = [lane for lane in lanes if startable(lane)]
        left = list(left)
        while left and time.perf_counter() < ends_at:
            lane = left.pop()
            if (since := _oldest(conn, schema, lane)) is not None:
                oldest[lane.name] = since
        self._left, self._oldest = left, oldest
        known = oldest if not left else {**self._known.oldest, **oldest}
        self._known = Lanes(lanes, known)
        return SoFar(self._known, len(lanes) - len(left), len(lanes))


def _oldest(conn: sqlite3.Connection, schema: FileSchema, lane: Lane) -> float | None:
    """Since when the oldest job of a lane waits: the first one of each priority is looked at."""
    found: list[float] = []
    for index, statement in queries.OLDEST_IN_LANE.items():
        priority = _HIGHEST
        for _ in range(_MOST_PRIORITIES if index in schema.indexes else 0):
            row = conn.execute(statement, (lane.name, priority)).fetchone()
            if row is None or not isinstance(row["priority"], int):
                break
            priority = row["priority"]
            if isinstance(row["created"], (int, float)):
                found.append(float(row["created"]))
    return min(found, default=None)


def startable(lane: Lane) -> int:
    """How many of its jobs would start now, if it let them: not those that wait for their time."""
    return lane.ready + lane.held


def jobs(lane: Lane) -> int:
    """How many of its jobs have not ended."""
    return lane.running + lane.waiting


def standing_of(lane: Lane, now: float) -> Standing:
    """How a lane stands at a moment, in UTC seconds; in the order in which WHY tells it."""
    if lane.is_paused:
        return Standing.PAUSED
    if lane.opens_at is not None and lane.opens_at > now:
        return Standing.SHUT
    if lane.running_limit is not None and lane.running >= lane.running_limit:
        return Standing.FULL
    if lane.held and lane.next_start is not None and lane.next_start > now:
        return Standing.RATED
    if lane.waiting and not lane.takers:
        return Standing.UNTAKEN
    return Standing.OPEN if jobs(lane) else Standing.EMPTY


def trouble(lane: Lane, now: float) -> int:
    """Where a lane comes among others, by what needs somebody: the lower the more."""
    standing = standing_of(lane, now)
    if startable(lane) or standing is Standing.OPEN:
        return _ORDER[standing]
    return _QUIET + _ORDER[standing]


def ticks(lane: Lane, now: float) -> bool:
    """Whether what is said of it changes with every second."""
    return standing_of(lane, now) in (Standing.SHUT, Standing.RATED)
