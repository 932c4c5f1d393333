"""What keeps everybody from writing, though the file can be read: held locks, and a full disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gigq_core.inspection.doctor import NO_SPACE_BYTES, free_bytes
from gigq_core.system.file_locks import LockHolders, lock_holders
from gigq_tui.store.clock import Clock

# A write lock is held for milliseconds; whoever holds it for so many seconds stops all workers.
WRITE_TOLD_S = 5.0
# A reader that stays so long keeps the WAL from being used anew.
READ_TOLD_S = 30.0
# How often this is looked at, in seconds.
LOOK_EVERY_S = 0.9


@dataclass(frozen=True)
class Obstacles:
    """What stands against writing now.

    Attributes:
        writer: The process that holds the write lock for seconds already.
        reader: The process that is in one and the same read transaction, as it seems, for long.
        disk_full: Whether the file's disk has no room.
    """

    writer: int | None = None
    reader: int | None = None
    disk_full: bool = False


class ObstacleWatch:
    """Looks again and again who holds the locks of a file, and since when.

    Args:
        path: the queue's file.
        clock: where the time comes from.
        ask: who holds them now.
        room: the bytes that can still be written beside a file.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        ask: Callable[[Path], LockHolders | None] = lock_holders,
        room: Callable[[Path], int | None] = free_bytes,
    ) -> None:
        self._path = path
        self._clock = clock
        self._ask = ask
        self._room = room
        self._looked_at = float("-inf")
        self._version = -1
        self._writer: tuple[int, float] | None = None
        self._readers: dict[int, float] = {}
        self._told = Obstacles()
        self.now = Obstacles()

    def look(self, version: int) -> None:
        """See who holds what, if that was not done just now.

        Args:
            version: the data version of the file: a lock under which something was committed was
                not held all the time.
        """
        at = self._clock.monotonic()
        if at - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = at
        holders = self._ask(self._path) or LockHolders()
        self._note_writer(holders.writer, version, at)
        self._readers = {pid: self._readers.get(pid, at) for pid in holders.readers}
        writer = self._writer
        oldest = min(self._readers.items(), key=lambda item: item[1], default=None)
        room = self._room(self._path)
        self.now = Obstacles(
            writer[0] if writer is not None and at - writer[1] >= WRITE_TOLD_S else None,
            oldest[0] if oldest is not None and at - oldest[1] >= READ_TOLD_S else None,
            room is not None and room < NO_SPACE_BYTES,
        )

    def changed(self) -> bool:
        """Whether there is another obstacle than was told last."""
        return self.now != self._told

    def tell(self) -> Obstacles:
        """What stands against writing, from now on known."""
        self._told = self.now
        return self.now

    def _note_writer(self, pid: int | None, version: int, at: float) -> None:
        if pid is None:
            self._writer = None
        elif self._writer is None or self._writer[0] != pid or version != self._version:
            self._writer = (pid, at)
        self._version = version
