"""The line over the job table: what is filtered, sorted, marked, followed, and what waits."""

from __future__ import annotations

from dataclasses import dataclass

from gigq_tui.format import count, cut, inert, width_of
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.job_actions import MARK, MARK_ALL, MARK_RANGE
from gigq_tui.keys.looking_actions import DOWN, FILTER, FOLLOW, SORT, UP
from gigq_tui.store.sorting import NEWEST, Sort
from gigq_tui.widgets.lines import Line, Span, spread

_HINTS = (
    (FILTER, "filters"),
    (SORT, "sorts"),
    (MARK, "marks"),
    (MARK_RANGE, "a range"),
    (MARK_ALL, "all"),
    (FOLLOW, "follows"),
)
SHORT_BELOW = 100
_LEAST_FILTER = 10


@dataclass(frozen=True)
class ListStatus:
    """What the line tells. `total` is the length of the list, `beyond` what it leaves out."""

    filter_text: str = ""
    total: int = 0
    beyond: int = 0
    sort: Sort = NEWEST
    marked: int = 0
    in_range: bool = False
    following: str = ""
    news: str = ""
    hints: KeyHints = DEFAULT_HINTS

    @property
    def speaks(self) -> bool:
        """Whether there is anything to tell but the way it always is."""
        return bool(
            self.filter_text
            or self.marked
            or self.in_range
            or self.following
            or self.beyond
            or self.sort != NEWEST
        )


def status_line(status: ListStatus, width: int) -> Line:
    """Return the line for so many cells; what matters least is left out first."""
    told = _told(status, short=width < SHORT_BELOW)
    room = width - 2 - (_LEAST_FILTER if status.filter_text else 0)
    while len(told) > 1 and _width(told) > room:
        told.pop(0)
    right: list[Span] = []
    for text, role in told:
        right += [(text, role), ("   " if (text, role) != told[-1] else " ", "")]
    left_room = width - _width(told) - 5
    return spread(_left(status, left_room), tuple(right), width)


def _told(status: ListStatus, *, short: bool) -> list[Span]:
    """The pieces at the right, the least first."""
    told: list[Span] = []
    if status.filter_text:
        matching = status.total + status.beyond
        told.append((f"{count(matching)} match", "dim"))
    if status.beyond:
        of = count(status.total + status.beyond)
        word = "first " if not short else ""
        told.append((f"{word}{count(status.total)} of {of}", "warn"))
    told.append((f"sort: {status.sort.words}", "dim" if status.sort == NEWEST else "accent"))
    if status.in_range:
        hints = status.hints
        ends = f"{hints(DOWN)} {hints(UP)} extend, {hints(MARK_RANGE)} ends"
        told.append((f"range: {ends}", "mark"))
    if status.marked:
        told.append((f"marked {count(status.marked)}", "mark"))
    if status.following:
        told.append((status.following, "accent"))
    if status.news:
        told.append((status.news, "warn"))
    return told


def _left(status: ListStatus, room: int) -> Line:
    if status.filter_text:
        return ((" / ", "key"), (cut(inert(status.filter_text), max(4, room - 3)), "accent"))
    hints = [
        f"{status.hints(action)} {text}" for action, text in _HINTS if status.hints.has_key(action)
    ]
    while hints and width_of("   ".join(hints)) > room - 1:
        hints.pop()
    return ((" " + "   ".join(hints), "dim"),)


def _width(told: list[Span]) -> int:
    return sum(width_of(text) for text, _ in told) + 3 * (len(told) - 1)
