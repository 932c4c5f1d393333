"""A list that hangs under a field while it is typed into, and is picked from without leaving it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events
from textual.widget import Widget

from gigq_tui.terminal import theme
from gigq_tui.widgets.form_row import Field
from gigq_tui.widgets.lines import Line, Lines

MOST_LINES = 7
PANEL = ("", "panel")
PICKED = ("", "cursor")
# Where no colours are shown it is the edge that tells the list from what it hangs over.
EDGE = (theme.SCROLL_TRACK, "rule")


@dataclass(frozen=True)
class Suggestion:
    """One thing to pick. `text` is what completing puts into the field, if anything."""

    value: str
    line: Line
    text: str = ""


class SuggestionList(Lines):
    """The list. It hangs over the screen, so nothing else is laid out anew or painted.

    The field keeps the focus and hands its keys to `take_key()` first.
    """

    DEFAULT_CSS = """
    SuggestionList { overlay: screen; position: absolute; display: none; background: $panel; }
    SuggestionList.-open { display: block; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.items: tuple[Suggestion, ...] = ()
        self.foot = ""
        self.at: int | None = None
        self.top = 0
        self.field: Field | None = None
        self._wanted_by: Field | None = None
        self._whole = self._unsure = False
        self._pick: Callable[[Suggestion], None] = lambda suggestion: None

    @property
    def is_open(self) -> bool:
        """Whether it is seen."""
        return self.field is not None

    def offer(
        self,
        field: Field,
        items: Sequence[Suggestion],
        pick: Callable[[Suggestion], None],
        *,
        foot: str = "",
        whole: bool = False,
        unsure: bool = False,
    ) -> None:
        """Hang the list under a field; no items close it.

        Args:
            field: The field that is typed into.
            items: What there is to pick.
            pick: Called with what was picked.
            foot: What is said under the list.
            whole: Whether what is typed may be meant as it is: then it is not completed unasked.
            unsure: Whether that is not known yet: then the key that goes on to the next field does
                not complete it.
        """
        items = tuple(items)
        if not items and not foot:
            self.close()
            return
        if items != self.items or field is not self.field:
            self.at, self.top = None, 0
        self.field, self.items, self.foot, self._pick = field, items, foot, pick
        self._whole, self._unsure = whole, unsure
        if self._wanted_by is field and items and self.at is None:
            self.at = 0
        self._wanted_by = None
        self._hang()
        self.repaint()

    def close(self) -> None:
        """Take the list away."""
        self._wanted_by = None
        if self.field is not None:
            self.field, self.items, self.at = None, (), None
            self.remove_class("-open")

    def close_under(self, field: Field) -> None:
        """Take the list away if it hangs under this field."""
        if self.field is field:
            self.close()

    def want(self, field: Field) -> None:
        """Put the cursor on the first item as soon as the list of a field is there."""
        self._wanted_by = field

    @property
    def picked(self) -> Suggestion | None:
        """The item that the cursor is on."""
        return self.items[self.at] if self.at is not None else None

    def take_key(self, event: events.Key) -> bool:
        """Handle a key of the field while the list is open; say whether it was for the list."""
        field = self.field
        if field is None or not field.has_focus:
            return False
        if event.key == "down" and self.items:
            self._move(0 if self.at is None else min(self.at + 1, len(self.items) - 1))
        elif event.key == "up" and self.at is not None:
            self._move(self.at - 1 if self.at else None)
        elif event.key == "escape":
            self.close()
        elif self.picked is not None and event.key in self._picking_keys:
            self._take(self.picked)
        elif event.key == "tab" or (event.key == "right" and _at_end(field)):
            return self._complete(field, goes_on=event.key == "tab")
        else:
            return False
        return True

    @property
    def _picking_keys(self) -> tuple[str, ...]:
        # What completes the field's own text is typed with spaces by nobody.
        assert self.picked is not None
        return ("enter",) if self.picked.text else ("enter", "space")

    def _complete(self, field: Field, *, goes_on: bool) -> bool:
        """Take what the cursor is on, what is longer than what is typed, or the only item."""
        if self.picked is not None:
            self._take(self.picked)
            return True
        typed = field.value.strip().lower()
        longer = [item for item in self.items if item.text.lower().startswith(typed)]
        if not longer and len(self.items) == 1:
            longer = [item for item in self.items if item.text]
        # The list may be that of what was typed before: letters can come faster than it.
        whole = self._whole or any(item.text.lower() == typed for item in self.items)
        if not typed or not longer or whole or (self._unsure and goes_on):
            return False
        self._take(longer[0])
        return True

    def _take(self, suggestion: Suggestion) -> None:
        pick = self._pick
        self.close()
        pick(suggestion)

    def _move(self, at: int | None) -> None:
        self.at = at
        room = self._room
        if at is not None:
            self.top = max(min(self.top, at), at - room + 1)
        self.repaint()

    @property
    def _room(self) -> int:
        """How many items are seen at a time."""
        return min(len(self.items), MOST_LINES)

    def _hang(self) -> None:
        """Find the place: under the field, or over it where there is more room."""
        field, parent = self.field, self.parent
        if field is None or not isinstance(parent, Widget):
            return
        room = parent.region
        lines = self._room + bool(self.foot)
        row = field.region
        under = row.bottom + lines <= room.bottom or row.y - room.y < lines
        y = row.bottom if under else row.y - lines
        width = max(20, min(room.right - row.x, 76))
        scrolled = parent.scroll_offset
        self.styles.offset = (row.x - room.x + scrolled.x, y - room.y + scrolled.y)
        self.styles.width = width
        self.styles.height = max(1, min(lines, room.bottom - y) if under else lines)
        self.add_class("-open")

    def line_at(self, y: int) -> Line:
        room = self._room
        if y >= room:
            return (PANEL, EDGE, (f"  {self.foot}", "dim"))
        index = self.top + y
        if index >= len(self.items):
            return (PANEL, EDGE)
        if index == self.at:
            return (PICKED, EDGE, ("> ", "key"), *self.items[index].line)
        return (PANEL, EDGE, ("  ", ""), *self.items[index].line)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        index = self.top + event.y
        if event.y < self._room and index < len(self.items):
            self._take(self.items[index])


def _at_end(field: Field) -> bool:
    return field.cursor_position >= len(field.value)
