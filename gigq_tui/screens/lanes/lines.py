"""Lanes as lines: the head, the columns that fit, and a line for each lane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gigq_core.lanes.rules import Lane
from gigq_tui.format import bar, cut, inert, pad, plural, short_count, since, width_of
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.lane_actions import LANE_NEW
from gigq_tui.screens.lanes.words import ROLES, standing_words, summary_words
from gigq_tui.store.lanes import standing_of, startable
from gigq_tui.widgets.lines import Line, Span, line_width, span, spread

WIDE = 100
MIDDLE = 72
NARROW = 50
UNKNOWN = "-"
# What one looks at first takes at least so many cells.
_LEAST_NAME, _MOST_NAME = 10, 60
_BAR = 6
_STATE, _SHORT_STATE, _TINY_STATE = 28, 18, 12
_GUTTER = 6
# What goes first where there is no room for it.
_LEAST = ("RULE", "OLDEST", "READY")

Cell = Callable[[Lane], Line]


def head_line(
    lanes: Sequence[Lane], shown: int, filter_text: str, lead: str, now: float, width: int
) -> Line:
    """Return how many lanes there are, and which of them need somebody.

    Args:
        lanes: All of them.
        shown: How many the list shows.
        filter_text: What they are narrowed by.
        lead: How the list is sorted, where that is not as usual, and how many are marked.
        now: The present moment, in UTC seconds.
        width: In cells.
    """
    rules = len({lane.pattern for lane in lanes if lane.pattern})
    real = sum(not lane.is_rule_only for lane in lanes)
    told = f" {plural(real, 'lane')}, {plural(rules, 'rule')}"
    line: Line = ((told, "title"),)
    if filter_text:
        line = (*line, (f"   /{cut(inert(filter_text), 16)} {shown} shown", "accent"))
    for words, role in summary_words(lanes, now):
        longer = (*line, ("   ", ""), (words, role))
        if line_width(longer) >= width - width_of(lead) - 1:
            break
        line = longer
    return spread(line, ((f"{lead} " if lead else "", "accent"),), width)


def no_lanes(hints: KeyHints, *, read_only: bool) -> list[Line]:
    """Return what stands in the place of the list where there is no lane."""
    lines: list[Line] = [
        (),
        ((" No job has a lane, and there is no rule.", ""),),
        (),
        ((" A lane is a named queue within the file: jobs that share a limit.", "dim"),),
    ]
    if read_only:
        return lines
    return [
        *lines,
        ((" A job gets its lane when it is submitted.", "dim"),),
        (),
        (
            (" Press ", ""),
            (hints(LANE_NEW), "key"),
            (" to add a rule, such as ", ""),
            ("fetch:*", "accent"),
            (" with at most 2 at a time.", ""),
        ),
    ]


class Table:
    """The columns that fit, and what stands in them.

    Args:
        lanes: Those that are listed.
        oldest: Since when the oldest job waits that a lane could start, by the lane's name.
        now: The present moment, in UTC seconds.
        width: In cells.
        sort: By what they are sorted; that column's name is in another colour.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        oldest: Mapping[str, float],
        now: float,
        width: int,
        sort: str = "",
    ) -> None:
        self._known = oldest
        self._now = now
        self._sort = sort
        is_wide = width >= WIDE
        self._is_wide = is_wide
        rule = max((width_of(inert(_rule(lane))) for lane in lanes), default=0)
        runs = max((len(_runs(lane)) for lane in lanes), default=0)
        self._runs = max(3, runs)
        counts = (max(lane.ready, lane.held, lane.delayed + lane.blocked) for lane in lanes)
        numbers = max(5, len(short_count(max(counts, default=0))))
        columns: list[tuple[str, str, int, Cell]] = []
        if is_wide:
            columns.append(("", "RUNNING", max(7, _BAR + 1 + self._runs), self._running))
            rate = max((width_of(lane.rate or "") for lane in lanes), default=0)
            columns.append(("", "RATE", max(4, rate), self._rate))
        else:
            columns.append(("", "RUN", self._runs, self._running))
        columns.append(("", "READY", -numbers, lambda lane: _number(lane.ready, "")))
        columns.append(("waiting", "HELD", -numbers, lambda lane: _number(lane.held, "")))
        if is_wide:
            columns.append(("", "LATER", -numbers, _later))
        if width >= NARROW:
            columns.append(("oldest", "OLDEST", -6, self._oldest))
        self._state_cells = _STATE if is_wide else _SHORT_STATE if width >= NARROW else _TINY_STATE
        columns.append(("trouble", "STATE", self._state_cells, self._state))
        if is_wide:
            columns.append(("", "RULE", max(4, min(24 if width >= 140 else 14, rule)), self._rule))
        elif width >= MIDDLE:
            columns.append(("", "RULE", max(4, min(12, rule)), self._rule))
        self._columns = columns
        taken = sum(abs(cells) + 2 for _, _, cells, _ in columns)
        room = width - _GUTTER - taken
        longest = max((width_of(inert(lane.name)) for lane in lanes), default=0)
        while room < _LEAST_NAME and len(self._columns) > 1:
            # What has no room goes: the rule first, then what is left of the state.
            gone = next((c for title in _LEAST for c in self._columns if c[1] == title), None)
            if gone is None:
                break
            self._columns.remove(gone)
            room += abs(gone[2]) + 2
        self._room = max(4, min(room, max(longest, _LEAST_NAME, 4), _MOST_NAME))
        if is_wide and room > self._room:
            self._room = min(room, self._room + 2)

    def heading(self) -> Line:
        """Return the names of the columns."""
        spans: list[Span] = [("     ", ""), (pad("LANE", self._room), self._role("name"))]
        for sort, title, cells, _ in self._columns:
            spans += [("  ", ""), (pad(title, abs(cells), right=cells < 0), self._role(sort))]
        return tuple(spans)

    def _role(self, sort: str) -> str:
        return "key" if sort and sort == self._sort else "heading"

    def line(self, lane: Lane, *, marked: bool) -> Line:
        """Return one lane."""
        name = pad(cut(inert(lane.name), self._room), self._room)
        role = "dim" if lane.is_rule_only else ""
        spans: list[Span] = [("* " if marked else "  ", "mark"), (name, role)]
        for _, _, cells, cell in self._columns:
            told = cell(lane)
            gap = " " * max(0, abs(cells) - line_width(told))
            spans.append(("  ", ""))
            spans += [(gap, ""), *told] if cells < 0 else [*told, (gap, "")]
        return tuple(spans)

    def _running(self, lane: Lane) -> Line:
        told = (pad(_runs(lane), self._runs), "" if lane.running else "dim")
        if not self._is_wide:
            return (told,)
        if lane.running_limit is None:
            return ((" " * (_BAR + 1), ""), told)
        share = lane.running / lane.running_limit if lane.running_limit else 1.0
        return (*bar(share, _BAR), (" ", ""), told)

    def _rate(self, lane: Lane) -> Line:
        return (span(lane.rate),) if lane.rate else ((UNKNOWN, "dim"),)

    def _oldest(self, lane: Lane) -> Line:
        oldest = self._known.get(lane.name)
        if oldest is None or not startable(lane):
            return ((UNKNOWN, "dim"),)
        return ((since(max(0.0, self._now - oldest)), ""),)

    def _state(self, lane: Lane) -> Line:
        role = ROLES[standing_of(lane, self._now)]
        told = standing_words(lane, self._now, short=not self._is_wide)
        return ((cut(told, self._state_cells), role),)

    def _rule(self, lane: Lane) -> Line:
        cells = next(cells for _, title, cells, _ in self._columns if title == "RULE")
        return ((cut(inert(_rule(lane)), cells), "dim"),)


def _rule(lane: Lane) -> str:
    """The rule that a lane obeys; its own needs no name."""
    if lane.is_rule_only:
        return "rule"
    if not lane.pattern:
        return UNKNOWN
    return "its own" if lane.pattern == lane.name else lane.pattern


def _runs(lane: Lane) -> str:
    """How many of how many run."""
    if lane.running_limit is None:
        return short_count(lane.running) if lane.running else UNKNOWN
    return f"{short_count(lane.running)}/{short_count(lane.running_limit)}"


def _later(lane: Lane) -> Line:
    return _number(lane.delayed + lane.blocked, "dim")


def _number(number: int, role: str) -> Line:
    return ((short_count(number), role),) if number else ((UNKNOWN, "dim"),)
