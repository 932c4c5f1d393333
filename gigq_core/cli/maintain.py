"""The commands about the file itself: attach, detach, doctor."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigq_core.cli.errors import EXIT_REFUSED, Trouble, sentences
from gigq_core.cli.options import json_option
from gigq_core.cli.output import say, table, warn, write_json
from gigq_core.cli.settings import Settings
from gigq_core.errors import DatabaseBusy, HiddenJobs
from gigq_core.schema import filling
from gigq_core.text import inert

if TYPE_CHECKING:
    from gigq_core.inspection.doctor import Finding

SHOWN_ORPHANS = 20
# Seconds between two lines that say how far it has come.
TELL_EVERY_S = 2.0
_FINDING_HEADERS = ("LEVEL", "CHECK", "FOUND")
_LEVEL_STYLES = {"fine": "green", "warning": "yellow", "wrong": "bold red"}

_file_argument = click.argument(
    "file", required=False, type=click.Path(path_type=Path), metavar="[FILE]"
)


@click.command(short_help="Add what this package needs to a file that GigQ wrote.")
@_file_argument
@json_option
@click.pass_obj
def attach(settings: Settings, file: Path | None, as_json: bool) -> None:
    """Add this package's tables to a file that GigQ wrote. GigQ can go on using it.

    FILE may be given here instead of --db.

    A large file is attached in a moment, and the times of its past jobs are filled in afterwards,
    in short steps: others go on meanwhile. If it is interrupted, it continues the next time, or
    when a worker runs.

    JSON: {"file", "attached": true, "missing_parents": [{"id", "name", "parent_id"}]}: the jobs
    whose missing parents count as completed, as they do for GigQ.
    """
    from gigq_core.schema.attach import open_for_work
    from gigq_core.schema.view_statements import WAIVED_PARENTS

    path = file or settings.db
    with sentences(path):
        conn = open_for_work(path, create=False)
        try:
            waived = conn.execute(WAIVED_PARENTS).fetchall()
            _fill_in(conn)
        finally:
            conn.close()
    if as_json:
        missing = [{"id": row[0], "name": row[1], "parent_id": row[2]} for row in waived]
        write_json({"file": str(path), "attached": True, "missing_parents": missing})
        return
    say(f"{inert(path)} is attached.")
    for job_id, name, parent_id in waived[:SHOWN_ORPHANS]:
        say(
            f"Job {inert(job_id)} ({inert(json.dumps(name))}) depends on {inert(parent_id)}, which "
            "is not in the file: it counts as completed, as it does for GigQ."
        )
    if len(waived) > SHOWN_ORPHANS:
        say(f"… and {len(waived) - SHOWN_ORPHANS} more dependencies on jobs that are missing.")


def _fill_in(conn: sqlite3.Connection) -> None:
    """Fill in what is left of the past, and tell now and then how long that takes."""
    began = told = time.monotonic()
    first = 0
    for rows in filling.fill_all(conn):
        first = first or rows
        now = time.monotonic()
        if now - told >= TELL_EVERY_S and rows < first:
            told = now
            left_s = (now - began) / (first - rows) * rows
            warn(f"Filling in the times of past jobs: {rows:,} rows left, about {left_s:.0f} s.")
    if told > began:
        warn(f"The times of past jobs are filled in, in {time.monotonic() - began:.0f} s.")


@click.command(short_help="Take everything of this package out of the file.")
@_file_argument
@click.option(
    "--force",
    is_flag=True,
    help="Even if jobs wait that GigQ's workers would run without their limits.",
)
@json_option
@click.pass_obj
def detach(settings: Settings, file: Path | None, force: bool, as_json: bool) -> None:
    """Take everything of this package out of the file again.

    FILE may be given here instead of --db. It is refused while one of this package's workers lives,
    and while jobs wait that are for these workers alone: GigQ would run them without their limits.
    Schedules, hooks, the rules of lanes and the ages of retention go with it, and it says so.

    JSON: {"file", "attached": false}.
    """
    from gigq_core.schema.attach import detach as detach_file

    path = file or settings.db
    with sentences(path):
        try:
            gone = detach_file(path, force)
        except (DatabaseBusy, HiddenJobs) as problem:
            raise Trouble(str(problem)) from None
    if as_json:
        write_json({"file": str(path), "attached": False})
    else:
        say(f"{inert(path)} is detached: it is a plain GigQ file again.")
    told = [
        f"{n:,} {one if n == 1 else many}"
        for n, one, many in (
            (gone.schedules, "schedule", "schedules"),
            (gone.hooks, "hook", "hooks"),
            (gone.lane_rules, "rule of lanes", "rules of lanes"),
        )
        if n
    ]
    told += ["how long jobs stay"] if gone.keeps else []
    if told:
        warn(f"Gone with it: {', '.join(told)}.")


@click.command(short_help="Look for what is wrong with the file, or soon will be.")
@_file_argument
@json_option
@click.pass_obj
def doctor(settings: Settings, file: Path | None, as_json: bool) -> None:
    """Check the file for trouble, now or soon. Nothing in it is changed.

    FILE may be given here instead of --db. The exit code is 1 if something is wrong, and 0 if there
    are only warnings.

    JSON: {"file", "wrong", "findings": [{"check", "level", "text"}]}, a level being "fine",
    "warning" or "wrong".
    """
    from gigq_core.inspection.doctor import Level, examine

    path = file or settings.db
    with sentences(path):
        findings = examine(path)
    wrong = any(finding.level is Level.WRONG for finding in findings)
    if as_json:
        found = [{"check": f.check, "level": f.level.value, "text": f.text} for f in findings]
        write_json({"file": str(path), "wrong": wrong, "findings": found})
    elif sys.stdout.isatty():
        draw_findings(findings)
    else:
        table(_FINDING_HEADERS, [(f.level.value, f.check, f.text) for f in findings])
    if wrong:
        raise click.exceptions.Exit(EXIT_REFUSED)


def draw_findings(findings: Sequence[Finding]) -> None:
    """Sentences are wrapped, never cut: each ends with what to do."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    for header in _FINDING_HEADERS:
        drawn.add_column(header, no_wrap=header != _FINDING_HEADERS[-1], overflow="fold")
    for finding in findings:
        level = finding.level.value
        drawn.add_row(
            Text(level, style=_LEVEL_STYLES[level]), Text(finding.check), Text(inert(finding.text))
        )
    Console().print(drawn)
