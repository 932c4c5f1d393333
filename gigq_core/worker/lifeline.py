"""A worker that ends with the process that started it, however that one ends."""

from __future__ import annotations

import os
import signal
import threading


def end_with(lifeline: int) -> None:
    """End this worker at once, its jobs given back, when nobody holds the other end any more.

    Args:
        lifeline: the reading end of a pipe; whoever started us has the writing end.
    """
    os.set_inheritable(lifeline, False)

    def wait() -> None:
        while os.read(lifeline, 1):
            pass
        os.kill(os.getpid(), signal.SIGQUIT)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
