"""Which lanes the list shows, in which order, and which of them are meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

from gigq_core.lanes import Lane
from gigq_tui.actions.question import Choice, Question
from gigq_tui.format import plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.lane_actions import LANE_FILTER, LANE_MARK, LANE_SORT
from gigq_tui.screens.lanes.words import standing_words
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.filter.folding import folded
from gigq_tui.store.lanes import startable, trouble
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.typed_line import TypedLine

# What the list can be sorted by, with its key in the menu.
SORT_MENU = {"t": "trouble", "n": "name", "w": "waiting", "o": "oldest"}
SORTS = tuple(SORT_MENU.values())
# So long after the cursor moved, no row moves under it.
STILL_S = 3.0

_DIGITS = re.compile(r"(\d+)")
_Key = Callable[[Lane, float | None, float], tuple[object, ...]]


def matches(lane: Lane, text: str, now: float) -> bool:
    """Say whether a lane's name, rule and state have all the words."""
    words = (lane.name, lane.pattern or "", standing_words(lane, now))
    haystack = folded("\n".join(words))
    return all(word in haystack for word in folded(text).split())


def _name(lane: Lane) -> tuple[object, ...]:
    # w2 before w10, as people count.
    pieces = _DIGITS.split(lane.name.casefold())
    return tuple((int(piece), "") if piece.isdecimal() else (0, piece) for piece in pieces)


def _by_trouble(lane: Lane, oldest: float | None, now: float) -> tuple[object, ...]:
    return (trouble(lane, now), -startable(lane))


def _by_oldest(lane: Lane, oldest: float | None, now: float) -> tuple[object, ...]:
    return (oldest if startable(lane) and oldest is not None else now + 1,)


_KEYS: dict[str, _Key] = {
    "trouble": _by_trouble,
    "name": lambda lane, oldest, now: (),
    "waiting": lambda lane, oldest, now: (-startable(lane),),
    "oldest": _by_oldest,
}


def in_order(
    lanes: Iterable[Lane], oldest: Mapping[str, float], sort: str, now: float
) -> list[Lane]:
    """Sort lanes by one of `SORTS`, and then by name."""
    key = _KEYS[sort]
    return sorted(lanes, key=lambda lane: (*key(lane, oldest.get(lane.name), now), _name(lane)))


class ChoiceHost(Protocol):
    """What the part needs of its screen."""

    @property
    def lanes(self) -> Sequence[Lane]:
        """All lanes."""

    @property
    def oldest(self) -> Mapping[str, float]:
        """Since when the oldest job waits that a lane could start, by the lane's name."""

    @property
    def roster(self) -> RowList:
        """The list of lanes."""

    @property
    def typed_line(self) -> TypedLine:
        """The line in which words are typed."""

    def draw(self) -> None:
        """Draw what has changed."""

    def question(self, question: Question) -> None:
        """Ask in the panel."""


class LaneChoice(Part):
    """The lanes that are shown, those that are marked, and the one under the cursor.

    Args:
        host: The screen.
        monotonic: Seconds of a clock that never goes back.
        notices: Where it is said what the list is sorted by.

    Attributes:
        sort: One of `SORTS`.
        filter_text: The words that a lane must have.
        marked: The names of the lanes that are marked.
    """

    def __init__(self, host: ChoiceHost, monotonic: Callable[[], float], notices: Tells) -> None:
        self._host = host
        self._monotonic = monotonic
        self._notices = notices
        self.sort = SORTS[0]
        self.filter_text = ""
        self.marked: dict[str, None] = {}
        self._still_until: float | None = None
        # The names in the order that is shown.
        self._order: list[str] = []

    def arrange(self, lanes: Sequence[Lane], now: float) -> list[Lane]:
        """Return the lanes that are shown, in their order."""
        there = {lane.name for lane in lanes}
        self.marked = {name: None for name in self.marked if name in there}
        shown = list(lanes)
        if self.filter_text:
            shown = [lane for lane in lanes if matches(lane, self.filter_text, now)]
        shown = in_order(shown, self._host.oldest, self.sort, now)
        if self._still_until is not None and self._monotonic() < self._still_until:
            places = {name: at for at, name in enumerate(self._order)}
            shown.sort(key=lambda lane: places.get(lane.name, len(places)))
        self._order = [lane.name for lane in shown]
        return shown

    def hold(self) -> None:
        """Let no row move for a while: somebody moves the cursor."""
        self._still_until = self._monotonic() + STILL_S

    @property
    def current(self) -> Lane | None:
        """The lane under the cursor."""
        cursor = self._host.roster.cursor_id
        return next((lane for lane in self._host.lanes if lane.name == cursor), None)

    @property
    def chosen(self) -> tuple[Lane, ...]:
        """The lanes that are marked, or the one under the cursor."""
        if self.marked:
            return tuple(lane for lane in self._host.lanes if lane.name in self.marked)
        current = self.current
        return () if current is None else (current,)

    # Keys

    @does(LANE_MARK)
    def mark(self) -> None:
        """Mark the lane, or take its mark away, and go one down."""
        if (lane := self.current) is None:
            return
        if lane.name in self.marked:
            del self.marked[lane.name]
        else:
            self.marked[lane.name] = None
        self.hold()
        self._host.draw()
        self._host.roster.step(1)

    def unmark(self) -> bool:
        """Take all marks away; say whether there were any."""
        had, self.marked = bool(self.marked), {}
        if had:
            self._host.draw()
        return had

    @does(LANE_SORT)
    def ask_sort(self) -> None:
        """Choose what to sort by."""
        choices = [Choice("escape", "Keep")]
        for key, sort in SORT_MENU.items():
            choices.append(Choice(key, sort, partial(self.sort_by, sort)))
        title = f"Sort by what? Now: {self.sort}"
        self._host.question(Question(title, (), tuple(choices), harmless=True))

    def sort_by(self, sort: str) -> None:
        """Sort by one of `SORTS`."""
        self.sort = sort
        self._still_until = None
        self._host.draw()
        self._notices.tell(f"sorted by {self.sort}")

    @does(LANE_FILTER)
    def narrow(self) -> None:
        """Type words that let only some lanes through."""
        self._host.typed_line.open(self.filter_text)

    def show_typed(self, text: str) -> None:
        """Show only the lanes that match what has been typed so far."""
        self.filter_text = text
        self._still_until = None
        self._host.draw()
        self._host.typed_line.tell(f"{plural(len(self._order), 'lane')}")

    def typing_ended(self, event: TypedLine.Ended) -> None:
        """Bring back the filter from before, where typing was broken off."""
        if not event.kept:
            self.show_typed(event.text)

    def widen(self) -> bool:
        """Show all lanes again; false where all are shown."""
        if not self.filter_text:
            return False
        self.show_typed("")
        return True

    @property
    def lead(self) -> str:
        """How the list is sorted, where that is not as usual, and how many are marked."""
        parts = [] if self.sort == SORTS[0] else [f"by {self.sort}"]
        if self.marked:
            parts.append(f"{len(self.marked)} marked")
        return "   ".join(parts)
