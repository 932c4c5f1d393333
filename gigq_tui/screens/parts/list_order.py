"""In which order a list is, and which of its rows a few words let through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Protocol, TypeVar

from gigq_tui.actions.question import Choice, Question
from gigq_tui.format import plural
from gigq_tui.screens.parts.needs import AsksQuestion, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.filter.folding import folded
from gigq_tui.widgets.typed_line import TypedLine

# So long after the cursor moved, no row moves under it.
STILL_S = 3.0

_DIGITS = re.compile(r"(\d+)")

Row = TypeVar("Row")


def has_words(said: Iterable[str], text: str) -> bool:
    """Whether what is said of a row has all the words of a text."""
    haystack = folded("\n".join(said))
    return all(word in haystack for word in folded(text).split())


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """The key by which w2 comes before w10, as people count, however many digits there are."""
    pieces = _DIGITS.split(name.casefold())
    return tuple(_number(piece) if piece.isdecimal() else (0, piece) for piece in pieces)


def _number(digits: str) -> tuple[int, str]:
    """A number's place among others: a longer one is larger. Python reads none of any length."""
    digits = digits.lstrip("0")
    return len(digits), digits


class OrderHost(AsksQuestion, Protocol):
    """What the part needs of its screen."""

    @property
    def typed_line(self) -> TypedLine:
        """The line in which words are typed."""

    def draw(self) -> None:
        """Draw what has changed."""


class ListOrder(Part):
    """By what a list is sorted, and what its rows are narrowed to.

    The keys of these are the screen's own: a part of it marks the methods that do them.

    Args:
        host: The screen.
        noun: What one row is called.
        menu: What the list can be sorted by, with its key in the menu; as usual by the first.
        monotonic: Seconds of a clock that never goes back.
        notices: Where it is said what the list is sorted by.

    Attributes:
        sort: One of the menu's.
        filter_text: The words that a row must have.
    """

    def __init__(
        self,
        host: OrderHost,
        noun: str,
        menu: Mapping[str, str],
        monotonic: Callable[[], float],
        notices: Tells,
    ) -> None:
        self._list = host
        self._noun = noun
        self._menu = menu
        self._monotonic = monotonic
        self._notices = notices
        self.sort = next(iter(menu.values()))
        self.filter_text = ""
        self._still_until: float | None = None
        # The ids in the order that is shown, and whether it would be another by now.
        self._shown: list[str] = []
        self._is_stale = False

    @property
    def is_usual(self) -> bool:
        """Whether the list is sorted as it is at first."""
        return self.sort == next(iter(self._menu.values()))

    @property
    def is_due(self) -> bool:
        """Whether rows that stood still under the cursor may move to their places now."""
        return self._is_stale and not self._is_still

    @property
    def _is_still(self) -> bool:
        return self._still_until is not None and self._monotonic() < self._still_until

    def keep(self, rows: Iterable[Row], id_of: Callable[[Row], str]) -> list[Row]:
        """Return rows in the order that is shown: as before, while somebody moves the cursor.

        Args:
            rows: Those that are shown, in the order that they would have.
            id_of: The id of one. New ones come last meanwhile.
        """
        kept = {id_of(row): row for row in rows}
        wanted = list(kept)
        if self._is_still:
            places = {id: at for at, id in enumerate(self._shown)}
            self._shown = sorted(wanted, key=lambda id: places.get(id, len(places)))
        else:
            self._shown = wanted
        self._is_stale = self._shown != wanted
        return [kept[id] for id in self._shown]

    def hold(self) -> None:
        """Let no row move for a while: somebody moves the cursor."""
        self._still_until = self._monotonic() + STILL_S

    # Keys, and what is typed

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
        self._list.typed_line.tell(plural(len(self._shown), self._noun))

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
