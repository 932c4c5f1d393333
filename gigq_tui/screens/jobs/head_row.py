"""The titles over the job table; a click on one sorts by its column."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.message import Message

from gigq_tui.screens.jobs.layout import Layout, column_at, head_line
from gigq_tui.store.sorting import NEWEST, Sort, SortKey
from gigq_tui.widgets.lines import TextLines


class HeadRow(TextLines):
    """One line of titles."""

    @dataclass
    class Chosen(Message):
        """A title was clicked that stands for an order."""

        key: SortKey

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: Layout | None = None

    def show_titles(self, layout: Layout, sort: Sort = NEWEST) -> None:
        """Show the titles of these columns."""
        self._shown = layout
        self.show(head_line(layout, sort))

    def on_click(self, event: events.Click) -> None:
        if self._shown is None:
            return
        column = column_at(self._shown, event.x)
        if column is not None and column.sort is not None:
            event.stop()
            self.post_message(self.Chosen(column.sort))
