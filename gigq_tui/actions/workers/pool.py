"""The worker processes that this console started: spawn them, stop them, see them end."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gigq_core.cli import own_command
from gigq_core.errors import GigQError
from gigq_core.schema.opening import check_path
from gigq_core.system.kept_files import create_log
from gigq_core.system.paths import queue_file
from gigq_core.units.durations import seconds_text
from gigq_tui.actions.functions.inspection import check_folder, check_python
from gigq_tui.actions.workers.setup import GRACE_S, WorkerSetup
from gigq_tui.store.held_jobs import busy_workers

# A worker that ends at once still grants its jobs their grace: so much longer it is waited for.
BEYOND_GRACE_S = 3.0
# Two signals sent at once may arrive as one: the second is sent again until it has worked.
_SECOND_SIGNAL_AFTER_S = 0.3
_POLL_S = 0.02
_LOG_TAIL_BYTES = 8192


@dataclass(frozen=True)
class SpawnedWorker:
    """A worker process of this console's that has not ended yet."""

    worker_id: str
    pid: int
    log_path: Path
    grace_s: float = GRACE_S


@dataclass(frozen=True)
class Ended:
    """How a worker process of this console's ended: below zero is minus the signal's number.

    `asked` says that this console had asked for it.
    """

    worker_id: str
    exit_code: int
    last_log_line: str
    asked: bool = False


