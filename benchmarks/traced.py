"""Runs a worker of ours that writes down how long it waited for the write lock.

Usage: `python -m benchmarks.traced FOLDER -m gigq_core ARGUMENTS`.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

WAITS: list[float] = []
_connect = sqlite3.connect


class Traced(sqlite3.Connection):
    """Takes the time from the first BEGIN of a write to the one that succeeds."""

    _since: float | None = None

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """As the base class's."""
        if not statement.startswith(("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE")):
            return super().execute(statement, *values)
        since = self._since or time.perf_counter()
        try:
            cursor = super().execute(statement, *values)
        except sqlite3.OperationalError:
            self._since = since
            raise
        self._since = None
        WAITS.append(time.perf_counter() - since)
        return cursor


def _traced_connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
    options.setdefault("factory", Traced)
    connection: sqlite3.Connection = _connect(*arguments, **options)
    return connection


def main() -> None:
    """Patch `sqlite3.connect`, then be the worker."""
    folder = Path(sys.argv[1])
    setattr(sqlite3, "connect", _traced_connect)  # noqa: B010 - its type is overloaded
    atexit.register(lambda: (folder / f"waits-{os.getpid()}.json").write_text(json.dumps(WAITS)))
    module = sys.argv[3]
    sys.argv[:] = [module, *sys.argv[4:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
