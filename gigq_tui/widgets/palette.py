"""The command palette: every action of the screen with its keys, in a panel of that screen."""

from __future__ import annotations

from typing import Protocol

from textual import events

from gigq_tui.format import cut, inert, pad, width_of
from gigq_tui.keys import Action, Context, Keymap, Scope, actions_for
from gigq_tui.keys.hints import ENTER, ESC
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line, Lines, fit
from gigq_tui.widgets.takes_keys import OVERLAY, first_line
from gigq_tui.widgets.typed_line import edited

MOST_LINES = 14
KEY_CELLS = 14
# Moving about is done with its own keys; here it would only stand in the way.
_LEFT_OUT = frozenset({"palette", "find_row", "find_row_next", "find_row_previous"})


def matching(actions: tuple[Action, ...], text: str) -> list[Action]:
    """Return the actions that hold every typed word, those first whose label begins with it."""
    words = text.lower().split()
    found = [
        action
        for action in actions
        if action.id not in _LEFT_OUT and all(word in _haystack(action) for word in words)
    ]
    if words:
        found.sort(key=lambda action: _rank(action, words[0]))
    return found


def _haystack(action: Action) -> str:
    return f"{action.label} {action.help} {action.shown}".lower()


def _rank(action: Action, word: str) -> int:
    label = action.label.lower()
    if word in (label, action.shown.lower()):
        return 0
    if label.startswith(word):
        return 1
    return 2 if word in label else 3


class Owner(Protocol):
    """The screen whose actions are listed."""

    @property
    def SCOPE(self) -> Scope: ...

    def context(self) -> Context: ...

    def perform(self, action: Action) -> None: ...


class PalettePanel(Lines):
    """Takes every key while it is open: typing narrows, enter runs, escape closes.

    Args:
        owner: The screen whose actions are listed.
        keymap: Which keys they have.
    """

    DEFAULT_CSS = """
    PalettePanel { height: 10; background: $panel; layer: palette; dock: bottom;
                   margin: 0 0 2 0; }
    """

    def __init__(self, owner: Owner, keymap: Keymap) -> None:
        super().__init__(id="palette", classes=OVERLAY)
        self.owner = owner
        self.is_open = True
        self.keymap = keymap
        self.actions = self.keymap.rebound(actions_for(owner.SCOPE))
        # What can be done was decided for the row that the palette was opened on.
        self.context: Context = owner.context()
        self.text = ""
        self.all = self.found = matching(self.actions, "")
        self.cursor = 0
        self.top = 0

    @property
    def rows(self) -> int:
        """How many actions are visible at once."""
        return max(1, self.size.height - 2)

    def on_mount(self) -> None:
        self.styles.height = max(4, min(MOST_LINES, self.app.size.height // 2))

    def line_at(self, y: int) -> Line:
        width = self.size.width
        if y == 0:
            title = f" commands: {len(self.found)} of {len(self.all)} "
            rest = theme.RULE * max(0, width - 3 - width_of(title))
            return ((theme.RULE * 3, "rule"), (title, "title"), (rest, "rule"))
        if y == 1:
            hint = "" if self.text else f"  type to narrow, {ENTER} runs, {ESC} closes"
            return (
                (" : ", "key"),
                (cut(inert(self.text), width - 6), ""),
                ("_", "key"),
                (hint, "dim"),
            )
        index = self.top + y - 2
        if index >= len(self.found):
            return ((" no such command", "warn"),) if y == 2 else ()
        return fit(self._entry(index), width)

    def _entry(self, index: int) -> Line:
        action = self.found[index]
        refusal = action.refusal(self.context)
        selected = index == self.cursor
        role = "off" if refusal else ""
        line: Line = (
            (" > " if selected else "   ", "key"),
            (pad(action.shown, KEY_CELLS), "off" if refusal else "key"),
            (action.help, role),
            (f"   ({refusal})" if refusal else "", "dim"),
        )
        return (("", "cursor"), *line) if selected else line

    def _show(self) -> None:
        self.cursor = max(0, min(self.cursor, len(self.found) - 1))
        if self.cursor < self.top:
            self.top = self.cursor
        elif self.cursor >= self.top + self.rows:
            self.top = self.cursor - self.rows + 1
        self.top = max(0, self.top)
        self.repaint()

    def _narrow(self, text: str) -> None:
        self.text = text
        self.found = matching(self.actions, text)
        self.cursor = self.top = 0
        self._show()

    def _step(self, lines: int) -> None:
        self.cursor += lines
        self._show()

    def close(self) -> None:
        """Take the panel away and give the keys back."""
        self.is_open = False
        self.remove()

    def run(self) -> None:
        """Close, then do what is under the cursor."""
        if not self.found:
            return
        action = self.found[self.cursor]
        self.close()
        self.owner.perform(action)

    def take_key(self, event: events.Key) -> bool:
        """Narrow, move, run or close; no key goes on to the screen below."""
        key = event.key
        if key == "escape" or self._is_own_key(event):
            self.close()
        elif key == "enter":
            self.run()
        elif key in ("down", "ctrl+n", "tab"):
            self._step(1)
        elif key in ("up", "shift+tab"):
            self._step(-1)
        elif key == "pagedown":
            self._step(self.rows)
        elif key == "pageup":
            self._step(-self.rows)
        elif key == "home":
            self._step(-len(self.found))
        elif key == "end":
            self._step(len(self.found))
        elif key == "backspace" and not self.text:
            self.close()
        elif (text := edited(self.text, event)) is not None:
            self._narrow(text)
        return True

    def _is_own_key(self, event: events.Key) -> bool:
        """Say whether it is a key that opens the palette, and not one that writes a letter."""
        own = {key for action in self.actions if action.id == "palette" for key in action.keys}
        return not event.is_printable and event.key in own

    def take_paste(self, text: str) -> None:
        """Narrow by the first line of what is pasted."""
        self._narrow(self.text + inert(first_line(text)))

    def on_click(self, event: events.Click) -> None:
        index = self.top + event.y - 2
        if event.y >= 2 and index < len(self.found):
            self.cursor = index
            self.run()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._step(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._step(-1)
