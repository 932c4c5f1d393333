"""What a job costs when several workers share a file: processor time of all processes, and rate."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.figures import CORE, GIGQ, HUEY, Figure
from benchmarks.large import connect_to_read
from benchmarks.peers import Peer, Spec, all_peers
from benchmarks.processes import cpu_seconds, wait_for

# Ours with four workers of one slot, against one such worker.
MOST_CPU = 1.4
LEAST_RATE = 0.9
# Until the workers that warmed up have nothing left to do.
SETTLE_S = 1.5


@dataclass(frozen=True)
class Way:
    """So many worker processes of so many slots."""

    workers: int
    slots: int

    @property
    def words(self) -> str:
        """For the table."""
        return f"{self.workers} x {self.slots} slot{'s' if self.slots > 1 else ''}"


@dataclass(frozen=True)
class Cost:
    """Of one job: milliseconds of user and system time of all processes; and jobs a second."""

    cpu_ms: float
    rate: float


ONE, FOUR, SLOTS = Way(1, 1), Way(4, 1), Way(1, 4)


def sharing(bench: Bench) -> list[Figure]:
    """One worker of one slot, four of one slot, one of four: processor time a job, and the rate."""
    costs: dict[tuple[Way, str], list[Cost]] = {}
    notes: list[str] = []
    takes = {}

    def add(way: Way, peer: Peer) -> None:
        def take() -> float:
            cost = _cost(bench, peer, way)
            costs.setdefault((way, peer.name), []).append(cost)
            return cost.cpu_ms

        takes[f"{peer.name}, {way.words}"] = take

    for way in (ONE, FOUR, SLOTS):
        for peer in all_peers():
            if peer.name != HUEY:
                add(way, peer)
    bench.alternate(takes, notes)

    figures = []
    for way in (ONE, FOUR, SLOTS):
        for what, unit in (("CPU a job", "ms"), ("rate", "jobs/s")):
            figure = Figure("sharing", f"{way.words}, {what}", unit, more_is_better=unit != "ms")
            for name in (CORE, GIGQ):
                found = costs.get((way, name), [])
                samples = [cost.cpu_ms if unit == "ms" else cost.rate for cost in found]
                if samples:
                    figure.samples[name] = samples
            figures.append(figure)
    alone, cpu, rate = figures[0], figures[2], figures[3]
    _judge(cpu, alone, f"at most {MOST_CPU} x one worker's", lambda ratio: ratio <= MOST_CPU)
    _judge(
        rate, figures[1], f"at least {LEAST_RATE} x one worker's", lambda ratio: ratio >= LEAST_RATE
    )
    figures[-1].notes += notes
    return figures


def _judge(figure: Figure, alone: Figure, target: str, good: Callable[[float], bool]) -> None:
    """Against one worker of the same queue, in the same run."""
    figure.target = target
    for name in (CORE, GIGQ):
        several, one = figure.median(name), alone.median(name)
        if several and one:
            ratio = several / one
            figure.notes.append(f"{name}: {figure.what} is {ratio:.2f} times that of {ONE.words}")
            if name == CORE:
                figure.met = good(ratio)


def _cost(bench: Bench, peer: Peer, way: Way) -> Cost:
    """Put jobs in, all at once, while warm workers wait, and see what they have used at the end."""
    n = bench.size(2000, 200)
    total = way.workers * way.slots
    with bench.place(f"sharing-{peer.name}") as folder, ExitStack() as stack:
        path = folder / "jobs.db"
        meeting = folder / "meeting"
        meeting.mkdir()
        peer.create(path)
        stack.callback(peer.close, path)
        peer.fill(path, [Spec("gather", {"folder": str(meeting), "expected": total})] * total)
        peer.fill(path, [Spec()] * total)
        reader = connect_to_read(path)
        stack.callback(reader.close)
        mark = peer.mark(reader)
        running = [
            stack.enter_context(peer.worker(path, way.slots, None, f"worker-{number}"))
            for number in range(way.workers)
        ]

        def ran(count: int) -> bool:
            for process in running:
                process.check()
            return peer.count(reader, mark) >= count

        wait_for(lambda: ran(total), 60, "the warm-up")
        time.sleep(SETTLE_S)
        mark = peer.mark(reader)
        before = sum(cpu_seconds(process.pid) for process in running)
        peer.fill(path, [Spec()] * n)
        wait_for(lambda: ran(n), 120, "the end of the jobs", every_s=0.1)
        used = sum(cpu_seconds(process.pid) for process in running) - before
        stamps = peer.stamps(reader, mark)
    return Cost(1000 * used / n, (n - 1) * 1e9 / (stamps[-1] - stamps[0]))
