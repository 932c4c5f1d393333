"""Sees to it that nothing runs at the far end of a link for longer than it may.

Three processes stand there, each the child of the one before: two guards and the agent. Whatever
befalls any two of them, be it that they are killed, stopped or hang, the third one ends all that
descends from it: orphans become its own children. So nothing outlives the agent's lease, which
each of them knows.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

from gigq_core.system.identity import is_suspended, process_start
from gigq_core.worker.agents import leftovers, wire
from gigq_core.worker.agents.landing import say
from gigq_core.worker.processes import adopt_orphans, descendants, kill_exactly, signal_all

# An agent that has heard nothing of its worker so far has so long, in seconds.
GREETED_WITHIN_S = 60.0
# So long after the lease the inner guard ends what the agent has not, and the outer one what that
# one has not, in seconds.
SLACKS_S = (0.5, 1.0)
# How often a guard looks up, in seconds: a sleep of the machine does not count for its alarm.
LOOK_EVERY_S = 0.5
# How long processes that were killed are waited for, in seconds; and the last word, to be taken.
DEAD_WITHIN_S = 60.0
TOLD_WITHIN_S = 2.0
ENDING = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
    if hasattr(signal, name)
)

_LEASE = struct.Struct("d")


def now() -> float:
    """Seconds on a clock that goes on while the machine sleeps."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        # There this one goes on during a sleep, and Python's own does not.
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic()


class Place(NamedTuple):
    """What the agent is given by its guards.

    Args:
        folder: its own, empty, gone once it has ended.
        guard: a descriptor that is at its end once the guard is gone.
        leases: where it writes until when it may live, one for each guard.
        bundle: the folder that it was started from, and that is to be kept; None for neither.
    """

    folder: Path
    guard: int
    leases: tuple[int, ...]
    bundle: Path | None

    def tell_lease(self, until: float) -> None:
        """Let the guards know until when the agent may live, by `now`."""
        for fd in self.leases:
            try:
                os.write(fd, _LEASE.pack(until))
            except OSError:
                pass  # one that is stopped reads nothing, and one that is gone is told of elsewhere


def main(run: Callable[[Place], int], bundle: str, kept: bool) -> NoReturn:
    """Become the outer guard; in its grandchild, the agent runs.

    Args:
        run: is the agent; gives the exit code 0 if all that it started has ended, and it has said
            so.
        bundle: the folder of this very code.
        kept: whether that stays for the next time.
    """
    code = 1
    folder = leftovers.make_run_folder()
    if not kept:
        leftovers.hold(Path(bundle), leftovers.ONCE_PREFIX)
    remove = [folder] if kept else [folder, Path(bundle)]
    try:
        say({"go": True})
        code = _guarded(lambda outer: _inner(outer, run, Path(bundle) if kept else None, remove))
    finally:
        # A copy that was forked never comes here.
        _remove(remove)
        os._exit(code)


def _inner(
    outer: _Above, run: Callable[[Place], int], bundle: Path | None, remove: list[Path]
) -> int:
    """Become the inner guard."""

    def run_agent(inner: _Above) -> int:
        os.close(outer.alive)
        code = run(Place(remove[0], inner.alive, (inner.lease, outer.lease), bundle))
        _end_stopped([inner, outer], remove)
        return code

    code = _guarded(run_agent, outer)
    _end_stopped([outer], remove)
    return code


def _end_stopped(guards: list[_Above], remove: list[Path]) -> None:
    """A guard that is stopped can't see that all has ended: it is ended as well."""
    for guard in guards:
        if is_suspended(guard.pid):
            kill_exactly(guard.pid, guard.started, "it is stopped, and all that it guarded is gone")
            _remove(remove)


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


class _Above(NamedTuple):
    """What a process has of its guard: where it tells its lease, and what ends with the guard; and
    who that is."""

    lease: int
    alive: int
    pid: int
    started: str


def _guarded(run: Callable[[_Above], int], above: _Above | None = None) -> int:
    """Run something in a process of its own, and end all of it when that is due.

    Args:
        run: gives the exit code of that process: 0 if all below it has ended, and it has said so.
        above: of this process's own guard; None if it has none.

    Returns:
        The same for this process.
    """
    adopt_orphans()
    lease_in, lease = os.pipe()
    alive, alive_kept = os.pipe()
    for fd in (lease_in, lease):
        os.set_blocking(fd, False)
    # Whatever of these comes before anybody looks is kept.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    me = os.getpid(), process_start(os.getpid()) or ""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(lease_in)
            os.close(alive_kept)
            code = run(_Above(lease, alive, *me))
        except BaseException:  # noqa: BLE001 - whatever it is, this process ends by it
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)
    os.close(lease)
    os.close(alive)
    slack_s = SLACKS_S[0] if above is not None else SLACKS_S[-1]
    gone = _watch(child, lease_in, None if above is None else above.alive, slack_s)
    ended = end_all()
    if gone is not None and ended:
        _say_gone(gone)
    return 0 if ended else 1


def _watch(child: int, lease_in: int, alive: int | None, slack_s: float) -> wire.Gone | None:
    """Wait until all is to be ended; the last word, or None where the child has seen to that."""
    # What wakes this process when a signal has come; the signals themselves do nothing.
    wakes, woken = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for signum in (*ENDING, signal.SIGCHLD):
        signal.signal(signum, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    looks = select.poll()
    looks.register(wakes, select.POLLIN)
    looks.register(lease_in, select.POLLIN)
    if alive is not None:
        looks.register(alive, select.POLLIN)
    until = now() + GREETED_WITHIN_S
    while True:
        left_s = until + slack_s - now()
        if left_s <= 0:
            return wire.Gone(
                "nothing was heard of its worker for too long, and it did not end by itself"
            )
        ready = {fd for fd, _ in looks.poll(1000 * min(left_s, LOOK_EVERY_S))}
        if alive in ready:
            return wire.Gone("its guard was killed")
        if lease_in in ready:
            told = os.read(lease_in, 4096)
            if told:
                until = _LEASE.unpack(told[-_LEASE.size :])[0]
            else:
                looks.unregister(lease_in)
        if wakes in ready:
            came = set(os.read(wakes, 4096)) & set(ENDING)
            if came:
                return gone_by(min(came))
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            if code == 0:
                return None
            how = f"exit code {code}" if code > 0 else signal.Signals(-code).name
            return wire.Gone(f"its process ended unexpectedly ({how})")


def gone_by(signum: int) -> wire.Gone:
    """The last word of an agent that a signal ends: its host or its user wants it so."""
    return wire.Gone(f"{signal.Signals(signum).name} came from outside", on_purpose=True)


def end_all() -> bool:
    """Kill all that descends from this process, and reap it; whether nothing is left."""
    me = os.getpid()
    until = time.monotonic() + DEAD_WITHIN_S
    pause_s = 0.002
    while True:
        found = descendants(me)
        signal_all(found, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            # It has no child, so nothing descends from it.
            return True
        if time.monotonic() > until:
            return False
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.1)


def _say_gone(gone: wire.Gone) -> None:
    """The last word, which the agent can't say; it may have died within a line."""
    data = b"".join([wire.CUT, b"\n", *wire.encode(gone)])
    until = time.monotonic() + TOLD_WITHIN_S
    try:
        os.set_blocking(1, False)
        while data and time.monotonic() < until:
            try:
                data = data[os.write(1, data) :]
            except BlockingIOError:
                time.sleep(0.01)
    except OSError:
        pass  # nobody listens
