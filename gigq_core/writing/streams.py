"""Standard output and error as both commands write to them, whatever encoding they have."""

from __future__ import annotations

import io
import os
import select
import sys
import time
from collections.abc import Callable
from typing import IO, Any

from gigq_core.text import inert


def settle_output() -> None:
    """Replace what an output's encoding has no character for, instead of failing at it.

    A terminal of Latin-1, a pipe of a cron job in the C locale: a question mark stands there for
    each such character. Bytes of file names that are not UTF-8 never go out raw.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def put(text: str, *, err: bool = False) -> None:
    """Write `text` to stdout, or to stderr, and send it off. A closed one is passed over.

    `click.echo` would send UTF-8 to an output that says it is ASCII.

    Raises:
        OSError: nobody reads it any more, or there is no room for it.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is not None:
        stream.write(text)
        stream.flush()


def pause_while_read(seconds: float, wake: int | None = None) -> None:
    """Wait, but no longer than somebody reads stdout: what writes nothing would never notice.

    Args:
        seconds: how long.
        wake: a descriptor that ends the wait when there is something to read from it.

    Raises:
        BrokenPipeError: the pipe, socket or terminal has lost its other end.
    """
    try:
        ends = select.poll()
        if wake is not None:
            ends.register(wake, select.POLLIN)
        stdout = sys.stdout.fileno()
        ends.register(stdout, 0)
        events = ends.poll(seconds * 1000)
    # It is closed, or none of the system's; or there is no such call here.
    except (AttributeError, OSError, ValueError):
        events = []
        time.sleep(seconds)
    for fd, event in events:
        if fd == wake:
            continue
        if event & (select.POLLHUP | select.POLLERR):
            raise BrokenPipeError
        time.sleep(seconds)


def put_inert(show: Callable[[IO[Any]], None]) -> None:
    """Write what `show` prints into a stream to stderr, harmless: it may quote what was typed."""
    printed = io.StringIO()
    show(printed)
    put(inert(printed.getvalue(), lines=True), err=True)


def give_up_output() -> None:
    """Let nothing more be written to stdout: what stays in its buffer raised, and would again."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def describe_os_error(problem: OSError) -> str:
    """A failed read or write as one sentence."""
    what = (
        f"{os.fsdecode(problem.filename)} can't be used"
        if problem.filename
        else ("The output can't be written")
    )
    return f"{what}: {problem.strerror or problem}."
