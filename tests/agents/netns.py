"""Another host on this machine: own processes, own name, and a network cable that can be pulled.

Two network namespaces are joined by a cable, which is no part of this machine's network. The far
one is a host called `gpu1` with processes of its own (a PID namespace) and an SSH server; the near
one is entered by the client's command alone, so that whoever starts it stays where it is.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.agents.sshd import HOST, Sshd
from tests.waiting import wait_until

NEAR_ADDRESS, FAR_ADDRESS = "10.213.0.1", "10.213.0.2"
# Set where it is known to be possible: then it is a failure if it isn't.
EXPECTED = "TESTS_EXPECT_NAMESPACES"
# The first process of a host takes in orphans.
_INIT = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True: signal.pause()"


@cache
def why_not() -> str:
    """Why there can be no other host here; nothing if there can. Found by trying."""
    words = ["unshare", "--net", "--uts", "--pid", "--fork", "--mount-proc", "sh", "-c"]
    script = "ip link add one type veth peer name two && ip link set two up && hostname other"
    try:
        tried = subprocess.run([*words, script], capture_output=True, text=True, timeout=20)
    except OSError as problem:
        return str(problem)
    return (tried.stderr.strip() or "it failed") if tried.returncode else ""


class OtherHost:
    """A host of its own with an SSH server, until `close`."""

    def __init__(self, folder: Path) -> None:
        self._near = _hold("--net")
        self._far = _hold("--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
        try:
            # Those which `unshare` started, and which are in the new namespaces.
            self.init_pid = wait_until(lambda: _only_child(self._far.pid), what="the host's init")
            wait_until(lambda: self._has_begun(), what="the namespaces")
            self._namespace = os.readlink(f"/proc/{self.init_pid}/ns/pid")
            self._within_near = ["nsenter", f"--net=/proc/{self._near.pid}/ns/net"]
            self._within_far = [
                *("nsenter", "--target", str(self.init_pid)),
                *("--net", "--uts", "--pid", "--mount"),
            ]
            self._join()
            self.sshd = Sshd(
                folder,
                address=FAR_ADDRESS,
                around=self._within_far,
                client_around=self._within_near,
            )
        except BaseException:
            self._end()
            raise

    @property
    def via(self) -> str:
        """The text of `--via` that leads there."""
        return self.sshd.via

    def pids(self) -> list[int]:
        """All its living processes, as this machine numbers them, but for init and the server.

        By the namespace: whatever a process did to its parents, its name and its environment.
        """
        own = (self.init_pid, self.sshd.server_pid)
        return [pid for pid in _all_in("pid", self._namespace) if pid not in own]

    def number_there(self, pid: int) -> int:
        """The number that a process of it has there."""
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
        raise AssertionError(f"process {pid} has no number there")

    def pull(self) -> None:
        """Pull the cable: nothing arrives any more, and nobody is told."""
        _run(*self._within_far, "ip", "link", "set", "cable", "down")

    def plug(self) -> None:
        """Plug it in again."""
        _run(*self._within_far, "ip", "link", "set", "cable", "up")

    def lose_power(self) -> None:
        """End all that runs there in one moment, without a word to anybody."""
        self.pull()
        self._far.kill()
        self._far.wait()
        wait_until(lambda: not _all_in("pid", self._namespace), what="the host to be dead")

    def close(self) -> None:
        self.sshd.close()
        self._end()

    def _end(self) -> None:
        # Clients that wait for what never comes would do so for long.
        for pid in _all_in("net", os.readlink(f"/proc/{self._near.pid}/ns/net")):
            if pid != self._near.pid:
                os.kill(pid, signal.SIGKILL)
        for holder in (self._far, self._near):
            if holder.poll() is None:
                holder.kill()
            holder.wait()

    def _has_begun(self) -> bool:
        own = os.readlink("/proc/self/ns/net")
        inside = {os.readlink(f"/proc/{pid}/ns/net") for pid in (self._near.pid, self.init_pid)}
        return own not in inside and len(inside) == 2

    def _join(self) -> None:
        _run(
            *self._within_near,
            *shlex.split(f"ip link add cable type veth peer name cable netns {self.init_pid}"),
        )
        for within, address in (
            (self._within_near, NEAR_ADDRESS),
            (self._within_far, FAR_ADDRESS),
        ):
            _run(*within, "ip", "address", "add", f"{address}/30", "dev", "cable")
            _run(*within, "ip", "link", "set", "cable", "up")
            _run(*within, "ip", "link", "set", "lo", "up")
        _run(*self._within_far, "hostname", HOST)


def _hold(*options: str) -> subprocess.Popen[bytes]:
    """A process that keeps new namespaces there, itself or by its child."""
    return subprocess.Popen(
        ["unshare", *options, sys.executable, "-I", "-S", "-c", _INIT],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _all_in(kind: str, namespace: str) -> list[int]:
    """The living processes in a namespace of a kind, as this machine numbers them."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            inside = entry.isdigit() and os.readlink(f"/proc/{entry}/ns/{kind}")
            if inside == namespace and not _is_zombie(entry):
                found.append(int(entry))
        except OSError:
            continue  # it has just ended
    return found


def _only_child(pid: int) -> int | None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


def _is_zombie(entry: str) -> bool:
    return Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr}"
