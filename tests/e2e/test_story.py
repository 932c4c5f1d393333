"""A night's work from end to end: one operator with all that goes wrong, then two on one file."""

from __future__ import annotations

import base64
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from tests.e2e.terminal import ConsoleTerminal
from tests.e2e.test_console import gigq_core, running, worker_pids
from tests.waiting import wait_until

PROJECT = '''
import pathlib
import threading


def load(path):
    print("loading", path)
    return len(pathlib.Path(path).read_text())


def copy(tape):
    """Print what comes onto a tape, until its last line."""
    tape, printed, pause = pathlib.Path(tape), 0, threading.Event()
    while True:
        lines = tape.read_text().splitlines()
        for line in lines[printed:]:
            print(line, flush=True)
        printed = len(lines)
        if "END" in lines:
            return printed
        more(pause)


def more(pause):
    pause.wait(0.02)


def mail():
    return "sent"
'''
CLEAR, ENTER, ESC, ALT_S = "\x15", "\r", "\x1b", "\x1bs"


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    """A queue of its own, beside its project; whatever works on it at the end is ended."""
    (tmp_path / "press_of_story.py").write_text(PROJECT)
    queue = JobQueue(tmp_path / "jobs.db")
    yield queue
    for pid in running(worker_pids(tmp_path / "jobs.db")):
        os.kill(pid, signal.SIGKILL)


def job(name: str, function: str, **more: Any) -> Job:
    return Job(name, FunctionReference.parse(f"press_of_story.{function}"), **more)


def stand_on(console: ConsoleTerminal, name: str) -> None:
    """Put the cursor on the newest job of that name."""
    console.wait_for(rf"^ ?[> ] +[0-9a-f]{{6,8}} {name} ")
    names = re.findall(r"(?m)^ ?[> ] +[0-9a-f]{6,8} (\S+) ", console.text())
    console.press("g" + "j" * names.index(name))
    console.wait_for(rf"^ ?> +[0-9a-f]{{6,8}} {name} ")


def back_to_jobs(console: ConsoleTerminal) -> None:
    console.press(ESC)
    console.wait_for(r"\[1 All ")


def answer(console: ConsoleTerminal, key: str, question: str, told: str) -> None:
    """Press a key, see what is asked, say yes, and see what is told."""
    console.press(key)
    console.wait_for(question)
    console.press("y")
    console.wait_for(told)


def status_of(queue: JobQueue, job_id: str) -> str:
    return str(queue.get_status(job_id).get("status", "gone"))


def why_it_failed(console: ConsoleTerminal, queue: JobQueue, folder: Path) -> str:
    """From a failure to its cause, and to a copy with other parameters; returns the copy's id."""
    failed = job("load", "load", params={"path": "lettr.txt"}, max_attempts=1)
    report = job("report", "mail", dependencies=[failed.id])
    queue.submit_many([failed, report])
    gigq_core(folder / "jobs.db", "worker", "--once")
    console.wait_for(r" load +X ?F.*\[Errno 2")
    console.wait_for(r" report +! ?DOOM.*never runs: load ")
    stand_on(console, "load")
    console.press(ENTER)
    console.wait_for(r"X ?FAILED .*blocks 1")
    console.wait_for(r"Traceback \(most recent call last\)")
    console.wait_for(r"in load\b")
    back_to_jobs(console)

    (folder / "letter.txt").write_text("dear reader")
    console.press("e")
    console.wait_for(r"found: \(path")
    console.press("\t\t")
    console.wait_for_focus(r"path\*")
    console.press(f"{CLEAR}letter.txt")
    console.wait_for(r"path\* +letter\.txt ")
    console.wait_for("Will insert 1 row")
    console.press(ALT_S)
    console.wait_for(r"submitted load")
    (copy,) = [row for row in queue.list_jobs("pending") if row["name"] == "load"]
    assert copy["params"] == {"path": "letter.txt"}
    assert status_of(queue, failed.id) == "failed"
    console.wait_for(r" load +\. ?r.*no workers running")
    return str(copy["id"])


def a_worker_does_it(console: ConsoleTerminal, queue: JobQueue, job_id: str) -> int:
    """Spawn a worker, and see it do the job; returns its pid."""
    console.press("+")
    console.wait_for(r" load +\+ ?done")
    assert queue.get_result(job_id) == len("dear reader")
    (pid,) = running(worker_pids(Path(queue.db_path)))
    parent = psutil.Process(pid).parent()
    assert parent is not None
    assert parent.pid == console.process.pid
    return pid


