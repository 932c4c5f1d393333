"""What is arranged in a file beside its jobs: lanes, schedules, hooks, keeping and unique keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gigq_core.hooks.rules import Hook, read_hooks
from gigq_core.keeping.rules import Keeping, read_keeping
from gigq_core.lanes.rules import Lane, read_lanes
from gigq_core.schedules.rules import Schedule, read_schedules
from gigq_core.submitting.key_holders import count_shared_keys
from gigq_tui.store.clock import Clock
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.throttle import Throttle


@dataclass(frozen=True)
class Arranged:
    """How all of it stands.

    Attributes:
        lanes, schedules, hooks: All of them; schedules without their skips.
        keeping: For how long jobs that ended stay.
        shared_keys: How many keys of unique jobs two jobs hold.
    """

    lanes: Sequence[Lane] = ()
    schedules: Sequence[Schedule] = ()
    hooks: Sequence[Hook] = ()
    keeping: Keeping = field(default_factory=Keeping)
    shared_keys: int = 0


class ArrangedReader:
    """Reads it, what is dear never too often.

    Args:
        clock: whose monotonic half paces it.
    """

    def __init__(self, clock: Clock) -> None:
        self._lanes: Throttle[tuple[Lane, ...]] = Throttle(clock)
        self._keeping: Throttle[Keeping] = Throttle(clock)
        self._shared_keys: Throttle[int] = Throttle(clock)

    def read(
        self, conn: sqlite3.Connection, schema: FileSchema, version: int, now: datetime
    ) -> Arranged:
        """All of it, as of this data version or a little before."""
        return Arranged(
            lanes=self.lanes(conn, schema, version, now),
            schedules=read_schedules(conn, most_skips=0),
            hooks=read_hooks(conn),
            keeping=self._keeping.get(schema.version, version, lambda: read_keeping(conn)),
            shared_keys=self._shared_keys.get(
                schema.version, version, lambda: count_shared_keys(conn)
            ),
        )

    def lanes(
        self, conn: sqlite3.Connection, schema: FileSchema, version: int, now: datetime
    ) -> Sequence[Lane]:
        """All lanes, as of this data version or a little before."""
        return self._lanes.get(
            schema.version, version, lambda: tuple(read_lanes(conn, now.timestamp()))
        )
