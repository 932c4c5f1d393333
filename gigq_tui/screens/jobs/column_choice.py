"""Choosing the list's columns: the usual ones, and what jobs have in parameters and results."""

from __future__ import annotations

from typing import Protocol

from textual.widget import Widget

from gigq_tui.columns import COLUMNS, own_key
from gigq_tui.config.model import ChosenColumn
from gigq_tui.keys.handlers import does
from gigq_tui.keys.keymap import Keymap
from gigq_tui.keys.looking_actions import CHOOSE_COLUMNS
from gigq_tui.screens.jobs.column_panel import ColumnPanel
from gigq_tui.screens.jobs.table import JobTable
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.store.counts.reading import NamesReading
from gigq_tui.store.stepwise import SoFar


class ColumnsHost(Protocol):
    """What the part needs of its screen."""

    @property
    def table(self) -> JobTable: ...

    @property
    def reads(self) -> ScreenReads: ...

    @property
    def is_current(self) -> bool: ...

    def lay_over(self, panel: Widget) -> None: ...


class Lists(Protocol):
    """What lists the jobs."""

    def choose_columns(self, columns: tuple[ChosenColumn, ...]) -> None: ...


class KeepsColumns(Protocol):
    """What says the columns when a view is kept or copied."""

    columns: tuple[str, ...]


class ColumnChoice(Part):
    """Offers the columns that the list can have.

    Args:
        host: The screen.
        listing: Lists the jobs.
        views: Keeps what was chosen with the view.
        configured: The columns where none are chosen here.
        keymap: Which keys open the panel.
        notices: Where it is told that they can't be read.
    """

    def __init__(
        self,
        host: ColumnsHost,
        listing: Lists,
        views: KeepsColumns,
        configured: tuple[ChosenColumn, ...],
        keymap: Keymap,
        notices: Tells,
    ) -> None:
        self._host = host
        self._listing = listing
        self._views = views
        self._configured = configured
        self._keymap = keymap
        self._notices = notices

    @does(CHOOSE_COLUMNS)
    def ask(self) -> None:
        """Offer them, once it is read what jobs have in parameters and results."""
        names = NamesReading()
        self._host.reads.ask(
            lambda reader: reader.step(names),
            self._ask,
            lambda trouble: self._notices.tell(trouble, "warn"),
            first=True,
        )

    def _ask(self, found: SoFar[tuple[str, ...]]) -> None:
        if not self._host.is_current:
            return
        data = (name for name in found.value if own_key(name) is not None)
        panel = ColumnPanel(
            self._shown,
            (*data, *(column.name for column in COLUMNS)),
            self._choose,
            frozenset(self._keymap.rebound((CHOOSE_COLUMNS,))[0].keys),
            is_usual=self._host.table.chosen_columns in ((), self._configured),
        )
        self._host.lay_over(panel)

    @property
    def _shown(self) -> tuple[ChosenColumn, ...]:
        table = self._host.table
        return table.chosen_columns or tuple(
            ChosenColumn(placed.column.name) for placed in table.columns.columns
        )

    def _choose(self, columns: tuple[ChosenColumn, ...]) -> tuple[ChosenColumn, ...]:
        self._views.columns = tuple(map(str, columns))
        self._listing.choose_columns(columns or self._configured)
        return self._shown
