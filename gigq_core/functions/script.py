"""Functions of the script itself (`__main__`), which only a worker within that script can run."""

from __future__ import annotations

import atexit
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

from gigq_core.errors import ScriptFunctionWarning
from gigq_core.system.paths import queue_file

SCRIPT_MODULE = "__main__"

# The files that workers in this process were made for, and what is to be told unless one still is.
_worked_on: set[Path] = set()
_put_off: set[tuple[Path, tuple[str, int]]] = set()


def note_worker(db_path: str | Path) -> None:
    """A worker that runs jobs in this very process was made: it can call the script's functions."""
    _worked_on.add(queue_file(db_path))


def warn_of_waiting(functions: Iterable[tuple[str, str]], db_path: str | Path) -> None:
    """Warn whoever submits functions of the script, unless a worker here will run them.

    Where the script has such a worker at hand but has not made it yet, it is waited for until the
    interpreter ends.

    Args:
        functions: module and name of each.
        db_path: the queue's file.
    """
    names = sorted({name for module, name in functions if module == SCRIPT_MODULE})
    if not names:
        return
    file = queue_file(db_path)
    if file in _worked_on:
        return
    shown = f"{names[0]}() is" if len(names) == 1 else f"{names[0]}() and others are"
    text = (
        f"{shown} defined in this script (__main__), which no worker process can import: the job "
        "waits until a Worker(...) in this script itself runs it; to let other workers run it, "
        "define it in a module of its own and import it from there."
    )
    frame = _calling_frame()
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    place = (frame.f_code.co_filename, frame.f_lineno)

    def warn() -> None:
        warnings.warn_explicit(text, ScriptFunctionWarning, *place, registry=registry)

    script = vars(sys.modules[SCRIPT_MODULE])
    if "gigq_core.worker.worker" in sys.modules and all(callable(script.get(n)) for n in names):
        if (file, place) not in _put_off:
            _put_off.add((file, place))
            atexit.register(lambda: None if file in _worked_on else warn())
    else:
        warn()


def _calling_frame() -> FrameType:
    """The nearest that is none of this package's."""
    own = __name__.partition(".")[0]
    frame = sys._getframe(1)
    while frame.f_back is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] != own:
            break
        frame = frame.f_back
    return frame
