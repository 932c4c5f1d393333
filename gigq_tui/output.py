"""The end of what an attempt, or a worker, wrote: read in a thread, cut to a size, inert."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gigq_core.logs import logs_folder
from gigq_tui.format import inert_lines
from gigq_tui.store.models import Attempt

TAIL_BYTES = 64 * 1024


@dataclass(frozen=True)
class Tail:
    """The last lines of a file, after `skipped` bytes; `trouble` says why there are none."""

    lines: tuple[str, ...] = ()
    skipped: int = 0
    size: int = 0
    trouble: str = ""


def read_tail(path: Path | None, limit: int = TAIL_BYTES) -> Tail:
    """Read the last `limit` bytes of a file as harmless lines."""
    if path is None:
        return Tail(trouble="This attempt has written nothing.")
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            skipped = max(0, size - limit)
            file.seek(skipped)
            data = file.read(limit)
    except FileNotFoundError:
        return Tail(trouble="There is no output: none was written, or its file is gone.")
    except OSError as problem:
        return Tail(trouble=f"The output can't be read: {problem.strerror or problem}.")
    text = data.decode("utf-8", "replace")
    if skipped:
        # The first line is most likely cut in its middle; one that is all there is stays.
        text = text.partition("\n")[2] or text
    return Tail(tuple(inert_lines(text)), skipped, size, "")


def output_of(database: Path, attempt: Attempt) -> Path | None:
    """Return the file an attempt writes to; one that still runs may not have named it yet."""
    if attempt.output_path:
        return Path(attempt.output_path)
    if attempt.status == "running":
        folder = logs_folder(database).absolute() / "attempts"
        candidate = folder / f"{attempt.execution_id}.log"
        # An id from a file is data: never follow it out of the folder.
        return candidate if candidate.parent == folder else None
    return None
