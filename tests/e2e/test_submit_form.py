"""The submit form in a real terminal: an editor borrows it, and rows are written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gigq_core import JobQueue
from tests.e2e.terminal import ConsoleTerminal
from tests.waiting import wait_until

SHOP = "def resize(src: str, w: int = 1024, token: str = ''): ...\n"
EDITOR = """
import json, os, sys
print("THE EDITOR HAS THE TERMINAL", flush=True)
assert os.isatty(0) and os.isatty(1)
assert sys.stdin.readline() == "go\\n"
with open(sys.argv[1]) as stream:
    values = json.load(stream)
values["w"] = 77
with open(sys.argv[1], "w") as stream:
    json.dump(values, stream)
"""


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    (tmp_path / "shop_of_form.py").write_text(SHOP)
    (tmp_path / "editor.py").write_text(EDITOR)
    return JobQueue(tmp_path / "jobs.db")


def test_from_completion_to_the_row_by_way_of_the_editor(queue: JobQueue, tmp_path: Path) -> None:
    editor = f"'{sys.executable}' '{tmp_path / 'editor.py'}'"
    with ConsoleTerminal(
        "--chdir", tmp_path, tmp_path / "jobs.db", cwd=tmp_path, VISUAL=editor
    ) as terminal:
        terminal.wait_for("live")
        terminal.press("n")
        terminal.wait_for("package.module.function")
        terminal.press("shop_of")
        terminal.wait_for(r"shop_of_form\.resize")
        terminal.press("\t")
        terminal.wait_for(r"found: \(src")
        terminal.press("\t\t")
        terminal.wait_for_focus(r"src\*")
        terminal.press("a.png")
        terminal.wait_for("Will insert 1 row")
        terminal.press("\x0f")
        terminal.wait_for("THE EDITOR HAS THE TERMINAL")
        terminal.press("go\r")
        terminal.wait_for("w=77")
        terminal.press("\x1bs")
        terminal.wait_for("submitted resize")
        (job,) = queue.list_jobs()
        assert (job["function_module"], job["params"]) == (
            "shop_of_form",
            {"src": "a.png", "w": 77},
        )
        terminal.press("q")
        assert terminal.wait_for_end() == 0
        assert terminal.restored()


def test_the_lines_of_a_file_are_written_in_one_go(queue: JobQueue, tmp_path: Path) -> None:
    lines = [json.dumps({"src": str(number)}) for number in range(300)]
    (tmp_path / "many.jsonl").write_text("\n".join(lines))
    with ConsoleTerminal("--chdir", tmp_path, tmp_path / "jobs.db", cwd=tmp_path) as terminal:
        terminal.wait_for("live")
        terminal.press("n")
        terminal.wait_for("package.module.function")
        terminal.press("shop_of_form.resize\r")
        terminal.wait_for(r"found: \(src")
        # Backwards from the function: the buttons, the note, the dependencies, the file.
        terminal.press("\x1b[Z" * 7 + "many.jsonl")
        terminal.wait_for("Will insert 300 rows")
        terminal.press("\x1bs")
        terminal.wait_for("submitted 300 jobs")
        wait_until(lambda: queue.stats()["total"] == 300, what="the rows")


def test_the_terminal_comes_back_from_an_editor_that_fails(queue: JobQueue, tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text("print('NO EDITOR TODAY', flush=True); raise SystemExit(3)")
    editor = f"'{sys.executable}' '{tmp_path / 'fails.py'}'"
    with ConsoleTerminal(
        "--chdir", tmp_path, tmp_path / "jobs.db", cwd=tmp_path, VISUAL=editor
    ) as terminal:
        terminal.wait_for("live")
        terminal.press("n")
        terminal.wait_for("package.module.function")
        terminal.press("shop_of_form.resize\r")
        terminal.wait_for(r"found: \(src")
        terminal.press("\x0f")
        terminal.wait_for("ended with status 3: nothing was changed")
        terminal.press("\x1b")
        terminal.wait_for("Discard what you typed")
        terminal.press("y")
        terminal.wait_for("1 All")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
        assert terminal.restored()
