"""The console in a folder whose name is not UTF-8: workers start there, and do their jobs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from tests.e2e.terminal import ConsoleTerminal
from tests.waiting import wait_until

BAD = b"na\xefve"
TASKS = """
import os, sys, time

def paints():
    print("loading")
    for step in range(1001):
        sys.stderr.write("\\rtraining %4d/1000" % step)
    sys.stderr.write("\\n")
    print("\\x1b[31mERROR\\x1b[0m no disk \\x1b]0;owned\\x07\\x1b[2J")
    print(os.path.basename(os.getcwd()).encode("utf-8", "surrogateescape"))

def waits():
    while not os.path.exists("go"):
        time.sleep(0.05)
"""
# The words of a command line that pexpect can't hand over.
PROGRAM = (
    "import os, sys; sys.argv[1:] = [os.fsdecode(bytes.fromhex(w)) for w in sys.argv[1:]]; "
    "from {0} import main; main()"
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = os.fsencode(tmp_path) + b"/" + BAD
    try:
        os.mkdir(path)
    except OSError:
        pytest.skip("this file system takes only names that are UTF-8")
    folder = Path(os.fsdecode(path))
    (folder / "tasks.py").write_text(TASKS)
    yield folder
    (folder / "go").touch()
    for log in folder.glob("*-logs/*.log"):
        for pid in set(re.findall(r"pid (\d+)", log.read_text(errors="replace"))):
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass


def hexadecimal(path: Path) -> str:
    return os.fsencode(path).hex()


def test_a_console_works_where_names_are_not_utf8(folder: Path) -> None:
    db = Path(os.fsdecode(os.fsencode(folder) + b"/q" + BAD + b".db"))
    queue = JobQueue(db)
    job = queue.submit(Job("paints", "tasks.paints", max_attempts=1))
    program = ("-c", PROGRAM.format("gigq_tui.cli"))
    with ConsoleTerminal(hexadecimal(db), cwd=folder, program=program) as console:
        console.wait_for("qna.ve.db")
        console.press("+")
        console.wait_for(r" paints +\+ ?done")
        console.press("\r")
        console.wait_for("Result")
        console.press("2")
        console.wait_for("training 1000/1000")
        text = console.text()
        assert "training  999" not in text
        assert "ERROR no disk" in text
        assert "owned" not in text
        assert "na\\xefve" in text
        console.press("\x1b")
        waiting = queue.submit(Job("waits", "tasks.waits", max_attempts=1))
        console.wait_for(r" waits +\* ?run")
        stack = subprocess.run(
            [sys.executable, "-m", "gigq_core", "--db", db, "stack", waiting],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "in waits" in stack.stdout, stack
        console.press("w")
        console.wait_for(r"log .*Finishing|log .*\.log")
        console.wait_for("claim|completed|paints")
        (folder / "go").touch()
        wait_until(lambda: queue.get_status(waiting)["status"] == "completed", what="the job's end")
        console.press("q")
        console.wait_for(r"\[1 All ")
        console.press("q")
        console.wait_for("Kill it and quit")
        console.press("e")
        console.wait_for_end()
        # The codes of colours that reach the terminal are the console's own.
        assert "\x1b[31m" not in console.written
        assert "\x1b]0;owned" not in console.written
    assert queue.get_status(job)["status"] == "completed"
