"""Keeping, until the process kills itself at a given moment."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gigq_core.keeping import archive
from gigq_core.system import kept_files
from gigq_core.worker.ledger import Ledger


def keep_until(db: str, moment: int) -> int:
    """Do all steps of a run; die before the given statement, or call of the system.

    Returns:
        How many moments there were; with 0 all are passed.
    """
    passed = 0

    def pass_one(*_: object) -> None:
        nonlocal passed
        passed += 1
        if passed == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    class Watched:
        """The module `os`, each call of which is a moment."""

        def __getattr__(self, name: str) -> Any:
            found = getattr(os, name)
            if name not in ("open", "write", "fsync", "unlink", "ftruncate", "close"):
                return found

            def watched(*args: Any, **more: Any) -> Any:
                pass_one()
                if name == "write" and len(args[1]) > 1:
                    # Half a line is on the disk when the next moment comes.
                    return os.write(args[0], args[1][: len(args[1]) // 2])
                return found(*args, **more)

            return watched

    archive.os = kept_files.os = Watched()  # type: ignore[attr-defined, assignment]
    ledger = Ledger(db, runs_script=False)
    ledger.conn.set_trace_callback(_writes_alone(pass_one))
    other = sqlite3.connect(db, isolation_level=None)
    while True:
        other.execute("UPDATE core_agenda SET at = 0 WHERE what = 'keep:'")
        ledger.work_off_agenda()
        if other.execute("SELECT status FROM core_keeping").fetchone() == (None,):
            return passed


def in_a_child(db: Path, moment: int) -> int:
    """Do that in a copy of this process.

    Returns:
        How many moments there were, or less than 0: the signal that ended it.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        passed = b"failed"
        try:
            passed = str(keep_until(str(db), moment)).encode()
        finally:
            os.write(writer, passed)
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        said = stream.read()
    _, status = os.waitpid(child, 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else int(said)


def _writes_alone(act: Callable[[], None]) -> Callable[[str], None]:
    def trace(statement: str) -> None:
        if not statement.lstrip().startswith(("SELECT", "PRAGMA", "--")):
            act()

    return trace
