"""What the package and an idle worker hold in memory."""

from __future__ import annotations

import sys
from collections.abc import Callable

import psutil

from benchmarks.bench import Bench
from benchmarks.figures import CORE, GIGQ, HUEY, Figure
from benchmarks.large import connect_to_read
from benchmarks.peers import Peer, Spec, all_peers
from benchmarks.processes import run_python, wait_for

IMPORT_MB = 16.0
WORKER_MB = 60.0
MB = 1_000_000
OWN_SIZE = """
import sys
{statement}
try:
    import os
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
except OSError:
    import resource
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(size)
"""


def memory(bench: Bench) -> list[Figure]:
    """RSS after the import; RSS and PSS of an idle worker with its children."""
    imported = Figure(
        "memory", "import", "MB RSS", more_is_better=False, target=f"{IMPORT_MB:.0f} MB"
    )
    statements = {CORE: "import gigq_core", GIGQ: "import gigq", HUEY: "import huey"}
    names = [peer.name for peer in all_peers()]
    takes = {name: _import_size(statements[name]) for name in names}
    takes["python alone"] = _import_size("pass")
    takes["python with sqlite3 and json"] = _import_size("import sqlite3, json")
    imported.samples = bench.alternate(takes, imported.notes)
    imported.judge_limit(IMPORT_MB)
    for name in ("python alone", "python with sqlite3 and json"):
        imported.notes.append(f"{name}: {imported.median(name) or 0:.1f} MB")

    resident = Figure(
        "memory",
        "idle worker, 1 slot, with children",
        "MB RSS",
        more_is_better=False,
        target=f"{WORKER_MB:.0f} MB",
    )
    proportional: dict[str, list[float]] = {}
    resident.samples = bench.alternate(
        {peer.name: _worker_size(bench, peer, proportional) for peer in all_peers()},
        resident.notes,
        min(bench.runs, 3),
    )
    resident.judge_limit(WORKER_MB)
    figures = [imported, resident]
    if proportional:
        shared = Figure(
            "memory",
            "the same, shared pages counted once",
            "MB PSS",
            proportional,
            False,
            target=f"{WORKER_MB:.0f} MB",
        )
        shared.judge_limit(WORKER_MB)
        figures.append(shared)
    return figures


def _import_size(statement: str) -> Callable[[], float]:
    code = OWN_SIZE.format(statement=statement)
    return lambda: int(run_python([sys.executable, "-c", code], 30)) / MB


def _worker_size(
    bench: Bench, peer: Peer, proportional: dict[str, list[float]]
) -> Callable[[], float]:
    def take() -> float:
        with bench.place(f"memory-{peer.name}") as folder:
            path = folder / "jobs.db"
            peer.create(path)
            peer.fill(path, [Spec()])
            reader = connect_to_read(path)
            mark = peer.mark(reader)
            peer.close(path)
            with peer.worker(path, 1) as process:
                wait_for(lambda: peer.count(reader, mark) >= 1, 30, "the job's end")
                reader.close()
                root = psutil.Process(process.pid)
                processes = [root, *root.children(recursive=True)]
                resident = sum(one.memory_info().rss for one in processes)
                try:
                    shared = sum(one.memory_full_info().pss for one in processes)
                    proportional.setdefault(peer.name, []).append(shared / MB)
                except (AttributeError, psutil.AccessDenied):
                    pass
                return resident / MB

    return take
