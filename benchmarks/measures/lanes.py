"""Lanes: what a claim pays for what is held before it, how fast they drain, how rates are kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import jobs
from benchmarks.bench import Bench
from benchmarks.burst import run_burst
from benchmarks.figures import APSCHEDULER, CORE, HUEY, Figure
from benchmarks.peers.base import Spec
from benchmarks.peers.core import CorePeer
from benchmarks.processes import Trouble
from gigq_core import Job, JobQueue
from gigq_core.worker.claims import Claim, Ending, Fate
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register

# References, which are ours too.
PLAIN, FEW, MANY = "without lanes", "10 held", "200 lanes"
TURNS = 300
MORE_US = 20
PER_S = 5


def front(bench: Bench) -> list[Figure]:
    """A turn that ends one job and claims the next, with jobs of shut lanes before it."""
    held, rest = bench.size(100_000, 2_000), TURNS * (bench.runs + 1)
    figure = Figure(
        "lane-front",
        f"look, end and claim, {held:,} jobs of a shut lane before",
        "µs",
        more_is_better=False,
        target=f"at most {MORE_US} µs more than with 10",
    )
    lanes: dict[str, tuple[Callable[[int], str], int]] = {
        FEW: (lambda n: "x", 10),
        CORE: (lambda n: "x", held),
        MANY: (lambda n: f"x:{n % 200}", held),
    }
    with bench.place("lane-front") as folder:
        turns = {}
        for name in (PLAIN, FEW, CORE, MANY):
            path = folder / f"{len(turns)}.db"
            queue = JobQueue(path)
            if name != PLAIN:
                for pattern in ("x", "x:*"):
                    queue.set_lane(pattern, running=1)
                    queue.pause_lane(pattern)
            if name in lanes:
                lane, most = lanes[name]
                queue.submit_many(
                    Job("held", jobs.stamp, lane=lane(n), priority=9) for n in range(most)
                )
            queue.submit_many(Job("free", jobs.stamp) for _ in range(rest))
            turns[name] = Turns(path)
            queue.close()
        figure.samples = bench.alternate(
            {name: lambda own=own: own.best_us(TURNS) for name, own in turns.items()},  # type: ignore[misc]
            figure.notes,
        )
        for own in turns.values():
            own.close()
    mine, few, many = (figure.median(name) for name in (CORE, FEW, MANY))
    plain = figure.median(PLAIN)
    if mine is not None and few is not None and many is not None and plain is not None:
        figure.met = mine - few <= MORE_US and many - few <= MORE_US
        figure.notes.append(
            f"in a file without lanes {plain:.0f} µs, with 10 jobs held {few:.0f}, "
            f"in 200 lanes {many:.0f}; huey and APScheduler have no queues that can be shut"
        )
    figure.stated = {HUEY: "no lanes", APSCHEDULER: "no lanes"}
    return [figure]


def drain(bench: Bench) -> list[Figure]:
    """A worker of eight slots, its jobs in lanes or in none."""
    count = bench.size(1000, 200)
    figure = Figure("lane-drain", f"{count:,} jobs, one lane of 8 at a time, 8 slots", "jobs/s")
    limits: dict[str, tuple[str, Callable[[int], str]]] = {
        PLAIN: ("", lambda n: ""),
        CORE: ("x", lambda n: "x"),
        MANY: ("x:*", lambda n: f"x:{n % 200}"),
    }

    def take(name: str) -> float:
        pattern, lane = limits[name]
        with bench.place(f"lane-drain-{len(pattern)}") as folder:
            path = folder / "jobs.db"
            peer = InLanes(lane)
            peer.create(path)
            if pattern:
                JobQueue(path).set_lane(pattern, running=8)
            return run_burst(peer, path, count, specs=[Spec()] * count, slots=8).rate

    figure.samples = bench.alternate(
        {name: lambda name=name: take(name) for name in limits},  # type: ignore[misc]
        figure.notes,
    )
    for name in (PLAIN, MANY):
        figure.notes.append(f"{name}: {figure.median(name) or 0:,.0f} jobs/s")
    return [figure]


def rate(bench: Bench) -> list[Figure]:
    """A lane of five a second with idle workers: how many really start."""
    figures = []
    for workers in (1, 2):
        figure = Figure(
            "lane-rate",
            f"{PER_S}/s with {workers} idle worker{'s' if workers > 1 else ''}",
            "starts/s",
            target=f"{PER_S} +-10 %",
            stated={HUEY: "no rates", APSCHEDULER: "no rates"},
        )
        count = bench.size(50, 15)
        figure.samples = bench.alternate(
            {CORE: lambda: _rate(bench, workers, count)},  # noqa: B023
            figure.notes,
        )
        mine = figure.median(CORE)
        figure.met = None if mine is None else abs(mine - PER_S) <= PER_S * 0.1
        figures.append(figure)
    return figures


def one_at_a_time(bench: Bench) -> list[Figure]:
    """Jobs of which one may run at a time, with four slots: how many of them run at all."""
    count = 40
    figure = Figure(
        "lane-one", f"of {count} jobs, one at a time, 4 slots: how many ran", "jobs", target="all"
    )
    figure.samples = bench.alternate(
        {CORE: lambda: _one_core(bench, count), HUEY: lambda: _one_huey(bench, count)},
        figure.notes,
        runs=1,
    )
    figure.met = figure.median(CORE) == count
    figure.stated = {APSCHEDULER: "skips"}
    figure.notes.append(
        "huey's lock_task raises in a task that finds the lock taken, which then needs retries of "
        "its own; APScheduler's max_instances skips a run of the same job, and knows no others"
    )
    return [figure]


class Turns:
    """A worker's transactions, one by one."""

    def __init__(self, path: Path) -> None:
        self._ledger = Ledger(path, runs_script=False)
        self._own = Register("bench", "cli", "process", 1, "python", "/", None)
        self._last: list[Ending] = []

    def close(self) -> None:
        self._ledger.close()

    def best_us(self, turns: int) -> float:
        """The shortest of some: what else the machine does is in the others."""
        best = float("inf")
        for _ in range(turns):
            began = time.perf_counter()
            claims = self._turn()
            best = min(best, time.perf_counter() - began)
            self._last = [Ending(claim, Fate.COMPLETED, result="null") for claim in claims]
            if not claims:
                raise Trouble("nothing was claimed")
        return best * 1e6

    def _turn(self) -> list[Claim]:
        self._ledger.pending_work(self._own.id, 1)
        return self._ledger.commit(
            self._own, self._last, [1], claim=True, stage=False, beat=False
        ).claims


