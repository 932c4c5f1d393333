"""One row of a form: what is asked, where it is typed, and beside it what is wrong or expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual import events
from textual.app import ComposeResult
from textual.message import Message
from textual.widget import Widget

from gigq_tui.format import inert, width_of
from gigq_tui.widgets.lines import Lines, TextLines, span
from gigq_tui.widgets.typed_input import TypedInput

# Keys that go from one part of a form to the next, or to the one before.
WALKS = {"tab": 1, "down": 1, "shift+tab": -1, "up": -1}
MOVES = {**WALKS, "enter": 1}


def go_with_the_focus(widget: Widget, event: events.Key, moves: Mapping[str, int] = MOVES) -> bool:
    """Move the focus; say whether it was such a key.

    Args:
        widget: What got the key.
        event: The key.
        moves: Which keys go how many parts on.
    """
    if event.key not in moves:
        return False
    screen = widget.screen
    (screen.focus_next if moves[event.key] > 0 else screen.focus_previous)()
    return True


# With fewer cells than that a hint says nothing.
LEAST_HINT = 8


class Field(TypedInput):
    """A field of a form, from which keys lead on; it holds nothing that steers a terminal.

    Args:
        value: What stands in it at first.
        password: Do not show what is typed.
        placeholder: What stands in it while it is empty.
    """

    def __init__(self, value: str = "", *, password: bool = False, placeholder: str = "") -> None:
        super().__init__(inert(value), password=password, placeholder=inert(placeholder))

    def validate_value(self, value: str) -> str:
        return inert(value)

    def meant_elsewhere(self, event: events.Key) -> bool:
        return super().meant_elsewhere(event) or go_with_the_focus(self, event)


class FormRow(Widget):
    """A label, an input and a hint.

    Args:
        key: The name by which the form knows the row.
        label: What is asked.
        text: What stands in the field at first.
        hint: What is said while nothing is wrong.
        cells: How wide the field is; 0 for as wide as the form has room.
        hint_cells: How wide the hint is; 0 for as wide as there is room.
        secret: Do not show what is typed.
        placeholder: What stands in the field while it is empty.
    """

    DEFAULT_CSS = """
    FormRow { layout: horizontal; height: 1; width: 1fr; }
    FormRow > .label { width: 13; }
    FormRow > Field { width: 4fr; }
    FormRow > .hint { width: 3fr; }
    """

    class Altered(Message):
        """Something of the form was changed by other means than by typing."""

    def __init__(
        self,
        key: str,
        label: str,
        text: str = "",
        *,
        hint: str = "",
        cells: int = 0,
        hint_cells: int = 0,
        secret: bool = False,
        placeholder: str = "",
    ) -> None:
        super().__init__()
        self.key = key
        self.label = label
        self.first_text = inert(text)
        self.hint = hint
        self.trouble = ""
        self.tone = "dim"
        self.secret = secret
        self.field = Field(text, password=secret, placeholder=placeholder)
        if cells:
            self.field.styles.width = cells
        self._hint_cells = hint_cells
        self._hint_line = TextLines(classes="hint")
        if hint_cells:
            self._hint_line.styles.width = hint_cells
        self._label_line = TextLines(classes="label")

    def compose(self) -> ComposeResult:
        yield self._label_line
        yield self.field
        yield self._hint_line

    def on_mount(self) -> None:
        label = self.label if width_of(self.label) <= 12 else f"{self.label[:9]}.."
        self._label_line.show((span(f" {label}"),))
        self._draw()

    @property
    def text(self) -> str:
        """What is typed."""
        return self.field.value

    @property
    def changed(self) -> bool:
        """Whether it is something else than at first."""
        return self.text != self.first_text

    def hide(self) -> None:
        """Do not show what is typed from now on."""
        if not self.secret:
            self.secret = self.field.password = True

    def reveal(self) -> None:
        """Show what a secret field holds, or hide it again."""
        self.field.password = not self.field.password

    @property
    def said(self) -> str:
        """What stands beside the field."""
        return self.trouble or self.hint

    @property
    def hint_room(self) -> int:
        """How many cells there are for what stands beside the field."""
        return max(0, self._hint_line.size.width - 4)

    def tell(self, trouble: str = "", *, hint: str | None = None, tone: str = "dim") -> None:
        """Say what is wrong, or else what is expected.

        Args:
            trouble: What is wrong, or an empty string.
            hint: What to say otherwise; None leaves it as it is.
            tone: The role that colours the hint.
        """
        self.trouble = trouble
        if hint is not None:
            self.hint, self.tone = hint, tone
        self._draw()

    def _draw(self) -> None:
        if self._hint_cells and self._hint_cells < LEAST_HINT:
            # The foot of the screen says it while the field has the focus.
            self._hint_line.show(((" !" if self.trouble else "", "fail"),))
        elif self.trouble:
            self._hint_line.show((("  ! ", "fail"), span(self.trouble, "fail")))
        else:
            self._hint_line.show((span(f"  {self.hint}", self.tone),))


class PushLine(Lines, can_focus=True):
    """A button that is one line high: enter, space or a click presses it.

    Args:
        label: What stands on it.
        act: Called when it is pressed.
        id: The id of the widget.
    """

    DEFAULT_CSS = """
    PushLine { width: auto; height: 1; }
    """

    def __init__(self, label: str, act: Callable[[], None], *, id: str) -> None:
        super().__init__(id=id)
        self.label = label
        self.act = act
        self.styles.width = width_of(label) + 6

    def line_at(self, y: int) -> tuple[tuple[str, str], ...]:
        text = f"[ {self.label} ]"
        return ((">" if self.has_focus else " ", "key"), (text, "tab" if self.has_focus else "key"))

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()

    def take_key(self, event: events.Key) -> bool:
        """Press it, or go on to the next part of the form."""
        if event.key not in ("enter", "space"):
            return go_with_the_focus(self, event, WALKS)
        self.act()
        return True

    def take_paste(self, text: str) -> None:
        """There is nothing to type here."""

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.act()
