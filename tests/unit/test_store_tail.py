"""Reading the end of a file that somebody else writes: outputs of jobs and logs of workers."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from gigq_core.system.paths import attempt_output
from gigq_core.worker.output import LIMIT_BYTES, Capture
from gigq_core.writing.terminal_text import Look, Piece
from gigq_tui.store.models import Attempt
from gigq_tui.store.tail import TAIL_BYTES, WHOLE_BYTES, output_of, read_output, read_tail

BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc)
ATTEMPT = Attempt(1, "exec-1", "w1", "running", BEGAN, None, "", "", None, 7)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "w.log"


def test_a_short_file_is_read_whole(log: Path) -> None:
    log.write_text("one\ntwo\n")
    tail = read_tail(log)
    assert (tail.lines, tail.skipped, tail.size, tail.trouble) == (["one", "two"], 0, 8, "")


def test_what_did_not_change_is_not_read_again(log: Path) -> None:
    log.write_text("one\n")
    tail = read_tail(log)
    assert read_tail(log, tail) is tail
    log.write_text("one\ntwo\n")
    assert read_tail(log, tail).lines == ["one", "two"]


def test_a_long_file_begins_at_a_line(log: Path) -> None:
    log.write_text("first line\nsecond line\nthird\n")
    tail = read_tail(log, limit=20)
    assert (tail.lines, tail.skipped) == (["second line", "third"], 11)


def test_one_endless_line_is_shown_all_the_same(log: Path) -> None:
    log.write_bytes(b"x" * 100)
    assert read_tail(log, limit=10).lines == ["x" * 10]


def test_lines_keep_their_places_while_a_file_grows(log: Path) -> None:
    lines = [f"line {number}\n" for number in range(1000)]
    log.write_text("".join(lines))
    tail = read_tail(log, limit=100)
    with log.open("a") as file:
        file.write("more\n" * 100)
    grown = read_tail(log, tail, limit=100)
    assert grown.skipped == tail.skipped
    assert list(grown.lines[: len(tail.lines)]) == list(tail.lines)
    assert grown.lines[-1] == "more"


def test_what_stands_before_is_read_when_it_is_wanted(log: Path) -> None:
    log.write_text("".join(f"line {number}\n" for number in range(20_000)))
    tail = read_tail(log)
    assert 0 < tail.size - tail.skipped <= TAIL_BYTES
    whole = read_tail(log, tail, WHOLE_BYTES)
    assert (whole.skipped, whole.lines[0], len(whole.lines)) == (0, "line 0", 20_000)
    assert read_tail(log, whole, WHOLE_BYTES) is whole


def test_never_more_than_the_bound_is_read(log: Path) -> None:
    with log.open("wb") as file:
        file.write(b"z" * (10 * 1024 * 1024))
    tail = read_tail(log, limit=WHOLE_BYTES)
    assert [len(line) for line in tail.lines] == [WHOLE_BYTES]
    with log.open("ab") as file:
        file.write(b"z" * 1000)
    assert [len(line) for line in read_tail(log, tail, WHOLE_BYTES).lines] == [WHOLE_BYTES]


def test_a_file_that_was_cut_short_is_read_anew(log: Path) -> None:
    log.write_text("one\ntwo\nthree\n")
    tail = read_tail(log, limit=8)
    log.write_text("new\n")
    assert read_tail(log, tail, limit=8).lines == ["new"]


@pytest.mark.parametrize("limit", [TAIL_BYTES, WHOLE_BYTES])
def test_what_was_left_out_in_the_middle_is_told(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "attempt.log"
    capture = Capture(lambda: path)
    dropped = 123_456
    capture.write(b"h" * 99 + b"\n" + b"m" * (LIMIT_BYTES + dropped - 200) + b"t" * 99 + b"\n")
    capture.close()
    tail = read_tail(path, limit=limit)
    assert tail.left_out == dropped
    if limit == TAIL_BYTES:
        assert tail.gap is None
    else:
        assert tail.gap is not None
        assert tail.lines[tail.gap] == f"[... {dropped} bytes left out ...]"
        assert (tail.skipped, tail.lines[0]) == (0, "h" * 99)


def test_a_note_that_a_job_printed_is_none(log: Path) -> None:
    log.write_text("[... 77 bytes left out ...]\n" * 10)
    tail = read_tail(log)
    assert (tail.left_out, tail.gap) == (0, None)


def test_line_ends_of_all_kinds_and_tabs(log: Path) -> None:
    log.write_bytes(b"a\r\nb\r10%\r20%\n\tx\n\n")
    assert read_tail(log).lines == ["a", "b", "10%", "20%", "    x", ""]


def test_bytes_that_are_no_text(log: Path) -> None:
    log.write_bytes(b"\xff\xfe\x00\x1b[2J\n")
    assert read_tail(log).lines == ["\ufffd\ufffd\x00\x1b[2J"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "not an ordinary file" in read_tail(pipe).trouble


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    assert "There is no file" in read_tail(tmp_path / "none").trouble
    assert "not an ordinary file" in read_tail(tmp_path).trouble
    assert "can't be read" in read_tail(Path("a\0b")).trouble


def test_no_descriptor_stays_open(log: Path, tmp_path: Path) -> None:
    log.write_text("x\n")
    before = len(os.listdir("/proc/self/fd"))
    for path in (log, tmp_path, tmp_path / "none"):
        read_tail(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_output_of_an_attempt(tmp_path: Path) -> None:
    database = tmp_path / "jobs.db"
    assert "nothing so far" in read_output(database, ATTEMPT).trouble
    path = attempt_output(database, "exec-1")
    path.parent.mkdir(parents=True)
    path.write_text("hello\n")
    assert read_output(database, ATTEMPT).lines == ["hello"]
    ended = replace(ATTEMPT, status="failed")
    assert read_output(database, ended).trouble == "This attempt has written nothing."
    theirs = replace(ended, pid=None)
    assert read_output(database, theirs).trouble == "What this attempt printed was not kept."
    named = replace(ended, output_path=str(path))
    assert read_output(database, named).lines == ["hello"]
    path.unlink()
    assert "its file is gone" in read_output(database, named).trouble


def test_an_id_leads_nowhere_else(tmp_path: Path) -> None:
    evil = replace(ATTEMPT, execution_id="../../x")
    assert output_of(tmp_path / "jobs.db", evil) is None


@pytest.mark.parametrize(
    "data",
    [b"x" * 2**20, b"a\n" * 2**19, b"\0" * 2**20, b"\xff" * 2**20, b"\x1b[31mx" * 2**17],
    ids=["one line", "short lines", "nul", "no text", "escapes"],
)
def test_a_megabyte_of_anything_is_read_at_once(log: Path, data: bytes) -> None:
    log.write_bytes(data)
    began = time.process_time()
    read_tail(log, limit=WHOLE_BYTES)
    assert time.process_time() - began < 0.5


def test_what_an_attempt_printed_is_shown_as_a_terminal_shows_it(tmp_path: Path) -> None:
    database = tmp_path / "jobs.db"
    path = attempt_output(database, "exec-1")
    assert path is not None
    path.parent.mkdir(parents=True)
    states = "".join(f"\rtraining {n:4d}/1000" for n in range(1001))
    path.write_bytes(
        f"loading\n{states}\n\x1b[31mERROR\x1b[0m no disk\r\n\tx\x1b[2Jy\nnow \x1b[3".encode()
    )
    tail = read_output(database, ATTEMPT)
    lines = ["loading", "training 1000/1000", "ERROR no disk", "    x\x1b[2Jy", "now "]
    assert tail.lines == lines
    assert tail.pieces == {2: (Piece(0, 5, Look(foreground=1)),)}
    with path.open("ab") as file:
        file.write(b"2mgreen\xe2\x98")
    grown = read_output(database, ATTEMPT, tail)
    assert grown.lines == [*lines[:-1], "now green\ufffd"]
    assert grown.pieces[4] == (Piece(4, 10, Look(foreground=2)),)


def test_colours_stand_where_they_were_printed_behind_a_gap_too(tmp_path: Path) -> None:
    database = tmp_path / "jobs.db"
    path = attempt_output(database, "exec-1")
    assert path is not None
    capture = Capture(lambda: path)
    capture.write(b"\x1b[32mgood\x1b[0m\n" * 100_000)
    capture.close()
    tail = read_output(database, ATTEMPT, limit=WHOLE_BYTES)
    assert tail.gap is not None
    assert tail.gap not in tail.pieces
    for number, pieces in tail.pieces.items():
        if abs(number - tail.gap) > 1:
            assert (tail.lines[number], pieces) == ("good", (Piece(0, 4, Look(foreground=2)),))
