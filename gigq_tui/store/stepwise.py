"""Reading what is large in bounded steps, between two pictures of the file.

A million attempts take seconds to read. So each step is one short transaction, after which keys
and refreshes have their turn, and what has been read so far is shown with how much that is.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

from gigq_tui.store.file_schema import FileSchema

_Value = TypeVar("_Value")
_Value_co = TypeVar("_Value_co", covariant=True)

# What one step should cost at most, on the reader's thread.
STEP_S = 0.03


@dataclass(frozen=True)
class SoFar(Generic[_Value_co]):
    """What is known after some steps, and how many of how many rows that stands on."""

    value: _Value_co
    read: int
    total: int

    @property
    def done(self) -> bool:
        """Whether all has been read."""
        return self.read >= self.total

    @property
    def share(self) -> float:
        """The part that has been read, from 0 to 1."""
        return min(1.0, self.read / self.total) if self.total else 1.0


class Stepwise(Protocol[_Value_co]):
    """Something that is read in steps. It belongs to the thread that reads."""

    def begin(self) -> None:
        """Forget all: it is the first step, or the file is another one."""

    def renew(self) -> None:
        """Something was written since all was read: the next steps read what may have changed."""

    def step(self, conn: sqlite3.Connection, schema: FileSchema, now: datetime) -> SoFar[_Value_co]:
        """Read one step, of `STEP_S` at most, within a read transaction.

        It may be broken off by any `sqlite3.Error`, and is called again then: what it knows
        changes only once its rows are there.
        """


class StepsOfAFile:
    """Who reads one file in steps, and what that file was made of at the last one."""

    def __init__(self) -> None:
        self._begun: WeakKeyDictionary[Stepwise[object], FileSchema] = WeakKeyDictionary()

    def step(
        self,
        work: Stepwise[_Value],
        conn: sqlite3.Connection,
        schema: FileSchema,
        now: datetime,
    ) -> SoFar[_Value]:
        """Have it read its next step; the first one where this file is new to it, or changed."""
        if self._begun.get(work) != schema:
            work.begin()
            self._begun[work] = schema
        return work.step(conn, schema, now)
