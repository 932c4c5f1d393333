"""What is said of an action from more than one place."""

from __future__ import annotations

from pathlib import Path

# From this many jobs on, yes takes a capital letter, so that no finger slips into it.
MANY = 20


def attach_note(path: Path) -> str:
    """Say what the first act does to a file that is GigQ's own so far."""
    return (
        f"{path.name} is GigQ's own file so far: this first adds our tables and columns to it. "
        "GigQ's programs go on working with it, and gigq-core detach takes them out again."
    )
