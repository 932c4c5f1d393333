"""When something was: by the instants of a row, and by GigQ's texts where it has none.

An instant is a number of UTC seconds, and the same for every reader. GigQ's text is local time, in
the zone of whoever wrote it: it is read as the reader's own, as GigQ does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from gigq_core.units.times import moment_told, parse_time

_TIME_CHARACTERS = 40
# The calendar: what lies beyond it is damage.
_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799


class When(NamedTuple):
    """The two columns that tell one moment; a file that was never attached has only the text."""

    instant: str
    text: str

    def columns(self, present: Collection[str], table: str, prefix: str = "") -> str:
        """Both of them for a SELECT, as `of` reads them.

        Args:
            present: the columns that the table has in this file.
            table: its name in the statement.
            prefix: what their names in the result begin with.
        """
        text = f"substr({table}.{self.text}, 1, {_TIME_CHARACTERS})"
        if self.instant not in present:
            return f"NULL AS {prefix}{self.instant}, {text} AS {prefix}{self.text}"
        instant = f"{table}.{self.instant}"
        # A damaged row may hold megabytes of text here.
        is_told = f"typeof({instant}) IN ('integer', 'real')"
        return (
            f"CASE WHEN {is_told} THEN {instant} END AS {prefix}{self.instant}, "
            f"CASE WHEN NOT {is_told} THEN {text} END AS {prefix}{self.text}"
        )

    def of(self, record: sqlite3.Row | Mapping[str, Any], prefix: str = "") -> datetime | None:
        """The moment that a row tells, in UTC; None where it tells none."""
        return moment_told(record[prefix + self.instant], record[prefix + self.text])

    def at(self, record: sqlite3.Row | Mapping[str, Any], prefix: str = "") -> float | None:
        """The same in UTC seconds, for whoever asks it of very many rows."""
        told = record[prefix + self.instant]
        if isinstance(told, (int, float)) and _FIRST_S <= told <= _LAST_S:
            return told
        moment = parse_time(record[prefix + self.text])
        return None if moment is None else moment.timestamp()

    def seconds(self, present: Collection[str], table: str = "jobs") -> str:
        """The SQL for the moment in UTC seconds; NULL where there is none."""
        text = f"(julianday({table}.{self.text}, 'utc') - 2440587.5) * 86400.0"
        if self.instant not in present:
            return f"({text})"
        return f"coalesce({table}.{self.instant}, {text})"


# Of a job; the last two of an attempt as well.
CREATED = When("created", "created_at")
BEGAN = When("began", "started_at")
ENDED = When("ended", "completed_at")
# Of a worker, which begins as a job does.
STOPPED = When("ended", "stopped_at")
CLAIMED = When("claimed", "last_claim_at")
