"""The end of what a job or a worker wrote, read from its file: bounded, and never waited for."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gigq_core.status import ExecutionStatus
from gigq_core.system.kept_files import is_kept
from gigq_core.system.paths import attempt_output
from gigq_core.worker.output import LIMIT_BYTES
from gigq_core.writing.terminal_text import Piece, TerminalText, is_plain
from gigq_tui.store.models import Attempt

TAIL_BYTES = 64 * 1024
# A job's captured output has at most so many bytes: what is kept, and the note of what is not.
WHOLE_BYTES = LIMIT_BYTES + 128

_HEAD_BYTES = LIMIT_BYTES // 2
_GAP = re.compile(rb"\n(\[\.\.\. (\d+) bytes left out \.\.\.\])\n")
_GAP_BYTES = 80
_TAB_CELLS = 4
_PERCENT = re.compile(r"(?<![\w.,-])(\d{1,3}(?:\.\d+)?) ?%(?!\w)", re.ASCII)


@dataclass(frozen=True, eq=False)
class Tail:
    """The last lines of a file, as they are: not inert, but tabs widened and line ends taken off.

    Attributes:
        lines: What was read. Of a job's output what a terminal would show, as of a progress bar the
            last state; in another file a carriage return ends a line too.
        pieces: Which parts of some lines of a job's output have colours, by the number of the line.
        skipped: How many bytes stand before the first line, unread.
        size: How many bytes the file has.
        trouble: One sentence where there is nothing to read.
        left_out: How many bytes between head and tail were dropped when the output was captured.
        gap: Which line says so, or None where it isn't among those that were read.
        stamp: Tells one state of the file from another.
    """

    path: Path | None = None
    lines: Sequence[str] = ()
    pieces: Mapping[int, Sequence[Piece]] = field(default_factory=dict)
    skipped: int = 0
    size: int = 0
    trouble: str = ""
    left_out: int = 0
    gap: int | None = None
    stamp: tuple[int, int] = (0, 0)


def read_tail(
    path: Path, known: Tail | None = None, limit: int = TAIL_BYTES, *, printed: bool = False
) -> Tail:
    """Read the end of a file, or return `known` where there is nothing new in it.

    Args:
        path: The file; only an ordinary one is read, never a pipe or a device.
        known: What this returned before. While the file grows, reading goes on from where that
            began, up to `WHOLE_BYTES`, so that lines keep their places.
        limit: How many bytes to read at most, when nothing or less is known.
        printed: Whether it was printed for a terminal, as a job's output may be.
    """
    if known is not None and (known.path != path or known.trouble):
        known = None
    try:
        # Without O_NONBLOCK, opening a pipe would wait for whoever writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return Tail(path, trouble=f"There is no file {path}.")
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        return Tail(path, trouble=f"{path} can't be read: {reason}.")
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Tail(path, trouble=f"{path} is not an ordinary file.")
        start = _start(status.st_size, known, limit)
        stamp = (status.st_size, status.st_mtime_ns)
        if known is not None and known.stamp == stamp and known.skipped <= start:
            return known
        data = os.pread(descriptor, status.st_size - start, start)
        mark = b""
        if status.st_size > LIMIT_BYTES:
            mark = os.pread(descriptor, _GAP_BYTES, _HEAD_BYTES)
    except OSError as problem:
        return Tail(path, trouble=f"{path} can't be read: {problem.strerror}.")
    finally:
        os.close(descriptor)
    if start and b"\n" in data[:-1] and not (known and known.skipped == start):
        # The first line is only the end of one.
        cut = data.index(b"\n") + 1
        start, data = start + cut, data[cut:]
    (lines, pieces), gap, left_out = _split(
        data, start, _GAP.match(mark), _printed_lines if printed else _lines
    )
    return Tail(path, lines, pieces, start, status.st_size, "", left_out, gap, stamp)


def _start(size: int, known: Tail | None, limit: int) -> int:
    """Where to begin to read a file of that size."""
    start = max(0, size - limit)
    if known is not None and known.size <= size and size - known.skipped <= WHOLE_BYTES:
        start = min(start, known.skipped)
    return start


def _split(
    data: bytes, start: int, mark: re.Match[bytes] | None, lines_of: Callable[[bytes], _Text]
) -> tuple[_Text, int | None, int]:
    """The lines, which of them says that something was left out there, and how much."""
    if mark is None:
        return lines_of(data), None, 0
    at = _HEAD_BYTES - start
    if at < 0:
        return lines_of(data), None, int(mark[2])
    head, rest = lines_of(data[:at]), lines_of(data[at + mark.end() :])
    gap = len(head.lines)
    pieces = {**head.pieces, **{gap + 1 + number: found for number, found in rest.pieces.items()}}
    lines = [*head.lines, mark[1].decode("ascii"), *rest.lines]
    return _Text(lines, pieces), gap, int(mark[2])


class _Text(NamedTuple):
    """Lines, and which of their parts have colours."""

    lines: list[str]
    pieces: Mapping[int, Sequence[Piece]]


def _lines(data: bytes) -> _Text:
    text = data.decode("utf-8", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\t" in text:
        text = text.expandtabs(_TAB_CELLS)
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return _Text(lines, {})


def _printed_lines(data: bytes) -> _Text:
    """What a terminal would show of them."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    if is_plain(text):
        return _lines(data)
    terminal = TerminalText(tabs=_TAB_CELLS, most=WHOLE_BYTES)
    # Half a sequence at the end may be whole when it is read again.
    shown = terminal.feed(text)
    if terminal.open_line is not None:
        shown.append(terminal.open_line)
    pieces = {number: line.pieces for number, line in enumerate(shown) if line.pieces}
    return _Text([line.text for line in shown], pieces)


def output_of(database: Path, attempt: Attempt) -> Path | None:
    """Return the file an attempt writes to; one that still runs may not have named it yet."""
    if attempt.output_path:
        return Path(attempt.output_path)
    if attempt.status == ExecutionStatus.RUNNING.value:
        return attempt_output(database, attempt.execution_id)
    return None


def read_output(
    database: Path, attempt: Attempt, known: Tail | None = None, limit: int = TAIL_BYTES
) -> Tail:
    """Read the end of what an attempt printed, as `read_tail()` does.

    Args:
        database: The queue file.
        attempt: The attempt.
        known: What was read of it before.
        limit: In bytes.
    """
    path = output_of(database, attempt)
    if path is not None and is_kept(path):
        return read_tail(path, known, limit, printed=True)
    return Tail(path, trouble=_nothing_there(attempt, path))


def said_share(tail: Tail | None) -> str:
    """What share of its work a job has done, by the last line it printed: `42%`, or nothing."""
    lines = tail.lines if tail is not None else ()
    last = next((line for line in reversed(lines) if line.strip()), "")
    said = [found for found in _PERCENT.findall(last) if float(found) <= 100]
    return f"{said[-1]}%" if said else ""


def _nothing_there(attempt: Attempt, path: Path | None) -> str:
    """Why there is no file: none is made before the first byte, and GigQ's workers make none."""
    if attempt.status == ExecutionStatus.RUNNING.value:
        return "This attempt has written nothing so far."
    if attempt.pid is None:
        return "What this attempt printed was not kept."
    gone = ", or its file is gone" if path is not None else ""
    return f"This attempt has written nothing{gone}."
