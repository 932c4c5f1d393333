"""Printing: tables for people, aligned text for pipes, JSON for scripts."""

from __future__ import annotations

import json
import math
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gigq_core.status import ExecutionStatus, JobStatus
from gigq_core.text import inert, storable
from gigq_core.units.times import local, moment_of, moment_told
from gigq_core.writing.streams import put

if TYPE_CHECKING:
    from rich.text import Text

# What the table draws between two columns, and how far a column shrinks.
BETWEEN_COLUMNS = 3
NARROWEST = 8
CELL_LIMIT = 200
# Of a value that can't be printed whole.
MOST_LEVELS = 100
# One half of a character in JSON's spelling, without the other beside it.
_LONE_SURROGATE = re.compile(
    r"(?<!\\ud[89ab]..)\\ud[c-f]..|\\ud[89ab]..(?!\\ud[c-f]..)", re.IGNORECASE
)

_STATUS_STYLES = {
    JobStatus.PENDING.value: "cyan",
    JobStatus.RUNNING.value: "blue",
    JobStatus.COMPLETED.value: "green",
    JobStatus.FAILED.value: "red",
    JobStatus.TIMEOUT.value: "magenta",
    JobStatus.CANCELLED.value: "yellow",
    ExecutionStatus.CRASHED.value: "red",
    ExecutionStatus.SUPERSEDED.value: "yellow",
    ExecutionStatus.SNOOZED.value: "cyan",
}


def say(text: str) -> None:
    """One line for the person, on stdout."""
    put(inert(text, lines=True) + "\n")


def warn(text: str) -> None:
    """One line for the person, on stderr, where it does not disturb a script."""
    put(inert(text, lines=True) + "\n", err=True)


def write_json(value: Any) -> None:
    """`value` as JSON on stdout: plain ASCII, so that nothing in it can steer a terminal."""
    try:
        text = json.dumps(value, indent=2, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        text = json.dumps(_printable(value), indent=2)
    if _LONE_SURROGATE.search(text):
        # Many readers of JSON refuse half a character, which a file name's stray byte becomes.
        text = json.dumps(_printable(value), indent=2)
    put(text + "\n")


def table(
    headers: Sequence[str], rows: Iterable[Sequence[object]], *, shrinking: Sequence[str] = ()
) -> None:
    """Print rows under headers: drawn for a terminal, aligned by spaces for a pipe.

    Args:
        headers: one for each column.
        rows: the values; each becomes one line.
        shrinking: headers of the columns that are cut where a terminal is too narrow.
    """
    lines = [[cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _draw(headers, lines, shrinking)
    else:
        _align(headers, lines)


def terminal_columns() -> int | None:
    """How wide the terminal is, or None when stdout isn't one."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def cell(value: object) -> str:
    """`value` for one cell of a table: inert, on one line, cut to a bearable length."""
    text = str(value)
    cut = text[: CELL_LIMIT + 1]
    return inert(cut[:CELL_LIMIT] + "…" if len(cut) > CELL_LIMIT else cut)


def width(text: str) -> int:
    """The columns that `text` takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def shown_time(text: object, instant: object = None) -> str:
    """A stored time by the reader's clock, to the second; "-" where there is none.

    Args:
        text: as GigQ stores it.
        instant: the same in UTC seconds, where the row has it.
    """
    moment = moment_told(instant, text)
    if moment is not None:
        return f"{local(moment):%Y-%m-%d %H:%M:%S}"
    return "-" if text is None or text == "" else cell(text)


def shown_moment(seconds: object) -> str:
    """A moment in UTC seconds, to the second, in the reader's zone; "-" where there is none."""
    moment = moment_of(seconds)
    return f"{local(moment):%Y-%m-%d %H:%M:%S}" if moment else "-"


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _align(headers: Sequence[str], lines: list[list[str]]) -> None:
    columns = list(zip(headers, *lines, strict=True))
    widths = [max(width(text) for text in column) for column in columns]
    for line in [list(headers), *lines]:
        padded = (
            text + " " * (room - width(text)) for text, room in zip(line, widths, strict=True)
        )
        put("  ".join(padded).rstrip() + "\n")


def _draw(headers: Sequence[str], lines: list[list[str]], shrinking: Sequence[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    columns = zip(headers, *lines, strict=True)
    widths = [max(width(text) for text in column) for column in columns]
    excess = sum(widths) + BETWEEN_COLUMNS * (len(headers) - 1) - console.width
    drawn = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    for header, room in zip(headers, widths, strict=True):
        least = min(room, NARROWEST) if header in shrinking else room
        given = min(room - least, max(0, excess))
        excess -= given
        drawn.add_column(header, overflow="ellipsis", no_wrap=True, width=room - given)
    for line in lines:
        drawn.add_row(*(_styled(text) for text in line))
    console.print(drawn)


def _styled(text: str) -> Text:
    """A Text, never a string: strings would be read as markup."""
    from rich.text import Text

    return Text(text, style=_STATUS_STYLES.get(text, ""))


def lines_of(value: object, indent: str) -> str:
    """Free text of a job, line by line, each indented; no character of it is interpreted."""
    return "\n".join(indent + line for line in inert(value, lines=True).split("\n"))


def _printable(value: Any, levels: int = MOST_LEVELS) -> Any:
    """What JSON has no word for as text: a file may hold NaN, bytes, and more levels than fit."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (dict, list, tuple)) and not levels:
        return "(nested too deep to be printed)"
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {_printable(key): _printable(item, levels - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable(item, levels - 1) for item in value]
    return value