class WorkerPool:
    """The worker subprocesses of one console. Safe to use from several threads.

    The workers run in sessions of their own, so they do not die with the terminal.

    Args:
        path: The queue file.
        setup: With what a worker is started that is asked for without further ado.
        tied: Whether they end with this process, however that ends.

    Attributes:
        setup: The same; whoever chooses another puts it here.
        started: The ids of all workers that were started here, those that have ended too.
    """

    def __init__(self, path: Path, setup: WorkerSetup, *, tied: bool = False) -> None:
        self.path = queue_file(path).absolute()
        self.setup = setup
        self.started: set[str] = set()
        self._lock = threading.Lock()
        self._running: dict[str, tuple[SpawnedWorker, subprocess.Popen[bytes]]] = {}
        self._asked: set[str] = set()
        self._ended: list[Ended] = []
        self._spawned = 0
        # Held open by this process alone: a worker sees it close, though it should be killed.
        self._lifeline = os.pipe() if tied else None

    def spawn(self) -> SpawnedWorker:
        """Start one worker process with the present setup.

        Raises:
            GigQError: The file, the interpreter, the folder or the log can't be used, or the
                process can't be started; the sentence says which.
        """
        setup = self.setup
        if setup.slots < 1 and not setup.via:
            raise GigQError("A worker needs at least one slot.")
        check_path(self.path)
        place = setup.remote_words
        if not setup.via:
            place = ["--python", check_python(setup.python)]
            place += ["--chdir", str(check_folder(setup.chdir))]
        try:
            worker_id, log_path, log = self._new_log()
            words = [*own_command(), "--db", str(self.path), "worker"]
            words += [*setup.slot_words, "--isolation", "process"]
            words += [*place, "--worker-id", worker_id]
            words += ["--owner", "console", "--log-file", str(log_path)]
            if setup.grace_s != GRACE_S:
                words += ["--grace", seconds_text(setup.grace_s)]
            words += setup.lane_words
            ends = self._lifeline[:1] if self._lifeline else ()
            words += [word for end in ends for word in ("--lifeline", str(end))]
            with log:
                process = subprocess.Popen(
                    words,
                    cwd=log_path.parent,
                    env=setup.surroundings(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=ends,
                )
        except OSError as problem:
            raise GigQError(
                f"A worker can't be started: {problem.strerror or problem} "
                f"({problem.filename or sys.executable})."
            ) from None
        worker = SpawnedWorker(worker_id, process.pid, log_path, setup.grace_s)
        with self._lock:
            self._running[worker_id] = (worker, process)
            self.started.add(worker_id)
        return worker

    def _new_log(self) -> tuple[str, Path, BinaryIO]:
        """A name that no worker has had on this file, and its log, open."""
        with self._lock:
            self._spawned += 1
            number = self._spawned
        while True:
            worker_id = f"w{number}-{secrets.token_hex(2)}"
            try:
                return worker_id, *create_log(self.path, worker_id)
            except FileExistsError:
                continue

    def alive(self) -> tuple[SpawnedWorker, ...]:
        """The workers that have not ended, the oldest first; draining ones too."""
        self._look()
        with self._lock:
            return tuple(worker for worker, _ in self._running.values())

    def staying(self) -> tuple[SpawnedWorker, ...]:
        """Those of `alive()` that were not asked to stop."""
        return tuple(worker for worker in self.alive() if worker.worker_id not in self._asked)

    def reap(self) -> tuple[Ended, ...]:
        """The workers that ended since this was last asked."""
        self._look()
        with self._lock:
            ended, self._ended = tuple(self._ended), []
        return ended

    def drain(self, worker_id: str) -> None:
        """Let a worker finish the jobs it has, and end. Returns at once.

        Raises:
            GigQError: This console has no such worker, it has ended, or it was asked already: to
                be told twice means to a worker to end at once.
        """
        _, process = self._found(worker_id)
        with self._lock:
            if worker_id in self._asked:
                raise GigQError(f"{worker_id} is draining already.")
            self._asked.add(worker_id)
        process.send_signal(signal.SIGTERM)

    def drain_some(self, count: int, *, busy_too: bool) -> tuple[list[str], list[str]]:
        """Let workers end: those that have no job first, and the youngest of them first.

        Args:
            count: How many, at most.
            busy_too: Whether those that have one are asked too, to end after it.

        Returns:
            The ids of those without a job that were asked, and of those with one.

        Raises:
            DatabaseError: The file can't be read now; nobody was asked.
        """
        working = busy_workers(self.path)
        young_first = [worker.worker_id for worker in reversed(self.staying())]
        idle = [name for name in young_first if name not in working][:count]
        busy = [name for name in young_first if name in working][: count - len(idle)]
        if not busy_too:
            busy = []
        return [n for n in idle if self._asks(n)], [n for n in busy if self._asks(n)]

    def stop_all(self) -> None:
        """Let every worker finish the jobs it has, and end."""
        for worker in self.staying():
            self._asks(worker.worker_id)

    def _asks(self, worker_id: str) -> bool:
        try:
            self.drain(worker_id)
        except GigQError:
            # It has ended meanwhile, or another thread has asked it.
            return False
        return True

    def kill(self, worker_id: str, patience_s: float | None = None) -> bool:
        """End a worker now; it gives its jobs back to the queue. Returns when it has ended.

        Args:
            worker_id: One of `alive()`.
            patience_s: Seconds it has for that; by default what it grants its jobs, and some more.

        Returns:
            Whether it did that; else it was killed, and its jobs are to be released.

        Raises:
            GigQError: This console has no such worker, or it has ended.
        """
        worker, process = self._found(worker_id)
        with self._lock:
            self._asked.add(worker_id)
        if patience_s is None:
            patience_s = worker.grace_s + BEYOND_GRACE_S
        return not _end_now([process], patience_s)

    def end_all(self, patience_s: float | None = None) -> tuple[Ended, ...]:
        """End every worker now, their jobs given back.

        Args:
            patience_s: Seconds after which those that have not ended are killed; by default what
                they grant their jobs, and some more.

        Returns:
            What `reap` would tell.
        """
        with self._lock:
            running = list(self._running.values())
            self._asked.update(self._running)
        if patience_s is None:
            graces = [worker.grace_s for worker, _ in running]
            patience_s = max(graces, default=0.0) + BEYOND_GRACE_S
        _end_now([process for _, process in running], patience_s)
        return self.reap()

    def leave_running(self) -> tuple[SpawnedWorker, ...]:
        """Let go of the workers: they go on by themselves, and this pool is empty.

        Returns:
            Those that were left.
        """
        left = self.alive()
        with self._lock:
            for _, process in self._running.values():
                # Whoever ends while this console still lives must not stay a zombie.
                threading.Thread(target=process.wait, daemon=True).start()
            self._running.clear()
        return left

    def _look(self) -> None:
        """Move what has ended from the running ones to the ended."""
        with self._lock:
            for worker_id, (worker, process) in list(self._running.items()):
                code = process.poll()
                if code is not None:
                    del self._running[worker_id]
                    asked = worker_id in self._asked
                    self._asked.discard(worker_id)
                    self._ended.append(Ended(worker_id, code, last_line(worker.log_path), asked))

    def _found(self, worker_id: str) -> tuple[SpawnedWorker, subprocess.Popen[bytes]]:
        self._look()
        with self._lock:
            found = self._running.get(worker_id)
        if found is None:
            raise GigQError(f"{worker_id} is not a running worker of this console.")
        return found


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


def _end_now(
    processes: Iterable[subprocess.Popen[bytes]], grace_s: float
) -> list[subprocess.Popen[bytes]]:
    """Ask once, ask again until it has worked, and at the end of the grace kill; those killed."""
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
    return left
