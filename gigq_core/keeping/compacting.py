"""Compacting: giving back the room that a queue file no longer uses.

It is SQLite's VACUUM in place, in one transaction: whoever is killed in the midst leaves the file
as it was. A compacted copy that takes the place of the file would be the other way, and is none:
who has the old file open would write on into what has no name any more.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gigq_core.errors import DatabaseBusy, DatabaseError
from gigq_core.schema import size_statements as sql
from gigq_core.schema.attach import refuse_while_workers_live
from gigq_core.schema.opening import (
    check_path,
    check_tables,
    connect,
    explain,
    is_attached,
    not_writable,
    require_sqlite,
)
from gigq_core.units.sizes import size_words

# How long the write lock is waited for, in seconds.
WAIT_S = 2.0
# What is left free on a disk beyond what it takes.
SPARE_BYTES = 16 * 1024 * 1024
# Where SQLite puts what it needs for a while; the first that is there and can be written.
_TEMPORARY = ("SQLITE_TMPDIR", "TMPDIR"), ("/var/tmp", "/usr/tmp", "/tmp", ".")


@dataclass(frozen=True)
class Compacted:
    """What came of it.

    Attributes:
        before, after: The sizes of the file with its WAL, in bytes.
        seconds: How long it took.
        waits: Whether the file shrinks only when a program has ended that reads it.
    """

    before: int
    after: int
    seconds: float
    waits: bool = False


def compact(path: str | Path, force: bool = False) -> Compacted:
    """Give back the room that the file does not use.

    Args:
        path: the file.
        force: even while jobs run under GigQ's workers, which can't write meanwhile.

    Raises:
        DatabaseBusy: a worker is at work on the file, or somebody else writes. Nothing was changed;
            so for the others.
        DatabaseError: there is too little room on a disk, or the file can't be written.
    """
    require_sqlite()
    file = check_path(path)
    if not os.access(file, os.W_OK):
        raise DatabaseError(not_writable(file))
    began, before = time.monotonic(), _size_of(file)
    try:
        with closing(connect(file, "rw", WAIT_S)) as conn:
            check_tables(conn, file)
            conn.execute("PRAGMA synchronous = FULL")
            _refuse_while_used(conn, file, force)
            _refuse_without_room(conn, file)
            # So that a signal is heard while it lasts.
            conn.set_progress_handler(lambda: 0, 100_000)
            conn.execute("VACUUM")
            busy = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.Error as problem:
        raise explain(problem, file) from problem
    return Compacted(before, _size_of(file), time.monotonic() - began, bool(busy))


def _refuse_while_used(conn: sqlite3.Connection, file: Path, force: bool) -> None:
    attached = is_attached(conn)
    if attached:
        refuse_while_workers_live(conn, file)
    if not force:
        statement = sql.COUNT_CLAIMED_BY_GIGQ if attached else sql.COUNT_RUNNING
        (running,) = conn.execute(statement).fetchone()
        if running:
            jobs = "job runs" if running == 1 else "jobs run"
            raise DatabaseBusy(
                f"{running:,} {jobs} under GigQ's workers, which could write nothing meanwhile: "
                "let them end, or compact with --force."
            )


def _refuse_without_room(conn: sqlite3.Connection, file: Path) -> None:
    """It writes all that is used twice: to a file of its own first, then through the WAL."""
    pages, free, size = (
        conn.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    used = (pages - free) * size
    needs: dict[int, tuple[Path, int]] = {}
    for folder in (file.absolute().parent, _temporary_folder()):
        disk = os.stat(folder).st_dev
        first, needed = needs.get(disk, (folder, SPARE_BYTES))
        needs[disk] = first, needed + used
    for folder, needed in needs.values():
        room = shutil.disk_usage(folder).free
        if room < needed:
            raise DatabaseError(
                f"Compacting takes {size_words(needed)} for a while, and the disk of {folder} has "
                f"{size_words(room)} left: free some, or set SQLITE_TMPDIR to a folder on another "
                "disk."
            )


def _temporary_folder() -> Path:
    names, folders = _TEMPORARY
    for text in (*(os.environ.get(name) for name in names), *folders):
        if text and os.path.isdir(text) and os.access(text, os.W_OK | os.X_OK):
            return Path(text)
    return Path()


def _size_of(file: Path) -> int:
    size = 0
    for part in (file, file.with_name(f"{file.name}-wal")):
        try:
            size += part.stat().st_size
        except OSError:
            continue
    return size
