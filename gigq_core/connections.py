"""Connections to queue files, one for each thread and file, never carried across a fork."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

from gigq_core.schema.attach import open_for_work
from gigq_core.schema.held_file import HeldFile

_local = threading.local()


def get_connection(db_path: str | Path, *, create: bool = True) -> sqlite3.Connection:
    """This thread's connection to the queue file; see `get_held_file`."""
    return get_held_file(db_path, create=create).conn


def get_held_file(db_path: str | Path, *, create: bool = True) -> HeldFile:
    """This thread's hold on the queue file, opened and attached if it is not yet.

    A connection that a parent process opened is left alone: using or closing it here would
    drop the parent's locks.

    Raises:
        DatabaseError: the file can't be used; see `open_for_work`. `FilesLost` where it was
            deleted or replaced since, or its WAL was.
    """
    connections = _own_connections()
    key = _key(db_path)
    held = connections.get(key)
    if held is None:
        held = connections[key] = HeldFile(open_for_work(db_path, create=create), db_path)
    else:
        held.glance()
    return held


def close_connections() -> None:
    """Close every connection of the current thread."""
    connections = _own_connections()
    while connections:
        connections.popitem()[1].close()


def close_connection(db_path: str | Path) -> None:
    """Close the current thread's connection to one file, if it has one."""
    held = _own_connections().pop(_key(db_path), None)
    if held is not None:
        held.close()


def _own_connections() -> dict[str, HeldFile]:
    pid = os.getpid()
    if getattr(_local, "pid", None) != pid:
        inherited = getattr(_local, "connections", {})
        # Kept alive on purpose: dropping the last reference would close them.
        _local.inherited = [*getattr(_local, "inherited", []), *inherited.values()]
        _local.connections = {}
        _local.pid = pid
    connections: dict[str, HeldFile] = _local.connections
    return connections


def _key(db_path: str | Path) -> str:
    return os.path.abspath(db_path)
