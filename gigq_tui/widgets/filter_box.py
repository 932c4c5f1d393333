"""The box in which a filter is typed; a mistake is told under it, beside its character."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual import events, on
from textual.app import ComposeResult
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from gigq_tui.format import inert
from gigq_tui.store.filter import NO_FILTER, Filter, FilterError, parse
from gigq_tui.widgets.lines import TextLines


class FilterBox(Widget):
    """A prompt, an input, and a line for a mistake. Shown only while a filter is typed."""

    DEFAULT_CSS = """
    FilterBox { height: auto; layout: grid; grid-size: 2; grid-columns: 3 1fr; grid-rows: auto;
                display: none; }
    FilterBox.-open { display: block; height: 1; layout: horizontal; }
    FilterBox.-open.-wrong { height: 2; layout: vertical; }
    FilterBox Input { width: 1fr; }
    FilterBox #mistake { display: none; height: 1; }
    FilterBox.-wrong #mistake { display: block; }
    """

    @dataclass
    class Changed(Message):
        """The text is a good filter now."""

        filter: Filter

    @dataclass
    class Closed(Message):
        """Typing ended: kept with enter, or dropped with escape."""

        kept: bool

    def compose(self) -> ComposeResult:
        box = Input(id="filter-input", placeholder="words  -not  name: fn: state: pri>5 age>2m")
        box.cursor_blink = False
        yield box
        yield TextLines(id="mistake")

    @property
    def box(self) -> Input:
        """The input."""
        return self.query_one(Input)

    @property
    def mistake(self) -> str:
        """The sentence under the box, or an empty string."""
        return self.query_one("#mistake", TextLines).plain.strip() if self.has_class("-wrong") else ""

    def open(self, text: str) -> None:
        """Show the box with the present filter in it."""
        self.add_class("-open")
        with self.prevent(Input.Changed):
            self.box.value = text
        self.box.cursor_position = len(text)
        self._judge(text)
        self.box.focus()

    def close(self, *, kept: bool) -> None:
        """Hide the box and say how typing ended."""
        self.remove_class("-open", "-wrong")
        self.screen.set_focus(None)
        self.post_message(self.Closed(kept))

    def _judge(self, text: str) -> Filter | None:
        """Parse the text; tell a mistake under its character."""
        line = self.query_one("#mistake", TextLines)
        try:
            found = parse(text) if text.strip() else NO_FILTER
        except FilterError as problem:
            self.add_class("-wrong")
            indent = " " * min(problem.position, max(0, self.app.size.width - 30))
            line.show(((f"{indent}^ {inert(str(problem.message))}", "fail"),))
            return None
        self.remove_class("-wrong")
        line.show(())
        return found

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        found = self._judge(event.value)
        if found is not None:
            self.post_message(self.Changed(found))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if self._judge(event.value) is not None:
            self.close(kept=True)

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            event.prevent_default()
            self.close(kept=False)


def describe(text: str) -> Iterable[str]:
    """Return the parts of the status line that a filter adds."""
    return (f"/ {inert(text)}",) if text else ()
