"""Which file a path leads to."""

from __future__ import annotations

import os
from pathlib import Path


def queue_file(path: str | Path) -> Path:
    """The file that a path leads to: the path itself, unless there is a link on the way.

    A queue has one name: whatever stands beside it (its WAL, its logs), whatever is watched and
    whatever is compared goes by this one, so that a path through a link leads to the same queue.
    """
    try:
        real = os.path.realpath(path)
    except (OSError, ValueError):
        return Path(path)
    if real == os.path.abspath(path) or (os.path.islink(path) and not os.path.exists(real)):
        # A link to nowhere keeps its name: whoever looks says that it is one.
        return Path(path)
    return Path(real)
