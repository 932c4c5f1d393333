"""The `gigq-core` command, and how it is started from another process."""

from __future__ import annotations

import sys
from pathlib import Path


def own_command() -> list[str]:
    """The words that run this very `gigq-core` with this interpreter.

    `-m gigq_core` would look for it in the current folder first, which may be anybody's.
    """
    return [sys.executable, str(Path(__file__).parent.with_name("__main__.py"))]
