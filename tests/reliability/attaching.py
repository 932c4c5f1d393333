"""What the processes of the migration tests do: attach or detach a file, raced or killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from gigq_core.schema import attach as attach_module
from gigq_core.schema import filling
from gigq_core.schema.attach import detach, open_for_work
from gigq_core.schema.opening import connect
from gigq_core.schema.transaction import write

WAIT_S = 30.0
# How many rows are filled in at once.
ROWS = 300


def race(paths: list[str], barrier: Barrier, answers: Any) -> None:
    """Open each file for work at the same moment as the others; answer with what went wrong."""
    troubles = []
    for path in paths:
        barrier.wait(WAIT_S)
        try:
            open_for_work(path, create=True).close()
        except Exception as problem:  # whatever it is, the test shows it
            troubles.append(f"{Path(path).name}: {problem!r}")
    answers.put(troubles)


def killing_connect(step: int) -> Any:
    """`connect`, but the process kills itself before its statement number `step`."""
    done = 0

    def trace(_statement: str) -> None:
        nonlocal done
        done += 1
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def connect_traced(*args: Any) -> sqlite3.Connection:
        conn = connect(*args)
        conn.set_trace_callback(trace)
        return conn

    return connect_traced


def fill(path: str) -> None:
    """Attach a file, and fill in the moments of its past."""
    conn = open_for_work(path, create=False)
    while filling.left(conn):
        with write(conn):
            filling.fill_some(conn, ROWS)
    conn.close()


def main() -> None:
    """`attaching.py create|attach|fill|detach FILE [STEP]`: says "go", acts, says "done"."""
    act, path, *rest = sys.argv[1:]
    if rest:
        vars(attach_module)["connect"] = killing_connect(int(rest[0]))
    print("go", flush=True)
    if act == "detach":
        detach(path)
    elif act == "fill":
        fill(path)
    else:
        open_for_work(path, create=act == "create").close()
    print("done", flush=True)


if __name__ == "__main__":
    main()
