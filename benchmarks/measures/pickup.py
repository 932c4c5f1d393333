"""An idle worker: how soon it notices a job, and what it costs while there is none."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import CORE, GIGQ, HUEY, Figure
from benchmarks.large import connect_to_read
from benchmarks.peers import Peer, Spec, all_peers
from benchmarks.processes import Process, cpu_seconds, wait_for

PICKUP_MS = 10.0
IDLE_PERCENT = 0.5
# How many jobs to send in one run: GigQ looks every 5 s, so few have to do.
JOBS_PER_RUN = {CORE: 10, HUEY: 4, GIGQ: 2}
IDLE_S = (0.5, 1.5)
SETTLE_S = 2.0


def pickup(bench: Bench) -> list[Figure]:
    """Latency from the call of `submit` to the first line of the function, and idle CPU."""
    latency = Figure(
        "pickup",
        "idle worker, p50",
        "ms",
        more_is_better=False,
        target=f"{PICKUP_MS:.0f} ms",
        notes=["from the call of submit to the job's first line, so a commit is in it"],
    )
    takes = {peer.name: _latency(bench, peer, latency) for peer in all_peers()}
    everything: dict[str, list[float]] = {}

    def one(name: str) -> Callable[[], float]:
        def take() -> float:
            samples = takes[name]()
            everything.setdefault(name, []).extend(samples)
            return sorted(samples)[len(samples) // 2]

        return take

    bench.alternate({name: one(name) for name in takes}, latency.notes)
    latency.samples = everything
    latency.judge_limit(PICKUP_MS)
    ours = sorted(everything.get(CORE, []))
    if ours:
        latency.notes.append(f"ours, slowest of {len(ours)}: {ours[-1]:.1f} ms")

    idle = Figure(
        "pickup",
        "CPU while idle, worker and children",
        "% of a core",
        more_is_better=False,
        target=f"{IDLE_PERCENT} %",
    )
    idle.samples = bench.alternate(
        {peer.name: _idle(bench, peer) for peer in all_peers()}, idle.notes, min(bench.runs, 3)
    )
    idle.judge_limit(IDLE_PERCENT)
    return [latency, idle]


def _latency(bench: Bench, peer: Peer, figure: Figure) -> Callable[[], list[float]]:
    def take() -> list[float]:
        with bench.place(f"pickup-{peer.name}") as folder:
            path = folder / "jobs.db"
            peer.create(path)
            figure.durability[peer.name] = peer.synchronous(path)
            peer.fill(path, [Spec()])
            reader = connect_to_read(path)
            try:
                mark = peer.mark(reader)
                with peer.worker(path, 1) as process:
                    _wait_until_ran(peer, reader, mark, process)
                    count = 1 if bench.quick and peer.name == GIGQ else JOBS_PER_RUN[peer.name]
                    return [_one_job(peer, path, reader, process) for _ in range(count)]
            finally:
                reader.close()
                peer.close(path)

    return take


def _one_job(peer: Peer, path: Path, reader: sqlite3.Connection, process: Process) -> float:
    time.sleep(random.uniform(*IDLE_S))
    mark = peer.mark(reader)
    started = time.time_ns()
    peer.submit(path)
    _wait_until_ran(peer, reader, mark, process)
    return (peer.stamps(reader, mark)[-1] - started) / 1e6


def _wait_until_ran(peer: Peer, reader: sqlite3.Connection, mark: int, process: Process) -> None:
    def ran() -> bool:
        process.check()
        return peer.count(reader, mark) >= 1

    wait_for(ran, 30, "the job's end")


def _idle(bench: Bench, peer: Peer) -> Callable[[], float]:
    seconds = bench.size(10, 3)

    def take() -> float:
        with bench.place(f"idle-{peer.name}") as folder:
            path = folder / "jobs.db"
            peer.create(path)
            peer.fill(path, [Spec()])
            reader = connect_to_read(path)
            mark = peer.mark(reader)
            peer.close(path)
            with peer.worker(path, 1) as process:
                _wait_until_ran(peer, reader, mark, process)
                reader.close()
                time.sleep(SETTLE_S)
                before = cpu_seconds(process.pid)
                started = time.perf_counter()
                time.sleep(seconds)
                used = cpu_seconds(process.pid) - before
                return 100 * used / (time.perf_counter() - started)

    return take
