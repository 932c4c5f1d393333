"""In which order the workers are listed, and which of them a few words let through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from gigq_core.reasons.why import Health
from gigq_tui.format import cut, inert
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import WORKER_SORT
from gigq_tui.screens.parts.list_order import ListOrder, OrderHost, has_words, natural
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.workers.entries import WorkerEntry, weight
from gigq_tui.store.processes import Usage
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.worker_words import agent_condition, condition

# What the list can be sorted by, with its key in the menu, and the columns that show it.
SORT_MENU = {"s": "state", "n": "name", "c": "cpu", "m": "memory", "d": "done", "t": "time"}
SORT_COLUMNS = {"time": "job"}
# So much of a filter is repeated above the list.
LEAD_CELLS = 16

_ENDINGS = ("drain", "stop")
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
    return has_words(_said(group), text)


def _said(group: Group) -> list[str]:
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
    return words


def in_order(
    groups: Iterable[list[WorkerEntry]], sort: str, usage: Mapping[int, Usage], now: datetime
) -> list[list[WorkerEntry]]:
    """Sort workers by one of the menu's; the largest first, and those that have stopped last.

    Args:
        groups: The workers, each with the lines of its jobs.
        sort: By what.
        usage: What the processes of this machine use, by pid.
        now: The present moment.
    """
    key = _KEYS[sort]

    def place(group: Group) -> tuple[object, ...]:
        worker = group[0].worker
        stopped = worker is not None and worker.health is Health.STOPPED
        return (stopped, *key(group, usage, now))

    return sorted(groups, key=place)


Key = Callable[[Group, Mapping[int, Usage], datetime], tuple[object, ...]]


def _used(group: Group, usage: Mapping[int, Usage]) -> Usage | None:
    worker = group[0].worker
    return usage.get(worker.pid) if worker is not None and worker.health is Health.ALIVE else None


def _by_state(group: Group, usage: Mapping[int, Usage], now: datetime) -> tuple[object, ...]:
    return (weight(group[0]),)


def _by_name(group: Group, usage: Mapping[int, Usage], now: datetime) -> tuple[object, ...]:
    return natural(group[0].id)


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


class WorkerOrder(ListOrder):
    """Which workers the list shows, and in which order.

    Args:
        host: The screen.
        monotonic: Seconds of a clock that never goes back.
        notices: Where it is said what the list is sorted by.
    """

    def __init__(self, host: OrderHost, monotonic: Callable[[], float], notices: Tells) -> None:
        super().__init__(host, "worker", SORT_MENU, monotonic, notices)

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
        return self.keep(in_order(groups, self.sort, usage, now), lambda group: group[0].id)

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
        return line if self.is_usual else ((f" by {self.sort}", "accent"), *line)

    @does(WORKER_SORT)
    def ask_sort(self) -> None:
        """Choose what to sort by."""
        super().ask_sort()
