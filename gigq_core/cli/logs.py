"""`gigq-core logs`: what an attempt printed, and what it goes on printing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

from gigq_core.cli.completion import complete_job_id
from gigq_core.cli.errors import Trouble
from gigq_core.cli.options import json_option
from gigq_core.cli.output import warn, write_json
from gigq_core.cli.queue_view import QueueView
from gigq_core.cli.settings import Settings
from gigq_core.status import ExecutionStatus
from gigq_core.system.kept_files import open_kept
from gigq_core.system.paths import kept_output
from gigq_core.text import inert
from gigq_core.writing.streams import pause_while_read, put
from gigq_core.writing.terminal_text import Line, TerminalText

LOOK_AGAIN_S = 0.2
CHUNK_BYTES = 1 << 16
# Terminals (TERM) that take no colours.
_NO_COLOURS = ("", "dumb", "unknown")


@click.command()
@click.argument("job_id", shell_complete=complete_job_id)
@click.option(
    "--attempt",
    type=click.IntRange(min=1),
    metavar="N",
    help="Which attempt, counted from 1.  [default: the latest]",
)
@click.option("-f", "--follow", is_flag=True, help="Keep printing until the attempt ends.")
@click.option("--raw", is_flag=True, help="Write the raw bytes, control sequences included.")
@json_option
@click.pass_obj
def logs(
    settings: Settings,
    job_id: str,
    attempt: int | None,
    follow: bool,
    raw: bool,
    as_json: bool,
) -> None:
    """Print what an attempt of a job wrote to stdout and stderr.

    It is shown as on a terminal: of a progress bar its last state, words in their colours where
    stdout is a terminal that takes them (NO_COLOR says that none are wanted). No other control
    sequence is obeyed: it is shown as escapes, or left out. With --raw the bytes are written as
    they are, and the terminal obeys whatever is in them.

    JSON: {"id", "attempt", "attempts", "execution_id", "status", "output"}.
    """
    if as_json and (follow or raw):
        raise click.UsageError("--json can't be combined with --follow or --raw.")
    with settings.viewing() as view:
        found = view.resolve(job_id)
        executions = view.executions(found)
        number, execution = _chosen(found, executions, attempt)
        file = kept_output(settings.db, execution["id"], execution.get("output"))
        if as_json:
            text = b"".join(_pieces_of(file)).decode("utf-8", "replace")
            write_json(
                {
                    "id": found,
                    "attempt": number,
                    "attempts": len(executions),
                    "execution_id": execution["id"],
                    "status": execution["status"],
                    "output": text,
                }
            )
            return
        pieces = _followed(settings.db, view, found, number) if follow else _pieces_of(file)
        wrote = _print_raw(pieces) if raw else _print(pieces, live=follow)
    if not wrote:
        warn(f"Attempt {number} of {inert(found)} printed nothing, or its output was not kept.")


def _chosen(
    job_id: str, executions: list[dict[str, Any]], attempt: int | None
) -> tuple[int, dict[str, Any]]:
    if not executions:
        raise Trouble(f"Job {job_id} has not started yet, so there is no output.")
    number = len(executions) if attempt is None else attempt
    if number > len(executions):
        raise Trouble(f"Job {job_id} has had {len(executions)} attempts, not {number}.")
    return number, executions[number - 1]


def _pieces_of(file: Path | None) -> Iterator[bytes]:
    opened = open_kept(file)
    if opened is not None:
        with opened:
            yield from _rest_of(opened)


def _rest_of(opened: BinaryIO) -> Iterator[bytes]:
    while piece := opened.read(CHUNK_BYTES):
        yield piece


def _followed(db: Path, view: QueueView, job_id: str, number: int) -> Iterator[bytes]:
    """What is there, then what comes, until the attempt has ended."""
    place = 0
    while True:
        executions = view.executions(job_id)
        if len(executions) < number:
            return  # the job was cleared, or its history
        execution = executions[number - 1]
        ended = execution["status"] != ExecutionStatus.RUNNING.value
        opened = open_kept(kept_output(db, execution["id"], execution.get("output")))
        if opened is not None:
            with opened:
                # The middle of a long output is dropped: a file that shrank is read again.
                size = os.fstat(opened.fileno()).st_size
                place = 0 if size < place else place
                opened.seek(place)
                yield from _rest_of(opened)
                place = opened.tell()
        if ended:
            return
        pause_while_read(LOOK_AGAIN_S)


def _print(pieces: Iterator[bytes], *, live: bool) -> bool:
    """Print them as a terminal would show them; says whether there was anything."""
    printed = Printed(live=live)
    for piece in pieces:
        printed.put(piece)
    printed.close()
    return printed.wrote


def _print_raw(pieces: Iterator[bytes]) -> bool:
    wrote = False
    for piece in pieces:
        wrote = True
        click.echo(piece, nl=False)
    return wrote


class Printed:
    """Prints captured output piece by piece, cut anywhere: of a progress bar the last state.

    Words have their colours where stdout is a terminal that takes them, and are plain otherwise.

    Args:
        live: show a line before it has ended, too, where stdout is a terminal: it is written anew
            as it changes. A pipe gets lines that have ended.
    """

    def __init__(self, *, live: bool) -> None:
        self._text = TerminalText()
        self._live = live and sys.stdout is not None and sys.stdout.isatty()
        self._colours = _takes_colours()
        self._open: Line | None = None
        self.wrote = False

    def put(self, data: bytes) -> None:
        """Take in what was read, and print what it tells.

        Raises:
            OSError: as for `gigq_core.writing.streams.put`.
        """
        self.wrote = self.wrote or bool(data)
        written = "".join(self._finished(line) + "\n" for line in self._text.feed_bytes(data))
        if self._live:
            written += self._live_line()
        if written:
            put(written)

    def close(self) -> None:
        """Print the line that has not ended, now that nothing more comes."""
        last = self._text.close()
        if last is not None:
            put(self._finished(last))

    def _finished(self, line: Line) -> str:
        text = self._shown(line)
        if self._open is None:
            return text
        self._open = None
        return f"\r\x1b[K{text}"

    def _live_line(self) -> str:
        line = self._text.open_line
        if line is None or line == self._open:
            return ""
        again = "" if self._open is None else "\r\x1b[K"
        self._open = line
        # What runs over the edge could not be taken back: a cell may take ten characters.
        text = line.text.expandtabs()[: max(1, (shutil.get_terminal_size().columns - 1) // 2)]
        return again + (self._shown(line) if text == line.text and text.isascii() else inert(text))

    def _shown(self, line: Line) -> str:
        if not self._colours or not line.pieces:
            return inert(line.text, lines=True)
        parts = []
        at = 0
        for start, end, look in line.pieces:
            parts.append(inert(line.text[at:start], lines=True))
            parts.append(f"\x1b[{look.sgr}m{inert(line.text[start:end], lines=True)}\x1b[0m")
            at = end
        return "".join(parts) + inert(line.text[at:], lines=True)


def _takes_colours() -> bool:
    if sys.stdout is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return False
    return os.environ.get("TERM", "") not in _NO_COLOURS
