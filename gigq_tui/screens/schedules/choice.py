"""Which schedules the list shows, in which order, and which of them are meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from gigq_core.why import state_of
from gigq_tui.actions.question import Choice, Question
from gigq_tui.format import MARKS, cut, inert, plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.schedule_actions import SCHEDULE_MARK, SCHEDULE_NARROW, SCHEDULE_SORT
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.schedules.words import skips_since
from gigq_tui.store.filter.folding import folded
from gigq_tui.store.schedules import ListedSchedule, is_late
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.typed_line import TypedLine

# What the list can be sorted by, with its key in the menu.
SORT_MENU = {"t": "trouble", "d": "due", "n": "name", "l": "last"}
SORTS = tuple(SORT_MENU.values())
# So long after the cursor moved, no row moves under it.
STILL_S = 3.0
_LEAD_CELLS = 16
_NEVER = float("inf")

_Key = Callable[[ListedSchedule, datetime], tuple[object, ...]]


def matches(one: ListedSchedule, text: str) -> bool:
    """Say whether what a schedule is told by has all the words."""
    schedule = one.schedule
    paused = "paused" if schedule.paused_at is not None else ""
    words = (one.name, schedule.when, schedule.zone, schedule.function, schedule.job_name, paused)
    haystack = folded("\n".join(words))
    return all(word in haystack for word in folded(text).split())


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
    """Sort schedules by one of `SORTS`, and then by name."""
    key = _KEYS[sort]
    return sorted(listed, key=lambda one: (*key(one, now), one.name.casefold(), one.name))


class ChoiceHost(Protocol):
    """What the part needs of its screen."""

    @property
    def schedules(self) -> Sequence[ListedSchedule]:
        """All schedules."""

    @property
    def roster(self) -> RowList:
        """The list of schedules."""

    @property
    def typed_line(self) -> TypedLine:
        """The line in which words are typed."""

    def draw(self) -> None:
        """Draw what has changed."""

    def question(self, question: Question) -> None:
        """Ask in the panel."""


class ScheduleChoice(Part):
    """The schedules that are shown, those that are marked, and the one under the cursor.

    Args:
        host: The screen.
        monotonic: Seconds of a clock that never goes back.
        notices: Where it is said what the list is sorted by.

    Attributes:
        sort: One of `SORTS`.
        filter_text: The words that a schedule must have.
        marked: The names of the schedules that are marked.
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

    def arrange(self, listed: Sequence[ListedSchedule], now: datetime) -> list[ListedSchedule]:
        """Return the schedules that are shown, in their order."""
        there = {one.name for one in listed}
        self.marked = {name: None for name in self.marked if name in there}
        shown = [one for one in listed if matches(one, self.filter_text)]
        shown = in_order(shown, self.sort, now)
        if self._still_until is not None and self._monotonic() < self._still_until:
            places = {name: at for at, name in enumerate(self._order)}
            shown.sort(key=lambda one: places.get(one.name, len(places)))
        self._order = [one.name for one in shown]
        return shown

    def hold(self) -> None:
        """Let no row move for a while: somebody moves the cursor."""
        self._still_until = self._monotonic() + STILL_S

    @property
    def current(self) -> ListedSchedule | None:
        """The schedule under the cursor."""
        cursor = self._host.roster.cursor_id
        return next((one for one in self._host.schedules if one.name == cursor), None)

    @property
    def chosen(self) -> tuple[ListedSchedule, ...]:
        """The schedules that are marked, or the one under the cursor."""
        if self.marked:
            return tuple(one for one in self._host.schedules if one.name in self.marked)
        current = self.current
        return () if current is None else (current,)

    @property
    def lead(self) -> str:
        """What is said of marks and of the filter."""
        parts = [f"{len(self.marked)} marked"] if self.marked else []
        if self.filter_text:
            parts.append(f"/{cut(inert(self.filter_text), _LEAD_CELLS)}")
        return "   ".join(parts)

    # Keys

    @does(SCHEDULE_MARK)
    def mark(self) -> None:
        """Mark the schedule, or take its mark away, and go one down."""
        if (one := self.current) is None:
            return
        if one.name in self.marked:
            del self.marked[one.name]
        else:
            self.marked[one.name] = None
        self.hold()
        self._host.draw()
        self._host.roster.step(1)

    def unmark(self) -> bool:
        """Take all marks away; say whether there were any."""
        had, self.marked = bool(self.marked), {}
        if had:
            self._host.draw()
        return had

    @does(SCHEDULE_SORT)
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

    @does(SCHEDULE_NARROW)
    def narrow(self) -> None:
        """Type words that let only some schedules through."""
        self._host.typed_line.open(self.filter_text)

    def show_typed(self, text: str) -> None:
        """Show only the schedules that match what has been typed so far."""
        self.filter_text = text
        self._still_until = None
        self._host.draw()
        self._host.typed_line.tell(plural(len(self._order), "schedule"))

    def typing_ended(self, event: TypedLine.Ended) -> None:
        """Bring back the filter from before, where typing was broken off."""
        if not event.kept:
            self.show_typed(event.text)

    def widen(self) -> bool:
        """Show all schedules again; false where all are shown."""
        if not self.filter_text:
            return False
        self.show_typed("")
        return True
