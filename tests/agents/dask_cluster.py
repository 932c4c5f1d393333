"""A real Dask cluster on loopback: the scheduler and its workers, each a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

# Starting takes seconds of processor time, on a machine that may be busy.
START_WITHIN_S = 100.0
# Several times as long as an adaptive cluster takes to close what is idle.
LONG_ENOUGH_S = 5.0


class DaskCluster:
    """A scheduler, and Dask workers that join and leave as a test wants.

    Args:
        folder: for what the processes write.
        host: where they listen.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        self.folder = folder
        self._host = host
        self._started: list[subprocess.Popen[bytes]] = []
        self._count = 0
        self.scheduler = self.start_scheduler(0)
        self.address = self._address()

    def start_scheduler(self, port: int, *more: str) -> subprocess.Popen[bytes]:
        """Start it; port 0 for any free one."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        words = ["scheduler", "--host", self._host, "--port", str(port), "--no-dashboard", *more]
        self.scheduler = self._start([*words, "--scheduler-file", str(file)])
        wait_until(self._address, START_WITHIN_S, "the scheduler")
        return self.scheduler

    def start_worker(self, *more: str, threads: int = 2) -> subprocess.Popen[bytes]:
        """Start a Dask worker; it joins some seconds later."""
        self._count += 1
        words = ["worker", self.address, "--nthreads", str(threads), "--no-dashboard"]
        words += ["--host", self._host, "--memory-limit", "0"]
        words += ["--local-directory", str(self.folder / f"worker-{self._count}")]
        words += ["--death-timeout", str(START_WITHIN_S)]
        return self._start([*words, *(more or ("--no-nanny",))])

    def end(self, process: subprocess.Popen[bytes], sig: int = signal.SIGKILL) -> None:
        """End a process that this started."""
        if process.poll() is None:
            process.send_signal(sig)
        process.wait(30)

    def close(self) -> None:
        """End all of them."""
        for process in reversed(self._started):
            self.end(process, signal.SIGTERM if process.poll() is None else 0)

    def _start(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "dask.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        self._started.append(process)
        return process

    def _address(self) -> str:
        try:
            told = json.loads((self.folder / "scheduler.json").read_text())
        except (OSError, ValueError):
            return ""
        return str(told["address"])


class Adaptive:
    """The process of an adaptive cluster."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.agents.dask_adaptive"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()

    def workers(self) -> int:
        """How many Dask workers it has."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=60)


def with_client(scheduler: str, act: Callable[[Any], Any]) -> Any:
    """What `act` gives, which is asked with an asynchronous client, and awaited."""
    from distributed import Client

    async def work() -> Any:
        async with Client(scheduler, asynchronous=True, set_as_default=False) as client:
            return await act(client)

    return asyncio.run(work())


def on_scheduler(scheduler: str, function: Callable[[Any], Any]) -> Any:
    """What the function gives, called in the scheduler's process with `dask_scheduler`."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[function.__module__])
    return with_client(scheduler, lambda client: client.run_on_scheduler(function))
