"""`gigq-core logs`: what an attempt printed, and what it goes on printing."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import click

from gigq_core.cli.common import Settings, Trouble, json_option
from gigq_core.cli.output import warn, write_json
from gigq_core.cli.reading import Reading
from gigq_core.cli.text import inert
from gigq_core.logs import attempt_output, logs_folder
from gigq_core.status import ExecutionStatus

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
@click.option("--raw", is_flag=True, help="Write the bytes as they are, control characters too.")
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

    Control characters are shown as escapes, unless --raw.

    JSON: {"id", "attempt", "attempts", "execution_id", "status", "output"}.
    """
    if as_json and (follow or raw):
        raise click.UsageError("--json goes neither with --follow nor with --raw.")
    with settings.reading() as reading:
        found = reading.resolve(job_id)
        executions = reading.executions(found)
        number, execution = _chosen(found, executions, attempt)
        file = _output_file(settings.db, execution)
        if as_json:
            text = file.read_bytes().decode("utf-8", "replace") if file else ""
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
        if follow:
            pieces = _followed(settings.db, reading, found, number)
        else:
            pieces = _pieces_of(file) if file else iter(())
        wrote = False
        for piece in _shown(pieces, raw=raw):
            wrote = True
            click.echo(piece, nl=False)
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


def _output_file(db: Path, execution: dict[str, Any]) -> Path | None:
    """The attempt's file; while it runs the row does not name it yet, but its place is known.

    The name in the row is data: one that leads out of the folder is not followed.
    """
    folder = logs_folder(db).resolve()
    named = execution.get("output")
    file = (folder / named) if named else attempt_output(db, str(execution["id"]))
    try:
        file = file.resolve()
        return file if file.is_relative_to(folder) and file.is_file() else None
    except (OSError, ValueError):
        return None


def _pieces_of(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        yield from _rest_of(opened)


def _rest_of(opened: BinaryIO) -> Iterator[bytes]:
    while piece := opened.read(CHUNK_BYTES):
        yield piece


def _followed(db: Path, reading: Reading, job_id: str, number: int) -> Iterator[bytes]:
    """What is there, then what comes, until the attempt has ended."""
    place = 0
    while True:
        execution = reading.executions(job_id)[number - 1]
        ended = execution["status"] != ExecutionStatus.RUNNING.value
        file = _output_file(db, execution)
        if file is not None:
            # The middle of a long output is dropped: a file that shrank is read again.
            size = file.stat().st_size
            place = 0 if size < place else place
            with file.open("rb") as opened:
                opened.seek(place)
                yield from _rest_of(opened)
                place = opened.tell()
        if ended:
            return
        time.sleep(LOOK_AGAIN_S)


def _shown(pieces: Iterator[bytes], *, raw: bool) -> Iterator[str | bytes]:
    if raw:
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for piece in pieces:
        if text := decoder.decode(piece):
            yield inert(text, lines=True)
    if rest := decoder.decode(b"", final=True):
        yield inert(rest, lines=True)
