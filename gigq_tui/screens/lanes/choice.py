"""Which lanes the list shows, in which order, and which of them are meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from gigq_core.lanes.rules import Lane
from gigq_tui.keys.handlers import does
from gigq_tui.keys.lane_actions import LANE_FILTER, LANE_MARK, LANE_SORT
from gigq_tui.screens.lanes.words import standing_words
from gigq_tui.screens.parts.list_choice import ListChoice, ListHost
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.store.filter.folding import folded
from gigq_tui.store.lanes import startable, trouble

# What the list can be sorted by, with its key in the menu.
SORT_MENU = {"t": "trouble", "n": "name", "w": "waiting", "o": "oldest"}
SORTS = tuple(SORT_MENU.values())

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


class ChoiceHost(ListHost, Protocol):
    """What the part needs of its screen."""

    @property
    def lanes(self) -> Sequence[Lane]:
        """All lanes."""

    @property
    def oldest(self) -> Mapping[str, float]:
        """Since when the oldest job waits that a lane could start, by the lane's name."""


class LaneChoice(ListChoice[Lane]):
    """The lanes that are shown, those that are marked, and the one under the cursor.

    Args:
        host: The screen.
        monotonic: Seconds of a clock that never goes back.
        notices: Where it is said what the list is sorted by.
    """

    def __init__(self, host: ChoiceHost, monotonic: Callable[[], float], notices: Tells) -> None:
        super().__init__(host, lambda: host.lanes, "lane", SORT_MENU, monotonic, notices)
        self._host = host

    def arrange(self, lanes: Sequence[Lane], now: float) -> list[Lane]:
        """Return the lanes that are shown, in their order."""
        shown = list(lanes)
        if self.filter_text:
            shown = [lane for lane in lanes if matches(lane, self.filter_text, now)]
        return self.keep(lanes, in_order(shown, self._host.oldest, self.sort, now))

    @property
    def lead(self) -> str:
        """How the list is sorted, where that is not as usual, and how many are marked."""
        parts = [] if self.sort == SORTS[0] else [f"by {self.sort}"]
        if self.marked:
            parts.append(f"{len(self.marked)} marked")
        return "   ".join(parts)

    @does(LANE_MARK)
    def mark(self) -> None:
        """Mark the lane, or take its mark away, and go one down."""
        super().mark()

    @does(LANE_SORT)
    def ask_sort(self) -> None:
        """Choose what to sort by."""
        super().ask_sort()

    @does(LANE_FILTER)
    def narrow(self) -> None:
        """Type words that let only some lanes through."""
        super().narrow()
