"""How much processor and memory worker processes use, their jobs' processes counted in.

Only what runs on this machine can be measured. Nothing here runs by itself: whoever shows the
numbers asks for them, off the thread that draws, and not at all while nobody looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class Usage:
    """What a worker and its jobs' processes use: percent of one core, and resident bytes.

    `cpu_percent` is None at the first look, before there is an interval to measure over.
    """

    cpu_percent: float | None
    memory: int


class ProcessFigures(NamedTuple):
    """What is read of one process."""

    parent: int
    started: float
    cpu_s: float
    memory: int


ListProcesses = Callable[[], dict[int, ProcessFigures]]


def list_processes() -> dict[int, ProcessFigures]:
    """Every process of this machine that may be looked at, by its pid."""
    import psutil

    found: dict[int, ProcessFigures] = {}
    wanted = ["pid", "ppid", "create_time", "cpu_times", "memory_info"]
    for process in psutil.process_iter(wanted):
        values = process.info
        times, memory = values["cpu_times"], values["memory_info"]
        if times is None or memory is None:
            continue  # it belongs to somebody who lets nobody look
        found[values["pid"]] = ProcessFigures(
            values["ppid"] or 0, values["create_time"] or 0.0, times.user + times.system, memory.rss
        )
    return found


@dataclass
class Sampler:
    """Measures processes between one call and the next. For one thread at a time."""

    list_processes: ListProcesses = list_processes
    monotonic: Callable[[], float] = time.monotonic
    _before: dict[tuple[int, float], float] = field(default_factory=dict)
    _at: float | None = None

    def sample(self, pids: Iterable[int]) -> dict[int, Usage]:
        """Return what each of these processes uses, with all that descend from it.

        Args:
            pids: Processes of this machine; those that are gone are left out of the answer.
        """
        now = self.monotonic()
        processes = self.list_processes()
        children: dict[int, list[int]] = {}
        for pid, figures in processes.items():
            children.setdefault(figures.parent, []).append(pid)
        passed = None if self._at is None else now - self._at
        usage: dict[int, Usage] = {}
        seen: dict[tuple[int, float], float] = {}
        for pid in pids:
            if pid not in processes:
                continue
            spent, memory = 0.0, 0
            for member in _family(pid, children):
                figures = processes[member]
                key = (member, figures.started)
                seen[key] = figures.cpu_s
                # A process that is new since the last look has spent all it spent since then.
                spent += max(0.0, figures.cpu_s - self._before.get(key, 0.0))
                memory += figures.memory
            known = (pid, processes[pid].started) in self._before
            share = 100.0 * spent / passed if known and passed else None
            usage[pid] = Usage(share, memory)
        self._before, self._at = seen, now
        return usage


def _family(pid: int, children: dict[int, list[int]]) -> list[int]:
    found = [pid]
    seen = {pid}
    for member in found:
        for child in children.get(member, ()):
            if child not in seen:
                seen.add(child)
                found.append(child)
    return found
