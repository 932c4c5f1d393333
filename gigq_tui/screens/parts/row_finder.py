"""Finding lines of a list by what they say: typed in a line of the screen, gone to at every key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import FIND_ROW, FIND_ROW_NEXT, FIND_ROW_PREVIOUS
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.filter.folding import folded
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.typed_line import TypedLine

NOTHING_FOUND = "Nothing to find: no search yet, or no match."


class FinderHost(Protocol):
    """What the finder needs of its screen."""

    @property
    def typed_line(self) -> TypedLine:
        """The line in which the text to find is typed."""

    def mover(self) -> Scrolled | None:
        """The list in which the keys move now: the one that is searched."""


class RowFinder(Part):
    """Finds in the list in which the keys move.

    Args:
        host: The screen.
        notices: Where it is said that there is nothing to find.
        text_of: What a line of the list says, by its number; None for what it draws.
    """

    def __init__(
        self,
        host: FinderHost,
        notices: Tells,
        text_of: Callable[[int], str] | None = None,
    ) -> None:
        self._host = host
        self._notices = notices
        self._text_of = text_of
        self.wanted = ""

    # Keys

    @does(FIND_ROW)
    def do_find_row(self) -> None:
        """Type what to find; the list goes to it at every key."""
        self._host.typed_line.open(self.wanted)

    @does(FIND_ROW_NEXT)
    def do_find_row_next(self) -> None:
        """Go to the next line that says it."""
        self.find_next(1)

    @does(FIND_ROW_PREVIOUS)
    def do_find_row_previous(self) -> None:
        """Go to the line before that says it."""
        self.find_next(-1)

    # What is typed: the screen hands on the messages of its line

    def show_typed(self, text: str) -> None:
        """Go to what has been typed so far, and tell how many lines say it."""
        self._host.typed_line.tell(self.find(text))

    def typing_ended(self, event: TypedLine.Ended) -> None:
        """Go back to what was wanted before, where typing was broken off."""
        if not event.kept:
            self.find(event.text)

    # Finding

    def find(self, text: str) -> str:
        """Go to the first line from here on that says a text; tell how many there are."""
        self.wanted = text
        found = self._found()
        if found:
            here = self._here()
            self._go(next((at for at in found if at >= here), found[0]))
        return f"{len(found)} found" if text else ""

    def find_next(self, step: int) -> None:
        """Go to the next line that says it, or to the one before when negative."""
        found, here = self._found(), self._here()
        ahead = [at for at in found if (at - here) * step > 0] or found
        if ahead:
            self._go(min(ahead) if step > 0 else max(ahead))
        else:
            self._notices.tell(NOTHING_FOUND, "warn")

    def _found(self) -> list[int]:
        wanted, searched = folded(self.wanted), self._host.mover()
        if not wanted or searched is None:
            return []
        text_of = self._text_of or (lambda at: _drawn(searched, at))
        return [at for at in range(searched.total) if wanted in folded(text_of(at))]

    def _here(self) -> int:
        searched = self._host.mover()
        if isinstance(searched, RowList):
            return searched.cursor
        return searched.top if searched is not None else 0

    def _go(self, at: int) -> None:
        searched = self._host.mover()
        if isinstance(searched, RowList):
            searched.move_to(at)
        elif searched is not None:
            searched.scroll_to_line(at)


def _drawn(searched: Scrolled, at: int) -> str:
    return "".join(text for text, _ in searched.content_line(at, searched.content_width))
