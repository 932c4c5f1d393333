"""Sentences that more than one place says before it acts."""

from __future__ import annotations

from pathlib import Path


def attach_note(path: Path) -> str:
    """Say what the first act does to a file that is GigQ's own so far."""
    return (
        f"{path.name} is GigQ's own file so far: this first adds our tables and columns to it. "
        "GigQ's programs go on working with it, and gigq-core detach takes them out again."
    )
