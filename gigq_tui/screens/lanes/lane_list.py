"""The list of lanes: only the lines that are seen are made, so hundreds of lanes cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gigq_core.lanes.rules import Lane
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.row_list import RowList


def _no_line(_: Lane) -> Line:
    return ()


class LaneList(RowList):
    """Lanes, each told by its name."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lanes: Sequence[Lane] = ()
        self._line_of: Callable[[Lane], Line] = _no_line

    @property
    def total(self) -> int:
        return len(self._lanes)

    def row_id(self, index: int) -> str | None:
        return self._lanes[index].name if 0 <= index < len(self._lanes) else None

    def row_line(self, index: int, width: int, *, selected: bool) -> Line:
        gutter = (" > ", "key") if selected else ("   ", "")
        return (gutter, *self._line_of(self._lanes[index]))

    def show(self, lanes: Sequence[Lane], line_of: Callable[[Lane], Line]) -> None:
        """Replace the lanes; the cursor stays on its lane, if that is still there.

        Args:
            lanes: In their order.
            line_of: Makes the line of one.
        """
        self._lanes, self._line_of = lanes, line_of
        places = (at for at, lane in enumerate(lanes) if lane.name == self.cursor_id)
        self.settle(next(places, None))
