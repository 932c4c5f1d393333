"""Choosing the list's columns: the usual ones, and what jobs have in parameters and results."""

from __future__ import annotations

from functools import partial
from string import ascii_lowercase
from typing import Protocol

from gigq_tui.actions.question import Choice, Question
from gigq_tui.columns import COLUMNS, own_key
from gigq_tui.config.model import ChosenColumn
from gigq_tui.format import inert
from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import CHOOSE_COLUMNS
from gigq_tui.screens.jobs.table import JobTable
from gigq_tui.screens.parts.needs import AsksQuestion, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.store.counts.reading import NamesReading
from gigq_tui.store.stepwise import SoFar

# So many names of parameters and results are offered.
MOST_OFFERED = 15


class ColumnsHost(AsksQuestion, Protocol):
    """What the part needs of its screen."""

    @property
    def table(self) -> JobTable: ...

    @property
    def reads(self) -> ScreenReads: ...

    @property
    def is_current(self) -> bool: ...


class Lists(Protocol):
    """What lists the jobs."""

    def choose_columns(self, columns: tuple[ChosenColumn, ...]) -> None: ...


class KeepsColumns(Protocol):
    """What says the columns when a view is kept or copied."""

    columns: tuple[str, ...]


class ColumnChoice(Part):
    """Adds a column to the list, or takes one away.

    Args:
        host: The screen.
        listing: Lists the jobs.
        views: Keeps what was chosen with the view.
        configured: The columns where none are chosen here.
        notices: Where it is told that they can't be read.
    """

    def __init__(
        self,
        host: ColumnsHost,
        listing: Lists,
        views: KeepsColumns,
        configured: tuple[ChosenColumn, ...],
        notices: Tells,
    ) -> None:
        self._host = host
        self._listing = listing
        self._views = views
        self._configured = configured
        self._notices = notices

    @does(CHOOSE_COLUMNS)
    def ask(self) -> None:
        """Ask which column to add, or to take away."""
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
        table = self._host.table
        shown = table.chosen_columns or tuple(
            ChosenColumn(placed.column.name) for placed in table.columns.columns
        )
        there = {column.name for column in shown}
        data = [name for name in found.value if own_key(name) is not None and name not in there]
        names = [
            *(column.name for column in shown),
            *data[:MOST_OFFERED],
            *(column.name for column in COLUMNS if column.name not in there),
        ]
        keys = [key for key in ascii_lowercase if key not in "nr"]
        choices = [Choice("escape", "Keep")]
        for key, name in zip(keys, names, strict=False):
            label = f"{'-' if name in there else '+'} {inert(name)}"
            choices.append(Choice(key, label, partial(self._turn, shown, name)))
        if shown != (self._configured or shown):
            choices.append(Choice("r", "reset", partial(self._choose, ())))
        title = "Add a column, or remove one?"
        self._host.question(Question(title, (), tuple(choices), harmless=True))

    def _turn(self, shown: tuple[ChosenColumn, ...], name: str) -> None:
        left = tuple(column for column in shown if column.name != name)
        if len(left) == len(shown):
            # What stretches stays at the end.
            left = (*shown[:-1], ChosenColumn(name), *shown[-1:])
        if left:
            self._choose(left)

    def _choose(self, columns: tuple[ChosenColumn, ...]) -> None:
        self._views.columns = tuple(map(str, columns))
        self._listing.choose_columns(columns or self._configured)
