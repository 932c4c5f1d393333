"""`gigq-core logs`: what an attempt printed, and what it goes on printing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

from gigq_core.cli.errors import Trouble
from gigq_core.cli.options import json_option
from gigq_core.cli.output import warn, write_json
from gigq_core.cli.printed import Printed
from gigq_core.cli.reading import Reading
from gigq_core.cli.settings import Settings
from gigq_core.logs import kept_output, open_kept
from gigq_core.status import ExecutionStatus
from gigq_core.streams import pause_while_read
from gigq_core.text import inert

LOOK_AGAIN_S = 0.2
CHUNK_BYTES = 1 << 16


@click.command()
@click.argument("job_id")
@click.option(
    "--attempt",
    type=click.IntRange(min=1),
    metavar="N",
    help="Which attempt, counted from 1.  [default: the latest]",
)
@click.option("-f", "--follow", is_flag=True, help="Go on until the attempt has ended.")
@click.option("--raw", is_flag=True, help="Write the bytes as they are: a terminal obeys them.")
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
        raise click.UsageError("--json goes neither with --follow nor with --raw.")
    with settings.reading() as reading:
        found = reading.resolve(job_id)
        executions = reading.executions(found)
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
        pieces = _followed(settings.db, reading, found, number) if follow else _pieces_of(file)
        wrote = _print_raw(pieces) if raw else _print(pieces, live=follow)
    if not wrote:
        warn(f"Attempt {number} of {inert(found)} printed nothing that was kept.")


def _chosen(
    job_id: str, executions: list[dict[str, Any]], attempt: int | None
) -> tuple[int, dict[str, Any]]:
    if not executions:
        raise Trouble(f"Job {job_id} has not been started yet, so it has printed nothing.")
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


def _followed(db: Path, reading: Reading, job_id: str, number: int) -> Iterator[bytes]:
    """What is there, then what comes, until the attempt has ended."""
    place = 0
    while True:
        executions = reading.executions(job_id)
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
