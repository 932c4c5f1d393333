"""How far a job is, by what it has reported itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping


# Up to here a fraction holds each whole number.
MOST_WHOLE = 2**53


class Progress(TypedDict):
    """The last report of a job.

    `done` and `total` are in the job's own unit, `percent` is None where the total is not known,
    and `at` is when it was heard, in UTC seconds.
    """

    done: float
    total: float | None
    percent: float | None
    note: str
    at: float


def percent_of(done: float, total: float | None) -> float | None:
    """How much of `total` is done, from 0 to 100; None where there is no telling."""
    # In floats: a quotient of whole numbers may be beyond what one holds.
    return min(100.0, 100.0 * done / total) if total else None


def whole_percent(percent: float) -> int:
    """As it is said: cut, so that 100 means all of it; 0.29 of 1 is 29 all the same."""
    return int(percent + 1e-9)


def amount_words(amount: float) -> str:
    """So much of a job's own unit, as it is said: `1,200`, `0.3`, `1e+30`."""
    if amount < MOST_WHOLE and amount == int(amount):
        return f"{int(amount):,}"
    return f"{amount:,.12g}"


def progress_of_row(row: sqlite3.Row | Mapping[str, Any] | None) -> Progress | None:
    """A row of `core_progress`; None where there is none, or where a value in it is no number."""
    if row is None or not _is_amount(row["done"]) or not _is_amount(row["at"]):
        return None
    done = _plain(row["done"])
    total = _plain(row["total"]) if _is_amount(row["total"]) else None
    note = row["note"]
    return Progress(
        done=done,
        total=total,
        percent=percent_of(done, total),
        note=note if isinstance(note, str) else "",
        at=row["at"],
    )


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value < math.inf


def _plain(value: float) -> float:
    """A whole number as one: the file holds all as fractions."""
    return int(value) if value == int(value) else value
