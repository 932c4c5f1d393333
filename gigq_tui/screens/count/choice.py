"""Which values are meant, and in which order they stand."""

from __future__ import annotations

from operator import attrgetter
from typing import Protocol

from gigq_core.grouping.counting import ORDERS, Kind
from gigq_tui.columns import has_secrets, value_label
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import COUNT_MARK
from gigq_tui.screens.count.lines import Row, rows_of
from gigq_tui.screens.parts.list_marks import ListMarks, MarkedList
from gigq_tui.store.counts.filters import filter_of
from gigq_tui.store.counts.reading import Counted
from gigq_tui.store.filter.language import FilterError
from gigq_tui.store.filter.writing import all_of, any_of

NAMED = 3
SORTS = tuple(order for order in ORDERS if order != "cancelled")


class ChoiceHost(MarkedList, Protocol):
    """What the part needs of its screen."""

    @property
    def known(self) -> Counted | None:
        """What was counted."""


class Choice(ListMarks[Row]):
    """The values that are marked, or the one under the cursor.

    Args:
        host: The screen.
    """

    def __init__(self, host: ChoiceHost) -> None:
        super().__init__(host, lambda: self.rows, attrgetter("id"))
        self._host = host

    @property
    def rows(self) -> tuple[Row, ...]:
        """All lines."""
        known = self._host.known
        return () if known is None else tuple(rows_of(known))

    @does(COUNT_MARK)
    def mark(self) -> None:
        """Mark the value, or take its mark away, and go one down."""
        super().mark()

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