class InLanes(CorePeer):
    """Ours, with each job in a lane."""

    def __init__(self, lane: Callable[[int], str]) -> None:
        self._lane = lane

    def fill(self, path: Path, specs: list[Spec]) -> None:
        """All but those that wait for the slots to be warm."""
        if any(spec.function != "stamp" for spec in specs):
            super().fill(path, specs)
            return
        JobQueue(path).submit_many(
            Job("job", jobs.stamp, lane=self._lane(n)) for n in range(len(specs))
        )


def _rate(bench: Bench, workers: int, count: int) -> float:
    peer = CorePeer()
    with bench.place("lane-rate") as folder:
        path = folder / "jobs.db"
        peer.create(path)
        queue = JobQueue(path)
        queue.set_lane("api", rate=f"{PER_S}/s")
        running = [
            peer.worker(path, 2, ["--polling-interval", "5"], name=f"worker-{n}")
            for n in range(workers)
        ]
        try:
            queue.submit_many(Job("job", jobs.stamp, lane="api") for _ in range(count))
            _until(lambda: queue.stats().get("completed", 0) == count, count / PER_S + 60)
        finally:
            for process in running:
                process.end()
        began = sorted(queue.get_status(row["id"])["began"] for row in queue.list_jobs(limit=count))
        queue.close()
        return (count - 1) / float(began[-1] - began[0])


def _one_core(bench: Bench, count: int) -> float:
    peer = CorePeer()
    with bench.place("lane-one") as folder:
        path = folder / "jobs.db"
        peer.create(path)
        queue = JobQueue(path)
        queue.set_lane("one", running=1)
        queue.submit_many(Job("job", jobs.stamp, lane="one") for _ in range(count))
        process = peer.worker(path, 4)
        try:
            _until(lambda: not {"pending", "running"} & {k for k, n in queue.stats().items() if n})
        finally:
            process.end()
        ran = queue.stats().get("completed", 0)
        queue.close()
        return float(ran)


def _one_huey(bench: Bench, count: int) -> float:
    from huey import SqliteHuey

    ran: list[int] = []
    with bench.place("lane-one-huey") as folder:
        huey = SqliteHuey("lanes", filename=str(folder / "jobs.db"))

        def work() -> None:
            time.sleep(0.005)
            ran.append(1)

        task = huey.task()(huey.lock_task("one")(work))
        for _ in range(count):
            task()
        threads = [threading.Thread(target=_run_huey, args=(huey,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return float(len(ran))


def _run_huey(huey: Any) -> None:
    """As a thread of its consumer does."""
    while (task := huey.dequeue()) is not None:
        huey.execute(task)


def _until(condition: Callable[[], bool], most_s: float = 60.0) -> None:
    until = time.monotonic() + most_s
    while not condition():
        if time.monotonic() > until:
            raise Trouble("it took too long")
        time.sleep(0.02)
