"""How far an action on many jobs is, for whoever looks at it from another thread."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class ActionProgress:
    """How far the present action of a `JobQueue` is.

    Attributes:
        done: How many jobs it has dealt with, and committed.
        total: How many there are; 0 before it is known.
        waits_for_lock: Whether another process holds the lock of the file, and is waited for.
    """

    done: int = 0
    total: int = 0
    waits_for_lock: bool = False
