"""In which order the workers stand, and which of them a few words let through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from gigq_tui.screens.workers.entries import WorkerEntry, weight
from gigq_tui.store.models import Health
from gigq_tui.store.processes import Usage
from gigq_tui.widgets.worker_words import condition

# What `s` goes through, and the columns that show it.
SORTS = ("state", "name", "cpu", "memory", "done", "time")
SORT_COLUMNS = {"time": "job"}

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
    """Say whether a worker, or a job that it holds, has all the words in what is told of it."""
    told = _haystack(group)
    return all(word in told for word in text.casefold().split())


def _haystack(group: Group) -> str:
    first = group[0]
    words = [job.id + " " + job.name for entry in group if (job := entry.job) is not None]
    if first.worker is not None:
        worker = first.worker
        words += [worker.id, worker.host, worker.owner, str(worker.pid), condition(worker)[0]]
        if worker.request in _ENDINGS:
            # One looks for what it is to do, not for how that is brought about.
            words.append(f"{worker.request} stopping")
    if first.foreign is not None:
        words += [first.foreign.id, "gigq's not visible"]
    return "\n".join(words).casefold()


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
    """Leave workers in an order of ids that stands already; new ones come last."""
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
