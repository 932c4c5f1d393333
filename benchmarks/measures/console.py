"""What the console sends over the line, and how soon it is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import CORE, Figure
from benchmarks.processes import Trouble
from benchmarks.terminal import COLUMNS, ROWS, Line
from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference

JOBS = 60
IDLE_S = 5.0
KB = 1024
# The keys that lead to a place, and the figure that follows once they have been drawn.
STEPS: tuple[tuple[str, str, float | None], ...] = (
    ("a cursor step", "j", 4.0),
    ("a page down", "\x06\x04", None),
    ("a question", "c", 3.0),
    ("its answer", "n", 3.0),
    ("another tab", "2", None),
    ("the job's screen", "\r", None),
    ("back", "\x1b", None),
    ("the workers", "w", None),
    ("back again", "\x1b", None),
    ("the overview", "o", None),
    ("back from there", "\x1b", None),
    ("the form", "n", None),
    ("one character in it", "a", 3.0),
)


def console(bench: Bench) -> list[Figure]:
    """Bytes of the first paint, of rest, of a change and of each step; time to the first paint."""
    started = Figure("console", "start to first paint", "ms", more_is_better=False)
    figures = {
        what: Figure(
            "console",
            f"{what}, {COLUMNS}x{ROWS}",
            "KB",
            more_is_better=False,
            target="" if limit is None else f"{limit:g} KB",
        )
        for what, limit in (
            ("first paint", 70.0),
            ("first paint, ansi", 35.0),
            ("first paint, light", None),
            ("5 s of rest", 0.0),
            ("one changed cell", 1.5),
            *((what, limit) for what, _, limit in STEPS),
        )
    }
    with bench.place("console") as folder:
        path = _fill(folder / "jobs.db")
        for run in range(bench.runs):
            bench.say(f"  run {run + 1}")
            try:
                _one_run(path, started, figures)
            except Trouble as problem:
                started.notes.append(f"run {run + 1} broke off: {problem}")
    for figure in figures.values():
        if figure.target:
            figure.judge_limit(float(figure.target.split()[0]))
    return [started, *figures.values()]


def _fill(path: Path) -> Path:
    queue = JobQueue(path)
    where = FunctionReference("benchmarks.jobs", "stamp")
    queue.submit_many(Job(f"job_{number:03d}", where) for number in range(JOBS))
    queue.close()
    return path


def _one_run(path: Path, started: Figure, figures: dict[str, Figure]) -> None:
    def note(what: str, octets: int) -> None:
        figures[what].samples.setdefault(CORE, []).append(octets / KB)

    for theme in ("ansi", "light"):
        with Line(path, theme) as line:
            note(f"first paint, {theme}", line.first_paint_bytes)
    with Line(path) as line:
        started.samples.setdefault(CORE, []).append(line.first_paint_s * 1000)
        note("first paint", line.first_paint_bytes)
        note("5 s of rest", line.read(IDLE_S))
        note("one changed cell", _after(line, lambda: _change(path)))
        for what, keys, _ in STEPS:
            note(what, line.press(keys))


def _after(line: Line, change: Callable[[], None]) -> int:
    change()
    return line.read(1.5)


def _change(path: Path) -> None:
    """One number in the newest row, by a program that is not ours."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE jobs SET attempts = attempts + 1 WHERE rowid = (SELECT max(rowid) FROM jobs)"
        )
