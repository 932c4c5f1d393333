"""The columns that a list can have, in a panel: those that it has are ticked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gigq_tui.columns import own_key
from gigq_tui.config.model import ChosenColumn
from gigq_tui.format import inert
from gigq_tui.keys.hints import ENTER, ESC
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.picker import Picker

RESET = "the usual columns again"


class ColumnPanel(Picker):
    """Adds columns and takes them away, for as long as it is open.

    Args:
        shown: The columns of the list.
        others: The names of further ones.
        put: Shows other columns, the usual ones where there are none; says which these are.
        own_keys: The keys that open the panel.
        is_usual: Whether none were chosen.
    """

    def __init__(
        self,
        shown: tuple[ChosenColumn, ...],
        others: Sequence[str],
        put: Callable[[tuple[ChosenColumn, ...]], tuple[ChosenColumn, ...]],
        own_keys: frozenset[str],
        *,
        is_usual: bool,
    ) -> None:
        super().__init__("columns", "|", own_keys)
        self.shown = shown
        self._is_usual = is_usual
        self._put = put
        # They keep their places while it is open, also where one comes or goes.
        self._names = tuple(dict.fromkeys((*(column.name for column in shown), *others)))
        self.found: list[str] = []
        self.narrow("")

    @property
    def entries(self) -> int:
        return len(self.found)

    def title(self) -> str:
        return f"columns: {len(self.shown)} shown"

    def hint(self) -> str:
        return f"type to narrow, {ENTER} adds or removes, {ESC} closes"

    def none_words(self) -> str:
        return "no such column; param.NAME and result.NAME show values of the jobs"

    def entry(self, index: int) -> Line:
        name = self.found[index]
        if name == RESET:
            return ((f"    {name}", ""),)
        if self._has(name):
            return (("[x] ", "ok"), (inert(name), "title"))
        return (("[ ] ", "dim"), (inert(name), ""))

    def narrow(self, text: str) -> None:
        words = text.lower().split()
        self.found = [name for name in self._names if all(word in name.lower() for word in words)]
        typed = text.strip()
        if typed not in self.found and own_key(typed) is not None:
            # What no job was seen to have may lie deeper, or come yet.
            self.found.append(typed)
        if not words and not self._is_usual:
            self.found.append(RESET)

    def choose(self, index: int) -> None:
        """Add the column, or take it away; the last one stays."""
        name = self.found[index]
        if name == RESET:
            self._show_columns(())
        elif not self._has(name):
            # What stretches stays at the end.
            self._show_columns((*self.shown[:-1], ChosenColumn(name), *self.shown[-1:]))
        elif len(self.shown) > 1:
            self._show_columns(tuple(column for column in self.shown if column.name != name))

    def _has(self, name: str) -> bool:
        return any(column.name == name for column in self.shown)

    def _show_columns(self, columns: tuple[ChosenColumn, ...]) -> None:
        self.shown = self._put(columns)
        self._is_usual = not columns
        self.narrow(self.text)
        self.show()
