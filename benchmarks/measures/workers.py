"""Several worker processes on one file: the rate, fairness, and the wait for the write lock."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.burst import Burst, run_burst
from benchmarks.figures import CORE, HUEY, Figure
from benchmarks.peers import Peer, Spec, all_peers
from benchmarks.peers.core import CorePeer

ALONE = "gigq_core, one process"
LOCK_WAIT_P99_MS = 50.0
LARGEST_SHARE = 3.0
LEAST_OF_OWN = 0.7


class _TracedCore(CorePeer):
    """Our worker, with the wait for the write lock written down at its end."""

    def worker_argv(self, path: Path, slots: int, options: list[str]) -> list[str]:
        return ["-m", "benchmarks.traced", str(path.parent), *super().worker_argv(path, slots, [])]


def two(bench: Bench) -> list[Figure]:
    """Two worker processes of one slot each."""
    return _several(bench, 2)


def four(bench: Bench) -> list[Figure]:
    """Four worker processes of one slot each."""
    return _several(bench, 4)


def _several(bench: Bench, workers: int) -> list[Figure]:
    name = f"workers-{workers}"
    rate = Figure(
        name,
        f"{workers} x 1 slot",
        "jobs/s",
        target=f"{LEAST_OF_OWN} x one process of ours",
    )
    shares: list[float] = []
    twice: dict[str, list[float]] = {}
    takes = {}

    def add(label: str, peer: Peer, processes: int) -> None:
        def take() -> float:
            burst = _burst(bench, peer, processes, rate)
            if label != ALONE and peer.name != HUEY:
                twice.setdefault(peer.name, []).append(burst.twice)
                if peer.name == CORE:
                    shares.append(_share(burst, processes))
            return burst.rate

        takes[label] = take

    for peer in all_peers():
        add(peer.name, peer, workers)
        if peer.name == CORE:
            add(ALONE, peer, 1)
    rate.samples = bench.alternate(takes, rate.notes)
    rate.judge_ratio(ALONE, LEAST_OF_OWN)
    rate.notes.append(f"one process of ours: {rate.median(ALONE) or 0:,.0f} jobs/s")

    double = Figure(name, "jobs run twice", "jobs", twice, False, target="none")
    double.met = max(twice.get(CORE, [0.0])) == 0 if CORE in twice else None
    share = Figure(
        name,
        "most-to-least claims",
        "times",
        {CORE: shares} if shares else {},
        False,
        target=f"at most {LARGEST_SHARE:.0f}",
    )
    share.judge_limit(LARGEST_SHARE)
    return [rate, double, share, _lock_wait(bench, name, workers)]


def _burst(bench: Bench, peer: Peer, workers: int, figure: Figure) -> Burst:
    n = bench.size(2000, 300)
    with bench.place(f"workers-{peer.name}") as folder:
        path = folder / "jobs.db"
        peer.create(path)
        figure.durability.setdefault(peer.name, peer.synchronous(path))
        return run_burst(peer, path, n, specs=[Spec()] * n, workers=workers)


def _share(burst: Burst, workers: int) -> float:
    counts = list(burst.claims.values())
    if len(counts) < workers:
        return float(sum(counts))
    return max(counts) / min(counts)


def _lock_wait(bench: Bench, name: str, workers: int) -> Figure:
    figure = Figure(
        name,
        "lock wait, p99",
        "ms",
        more_is_better=False,
        target=f"{LOCK_WAIT_P99_MS:.0f} ms",
        notes=["lock wait: by workers that time each BEGIN of a write, in runs of their own"],
    )
    peer = _TracedCore()

    def take() -> float:
        waits: list[float] = []
        n = bench.size(2000, 300)
        with bench.place("traced") as folder:
            path = folder / "jobs.db"
            peer.create(path)
            run_burst(peer, path, n, specs=[Spec()] * n, workers=workers)
            for file in folder.glob("waits-*.json"):
                with suppress(ValueError):
                    waits += json.loads(file.read_text())
        if not waits:
            raise OSError("the workers wrote no waits down")
        waits.sort()
        return waits[int(len(waits) * 0.99)] * 1000

    figure.samples = bench.alternate({CORE: take}, figure.notes)
    figure.judge_limit(LOCK_WAIT_P99_MS)
    return figure
