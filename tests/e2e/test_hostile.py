"""Whatever a queue file says, the console and the commands show it, and nothing of it acts."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import hostile
from tests.e2e.sent import COPIED, foreign, text_of
from tests.e2e.terminal import ConsoleTerminal

IN_JOB = r"^ (?=[\[ ]1 Att).*\[(\d) "
HEAD = re.compile(r" +ID\S* +NAME +ST")
ROW = re.compile(r" ?[ >][ #] +\S.*\d/-?\d")
DETAIL_TABS = 7
STATE_MARKS = ".*+X!T-?"
PLACES = (
    ("t", r"> Tree"),
    ("l", r"\[2 Output"),
    ("w", r"> Workers"),
    ("?", r"Help"),
)
QUESTIONS = (
    ("C", r"\[ No \(n\) \]"),
    ("R", r"\[ No \(n\) \]"),
    ("e", r"New job, a copy"),
    (":", r"commands:"),
    ("y", r"Copy from"),
)


def hostile_file(folder: Path, attached: bool, **sizes: int) -> Path:
    inner = folder / hostile.HOSTILE_NAME
    inner.mkdir()
    return hostile.build(inner / f"{hostile.HOSTILE_NAME}.db", attached, **sizes)


class Walk:
    """Presses keys, waits for what each brings, and looks at the screen each time."""

    def __init__(self, console: ConsoleTerminal) -> None:
        self.console = console
        self.slowest = (0.0, "")

    def press(self, keys: str, wanted: str | Callable[[str], object]) -> str:
        began = time.monotonic()
        self.console.press(keys)
        self.console.wait_for(wanted)
        took = time.monotonic() - began
        if keys:
            self.slowest = max(self.slowest, (took, f"{keys!r} until {wanted!r}"))
        text = self.console.text()
        assert hostile.STEERING.search(text.replace("\n", "")) is None
        return text

    def leave(self, wanted: str) -> None:
        """Press escape, and wait until what stood there is gone."""

        def it_is_gone(text: str) -> object:
            return not re.search(wanted, text, re.MULTILINE)

        self.press("\x1b", it_is_gone)

    def find(self, pattern: str) -> str:
        """What the pattern's group holds on the screen now."""
        found = re.search(pattern, self.console.text(), re.MULTILINE)
        assert found is not None
        return found[1]

    def aligned(self, title: str, least: int = 0) -> None:
        """Wait until what stands under a title begins in its column, in every row."""

        def all_rows_are_aligned(_: str) -> object:
            rows = self.console.rows()
            head = next((y for y, cells in enumerate(rows) if HEAD.match("".join(cells))), None)
            if head is None or title not in (titles := "".join(rows[head])):
                return False
            at = titles.index(title)
            below = [row for row in rows[head + 1 :] if ROW.match("".join(row))]
            return len(below) >= least and all(row[at] in STATE_MARKS for row in below)

        self.console.wait_for(all_rows_are_aligned, 10)


def cursor_moves(console: ConsoleTerminal) -> Callable[[str], object]:
    """Holds once the cursor stands on another row than now."""

    def row() -> list[int]:
        return [y for y, cells in enumerate(console.rows()) if "".join(cells[:4]).strip() == ">"]

    before = row()

    def the_cursor_moved(_: str) -> object:
        return row() != before

    return the_cursor_moved


def in_job(walk: Walk) -> None:
    """Open the job under the cursor, see all of it, and come back."""
    walk.press("\r", IN_JOB)
    seen = set()
    while (tab := walk.find(IN_JOB)) not in seen:
        seen.add(tab)
        walk.press("G", IN_JOB)
        walk.press("]", rf"^ (?=[\[ ]1 Att).*\[(?!{tab})\d ")
    assert len(seen) >= DETAIL_TABS
    walk.press("\x1b", r"\[1 All")


@pytest.mark.parametrize("attached", [True, False], ids=["attached", "gigq"])
def test_the_console_shows_a_hostile_file_and_obeys_nothing_in_it(
    tmp_path: Path, attached: bool
) -> None:
    path = hostile_file(tmp_path, attached, long=0, parents=1_000)
    before = hostile.rows_of(path)
    with ConsoleTerminal(path, cwd=tmp_path) as console:
        walk = Walk(console)
        walk.press("", r"\[1 All \d\d")
        walk.aligned("STATE", 12)
        for tab in "2345671":
            walk.press(tab, rf"\[{tab} ")
            walk.aligned("STATE")
        for number in range(len(hostile.PAYLOADS)):
            if number:
                walk.press("j", cursor_moves(console))
            if number % 3 == (0 if attached else 2):
                in_job(walk)
        walk.press("G", cursor_moves(console))
        in_job(walk)
        walk.press("g", cursor_moves(console))
        # On a row that holds control sequences: every panel, and every other screen.
        walk.press("j" * 8, r"^ > +02")
        for keys, wanted in PLACES:
            walk.press(keys, wanted)
            walk.press("G", wanted)
            walk.leave(wanted)
        for keys, wanted in QUESTIONS:
            walk.press(keys, wanted)
            walk.leave(wanted)
        for key, what in (("n", "name"), ("e", "error")):
            walk.press("y", r"Copy from")
            walk.press(key, rf"copied the {what}")
        console.resize(80, 24)
        walk.press("", r"^ +ID\S* +NAME +ST ")
        walk.aligned("ST ", 12)
        in_job(walk)
        console.press("q")
        assert console.wait_for_end() == 0
        assert console.restored()
        assert foreign(console.written) == []
        assert hostile.STEERING.findall(text_of(console.written)) == []
        copies = [base64.b64decode(found).decode() for found in COPIED.findall(console.written)]
        assert copies == [hostile.filled(hostile.CLIPBOARD, word) for word in ("name2", "error2")]
        print("the slowest key:", walk.slowest)
    assert hostile.rows_of(path) == before


def said(path: Path, *words: str) -> str:
    """What a command prints into a pipe, both of its outputs, whatever its exit code."""
    answer = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=path.parent,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"Traceback (most recent call last):\n  File" not in answer.stderr, answer.stderr
    return (answer.stdout + answer.stderr).decode("utf-8")


@pytest.mark.parametrize("attached", [True, False], ids=["attached", "gigq"])
def test_the_commands_print_a_hostile_file_as_plain_text(tmp_path: Path, attached: bool) -> None:
    path = hostile_file(tmp_path, attached, long=100_000, parents=1_000)
    once = ("gigq_tui", str(path), "--once")
    core = ("gigq_core", "--db", str(path))
    for words in (
        once,
        (*once, "--filter", "\x1b[31m[@click=app.quit]"),
        (*core, "list", "--limit", "1000"),
        (*core, "stats"),
        (*core, "workers"),
        (*core, "status", "00"),
        (*core, "status", "06"),
        (*core, "status", "09"),
        (*core, "status", "\x1b[31mnobody"),
        (*core, "doctor"),
        (*core, "nonsense\x1b]0;PWNED\x07"),
    ):
        text = said(path, *words)
        assert text
        assert hostile.STEERING.findall(text.replace("\n", "")) == [], words
    answer = said(path, *once, "--json", "--limit", "1000")
    assert answer.isascii()
    assert hostile.STEERING.findall(answer.replace("\n", "")) == []
    assert len(json.loads(answer)["jobs"]) == hostile.rows_of(path)
    listed = said(path, *core, "list", "--limit", "1000", "--json")
    assert listed.isascii()
    json.loads(listed)
