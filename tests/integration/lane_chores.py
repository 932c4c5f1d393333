"""What jobs in lanes do: they note when they run, and one may shut its lane."""

from __future__ import annotations

import os
import time
from pathlib import Path

from gigq_core import Retry
from tests.integration.chores import note


def spans(path: str, for_s: float = 0.0) -> None:
    """Note when the attempt began and ended, and in which process."""
    began = time.time()
    time.sleep(for_s)
    note(path, f"{began} {time.time()} {os.getpid()}")


def busy_once(path: str, after: float, lane: bool) -> None:
    """Ask for a pause when it is called first, and note when it is called."""
    first = not Path(path).exists()
    note(path, f"{time.time()}")
    if first:
        raise Retry(after=after, lane=lane)
