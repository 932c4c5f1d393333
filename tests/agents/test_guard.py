"""Nothing at the far end of a link outlives its agent's lease, whatever befalls those who see to
that."""

from __future__ import annotations

import json
import os
import signal
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from gigq_core.system.identity import process_start
from gigq_core.worker.agents import wire
from tests.agents.far_end import FarEnd, far_end
from tests.waiting import wait_until

LEASE_S = 3.0
# What the guards add to it, and what killing takes on a busy machine.
LATE_S = 4.0
JOBS = """
import os, signal, sys, time

def daemonize(path):
    # What it starts leaves its session, its parent and its signals behind, and starts more.
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(signum, signal.SIG_IGN)
            os.setsid()
            again = os.fork()
            with open(path + str(os.getpid()), "w") as file:
                file.write(str(os.getpid()))
            while True:
                time.sleep(0.01)
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(path + str(os.getpid()), "w") as file:
        file.write(str(os.getpid()))
    while True:
        time.sleep(1)
"""


class Side:
    """The far side with a job whose processes hide: each of its processes is known."""

    def __init__(self, far: FarEnd, folder: Path) -> None:
        self.far = far
        self.folder = folder
        self.agent = far.ready.pid
        self.inner = psutil.Process(self.agent).ppid()
        self.outer = psutil.Process(self.inner).ppid()
        assert self.outer == far.process.pid
        self.known: set[tuple[int, str]] = set()

    def start_job(self) -> None:
        self.far.run("hiding:daemonize", json.dumps({"path": str(self.folder / "pid-")}))
        wait_until(lambda: len(list(self.folder.glob("pid-*"))) == 3)
        self.note()

    def note(self) -> None:
        pids = {child.pid for child in psutil.Process(self.outer).children(recursive=True)}
        told = {int(path.read_text()) for path in self.folder.glob("pid-*")}
        assert told <= pids
        for pid in pids | {self.outer}:
            if started := process_start(pid):
                self.known.add((pid, started))

    def alive(self) -> set[int]:
        return {pid for pid, started in self.known if process_start(pid) == started}


def _go_on(pid: int) -> None:
    with suppress(ProcessLookupError):  # what was stopped may have been ended meanwhile
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    (tmp_path / "hiding.py").write_text(textwrap.dedent(JOBS))
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with far_end(cwd=tmp_path, env=env) as far:
        far.land()
        far.greet(lease_s=LEASE_S)
        side = Side(far, tmp_path)
        try:
            side.start_job()
            yield side
        finally:
            for pid in side.alive():
                os.kill(pid, signal.SIGKILL)


WHO = ["agent", "inner", "outer"]


@pytest.mark.parametrize(
    "who",
    [["agent"], ["inner"], ["outer"], ["agent", "inner"], ["agent", "outer"], ["inner", "outer"]],
    ids="+".join,
)
def test_who_is_killed_takes_all_else_along(side: Side, who: list[str]) -> None:
    for name in who:
        os.kill(getattr(side, name), signal.SIGKILL)
    wait_until(lambda: not side.alive(), LEASE_S)
    # Who is left says so, behind whatever was cut off.
    side.far.read_to_end()
    gone = [said for said in side.far.said if isinstance(said, wire.Gone)]
    assert gone or who == ["agent", "outer"] or who == ["inner", "outer"]


@pytest.mark.parametrize(
    "who",
    [[], *([name] for name in WHO), ["agent", "inner"], ["agent", "outer"], ["inner", "outer"]],
    ids=lambda who: "+".join(who) or "none",
)
def test_a_lease_that_ends_ends_all_though_two_of_three_are_stopped(
    side: Side, who: list[str]
) -> None:
    side.far.ping(1, 0)
    side.far.ping(2, 1)
    told = time.monotonic()
    for name in who:
        os.kill(getattr(side, name), signal.SIGSTOP)
    # Pings that tell of nothing that was heard since prolong nothing.
    side.far.send(wire.Ping(3, 1))
    wait_until(lambda: not side.alive(), LEASE_S + LATE_S)
    assert time.monotonic() - told > LEASE_S - 0.5
    side.far.read_to_end()
    assert [said for said in side.far.said if isinstance(said, wire.Gone)]


def test_though_all_three_are_stopped_no_job_outlives_the_lease(side: Side) -> None:
    side.far.ping(1, 0)
    for name in WHO:
        os.kill(getattr(side, name), signal.SIGSTOP)
    runners = {child.pid for child in psutil.Process(side.agent).children()}
    side.note()
    assert runners <= side.alive()
    # The kernel ends the agent, and with it the groups of its jobs. What a job has hidden from
    # those is ended as soon as a guard goes on.
    wait_until(lambda: not ({side.agent} | runners) & side.alive(), LEASE_S + LATE_S)
    _go_on(side.inner)
    wait_until(lambda: not side.alive(), LATE_S)


@pytest.mark.parametrize("who", WHO)
def test_a_link_that_is_cut_ends_all_at_once_though_one_is_stopped(side: Side, who: str) -> None:
    if who != "agent":
        os.kill(getattr(side, who), signal.SIGSTOP)
    assert side.far.process.stdin is not None
    side.far.process.stdin.close()
    limit_s = LEASE_S - 1 if who == "agent" else LEASE_S + LATE_S
    jobs = side.alive() - {side.agent, side.inner, side.outer}
    wait_until(lambda: not jobs & side.alive(), limit_s)
    if who != "agent":
        _go_on(getattr(side, who))
    wait_until(lambda: not side.alive(), LEASE_S + LATE_S)


def test_pings_that_are_heard_prolong_the_lease_and_those_that_lay_about_do_not(
    side: Side,
) -> None:
    until = time.monotonic() + 2 * LEASE_S
    number = 0
    last = 0.0
    while time.monotonic() < until:
        number += 1
        last = time.monotonic()
        side.far.ping(number, number - 1)
        time.sleep(0.1)
    assert side.agent in side.alive()
    # From now on its answers are heard by nobody.
    heard = number
    while side.agent in side.alive() and time.monotonic() < last + LEASE_S + LATE_S:
        number += 1
        side.far.send(wire.Ping(number, heard))
        time.sleep(0.1)
    assert LEASE_S - 1 < time.monotonic() - last < LEASE_S + LATE_S
    wait_until(lambda: not side.alive(), LATE_S)


def test_a_ping_that_lay_in_a_buffer_prolongs_the_lease_from_what_it_has_heard(side: Side) -> None:
    said = time.monotonic()
    side.far.ping(1, 0)
    pause = threading.Event()
    pause.wait(LEASE_S * 2 / 3)
    side.far.send(wire.Ping(2, 1))
    wait_until(lambda: side.agent not in side.alive(), LEASE_S + LATE_S)
    assert time.monotonic() - said < LEASE_S * 3 / 2
    wait_until(lambda: not side.alive(), LATE_S)


def test_nothing_is_left_in_the_temporary_folder(side: Side) -> None:
    assert list(side.folder.glob("gigq-run-*"))
    os.kill(side.agent, signal.SIGKILL)
    wait_until(lambda: not side.alive())
    assert not list(side.folder.glob("gigq-run-*"))
