"""Functions of the script itself (`__main__`), which only a worker within that script can run."""

from __future__ import annotations

import sys
import warnings
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from gigq_core.places import queue_file

SCRIPT_MODULE = "__main__"

# Why such a job waits, where somebody asks.
WHY = (
    "its function is defined in a script (__main__): only that script's own Worker(...) can run "
    "it; define it in a module that workers can import"
)


class ScriptFunctionWarning(UserWarning):
    """A job was submitted whose function no worker process can import."""


class _Works(Protocol):
    db_path: str | Path


_workers: weakref.WeakSet[_Works] = weakref.WeakSet()


def note_worker(worker: _Works) -> None:
    """A worker that runs jobs in this very process was made: it can call the script's functions."""
    _workers.add(worker)


def warn_of_waiting(functions: Iterable[tuple[str, str]], db_path: str | Path) -> None:
    """Warn whoever submits functions of the script, unless a worker for them was made here before.

    Args:
        functions: module and name of each.
        db_path: the queue's file.
    """
    names = sorted({name for module, name in functions if module == SCRIPT_MODULE})
    if not names:
        return
    file = queue_file(db_path)
    if any(queue_file(worker.db_path) == file for worker in list(_workers)):
        return
    shown = f"{names[0]}() is" if len(names) == 1 else f"{names[0]}() and others are"
    warnings.warn(
        f"{shown} defined in this script (__main__), which no worker process can import: the job "
        "waits until a Worker(...) in this script itself runs it; to let other workers run it, "
        "define it in a module of its own and import it from there.",
        ScriptFunctionWarning,
        stacklevel=_level_of_the_caller(),
    )


def _level_of_the_caller() -> int:
    """How far up the first line stands that is none of this package's."""
    own = __name__.partition(".")[0]
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] != own:
            break
        level, frame = level + 1, frame.f_back
    return level
