"""Keys that come in one go, as over a slow line, mean what they would mean one by one."""

from __future__ import annotations

from pathlib import Path

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from tests.e2e.terminal import ConsoleTerminal

BACKSPACE, CLEAR, ENTER = "\x7f", "\x15", "\r"


def test_typed_text_is_edited_in_its_order(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    sell = FunctionReference.parse("shop.sell")
    queue.submit_many([Job("mail", sell), Job("fetch", sell)])
    with ConsoleTerminal(tmp_path / "jobs.db", cwd=tmp_path) as console:
        console.wait_for(r"> +\w+ fetch ")
        # An act behind a filter is about its rows, and what ends the filter is not of its text.
        console.press("/")
        console.wait_for(r"^ / ")
        console.press(f"fetsh{BACKSPACE * 2}ch{CLEAR}maul{BACKSPACE * 2}il{ENTER}c")
        console.wait_for(r"Cancel 1 job\?")
        console.wait_for(r"> +\w+ mail ")
        console.wait_for(r"/ mail .*1 match")
        console.press("n")
        console.press("\x1b")
        console.wait_for(r"> +\w+ mail ")

        # In the palette the letters are words, and no keys: c and y would cancel a job.
        console.press(":")
        console.wait_for(r"commands: ")
        console.press("copyx" + BACKSPACE)
        console.wait_for(r"(?m)^ : copy_")
        console.press("\x1b")
        console.wait_until_gone(r"commands:")

        console.press("n")
        console.wait_for(r"package\.module\.function")
        console.press(f"shop.sel{BACKSPACE}ll\t")
        console.wait_for(r"(?m)^ Function +shop\.sell ")
        console.wait_for(r"(?m)^ Name +sell ")
        console.press(f"name{CLEAR}other{BACKSPACE * 2}")
        console.wait_for(r"(?m)^ Name +oth ")
        console.press("\x1b")
        console.wait_for("Discard what you typed")
        console.press("y")
        console.wait_for(r"\[1 All 2\]")
        console.press("q")
        assert console.wait_for_end() == 0
    assert queue.stats()["pending"] == 2
