"""The worker processes that this console started: spawn them, stop them, see them end."""

from __future__ import annotations

import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gigq_core.errors import GigQError
from gigq_core.logs import logs_folder
from gigq_core.schema.opening import check_path, explain, is_attached, open_read_only
from gigq_tui.actions.functions import check_folder, check_python

KILL_GRACE_S = 8.0
# Two signals sent at once may arrive as one: the second is sent again until it has worked.
_SECOND_SIGNAL_AFTER_S = 0.3
_POLL_S = 0.02
_LOG_TAIL_BYTES = 8192

_BUSY = "SELECT DISTINCT worker_id FROM jobs WHERE status = 'running' AND worker_id IS NOT NULL"

# Processes that were left to themselves. Their handles are kept: a handle that is dropped while
# its process runs warns, and would be asked about the process later.
_left: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class SpawnedWorker:
    """A worker process of this console's that has not ended yet."""

    worker_id: str
    pid: int
    log_path: Path


@dataclass(frozen=True)
class Ended:
    """How a worker process of this console's ended: below zero is minus the signal's number."""

    worker_id: str
    exit_code: int
    last_log_line: str


class WorkerPool:
    """The worker subprocesses of one console. Safe to use from several threads.

    The workers run in sessions of their own, so they do not die with the terminal.

    Args:
        path: The queue file.
        python: The interpreter in which jobs run: the user's own.
        chdir: The folder in which jobs run, first on their import path.
    """

    def __init__(self, path: Path, python: str, chdir: Path) -> None:
        self.path = path.absolute()
        self.python = python
        self.chdir = chdir
        self._lock = threading.Lock()
        self._running: dict[str, tuple[SpawnedWorker, subprocess.Popen[bytes]]] = {}
        self._ended: list[Ended] = []
        self._spawned = 0

    def spawn(self, slots: int = 1) -> SpawnedWorker:
        """Start one worker process.

        Args:
            slots: How many jobs it runs at once.

        Raises:
            GigQError: The file, the interpreter, the folder or the log can't be used, or the
                process can't be started; the sentence says which.
        """
        if slots < 1:
            raise GigQError("A worker needs at least one slot.")
        check_path(self.path)
        python, chdir = check_python(self.python), check_folder(self.chdir)
        with self._lock:
            self._spawned += 1
            worker_id = f"w{self._spawned}-{secrets.token_hex(2)}"
        log_path = logs_folder(self.path) / f"{worker_id}.log"
        words = [sys.executable, "-m", "gigq_core", "--db", str(self.path), "worker"]
        words += ["--concurrency", str(slots), "--isolation", "process"]
        words += ["--python", python, "--chdir", str(chdir), "--worker-id", worker_id]
        words += ["--owner", "console", "--log-path", str(log_path)]
        try:
            log_path.parent.mkdir(parents=True, exist_ok=True)
            with log_path.open("ab") as log:
                process = subprocess.Popen(
                    words,
                    # The user's folder must not stand on our own interpreter's path.
                    cwd=log_path.parent,
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as problem:
            raise GigQError(
                f"A worker can't be started: {problem.strerror or problem} "
                f"({problem.filename or sys.executable})."
            ) from None
        worker = SpawnedWorker(worker_id, process.pid, log_path)
        with self._lock:
            self._running[worker_id] = (worker, process)
        return worker

    def alive(self) -> tuple[SpawnedWorker, ...]:
        """The workers that have not ended, the oldest first; draining ones too."""
        self._look()
        with self._lock:
            return tuple(worker for worker, _ in self._running.values())

    def reap(self) -> tuple[Ended, ...]:
        """The workers that ended since this was last asked."""
        self._look()
        with self._lock:
            ended, self._ended = tuple(self._ended), []
        return ended

    def stop(self, worker_id: str) -> None:
        """Let a worker finish the jobs it has, and end. Returns at once.

        Raises:
            GigQError: This console has no such worker, or it has ended.
        """
        self._process(worker_id).send_signal(signal.SIGTERM)

    def stop_idle(self) -> str | None:
        """Stop the youngest worker that has no job; None where all are busy or there is none.

        Raises:
            DatabaseError: The file can't be read now.
        """
        busy = self._busy()
        for worker in reversed(self.alive()):
            if worker.worker_id not in busy:
                self.stop(worker.worker_id)
                return worker.worker_id
        return None

    def kill(self, worker_id: str, grace_s: float = KILL_GRACE_S) -> None:
        """End a worker now; its jobs are given back to the queue. Returns when it has ended.

        Args:
            worker_id: One of `alive()`.
            grace_s: Seconds it has to end its jobs' processes itself.

        Raises:
            GigQError: This console has no such worker, or it has ended.
        """
        _end_now([self._process(worker_id)], grace_s)

    def end_all(self, timeout_s: float = KILL_GRACE_S) -> tuple[Ended, ...]:
        """End every worker now, their jobs given back, within about `timeout_s` seconds.

        Returns:
            What `reap` would tell.
        """
        with self._lock:
            processes = [process for _, process in self._running.values()]
        _end_now(processes, timeout_s)
        return self.reap()

    def leave_running(self) -> tuple[SpawnedWorker, ...]:
        """Let go of the workers: they go on by themselves, and this pool is empty.

        Returns:
            Those that were left.
        """
        left = self.alive()
        with self._lock:
            _left.extend(process for _, process in self._running.values())
            self._running.clear()
        return left

    def _look(self) -> None:
        """Move what has ended from the running ones to the ended."""
        with self._lock:
            for worker_id, (worker, process) in list(self._running.items()):
                code = process.poll()
                if code is not None:
                    del self._running[worker_id]
                    self._ended.append(Ended(worker_id, code, last_line(worker.log_path)))

    def _process(self, worker_id: str) -> subprocess.Popen[bytes]:
        self._look()
        with self._lock:
            found = self._running.get(worker_id)
        if found is None:
            raise GigQError(f"{worker_id} is not a running worker of this console.")
        return found[1]

    def _busy(self) -> set[str]:
        connection = open_read_only(self.path)
        try:
            if not is_attached(connection):
                return set()
            return {row[0] for row in connection.execute(_BUSY).fetchall()}
        except sqlite3.Error as problem:
            raise explain(problem, self.path) from None
        finally:
            connection.close()


def last_line(log_path: Path) -> str:
    """The last line of a log that isn't empty, or "" where there is none to be read."""
    try:
        with log_path.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - _LOG_TAIL_BYTES))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _end_now(processes: Iterable[subprocess.Popen[bytes]], grace_s: float) -> None:
    """Ask once, ask again until it has worked, and at the end of the grace kill."""
    left = [process for process in processes if process.poll() is None]
    started = time.monotonic()
    asked = started - _SECOND_SIGNAL_AFTER_S
    while left and time.monotonic() < started + grace_s:
        if time.monotonic() >= asked + _SECOND_SIGNAL_AFTER_S:
            asked = time.monotonic()
            for process in left:
                process.send_signal(signal.SIGTERM)
        time.sleep(_POLL_S)
        left = [process for process in left if process.poll() is None]
    for process in left:
        process.kill()
    for process in left:
        process.wait()


def _environment() -> dict[str, str]:
    """Ours, with relative entries of PYTHONPATH made absolute: the worker starts elsewhere."""
    environment = dict(os.environ)
    python_path = environment.get("PYTHONPATH")
    if python_path:
        environment["PYTHONPATH"] = os.pathsep.join(
            str(Path(entry).absolute()) for entry in python_path.split(os.pathsep) if entry
        )
    return environment
