"""Each process between a worker and its job is killed or stopped, and the cable is pulled.

Whatever is lost: the job has one outcome, its attempts run one after the other, and nothing of the
far side lives on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil
import pytest

from gigq_core.worker.agents.lease import Lease
from tests.agents import work
from tests.agents.netns import OtherHost
from tests.agents.places import (
    GRACE_S,
    LATE_S,
    QUICK,
    AgentsPlace,
    assert_each_ended_once,
    attempts_of,
    longest_overlap,
)
from tests.agents.sshd import Sshd, children_of
from tests.integration.conftest import gone, stop
from tests.waiting import wait_until

# An attempt at a lost agent is over by then, so long after the last that was heard.
BOUND_S = QUICK.lease_s + GRACE_S + QUICK.margin_s


class Held:
    """A job that runs at an agent of a worker, until it is let go."""

    def __init__(
        self,
        place: AgentsPlace,
        *via: str,
        lease: Lease = QUICK,
        grace_s: float = GRACE_S,
        **options: Any,
    ) -> None:
        self.place = place
        self.path = place.folder / "moments"
        self._go = place.folder / "go"
        self.worker = place.far_worker(*via, lease=lease, grace_s=grace_s)
        params = {"path": str(self.path), "label": "job", "go": str(self._go)}
        self.job_id = place.submit(work.moments, params=params, **{"max_attempts": 5, **options})
        wait_until(lambda: self.attempts(), what=f"the job to begin\n{place.log()}")
        wait_until(lambda: self.row()["agent"] is not None, what="its place to be on record")

    def attempts(self) -> list[tuple[float, float]]:
        return attempts_of(self.path).get("job", [])

    def row(self) -> dict[str, object]:
        """The attempt that is the job's last."""
        return self.place.rows("SELECT * FROM job_executions ORDER BY rowid DESC LIMIT 1")[0]

    def until_begun_again(self, within_s: float) -> float:
        """Wait until the job runs again; gives when it has begun."""
        wait_until(
            lambda: len(self.attempts()) == 2,
            within_s,
            f"the job to run again\n{self.place.agents()}\n{self.place.log()}",
        )
        return self.attempts()[1][0]

    def let_go(self) -> None:
        self._go.touch()
        self.place.all_ended(20)

    # The processes in between, from here to there.

    def its_worker(self) -> int:
        return self.worker.pid

    def ssh(self) -> int:
        (client,) = children_of(self.worker.pid, "ssh")
        return client.pid

    def agent(self) -> int:
        pid = self.place.agents("ready")[0]["pid"]
        assert isinstance(pid, int)
        return pid

    def inner(self) -> int:
        """The guard of the agent."""
        return psutil.Process(self.agent()).ppid()

    def outer(self) -> int:
        """The guard of that one."""
        return psutil.Process(self.inner()).ppid()

    def login(self) -> int:
        """The server's process that passes on what is said."""
        parents = psutil.Process(self.outer()).parents()
        return next(parent.pid for parent in parents if parent.name() == "sshd")

    def child(self) -> int:
        pid = self.row()["pid"]
        assert isinstance(pid, int)
        return pid


