"""Ending processes for good: groups, descendants that left their group, and this one."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable

from gigq_core.system.identity import process_start

logger = logging.getLogger("gigq_core.worker")

# A process: pid and start, so that a reused pid is never hit.
Seen = tuple[int, str]

# How often descendants are looked for anew while they are killed: they may fork meanwhile.
ROUNDS = 10


def descendants(pid: int) -> set[Seen]:
    """Every living process below `pid`, itself left out."""
    if sys.platform == "linux":
        children: dict[int, list[int]] = {}
        for child, parent in _linux_parents():
            children.setdefault(parent, []).append(child)
        found: set[Seen] = set()
        stack = [pid]
        while stack:
            for child in children.get(stack.pop(), ()):
                started = process_start(child)
                if started:
                    found.add((child, started))
                stack.append(child)
        return found
    import psutil

    try:
        below = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return set()
    return {(p.pid, started) for p in below if (started := process_start(p.pid))}


def _linux_parents() -> Iterable[tuple[int, int]]:
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                text = file.read()
        except OSError:
            continue
        fields = text[text.rindex(b")") + 2 :].split()
        yield int(name), int(fields[1])


def signal_all(processes: Iterable[Seen], signum: int) -> None:
    """Signal those that are still the processes they were."""
    for pid, started in processes:
        if process_start(pid) == started:
            _send(os.kill, pid, signum)


def signal_group(group: int, signum: int) -> None:
    """Signal a process group, if it still exists."""
    _send(os.killpg, group, signum)


def _send(how: object, target: int, signum: int) -> None:
    try:
        how(target, signum)  # type: ignore[operator]
    except ProcessLookupError:
        pass
    except PermissionError:
        # A process that changed its user, or (on macOS) a group of zombies.
        logger.debug("No permission to signal %s", target)


def kill_exactly(pid: int, started: str, why: str) -> None:
    """SIGKILL a process of this machine, unless another one has its pid by now.

    On Linux through a pidfd: what was checked is what is killed.

    Args:
        pid, started: the process.
        why: for the log.
    """
    if sys.platform != "linux" or not hasattr(signal, "pidfd_send_signal"):
        signal_all([(pid, started)], signal.SIGKILL)
        return
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if process_start(pid) == started:
            logger.warning("Killing process %s: %s", pid, why)
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError as problem:
        logger.warning("Process %s can't be killed: %s", pid, problem)
    finally:
        os.close(handle)


def is_gone_soon(pid: int, started: str, seconds: float) -> bool:
    """Whether a process that was killed is gone, waiting for so long at most."""
    until = time.monotonic() + seconds
    while process_start(pid) == started:
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def kill_tree(pid: int, known: set[Seen]) -> None:
    """SIGKILL the group of `pid`, all that descends from it, and all that is `known`."""
    for _ in range(ROUNDS):
        found = descendants(pid) | known
        signal_group(pid, signal.SIGKILL)
        signal_all(found, signal.SIGKILL)
        if not descendants(pid):
            return


def adopt_orphans() -> None:
    """On Linux, let orphaned descendants become this process's children (PR_SET_CHILD_SUBREAPER).

    Only for a process that is a worker and nothing else.
    """
    if sys.platform != "linux":
        return
    import ctypes

    try:
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    except (OSError, AttributeError):
        logger.debug("This system has no subreapers")


def end_adopted(own_children: set[int]) -> None:
    """Kill and reap the children of this process that it did not start itself."""
    if sys.platform != "linux":
        return
    me = os.getpid()
    for pid, parent in list(_linux_parents()):
        if parent == me and pid not in own_children:
            _send(os.kill, pid, signal.SIGKILL)
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass


def how_it_died(code: int) -> str:
    """The sentence for a process that ended in the middle of a job."""
    if code >= 0:
        return f"the process ended itself with exit code {code} before the job was done"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (killed from outside, perhaps because memory ran out)" if name == "SIGKILL" else ""
    return f"the process died: {name}{hint}"


def end_with(lifeline: int) -> None:
    """End this worker at once, its jobs given back, when nobody holds the other end any more.

    Args:
        lifeline: the reading end of a pipe; whoever started us has the writing end.
    """
    os.set_inheritable(lifeline, False)

    def wait() -> None:
        while os.read(lifeline, 1):
            pass
        os.kill(os.getpid(), signal.SIGQUIT)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
