"""A link, over pipes that are as narrow as the system makes them, and over a socket."""

from __future__ import annotations

import itertools
import os
import selectors
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from gigq_core.worker.agents.link import FULL_BYTES, WINDOW_BYTES, WRITE_BYTES, Link
from gigq_core.worker.agents.streams import Command, _Said


class End:
    """One end of a link whose other end the test holds as bare descriptors."""

    def __init__(self, reads: int, writes: int) -> None:
        self.selector = selectors.DefaultSelector()
        self.data = b""
        self.why: list[str] = []
        self.link = Link(reads, writes, self.selector, self._take, self.why.append)

    def _take(self, data: bytes) -> None:
        self.data += data

    def turn(self) -> None:
        for key, _ in self.selector.select(0):
            if key.fd in self.selector.get_map():
                key.data()


@pytest.fixture
def piped() -> Iterator[tuple[End, int, int]]:
    """An end, and what the test reads from and writes to."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    os.set_blocking(theirs_in, False)
    end = End(ours_in, ours_out)
    yield end, theirs_in, theirs_out
    end.link.close()
    for fd in (theirs_in, theirs_out):
        with suppress(OSError):
            os.close(fd)


def read(fd: int, most: int = 4096) -> bytes:
    try:
        return os.read(fd, most)
    except BlockingIOError:
        return b""


def read_all(end: End, fd: int, until: Callable[[bytes], bool]) -> bytes:
    """Read little by little, while the other end goes on."""
    found = b""
    while not until(found):
        data = read(fd)
        if not data:
            end.turn()
        found += data
    return found


def test_what_is_urgent_overtakes_whole_lines_and_never_parts_one(
    piped: tuple[End, int, int],
) -> None:
    end, reads, _ = piped
    lines = [b"%06d%s\n" % (n, b"x" * 30_000) for n in range(40)]
    end.link.send(lines)
    assert end.link.unsent > 1_000_000
    end.link.send([b"ping\n"], urgent=True)
    found = read_all(end, reads, lambda data: data.count(b"\n") == 41).split(b"\n")
    place = found.index(b"ping")
    # One pipe and one handful of lines were on their way.
    assert place < 10
    assert [line + b"\n" for line in found[:place] + found[place + 1 : -1]] == lines
    assert end.link.unsent == 0


def test_after_a_cut_it_is_known_which_lines_may_have_arrived(
    piped: tuple[End, int, int],
) -> None:
    end, reads, _ = piped
    numbers = [end.link.send([b"%06d%s\n" % (n, b"x" * 9_993)]) for n in range(40)]
    seen = b""
    while seen.count(b"\n") < 9:
        seen += read(reads)
        end.turn()
    os.close(reads)
    end.link.send([b"more\n"])
    end.turn()
    assert end.link.is_cut
    sent = [end.link.has_sent(number) for number in numbers]
    # Those that were read have arrived; and what never left did not.
    assert sent == sorted(sent, reverse=True)
    assert sum(sent) >= 9
    assert not sent[-1]
    assert end.link.unsent == 0


def test_what_sends_much_waits_until_there_is_room(piped: tuple[End, int, int]) -> None:
    end, reads, _ = piped
    done: list[int] = []
    for n in range(3):

        def act(n: int = n) -> None:
            done.append(n)
            end.link.send([b"y" * 2 * FULL_BYTES + b"\n"])

        end.link.when_room(act)
    assert done == [0]
    found = read_all(end, reads, lambda data: data.count(b"\n") == 3)
    assert done == [0, 1, 2]
    assert len(found) == 3 * (2 * FULL_BYTES + 1)


def test_no_more_is_under_way_than_the_other_end_has_room_for(
    piped: tuple[End, int, int],
) -> None:
    """Whatever the buffers between them would take: what is urgent is never behind more."""
    end, reads, _ = piped
    end.link.pace(lambda size: [b"read %d\n" % size])
    line = b"x" * 9_999 + b"\n"
    end.link.send([line] * 100)

    def read_what_is_there() -> bytes:
        found = b""
        while data := read(reads, 65_536):
            found += data
            end.turn()
        return found

    found = read_what_is_there()
    assert WINDOW_BYTES <= len(found) < WINDOW_BYTES + WRITE_BYTES
    end.link.send([b"ping\n"], urgent=True)
    assert read_what_is_there() == b"ping\n"
    # As the other end tells what it has read, more comes; and never more than that.
    told = 0
    while len(found) < 100 * len(line):
        told += 50_000
        end.link.arrived(told)
        found += read_what_is_there()
        assert len(found) + len(b"ping\n") - told < WINDOW_BYTES + WRITE_BYTES
    assert found == line * 100
    # The last words wait for nobody.
    end.link.send([line] * 100)
    assert end.link.unsent
    end.link.hurry()
    end.link.send([b"gone\n"])
    assert read_all(end, reads, lambda data: b"gone" in data)
    assert end.link.unsent == 0


def test_what_was_read_is_told_of_now_and_then(piped: tuple[End, int, int]) -> None:
    end, reads, writes = piped
    os.write(writes, b"a greeting\nand 5")
    end.turn()
    end.link.pace(lambda size: [b"read %d\n" % size], came=5)
    for _ in range(10):
        os.write(writes, b"z" * 50_000)
        end.turn()
    told = [int(line.split()[1]) for line in read(reads).splitlines()]
    assert told == [100_005, 200_005, 300_005, 400_005, 500_005]


def test_last_words_are_read_though_nothing_can_be_sent_any_more(
    piped: tuple[End, int, int],
) -> None:
    end, reads, writes = piped
    os.close(reads)
    end.link.send([b"hello\n"])
    assert end.link.is_cut
    os.write(writes, b"gone\n")
    os.close(writes)
    end.turn()
    end.turn()
    assert end.data == b"gone\n"
    assert end.why == ["the link was closed"]
    end.turn()
    assert len(end.why) == 1


def test_an_end_that_never_stops_is_not_read_for_ever() -> None:
    reads, writes = os.pipe()
    end = End(reads, os.open(os.devnull, os.O_WRONLY))
    often = itertools.count()

    def go_on(data: bytes) -> None:
        assert next(often) < 10_000
        os.write(writes, data)

    end.link._on_data = go_on
    os.write(writes, 32_768 * b"z")
    end.link.read_rest()
    end.link.close()
    os.close(writes)


def test_a_command_that_never_stops_talking_is_not_listened_to_for_ever() -> None:
    command = Command(["sleep", "60"], selectors.DefaultSelector())
    writes = os.open(f"/proc/{command._process.pid}/fd/2", os.O_WRONLY)
    often = itertools.count()

    class Endless(_Said):
        def take(self, data: bytes) -> None:
            assert next(often) < 10_000
            super().take(data)
            os.write(writes, data)

    command._said = Endless()
    os.write(writes, 32_768 * b"z")
    assert command.said().endswith("zzz")
    command.kill()
    for fd in (writes, command.reads, command.writes):
        os.close(fd)


def test_a_socket_is_both_directions_and_its_sending_half_closes_alone() -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    fd = ours.detach()
    end = End(fd, fd)
    end.link.send([b"hello\n"])
    assert theirs.recv(100) == b"hello\n"
    end.link.close_writes()
    assert theirs.recv(100) == b""
    theirs.send(b"gone\n")
    theirs.close()
    end.turn()
    end.turn()
    assert (end.data, end.why) == (b"gone\n", ["the link was closed"])
    end.link.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
