"""A row of tabs with counts, chosen by key or by mouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.message import Message

from gigq_tui.format import width_of
from gigq_tui.widgets.lines import Line, Span, TextLines


@dataclass(frozen=True)
class TabLabel:
    """One tab: what is written before and after its number, and how it is coloured at rest."""

    text: str
    short: str
    role: str = ""


def shown_range(widths: Sequence[int], active: int, room: int) -> tuple[int, int]:
    """Return which tabs (from, below) are shown whole: the active one, then its neighbours.

    Args:
        widths: The cells that each tab takes.
        active: The tab that is shown in any case.
        room: How many cells there are for all.
    """
    first, end, used = active, active + 1, widths[active]
    while end < len(widths) and used + widths[end] <= room:
        used += widths[end]
        end += 1
    while first > 0 and used + widths[first - 1] <= room:
        first -= 1
        used += widths[first]
    return first, end


class TabRow(TextLines):
    """Tabs side by side; the active one is in brackets, so that it is seen without colours."""

    DEFAULT_CSS = """
    TabRow { height: 1; }
    """

    @dataclass
    class Chosen(Message):
        """A tab was clicked."""

        tab_row: TabRow
        index: int

        @property
        def control(self) -> TabRow:
            return self.tab_row

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._places: list[tuple[int, int]] = []
        self._told: tuple[Sequence[TabLabel], int] | None = None

    def tell(self, labels: Sequence[TabLabel], active: int) -> None:
        """Show these tabs."""
        self._told = (labels, active)
        self.show(self._line(labels, active))

    def _line(self, labels: Sequence[TabLabel], active: int) -> Line:
        room = self.size.width - 1
        texts = [label.text for label in labels]
        if sum(width_of(text) + 2 for text in texts) + 2 > room:
            texts = [label.short for label in labels]
        gap = "" if sum(width_of(text) + 2 for text in texts) > room else " "
        written_all = [
            f"[{text}]" if index == active else f" {text} " if gap else f" {text}"
            for index, text in enumerate(texts)
        ]
        widths = [width_of(text) for text in written_all]
        whole = sum(widths) <= room
        first, end = (0, len(texts)) if whole else shown_range(widths, active, room - 4)
        spans: list[Span] = [(".." if first else " ", "dim" if first else "")]
        self._places = [(0, 0)] * len(texts)
        x = width_of(spans[0][0])
        for index in range(first, end):
            chosen, written = index == active, written_all[index]
            self._places[index] = (x, x + width_of(written))
            spans.append((written, "tab" if chosen else labels[index].role))
            x += width_of(written)
        if end < len(texts):
            spans.append((" ..", "dim"))
        return tuple(spans)

    def on_resize(self) -> None:
        if self._told is not None:
            self.tell(*self._told)

    def on_click(self, event: events.Click) -> None:
        for index, (start, end) in enumerate(self._places):
            if start <= event.x < end:
                self.post_message(self.Chosen(self, index))
