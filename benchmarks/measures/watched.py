"""What a console that stands open costs: a refresh of a large queue, and the workers' jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from statistics import median

from benchmarks.bench import Bench
from benchmarks.figures import CORE, Figure
from benchmarks.large import build, connect_to_read
from benchmarks.peers import Peer, Spec, all_peers
from benchmarks.processes import Trouble, cpu_seconds, wait_for
from benchmarks.terminal import Line
from gigq_core.schema.attach import open_for_work
from gigq_tui.store.list.view import View
from gigq_tui.store.reader import Reader

REFRESHES = 40
MOST_REFRESH_MS = 5.0
MOST_MORE = 1.05
SLOTS = 4
# Eight slots, as if they were at work: else there is nothing to forecast.
_WORKER = """
INSERT INTO core_workers (id, owner, host, pid, pid_started, boot_id, pid_namespace, isolation,
                          slots, state, started_at)
VALUES ('w', 'bench', 'here', 1, '1', 'b', 'n', 'process', 8, 'running', '2026-01-01T00:00:00')"""


def refresh(bench: Bench) -> list[Figure]:
    """Processor time of a refresh with 1,000,000 jobs pending, and of one step of the forecast."""
    figure = Figure(
        "refresh-1m",
        "a refresh, CPU",
        "ms",
        more_is_better=False,
        target=f"{MOST_REFRESH_MS:g} ms",
    )
    step = Figure("refresh-1m", "the longest step of a forecast", "ms", more_is_better=False)
    with bench.place("refresh") as folder:
        path = folder / "jobs.db"
        build(path, pending=bench.size(1_000_000, 10_000), completed=1_000)
        with closing(open_for_work(path, create=True)) as conn:
            conn.execute(_WORKER)
        with closing(Reader(path, is_dead=lambda process: False)) as reader:
            for _ in range(bench.runs):
                took = []
                for _ in range(REFRESHES):
                    began = time.process_time()
                    reader.snapshot(View())
                    took.append(1000 * (time.process_time() - began))
                figure.samples.setdefault(CORE, []).append(median(took))
                steps = [0.0]
                while reader.forecast_in() == 0.0:
                    began = time.process_time()
                    reader.look_ahead()
                    steps.append(1000 * (time.process_time() - began))
                step.samples.setdefault(CORE, []).append(max(steps))
    figure.judge_limit(MOST_REFRESH_MS)
    return [figure, step]


def drain(bench: Bench) -> list[Figure]:
    """Processor time of the workers for each job, alone and with a console open on the file."""
    (ours,) = (peer for peer in all_peers() if peer.name == CORE)
    figure = Figure(
        "watched",
        f"{SLOTS} slots, CPU a job, with a console open",
        "ms",
        more_is_better=False,
        target=f"at most {MOST_MORE} x without",
    )
    takes: dict[str, Callable[[], float]] = {
        CORE: lambda: _cost(bench, ours, watched=True),
        "without": lambda: _cost(bench, ours, watched=False),
    }
    figure.samples = bench.alternate(takes, figure.notes)
    ratio = figure.ratio("without")
    figure.met = None if ratio is None else ratio >= 1 / MOST_MORE
    return [figure]


@contextmanager
def _read(line: Line) -> Iterator[None]:
    """Take in what the console sends: else it waits for its terminal."""
    over = threading.Event()

    def read() -> None:
        with suppress(Trouble):
            while not over.is_set():
                line.read(0.02)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _cost(bench: Bench, peer: Peer, *, watched: bool) -> float:
    jobs = bench.size(4_000, 200)
    with bench.place("watched") as folder, ExitStack() as stack:
        path = folder / "jobs.db"
        peer.create(path)
        peer.fill(path, [Spec()] * jobs)
        if watched:
            stack.enter_context(_read(stack.enter_context(Line(path))))
        worker = stack.enter_context(peer.worker(path, SLOTS, None, "worker"))
        reader = connect_to_read(path)
        stack.callback(reader.close)

        def left() -> int:
            found = reader.execute("SELECT count(*) FROM jobs WHERE status <> 'completed'")
            return int(found.fetchone()[0])

        wait_for(lambda: left() < jobs - 100, 120, "the first jobs")
        began, before = left(), cpu_seconds(worker.pid)
        wait_for(lambda: left() < 100, 300, "the last jobs")
        return 1000 * (cpu_seconds(worker.pid) - before) / (began - left())
