"""Which part of the table somebody looks at: the tab, the filter, the order, and a page."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gigq_tui.store.filter.language import NO_FILTER, Filter
from gigq_tui.store.models import Tab
from gigq_tui.store.sorting import NEWEST, Sort, SortKey

PAGE_ROWS = 200
MAX_PAGE_ROWS = 1_000


class AnchorKind(Enum):
    """What holds a page in its place."""

    TOP = "top"
    END = "end"
    AFTER = "after"
    BEFORE = "before"
    NEAR = "near"
    AROUND = "around"


@dataclass(frozen=True)
class Anchor:
    """Where a page of rows stands in the list. Make one with its constructors."""

    kind: AnchorKind
    key: int = 0
    start: int = 0
    fraction: float = 0.0
    id: str = ""

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

    @staticmethod
    def around(id: str, index: int) -> Anchor:
        """The page around a job, wherever it is by now; without it, the one around `index`."""
        return Anchor(AnchorKind.AROUND, id=id, start=index)


TOP = Anchor(AnchorKind.TOP)
END = Anchor(AnchorKind.END)


@dataclass(frozen=True)
class View:
    """What the jobs screen asks for.

    `size` is the number of rows of a page. `follow` is the id of a job that is told whether the
    list holds it or not. `own` names what rows are read with besides: columns of values, and where
    they ran.
    """

    tab: Tab = Tab.ALL
    filter: Filter = NO_FILTER
    anchor: Anchor = TOP
    size: int = PAGE_ROWS
    sort: Sort = NEWEST
    follow: str | None = None
    own: tuple[str, ...] = ()

    @property
    def listed_tab(self) -> Tab:
        """The tab whose jobs are listed: the claim order knows waiting ones alone."""
        return Tab.WAITING if self.sort.key is SortKey.CLAIM else self.tab

    @property
    def rows(self) -> int:
        """The size, kept within what one refresh may read."""
        return max(1, min(self.size, MAX_PAGE_ROWS))


# What the jobs of a tab have none of can't order them.
_LACKING = {
    Tab.WAITING: frozenset({SortKey.DURATION, SortKey.STARTED, SortKey.ENDED}),
    Tab.RUNNING: frozenset({SortKey.CLAIM, SortKey.ENDED, SortKey.STATE}),
    **{
        tab: frozenset({SortKey.CLAIM, SortKey.STATE})
        for tab in (Tab.FAILED, Tab.TIMEOUT, Tab.DONE, Tab.CANCELLED)
    },
}


def usual_sort(configured: Sort, tab: Tab) -> Sort:
    """The configured order, where the jobs of a tab have what it goes by."""
    return configured if configured.key in sort_keys(tab) else NEWEST


def sort_keys(tab: Tab) -> tuple[SortKey, ...]:
    """By what the jobs of a tab can be listed."""
    return tuple(key for key in SortKey if key not in _LACKING.get(tab, ()))