VICTIMS: dict[str, Callable[[Held], int]] = {
    "worker": Held.its_worker,
    "ssh": Held.ssh,
    "login": Held.login,
    "outer guard": Held.outer,
    "inner guard": Held.inner,
    "agent": Held.agent,
    "child": Held.child,
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_each_process_in_between_is_killed(
    agents_place: AgentsPlace, sshd: Sshd, victim: str
) -> None:
    held = Held(agents_place, agents_place.via(sshd.via))
    first = agents_place.far_pids()
    other = agents_place.far_worker(agents_place.via())
    os.kill(VICTIMS[victim](held), signal.SIGKILL)
    if victim == "worker":
        held.worker.wait()
    begun = held.until_begun_again(2 * BOUND_S + LATE_S)
    # All of the far side that it was in, is dead: long before, or just.
    if victim != "child":
        wait_until(lambda: all(gone(pid) for pid in first), LATE_S)
    assert begun > held.attempts()[0][1]
    held.let_go()
    assert_each_ended_once(agents_place, ["job"], held.path)
    assert longest_overlap(held.path) <= 0
    for worker in (held.worker, other):
        if worker.poll() is None:
            assert stop(worker) == 0
    agents_place.until_far_is_dead(LATE_S)


def test_a_new_link_says_that_jobs_of_the_last_one_have_its_slots(
    agents_place: AgentsPlace, sshd: Sshd
) -> None:
    lease = QUICK._replace(lease_s=15.0)
    held = Held(agents_place, agents_place.via(sshd.via), lease=lease)
    (before,) = agents_place.agents()
    os.kill(held.ssh(), signal.SIGKILL)
    words = "its last link was cut: 1 job is to be given back"

    def again() -> dict[str, Any] | None:
        rows = agents_place.agents("ready")
        return rows[0] if rows and rows[0]["trouble"] == words else None

    wait_until(again, what=f"another link\n{agents_place.agents()}")
    (after,) = agents_place.agents()
    assert after["pid"] != before["pid"]
    assert (after["busy"], after["host"]) == (1, before["host"])
    told = subprocess.check_output(
        [sys.executable, "-m", "gigq_core", "--db", agents_place.db, "why", held.job_id], text=True
    )
    assert f"its link to {before['host']} was cut: it is given back once" in told
    held.let_go()
    assert stop(held.worker) == 0


@pytest.mark.parametrize("victim", ["worker", "ssh", "login", "agent"])
def test_each_process_in_between_is_stopped(
    agents_place: AgentsPlace, sshd: Sshd, victim: str
) -> None:
    """It hears nothing, and says nothing: the far side ends by its lease."""
    # A worker that stands still is ended by others when its job should long have ended.
    timeout_s = 8 if victim == "worker" else 300
    held = Held(agents_place, agents_place.via(sshd.via), timeout=timeout_s)
    first = agents_place.far_pids()
    other = agents_place.far_worker(agents_place.via())
    pid = VICTIMS[victim](held)
    os.kill(pid, signal.SIGSTOP)
    stopped = time.monotonic()
    try:
        wait_until(
            lambda: all(gone(one) for one in first),
            QUICK.lease_s + LATE_S,
            f"the far side to be dead\n{agents_place.log()}",
        )
        begun = held.until_begun_again(60 if victim == "worker" else 2 * BOUND_S + LATE_S)
        assert begun - stopped > QUICK.lease_s - QUICK.ping_s
    finally:
        _go_on(pid)
    held.let_go()
    assert_each_ended_once(agents_place, ["job"], held.path)
    assert longest_overlap(held.path) <= 0
    for worker in (held.worker, other):
        if worker is not held.worker or victim != "worker":
            assert stop(worker) == 0
    agents_place.until_far_is_dead(LATE_S)


THREE = ("outer guard", "inner guard", "agent")


@pytest.mark.parametrize(
    ("signum", "spared"),
    [
        *((signal.SIGKILL, spared) for spared in THREE),
        *((signal.SIGSTOP, spared) for spared in (*THREE, "none")),
    ],
)
def test_any_one_of_the_three_at_the_far_end_ends_all(
    agents_place: AgentsPlace, sshd: Sshd, signum: int, spared: str
) -> None:
    """The other two are killed; or they are stopped, and then the link is cut.

    With all three stopped, it is the kernel that ends the agent when its lease does.
    """
    held = Held(agents_place, agents_place.via(sshd.via))
    first = agents_place.far_pids()
    others = [VICTIMS[name](held) for name in THREE if name != spared]
    client = held.ssh()
    for pid in others:
        with suppress(ProcessLookupError):  # the one that is spared may have ended it already
            os.kill(pid, signum)
    try:
        if signum == signal.SIGSTOP:
            os.kill(client, signal.SIGKILL)
        # What is stopped, and above the one that was spared, does nothing any more.
        wait_until(
            lambda: all(gone(pid) for pid in first if pid not in others),
            QUICK.lease_s + LATE_S,
            f"the far side to be dead\n{agents_place.log()}",
        )
        held.until_begun_again(2 * BOUND_S + LATE_S)
    finally:
        for pid in others:
            _go_on(pid)
    wait_until(lambda: all(gone(pid) for pid in first), LATE_S)
    held.let_go()
    assert_each_ended_once(agents_place, ["job"], held.path)
    assert longest_overlap(held.path) <= 0
    assert stop(held.worker) == 0


def test_guards_that_stand_still_harm_nobody(agents_place: AgentsPlace, sshd: Sshd) -> None:
    held = Held(agents_place, agents_place.via(sshd.via))
    guards = [held.inner(), held.outer()]
    for pid in guards:
        os.kill(pid, signal.SIGSTOP)
    try:
        # Longer than any lease.
        until = time.monotonic() + QUICK.lease_s + 1
        wait_until(lambda: time.monotonic() > until)
        held.let_go()
    finally:
        for pid in guards:
            _go_on(pid)
    assert_each_ended_once(agents_place, ["job"], held.path)
    assert len(held.attempts()) == 1
    assert stop(held.worker) == 0
    agents_place.until_far_is_dead(LATE_S)


def test_a_child_that_stands_still_is_ended_at_its_timeout(
    agents_place: AgentsPlace, sshd: Sshd
) -> None:
    held = Held(agents_place, agents_place.via(sshd.via), timeout=2)
    child = held.child()
    os.kill(child, signal.SIGSTOP)
    held.until_begun_again(10)
    wait_until(lambda: gone(child))
    held.let_go()
    assert_each_ended_once(agents_place, ["job"], held.path, words=["timeout"])
    assert longest_overlap(held.path) <= 0
    assert stop(held.worker) == 0


def _go_on(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass


# --- a network that is gone, without a word -----------------------------------------------------


def test_the_cable_is_pulled_for_a_moment(agents_place: AgentsPlace, other_host: OtherHost) -> None:
    """For less than the lease: the job goes on, and its end is told."""
    held = Held(agents_place, agents_place.via(other_host.via))
    assert held.row()["agent"] == "gpu1"
    other_host.pull()
    wait_until(lambda: agents_place.agents("silent"), QUICK.silent_s + QUICK.ping_s + LATE_S)
    other_host.plug()
    wait_until(lambda: agents_place.agents("ready"), QUICK.lease_s)
    held.let_go()
    assert_each_ended_once(agents_place, ["job"], held.path)
    assert len(held.attempts()) == 1
    assert stop(held.worker) == 0
    wait_until(lambda: not other_host.pids(), LATE_S)


def _until_all_dead(host: OtherHost, place: AgentsPlace, within_s: float) -> float:
    """Wait until no process of jobs lives there; gives when that was."""
    wait_until(lambda: not place.far_pids_of(host), within_s, f"all to be dead\n{place.log()}")
    return time.monotonic()


def test_the_cable_is_pulled_for_good(agents_place: AgentsPlace, other_host: OtherHost) -> None:
    """The far side ends by its lease; then the job runs elsewhere; plugged in, the host is back."""
    held = Held(agents_place, agents_place.via(other_host.via))
    agents_place.far_worker(agents_place.via())
    other_host.pull()
    pulled = time.monotonic()
    dead = _until_all_dead(other_host, agents_place, QUICK.lease_s + LATE_S)
    begun = held.until_begun_again(2 * BOUND_S + LATE_S)
    assert begun > dead
    assert begun - pulled <= BOUND_S + QUICK.ping_s + LATE_S
    held.let_go()
    assert_each_ended_once(agents_place, ["job"], held.path)
    assert longest_overlap(held.path) <= 0
    other_host.plug()
    wait_until(
        lambda: [agent["host"] for agent in agents_place.agents("ready")].count("gpu1"),
        30,
        f"the host to be back\n{agents_place.log()}",
    )
    assert stop(held.worker) == 0
    _until_all_dead(other_host, agents_place, LATE_S)


def test_the_host_loses_its_power(agents_place: AgentsPlace, other_host: OtherHost) -> None:
    held = Held(agents_place, agents_place.via(other_host.via))
    agents_place.far_worker(agents_place.via())
    other_host.lose_power()
    lost = time.monotonic()
    begun = held.until_begun_again(2 * BOUND_S + LATE_S)
    assert begun - lost <= BOUND_S + QUICK.ping_s + LATE_S
    held.let_go()
    assert_each_ended_once(agents_place, ["job"], held.path)
    assert stop(held.worker) == 0


def test_the_worker_dies_while_the_cable_is_pulled(
    agents_place: AgentsPlace, other_host: OtherHost
) -> None:
    """Nobody tells the far side: another worker waits for as long as it may live."""
    held = Held(agents_place, agents_place.via(other_host.via))
    agents_place.far_worker(agents_place.via())
    other_host.pull()
    held.worker.kill()
    held.worker.wait()
    dead = _until_all_dead(other_host, agents_place, QUICK.lease_s + LATE_S)
    assert held.until_begun_again(4 * BOUND_S) > dead
    held.let_go()
    assert_each_ended_once(agents_place, ["job"], held.path)
    assert longest_overlap(held.path) <= 0


@pytest.mark.long
def test_the_cable_is_pulled_with_the_true_times(
    agents_place: AgentsPlace, other_host: OtherHost
) -> None:
    """The far side is dead 30 s after the last that it heard; 10 s later the job runs elsewhere."""
    lease, grace_s = Lease(), 5.0
    held = Held(agents_place, agents_place.via(other_host.via), lease=lease, grace_s=grace_s)
    agents_place.far_worker(agents_place.via(), lease=lease, grace_s=grace_s)
    other_host.pull()
    pulled = time.monotonic()
    dead = _until_all_dead(other_host, agents_place, lease.lease_s + LATE_S)
    assert dead - pulled > lease.lease_s - lease.ping_s - LATE_S
    begun = held.until_begun_again(60)
    assert begun - dead > grace_s
    assert begun - pulled <= lease.lease_s + grace_s + lease.margin_s + LATE_S
    held.let_go()
    assert_each_ended_once(agents_place, ["job"], held.path)
    assert longest_overlap(held.path) <= 0


def test_a_new_worker_with_the_old_ones_name_waits_too(
    agents_place: AgentsPlace, sshd: Sshd
) -> None:
    """A service is restarted at once, under the same name."""
    held = Held(agents_place, agents_place.via(sshd.via))
    agent, guard = held.agent(), held.outer()
    first = agents_place.far_pids()
    # What could tell the far side is stopped, so that it has its lease alone.
    login = held.login()
    os.kill(login, signal.SIGSTOP)
    try:
        held.worker.kill()
        held.worker.wait()
        again = agents_place.far_worker(agents_place.via(), worker_id="w0", wait=False)
        wait_until(lambda: all(gone(pid) for pid in first), QUICK.lease_s + LATE_S)
        assert len(held.attempts()) == 1
        held.until_begun_again(4 * BOUND_S)
    finally:
        _go_on(login)
    held.let_go()
    assert_each_ended_once(agents_place, ["job"], held.path)
    assert longest_overlap(held.path) <= 0
    assert gone(agent)
    assert gone(guard)
    assert stop(again) == 0
