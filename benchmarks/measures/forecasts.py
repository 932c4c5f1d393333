"""How far off the forecast is: on made histories, and on the demo with real workers."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from statistics import median

from benchmarks.bench import Bench
from benchmarks.figures import CORE, Figure
from benchmarks.histories import MADE, MARKS, Told, late_change, play
from benchmarks.processes import Process, wait_for
from gigq_core import JobQueue
from gigq_core.forecasting.outlook import Outlook
from gigq_core.units.spread import Spread
from gigq_tui.demo import inbox, orders, prepare, source
from gigq_tui.demo.plan import workflow

WITHIN = 30.0
DEMO_TIMEOUT_S = 1_800.0
_OVER = "SELECT count(*) FROM jobs WHERE status IN ('completed', 'failed', 'timeout', 'cancelled')"
_LEFT = """
SELECT count(*) FROM jobs
WHERE status = 'running' OR (status = 'pending' AND retry_after IS NOT '9999-12-31T23:59:59')"""


def forecasts(bench: Bench) -> list[Figure]:
    """How far the forecast at 25, 50 and 75 % of the jobs is off what was left then, in percent."""
    figures = []
    for make in (*MADE, late_change):
        for before in (60, 0):
            told = []
            for seed in range(max(3, bench.runs)):
                random = Random(seed)
                history = make(random)
                told += play(history, random, runs_before=before)
            name = f"{history.name}, {before or 'no'} runs before"
            figures += _figures(name, told, judged=make in MADE)
    figures += _demo(bench)
    return figures


def _figures(name: str, told: list[Told], *, judged: bool) -> list[Figure]:
    figures = []
    for mark in MARKS:
        mine = [each for each in told if each.mark == mark]
        figure = Figure(
            "forecast",
            f"{name}: error at {mark:.0%}",
            "%",
            {CORE: [100 * each.error for each in mine]} if mine else {},
            more_is_better=False,
            target=f"{WITHIN:g} %" if judged else "",
        )
        if mine:
            covered = sum(each.covers for each in mine)
            figure.notes.append(f"within its spread in {covered} of {len(mine)}")
        if judged:
            figure.judge_limit(WITHIN)
        figures.append(figure)
    return figures


def _demo(bench: Bench) -> list[Figure]:
    told: dict[str, list[Told]] = {"first run": [], "second run": []}
    with bench.place("demo") as folder:
        session = prepare(folder / "demo")
        argv = [sys.executable, "-m", "gigq_core", "--db", str(session.db_path), "worker"]
        with contextlib.ExitStack() as workers:
            for number in range(session.workers):
                log = folder / f"worker{number}.log"
                workers.enter_context(Process([*argv, "--chdir", str(session.folder)], log))
            told["first run"] = _followed(session.db_path, 0, bench.say)
            # Once more, with what is known now.
            over = _count(session.db_path, _OVER)
            library = source.library_folder()
            again = folder / "again"
            again.mkdir()
            files, placed = inbox.fill(again, library), orders.fill(again)
            with closing(JobQueue(session.db_path)) as queue:
                workflow(library, source.packages(library), files, placed).submit_all(queue)
            told["second run"] = _followed(session.db_path, over, bench.say)
    figures = []
    for run, each in told.items():
        figures += _figures(f"the demo, {session.workers} workers, {run}", each, judged=True)
    return figures


def _followed(path: Path, over_before: int, say: Callable[[str], None]) -> list[Told]:
    """Forecast at each mark, and wait until nothing runs any more."""
    total = _count(path, "SELECT count(*) FROM jobs") - over_before
    marks = list(MARKS)
    said: list[tuple[float, float, Spread]] = []
    outlook = Outlook(only_now=True)

    def is_over() -> bool:
        over = _count(path, _OVER) - over_before
        if marks and over >= marks[0] * total:
            mark = marks.pop(0)
            end = _foretold(path, outlook)
            if end is not None:
                said.append((mark, time.monotonic(), end))
        return over > 0 and not _count(path, _LEFT)

    wait_for(is_over, DEMO_TIMEOUT_S, "the end of the demo", every_s=0.2)
    now = time.monotonic()
    told = [Told(mark, end, now - at) for mark, at, end in said]
    for each in told:
        spread = ", ".join(f"{value:.0f}" for value in each.said)
        say(f"  {each.mark:.0%}: said {spread} s, took {each.left_s:.0f} s")
    return told


def _foretold(path: Path, outlook: Outlook) -> Spread | None:
    with closing(_read(path)) as conn:
        steps = outlook.read(conn, time.time())
        while True:
            try:
                next(steps)
            except StopIteration as ended:
                found, _ = ended.value
                return found.end  # type: ignore[no-any-return]


def _count(path: Path, statement: str) -> int:
    with closing(_read(path)) as conn:
        return int(conn.execute(statement).fetchone()[0])


def _read(path: Path) -> sqlite3.Connection:
    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    conn.row_factory = sqlite3.Row
    return conn


def worst(told: list[Told]) -> float:
    """The median error at the mark where it is largest, as a share."""
    return max(median(each.error for each in told if each.mark == mark) for mark in MARKS)
