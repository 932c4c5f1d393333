"""GigQ's side of a shared file: its queue, its command, its workers as processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gigq

from tests.integration.conftest import ROOT

_WORKER = """
import logging, sys, gigq
logging.basicConfig(level=logging.INFO)
worker = gigq.Worker(sys.argv[1], worker_id=sys.argv[2], polling_interval=0.02)
worker.process_one() if sys.argv[3:] else worker.start()
"""


class Theirs:
    """The public package on one file.

    Args:
        db: the file.
        folder: where its workers' logs go.
    """

    def __init__(self, db: Path, folder: Path) -> None:
        self.db = db
        self.folder = folder
        self.queue = gigq.JobQueue(str(db))
        self._workers: list[subprocess.Popen[bytes]] = []

    def submit(self, function: Callable[..., Any], name: str = "job", **options: Any) -> str:
        job_id: str = self.queue.submit(gigq.Job(name, function, **options))
        return job_id

    def cli(self, *args: str) -> str:
        """Run its command; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "gigq.cli", "--db", str(self.db), *args],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def worker(self, worker_id: str = "theirs", *, once: bool = False) -> subprocess.Popen[bytes]:
        """A worker that looks for jobs many times a second, or for one alone."""
        with open(self.folder / f"{worker_id}.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _WORKER, str(self.db), worker_id, *(["once"] * once)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._workers.append(process)
        return process

    def log(self, worker_id: str = "theirs") -> str:
        """What a worker said."""
        return (self.folder / f"{worker_id}.log").read_text()

    def close(self) -> None:
        for process in self._workers:
            if process.poll() is None:
                process.kill()
            process.wait()
        gigq.close_connections()


def ours(db: Path, *args: str) -> tuple[int, str, str]:
    """Run our command; returns its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "gigq_core", "--db", str(db), *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stdout, done.stderr


def ours_json(db: Path, *args: str) -> Any:
    """Run our command with --json; returns what it said."""
    return json.loads(ours(db, *args, "--json")[1])
