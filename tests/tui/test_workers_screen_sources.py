"""What the workers screen reads besides the queue: processes, and the end of a log."""

from __future__ import annotations

import os
from pathlib import Path

from gigq_tui.store.processes import ProcessFigures, Sampler, list_processes
from gigq_tui.store.tail import read_tail
from gigq_tui.widgets.log_text import glance, whole

MB = 1024 * 1024


def test_a_worker_is_measured_with_its_children() -> None:
    looks = iter(
        [
            {1: ProcessFigures(0, 1.0, 5.0, MB), 2: ProcessFigures(1, 2.0, 1.0, 2 * MB)},
            {
                1: ProcessFigures(0, 1.0, 5.5, MB),
                2: ProcessFigures(1, 2.0, 2.0, 2 * MB),
                3: ProcessFigures(2, 9.0, 0.5, 4 * MB),
            },
        ]
    )
    seconds = iter([100.0, 102.0])
    sampler = Sampler(lambda: next(looks), lambda: next(seconds))
    first = sampler.sample([1])
    assert first[1].cpu_percent is None
    assert first[1].memory == 3 * MB
    second = sampler.sample([1, 77])
    assert second[1].cpu_percent == 100.0
    assert second[1].memory == 7 * MB
    assert 77 not in second


def test_a_pid_that_was_taken_over_is_measured_anew() -> None:
    looks = iter([{1: ProcessFigures(0, 1.0, 50.0, MB)}, {1: ProcessFigures(0, 8.0, 1.0, MB)}])
    seconds = iter([0.0, 2.0])
    sampler = Sampler(lambda: next(looks), lambda: next(seconds))
    sampler.sample([1])
    assert sampler.sample([1])[1].cpu_percent is None


def test_this_process_is_found() -> None:
    assert list_processes()[os.getpid()].memory > MB


def test_a_short_file_is_read_whole(tmp_path: Path) -> None:
    log = tmp_path / "w.log"
    log.write_text("one\ntwo\n")
    tail = read_tail(log)
    assert (tail.text, tail.cut, tail.trouble) == ("one\ntwo\n", False, "")
    assert read_tail(log, tail) is tail


def test_a_long_file_begins_at_a_line(tmp_path: Path) -> None:
    log = tmp_path / "w.log"
    log.write_text("first line\nsecond line\nthird\n")
    tail = read_tail(log, limit=20)
    assert (tail.text, tail.cut) == ("second line\nthird\n", True)


def test_one_endless_line_is_shown_all_the_same(tmp_path: Path) -> None:
    log = tmp_path / "w.log"
    log.write_bytes(b"x" * 100)
    assert read_tail(log, limit=10).text == "x" * 10


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "not an ordinary file" in read_tail(pipe).trouble


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    assert "There is no file" in read_tail(tmp_path / "none").trouble
    assert read_tail(tmp_path).trouble
    assert read_tail(Path("a\0b")).trouble


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    log = tmp_path / "w.log"
    log.write_bytes(b"\xff\xfe\x00\x1b[2J\n")
    lines = glance(read_tail(log).text)
    assert "".join(text for text, _ in lines[0]) == " \ufffd\ufffd\ufffd\ufffd[2J"


def test_lines_are_broken_where_they_are_read() -> None:
    lines = whole("2026-11-23 12:04:19,000 - x - ERROR - " + "y" * 60, 40)
    assert [role for _, role in lines[0]] == ["", "fail", ""]
    assert len(lines) == 3
