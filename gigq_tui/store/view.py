"""Which part of the table somebody looks at: the tab, the filter, and a page by key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gigq_tui.store.filter import NO_FILTER, Filter
from gigq_tui.store.models import Tab

PAGE_ROWS = 200
MAX_PAGE_ROWS = 1_000


class AnchorKind(Enum):
    """What holds a page in its place."""

    TOP = "top"
    END = "end"
    AFTER = "after"
    BEFORE = "before"
    NEAR = "near"


@dataclass(frozen=True)
class Anchor:
    """Where a page of rows stands in the list, newest first. Make one with its constructors."""

    kind: AnchorKind
    key: int = 0
    start: int = 0
    fraction: float = 0.0

    @staticmethod
    def after(key: int, start: int) -> Anchor:
        """The page below the row `key`; `start` is the place of the page's first row."""
        return Anchor(AnchorKind.AFTER, key=key, start=start)

    @staticmethod
    def before(key: int, start: int) -> Anchor:
        """The page above the row `key`; `start` is the place of that row itself."""
        return Anchor(AnchorKind.BEFORE, key=key, start=start)

    @staticmethod
    def near(fraction: float, index: int) -> Anchor:
        """The page that begins about `fraction` (0 top, 1 end) of the way down, at `index`."""
        return Anchor(AnchorKind.NEAR, start=index, fraction=fraction)


TOP = Anchor(AnchorKind.TOP)
END = Anchor(AnchorKind.END)


@dataclass(frozen=True)
class View:
    """What the jobs screen asks for. `size` is the number of rows of a page."""

    tab: Tab = Tab.ALL
    filter: Filter = NO_FILTER
    anchor: Anchor = TOP
    size: int = PAGE_ROWS

    @property
    def rows(self) -> int:
        """The size, kept within what one refresh may read."""
        return max(1, min(self.size, MAX_PAGE_ROWS))
