"""`doctor`: what is wrong, or soon will be, with a queue file and the place it lies in."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigq_core.cli.errors import EXIT_REFUSED, sentences
from gigq_core.cli.options import json_option
from gigq_core.cli.output import table, write_json
from gigq_core.cli.settings import Settings
from gigq_core.text import inert

if TYPE_CHECKING:
    from gigq_core.doctor import Finding

_HEADERS = ("LEVEL", "CHECK", "FOUND")
_LEVEL_STYLES = {"fine": "green", "warning": "yellow", "wrong": "bold red"}


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@json_option
@click.pass_obj
def doctor(settings: Settings, file: Path | None, as_json: bool) -> None:
    """Look for what is wrong, or soon will be, with the file; nothing in it is changed.

    FILE may stand here instead of --db. Exit code 1 tells that something is wrong; warnings alone
    leave it 0.

    JSON: {"file", "wrong", "findings": [{"check", "level", "text"}]}, a level being "fine",
    "warning" or "wrong".
    """
    from gigq_core.doctor import Level, examine

    path = file or settings.db
    with sentences(path):
        findings = examine(path)
    wrong = any(finding.level is Level.WRONG for finding in findings)
    if as_json:
        found = [{"check": f.check, "level": f.level.value, "text": f.text} for f in findings]
        write_json({"file": str(path), "wrong": wrong, "findings": found})
    elif sys.stdout.isatty():
        _draw(findings)
    else:
        table(_HEADERS, [(f.level.value, f.check, f.text) for f in findings])
    if wrong:
        raise click.exceptions.Exit(EXIT_REFUSED)


def _draw(findings: Sequence[Finding]) -> None:
    """Sentences are wrapped, never cut: each ends with what to do."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    for header in _HEADERS:
        drawn.add_column(header, no_wrap=header != _HEADERS[-1], overflow="fold")
    for finding in findings:
        level = finding.level.value
        drawn.add_row(
            Text(level, style=_LEVEL_STYLES[level]), Text(finding.check), Text(inert(finding.text))
        )
    Console().print(drawn)
