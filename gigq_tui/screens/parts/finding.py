"""A screen around a list in which lines are found, as texts are read on others."""

from __future__ import annotations

from textual import on

from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import FIND_ROW, FIND_ROW_NEXT, FIND_ROW_PREVIOUS
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.parts.row_finder import NOTHING_FOUND, RowFinder
from gigq_tui.widgets.typed_line import TypedLine


class Finding(ConsoleScreen, inherit_bindings=False):
    """A screen with a `RowFinder` and a `TypedLine`."""

    finder: RowFinder

    @does(FIND_ROW)
    def do_find_row(self) -> None:
        """Type what to find; the list goes to it at every key."""
        self.query_one(TypedLine).open(self.finder.wanted)

    @does(FIND_ROW_NEXT)
    def do_find_row_next(self) -> None:
        """Go to the next line that says it."""
        self._find_next(1)

    @does(FIND_ROW_PREVIOUS)
    def do_find_row_previous(self) -> None:
        """Go to the line before that says it."""
        self._find_next(-1)

    def _find_next(self, direction: int) -> None:
        if not self.finder.step(direction):
            self.console.notice(NOTHING_FOUND, "warn")

    @on(TypedLine.Typed)
    def _typed(self, event: TypedLine.Typed) -> None:
        self.query_one(TypedLine).tell(self.finder.find(event.text))

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        if not event.kept:
            self.finder.find(event.text)
