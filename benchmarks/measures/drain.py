"""How fast one worker process empties a queue."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import raw
from benchmarks.bench import Bench
from benchmarks.burst import run_burst
from benchmarks.figures import GIGQ, RAW, Figure
from benchmarks.peers import Peer, Spec, all_peers

GROUP = 10
GIGQ_ONE_SLOT = "gigq, 1 slot"


def one_slot(bench: Bench) -> list[Figure]:
    """1,000 jobs, one worker process, one slot."""
    figure = Figure("drain-1", "1 slot", "jobs/s", target=f"1.6 x {GIGQ}")
    takes = {peer.name: _take(bench, peer, figure, 1) for peer in all_peers()}
    takes[RAW] = lambda: _raw(bench, figure, 1)
    figure.samples = bench.alternate(takes, figure.notes)
    figure.judge_ratio(GIGQ, 1.6)
    return [figure]


def eight_slots(bench: Bench) -> list[Figure]:
    """1,000 jobs, one worker process, eight slots; GigQ counts with its better number of slots."""
    figure = Figure("drain-8", "8 slots", "jobs/s", target=f"4 x {GIGQ}")
    takes = {}
    for peer in all_peers():
        takes[peer.name] = _take(bench, peer, figure, 8)
        if peer.name == GIGQ:
            takes[GIGQ_ONE_SLOT] = _take(bench, peer, figure, 1)
    takes[RAW] = lambda: _raw(bench, figure, GROUP)
    figure.samples = bench.alternate(takes, figure.notes)
    better = max(GIGQ, GIGQ_ONE_SLOT, key=lambda name: figure.median(name) or 0)
    figure.judge_ratio(better, 4)
    ratio = figure.ratio(better)
    if ratio is not None:
        figure.notes.append(
            f"against GigQ with 1 slot, {figure.median(GIGQ_ONE_SLOT) or 0:,.0f} jobs/s: "
            f"{figure.ratio(GIGQ_ONE_SLOT) or 0:.2f} times; the target is judged by the better "
            f"one, {better}: {ratio:.2f}"
        )
    figure.notes.append(f"raw is {GROUP} jobs a commit")
    return [figure]


def _take(bench: Bench, peer: Peer, figure: Figure, slots: int) -> Callable[[], float]:
    n = bench.size(1000, 200)

    def take() -> float:
        with bench.place(f"drain-{peer.name}") as folder:
            path = folder / "jobs.db"
            peer.create(path)
            figure.durability[peer.name] = peer.synchronous(path)
            return run_burst(peer, path, n, specs=[Spec()] * n, slots=slots).rate

    return take


def _raw(bench: Bench, figure: Figure, per_commit: int) -> float:
    figure.durability[RAW] = "FULL"
    with bench.place("drain-raw") as folder:
        return raw.drain_rate(folder / "jobs.db", bench.size(1000, 200), per_commit)
