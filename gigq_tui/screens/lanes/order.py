"""In which order the lanes are, and which of them a few words let through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Protocol

from gigq_core.lanes.rules import Lane
from gigq_tui.keys.handlers import does
from gigq_tui.keys.lane_actions import LANE_FILTER, LANE_SORT
from gigq_tui.screens.lanes.words import standing_words
from gigq_tui.screens.parts.list_order import ListOrder, OrderHost, has_words, natural
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.store.lanes import startable, trouble

# What the list can be sorted by, with its key in the menu.
SORT_MENU = {"t": "trouble", "n": "name", "w": "waiting", "o": "oldest"}

_Key = Callable[[Lane, float | None, float], tuple[object, ...]]


def matches(lane: Lane, text: str, now: float) -> bool:
    """Say whether a lane's name, rule and state have all the words."""
    return has_words((lane.name, lane.pattern or "", standing_words(lane, now)), text)


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
    """Sort lanes by one of the menu's, and then by name.

    Args:
        lanes: The lanes.
        oldest: Since when each one's oldest job waits that it could start, in UTC seconds.
        sort: By what.
        now: The present moment, in UTC seconds.
    """
    key = _KEYS[sort]
    return sorted(
        lanes, key=lambda lane: (*key(lane, oldest.get(lane.name), now), natural(lane.name))
    )


class LaneOrderHost(OrderHost, Protocol):
    """What the part needs of its screen."""

    @property
    def oldest(self) -> Mapping[str, float]:
        """Since when the oldest job waits that a lane could start, by the lane's name."""


class LaneOrder(ListOrder):
    """Which lanes the list shows, and in which order.

    Args:
        host: The screen.
        monotonic: Seconds of a clock that never goes back.
        notices: Where it is said what the list is sorted by.
    """

    def __init__(self, host: LaneOrderHost, monotonic: Callable[[], float], notices: Tells) -> None:
        super().__init__(host, "lane", SORT_MENU, monotonic, notices)
        self._host = host

    def arrange(self, lanes: Iterable[Lane], now: float) -> list[Lane]:
        """Return the lanes that are shown, in their order.

        Args:
            lanes: All of them.
            now: The present moment, in UTC seconds.
        """
        if self.filter_text:
            lanes = [lane for lane in lanes if matches(lane, self.filter_text, now)]
        ordered = in_order(lanes, self._host.oldest, self.sort, now)
        return self.keep(ordered, attrgetter("name"))

    def describe(self, marked: int) -> str:
        """Say how the list is sorted, where that is not as usual, and how many are marked."""
        parts = [] if self.is_usual else [f"by {self.sort}"]
        if marked:
            parts.append(f"{marked} marked")
        return "   ".join(parts)

    @does(LANE_SORT)
    def ask_sort(self) -> None:
        """Choose what to sort by."""
        super().ask_sort()

    @does(LANE_FILTER)
    def narrow(self) -> None:
        """Type words that let only some lanes through."""
        super().narrow()
