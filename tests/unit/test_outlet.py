"""Writing that never makes its caller wait, and a log that begins anew."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigq_core.writing import outlet as module
from gigq_core.writing.outlet import Descriptor, LogFile, Outlet, OutletHandler, OutletStream
from tests.waiting import wait_until


class Gate:
    """A sink that takes nothing until it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.got = b""

    def write(self, data: bytes | bytearray) -> None:
        self.opened.wait()
        self.got += data

    def lines(self) -> list[str]:
        return self.got.decode().splitlines()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.opened.set()


def test_what_is_put_is_written_in_order(gate: Gate) -> None:
    gate.opened.set()
    outlet = Outlet(gate)
    for number in range(1000):
        outlet.put(f"{number}\n")
    outlet.flush()
    assert gate.lines() == [str(number) for number in range(1000)]


def test_what_finds_no_room_is_counted_in_its_place(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    outlet = Outlet(gate)
    for number in range(422):
        outlet.put(f"{number:09}\n")
    gate.opened.set()
    wait_until(lambda: len(gate.lines()) == 10)
    outlet.put("later\n")
    outlet.flush()
    assert gate.lines()[:10] == [f"{number:09}" for number in range(10)]
    assert gate.lines()[10].endswith(" - 412 log lines dropped: nobody took them in time")
    assert gate.lines()[11:] == ["later"]


def test_at_the_end_it_is_told_what_was_dropped(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    outlet = Outlet(gate)
    outlet.put("123456789\n")
    outlet.put("no room\n")
    gate.opened.set()
    outlet.flush()
    assert " - 1 log line dropped" in gate.lines()[-1]


def test_nobody_waits_at_the_end_for_a_reader_that_takes_nothing(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STANDSTILL_S", 0.05)
    outlet = Outlet(gate)
    outlet.put("never read\n")
    outlet.flush()
    assert gate.lines() == []


def test_a_reader_that_is_gone_is_no_trouble() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    outlet = Outlet(Descriptor(writes))
    for _ in range(3):
        outlet.put("to nobody\n")
        outlet.flush()
    os.close(writes)


def test_a_descriptor_that_somebody_made_non_blocking_gets_all() -> None:
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    outlet = Outlet(Descriptor(writes))
    text = "x" * 99 + "\n"
    for _ in range(3000):
        outlet.put(text)
    got = b""
    while len(got) < 300_000:
        got += os.read(reads, 65536)
    assert got.decode() == text * 3000
    os.close(reads)
    os.close(writes)


def test_a_forked_copy_writes_what_is_its_own_alone(gate: Gate) -> None:
    reads, writes = os.pipe()
    outlet = Outlet(gate)
    outlet.put("the original's\n")
    pid = os.fork()
    if pid == 0:
        outlet._sink = Descriptor(writes)
        outlet.put("the copy's\n")
        outlet.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reads, 100) == b"the copy's\n"
    gate.opened.set()
    outlet.flush()
    assert gate.lines() == ["the original's"]


def test_logging_and_a_stream_go_through_it(gate: Gate) -> None:
    gate.opened.set()
    outlet = Outlet(gate, "ascii")
    logger = logging.getLogger("test-outlet")
    logger.propagate = False
    logger.addHandler(OutletHandler(outlet))
    logger.warning("%s and %s", "\N{SNOWMAN}", "a lone \ud800")
    print("printed", file=OutletStream(outlet))
    outlet.flush()
    assert gate.lines() == ["\\u2603 and a lone \\ud800", "printed"]


def written(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_a_full_log_begins_anew_and_keeps_some(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "w.log", size=20, keep=2)
    (tmp_path / "w.log").chmod(0o640)
    log.write(b"".join(b"line %04d\n" % number for number in range(10)))
    assert written(tmp_path) == {
        "w.log": "line 0008\nline 0009\n",
        "w.log.1": "line 0006\nline 0007\n",
        "w.log.2": "line 0004\nline 0005\n",
    }
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}
    log.write(b"a line that is longer than that by itself\n")
    assert written(tmp_path)["w.log"] == "a line that is longer than that by itself\n"


@pytest.mark.parametrize(
    ("size", "keep", "names"), [(0, 2, ["w.log"]), (20, 0, ["w.log"]), (1000, 2, ["w.log"])]
)
def test_how_much_is_kept(tmp_path: Path, size: int, keep: int, names: list[str]) -> None:
    log = LogFile(tmp_path / "w.log", size, keep)
    for number in range(10):
        log.write(b"line %04d\n" % number)
    assert list(written(tmp_path)) == names
    assert written(tmp_path)["w.log"].endswith("line 0009\n")
    assert len(written(tmp_path)["w.log"]) == (20 if size == 20 else 100)


def test_it_goes_on_where_an_earlier_one_stopped(tmp_path: Path) -> None:
    LogFile(tmp_path / "w.log").write(b"earlier\n")
    LogFile(tmp_path / "w.log", size=14, keep=1).write(b"later\n")
    LogFile(tmp_path / "w.log", size=14, keep=1).write(b"last\n")
    assert written(tmp_path) == {"w.log": "last\n", "w.log.1": "earlier\nlater\n"}


def test_it_is_opened_anew_when_asked(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "w.log")
    log.write(b"before\n")
    os.rename(tmp_path / "w.log", tmp_path / "moved")
    log.write(b"still there\n")
    log.reopen()
    log.write(b"after\n")
    assert written(tmp_path) == {"moved": "before\nstill there\n", "w.log": "after\n"}


def test_a_folder_that_is_gone_does_not_end_it(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = LogFile(tmp_path / "logs" / "w.log", size=10, keep=3)
    log.write(b"first\n")
    (tmp_path / "logs" / "w.log").unlink()
    (tmp_path / "logs").rmdir()
    for _ in range(5):
        log.write(b"more\n")


def test_what_is_no_file_never_begins_anew(tmp_path: Path) -> None:
    log = LogFile(Path(os.devnull), size=1, keep=1)
    log.write(b"one\ntwo\n")
    assert not Path(os.devnull + ".1").exists()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        LogFile(tmp_path / "pipe")
