"""The views that are kept under a name, in a panel of the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from textual import events

from gigq_tui.format import cut, inert, pad, width_of
from gigq_tui.keys.action import Action
from gigq_tui.keys.hints import ENTER, ESC
from gigq_tui.keys.looking_actions import VIEWS
from gigq_tui.terminal import theme
from gigq_tui.viewpoint import Viewpoint
from gigq_tui.widgets.lines import Line, Lines, fit
from gigq_tui.widgets.takes_keys import OVERLAY, first_line
from gigq_tui.widgets.typed_line import edited

SAVE, RENAME, DELETE, COPY = "s", "r", "d", "y"
MOST_NAME = 40
# Lines beside the views: the title, what is looked at now, the keys.
BESIDES = 3
_STEPS = {"down": 1, "j": 1, "tab": 1, "up": -1, "k": -1, "shift+tab": -1}


class Named(Protocol):
    """A view and its name."""

    @property
    def name(self) -> str: ...

    @property
    def view(self) -> Viewpoint: ...


class KeepsViews(Protocol):
    """What keeps views."""

    @property
    def saved(self) -> Sequence[Named]: ...

    @property
    def present(self) -> Viewpoint: ...

    def show(self, view: Viewpoint) -> None: ...

    def command_for(self, view: Viewpoint) -> str: ...

    def save(self, name: str, view: Viewpoint, then: Callable[[], None]) -> None: ...

    def delete(self, name: str, then: Callable[[], None]) -> None: ...

    def rename(self, name: str, new: str, then: Callable[[], None]) -> None: ...


class ViewPanel(Lines):
    """Takes every key while it is open.

    Args:
        views: What keeps them.
        copy: Copies a command.
        actions: The actions of the screen below, of which one opens this panel.
    """

    DEFAULT_CSS = """
    ViewPanel { height: 10; background: $panel; layer: palette; dock: bottom;
                margin: 0 0 2 0; }
    """

    def __init__(
        self, views: KeepsViews, copy: Callable[[str, str], None], actions: Sequence[Action]
    ) -> None:
        super().__init__(id="views", classes=OVERLAY)
        self.is_open = True
        self._views = views
        self._copy = copy
        self._own_keys = {key for a in actions if a.id == VIEWS.id for key in a.keys}
        # What is kept is what was looked at when the panel came.
        self._present = views.present
        self.cursor = 0
        self._top = 0
        # What is typed for a name: of this view, or of the one that is renamed.
        self._typed: str | None = None
        self._renamed: str | None = None
        self._said = ""
        # The name about which was said what the same key does when it is pressed again.
        self._sure_of: str | None = None

    @property
    def rows(self) -> int:
        """How many views are visible at once."""
        return max(1, self.size.height - BESIDES)

    @property
    def _current(self) -> Named | None:
        saved = self._views.saved
        return saved[self.cursor] if 0 <= self.cursor < len(saved) else None

    def on_mount(self) -> None:
        self._fit()

    def _fit(self) -> None:
        most = max(BESIDES + 1, self.app.size.height // 2)
        self.styles.height = min(most, BESIDES + max(1, len(self._views.saved)))

    # Drawing

    def line_at(self, y: int) -> Line:
        width, saved = self.size.width, self._views.saved
        if y == 0:
            title = f" views: {len(saved)} "
            rest = theme.RULE * max(0, width - 3 - width_of(title))
            return ((theme.RULE * 3, "rule"), (title, "title"), (rest, "rule"))
        if y == 1:
            return fit((("   now  ", "dim"), (inert(self._present.summary), "dim")), width)
        if y >= self.size.height - 1:
            return fit(self._last_line(), width)
        index = self._top + y - 2
        if not saved and y == 2:
            return ((" No views are saved yet.", "dim"),)
        return fit(self._entry(saved[index], index, width), width) if index < len(saved) else ()

    def _entry(self, named: Named, index: int, width: int) -> Line:
        selected = index == self.cursor
        longest = max(width_of(inert(each.name)) for each in self._views.saved)
        cells = min(longest, width // 3)
        line: Line = (
            (" > " if selected else "   ", "key"),
            (f"{pad(cut(inert(named.name), cells), cells)}  ", ""),
            (inert(named.view.summary), "dim"),
        )
        return (("", "cursor"), *line) if selected else line

    def _last_line(self) -> Line:
        if self._typed is not None:
            what = "new name: " if self._renamed is not None else "name: "
            typed = inert(self._typed)
            while width_of(typed) > max(8, self.size.width - 44):
                typed = typed[1:]
            hint = self._said or f"  {ENTER} saves, {ESC} goes back"
            role = "warn" if self._said else "dim"
            return ((f" {what}", "key"), (typed, ""), ("_", "key"), (hint, role))
        if self._said:
            return ((f" {self._said}", "warn"),)
        spans: list[tuple[str, str]] = []
        named = ((ENTER, "show"), (RENAME, "rename"), (DELETE, "delete"), (COPY, "copy"))
        for key, does in ((SAVE, "save this view"), *(named if self._views.saved else ())):
            spans += [(f" {key} ", "key"), (f"{does} ", "")]
        return (*spans, (f" {ESC} ", "key"), ("close", ""))

    # Acting

    def close(self) -> None:
        """Take the panel away and give the keys back."""
        self.is_open = False
        self.remove()

    def _written(self) -> None:
        """What is kept has changed, or could not be."""
        if self.is_open:
            self._step(0)
            self._fit()

    def _step(self, by: int) -> None:
        self.cursor = max(0, min(self.cursor + by, len(self._views.saved) - 1))
        last = self.cursor - self.rows + 1
        self._top = max(0, last, min(self._top, self.cursor))
        self.repaint()

    def _show(self) -> None:
        if (named := self._current) is not None:
            self.close()
            self._views.show(named.view)

    def _delete(self) -> None:
        if (named := self._current) is None:
            return
        if self._sure_of == named.name:
            self._sure_of = None
            self._views.delete(named.name, self._written)
        else:
            self._sure_of = named.name
            self._said = f"{DELETE} again deletes {inert(named.name)}."

    def _type(self, text: str, renamed: str | None) -> None:
        self._typed, self._renamed = text, renamed

    def _name_typed(self) -> None:
        """Keep what was typed; where another view has that name, only once that is meant."""
        name, renamed = (self._typed or "").strip(), self._renamed
        taken = any(each.name == name for each in self._views.saved)
        if not name:
            self._said = "  type a name"
        elif renamed is not None:
            self._typed = None
            if name != renamed:
                self._views.rename(renamed, name, self._written)
        elif taken and self._sure_of != name:
            self._sure_of = name
            self._said = f"  is there: {ENTER} replaces it"
        else:
            self._typed = self._sure_of = None
            self._views.save(name, self._present, self._written)

    # Keys

    def take_key(self, event: events.Key) -> bool:
        """Do what a key means here; none goes on to the screen below."""
        self._said = ""
        if event.key != (DELETE if self._typed is None else "enter"):
            self._sure_of = None
        if self._typed is not None:
            self._take_letter(event)
        else:
            self._take_command(event.key)
        if self.is_open:
            self.repaint()
        return True

    def _take_letter(self, event: events.Key) -> None:
        assert self._typed is not None
        if event.key == "escape":
            self._typed = None
        elif event.key == "enter":
            self._name_typed()
        elif (text := edited(self._typed, event)) is not None:
            self._sure_of = None
            self._typed = text[:MOST_NAME]

    def _take_command(self, key: str) -> None:
        named = self._current
        if key in ("escape", "q") or key in self._own_keys:
            self.close()
        elif key in _STEPS:
            self._step(_STEPS[key])
        elif key in ("pagedown", "pageup"):
            self._step(self.rows if key == "pagedown" else -self.rows)
        elif key in ("home", "g", "end", "G"):
            self._step(-len(self._views.saved) if key in ("home", "g") else len(self._views.saved))
        elif key == "enter":
            self._show()
        elif key == SAVE:
            self._type("", None)
        elif key == DELETE:
            self._delete()
        elif key == RENAME and named is not None:
            self._type(named.name, named.name)
        elif key == COPY and named is not None:
            self._copy(self._views.command_for(named.view), "the view")

    def take_paste(self, text: str) -> None:
        """Put the first line of what is pasted behind the name that is typed."""
        if self._typed is not None:
            self._typed = (self._typed + inert(first_line(text)))[:MOST_NAME]
            self._sure_of, self._said = None, ""
            self.repaint()

    def on_click(self, event: events.Click) -> None:
        index = self._top + event.y - 2
        last = min(len(self._views.saved), self._top + self.rows)
        if self._typed is None and event.y >= 2 and index < last:
            self.cursor = index
            self._show()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._step(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._step(-1)
