"""In which order the schedules are, and which of them a few words let through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from operator import attrgetter

from gigq_core.reasons.why import state_of
from gigq_tui.format import MARKS, cut, inert
from gigq_tui.keys.handlers import does
from gigq_tui.keys.schedule_actions import SCHEDULE_NARROW, SCHEDULE_SORT
from gigq_tui.screens.parts.list_order import ListOrder, OrderHost, has_words
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.schedules.words import skips_since
from gigq_tui.store.schedules import ListedSchedule, is_late

# What the list can be sorted by, with its key in the menu.
SORT_MENU = {"t": "trouble", "d": "due", "n": "name", "l": "last"}
_LEAD_CELLS = 16
_NEVER = float("inf")

_Key = Callable[[ListedSchedule, datetime], tuple[object, ...]]


def matches(one: ListedSchedule, text: str) -> bool:
    """Say whether what a schedule is told by has all the words."""
    schedule = one.schedule
    paused = "paused" if schedule.paused_at is not None else ""
    words = (one.name, schedule.when, schedule.zone, schedule.function, schedule.job_name, paused)
    return has_words(words, text)


def _due(one: ListedSchedule, now: datetime) -> tuple[object, ...]:
    at = one.schedule.next_at
    paused = one.schedule.paused_at is not None
    return (paused, _NEVER if at is None or paused else at)


def _trouble(one: ListedSchedule, now: datetime) -> tuple[object, ...]:
    """Where it comes by what needs somebody: the lower the more."""
    schedule = one.schedule
    failed = one.last is not None and MARKS[state_of(one.last, now)].role == "fail"
    needs = (
        bool(schedule.trouble),
        is_late(schedule, now.timestamp()),
        failed,
        bool(skips_since(schedule)),
    )
    return (needs.index(True) if any(needs) else len(needs), *_due(one, now))


def _last(one: ListedSchedule, now: datetime) -> tuple[object, ...]:
    return (-(one.schedule.last_slot or 0.0),)


_KEYS: dict[str, _Key] = {
    "trouble": _trouble,
    "due": _due,
    "name": lambda one, now: (),
    "last": _last,
}


def in_order(listed: Iterable[ListedSchedule], sort: str, now: datetime) -> list[ListedSchedule]:
    """Sort schedules by one of the menu's, and then by name."""
    key = _KEYS[sort]
    return sorted(listed, key=lambda one: (*key(one, now), one.name.casefold(), one.name))


class ScheduleOrder(ListOrder):
    """Which schedules the list shows, and in which order.

    Args:
        host: The screen.
        monotonic: Seconds of a clock that never goes back.
        notices: Where it is said what the list is sorted by.
    """

    def __init__(self, host: OrderHost, monotonic: Callable[[], float], notices: Tells) -> None:
        super().__init__(host, "schedule", SORT_MENU, monotonic, notices)

    def arrange(self, listed: Iterable[ListedSchedule], now: datetime) -> list[ListedSchedule]:
        """Return the schedules that are shown, in their order."""
        shown = [one for one in listed if matches(one, self.filter_text)]
        return self.keep(in_order(shown, self.sort, now), attrgetter("name"))

    def describe(self, marked: int) -> str:
        """Say how many are marked, and by which words they are narrowed."""
        parts = [f"{marked} marked"] if marked else []
        if self.filter_text:
            parts.append(f"/{cut(inert(self.filter_text), _LEAD_CELLS)}")
        return "   ".join(parts)

    @does(SCHEDULE_SORT)
    def ask_sort(self) -> None:
        """Choose what to sort by."""
        super().ask_sort()

    @does(SCHEDULE_NARROW)
    def narrow(self) -> None:
        """Type words that let only some schedules through."""
        super().narrow()
