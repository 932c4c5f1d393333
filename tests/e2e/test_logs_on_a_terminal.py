"""`gigq-core` on a terminal of its own: output in its colours, live, and in any encoding."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

from gigq_core import Job, JobQueue
from tests.e2e.terminal import terminal_environment
from tests.waiting import wait_until

TASKS = """
import os, sys, time

def paints():
    for step in range(1001):
        sys.stderr.write("\\rtraining %4d/1000" % step)
    sys.stderr.write("\\n")
    print("\\x1b[31mERROR\\x1b[0m \\x1b[38;5;200mpink\\x1b[0m", end=" ")
    print("\\x1b]0;owned\\x07\\x1b[2J\\x9b3J done")

def steps():
    for step in ("one", "two"):
        sys.stderr.write("\\r\\x1b[32mstep\\x1b[0m " + step)
        sys.stderr.flush()
        while not os.path.exists(step):
            time.sleep(0.02)
    sys.stderr.write("\\n")
"""


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    """A queue with a worker on it."""
    (tmp_path / "tasks.py").write_text(TASKS)
    queue = JobQueue(tmp_path / "jobs.db")
    worker = subprocess.Popen(
        [sys.executable, "-m", "gigq_core", "--db", str(queue.db_path), "worker"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    yield queue
    worker.send_signal(signal.SIGKILL)
    worker.wait(20)


class Terminal:
    """`gigq-core` with these words, on a terminal of 80 columns."""

    def __init__(self, queue: JobQueue, *words: str, **env: str) -> None:
        self.sent = ""
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.Stream(self._screen)
        self._process = pexpect.spawn(
            sys.executable,
            ["-m", "gigq_core", "--db", str(queue.db_path), *words],
            env=terminal_environment(**env),
            dimensions=(24, 80),
            encoding="latin-1",
        )

    def text(self) -> str:
        """What stands on the terminal now."""
        while True:
            try:
                piece = self._process.read_nonblocking(65536, timeout=0)
            except (pexpect.TIMEOUT, pexpect.EOF):
                return "\n".join(line.rstrip() for line in self._screen.display).rstrip()
            self.sent += piece
            self._stream.feed(piece)

    def wait_for(self, text: str) -> None:
        """Wait until that stands on it."""
        wait_until(lambda: text in self.text(), what=text)

    def ended(self) -> str:
        """What stands there once the command has ended."""
        wait_until(lambda: (self.text(), not self._process.isalive())[1], what="the end")
        return self.text()


def done(queue: JobQueue, function: str) -> str:
    """A job that has ended."""
    job = queue.submit(Job(function, f"tasks.{function}", max_attempts=1))
    wait_until(lambda: queue.get_status(job)["status"] == "completed", what="the job's end")
    return job


@pytest.mark.parametrize("option", [(), ("--follow",)])
def test_colours_are_obeyed_and_nothing_else(queue: JobQueue, option: tuple[str, ...]) -> None:
    terminal = Terminal(queue, "logs", done(queue, "paints"), *option)
    shown = terminal.ended()
    first, second = shown.splitlines()
    assert first == "training 1000/1000"
    assert second.startswith("ERROR pink \\x1b[2J")
    assert "\x1b[31mERROR\x1b[0m" in terminal.sent
    assert "\x1b[38;5;200mpink\x1b[0m" in terminal.sent
    assert "owned" not in terminal.sent
    assert "\x1b[2J" not in terminal.sent
    assert "\x9b" not in terminal.sent


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_where_none_are_wanted(queue: JobQueue, env: dict[str, str]) -> None:
    terminal = Terminal(queue, "logs", done(queue, "paints"), **env)
    assert "ERROR pink" in terminal.ended()
    assert "\x1b" not in terminal.sent


def test_a_line_is_followed_before_it_ends(queue: JobQueue, tmp_path: Path) -> None:
    job = queue.submit(Job("steps", "tasks.steps", max_attempts=1))
    wait_until(lambda: queue.get_status(job)["status"] == "running", what="the job's start")
    terminal = Terminal(queue, "logs", "--follow", job)
    for step in ("one", "two"):
        terminal.wait_for(f"step {step}")
        (tmp_path / step).touch()
    assert terminal.ended() == "step two"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_tables_are_drawn_on_terminals_of_any_encoding(queue: JobQueue, encoding: str) -> None:
    queue.submit(Job("start \U0001f680 \u202e caf\u00e9", "tasks.none", priority=-9))
    for words in (["list"], ["stats"], ["workers"], ["doctor"]):
        terminal = Terminal(queue, *words, PYTHONIOENCODING=encoding)
        terminal.ended()
        assert "Traceback" not in terminal.sent
        if encoding != "utf-8":
            assert encoding != "ascii" or terminal.sent.isascii()
            assert "\u202e".encode() not in terminal.sent.encode("latin-1")
