"""The line over the job table: what is filtered, sorted, marked, followed, and what waits.

Beside it stands what the notice line says at rest of the row under the cursor.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gigq_core.reasons.why import state_of, why
from gigq_tui.columns import GONE
from gigq_tui.format import MARKS, count, cut, inert, width_of
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.job_actions import MARK, MARK_ALL, MARK_RANGE
from gigq_tui.keys.looking_actions import DOWN, FILTER, FOLLOW, SORT, UP
from gigq_tui.store.models import JobRow
from gigq_tui.store.sorting import NEWEST, Sort
from gigq_tui.widgets.lines import BLANK, Line, Span, spread

_HINTS = (
    (FILTER, "filters"),
    (SORT, "sorts"),
    (MARK, "marks"),
    (MARK_RANGE, "marks a range"),
    (MARK_ALL, "marks all"),
    (FOLLOW, "follows"),
)
SHORT_BELOW = 100
_LEAST_FILTER = 10


@dataclass(frozen=True)
class ListStatus:
    """What the line says. `total` is the length of the list, `beyond` what it leaves out."""

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
    def is_unusual(self) -> bool:
        """Whether there is anything to say but the way it always is."""
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
    pieces = _pieces(status, short=width < SHORT_BELOW)
    room = width - 2 - (_LEAST_FILTER if status.filter_text else 0)
    while len(pieces) > 1 and _width(pieces) > room:
        pieces.pop(0)
    right: list[Span] = []
    for piece in pieces:
        right += [piece, ("   " if piece != pieces[-1] else " ", "")]
    left_room = width - _width(pieces) - 5
    return spread(_left(status, left_room), tuple(right), width)


def _pieces(status: ListStatus, *, short: bool) -> list[Span]:
    """The pieces at the right, the least first."""
    pieces: list[Span] = []
    if status.filter_text:
        matching = status.total + status.beyond
        pieces.append((f"{count(matching)} match", "dim"))
    if status.beyond:
        of = count(status.total + status.beyond)
        word = "first " if not short else ""
        pieces.append((f"{word}{count(status.total)} of {of}", "warn"))
    pieces.append((f"sort: {status.sort.words}", "dim" if status.sort == NEWEST else "accent"))
    if status.in_range:
        hints = status.hints
        ends = f"{hints(DOWN)} {hints(UP)} extend, {hints(MARK_RANGE)} ends"
        pieces.append((f"range: {ends}", "mark"))
    if status.marked:
        pieces.append((f"marked {count(status.marked)}", "mark"))
    if status.following:
        pieces.append((status.following, "accent"))
    if status.news:
        pieces.append((status.news, "warn"))
    return pieces


def _left(status: ListStatus, room: int) -> Line:
    if status.filter_text:
        return ((" / ", "key"), (cut(inert(status.filter_text), max(4, room - 3)), "accent"))
    hints = [
        f"{status.hints(action)} {text}" for action, text in _HINTS if status.hints.has_key(action)
    ]
    while hints and width_of("   ".join(hints)) > room - 1:
        hints.pop()
    return ((" " + "   ".join(hints), "dim"),)


def _width(pieces: list[Span]) -> int:
    return sum(width_of(text) for text, _ in pieces) + 3 * (len(pieces) - 1)


def describe_followed(follow: str | None, row: JobRow | None, now: datetime) -> str:
    """Say which job is followed, and what it is where it has left the list.

    Args:
        follow: The id of the job, or None.
        row: The job, where the list does not hold it.
        now: The present moment.
    """
    if follow is None:
        return ""
    if row is None:
        return f"following {follow[:6]}"
    return f"{follow[:6]} left: {MARKS[state_of(row, now)].word}"


def reason_line(
    row: JobRow | None,
    now: datetime,
    *,
    news: str = "",
    away: bool = False,
    gone: bool = False,
) -> Line:
    """Return what the notice line of a low terminal says at rest: why the job is where it is.

    Args:
        row: The job under the cursor.
        now: The present moment.
        news: What waits above or below the rows that are shown.
        away: Whether the list does not hold the job.
        gone: Whether the list has just lost it: then the row is of before.
    """
    reason = GONE if gone else why(row, now) if row is not None else ""
    if row is None or not (reason or news or away):
        return BLANK
    spans: list[Span] = [(f" {news} ", "warn")] if news else []
    spans.append((inert(f" {row.id[:6]} {row.name}"), "dim"))
    if away:
        spans.append((f"  {state_of(row, now).value}", "accent"))
    return (*spans, (f"  {inert(reason)}", ""))
