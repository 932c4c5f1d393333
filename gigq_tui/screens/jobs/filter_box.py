"""The box in which a filter is typed; a mistake is told under it, beside its character."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events, on
from textual.app import ComposeResult
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from gigq_tui.format import count, inert, pad, width_of
from gigq_tui.store.filter.language import NO_FILTER, Filter, FilterError, parse
from gigq_tui.widgets.lines import TextLines
from gigq_tui.widgets.typed_input import TypedInput

PROMPT = " / "


class FilterBox(Widget):
    """A prompt, an input, and a line for a mistake. Shown only while a filter is typed."""

    DEFAULT_CSS = """
    FilterBox { height: 1; layout: grid; grid-size: 3; grid-columns: 3 1fr 16; grid-rows: 1;
                display: none; }
    FilterBox.-open { display: block; }
    FilterBox.-wrong { height: 2; }
    FilterBox #mistake { display: none; column-span: 3; }
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
        box = TypedInput(
            id="filter-input",
            placeholder="words  -not  name: fn: state: param.x: age>2m ended:02:00..",
        )
        box.keys_first = self._ends
        yield TextLines((((PROMPT, "key"),),), id="prompt")
        yield box
        yield TextLines(id="hits")
        yield TextLines(id="mistake")

    @property
    def box(self) -> TypedInput:
        """The input."""
        return self.query_one(TypedInput)

    @property
    def is_open(self) -> bool:
        """Whether a filter is being typed."""
        return self.has_class("-open")

    @property
    def mistake(self) -> str:
        """The sentence under the box, or an empty string."""
        return (
            self.query_one("#mistake", TextLines).plain.strip() if self.has_class("-wrong") else ""
        )

    def open(self, text: str) -> None:
        """Show the box with the present filter in it."""
        self.add_class("-open")
        with self.prevent(Input.Changed):
            self.box.value = text
        self.box.cursor_position = len(text)
        self._parse(text)
        self.screen.set_focus(self.box)

    def draw_hits(self, number: int) -> None:
        """Show how many jobs match what is typed so far."""
        text = f"{count(number)} match "
        self.query_one("#hits", TextLines).show(((pad(text, 16, right=True), "dim"),))

    def close(self, *, kept: bool) -> None:
        """Hide the box and say how typing ended."""
        self.remove_class("-open", "-wrong")
        self.screen.set_focus(None)
        self.post_message(self.Closed(kept))

    def take_key(self, event: events.Key) -> bool:
        """Type here for as long as the box is seen, whatever had the focus meanwhile."""
        if not self.box.has_focus:
            self.screen.set_focus(self.box)
        return self.box.take_key(event)

    def take_paste(self, text: str) -> None:
        """Add what is pasted to the filter."""
        self.box.take_paste(text)

    def _parse(self, text: str) -> Filter | None:
        """Parse the text; tell a mistake under its character."""
        line = self.query_one("#mistake", TextLines)
        try:
            found = parse(text) if text.strip() else NO_FILTER
        except FilterError as problem:
            self.add_class("-wrong")
            room = self.app.size.width - len(PROMPT) - width_of(problem.message) - 3
            indent = " " * (len(PROMPT) + max(0, min(problem.position, room)))
            line.show(((f"{indent}^ {inert(str(problem.message))}", "fail"),))
            return None
        self.remove_class("-wrong")
        line.show(())
        return found

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        found = self._parse(event.value)
        if found is not None:
            self.post_message(self.Changed(found))

    def _ends(self, event: events.Key) -> bool:
        """End typing at once: what is typed behind it must not end up in the filter."""
        if event.key == "escape":
            self.close(kept=False)
        elif event.key != "enter":
            return False
        elif self._parse(self.box.value) is not None:
            self.close(kept=True)
        return True
