"""Which rows of a list with names are shown, which of them are marked, and which are meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

from gigq_tui.actions.question import Choice, Question
from gigq_tui.format import plural
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.typed_line import TypedLine

# So long after the cursor moved, no row moves under it.
STILL_S = 3.0


class Named(Protocol):
    """What stands in such a list."""

    @property
    def name(self) -> str:
        """What it is known by."""


Row = TypeVar("Row", bound=Named)


class ListHost(Protocol):
    """What the part needs of its screen."""

    @property
    def roster(self) -> RowList:
        """The list."""

    @property
    def typed_line(self) -> TypedLine:
        """The line in which words are typed."""

    def draw(self) -> None:
        """Draw what has changed."""

    def question(self, question: Question) -> None:
        """Ask in the panel."""


class ListChoice(Part, Generic[Row]):
    """The rows that are shown, those that are marked, and the one under the cursor.

    The keys of these are the screen's own: a part of it marks the methods that do them.

    Args:
        host: The screen.
        rows: All rows there are.
        noun: What one of them is called.
        menu: What the list can be sorted by, with its key in the menu; as usual by the first.
        monotonic: Seconds of a clock that never goes back.
        notices: Where it is said what the list is sorted by.

    Attributes:
        sort: One of the menu's.
        filter_text: The words that a row must have.
        marked: The names of the rows that are marked.
    """

    def __init__(
        self,
        host: ListHost,
        rows: Callable[[], Sequence[Row]],
        noun: str,
        menu: Mapping[str, str],
        monotonic: Callable[[], float],
        notices: Tells,
    ) -> None:
        self._list = host
        self._rows = rows
        self._noun = noun
        self._menu = menu
        self._monotonic = monotonic
        self._notices = notices
        self.sort = next(iter(menu.values()))
        self.filter_text = ""
        self.marked: dict[str, None] = {}
        self._still_until: float | None = None
        # The names in the order that is shown.
        self._order: list[str] = []

    def keep(self, there: Iterable[Row], ordered: list[Row]) -> list[Row]:
        """Return the rows in the order that is shown: as before, while somebody moves the cursor.

        Args:
            there: All rows; what is no more loses its mark.
            ordered: Those that are shown, in the order that they would have.
        """
        names = {row.name for row in there}
        self.marked = {name: None for name in self.marked if name in names}
        if self._still_until is not None and self._monotonic() < self._still_until:
            places = {name: at for at, name in enumerate(self._order)}
            ordered = sorted(ordered, key=lambda row: places.get(row.name, len(places)))
        self._order = [row.name for row in ordered]
        return ordered

    def hold(self) -> None:
        """Let no row move for a while: somebody moves the cursor."""
        self._still_until = self._monotonic() + STILL_S

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        cursor = self._list.roster.cursor_id
        return next((row for row in self._rows() if row.name == cursor), None)

    @property
    def chosen(self) -> tuple[Row, ...]:
        """The rows that are marked, or the one under the cursor."""
        if self.marked:
            return tuple(row for row in self._rows() if row.name in self.marked)
        current = self.current
        return () if current is None else (current,)

    def mark(self) -> None:
        """Mark the row, or take its mark away, and go one down."""
        if (row := self.current) is None:
            return
        if row.name in self.marked:
            del self.marked[row.name]
        else:
            self.marked[row.name] = None
        self.hold()
        self._list.draw()
        self._list.roster.step(1)

    def unmark(self) -> bool:
        """Take all marks away; say whether there were any."""
        had, self.marked = bool(self.marked), {}
        if had:
            self._list.draw()
        return had

    def ask_sort(self) -> None:
        """Choose what to sort by."""
        choices = [Choice("escape", "Keep")]
        for key, sort in self._menu.items():
            choices.append(Choice(key, sort, partial(self.sort_by, sort)))
        title = f"Sort by what? Now: {self.sort}"
        self._list.question(Question(title, (), tuple(choices), harmless=True))

    def sort_by(self, sort: str) -> None:
        """Sort by one of the menu's."""
        self.sort = sort
        self._still_until = None
        self._list.draw()
        self._notices.tell(f"sorted by {self.sort}")

    def narrow(self) -> None:
        """Type words that let only some rows through."""
        self._list.typed_line.open(self.filter_text)

    def show_typed(self, text: str) -> None:
        """Show only the rows that match what has been typed so far."""
        self.filter_text = text
        self._still_until = None
        self._list.draw()
        self._list.typed_line.tell(plural(len(self._order), self._noun))

    def typing_ended(self, event: TypedLine.Ended) -> None:
        """Bring back the filter from before, where typing was broken off."""
        if not event.kept:
            self.show_typed(event.text)

    def widen(self) -> bool:
        """Show all rows again; false where all are shown."""
        if not self.filter_text:
            return False
        self.show_typed("")
        return True
