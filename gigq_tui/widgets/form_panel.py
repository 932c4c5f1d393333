"""A panel with rows to type into: what would come of them, and the command that does the same.

It covers lines of the screen in front and moves none, which costs a third of a screen of its own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from gigq_tui.format import width_of
from gigq_tui.keys.hints import APPLY, ESC, TAB
from gigq_tui.terminal import theme
from gigq_tui.widgets.command_lines import CommandLines
from gigq_tui.widgets.form_row import WALKS, Field, FormRow, PushLine
from gigq_tui.widgets.lines import Line, TextLines, span
from gigq_tui.widgets.takes_keys import OVERLAY, TakesKeys


class FormPanel(Vertical):
    """Asks for what an action needs; nothing is done before that makes sense.

    Args:
        title: What stands over it.
        rows: What is typed into.
        does: What the button says that does it.
        id: The id of the widget.

    Attributes:
        is_open: Whether keys belong to it.
        rows: The rows by their keys.
    """

    DEFAULT_CSS = """
    FormPanel { height: auto; max-height: 100%; background: $panel; layer: palette; dock: bottom;
                margin: 0 0 2 0; overflow-y: auto; scrollbar-size-vertical: 1; }
    FormPanel Field { background: $background; }
    FormPanel > Horizontal { height: 1; }
    """

    def __init__(self, title: str, rows: Iterable[FormRow], does: str, *, id: str) -> None:
        super().__init__(id=id, classes=OVERLAY)
        self.is_open = True
        self.rows = {row.key: row for row in rows}
        self._title = title
        self._does = does
        self._title_line = TextLines()
        self._plan_line = TextLines()
        self._command_lines = CommandLines()

    def compose(self) -> ComposeResult:
        yield self._title_line
        yield from self.rows.values()
        yield self._plan_line
        yield self._command_lines
        with Horizontal():
            yield PushLine(f"{self._does} ({APPLY})", self.act, id=f"{self.id}-go")
            yield PushLine(f"Close ({ESC})", self.close, id=f"{self.id}-close")

    @property
    def is_whole(self) -> bool:
        """Whether its lines are there: not before it is composed, nor while it is taken away.

        A field that goes is left, and an answer may come, when they are there no more.
        """
        lines = (self._title_line, self._plan_line, self._command_lines)
        return self.is_mounted and all(line.is_attached for line in lines)

    # What each panel says for itself

    @property
    @abstractmethod
    def troubles(self) -> Mapping[str, str]:
        """What is wrong with the rows, by their keys."""

    @abstractmethod
    def judge(self) -> None:
        """Read the rows, and tell beside each what is wrong."""

    @abstractmethod
    def plan(self) -> Line:
        """What would happen."""

    @abstractmethod
    def command(self) -> str:
        """The command that does the same; empty where there is nothing to do."""

    @abstractmethod
    def act(self) -> None:
        """Close it and do what was asked for, or go to what is wrong."""

    def replaces(self, key: str) -> bool:
        """Whether what is typed takes the place of what a row holds when one comes to it."""
        return True

    # Moving

    @property
    def _stops(self) -> list[Widget]:
        fields: list[Widget] = [row.field for row in self.rows.values() if row.display]
        return [*fields, *self.query(PushLine)]

    def take_key(self, event: events.Key) -> bool:
        """Move, press, close or act; what is typed goes to the field that has the focus."""
        here = self.screen.focused
        if event.key in WALKS:
            self._move(WALKS[event.key])
        elif event.key == "escape":
            self.close()
        elif event.key == APPLY:
            self.act()
        elif event.key == "enter" and isinstance(here, PushLine):
            here.act()
        elif event.key == "enter":
            self._move(1)
        elif here in self._stops and isinstance(here, TakesKeys):
            return here.take_key(event)
        else:
            return False
        return True

    def take_paste(self, text: str) -> None:
        """Paste into the field that has the focus."""
        here = self.screen.focused
        if here in self._stops and isinstance(here, TakesKeys):
            here.take_paste(text)

    def _move(self, step: int) -> None:
        """Go to the next field or button, or the one before."""
        stops = self._stops
        here = self.screen.focused
        at = stops.index(here) if here in stops else -step
        stop = stops[(at + step) % len(stops)]
        self.screen.set_focus(stop)
        row = stop.parent
        if isinstance(stop, Field) and isinstance(row, FormRow) and self.replaces(row.key):
            stop.select_all()
        self.draw()

    # Judging

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.review()

    def on_resize(self) -> None:
        self.call_after_refresh(self.review)

    def review(self) -> None:
        """Tell beside each field what is wrong, and below what would happen."""
        if self.is_whole:
            self.judge()
            self.draw()

    def draw(self) -> None:
        """Draw the title, and what would happen."""
        title = f" {self._title} "
        end = f" {TAB} next  {ESC} closes "
        rule = theme.RULE * max(0, self.app.size.width - 3 - width_of(title) - width_of(end))
        self._title_line.show(
            ((theme.RULE * 3, "rule"), (title, "title"), (rule, "rule"), (end, "dim"))
        )
        self._plan_line.show(self.plan())
        self._command_lines.tell(self.command())

    @property
    def doubted(self) -> FormRow:
        """The row that something is wrong with: the one that is typed into, or the first."""
        wrong = [self.rows[key] for key in self.troubles]
        typed_into = (row for row in wrong if row.field is self.screen.focused)
        return next(typed_into, wrong[0])

    def trouble_line(self) -> Line:
        """What is wrong with that row."""
        row = self.doubted
        return ((" ! ", "fail"), span(f"{row.label}: {self.troubles[row.key]}", "fail"))

    def close(self) -> None:
        """Take the panel away and give the keys back."""
        self.is_open = False
        self.screen.set_focus(None)
        self.remove()
