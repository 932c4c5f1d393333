"""Which file a path leads to."""

from __future__ import annotations

import os
from pathlib import Path


def queue_file(path: str | Path) -> Path:
    """The file that a path leads to, with every link on the way followed.

    A queue has one name: whatever stands beside it (its WAL, its logs) and whatever is watched
    goes by this one, so that a path through a link leads to the same queue.
    """
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):
        return Path(os.path.abspath(path))
