"""Words for what more than one place, or an app that is long already, has to say."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

# From this many jobs on, yes takes a capital letter, so that no finger slips into it.
MANY = 20


def attach_note(path: Path) -> str:
    """Say what the first act does to a file that is GigQ's own so far."""
    return (
        f"{path.name} is GigQ's own file so far: this first adds our tables and columns to it. "
        "GigQ's programs go on working with it, and gigq-core detach takes them out again."
    )


def listed(names: Sequence[str], most: int = 4) -> str:
    """Write names in a row: `a, b and c`, or how many there are beyond the first few."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def signal_name(number: int) -> str:
    """Return how people write a signal: `SIGKILL`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
