"""Finding lines of a list by what they say: typed in a line of the screen, gone to at every key."""

from __future__ import annotations

from collections.abc import Callable

from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.scrolled import Scrolled

NOTHING_FOUND = "Nothing is looked for, or no line here has it."


class RowFinder:
    """Finds in one list, or in that of several which the keys move in now.

    Args:
        searched: Tells the list.
        text_of: What a line of it says, by its number; None for what it draws.
    """

    def __init__(
        self, searched: Callable[[], Scrolled], text_of: Callable[[int], str] | None = None
    ) -> None:
        self._searched = searched
        self._text_of = text_of or self._drawn
        self.wanted = ""

    def find(self, text: str) -> str:
        """Go to the first line from here on that says a text; tell how many there are."""
        self.wanted = text
        found = self._found()
        if found:
            here = self._here()
            self._go(next((at for at in found if at >= here), found[0]))
        return f"{len(found)} found" if text else ""

    def step(self, direction: int) -> bool:
        """Go to the next such line, or to the one before when negative; false if there is none."""
        found, here = self._found(), self._here()
        ahead = [at for at in found if (at - here) * direction > 0] or found
        if ahead:
            self._go(min(ahead) if direction > 0 else max(ahead))
        return bool(ahead)

    def _found(self) -> list[int]:
        wanted = self.wanted.casefold()
        if not wanted:
            return []
        total = self._searched().total
        return [at for at in range(total) if wanted in self._text_of(at).casefold()]

    def _drawn(self, at: int) -> str:
        searched = self._searched()
        return "".join(text for text, _ in searched.content_line(at, searched.content_width))

    def _here(self) -> int:
        searched = self._searched()
        return searched.cursor if isinstance(searched, RowList) else searched.top

    def _go(self, at: int) -> None:
        searched = self._searched()
        if isinstance(searched, RowList):
            searched.move_to(at)
        else:
            searched.scroll_to_line(at)
