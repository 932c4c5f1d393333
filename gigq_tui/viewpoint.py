"""What somebody looks at, in words that travel: tab, filter, order, columns, and the screen.

A command line, the configuration, and what is kept of the last time all say it in these words, and
a copied command hands it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from gigq_tui.store.failures.grouping import grouping_of
from gigq_tui.store.filter.language import NO_FILTER, Filter, FilterError, parse
from gigq_tui.store.filter.writing import absolute
from gigq_tui.store.history.time_window import USUAL, Period, period_of
from gigq_tui.store.list.view import sort_keys
from gigq_tui.store.models import Tab
from gigq_tui.store.sorting import NEWEST, Sort, SortKey, sort_of

# What a tab is called where it is written.
TAB_WORDS = {tab.name.lower(): tab for tab in Tab}


class ViewError(ValueError):
    """Something of a view makes no sense.

    Args:
        part: Which: `filter`, `sort`, `tab`, `open` or `columns`.
        said: What is wrong, and what to write instead, without a full stop.
        position: The character of a filter that it is about, from 0; None where it isn't known.
    """

    def __init__(self, part: str, said: str, position: int | None = None) -> None:
        at = "" if position is None else f", at character {position + 1}"
        super().__init__(f"{part}{at}: {said}")
        self.part = part
        self.said = f"{at.removeprefix(', ')}: {said}" if at else said


class Destination(NamedTuple):
    """A screen, and what it shows: `tree:0adbc7ba`."""

    screen: str
    argument: str = ""

    def __str__(self) -> str:
        return f"{self.screen}:{self.argument}" if self.argument else self.screen


class ScreenWord(NamedTuple):
    """How a screen is written.

    Attributes:
        usage: The whole of it, for sentences: `tree:ID`, `overview[:PERIOD]`.
        check: Returns what stands behind the colon in its usual spelling; raises ValueError for
            what makes no sense there. It is given the empty text where nothing stands there.
        of_job: Whether that is the id of a job, or its first digits.
        at: Returns the same without what depends on the hour, at a moment; None where nothing does.
    """

    usage: str
    check: Callable[[str], str]
    of_job: bool = False
    at: Callable[[str, datetime], str] | None = None


def _nothing(argument: str) -> str:
    if argument:
        raise ValueError(f"nothing may follow it, and not {argument!r}")
    return ""


def _job(argument: str) -> str:
    if not argument or argument != argument.strip():
        raise ValueError("write the id of a job behind it, or its first digits")
    return argument


def _period(argument: str) -> str:
    return period_of(argument).word if argument else ""


def _period_at(argument: str, now: datetime) -> str:
    period = period_of(argument) if argument else USUAL
    if period.start is None:
        period = Period(period.length_s, now.timestamp() - period.length_s)
    return period.word


def _count(argument: str) -> str:
    from gigq_core.grouping.counting import count_keys  # here: most views have no need of it

    return ",".join(key.name for key in count_keys(argument)) if argument else ""


def _grouping(argument: str) -> str:
    return grouping_of(argument).name if argument else ""


# Every screen that can be opened by its word. A screen says its own in `destination()`, and `app`
# has how each is opened.
SCREEN_WORDS = {
    "job": ScreenWord("job:ID", _job, of_job=True),
    "tree": ScreenWord("tree:ID", _job, of_job=True),
    "timeline": ScreenWord("timeline:ID", _job, of_job=True),
    "levels": ScreenWord("levels:ID", _job, of_job=True),
    "runs": ScreenWord("runs:ID", _job, of_job=True),
    "workers": ScreenWord("workers", _nothing),
    "overview": ScreenWord("overview[:PERIOD]", _period, at=_period_at),
    "count": ScreenWord("count[:KEY,KEY]", _count),
    "groups": ScreenWord("groups[:BY]", _grouping),
    "lanes": ScreenWord("lanes", _nothing),
    "schedules": ScreenWord("schedules", _nothing),
}


@dataclass(frozen=True)
class Viewpoint:
    """What is looked at.

    Attributes:
        tab: The tab of the list.
        filter: What the list lets through.
        sort: Its order; None for the one that is configured.
        columns: Its columns, as the configuration writes them; empty for those that are configured.
        open: The screen that lies over the list; None for the list itself.
    """

    tab: Tab = Tab.ALL
    filter: Filter = NO_FILTER
    sort: Sort | None = None
    columns: tuple[str, ...] = ()
    open: Destination | None = None

    def at(self, now: datetime) -> Viewpoint:
        """The same without what depends on the hour: whoever looks later sees the same times."""
        opened = self.open
        if opened is not None and (fix := SCREEN_WORDS[opened.screen].at) is not None:
            opened = Destination(opened.screen, fix(opened.argument, now))
        return replace(self, filter=absolute(self.filter, now), open=opened)

    @property
    def matching(self) -> Filter:
        """Tab and filter as one filter, for what knows no tabs."""
        if self.tab is Tab.ALL:
            return self.filter
        return parse(f"state:{self.tab.name.lower()}") & self.filter

    @property
    def words(self) -> dict[str, str | list[str]]:
        """Its parts as they are written, those alone that say something."""
        written: dict[str, str | list[str]] = {}
        if self.tab is not Tab.ALL:
            written["tab"] = self.tab.name.lower()
        if self.filter:
            written["filter"] = self.filter.text
        if self.sort is not None:
            written["sort"] = str(self.sort)
        if self.columns:
            written["columns"] = list(self.columns)
        if self.open is not None:
            written["open"] = str(self.open)
        return written

    @property
    def summary(self) -> str:
        """What it shows, in a few words for people."""
        parts = [str(self.open)] if self.open is not None else []
        parts.append(self.tab.name.title() if self.tab is not Tab.ALL else "All")
        if self.filter:
            parts.append(self.filter.text)
        if self.sort is not None and self.sort != NEWEST:
            parts.append(self.sort.words)
        return ", ".join(parts)


def viewpoint_of(
    *,
    tab: str | None = None,
    filter: str | None = None,
    sort: str | None = None,
    columns: Iterable[str] = (),
    open: str | None = None,
) -> Viewpoint:
    """Read a view from its parts as they are written; None for what is not said.

    The columns are taken as they are: whoever knows the columns has checked them.

    Args:
        tab: The name of a tab.
        filter: A filter.
        sort: An order.
        columns: The names of columns.
        open: What is opened over the list.

    Raises:
        ViewError: one of the parts makes no sense, or two of them don't together.
    """
    order = None if sort is None else _sort(sort)
    which = Tab.ALL if tab is None else tab_of(tab)
    if order is not None and order.key is SortKey.CLAIM and tab is None:
        which = Tab.WAITING
    if order is not None and order.key not in sort_keys(which):
        there = ", ".join(key.value for key in sort_keys(which))
        raise ViewError("sort", f"the {which.name.lower()} tab can be sorted by {there}")
    return Viewpoint(
        which,
        NO_FILTER if filter is None else _filter(filter),
        order,
        tuple(columns),
        None if open is None else destination_of(open),
    )


def tab_of(text: str) -> Tab:
    """Return the tab that a word names.

    Raises:
        ViewError: there is none of that name.
    """
    if text not in TAB_WORDS:
        raise ViewError("tab", f"there is no tab {text!r}: choose from {', '.join(TAB_WORDS)}")
    return TAB_WORDS[text]


def destination_of(text: str) -> Destination:
    """Return the screen that a text names, `workers` or `tree:0adbc7ba`.

    Raises:
        ViewError: there is none of that name, or it can't show that.
    """
    word, _, argument = text.partition(":")
    known = SCREEN_WORDS.get(word)
    if known is None:
        from difflib import get_close_matches

        near = get_close_matches(word, SCREEN_WORDS, 1, 0.6)
        usages = ", ".join(each.usage for each in SCREEN_WORDS.values())
        hint = f"write {SCREEN_WORDS[near[0]].usage}" if near else f"choose from {usages}"
        raise ViewError("open", f"there is no screen {word!r}: {hint}")
    try:
        return Destination(word, known.check(argument))
    except ValueError as problem:
        raise ViewError("open", f"{known.usage}: {problem}") from None


def _sort(text: str) -> Sort:
    try:
        return sort_of(text)
    except ValueError as problem:
        raise ViewError("sort", str(problem)) from None


def _filter(text: str) -> Filter:
    try:
        return parse(text)
    except FilterError as problem:
        raise ViewError("filter", problem.message, problem.position) from None
