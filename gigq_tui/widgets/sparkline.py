"""A series of counts in a single line, in blocks or in ASCII, and what is nothing as a rule."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from gigq_tui import format as fmt
from gigq_tui.widgets.lines import Line, Span

_BLOCKS, _ASCII = "▁▂▃▄▅▆▇█", "..::::##"


def gathered(counts: Sequence[int], cells: int) -> list[int]:
    """Sum counts up so that they fit into so many cells."""
    cells = min(cells, len(counts))
    edges = [cell * len(counts) // cells for cell in range(cells + 1)] if cells > 0 else [0]
    return [sum(counts[a:b]) for a, b in pairwise(edges)]


def sparkline(counts: Sequence[int], cells: int, role: str) -> Line:
    """Draw counts in so many cells; whatever was counted at all can be seen.

    Args:
        counts: The oldest first.
        cells: How many cells there are.
        role: What colours the bars.
    """
    blocks, nothing = (_BLOCKS, "─") if fmt.UTF8 else (_ASCII, "_")
    bars = gathered(counts, cells)
    top = max(bars, default=0)
    spans: list[Span] = []
    for n in bars:
        glyph = blocks[(n * len(blocks) - 1) // top] if n else nothing
        colour = role if n else "rule"
        if spans and spans[-1][1] == colour:
            spans[-1] = (spans[-1][0] + glyph, colour)
        else:
            spans.append((glyph, colour))
    left = cells - len(bars)
    return (*spans, (" " * left, "")) if left > 0 else tuple(spans)
