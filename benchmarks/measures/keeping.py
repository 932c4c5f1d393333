"""What it costs others that old jobs go: the rate of a drain, and how long a writer waits."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import quantiles

from benchmarks import large
from benchmarks.bench import Bench
from benchmarks.burst import run_burst
from benchmarks.figures import CORE, Figure
from benchmarks.large import connect_to_read
from benchmarks.peers import Peer, Spec, all_peers
from gigq_core import JobQueue

SLOTS = 4
AT_LEAST = 0.95
WITHOUT = "without"
# Between two tries of a writer, and between two looks whether it may, in seconds.
TRY_EVERY_S = 0.005
LOOK_EVERY_S = 0.0002
_OLD = "UPDATE jobs SET created = 1, began = 1, ended = 1 WHERE status = 'completed'"
_COUNT = "SELECT count(*) FROM jobs WHERE ended = 1"


def keeping(bench: Bench) -> list[Figure]:
    """A drain, and a writer beside it, while 1,000,000 old jobs go, and while none do."""
    old, n = bench.size(1_000_000, 20_000), bench.size(4_000, 200)
    rate = Figure(
        "keeping",
        f"{SLOTS} slots, while {old:,} old jobs go",
        "jobs/s",
        target=f"{AT_LEAST:g} x without",
    )
    waits = Figure(
        "keeping",
        "a writer's wait for the lock, p99",
        "ms",
        more_is_better=False,
    )
    (ours,) = (peer for peer in all_peers() if peer.name == CORE)
    with bench.place("keeping") as folder:
        bench.say(f"  building {old:,} jobs")
        large.build(folder / "original.db", completed=old)
        path = folder / "jobs.db"
        ours.load(path, folder / "original.db", 0, old)
        with closing(sqlite3.connect(path, isolation_level=None)) as conn:
            conn.execute(_OLD)
        takes: dict[str, Callable[[], float]] = {
            name: lambda name=name: _take(rate, waits, ours, path, n, name)  # type: ignore[misc]
            for name in (CORE, WITHOUT)
        }
        rate.samples = bench.alternate(takes, rate.notes)
        rate.durability[CORE] = ours.synchronous(path)
        ours.close(path)
    rate.judge_ratio(WITHOUT, AT_LEAST)
    return [rate, waits]


def _take(rate: Figure, waits: Figure, ours: Peer, path: Path, n: int, name: str) -> float:
    queue = JobQueue(path)
    queue.keep(completed="1d" if name == CORE else "forever")
    queue.close()
    before = _left(path)
    with _writer(path) as waited:
        burst = run_burst(ours, path, n, specs=[Spec()] * n, slots=SLOTS)
    gone = before - _left(path)
    if len(waited) > 1:
        p99 = 1000 * quantiles(waited, n=100)[-1]
        waits.samples.setdefault(name, []).append(p99)
        waits.notes.append(
            f"{name}: p99 {p99:.1f} ms, the longest {1000 * max(waited):.1f} of {len(waited):,}"
        )
    rate.notes.append(f"{name}: {gone:,} old jobs went meanwhile")
    return burst.rate


@contextmanager
def _writer(path: Path) -> Iterator[list[float]]:
    """Somebody who wants to write now and then; gets how long each wait was, in seconds."""
    over, waited = threading.Event(), []

    def write() -> None:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as conn:
            while not over.wait(TRY_EVERY_S):
                began = time.monotonic()
                while True:
                    try:
                        conn.execute("BEGIN IMMEDIATE")
                        break
                    except sqlite3.OperationalError:
                        time.sleep(LOOK_EVERY_S)
                waited.append(time.monotonic() - began)
                conn.execute("ROLLBACK")

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield waited
    finally:
        over.set()
        thread.join()


def _left(path: Path) -> int:
    with closing(connect_to_read(path)) as conn:
        n: int = conn.execute(_COUNT).fetchone()[0]
        return n
