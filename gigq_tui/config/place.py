"""Where the configuration is looked for."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "GIGQ_TUI_CONFIG"


def default_path() -> Path:
    """Return the file in the user's own folder for configuration, whether it is there or not."""
    # Late: it is needed only where no other file was named.
    from platformdirs import user_config_path

    return user_config_path("gigq-tui", appauthor=False) / "config.toml"


def find(named: Path | None) -> tuple[Path, bool]:
    """Return the file to read, and whether somebody named it, so that it has to be there.

    Args:
        named: What `--config` says, or None.
    """
    if named is not None:
        return named, True
    if from_environment := os.environ.get(VARIABLE):
        return Path(from_environment), True
    return default_path(), False
