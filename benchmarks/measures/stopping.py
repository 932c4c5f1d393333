"""What happens when a worker is killed, and when a function runs past its timeout."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.bench import Bench
from benchmarks.figures import CORE, GIGQ, HUEY, Figure
from benchmarks.peers import Peer, Spec, all_peers
from benchmarks.peers.core import CorePeer
from benchmarks.processes import Trouble, wait_for

TAKEOVER_S = 2.0
LONG_S = 60.0
DEFAULT_TIMEOUT_S = 300
GIGQ_TIMEOUT_S = 4
GRACE_S = 1.0
TIMEOUT_S = 1.0
LOOK_EVERY_S = 0.005


def takeover(bench: Bench) -> list[Figure]:
    """Two workers; the one that runs a job is killed: seconds until the other one runs it."""
    figure = Figure(
        "takeover",
        "kill -9 of a worker, another alive",
        "s",
        more_is_better=False,
        target=f"{TAKEOVER_S:.0f} s",
        stated={HUEY: "never"},
    )
    takes = {}
    for peer in all_peers():
        if peer.name == GIGQ:
            takes[GIGQ] = lambda peer=peer: (
                DEFAULT_TIMEOUT_S - GIGQ_TIMEOUT_S + _takeover(bench, peer, GIGQ_TIMEOUT_S)
            )
        elif peer.name == CORE:
            takes[CORE] = lambda peer=peer: _takeover(bench, peer, DEFAULT_TIMEOUT_S)
    figure.samples = bench.alternate(takes, figure.notes)
    figure.notes.append(
        f"GigQ waits for the job's timeout: measured with {GIGQ_TIMEOUT_S} s, the rest of the "
        f"default {DEFAULT_TIMEOUT_S} s added; huey has taken the task off the queue by then"
    )
    figure.judge_limit(TAKEOVER_S)
    return [figure]


def _takeover(bench: Bench, peer: Peer, timeout_s: int) -> float:
    with bench.place(f"takeover-{peer.name}") as folder:
        path, starts = folder / "jobs.db", folder / "starts"
        starts.mkdir()
        peer.create(path)
        spec = Spec("once_long", {"folder": str(starts), "seconds": LONG_S}, timeout=timeout_s)
        first = peer.worker(path, 1, name="first")
        with first:
            peer.fill(path, [spec])
            wait_for(lambda: _marks(starts) >= 1, 30, "the job's first start")
            with peer.worker(path, 1, name="second") as second:
                _wait_for_beats(peer, second.pid)
                os.kill(first.pid, signal.SIGKILL)
                killed = time.time_ns()
                wait_for(lambda: _marks(starts) >= 2, timeout_s + 15, "the job's second start")
                again = max(int(name.split("-")[0]) for name in os.listdir(starts))
        peer.close(path)
        return (again - killed) / 1e9


def _wait_for_beats(peer: Peer, pid: int) -> None:
    """Let the second worker settle: no longer busy with its own start."""
    process = psutil.Process(pid)
    deadline = time.monotonic() + 10
    before = -1.0
    while time.monotonic() < deadline:
        times = process.cpu_times()
        if times.user + times.system == before:
            return
        before = times.user + times.system
        time.sleep(0.5)


def _marks(folder: Path) -> int:
    return len(os.listdir(folder))


def timeout_gone(bench: Bench) -> list[Figure]:
    """A function past its timeout: when its process is gone, counted from timeout + grace."""
    figures = []
    for what, stubborn in (("ends on SIGTERM", False), ("ignores SIGTERM", True)):
        figure = Figure(
            "timeout-gone",
            f"{what}: from its timeout on",
            "s",
            more_is_better=False,
            target=f"grace ({GRACE_S:.0f} s) + 1 s",
            stated={GIGQ: "runs on", HUEY: "runs on"},
        )
        takes = {CORE: _gone(bench, stubborn)}
        figure.samples = bench.alternate(takes, figure.notes)
        figure.judge_limit(GRACE_S + 1)
        figures.append(figure)
    figures[0].notes.append(_gigq_runs_on(bench))
    return figures


def _gone(bench: Bench, stubborn: bool) -> Callable[[], float]:
    def take() -> float:
        peer = CorePeer()
        with bench.place("timeout") as folder:
            path, marks = folder / "jobs.db", folder / "marks"
            marks.mkdir()
            peer.create(path)
            params = {"folder": str(marks), "seconds": LONG_S, "stubborn": stubborn}
            peer.fill(path, [Spec("overstay", params, max_attempts=1, timeout=TIMEOUT_S)])
            with peer.worker(path, 1, ["--grace", str(GRACE_S)]):
                wait_for(lambda: _marks(marks) >= 1, 30, "the job's start", LOOK_EVERY_S)
                _, started, pid = os.listdir(marks)[0].split("-")
                wait_for(lambda: _is_gone(int(pid)), 30, "the process's end", LOOK_EVERY_S)
                gone = time.time_ns()
            peer.close(path)
            return (gone - int(started)) / 1e9 - TIMEOUT_S

    return take


def _is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _gigq_runs_on(bench: Bench) -> str:
    peer = next((peer for peer in all_peers() if peer.name == GIGQ), None)
    if peer is None:
        return "gigq is not installed"
    with bench.place("overstay") as folder:
        path, marks = folder / "jobs.db", folder / "marks"
        marks.mkdir()
        peer.create(path)
        params = {"folder": str(marks), "seconds": 3.0, "stubborn": False}
        peer.fill(path, [Spec("overstay", params, max_attempts=1, timeout=1)])
        try:
            with peer.worker(path, 1):
                wait_for(
                    lambda: any(name.startswith("finished") for name in os.listdir(marks)),
                    15,
                    "GigQ's function's own end",
                )
        except Trouble as problem:
            return str(problem)
        finally:
            peer.close(path)
    return "GigQ: with a timeout of 1 s, its function ran all of its 3 s"
