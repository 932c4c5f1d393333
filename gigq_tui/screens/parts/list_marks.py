"""Which rows of a list are marked, and which of them an action is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from gigq_tui.screens.parts.part import Part
from gigq_tui.widgets.row_list import RowList

Row = TypeVar("Row")


class MarkedList(Protocol):
    """What the part needs of its screen."""

    @property
    def roster(self) -> RowList:
        """The list."""

    def draw(self) -> None:
        """Draw what has changed."""


class ListMarks(Part, Generic[Row]):
    """The rows that are marked, and the one under the cursor.

    The key that marks is the screen's own: a part of it marks the method that does it.

    Args:
        host: The screen.
        rows: All rows there are.
        id_of: The id that one has in the list.

    Attributes:
        marked: The ids of the rows that are marked.
    """

    def __init__(
        self, host: MarkedList, rows: Callable[[], Sequence[Row]], id_of: Callable[[Row], str]
    ) -> None:
        self._list = host
        self._rows = rows
        self._id_of = id_of
        self.marked: set[str] = set()

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        cursor = self._list.roster.cursor_id
        return next((row for row in self._rows() if self._id_of(row) == cursor), None)

    @property
    def chosen(self) -> tuple[Row, ...]:
        """The rows that are marked, or the one under the cursor."""
        if self.marked:
            return tuple(row for row in self._rows() if self._id_of(row) in self.marked)
        current = self.current
        return () if current is None else (current,)

    def mark(self) -> None:
        """Mark the row under the cursor, or take its mark away, and go one down."""
        if (row := self.current) is None:
            return
        self.marked ^= {self._id_of(row)}
        self._list.draw()
        self._list.roster.step(1)

    def unmark(self) -> bool:
        """Take all marks away; say whether there were any."""
        had, self.marked = bool(self.marked), set()
        if had:
            self._list.draw()
        return had

    def forget_gone(self) -> None:
        """Take the marks of rows away that are no more."""
        self.marked &= {self._id_of(row) for row in self._rows()}
