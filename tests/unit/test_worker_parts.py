"""The parts of a worker that need no worker: captured output, rows, identities, hints."""

from __future__ import annotations

import ast
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gigq_core.rows.due import due_after
from gigq_core.schema.ddl import FIRST_WORD, LAST_DUE_S
from gigq_core.system.change_hints import ChangeHints
from gigq_core.system.identity import current_identity, is_dead, process_start
from gigq_core.units.times import Moment
from gigq_core.worker import runner
from gigq_core.worker.claimed_rows import claim_of_row
from gigq_core.worker.output import Capture
from gigq_core.worker.processes import how_it_died
from tests.waiting import wait_until

ROW: dict[str, Any] = {
    "id": "job",
    "execution_id": "token",
    "name": "name",
    "function_module": "module",
    "function_name": "function",
    "params": "{}",
    "dependencies": "[]",
    "attempts": 1,
    "max_attempts": 3,
    "timeout": 300,
    "retry_delay": 0,
    "pass_parent_results": None,
    "on_crash": None,
    "retry_policy": None,
    "stall_timeout": None,
    "lane": None,
    "memory": None,
}


def test_nothing_printed_makes_no_file(tmp_path: Path) -> None:
    capture = Capture(lambda: tmp_path / "out" / "a.log")
    capture.write(b"")
    assert not capture.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [1, 3, 7, 100, 5000])
def test_the_head_and_the_tail_are_kept(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.log"
    capture = Capture(lambda: path, limit=100)
    data = b"".join(b"%06d\n" % number for number in range(200))
    for start in range(0, len(data), size):
        capture.write(data[start : start + size])
    assert capture.close()
    left_out = b"\n[... %d bytes left out ...]\n" % (len(data) - 100)
    assert path.read_bytes() == data[:50] + left_out + data[-50:]


def test_output_that_just_fits_is_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    capture = Capture(lambda: path, limit=100)
    for number in range(100):
        capture.write(bytes([number]))
    assert capture.close()
    assert path.read_bytes() == bytes(range(100))


def test_a_folder_that_cannot_be_made_loses_output_only(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file is in the way")
    capture = Capture(lambda: tmp_path / "out" / "a.log")
    capture.write(b"text")
    capture.write(b"more")
    assert not capture.close()


def test_a_row_is_read() -> None:
    row = {**ROW, "dependencies": '["a", "b"]', "timeout": 0.5, "pass_parent_results": 1}
    claim = claim_of_row(row)
    assert claim.dependencies == ("a", "b")
    assert claim.timeout_text == "Job timed out after 0.5 seconds"
    assert claim.pass_parent_results is True
    assert claim.broken == ""


@pytest.mark.parametrize("value", [None, 0])
def test_no_timeout_is_gigqs_five_minutes(value: object) -> None:
    assert claim_of_row({**ROW, "timeout": value}).timeout_s == 300


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("dependencies", "["),
        ("dependencies", "7"),
        ("dependencies", "[1]"),
        ("dependencies", "[" * 100_000),
        ("dependencies", b"\xff"),
        ("timeout", "x"),
        ("retry_delay", b"x"),
        ("max_attempts", "x"),
        ("params", b"{}"),
        ("retry_policy", "{"),
        ("retry_policy", b"{}"),
    ],
)
def test_a_broken_row_says_what_is_wrong(column: str, value: object) -> None:
    assert column.split("_")[-1][:5] in claim_of_row({**ROW, column: value}).broken


@pytest.mark.parametrize("value", [float("inf"), -1, 2**62])
def test_odd_numbers_do_no_harm(value: float) -> None:
    row = {**ROW, "timeout": value, "retry_delay": value, "max_attempts": value}
    assert claim_of_row(row).broken == ""
    waits = due_after(value, Moment.now())
    assert waits["retry_after"] is None or waits["retry_after"] < FIRST_WORD
    assert waits["due"] is None or waits["due"] <= LAST_DUE_S


def test_this_process_lives_and_another_time_is_dead() -> None:
    me = current_identity()
    assert is_dead(me) is False
    assert is_dead(me._replace(pid_started="1")) is True
    assert is_dead(me._replace(host="elsewhere")) is None
    assert is_dead(me._replace(boot_id="another")) is None
    assert is_dead(me._replace(pid_namespace="another")) is None


def test_an_ended_process_is_gone_even_before_it_is_reaped() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    wait_until(lambda: process_start(process.pid) is None, what="the process to end")
    process.wait()
    assert process_start(process.pid) is None


def test_a_death_is_put_in_words() -> None:
    assert how_it_died(-11) == "the process died: SIGSEGV"
    assert "SIGKILL" in how_it_died(-9)
    assert "exit code 3" in how_it_died(3)
    assert "signal 99" in how_it_died(-99)


def test_the_runner_suits_old_interpreters_and_the_standard_library() -> None:
    source = Path(runner.__file__).read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add((node.module or "").split(".")[0])
    assert modules <= sys.stdlib_module_names


class _Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_any_exception_can_be_told() -> None:
    told = runner.failure(_Unprintable())
    assert told["error"] == f"{__name__}._Unprintable: <exception str() failed>"
    assert runner.failure(ValueError("x" * 10**6))["error"].count("x") == runner.MAX_TEXT
    assert runner.failure(ValueError())["error"] == "ValueError"
    told = runner.failure(SystemExit("bye"))
    assert told["error"] == "SystemExit: the job called sys.exit('bye')"


def test_changes_are_hinted_at_and_other_files_are_not(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("CREATE TABLE t (x)")
    hinted = threading.Event()
    hints = ChangeHints(path, hinted.set)
    hints.start()
    try:

        def change() -> bool:
            conn.execute("INSERT INTO t VALUES (1)")
            return hinted.wait(0.05)

        wait_until(change, what="a hint")
        wait_until(lambda: not hinted.wait(0.05) or hinted.clear(), what="the end of the hints")
        (tmp_path / "other.txt").write_text("no news")
        assert not hinted.wait(0.3)
    finally:
        hints.close()
    threads = {thread.name for thread in threading.enumerate()}
    assert "change-hints" not in threads
    conn.close()


def test_hints_end_without_a_change(tmp_path: Path) -> None:
    hints = ChangeHints(tmp_path / "jobs.db", lambda: None)
    began = time.monotonic()
    hints.start()
    hints.close()
    assert time.monotonic() - began < 5
    assert os.path.isdir(tmp_path)