def test_a_night_at_120x32(queue: JobQueue, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with ConsoleTerminal(path, cwd=tmp_path) as console:
        console.wait_for(r"\[1 All 0\]")
        first = a_worker_does_it(console, queue, why_it_failed(console, queue, tmp_path))

        # More comes than one worker can do: the panel starts another, with two slots.
        tapes = [tmp_path / f"tape{number}" for number in (1, 2, 3)]
        for tape in tapes:
            tape.write_text("page 1\n")
        copies = [job(tape.name, "copy", params={"tape": str(tape)}) for tape in tapes]
        queue.submit_many(copies)
        console.wait_for(r"RUN 1/1")
        console.press("=")
        console.wait_for(r"will start 1 worker with 1 slot")
        console.press("\t")
        console.wait_for_focus(r"slots each")
        console.press("2")
        console.wait_for(r"will start 1 worker with 2 slots: 2 of this console then")
        console.press(ALT_S)
        console.wait_for(r"2 workers alive \(2 busy\)")
        pids = running(worker_pids(path))
        (second,) = set(pids) - {first}
        words = psutil.Process(second).cmdline()
        assert words[words.index("--concurrency") + 1] == "2"
        back_to_jobs(console)
        console.wait_for(r"RUN 3/3")

        # What the long one prints is followed, and where it is, is asked.
        stand_on(console, "tape1")
        console.press("l")
        console.wait_for(r"^ page 1$")
        with tapes[0].open("a") as tape:
            tape.write("page 2\n")
        console.wait_for(r"^ page 2$")
        console.press("S")
        console.wait_for(r"in more$")
        console.wait_for(r"taken [0-9:]+, S takes another +gigq-core --db")
        back_to_jobs(console)

        # One that waits for a slot: cancelled, taken back, and put first.
        mail = job("mail", "mail", max_attempts=1)
        queue.submit(mail)
        stand_on(console, "mail")
        answer(console, "c", r"Cancel 1 job\?", r"cancelled mail ")
        assert status_of(queue, mail.id) == "cancelled"
        console.press("u")
        console.wait_for(r"undone: cancel of mail")
        assert status_of(queue, mail.id) == "pending"
        console.press(">")
        console.wait_for(r"mail: priority 1, was 0")
        assert queue.get_status(mail.id)["priority"] == 1

        # The long one is stopped, its process is gone, and its slot goes to the one that waited.
        children = {child for pid in pids for child in psutil.Process(pid).children()}
        stand_on(console, "tape1")
        answer(console, "c", r"It is running: its worker will be asked", r"cancelled tape1")
        assert status_of(queue, copies[0].id) == "cancelled"
        wait_until(lambda: any(not child.is_running() for child in children), what="its end")
        console.wait_for(r" mail +\+ ?done")
        assert queue.get_result(mail.id) == "sent"
        assert [status_of(queue, copy.id) for copy in copies[1:]] == ["running"] * 2

        console.press("o")
        console.wait_for(r"press_of_story\.copy +- +2 ")
        back_to_jobs(console)

        # What has ended is cleared, once it is said what that is; and comes back.
        console.press("X")
        console.wait_for(r"Clear 3 finished jobs .*\?")
        console.wait_for(r"Delete: 2 done, 1 cancelled\.")
        assert queue.stats()["total"] == 7
        console.press("y")
        console.wait_for(r"cleared 3 ")
        assert queue.stats()["total"] == 4
        assert status_of(queue, mail.id) == "gone"
        answer(console, "u", r"Undo the clear of 3 jobs\?", r"undone: clear of 3 jobs")
        assert queue.stats()["total"] == 7
        assert queue.get_result(mail.id) == "sent"

        stand_on(console, "mail")
        console.press("y")
        console.wait_for(r"Copy from mail ")
        console.press("i")
        console.wait_for(rf"copied the id: {mail.id}")
        encoded = base64.b64encode(mail.id.encode()).decode()
        assert f"\x1b]52;c;{encoded}\x07" in console.written

        # The workers may finish what they have; the console does not wait for that.
        console.press("q")
        console.wait_for(r"Quit\? 2 workers that this console started still run")
        console.press("f")
        assert console.wait_for_end() == 0
        assert console.restored()
    assert second in running(pids)
    for tape in tapes[1:]:
        tape.write_text("page 1\nEND\n")
    wait_until(lambda: not running(pids), what="the workers to end")
    assert [queue.get_result(copy.id) for copy in copies[1:]] == [2, 2]
    assert queue.stats()["running"] == 0


def test_the_shorter_night_at_80x24(queue: JobQueue, tmp_path: Path) -> None:
    with ConsoleTerminal(tmp_path / "jobs.db", cwd=tmp_path, columns=80, rows=24) as console:
        console.wait_for(r"\[1 All 0\]")
        pid = a_worker_does_it(console, queue, why_it_failed(console, queue, tmp_path))
        console.press("q")
        console.wait_for(r"Quit\? 1 worker that this console started still runs")
        console.press("f")
        assert console.wait_for_end() == 0
        assert console.restored()
    wait_until(lambda: not running([pid]), what="the worker to end")


def test_two_consoles_on_one_file(queue: JobQueue, tmp_path: Path) -> None:
    jobs = {name: job(name, "mail") for name in ("one", "two", "three")}
    queue.submit_many(list(jobs.values()))
    path = tmp_path / "jobs.db"
    with (
        ConsoleTerminal(path, cwd=tmp_path) as ours,
        ConsoleTerminal(path, cwd=tmp_path, columns=80, rows=24) as theirs,
    ):
        stand_on(ours, "one")
        stand_on(theirs, "two")
        answer(ours, "c", r"Cancel 1 job\?", r"cancelled one ")
        theirs.wait_for(r" one +- ?canc", timeout_s=5)

        # Between the key and the answer, the row has become another.
        theirs.press("c")
        theirs.wait_for(r"Cancel 1 job\?")
        stand_on(ours, "two")
        answer(ours, "c", r"Cancel 1 job\?", r"cancelled two ")
        theirs.press("y")
        theirs.wait_for(r"two: it is already cancelled")

        # What the other has changed since can't be taken back, and that is said.
        answer(theirs, "r", r"Retry 1 job\?", r"(queued two for retry|retried two)")
        assert status_of(queue, jobs["two"].id) == "pending"
        ours.wait_for(r" two +\. ?ready", timeout_s=5)
        ours.press("u")
        ours.wait_for(r"cancel of two.*it has been queued again since")
        assert status_of(queue, jobs["two"].id) == "pending"
        for console in (ours, theirs):
            console.press("q")
            assert console.wait_for_end() == 0
    assert {name: status_of(queue, job.id) for name, job in jobs.items()} == {
        "one": "cancelled",
        "two": "pending",
        "three": "pending",
    }
