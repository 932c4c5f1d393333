"""A queue file that this process may read and not write, while nobody writes it.

SQLite needs to make a `-wal` and a `-shm` beside a file in WAL mode, even to read it. Where that
is not allowed, and none are there, the file is whole as it stands and can be read with
`immutable=1`. SQLite then neither locks nor looks again, so whether others write is asked here.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from gigq_core.errors import FileChanged

# A file system's clock may stand still for so long, in seconds.
_CLOCK_STEP_S = 0.1

_Look = tuple[int, ...] | None


class StillFile:
    """What a file, and what may stand beside it, look like while nobody writes.

    To be made before the file is opened. `changed` asks the file system alone.

    Args:
        path: the queue's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._paths = tuple(path.with_name(path.name + end) for end in ("", "-wal", "-journal"))
        self._seen = self._look()
        if self._is_fresh():
            # A change in the same moment would not be seen: the moment passes.
            time.sleep(_CLOCK_STEP_S)
            self._seen = self._look()

    @property
    def is_used(self) -> bool:
        """Whether somebody has the file open, or had it and was interrupted."""
        return any(look is not None for look in self._seen[1:])

    @property
    def is_whole(self) -> bool:
        """Whether all of the queue stands in the file itself: nobody's changes are beside it."""
        _, *beside = self._seen
        return all(look is None or look[2] == 0 for look in beside)

    def changed(self) -> bool:
        """Whether somebody has written, or is about to."""
        return self._look() != self._seen

    def check(self) -> None:
        """Make sure that what was read until now is of one moment.

        Raises:
            FileChanged: somebody has written meanwhile.
        """
        if self.changed():
            raise FileChanged(f"{self._path} changed while it was read: read it again.")

    def _look(self) -> tuple[_Look, ...]:
        return tuple(_look(path) for path in self._paths)

    def _is_fresh(self) -> bool:
        file = self._seen[0]
        return file is not None and abs(time.time_ns() - file[3]) < _CLOCK_STEP_S * 1e9


def may_be_written(path: Path) -> bool:
    """Whether this process may write a file, and make others beside it, as SQLite does."""
    return os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK)


def _look(path: Path) -> _Look:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
