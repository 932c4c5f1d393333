"""Jobs beyond one machine, measured: here, by agents over each kind of link, and by Dask alone.

python -m benchmarks.agents [--runs 5] [--jobs 1000] [--quick] [--json FILE]

Everybody has two slots, on this machine: over ssh to a server of the tests on the loopback, over
Dask to a scheduler with two Dask workers of one thread. It needs `openssh-server`, and the extras
`[test]`; a way that can't be gone is left out, with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import jobs, raw
from benchmarks.bench import Bench
from benchmarks.large import connect_to_read
from benchmarks.processes import ROOT, Process, cpu_seconds, wait_for
from benchmarks.table import machine, number
from gigq_core import Job, JobQueue
from gigq_core.connections import close_connection

SLOTS = 2
LOCAL, PIPE, SSH, DASK, DASK_ALONE = "here", "pipe", "ssh", "dask", "dask alone"
SHORT_S = 0.05
GRACE_S = 0.5
# The median of jobs of that length over ssh, as so many times what it takes here.
SSH_AT_MOST = 1.3
BEGINS_WITHIN_S = 60.0
# A link that is cut gives its jobs back when its lease, the grace and a margin are over.
GIVEN_BACK_WITHIN_S = 60.0


@dataclass
class Measured:
    """One line: what was measured, in which unit, and each sample by way."""

    what: str
    unit: str
    samples: dict[str, list[float]] = field(default_factory=dict)
    stated: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


# --- a queue with one worker ---------------------------------------------------------------------


class Queue:
    """A queue of ours, with one worker of two slots that has begun and is warm."""

    def __init__(self, folder: Path, options: list[str]) -> None:
        self.folder = folder
        self.path = folder / "jobs.db"
        self.queue = JobQueue(self.path)
        command = ["-m", "gigq_core", "--db", str(self.path), "worker", "--grace", str(GRACE_S)]
        self.worker = Process([sys.executable, *command, *options], folder / "worker.out")
        meeting = self._folder("meeting")
        params = {"folder": str(meeting), "expected": SLOTS}
        self._wait(
            self.queue.submit_many([Job("warm", jobs.gather, params=params) for _ in range(SLOTS)])
        )
        self.many(8)

    def close(self) -> None:
        self.worker.end()
        self.queue.close()
        close_connection(self.path)

    def many(self, count: int, seconds: float = 0.0) -> float:
        """Milliseconds for each of many jobs, from the first that ended to the last."""
        stamps = self._stamps([self._job(seconds) for _ in range(count)])
        return (stamps[-1] - stamps[0]) / (count - 1) / 1e6

    def one_by_one(self, count: int, seconds: float = 0.0) -> list[float]:
        """Milliseconds from each call of `submit` to the job's end, on disk."""
        took = []
        for _ in range(count):
            began = time.time()
            job_id = self.queue.submit(self._job(seconds))
            self._wait([job_id], every_s=0.002)
            (ended,) = self._row("SELECT ended FROM jobs WHERE id = ?", job_id)
            took.append((ended - began - seconds) * 1000)
        return took

    def kill_s(self, how: str) -> float:
        """Seconds from `cancel` of a job that never ends until its process is gone."""
        job_id, pid = self._staying(how)
        began = time.monotonic()
        assert self.queue.cancel(job_id)
        wait_for(lambda: not _lives(pid), 30, "the process's end", 0.0005)
        took = time.monotonic() - began
        self._wait([job_id])
        return took

    def lost_s(self, lose: Callable[[Queue], None]) -> float:
        """Seconds from the loss of where a job runs until it is given back."""
        job_id, _ = self._staying("asleep")
        (attempt,) = self._row("SELECT execution_id FROM jobs WHERE id = ?", job_id)
        running = "SELECT status FROM job_executions WHERE id = ?"
        began = time.monotonic()
        lose(self)
        wait_for(
            lambda: self._row(running, attempt) != ("running",), GIVEN_BACK_WITHIN_S, "it", 0.002
        )
        return time.monotonic() - began

    def agent_pids(self) -> list[int]:
        """The agents' own processes."""
        with connect_to_read(self.path) as conn:
            return [row[0] for row in conn.execute("SELECT pid FROM core_agents")]

    def _staying(self, how: str) -> tuple[str, int]:
        folder = self._folder("stay")
        params = {"folder": str(folder), "how": how}
        job_id = self.queue.submit(Job("stay", jobs.stay, params=params, timeout=3600))
        wait_for(lambda: any(folder.iterdir()), BEGINS_WITHIN_S, "the job's start", 0.005)
        # It is known in the file where it runs.
        time.sleep(0.1)
        return job_id, int(next(folder.iterdir()).stem)

    def _job(self, seconds: float) -> Job:
        if seconds:
            return Job("job", jobs.pause, params={"seconds": seconds})
        return Job("job", jobs.stamp)

    def _stamps(self, made: list[Job]) -> list[int]:
        ids = self.queue.submit_many(made)
        self._wait(ids, 0.02)
        return sorted(int(self.queue.get_status(job_id)["result"]) for job_id in ids)

    def _wait(self, ids: list[str], every_s: float = 0.02) -> None:
        left = "SELECT count(*) FROM jobs WHERE status IN ('pending', 'running')"

        def ended() -> bool:
            self.worker.check()
            return self._row(left) == (0,)

        wait_for(ended, BEGINS_WITHIN_S + len(ids), "the jobs' end", every_s)

    def _row(self, statement: str, *values: object) -> tuple[Any, ...]:
        return tuple(self.queue._all(statement, *values)[0])

    def _folder(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


# --- Dask by itself ------------------------------------------------------------------------------


class DaskAlone:
    """The futures of Dask, on the same kind of cluster."""

    def __init__(self, address: str, folder: Path) -> None:
        from distributed import Client

        self._client = Client(address, set_as_default=False)
        self._folder = folder
        self._client.wait_for_workers(SLOTS, timeout=BEGINS_WITHIN_S)
        self.many(8)

    def close(self) -> None:
        self._client.close()

    def many(self, count: int, seconds: float = 0.0) -> float:
        """As `Queue.many`."""
        futures = [self._submit(seconds) for _ in range(count)]
        stamps = sorted(self._client.gather(futures))
        return float((stamps[-1] - stamps[0]) / (count - 1) / 1e6)

    def one_by_one(self, count: int, seconds: float = 0.0) -> list[float]:
        """Milliseconds from each `submit` until the result is here; nothing is on a disk."""
        took = []
        for _ in range(count):
            began = time.monotonic()
            self._submit(seconds).result()
            took.append((time.monotonic() - began - seconds) * 1000)
        return took

    def runs_on_s(self) -> float:
        """Seconds for which a function is seen to run on after its future says `cancelled`."""
        folder = Path(tempfile.mkdtemp(prefix="stay-", dir=self._folder))
        future = self._client.submit(jobs.pause_noting, str(folder), 3.0, pure=False)
        wait_for(lambda: any(folder.glob("*.pid")), BEGINS_WITHIN_S, "the start", 0.005)
        future.cancel()
        began = time.monotonic()
        wait_for(lambda: any(folder.glob("*.end")), 30, "the function's end", 0.005)
        return time.monotonic() - began

    def _submit(self, seconds: float) -> Any:
        if seconds:
            return self._client.submit(jobs.pause, seconds, pure=False)
        return self._client.submit(jobs.stamp, pure=False)


# --- the ways ------------------------------------------------------------------------------------


class Ways:
    """What leads to the slots of each way; servers and clusters stand while it does."""

    def __init__(self, folder: Path, wanted: list[str], say: Callable[[str], None]) -> None:
        self.options: dict[str, list[str]] = {}
        self.cluster: Any = None
        self._sshd: Any = None
        self._stack = ExitStack()
        remote = ["--remote-python", sys.executable, "--remote-chdir", str(ROOT)]
        makers: dict[str, Callable[[], list[str]]] = {
            LOCAL: lambda: ["-c", str(SLOTS), "--chdir", str(ROOT)],
            PIPE: lambda: ["--via", "env", "-c", str(SLOTS), *remote],
            SSH: lambda: ["--via", self._ssh(folder / "sshd"), "-c", str(SLOTS), *remote],
            DASK: lambda: ["--via", f"dask:{self._dask(folder)}", *remote],
        }
        for name, make in makers.items():
            if name not in wanted:
                continue
            try:
                self.options[name] = make()
            except (AssertionError, ImportError, OSError) as problem:
                say(f"{name} is left out: {problem}")
        self.has_dask_alone = False
        if DASK_ALONE in wanted:
            try:
                self.has_dask_alone = bool(self._dask(folder))
            except (AssertionError, ImportError, OSError) as problem:
                say(f"{DASK_ALONE} is left out: {problem}")

    def close(self) -> None:
        self._stack.close()

    def _ssh(self, folder: Path) -> str:
        from tests.agents.sshd import Sshd

        self._sshd = Sshd(folder)
        self._stack.callback(self._sshd.close)
        return str(self._sshd.via)

    def _dask(self, folder: Path) -> str:
        from tests.agents.dask_cluster import DaskCluster

        if self.cluster is None:
            place = folder / "dask"
            place.mkdir()
            paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
            # Its workers import the jobs that futures name.
            os.environ["PYTHONPATH"] = paths
            self.cluster = DaskCluster(place)
            self._stack.callback(self.cluster.close)
            self.dask_workers = [self.cluster.start_worker(threads=1) for _ in range(SLOTS)]
        return str(self.cluster.address)

    @contextmanager
    def work(self, name: str, folder: Path) -> Iterator[Queue | DaskAlone]:
        """A warm one of that way."""
        made: Queue | DaskAlone
        if name == DASK_ALONE:
            made = DaskAlone(self.cluster.address, folder)
        else:
            made = Queue(folder, self.options[name])
        try:
            yield made
        finally:
            made.close()

    @property
    def _servers(self) -> list[int]:
        dask = [self.cluster.scheduler, *self.dask_workers] if self.cluster else []
        ssh = [self._sshd.process] if self._sshd else []
        return [process.pid for process in (*dask, *ssh)]

    def processor_s(self, work: Queue | DaskAlone) -> float:
        """What all the processes behind it have used, and this one, where it is the client."""
        roots = [*self._servers]
        if isinstance(work, Queue):
            roots.append(work.worker.pid)
        own = time.process_time() if isinstance(work, DaskAlone) else 0.0
        return own + sum(cpu_seconds(pid) for pid in roots)

    def lose_agent(self, queue: Queue) -> None:
        """Kill the agents."""
        for pid in queue.agent_pids():
            os.kill(pid, signal.SIGKILL)

    def lose_link(self, queue: Queue) -> None:
        """Kill this end of each link: the processes of the worker."""
        for process in psutil.Process(queue.worker.pid).children():
            process.kill()

    def lose_dask_workers(self, queue: Queue) -> None:
        """Kill the Dask workers, which are there again for who comes next."""
        killed, self.dask_workers = self.dask_workers, []
        for process in killed:
            os.kill(process.pid, signal.SIGKILL)
        self.dask_workers = [self.cluster.start_worker(threads=1) for _ in range(SLOTS)]


# --- measuring -----------------------------------------------------------------------------------


def measure(bench: Bench, ways: Ways, count: int) -> list[Measured]:
    """All of it, in turn."""
    many = Measured("no-op, many", "ms a job")
    busy = Measured("processor time of all processes, no-op, many", "ms a job")
    one = Measured("no-op, one by one", "ms")
    short = Measured(f"{SHORT_S * 1000:.0f} ms, many", "ms a job")
    asleep = Measured("cancel of a sleep until its process is gone", "s")
    in_c = Measured(f"cancel in C code, grace {GRACE_S:g} s", "s")
    names = [*ways.options, *([DASK_ALONE] if ways.has_dask_alone else [])]

    def rates(name: str) -> float:
        with bench.place("agents") as folder, ways.work(name, folder) as work:
            used_s = ways.processor_s(work)
            took = work.many(count)
            used_s = ways.processor_s(work) - used_s
            busy.samples.setdefault(name, []).append(1000 * used_s / count)
            many.samples.setdefault(name, []).append(took)
            one.samples.setdefault(name, []).extend(work.one_by_one(bench.size(60, 10)))
            short.samples.setdefault(name, []).append(work.many(bench.size(200, 20), SHORT_S))
            if isinstance(work, Queue):
                for measured, how in ((asleep, "asleep"), (in_c, "in C")):
                    took_s = [work.kill_s(how) for _ in range(bench.size(3, 1))]
                    measured.samples.setdefault(name, []).extend(took_s)
            else:
                asleep.stated[name] = f"runs on ({work.runs_on_s():.1f} s of 3 s)"
                in_c.stated[name] = "runs on"
            return took

    bench.alternate({name: lambda name=name: rates(name) for name in names}, many.notes)
    return [many, busy, one, short, asleep, in_c, *_losses(bench, ways)]


def _losses(bench: Bench, ways: Ways) -> list[Measured]:
    agent = Measured("agent killed, until its job is given back", "s")
    link = Measured("this end of the link killed, until then", "s")
    station = Measured("Dask worker killed, until then", "s")
    wanted = [
        *((agent, name, ways.lose_agent) for name in (PIPE, SSH, DASK)),
        *((link, name, ways.lose_link) for name in (SSH,)),
        (station, DASK, ways.lose_dask_workers),
    ]
    for measured, name, lose in wanted:
        if name not in ways.options:
            continue

        def take(name: str = name, lose: Callable[[Queue], None] = lose) -> float:
            with bench.place("lost") as folder, ways.work(name, folder) as work:
                assert isinstance(work, Queue)
                return work.lost_s(lose)

        measured.samples |= bench.alternate({name: take}, measured.notes, min(3, bench.runs))
    return [agent, link, station]


# --- telling -------------------------------------------------------------------------------------


def print_table(console: Console, lines: list[Measured]) -> None:
    """Medians, and the 95th percentile behind them."""
    table = Table(title="Medians (95th percentile); two slots", title_justify="left")
    for heading in ("what", "unit"):
        table.add_column(heading)
    names = [LOCAL, PIPE, SSH, DASK, DASK_ALONE]
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(line.what, line.unit, *(_cell(line, name) for name in names))
    console.print(table)
    for line in lines:
        for note in line.notes:
            console.print(f"{line.what}: {note}", markup=False, highlight=False)
    short = next(line for line in lines if line.what.startswith(f"{SHORT_S * 1000:.0f} ms"))
    if LOCAL in short.samples and SSH in short.samples:
        ratio = statistics.median(short.samples[SSH]) / statistics.median(short.samples[LOCAL])
        verdict = "met" if ratio <= SSH_AT_MOST else "missed"
        console.print(
            f"jobs of {SHORT_S * 1000:.0f} ms over ssh take {ratio:.2f} x what they take here; "
            f"aim {SSH_AT_MOST}: {verdict}",
            highlight=False,
        )


def _cell(line: Measured, name: str) -> str:
    samples = line.samples.get(name)
    if not samples:
        return line.stated.get(name, "-")
    return f"{number(statistics.median(samples))} ({number(_p95(samples))})"


def _p95(samples: list[float]) -> float:
    return sorted(samples)[min(len(samples) - 1, int(0.95 * len(samples)))]


def main() -> None:
    """Measure, and draw the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agents", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", metavar="WAY")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    console = Console() if sys.stdout.isatty() else Console(width=170)
    progress = Console(stderr=True, highlight=False)
    wanted = options.only or [LOCAL, PIPE, SSH, DASK, DASK_ALONE]
    folder = Path(tempfile.mkdtemp(prefix="gigq-agents-"))

    def say(text: str) -> None:
        progress.print(text, markup=False)

    # What is ended from outside ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    ways = None
    try:
        facts: Mapping[str, object] = machine(raw.fsync_seconds(folder / "fsync"))
        console.print(", ".join(f"{key} {value}" for key, value in facts.items()), markup=False)
        ways = Ways(folder, wanted, say)
        bench = Bench(folder, options.runs, options.quick, say)
        lines = measure(bench, ways, 50 if options.quick else options.jobs)
    finally:
        if ways is not None:
            ways.close()
        shutil.rmtree(folder, ignore_errors=True)
    print_table(console, lines)
    if options.json:
        content = {"machine": facts, "lines": [asdict(line) for line in lines]}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
