"""Processes that the benchmarks start, and waiting that always ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
DRAIN_TIMEOUT_S = 5.0


class Trouble(Exception):
    """A measurement that could not be made, and why."""


def wait_for(
    condition: Callable[[], bool], timeout_s: float, what: str, every_s: float = 0.02
) -> None:
    """Ask until it is true.

    Raises:
        Trouble: it did not become true in time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise Trouble(f"{what} did not happen within {timeout_s:.0f} s")
        time.sleep(every_s)


class Process:
    """One process in a group of its own, its output in a file, ended on leaving the block."""

    def __init__(self, argv: list[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self._log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                argv,
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.pid = self._popen.pid

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def check(self) -> None:
        """Raise Trouble, with its last words, if it has ended by itself."""
        code = self._popen.poll()
        if code is not None:
            words = self._log.read_text(errors="replace").strip().splitlines()
            raise Trouble(f"the process ended with {code}: {words[-1] if words else 'no output'}")

    def end(self) -> None:
        """Ask it to end, then make it; safe to call again."""
        if self._popen.poll() is None:
            self._popen.terminate()
            try:
                self._popen.wait(DRAIN_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self) -> None:
        """SIGKILL, to it and to its group."""
        if self._popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait(DRAIN_TIMEOUT_S)


def run_python(argv: list[str], timeout_s: float) -> str:
    """What a Python process printed.

    Raises:
        Trouble: it failed or took too long.
    """
    try:
        done = subprocess.run(
            argv, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=True
        )
    except subprocess.TimeoutExpired:
        raise Trouble(f"{argv[1:3]} took longer than {timeout_s:.0f} s") from None
    except subprocess.CalledProcessError as problem:
        words = problem.stderr.strip().splitlines()
        raise Trouble(words[-1] if words else str(problem)) from None
    return done.stdout


def cpu_seconds(pid: int) -> float:
    """What a process and its descendants have used."""
    total = 0.0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
