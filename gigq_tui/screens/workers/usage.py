"""What the workers' processes use, and how busy this machine is: measured every few seconds."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gigq_core.reasons.why import Health
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.machine import Machine, read_machine
from gigq_tui.store.models import Snapshot
from gigq_tui.store.processes import Sampler, Usage

# The log is read each time; processes and machine cost more, and are measured every other time.
POLL_EVERY_S = 1.0
POLLS_PER_SAMPLE = 2

MeasuresMachine = Callable[[Machine | None], Machine]


class Measured(NamedTuple):
    """What was measured; no usage where it was not their turn, or no process can be measured."""

    usage: dict[int, Usage] | None
    machine: Machine | None


class WorkerUsage(Part):
    """Measures, and keeps what was measured last.

    Args:
        sampler: What measures processes; None for the real thing.
        measure_machine: What measures this machine, given what it found before; None for the
            real thing.

    Attributes:
        by_pid: What the processes use.
        machine: How busy the machine is.
    """

    def __init__(
        self, sampler: Sampler | None = None, measure_machine: MeasuresMachine | None = None
    ) -> None:
        self.by_pid: dict[int, Usage] = {}
        self.machine: Machine | None = None
        self._sampler = sampler or Sampler()
        self._measure_machine = measure_machine or read_machine
        self._polls = 0

    def measuring(self, snapshot: Snapshot | None) -> Callable[[], Measured]:
        """Return what measures the workers of a snapshot, in a thread."""
        is_due = self._polls % POLLS_PER_SAMPLE == 0
        pids = measurable(snapshot) if is_due else []
        if pids or not is_due:
            self._polls += 1
        machine = self.machine

        def measure() -> Measured:
            usage = self._sampler.sample(pids) if pids else None
            return Measured(usage, self._measure_machine(machine) if is_due else machine)

        return measure

    def take(self, measured: Measured) -> bool:
        """Keep what was measured; say whether it differs from what was known."""
        usage = self.by_pid if measured.usage is None else measured.usage
        news = (usage, measured.machine) != (self.by_pid, self.machine)
        self.by_pid, self.machine = usage, measured.machine
        return news


def measurable(snapshot: Snapshot | None) -> Sequence[int]:
    """Return the processes that can be measured: those of this machine that live."""
    host = socket.gethostname()
    return [
        worker.pid
        for worker in (snapshot.workers if snapshot is not None else ())
        if worker.host == host and worker.health is Health.ALIVE
    ]
