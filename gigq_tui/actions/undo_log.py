"""The acts of this run of the console that can be taken back, the last one first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from gigq_core import JobQueue
from gigq_core.changes.undo import Undo

# Older acts than these can't be taken back: each holds what it changed in memory.
MOST_ACTIONS = 50
MOST_ROWS = 200_000
# Of what was changed or deleted, in all acts together.
MOST_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True)
class DoneAction:
    """One act. `what` says which: "cancel of 3 jobs"; `names` are those of the first few."""

    what: str
    names: tuple[str, ...]
    undo: Undo

    def __len__(self) -> int:
        """On how many jobs it had an effect."""
        return len(self.undo)


@dataclass(frozen=True)
class DoneChange:
    """A change of something that is no job. `what` says which: "pause of 3 schedules".

    `names` are those of what was changed. `put_back` takes it back where that is still as it was
    left, and returns the words for each that is not: `nightly was changed since`.
    """

    what: str
    names: tuple[str, ...]
    put_back: Callable[[JobQueue], tuple[str, ...]]

    def __len__(self) -> int:
        """On how many it had an effect."""
        return len(self.names)


Done = DoneAction | DoneChange


class UndoLog:
    """The acts, newest last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._acts: list[Done] = []

    def add(self, act: Done) -> None:
        """Remember an act that had an effect; the oldest are forgotten where it grows too much."""
        if not len(act):
            return
        with self._lock:
            self._acts.append(act)
            while len(self._acts) > 1 and self._is_too_much():
                del self._acts[0]

    def _is_too_much(self) -> bool:
        return (
            len(self._acts) > MOST_ACTIONS
            or sum(map(len, self._acts)) > MOST_ROWS
            or sum(map(_held_bytes, self._acts)) > MOST_BYTES
        )

    @property
    def last(self) -> Done | None:
        """The act that would be taken back next."""
        with self._lock:
            return self._acts[-1] if self._acts else None

    def take(self, act: Done) -> bool:
        """Take an act out, to undo it; says whether it was still there."""
        with self._lock:
            if not any(known is act for known in self._acts):
                return False
            self._acts = [known for known in self._acts if known is not act]
            return True

    def put_back(self, act: Done) -> None:
        """Put an act in again that could not be undone just now."""
        with self._lock:
            self._acts.append(act)


def _held_bytes(act: Done) -> int:
    return act.undo.held_bytes if isinstance(act, DoneAction) else 0
