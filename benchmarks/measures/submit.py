"""Putting jobs in: one by one, and many at once."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks import jobs, raw
from benchmarks.bench import Bench
from benchmarks.figures import CORE, GIGQ, HUEY, RAW, Figure
from benchmarks.peers import Peer, all_peers
from gigq_core import Job, JobQueue

ONE_BY_ONE = "gigq_core, one by one"


def single(bench: Bench) -> list[Figure]:
    """1,000 calls of `submit`, from one process."""
    figure = Figure("submit-single", "one by one", "jobs/s", target=f"0.8 x {GIGQ}")
    n = bench.size(1000, 200)
    takes = {peer.name: _one_by_one(bench, figure, peer, n) for peer in all_peers()}

    def take_raw() -> float:
        figure.durability[RAW] = "FULL"
        with bench.place("submit-raw") as folder:
            return raw.submit_rate(folder / "jobs.db", n, 1)

    takes[RAW] = take_raw
    figure.samples = bench.alternate(takes, figure.notes)
    figure.judge_ratio(GIGQ, 0.8)
    return [figure]


def bulk(bench: Bench) -> list[Figure]:
    """10,000 jobs in one `submit_many`, the making of the jobs included."""
    figure = Figure("submit-bulk", "submit_many", "jobs/s", target="10 x our own single submit")
    n = bench.size(10_000, 2_000)

    def take() -> float:
        with bench.place("submit-bulk") as folder:
            queue = JobQueue(folder / "jobs.db")
            started = time.perf_counter()
            queue.submit_many([Job("job", jobs.stamp) for _ in range(n)])
            took = time.perf_counter() - started
            queue.close()
            return n / took

    def take_raw() -> float:
        figure.durability[RAW] = "FULL"
        with bench.place("submit-raw") as folder:
            return raw.submit_rate(folder / "jobs.db", n, n)

    ours = next(peer for peer in all_peers() if peer.name == CORE)
    takes = {
        CORE: take,
        ONE_BY_ONE: _one_by_one(bench, figure, ours, bench.size(1000, 200)),
        RAW: take_raw,
    }
    figure.samples = bench.alternate(takes, figure.notes)
    figure.stated = {GIGQ: "none", HUEY: "none"}
    figure.judge_ratio(ONE_BY_ONE, 10)
    ratio = figure.ratio(ONE_BY_ONE)
    if ratio is not None:
        figure.notes.append(
            f"ours one by one: {figure.median(ONE_BY_ONE) or 0:,.0f} jobs/s, so {ratio:.1f} times"
        )
    return [figure]


def _one_by_one(bench: Bench, figure: Figure, peer: Peer, n: int) -> Callable[[], float]:
    def take() -> float:
        with bench.place(f"submit-{peer.name}") as folder:
            path = folder / "jobs.db"
            peer.create(path)
            figure.durability[peer.name] = peer.synchronous(path)
            started = time.perf_counter()
            for _ in range(n):
                peer.submit(path)
            took = time.perf_counter() - started
            peer.close(path)
            return n / took

    return take
