"""In which order the workers are listed, and which of them a few words let through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from gigq_core.reasons.why import Health
from gigq_tui.actions.question import Choice, Question
from gigq_tui.format import cut, inert
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import WORKER_SORT
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.workers.entries import WorkerEntry, weight
from gigq_tui.store.filter.folding import folded
from gigq_tui.store.processes import Usage
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.typed_line import TypedLine
from gigq_tui.widgets.worker_words import agent_condition, condition

# What the list can be sorted by, with its key in the menu, and the columns that show it.
SORT_MENU = {"s": "state", "n": "name", "c": "cpu", "m": "memory", "d": "done", "t": "time"}
SORTS = tuple(SORT_MENU.values())
SORT_COLUMNS = {"time": "job"}
# So long after the cursor moved, no row moves under it.
STILL_S = 3.0
# So much of a filter is repeated above the list.
LEAD_CELLS = 16

_ENDINGS = ("drain", "stop")
_DIGITS = re.compile(r"(\d+)")
Group = Sequence[WorkerEntry]


def groups_of(found: Iterable[WorkerEntry]) -> list[list[WorkerEntry]]:
    """Put the lines of each worker together: the first, and those of its further jobs."""
    groups: list[list[WorkerEntry]] = []
    for entry in found:
        if entry.further and groups:
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return groups


def matches(group: Group, text: str) -> bool:
    """Say whether what is known of a worker, and of the jobs that it holds, has all the words."""
    haystack = _haystack(group)
    return all(word in haystack for word in folded(text).split())


def _haystack(group: Group) -> str:
    first = group[0]
    words = [job.id + " " + job.name for entry in group if (job := entry.job) is not None]
    if first.worker is not None:
        worker = first.worker
        words += [worker.id, worker.host, worker.owner, str(worker.pid), condition(worker)[0]]
        words += [*worker.lanes, *worker.only_lanes]
        for agent in worker.agents:
            words += [agent.host or "", agent.via, agent_condition(agent, worker)[0]]
        if worker.request in _ENDINGS:
            # One looks for what it is to do, not for how that is brought about.
            words.append(f"{worker.request} stopping")
    if first.foreign is not None:
        words += [first.foreign.id, "gigq's not visible"]
    return folded("\n".join(words))


def in_order(
    groups: Iterable[list[WorkerEntry]], sort: str, usage: Mapping[int, Usage], now: datetime
) -> list[list[WorkerEntry]]:
    """Sort workers by one of `SORTS`; the largest first, and those that have stopped last."""
    key = _KEYS[sort]

    def place(group: Group) -> tuple[object, ...]:
        worker = group[0].worker
        stopped = worker is not None and worker.health is Health.STOPPED
        return (stopped, *key(group, usage, now))

    return sorted(groups, key=place)


def kept_in_order(
    groups: Iterable[list[WorkerEntry]], order: Sequence[str]
) -> list[list[WorkerEntry]]:
    """Leave workers in the order of ids that is shown; new ones come last."""
    places = {id: at for at, id in enumerate(order)}
    return sorted(groups, key=lambda group: places.get(group[0].id, len(places)))


Key = Callable[[Group, Mapping[int, Usage], datetime], tuple[object, ...]]


def _used(group: Group, usage: Mapping[int, Usage]) -> Usage | None:
    worker = group[0].worker
    return usage.get(worker.pid) if worker is not None and worker.health is Health.ALIVE else None


def _by_state(group: Group, usage: Mapping[int, Usage], now: datetime) -> tuple[object, ...]:
    return (weight(group[0]),)


def _by_name(group: Group, usage: Mapping[int, Usage], now: datetime) -> tuple[object, ...]:
    # w2 before w10, as people count.
    pieces = _DIGITS.split(group[0].id.casefold())
    return (tuple((int(piece), "") if piece.isdecimal() else (0, piece) for piece in pieces),)


def _by_cpu(group: Group, usage: Mapping[int, Usage], now: datetime) -> tuple[object, ...]:
    used = _used(group, usage)
    return (-(used.cpu_percent or 0.0) if used is not None else 1.0,)


def _by_memory(group: Group, usage: Mapping[int, Usage], now: datetime) -> tuple[object, ...]:
    used = _used(group, usage)
    return (-used.memory if used is not None else 1,)


def _by_done(group: Group, usage: Mapping[int, Usage], now: datetime) -> tuple[object, ...]:
    worker = group[0].worker
    return (-worker.done if worker is not None else 1,)


def _by_time(group: Group, usage: Mapping[int, Usage], now: datetime) -> tuple[object, ...]:
    started = [entry.job.started_at for entry in group if entry.job is not None]
    return (min((moment for moment in started if moment is not None), default=now),)


_KEYS: dict[str, Key] = {
    "state": _by_state,
    "name": _by_name,
    "cpu": _by_cpu,
    "memory": _by_memory,
    "done": _by_done,
    "time": _by_time,
}


class OrderHost(Protocol):
    """What the part needs of its screen."""

    @property
    def typed_line(self) -> TypedLine:
        """The line in which the filter is typed."""

    def tick(self) -> None:
        """Draw the list anew."""

    def question(self, question: Question) -> None:
        """Ask in the panel."""


class WorkerOrder(Part):
    """Which workers the list shows, and in which order.

    Args:
        host: The screen.
        monotonic: Seconds of a clock that never goes back.
        notices: Where it is said what the list is sorted by.

    Attributes:
        sort: One of `SORTS`.
        filter_text: The words that a worker, or a job of it, must have.
    """

    def __init__(self, host: OrderHost, monotonic: Callable[[], float], notices: Tells) -> None:
        self._host = host
        self._monotonic = monotonic
        self._notices = notices
        self.sort = SORTS[0]
        self.filter_text = ""
        self._still_until: float | None = None
        # The ids in the order that is shown, and whether it would be another by now.
        self._order: list[str] = []
        self._is_stale = False

    @property
    def is_due(self) -> bool:
        """Whether rows that stood still under the cursor may move to their places now."""
        return self._is_stale and not self._stands_still()

    @property
    def column(self) -> str:
        """The column that the list is sorted by."""
        return SORT_COLUMNS.get(self.sort, self.sort)

    def arrange(
        self, found: Iterable[WorkerEntry], usage: Mapping[int, Usage], now: datetime
    ) -> list[list[WorkerEntry]]:
        """Return the workers that are shown, each with the lines of its jobs, in their order.

        Args:
            found: The lines of all workers.
            usage: What the processes of this machine use, by pid.
            now: The present moment.
        """
        groups = groups_of(found)
        if self.filter_text:
            groups = [group for group in groups if matches(group, self.filter_text)]
        if self._stands_still():
            self._is_stale = True
            return kept_in_order(groups, self._order)
        groups = in_order(groups, self.sort, usage, now)
        self._order, self._is_stale = [group[0].id for group in groups], False
        return groups

    def hold(self) -> None:
        """Let no row move for a while: somebody moves the cursor."""
        self._still_until = self._monotonic() + STILL_S

    def _stands_still(self) -> bool:
        return self._still_until is not None and self._monotonic() < self._still_until

    def describe(self, shown: int, known: int) -> Line:
        """Say by what the list is sorted and filtered, where that is not as usual.

        Args:
            shown: How many workers it shows.
            known: How many there are.
        """
        line: Line = ()
        if self.filter_text:
            typed = cut(inert(self.filter_text), LEAD_CELLS)
            line = ((f" /{typed} {shown} of {known}", "accent"),)
        return line if self.sort == SORTS[0] else ((f" by {self.sort}", "accent"), *line)

    # Keys, and what is typed

    @does(WORKER_SORT)
    def do_worker_sort(self) -> None:
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
        self._host.tick()
        self._notices.tell(f"sorted by {self.sort}")

    def do_filter(self) -> None:
        """Type words that let only some workers through."""
        self._host.typed_line.open(self.filter_text)

    def show_typed(self, text: str) -> None:
        """Show only the workers that match what has been typed so far."""
        self.filter_text = text
        self._still_until = None
        self._host.tick()
        self._host.typed_line.tell(f"{len(self._order)} shown")

    def typing_ended(self, event: TypedLine.Ended) -> None:
        """Bring back the filter from before, where typing was broken off."""
        if not event.kept:
            self.show_typed(event.text)

    def clear_filter(self) -> bool:
        """Show all workers again; false where all are shown."""
        if not self.filter_text:
            return False
        self.show_typed("")
        return True
