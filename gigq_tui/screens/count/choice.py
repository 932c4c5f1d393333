"""Which values are meant, and in which order they stand."""

from __future__ import annotations

from typing import Protocol

from gigq_core.grouping.counting import ORDERS, Kind
from gigq_tui.columns import has_secrets, value_label
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import COUNT_MARK
from gigq_tui.screens.count.lines import Row, rows_of
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.counts.filters import filter_of
from gigq_tui.store.counts.reading import Counted
from gigq_tui.store.filter.language import FilterError
from gigq_tui.store.filter.writing import all_of, any_of
from gigq_tui.widgets.row_list import PickList

NAMED = 3
SORTS = tuple(order for order in ORDERS if order != "cancelled")


class ChoiceHost(Protocol):
    """What the part needs of its screen."""

    @property
    def roster(self) -> PickList:
        """The list of values."""

    @property
    def known(self) -> Counted | None:
        """What was counted."""

    def draw(self) -> None:
        """Draw what has changed."""


class Choice(Part):
    """The values that are marked, or the one under the cursor.

    Args:
        host: The screen.

    Attributes:
        marked: The ids of the marked lines.
    """

    def __init__(self, host: ChoiceHost) -> None:
        self._host = host
        self.marked: dict[str, None] = {}

    @property
    def rows(self) -> tuple[Row, ...]:
        """All lines."""
        known = self._host.known
        return () if known is None else tuple(rows_of(known))

    @property
    def chosen(self) -> tuple[Row, ...]:
        """The lines that are meant."""
        marked = self.marked
        return tuple(row for row in self.rows if row.id in marked) if marked else self.current

    @property
    def current(self) -> tuple[Row, ...]:
        """The line under the cursor, if there is one."""
        return tuple(row for row in self.rows if row.id == self._host.roster.cursor_id)

    @does(COUNT_MARK)
    def mark(self) -> None:
        """Mark the value, or take its mark away, and go one down."""
        for row in self.current:
            if row.id in self.marked:
                del self.marked[row.id]
            else:
                self.marked[row.id] = None
            self._host.draw()
            self._host.roster.step(1)

    def unmark(self) -> bool:
        """Take all marks away; say whether there were any."""
        had, self.marked = bool(self.marked), {}
        if had:
            self._host.draw()
        return had

    def words(self, rows: tuple[Row, ...]) -> str:
        """Say which values these are: `param.customer 17 and 170`."""
        known = self._host.known
        assert known is not None
        names = [
            " ".join(
                f"{key.name} {value_label(key, value)}"
                for key, value in zip(known.keys, row.values, strict=False)
            )
            for row in rows
        ]
        shown = ", ".join(names[:NAMED])
        return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown

    def filter_of(self, rows: tuple[Row, ...]) -> str:
        """The filter for exactly the jobs of these lines.

        Raises:
            FilterError: there is none; the message says why.
        """
        known = self._host.known
        if known is None or not rows:
            raise FilterError("there is no value under the cursor", 0)
        return any_of([self._filter_of(known, row) for row in rows])

    def _filter_of(self, known: Counted, row: Row) -> str:
        texts: list[set[str] | None] = [None, None]
        if known.counts.values <= len(known.counts.groups):
            texts[0] = {
                str(one.value.value) for one in known.counts.groups if one.value.kind is Kind.TEXT
            }
        parts = []
        for key, value, known_texts in zip(known.keys, row.values, texts, strict=False):
            if has_secrets(key):
                raise FilterError(f"{key.name} holds secrets, which no filter shows", 0)
            part = filter_of(key, value, known_texts)
            if not part:
                raise FilterError(
                    f"no filter lists exactly the jobs with {key.name} {value_label(key, value)}", 0
                )
            parts.append(part)
        return all_of(*parts)
