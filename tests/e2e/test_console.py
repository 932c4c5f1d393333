"""The console as a person meets it: the real program, real workers, a terminal, keys."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gigq_core import JobQueue
from gigq_core.system.identity import process_start
from tests.e2e.terminal import ConsoleTerminal
from tests.integration.conftest import gone
from tests.waiting import wait_until

PROJECT = '''
import pathlib
import threading


def greet(name="world"):
    print("greeting", name)
    return f"hello {name}"


def read(path):
    return len(pathlib.Path(path).read_text())


def wait_for(path):
    """Work that lasts until the test lets it go."""
    pause = threading.Event()
    while not pathlib.Path(path).exists():
        pause.wait(0.02)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "e2e_project.py").write_text(PROJECT)
    return tmp_path


@pytest.fixture
def path(folder: Path) -> Iterator[Path]:
    """A queue of its own; whatever works on it at the end is ended."""
    file = folder / "jobs.db"
    JobQueue(file).close()
    yield file
    for pid in worker_pids(file):
        if process_start(pid) is not None:
            os.kill(pid, signal.SIGKILL)


def gigq_core(path: Path, *words: str) -> str:
    """Run the queue's own command, in the folder of the project."""
    answer = subprocess.run(
        [sys.executable, "-m", "gigq_core", "--db", str(path), *words],
        cwd=path.parent,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return answer.stdout


def worker_pids(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    try:
        return [pid for (pid,) in connection.execute("SELECT pid FROM core_workers")]
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def running(pids: list[int]) -> list[int]:
    return [pid for pid in pids if process_start(pid) is not None]


def test_a_job_arrives_fails_is_understood_and_retried(path: Path, folder: Path) -> None:
    with ConsoleTerminal(path, cwd=folder) as console:
        console.wait_for(r"\[1 All 0\]")
        # Live: what another process submits is seen by itself.
        gigq_core(path, "submit", "e2e_project.greet", "--name", "greet")
        console.wait_for(r"greet +\. ready")
        console.press("+")
        console.wait_for(r"greet +\+ done")
        console.wait_for(r"Workers 1 ")

        missing = folder / "letter.txt"
        words = ("e2e_project.read", "--name", "read", "--max-attempts", "1")
        gigq_core(path, "submit", *words, "--param", f"path={missing}")
        console.wait_for(r"read +X FAILED")
        console.press("g")
        console.wait_for(r"(?m)^ *> +\w+ read ")
        console.press("\r")
        console.wait_for(r"Traceback \(most recent call last\)")
        console.wait_for(r"FileNotFoundError")
        console.press("\x1b")
        console.wait_for(r"\[1 All 2\]")

        missing.write_text("dear reader")
        console.press("r")
        console.wait_for(r"Retry 1 job\?")
        console.press("y")
        console.wait_for(r"read +\+ done")

        console.press("w")
        console.wait_for(r"1 worker alive")
        (pid,) = worker_pids(path)
        console.wait_for(rf"\b{pid}\b")
        console.press("\x1b")
        console.wait_for(r"\[1 All 2\]")

        console.press("q")
        console.wait_for(r"still runs")
        console.press("e")
        assert console.wait_for_end() == 0
        assert console.restored()
        assert running([pid]) == []


def test_workers_that_are_left_outlive_the_console(path: Path, folder: Path) -> None:
    with ConsoleTerminal(path, cwd=folder, columns=80, rows=24) as console:
        console.wait_for(r"\[1 All 0\]")
        console.press("+")
        console.wait_for(r"worker w1-\w+")
        pids = wait_until(lambda: worker_pids(path), what="the worker's row")
        console.press("q")
        console.wait_for(r"still runs")
        console.press("l")
        assert console.wait_for_end() == 0
        assert console.restored()
    assert running(pids) == pids
    gigq_core(path, "submit", "e2e_project.greet")
    wait_until(lambda: JobQueue(path).stats()["completed"] == 1, what="the job to complete")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_with_the_terminal_restored(
    path: Path, folder: Path, number: signal.Signals
) -> None:
    with ConsoleTerminal(path, cwd=folder) as console:
        console.wait_for(r"\[1 All 0\]")
        console.process.kill(number)
        assert console.wait_for_end() == 128 + number
        assert console.restored()


def test_ctrl_z_goes_to_the_shell_and_fg_paints_everything_anew(folder: Path) -> None:
    path = folder / "jobs.db"
    JobQueue(path).close()
    with ConsoleTerminal(path, cwd=folder) as console:
        console.wait_for(r"\[1 All 0\]")
        console.press("\x1a")
        process = psutil.Process(console.process.pid)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, what="the console to stop")
        console.take()
        assert console.restored()
        console.forget()
        console.process.kill(signal.SIGCONT)
        console.wait_for(r"\[1 All 0\]")
        console.press("q")
        assert console.wait_for_end() == 0


def test_the_demo_ends_its_workers_when_it_is_quit(folder: Path) -> None:
    with ConsoleTerminal("--demo", "--demo-dir", folder / "demo", cwd=folder) as console:
        console.wait_for(r"\+ done|Done [1-9]", 60)
        pids = worker_pids(folder / "demo" / "demo.db")
        assert len(pids) == 2
        console.press("q")
        assert console.wait_for_end(30) == 0
        assert console.restored()
        assert f"The demo's files are in {folder / 'demo'}" in console.written
    assert running(pids) == []
    assert JobQueue(folder / "demo" / "demo.db").stats()["running"] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_demo_ends_its_workers_when_it_is_told_to_go(
    folder: Path, number: signal.Signals
) -> None:
    with ConsoleTerminal("--demo", "--demo-dir", folder / "demo", cwd=folder) as console:
        console.wait_for(r"\+ done|Done [1-9]", 60)
        pids = worker_pids(folder / "demo" / "demo.db")
        console.process.kill(number)
        assert console.wait_for_end(30) == 128 + number
        assert console.restored()
    assert len(pids) == 2
    assert running(pids) == []


def test_the_demo_ends_its_workers_when_the_terminal_is_closed(folder: Path) -> None:
    with ConsoleTerminal("--demo", "--demo-dir", folder / "demo", cwd=folder) as console:
        console.wait_for(r"\+ done|Done [1-9]", 60)
        pids = worker_pids(folder / "demo" / "demo.db")
        console.hang_up()
        wait_until(lambda: not running([*pids, console.process.pid]), 30, "all processes to end")
        console.process.ptyproc.wait()
        assert console.process.ptyproc.exitstatus == 128 + signal.SIGHUP
    assert len(pids) == 2


def test_a_demo_that_is_killed_leaves_no_worker_and_no_job(folder: Path) -> None:
    with ConsoleTerminal("--demo", "--demo-dir", folder / "demo", cwd=folder) as console:
        console.wait_for(r"\+ done|Done [1-9]", 60)
        started = psutil.Process(console.process.pid).children(recursive=True)
        assert len(started) >= 2
        console.process.kill(signal.SIGKILL)
        wait_until(lambda: not [p for p in started if not gone(p.pid)], 30, "all processes to end")
    assert JobQueue(folder / "demo" / "demo.db").stats()["running"] == 0


def test_looking_at_gigqs_own_file_changes_nothing(folder: Path, data_folder: Path) -> None:
    path = folder / "old.db"
    path.write_bytes((data_folder / "gigq-0.5.1.db").read_bytes())
    before = path.read_bytes()
    with ConsoleTerminal(path, cwd=folder, columns=80, rows=24) as console:
        console.wait_for(r"\[1 All [1-9]")
        for tab in "234567":
            console.press(tab)
            console.wait_for(rf"\[{tab} ")
        console.press("1")
        console.wait_for(r"\[1 ")
        console.press("\r")
        console.wait_for(r"Params")
        console.press("\x1b")
        console.wait_for(r"\[1 All")
        console.press("w")
        console.wait_for(r"> Workers")
        console.press("\x1b")
        console.wait_for(r"\[1 All")
        console.press("q")
        assert console.wait_for_end() == 0
    assert path.read_bytes() == before


def test_read_only_says_so_and_refuses(path: Path, folder: Path) -> None:
    with ConsoleTerminal(path, "--read-only", cwd=folder) as console:
        console.wait_for(r"READ-ONLY")
        console.press("+")
        console.wait_for(r"read-only, so it can't")
        console.press("q")
        assert console.wait_for_end() == 0
    assert worker_pids(path) == []


def test_without_colours(path: Path, folder: Path) -> None:
    gigq_core(path, "submit", "e2e_project.greet", "--name", "greet")
    with ConsoleTerminal(path, cwd=folder, columns=80, rows=24, NO_COLOR="1") as console:
        console.wait_for(r"greet +\. ?r")
        console.press("q")
        assert console.wait_for_end() == 0
        assert console.restored()
    # Shades of grey are left: brightness, but no colour.
    shades = re.findall(r"[34]8;2;(\d+);(\d+);(\d+)", console.written)
    assert all(red == green == blue for red, green, blue in shades)
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?[34]8;5;", console.written)
