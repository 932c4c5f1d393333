"""Workflows: a long chain, and a wide fan."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.burst import run_burst
from benchmarks.figures import GIGQ, Figure
from benchmarks.peers import Peer, Spec, all_peers

FAN_SLOTS = 8
TIMEOUT_S = 180.0


def chain(bench: Bench) -> list[Figure]:
    """1,000 jobs, each waiting for the one before: submitted, and run with one slot."""
    n = bench.size(1000, 100)
    specs = [Spec(parents=(place - 1,) if place else ()) for place in range(n)]
    return [_workflow(bench, f"chain of {n:,}", "chain-1000", specs, 1, 2)]


def fan(bench: Bench) -> list[Figure]:
    """One job, 5,000 that wait for it, one that waits for all of those; eight slots."""
    n = bench.size(5000, 300)
    specs = [Spec(), *[Spec(parents=(0,))] * n, Spec(parents=tuple(range(1, n + 1)))]
    return [_workflow(bench, f"fan out and in of {n:,}", "fan-5000", specs, FAN_SLOTS, 7)]


def _workflow(
    bench: Bench, what: str, measure: str, specs: list[Spec], slots: int, times: int
) -> Figure:
    figure = Figure(
        measure,
        f"{what}, submit and run",
        "s",
        more_is_better=False,
        target=f"{times} x {GIGQ}",
    )
    split: dict[str, list[tuple[float, float]]] = {}
    takes = {peer.name: _take(bench, peer, figure, specs, slots, split) for peer in all_peers()}
    figure.samples = bench.alternate(takes, figure.notes)
    figure.judge_ratio(GIGQ, times)
    for name, pairs in split.items():
        submit, run = sorted(pairs, key=sum)[len(pairs) // 2]
        figure.notes.append(f"{name}: submitted in {submit:.2f} s, run in {run:.2f} s")
    return figure


def _take(
    bench: Bench,
    peer: Peer,
    figure: Figure,
    specs: list[Spec],
    slots: int,
    split: dict[str, list[tuple[float, float]]],
) -> Callable[[], float]:
    def take() -> float:
        with bench.place(f"graph-{peer.name}") as folder:
            path = folder / "jobs.db"
            peer.create(path)
            figure.durability[peer.name] = peer.synchronous(path)
            started = time.perf_counter()
            peer.submit_workflow(path, specs)
            submitting = time.perf_counter() - started
            burst = run_burst(peer, path, len(specs), slots=slots, timeout_s=TIMEOUT_S)
            # A rate from the jobs that ran in time: all of them, if the peer was quick enough.
            running = len(specs) / burst.rate
            split.setdefault(peer.name, []).append((submitting, running))
            return submitting + running

    return take
