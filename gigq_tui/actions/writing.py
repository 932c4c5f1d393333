"""Opening the queue to write, as every action does: not where the console only reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gigq_core import JobQueue
from gigq_core.changes.action_progress import ActionProgress
from gigq_core.errors import GigQError, NotAQueue
from gigq_core.schema.opening import check_path, explained

READ_ONLY = "This console is read-only: start it without --read-only to make changes."


def check_writable(path: Path, *, read_only: bool) -> None:
    """See that something may be written, and that there is a queue to write to.

    Args:
        path: The queue file.
        read_only: Whether the console only reads.

    Raises:
        GigQError: Nothing is written; the sentence says why.
    """
    if read_only:
        raise GigQError(READ_ONLY)
    # The queue's own constructor would make a new file where this one has gone, or was emptied.
    if check_path(path).stat().st_size == 0:
        raise NotAQueue(f"{path} is empty: restore the queue, or create a new one.")


@contextmanager
def opened(
    path: Path, *, read_only: bool, progress: ActionProgress | None = None
) -> Iterator[JobQueue]:
    """Give the queue to write to, and close it.

    Args:
        path: The queue file.
        read_only: Whether the console only reads.
        progress: What tells others how far the action is.

    Raises:
        GigQError: As for `check_writable`, or the file can't be written.
    """
    check_writable(path, read_only=read_only)
    with explained(path), closing(JobQueue(path, progress=progress)) as queue:
        yield queue
