"""`status --watch` follows a job to its end: lines in a pipe, a bar on a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.integration import stepping
from tests.integration.conftest import Place
from tests.waiting import wait_until

REFUSED, INTERRUPTED, BROKEN_PIPE = 1, 130, 141
# What stands before each line.
STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", re.MULTILINE)


class Watcher:
    """The command on a job, and what it has said so far."""

    def __init__(self, place: Place, *args: str, stdout: int | None = None) -> None:
        self._said = place.folder / "said"
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gigq_core", "--db", str(place.db), "status", *args],
                stdin=subprocess.DEVNULL,
                stdout=said if stdout is None else stdout,
                stderr=subprocess.PIPE,
                env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
            )

    def said(self) -> str:
        return STAMP.sub("", self._said.read_text())

    def until(self, words: str) -> None:
        wait_until(lambda: words in self.said(), what=f"the words {words!r}")

    def end(self) -> int:
        code = self.process.wait(timeout=20)
        assert self.process.stderr is not None
        assert self.process.stderr.read() == b""
        return code


@pytest.fixture
def stepped(place: Place) -> Path:
    """The path that the job waits for."""
    return place.folder / "step"


def submit(place: Place, stepped: Path, *, steps: int = 2, **options: object) -> str:
    params = {"path": str(stepped), "steps": steps, "fails": options.pop("fails", False)}
    return place.submit(stepping.step, name="import", params=params, **options)


def go(stepped: Path, *steps: object, attempt: int = 1) -> None:
    for step in steps:
        Path(f"{stepped}.{attempt}.{step}").touch()


def test_each_change_is_a_line_and_the_end_is_the_exit_code(place: Place, stepped: Path) -> None:
    job = submit(place, stepped)
    watcher = Watcher(place, "--watch", job[:8])
    watcher.until("pending\n")
    place.worker("--worker-id", "w1")
    watcher.until("running: attempt 1 of 3 on w1\n")
    go(stepped, 1)
    watcher.until("1 of 2 (50%): row ")
    go(stepped, 2)
    watcher.until("2 of 2 (100%): row ")
    go(stepped, "end")
    assert watcher.end() == 0
    lines = watcher.said().splitlines()
    assert [line.split(":")[0] for line in lines] == [
        *("pending", "running", "1 of 2 (50%)", "2 of 2 (100%)", "completed")
    ]
    assert "\x1b" not in watcher.said()


def test_a_failure_is_told_and_is_no_success(place: Place, stepped: Path) -> None:
    job = submit(place, stepped, steps=1, fails=True, max_attempts=2)
    place.worker("--worker-id", "w1")
    watcher = Watcher(place, job, "--watch", "--show-traceback")
    watcher.until("attempt 1 of 2 on w1\n")
    go(stepped, 1, "end")
    watcher.until("attempt 2 of 2 on w1, after KeyError: 'customer'\n")
    go(stepped, 1, "end", attempt=2)
    assert watcher.end() == REFUSED
    told, _, rest = watcher.said().partition("failed: KeyError: 'customer'\n")
    assert told
    assert rest.startswith("\nTraceback:\n")
    assert rest.endswith("KeyError: 'customer'\n")


def test_what_has_ended_is_told_at_once(place: Place, stepped: Path) -> None:
    job = submit(place, stepped)
    place.queue.cancel(job)
    watcher = Watcher(place, job, "--watch")
    assert watcher.end() == REFUSED
    assert watcher.said() == "cancelled\n"


def test_a_job_that_is_deleted_ends_it(place: Place, stepped: Path) -> None:
    job = submit(place, stepped)
    watcher = Watcher(place, job, "--watch")
    watcher.until("pending\n")
    place.change("DELETE FROM jobs WHERE id = ?", job)
    assert watcher.process.wait(timeout=20) == REFUSED
    assert watcher.process.stderr is not None
    assert watcher.process.stderr.read().decode() == f"Error: Job {job} is gone: it was deleted.\n"


def test_scripts_get_the_job_when_it_has_ended(place: Place, stepped: Path) -> None:
    job = submit(place, stepped, steps=1)
    place.worker()
    watcher = Watcher(place, job, "--watch", "--json")
    go(stepped, 1, "end")
    assert watcher.end() == 0
    found = json.loads(watcher.said())
    assert (found["status"], found["result"]) == ("completed", "all done")


def test_ctrl_c_ends_the_watching_and_not_the_job(place: Place, stepped: Path) -> None:
    job = submit(place, stepped)
    place.worker()
    watcher = Watcher(place, job, "--watch")
    watcher.until("running")
    watcher.process.send_signal(signal.SIGINT)
    assert watcher.process.wait(timeout=20) == INTERRUPTED
    assert place.status(job) == "running"
    go(stepped, 1, 2, "end")
    assert place.end(job)["status"] == "completed"


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_it_ends_with_its_reader(place: Place, stepped: Path, kind: str) -> None:
    job = submit(place, stepped)
    place.worker()
    ours, theirs = os.pipe() if kind == "pipe" else pty.openpty()
    watcher = Watcher(place, job, "--watch", stdout=theirs)
    os.close(theirs)
    seen = b""
    while b"running" not in seen:
        seen += os.read(ours, 1000)
    os.close(ours)
    assert watcher.process.wait(timeout=20) == BROKEN_PIPE
    assert place.status(job) == "running"


def test_a_terminal_has_a_bar(place: Place, stepped: Path) -> None:
    job = submit(place, stepped, steps=4)
    place.worker()
    ours, theirs = pty.openpty()
    watcher = Watcher(place, job, "--watch", stdout=theirs)
    os.close(theirs)
    seen = ""
    for step, words in ((1, "25%  1/4"), (2, "50%  2/4"), (3, "75%  3/4"), ("end", "completed")):
        go(stepped, step)
        if step == "end":
            go(stepped, 4)
        while words not in seen:
            seen += os.read(ours, 1000).decode("utf-8", "replace")
    assert watcher.end() == 0
    while True:
        try:
            piece = os.read(ours, 1000)
        except OSError:
            break
        seen += piece.decode("utf-8", "replace")
    os.close(ours)
    assert "━" in seen
    assert "import" in seen
    # What the job says steers nothing, and the cursor is back.
    assert "row \x1b" not in seen
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")


def test_waiting_costs_next_to_nothing(place: Place, stepped: Path) -> None:
    job = submit(place, stepped)
    place.worker()
    watcher = Watcher(place, job, "--watch")
    watcher.until("running")
    process = psutil.Process(watcher.process.pid)
    before = process.cpu_times()
    began = process.create_time()
    wait_until(lambda: time.time() - began > 4, what="some seconds")
    after = process.cpu_times()
    assert after.user + after.system - before.user - before.system < 0.5
    go(stepped, 1, 2, "end")
    assert watcher.end() == 0
