"""The machine that the console runs on: its cores, its load and its memory, in coarse steps.

What is drawn beside a list should not be drawn anew for noise: a figure stays until it has moved by
a step.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace

LOAD_STEP = 0.5
MEMORY_STEP_PERCENT = 2.0


@dataclass(frozen=True)
class Machine:
    """One look at the machine. `load` is the mean of the last minute, None where there is none."""

    host: str
    cores: int
    load: float | None
    memory_percent: float


def read_machine(known: Machine | None = None) -> Machine:
    """Look at this machine. May block for a moment: not for the thread that draws.

    Args:
        known: The look before; figures that have moved by less than a step are taken from it.
    """
    import psutil

    load: float | None
    try:
        load = psutil.getloadavg()[0]
    except OSError:
        load = None
    memory = psutil.virtual_memory().percent
    seen = Machine(socket.gethostname(), psutil.cpu_count() or 1, load, memory)
    return seen if known is None else settled(seen, known)


def settled(seen: Machine, known: Machine) -> Machine:
    """Return a look in which what has moved by less than a step stands as it was known."""
    load, memory = seen.load, seen.memory_percent
    if load is not None and known.load is not None and abs(load - known.load) < LOAD_STEP:
        load = known.load
    if abs(memory - known.memory_percent) < MEMORY_STEP_PERCENT:
        memory = known.memory_percent
    return replace(seen, load=load, memory_percent=memory)
