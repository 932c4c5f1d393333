"""The table, and what is written as JSON."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.figures import APSCHEDULER, CORE, GIGQ, HUEY, RAW, Figure

PEERS = (CORE, GIGQ, HUEY, APSCHEDULER, RAW)
_VERDICTS = {True: ("met", "green"), False: ("missed", "red"), None: ("-", "dim")}


def print_table(console: Console, figures: list[Figure]) -> None:
    """Draw the figures, then their notes."""
    table = Table(title="Medians; x: how many times as good as the peer", title_justify="left")
    table.add_column("measure", no_wrap=True)
    table.add_column("what", min_width=14)
    table.add_column("unit")
    for heading in (*PEERS, f"x {GIGQ}", f"x {RAW}"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("target")
    table.add_column("", no_wrap=True)
    for figure in figures:
        words, style = _VERDICTS[figure.met]
        table.add_row(
            figure.measure,
            figure.what,
            figure.unit,
            *(_cell(figure, peer) for peer in PEERS),
            number(figure.ratio(GIGQ)),
            number(figure.ratio(RAW)),
            figure.target,
            Text(words, style=style),
        )
    console.print(table)
    for line in durability_lines(figures):
        console.print(line, markup=False, highlight=False)
    for figure in figures:
        for note in figure.notes:
            console.print(f"{figure.measure}: {note}", markup=False, highlight=False)


def durability_lines(figures: list[Figure]) -> list[str]:
    """One line for each way in which the peers of a figure wrote."""
    lines: dict[str, list[str]] = {}
    for figure in figures:
        if figure.durability:
            told = ", ".join(f"{peer} {how}" for peer, how in figure.durability.items())
            names = lines.setdefault(told, [])
            if figure.measure not in names:
                names.append(figure.measure)
    return [f"synchronous: {told} ({', '.join(names)})" for told, names in lines.items()]


def number(value: float | None) -> str:
    """Three significant digits, thousands in groups."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _cell(figure: Figure, peer: str) -> str:
    return figure.stated.get(peer) or number(figure.median(peer))


def write_json(path: Path, figures: list[Figure], fsync_s: float, runs: int, quick: bool) -> None:
    """Everything that was measured, and on what."""
    content = {
        "made_at": datetime.now().isoformat(timespec="seconds"),
        "runs": runs,
        "quick": quick,
        "machine": machine(fsync_s),
        "figures": [figure.as_json() for figure in figures],
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def machine(fsync_s: float) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": ".".join(map(str, sys.version_info[:3])),
        "sqlite": sqlite3.sqlite_version,
        "fsync_ms": round(fsync_s * 1000, 3),
        "load": [round(load, 2) for load in os.getloadavg()],
        **{name: _version(name) for name in ("gigq", "huey")},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
