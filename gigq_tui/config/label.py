"""The label of a queue file: it stands first in every header, lest prod be taken for test."""

from __future__ import annotations

import os
from collections.abc import Mapping

from gigq_tui.config.model import DatabaseSettings, Label


def label_of(
    settings: DatabaseSettings, environment: Mapping[str, str] | None = None, host: str = ""
) -> Label:
    """Return the label of a file: `prod`, over SSH `prod@etl-3`, or `@etl-3` where it has none.

    Args:
        settings: What the configuration says of the file.
        environment: Where it is seen whether this is a session over SSH; None for the real one.
        host: The machine's name; empty to ask the machine.
    """
    environment = os.environ if environment is None else environment
    text = settings.label
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        name = (host or os.uname().nodename).partition(".")[0]
        text += f"@{name}" if name else ""
    return Label(text, settings.colour)
