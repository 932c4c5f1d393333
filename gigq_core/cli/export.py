"""The `export` command: all that the file knows of its jobs, as lines of JSON."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigq_core.cli.errors import Trouble, sentences
from gigq_core.cli.options import selecting_several
from gigq_core.cli.output import say, warn
from gigq_core.cli.settings import Settings
from gigq_core.units.sizes import size_words
from gigq_core.writing.streams import put
from gigq_core.writing.whole_file import whole_file

if TYPE_CHECKING:
    from gigq_core.inspection.export import Export, Written


@click.command(short_help="Write all that the file knows of its jobs as lines of JSON.")
@click.option(
    "--jsonl",
    type=click.Path(),
    is_flag=False,
    flag_value="-",
    required=True,
    metavar="[FILE]",
    help="Write the lines to this file, completely or not at all; - or nothing for stdout.",
)
@selecting_several
@click.option(
    "--settings",
    "with_settings",
    is_flag=True,
    help="Write schedules, lanes' limits, hooks and retention too.",
)
@click.pass_obj
def export(
    settings: Settings,
    jsonl: str,
    statuses: tuple[tuple[str, ...], ...],
    workflow: str | None,
    batch: str | None,
    failure: str | None,
    with_settings: bool,
) -> None:
    """Write everything about the jobs as lines of JSON.

    All of it is of one moment. The file is copied to SQLite's temporary files first, so the workers
    go on meanwhile, however long the rest takes.

    \b
      gigq-core --db jobs.db export --jsonl jobs.jsonl --status pending,failed

    Each line is a JSON object, and says by its "gigq" what it is: "export" (the first, with the
    number of its format), "job", "schedule", "lane", "hook", "keeping", "end" (the last one; where
    it is missing, so are others). `submit --jsonl` reads the jobs that wait.
    """
    from gigq_core.inspection.export import Export, Selection
    from gigq_core.system.paths import parts_of

    chosen = tuple(dict.fromkeys(status for some in statuses for status in some))
    wanted = Export(settings.db, Selection(chosen, workflow, batch, failure), with_settings)
    with sentences(settings.db):
        if jsonl == "-":
            for part in wanted.parts():
                with _undisturbed():
                    put(part)
        else:
            path = Path(jsonl)
            if path.resolve() in parts_of(settings.db):
                raise click.UsageError(f"{path} is the queue's own file: name another.")
            _write(wanted, path)
            say(_words(wanted.written, path))
    if wanted.written.damaged:
        noun = "job is" if wanted.written.damaged == 1 else "jobs are"
        warn(
            f"{wanted.written.damaged:,} {noun} damaged: values that can't be exported are "
            'under "damaged", as they are in the file.'
        )


def _write(wanted: Export, path: Path) -> None:
    try:
        with _ended_in_good_order(), whole_file(path) as stream:
            for part in wanted.parts():
                stream.write(part.encode("ascii"))
    except ValueError as problem:
        raise Trouble(str(problem)) from None
    except OSError as problem:
        raise Trouble(f"{path} can't be written: {problem.strerror}.") from None


def _words(written: Written, path: Path) -> str:
    noun = "job" if written.jobs == 1 else "jobs"
    return f"{written.jobs:,} {noun} written to {path} ({size_words(written.bytes)})."


@contextmanager
def _ended_in_good_order() -> Iterator[None]:
    """While this lasts, SIGTERM and SIGHUP take away what is written by half, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(signum: int, frame: object) -> None:
        raise SystemExit(128 + signum)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as `nohup` leaves it
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """While this lasts, Ctrl-C waits, so that what is interrupted ends with a whole line.

    A second one does not: nobody may read.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def note(signum: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt
