"""Captured output in its own colours, as the theme shows them."""

from __future__ import annotations

from collections.abc import Iterator

from gigq_tui.store.tail import Tail
from gigq_tui.terminal.theme import OUTPUT
from gigq_tui.widgets.lines import Span
from gigq_tui.widgets.text_view import Mark

GAP_ROLE = "warn"


def marks_of(tail: Tail) -> dict[int, list[Mark]]:
    """The roles of parts of the lines, by the number of the line."""
    marks = {
        number: [(start, end, f"{OUTPUT}{look.sgr}") for start, end, look in pieces]
        for number, pieces in tail.pieces.items()
    }
    if tail.gap is not None:
        marks[tail.gap] = [(0, len(tail.lines[tail.gap]), GAP_ROLE)]
    return marks


def spans_of(tail: Tail, first: int) -> Iterator[tuple[Span, ...]]:
    """The lines from the one with that number on, each as spans."""
    marks = marks_of(tail)
    for number in range(first, len(tail.lines)):
        line = tail.lines[number]
        spans: list[Span] = []
        at = 0
        for start, end, role in marks.get(number, ()):
            spans += [(line[at:start], ""), (line[start:end], role)]
            at = end
        yield (*spans, (line[at:], ""))
