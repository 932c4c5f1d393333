"""Who a process is, so that its death can be told for certain, or not told at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from gigq_core.text import storable

if TYPE_CHECKING:
    import sqlite3

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_PID_NAMESPACE = "/proc/self/ns/pid"

# Seconds by which two readings of one process's start may differ where psutil tells it.
_START_TOLERANCE_S = 2.0


class ProcessIdentity(NamedTuple):
    """A process, told apart from every other that ever had its pid.

    `pid_started` is opaque text: clock ticks since boot on Linux, elsewhere a time stamp. Empty
    text anywhere means that the system would not say.
    """

    host: str
    pid: int
    pid_started: str
    boot_id: str
    pid_namespace: str

    @classmethod
    def of_row(cls, row: Mapping[str, Any] | sqlite3.Row) -> ProcessIdentity:
        """The identity that a row of `core_workers` keeps."""
        return cls(
            row["host"], row["pid"], row["pid_started"], row["boot_id"], row["pid_namespace"]
        )


def current_identity() -> ProcessIdentity:
    """The identity of this process."""
    pid = os.getpid()
    host, boot_id, namespace = _surroundings(pid)
    return ProcessIdentity(host, pid, process_start(pid) or "", boot_id, namespace)


def is_dead(identity: ProcessIdentity) -> bool | None:
    """Whether the process is certainly gone.

    Returns:
        True if it is, by pid and start time, in a place where pids mean the same as here. False
        if it lives. None if it can't be told from here: another host, boot or PID namespace.
    """
    host, boot_id, namespace = _surroundings(os.getpid())
    # Another boot proves nothing either: two machines may bear one name.
    if (identity.host, identity.boot_id, identity.pid_namespace) != (host, boot_id, namespace):
        return None
    started = process_start(identity.pid)
    if started is None:
        return True
    if not started or not identity.pid_started:
        return None
    return not _same_start(started, identity.pid_started)


def process_start(pid: int) -> str | None:
    """When a process of this machine started, as opaque text; None if there is no such process.

    A zombie counts as gone: it will never do anything again. Empty text: it can't be told.
    """
    if not isinstance(pid, int) or pid <= 0:
        return None
    if sys.platform == "linux":
        fields = _stat(pid)
        if fields is None:
            return None
        if not fields:
            return ""
        return None if fields[0] in (b"Z", b"X") else fields[19].decode()
    return _process_start_elsewhere(pid)


def is_suspended(pid: int) -> bool:
    """Whether a process of this machine does nothing until somebody lets it go on.

    Stopped by a signal (SIGSTOP, ctrl+z) or a debugger, or in a control group that is frozen.
    """
    if sys.platform == "linux":
        fields = _stat(pid)
        if not fields:
            return False
        return fields[0] in (b"T", b"t") or (fields[0] in (b"D", b"S") and _is_frozen(pid))
    import psutil

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False


def _is_frozen(pid: int) -> bool:
    """Whether a process is in a frozen control group, of version 2 or 1."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            groups = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return False
    for number, controllers, path in (group for group in groups if len(group) == 3):
        if number == "0":
            state = f"/sys/fs/cgroup{path}/cgroup.events", "frozen 1"
        elif controllers == "freezer":
            state = f"/sys/fs/cgroup/freezer{path}/freezer.state", "FROZEN"
        else:
            continue
        try:
            with open(state[0], encoding="ascii") as file:
                if state[1] in file.read().splitlines():
                    return True
        except (OSError, ValueError):
            pass
    return False


def _stat(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat from the state on; None: no such process; empty: can't tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError:
        return []
    # The name, in parentheses, may hold anything, closing parentheses too.
    return text[text.rindex(b")") + 2 :].split()


def _process_start_elsewhere(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{process.create_time():.3f}"
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:
        return ""


def _same_start(one: str, other: str) -> bool:
    if one == other:
        return True
    if sys.platform == "linux":
        return False
    try:
        return abs(float(one) - float(other)) <= _START_TOLERANCE_S
    except ValueError:
        return False


@lru_cache(maxsize=2)
def _surroundings(pid: int) -> tuple[str, str, str]:
    """Host, boot id and PID namespace; `pid` makes a forked child ask again."""
    host = _host()
    if sys.platform == "linux":
        return host, _first_line(_BOOT_ID), _link(_PID_NAMESPACE)
    return host, "", ""


def _host() -> str:
    if sys.platform != "win32":
        # As `socket.gethostname()`, without the memory that `socket` takes.
        return storable(os.uname().nodename)
    import socket

    return storable(socket.gethostname())


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.readline().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
