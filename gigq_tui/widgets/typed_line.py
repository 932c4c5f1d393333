"""A line that tells something at rest, and in which a few words are typed when they are wanted.

The screen hands it the keys while it is typed in. It needs no focus and lays nothing out anew, so
that typing costs the cells that change.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.message import Message

from gigq_tui.format import cut, inert, width_of
from gigq_tui.widgets.lines import BLANK, Line, TextLines, spread
from gigq_tui.widgets.takes_keys import first_line

MOST_CHARACTERS = 200


def edited(text: str, event: events.Key) -> str | None:
    """Return what words become by a key that is typed at their end; None for any other key."""
    if event.key == "backspace":
        return text[:-1]
    if event.key == "ctrl+u":
        return ""
    if event.key == "ctrl+w":
        return text.rstrip().rpartition(" ")[0]
    return text + event.character if event.is_printable and event.character else None


class TypedLine(TextLines):
    """Typing begins with `open()`; every change is told, and so is the end."""

    # What stands before the words.
    PROMPT = " / "

    @dataclass
    class Typed(Message):
        """The words are others now."""

        text: str

    @dataclass
    class Ended(Message):
        """Typing ended: kept with enter, or dropped with escape, which brings `text` back."""

        text: str
        kept: bool

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.typing = False
        self.text = ""
        self._before = ""
        self._rest: Line = BLANK
        self._right = ""

    def open(self, text: str) -> None:
        """Begin to type, with these words to begin with."""
        self.typing = True
        self.add_class("-typing")
        self.text = self._before = text
        self._right = ""
        self._draw()

    def rest(self, line: Line) -> None:
        """Set what stands here while nothing is typed."""
        self._rest = line
        if not self.typing:
            self.show(line)

    def tell(self, right: str) -> None:
        """Set what stands at the right while something is typed."""
        self._right = right
        if self.typing:
            self._draw()

    def close(self, *, kept: bool) -> None:
        """End typing."""
        self.typing = False
        self.remove_class("-typing")
        if not kept:
            self.text = self._before
        self.show(self._rest)
        self.post_message(self.Ended(self.text, kept))

    def take_key(self, event: events.Key) -> bool:
        """Handle a key while something is typed; no other part of the screen sees it."""
        if event.key in ("enter", "escape"):
            self.close(kept=event.key == "enter")
        elif event.key == "backspace" and not self.text:
            self.close(kept=False)
        elif (text := edited(self.text, event)) is not None:
            self._change(text)
        return True

    def take_paste(self, text: str) -> None:
        """Add the first line of what is pasted."""
        self._change(self.text + inert(first_line(text)))

    def _change(self, text: str) -> None:
        text = text[:MOST_CHARACTERS]
        if text != self.text:
            self.text = text
            self._draw()
            self.post_message(self.Typed(text))

    def _draw(self) -> None:
        right: Line = ((f" {self._right} ", "dim"),) if self._right else BLANK
        room = self.size.width - width_of(self._right) - width_of(self.PROMPT) - 5
        # The end of what is typed is what is looked at.
        text = self.text
        while width_of(text) > max(4, room):
            text = text[1:]
        left: Line = ((self.PROMPT, "key"), (cut(text, max(4, room)), ""), ("_", "key"))
        self.show(spread(left, right, self.size.width))

    def on_resize(self) -> None:
        if self.typing:
            self._draw()
