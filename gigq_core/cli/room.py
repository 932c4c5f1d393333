"""The commands about room: `size` says what takes it, `compact` gives back what is not used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigq_core.cli.errors import Trouble, sentences
from gigq_core.cli.options import json_option
from gigq_core.cli.output import say, write_json
from gigq_core.cli.settings import Settings
from gigq_core.errors import DatabaseBusy
from gigq_core.units.sizes import size_words

if TYPE_CHECKING:
    from gigq_core.keeping.file_size import FileSize, Folder

_file_argument = click.argument(
    "file", required=False, type=click.Path(path_type=Path), metavar="[FILE]"
)


@click.command(short_help="Say what takes the room of the file.")
@_file_argument
@json_option
@click.pass_obj
def size(settings: Settings, file: Path | None, as_json: bool) -> None:
    """Show what fills the file, and the folders beside it.

    FILE may be given here instead of --db. It takes a few seconds at most, however large the file
    is: what is estimated from some of the rows is marked with "about".

    JSON: {"file", "size", "wal", "free", "jobs", "attempts", "shares": [{"name", "within", "size",
    "rows", "estimate"}], "logs" and "archive": {"path", "size", "files", "whole"} or null, "note"}.
    Sizes are in bytes.
    """
    from gigq_core.keeping.file_size import read_file_size

    path = file or settings.db
    with sentences(path):
        found = read_file_size(path)
    if as_json:
        write_json(_as_json(found))
        return
    lines = list(_lines(found))
    wide = max(len(label) for label, _, _ in lines)
    most = max(len(amount) for _, amount, _ in lines)
    for label, amount, words in lines:
        say(f"{label:<{wide}}  {amount:>{most}}  {words}".rstrip())
    if found.note:
        say(f"{found.note}: the shares are estimated from some of the rows.")


@click.command(short_help="Give back to the disk what the file no longer uses.")
@_file_argument
@click.option("--force", is_flag=True, help="Even while jobs run under GigQ's workers.")
@json_option
@click.pass_obj
def compact(settings: Settings, file: Path | None, force: bool, as_json: bool) -> None:
    """Shrink the file by the room that it no longer uses.

    FILE may be given here instead of --db. It is refused while a worker lives. Nobody can write to
    the file meanwhile, about a second for each 200 MB that it uses, and the disk must have room for
    twice what is used. If it is interrupted, the file is as it was.

    JSON: {"file", "before", "after", "seconds", "waits"}: sizes in bytes, and whether the file
    shrinks only when a program has ended that reads it.
    """
    from gigq_core.keeping.compacting import compact as compact_file

    path = file or settings.db
    with sentences(path):
        try:
            done = compact_file(path, force)
        except DatabaseBusy as problem:
            raise Trouble(str(problem)) from None
    if as_json:
        write_json(
            {
                "file": str(path),
                "before": done.before,
                "after": done.after,
                "seconds": round(done.seconds, 3),
                "waits": done.waits,
            }
        )
        return
    given = max(0, done.before - done.after)
    say(
        f"{path}: {size_words(done.before)} before, {size_words(done.after)} after: "
        f"{size_words(given)} given back in {done.seconds:.1f} s."
    )
    if done.waits:
        say("A program reads the file: it shrinks when that has ended.")


def _lines(found: FileSize) -> Iterator[tuple[str, str, str]]:
    yield found.path.name, size_words(found.size), f"{found.jobs:,} jobs"
    for share in found.shares:
        indent = "    " if share.within else "  "
        about = "about " if share.is_estimate else ""
        words = f"{share.rows:,} rows" if share.rows is not None else ""
        if share.name == "job_executions" and found.jobs:
            words += f", {found.attempts / found.jobs:.2f} a job"
        yield f"{indent}{share.name}", f"{about}{size_words(share.size)}", words
    words = "`gigq-core compact` gives it back" if found.free > found.size // 20 else ""
    yield "  not used", size_words(found.free), words
    yield f"{found.path.name}-wal", size_words(found.wal), ""
    yield _folder(found.logs, found.logs.path.name)
    if found.archive is not None:
        yield _folder(found.archive, "archive", f" in {found.archive.path}")


def _folder(folder: Folder, label: str, where: str = "") -> tuple[str, str, str]:
    more = "" if folder.is_whole else "more than "
    files = "1 file" if folder.files == 1 else f"{folder.files:,} files"
    return label, f"{more}{size_words(folder.size)}", f"{files}{where}"


def _as_json(found: FileSize) -> dict[str, object]:
    def folder(part: Folder | None) -> dict[str, object] | None:
        if part is None:
            return None
        return {
            "path": str(part.path),
            "size": part.size,
            "files": part.files,
            "whole": part.is_whole,
        }

    return {
        "file": str(found.path),
        "size": found.size,
        "wal": found.wal,
        "free": found.free,
        "jobs": found.jobs,
        "attempts": found.attempts,
        "shares": [
            {
                "name": share.name,
                "within": share.within or None,
                "size": share.size,
                "rows": share.rows,
                "estimate": share.is_estimate,
            }
            for share in found.shares
        ],
        "logs": folder(found.logs),
        "archive": folder(found.archive),
        "note": found.note or None,
    }
