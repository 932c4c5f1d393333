"""One burst of jobs through warm workers: the rate, and who ran what."""

from __future__ import annotations

import sqlite3
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.large import connect_to_read
from benchmarks.peers import Peer, Spec
from benchmarks.processes import Process, Trouble

WARM_PRIORITY = 1_000_000
LOOK_EVERY_S = 0.03


@dataclass(frozen=True)
class Burst:
    """What came out.

    Args:
        rate: jobs a second, from the first of them to the last.
        first_ns, last_ns: when those ran.
        claims: jobs by worker.
        twice: jobs that were started more than once.
    """

    rate: float
    first_ns: int
    last_ns: int
    claims: dict[str, int]
    twice: int


def run_burst(
    peer: Peer,
    path: Path,
    need: int,
    *,
    specs: list[Spec] | None = None,
    slots: int = 1,
    workers: int = 1,
    timeout_s: float = 120.0,
    options: list[str] | None = None,
) -> Burst:
    """Start workers on the file and take the time of its next jobs.

    Jobs of a higher priority go first, one for each slot; they end when all of them run. So
    nothing of the start of processes, threads and modules is in the figure.

    Args:
        need: how many jobs to wait for, and to take the time of.
        specs: jobs to put in before; None if they are in the file already.
        timeout_s: how long to wait; what has run by then counts, if it is two jobs or more.

    Raises:
        Trouble: hardly anything ran, or a worker ended by itself.
    """
    meeting = path.parent / f"meeting-{time.monotonic_ns()}"
    meeting.mkdir()
    total = slots * workers
    warm = Spec("gather", {"folder": str(meeting), "expected": total}, WARM_PRIORITY)
    peer.fill(path, [warm] * total)
    if specs:
        peer.fill(path, specs)
    reader = connect_to_read(path)
    peer.close(path)
    with ExitStack() as stack:
        stack.callback(reader.close)
        mark = peer.mark(reader)
        running = [
            stack.enter_context(peer.worker(path, slots, options, f"worker-{number}"))
            for number in range(workers)
        ]
        stamps = _wait(peer, reader, mark, need, running, timeout_s)
        for process in running:
            process.end()
        claims, twice = peer.claims(reader, mark)
    stamps = stamps[:need]
    if len(stamps) < 2:
        raise Trouble(f"{len(stamps)} jobs had run when the time was up")
    seconds = (stamps[-1] - stamps[0]) / 1e9
    return Burst((len(stamps) - 1) / seconds, stamps[0], stamps[-1], claims, twice)


def _wait(
    peer: Peer,
    conn: sqlite3.Connection,
    mark: int,
    need: int,
    running: list[Process],
    timeout_s: float,
) -> list[int]:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if peer.count(conn, mark) >= need:
            break
        for process in running:
            process.check()
        time.sleep(LOOK_EVERY_S)
    return peer.stamps(conn, mark)
