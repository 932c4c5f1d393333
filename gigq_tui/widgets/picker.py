"""A list in a panel of the screen that is narrowed by typing."""

from __future__ import annotations

from textual import events

from gigq_tui.format import cut, inert, width_of
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line, Lines, fit
from gigq_tui.widgets.takes_keys import OVERLAY, first_line
from gigq_tui.widgets.typed_line import edited

MOST_LINES = 14
# Lines beside the entries: the title, and what is typed.
BESIDES = 2


class Picker(Lines):
    """Takes every key while it is open: typing narrows, enter chooses, escape closes.

    Args:
        id: Of the widget.
        sign: What stands before the typed text.
        own_keys: The keys that open it, which close it as well unless they write a letter.
    """

    DEFAULT_CSS = """
    Picker { height: 10; background: $panel; layer: palette; dock: bottom;
             margin: 0 0 2 0; }
    """

    def __init__(self, id: str, sign: str, own_keys: frozenset[str]) -> None:
        super().__init__(id=id, classes=OVERLAY)
        self.is_open = True
        self.text = ""
        self.cursor = 0
        self.top = 0
        self._sign = sign
        self._own_keys = own_keys

    # What each picker says for itself

    @property
    def entries(self) -> int:
        """How many entries match what is typed."""
        return 0

    def title(self) -> str:
        """What it lists, and how much of it."""
        return ""

    def hint(self) -> str:
        """What to do, while nothing is typed."""
        return ""

    def none_words(self) -> str:
        """What is said where nothing matches."""
        return ""

    def entry(self, index: int) -> Line:
        """One of the entries, without what shows the cursor."""
        return ()

    def narrow(self, text: str) -> None:
        """List only what matches a text."""

    def choose(self, index: int) -> None:
        """Do what an entry stands for."""

    # Drawing

    @property
    def rows(self) -> int:
        """How many entries are visible at once."""
        return max(1, self.size.height - BESIDES)

    def on_mount(self) -> None:
        self.styles.height = max(4, min(MOST_LINES, self.app.size.height // 2))

    def line_at(self, y: int) -> Line:
        width = self.size.width
        if y == 0:
            title = f" {self.title()} "
            rest = theme.RULE * max(0, width - 3 - width_of(title))
            return ((theme.RULE * 3, "rule"), (title, "title"), (rest, "rule"))
        if y == 1:
            return (
                (f" {self._sign} ", "key"),
                (cut(inert(self.text), width - 6), ""),
                ("_", "key"),
                ("" if self.text else f"  {self.hint()}", "dim"),
            )
        index = self.top + y - BESIDES
        if index >= self.entries:
            return ((f" {self.none_words()}", "warn"),) if y == BESIDES else ()
        selected = index == self.cursor
        line: Line = ((" > " if selected else "   ", "key"), *self.entry(index))
        return fit((("", "cursor"), *line) if selected else line, width)

    def show(self) -> None:
        """Draw it anew, the cursor on one of the entries."""
        self.cursor = max(0, min(self.cursor, self.entries - 1))
        last = self.cursor - self.rows + 1
        self.top = max(0, last, min(self.top, self.cursor))
        self.repaint()

    def _type(self, text: str) -> None:
        self.text = text
        self.narrow(text)
        self.cursor = self.top = 0
        self.show()

    def _step(self, lines: int) -> None:
        self.cursor += lines
        self.show()

    def close(self) -> None:
        """Take the panel away and give the keys back."""
        self.is_open = False
        self.remove()

    def _choose(self) -> None:
        if self.entries:
            self.choose(self.cursor)

    # Keys, paste, mouse

    def take_key(self, event: events.Key) -> bool:
        """Narrow, move, choose or close; no key goes on to the screen below."""
        key = event.key
        if key == "escape" or (key in self._own_keys and not event.is_printable):
            self.close()
        elif key == "enter":
            self._choose()
        elif key in ("down", "ctrl+n", "tab"):
            self._step(1)
        elif key in ("up", "shift+tab"):
            self._step(-1)
        elif key == "pagedown":
            self._step(self.rows)
        elif key == "pageup":
            self._step(-self.rows)
        elif key == "home":
            self._step(-self.entries)
        elif key == "end":
            self._step(self.entries)
        elif key == "backspace" and not self.text:
            self.close()
        elif (text := edited(self.text, event)) is not None:
            self._type(text)
        return True

    def take_paste(self, text: str) -> None:
        """Narrow by the first line of what is pasted."""
        self._type(self.text + inert(first_line(text)))

    def on_click(self, event: events.Click) -> None:
        index = self.top + event.y - BESIDES
        if event.y >= BESIDES and index < self.entries:
            self.cursor = index
            self._choose()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._step(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._step(-1)
